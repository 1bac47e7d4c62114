"""Decisions a second on one core: pure, from a book, a stimulus and a look that are made beforehand.

The floor is what a decision cannot do without: its frozen objects made once (decision, book, state, what is
owed, each entry) and the SHA-256 of each entry's JSON.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from statistics import median

from msgspec import Struct
from msgspec.json import encode
from msgspec.structs import replace

from lami.bench.canned import APP, DANA, PRINCIPAL, ROLE, SUBSCRIPTION, narrow_grant
from lami.bench.measure import Floor, NotMeasured, Row, Say, Size, at_least, rate
from lami.core import roles
from lami.core.decide_holder import decide_holder
from lami.core.decide_principal import Sight, decide_principal
from lami.core.draft import Rules
from lami.core.ids import ResourceId
from lami.core.messages import holder_subject
from lami.core.model import (
    Book,
    Carrier,
    Cause,
    Change,
    Decision,
    Entry,
    GrantLine,
    HolderState,
    IdentityHolder,
    Owed,
    Present,
    PrincipalState,
    RoleAssignment,
    Subject,
)
from lami.core.policy import parse
from lami.core.stimuli import Grants, Taken, Told
from lami.detectors import DETECTORS
from lami.settings import packaged_policy

AIM = 50_000
_SECONDS = {"quick": 0.02, "full": 0.6}
_TURNS = {"quick": 1, "full": 5}
_FLOOR = "the decision's frozen objects made once, and SHA-256 of its entries' JSON"
_NOW = datetime(2026, 11, 24, 8, tzinfo=UTC)
_SECOND = "bbbbbbbb-0000-4000-8000-000000000002"
Decide = Callable[[], Decision]


def run(size: Size, say: Say) -> Iterator[Row]:
    """Two of a principal's book and two of a holder's."""
    roles.judge(ROLE, "")
    for name, decide in _decisions():
        say(name)
        floor = _floor(decide())
        turns = [(rate(decide, _SECONDS[size]), rate(floor, _SECONDS[size])) for _ in range(_TURNS[size])]
        value, least = median(turn[0] for turn in turns), median(turn[1] for turn in turns)
        yield Row("core", name, value, "decisions/s", Floor(least, _FLOOR), (at_least(AIM),))


def _decisions() -> Iterator[tuple[str, Decide]]:
    rules = Rules(
        parse(packaged_policy(), packaged_policy()),
        DETECTORS,
        frozenset({SUBSCRIPTION}),
        timedelta(minutes=2),
    )
    principal, holder = _books(rules)
    new, known = narrow_grant(9, _NOW, _NOW), narrow_grant(1, _ago(50), _NOW)
    same = IdentityHolder(APP, "logicApp", PRINCIPAL, created=_ago(60), changed=_NOW)
    other = IdentityHolder(APP, "logicApp", _SECOND, created=_NOW, changed=_NOW)

    def of_principal(shown: RoleAssignment) -> Decide:
        told = Told(_change(shown.id, "write"))
        sight = Sight(((shown.id, Present(shown)),))
        return lambda: _made(decide_principal(principal, told, sight, rules, _NOW))

    def of_holder(shown: IdentityHolder) -> Decide:
        told = Told(_change(shown.id, "write"))
        return lambda: _made(decide_holder(holder, told, Present(shown), rules, _NOW))

    yield "principal: a narrow grant that is new", of_principal(new)
    yield "principal: a known grant written again", of_principal(known)
    yield "holder: deployed in place", of_holder(same)
    yield "holder: recreated", of_holder(other)


def _books(rules: Rules) -> tuple[Book, Book]:
    """A principal with three narrow grants and the app that carries it, as a baseline leaves them."""
    cause = Cause("take-bench", "lami/baseline/take", _ago(30), actor=DANA)
    taken = Taken("bench", cause)
    grants = tuple(narrow_grant(number, _ago(50), _ago(50)) for number in range(3))
    carrier = Carrier(APP, "logicApp", "", True, _ago(30), cause, 1)
    blank = Book(Subject("principal", PRINCIPAL), PrincipalState(carriers={APP.key: carrier}))
    sight = Sight([(one.id, Present(one)) for one in grants], frozenset({SUBSCRIPTION}))
    principal = _paid(_made(decide_principal(blank, taken, sight, rules, _ago(30))))
    app = IdentityHolder(APP, "logicApp", PRINCIPAL, created=_ago(60), changed=_ago(50))
    empty = Book(holder_subject(APP), HolderState())
    first = _paid(_made(decide_holder(empty, taken, Present(app), rules, _ago(30))))
    state = principal.state
    terms = state.terms if isinstance(state, PrincipalState) else {}
    lines = tuple(GrantLine(one.id.text, one.access, one.role.name, (), one.created) for one in grants)
    said = Grants(PRINCIPAL, principal.version, lines, terms, cause)
    return principal, _paid(_made(decide_holder(first, said, None, rules, _ago(30))))


def _change(resource: ResourceId, verb: str) -> Change:
    return Change("event-1", resource, f"{resource.type}/{verb}", _NOW, SUBSCRIPTION, DANA, "c-1")


def _ago(minutes: float) -> datetime:
    return _NOW - timedelta(minutes=minutes)


def _made(decision: Decision | None) -> Decision:
    if decision is None:
        raise NotMeasured("the stimulus to be measured was ignored as old")
    return decision


def _paid(decision: Decision) -> Book:
    """The book once its debts are paid."""
    return replace(decision.book, owed=())


@dataclass(frozen=True, slots=True)
class _Parts:
    """Members of the objects that a decision consists of, each ready to make it anew."""

    decision: tuple[object, ...]
    book: tuple[object, ...]
    state: tuple[object, ...]
    owed: tuple[object, ...]
    entries: tuple[tuple[object, ...], ...]


def _floor(decision: Decision) -> Callable[[], object]:
    """Make the objects of this decision again, and hash its entries."""
    kind = type(decision.book.state)
    parts = _Parts(
        _members(decision),
        _members(decision.book),
        _members(decision.book.state),
        _members(decision.owed) if decision.owed else (),
        tuple(_members(entry) for entry in decision.entries),
    )

    def make() -> object:
        entries = tuple(_remake(Entry, members) for members in parts.entries)
        for entry in entries:
            hashlib.sha256(encode(entry, order="sorted")).hexdigest()
        owed = _remake(Owed, parts.owed) if parts.owed else None
        return (
            _remake(Decision, parts.decision),
            _remake(Book, parts.book),
            _remake(kind, parts.state),
            owed,
            entries,
        )

    return make


def _members(thing: Struct) -> tuple[object, ...]:
    return tuple(getattr(thing, name) for name in thing.__struct_fields__)


def _remake(kind: Callable[..., object], members: tuple[object, ...]) -> object:
    return kind(*members)
