"""What ordinary events cost, counted and not timed: requests to ARM, and round trips to the store.

A request is one that is sent, so a try after a failure and each page of a listing count. Counted on a lami
that is warm: it knows the roles. The floors are what the design says that each kind cannot do without.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from lami.bench.apart import Apart
from lami.bench.azure import (
    APP,
    ASSIGNMENT,
    NARROW,
    STANDARD,
    Written,
    addresses,
    count_reads,
    event,
    forget_reads,
    grant,
    put_app,
    put_standard,
    recreate,
    revoke,
    small_azure,
    vault,
)
from lami.bench.measure import Aim, NotMeasured, Row, Say, Size, at_most
from lami.bench.noting import Noting, Trip
from lami.bench.stage import lami_on, settings_for
from lami.sandbox import Sandbox
from lami.sandbox.model import JsonObject
from lami.schedule import take_baseline_if_none
from lami.store.sqlite import SqliteTable

STRANGER = "99999999-9999-4999-8999-999999999999"
MOST_TRIPS = 10
_ORDINARY, _NEW, _STANDARD = 1, 2, 4


@dataclass(frozen=True, slots=True)
class _Kind:
    """One kind of event, how it comes about, and how many reads it should take at most, where it is said."""

    name: str
    make: Callable[[Apart[Sandbox]], JsonObject]
    reads: int | None


def run(size: Size, say: Say) -> Iterator[Row]:
    """Each kind once: they are counted, so that once is enough."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="lami-bench-")))
        azure = stack.enter_context(small_azure())
        app = azure.do(put_app, "claims-intake")
        azure.do(put_standard, "claims-std")
        subscription = azure.do(addresses).subscription
        held = [azure.do(grant, NARROW, vault(subscription, number), of=app.id) for number in range(3)]
        settings = settings_for(azure.do(addresses), folder)
        trips: list[Trip] = []
        table = Noting(SqliteTable(settings.sqlite_path), trips.append)
        lami = stack.enter_context(lami_on(settings, table))
        take_baseline_if_none(lami)
        for kind in _kinds(subscription, app, held):
            say(kind.name)
            told = kind.make(azure)
            azure.do(forget_reads)
            trips.clear()
            outcome = lami.service.receive(told)
            if outcome.outcome not in ("recorded", "duplicate"):
                raise NotMeasured(f"{kind.name}: {outcome.outcome} ({outcome.reason})")
            reads: tuple[Aim, ...] = () if kind.reads is None else (at_most(kind.reads),)
            yield Row("costs", f"{kind.name}: ARM", azure.do(count_reads), "reads", aims=reads)
            most: tuple[Aim, ...] = () if kind.reads is None else (at_most(MOST_TRIPS),)
            yield Row("costs", f"{kind.name}: store", len(trips), "round trips", aims=most)


def _kinds(subscription: str, app: Written, held: list[Written]) -> Iterator[_Kind]:
    again: list[JsonObject] = []
    name = held[1].id.rpartition("/")[2]

    def touched(azure: Apart[Sandbox]) -> JsonObject:
        again.append(event(APP, "write", azure.do(put_app, "claims-intake")))
        return again[0]

    def granted(of: str | None, principal: str | None, number: int) -> Callable[[Apart[Sandbox]], JsonObject]:
        def make(azure: Apart[Sandbox]) -> JsonObject:
            scope = vault(subscription, number)
            return event(ASSIGNMENT, "write", azure.do(grant, NARROW, scope, of=of, principal=principal))

        return make

    yield _Kind("an app deployed in place", touched, _ORDINARY)
    yield _Kind(
        "a Standard app with two workflows deployed in place",
        lambda azure: event(STANDARD, "write", azure.do(put_standard, "claims-std")),
        _STANDARD,
    )
    yield _Kind("the same event again", lambda azure: again[0], _ORDINARY)
    yield _Kind("a narrow grant that is new", granted(app.id, None, 8), _NEW)
    yield _Kind("a narrow grant to a principal never seen", granted(None, STRANGER, 9), _NEW)
    yield _Kind(
        "a known assignment written again",
        lambda azure: event(
            ASSIGNMENT,
            "write",
            azure.do(grant, NARROW, vault(subscription, 1), of=app.id, name=name),
        ),
        _ORDINARY,
    )
    yield _Kind(
        "a known assignment deleted",
        lambda azure: event(ASSIGNMENT, "delete", azure.do(revoke, held[0].id)),
        _ORDINARY,
    )
    yield _Kind(
        "an app with three grants recreated",
        lambda azure: event(APP, "write", azure.do(recreate, app.id)),
        None,
    )
