"""Handling one stimulus on one subject: load its book, look at Azure, decide, commit on the loaded version.

The order is the point. If the commit goes through, nobody committed since the book was loaded, so this
look is newer than the one behind the book; no worker's clock is compared with another's.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Literal

from msgspec import Struct, field
from msgspec.structs import replace

from lami.arm.protocol import Arm, NotAHolder
from lami.core.decide_holder import decide_holder, missing_since
from lami.core.decide_lami import decide_lami
from lami.core.decide_principal import Sight, decide_principal
from lami.core.decide_role import decide_role, needs_look
from lami.core.decide_role import where as role_at
from lami.core.draft import Rules
from lami.core.ids import ResourceId
from lami.core.model import (
    Absent,
    Book,
    Decision,
    Definition,
    FailedRuns,
    Held,
    HolderState,
    IdentityHolder,
    LamiState,
    Look,
    Present,
    PrincipalState,
    RoleAssignment,
    RoleDefinition,
    RoleState,
    State_co,
    Subject,
    Unknown,
)
from lami.core.stimuli import (
    Accepted,
    Again,
    Attaches,
    Carries,
    Holds,
    Message,
    Reconciled,
    Stimulus,
    Taken,
    Told,
)
from lami.errors import Temporary
from lami.store.books import Books, Loaded, Repeated
from lami.store.index import Index
from lami.store.table import Conflict

log = logging.getLogger(__name__)

MOST_LISTED = 25
"""Of so many subscriptions all are listed for one principal, where it seems to hold nothing anywhere."""
MOST_TRIES = 50
"""How often a commit may lose against other writers before the stimulus is given back."""


class Tools(Struct, frozen=True):
    """What handling works with: the edges, the rules and the clock. Made once, in `lami.wiring`.

    `pauses` are the seconds waited before looking again at what was not believed.
    """

    books: Books
    index: Index
    arm: Arm
    rules: Rules
    clock: Callable[[], datetime]
    sleep: Callable[[float], None]
    pauses: tuple[float, ...] = (1.0, 2.0, 4.0)


class Handled(Struct, frozen=True):
    """What came of it: the book as it is now, and what was done.

    `findings` are ids opened or resolved; `strangers` are other principals that the look showed.
    """

    loaded: Loaded
    outcome: Literal["recorded", "duplicate", "ignored", "deferred"]
    reason: str = ""
    findings: tuple[str, ...] = ()
    strangers: tuple[str, ...] = ()


class _Seen(Struct, frozen=True):
    """What the looks for one try showed; each part where it was needed."""

    holder: Present[IdentityHolder] | Absent | None = None
    failed_runs: FailedRuns | None = None
    role: Present[RoleDefinition] | Absent | None = None
    sight: Sight = field(default_factory=Sight)
    strangers: tuple[str, ...] = ()
    ignored: str = ""


def handle(
    tools: Tools,
    subject: Subject,
    stimulus: Stimulus,
    resource: str = "",
    where: Sequence[str] = (),
) -> Handled:
    """Do what one stimulus asks of one subject, once, however often and by however many it is tried.

    `resource` names what to look at, where it is not the subject itself; `where` are subscriptions that the
    listing of a principal's grants must cover. Raises `Temporary` where Azure or the store could not be
    asked: then nothing was written.
    """
    pauses = list(tools.pauses)
    for _ in range(MOST_TRIES):
        loaded = tools.books.load(subject)
        step = _judge(tools, loaded, stimulus, resource, where)
        if isinstance(step, Handled):
            return step
        if step.decision.doubt and pauses and isinstance(stimulus, Told):
            # The event was quicker than Azure's replicas: a moment's patience spares a late alert.
            log.info("%s; looking again", step.decision.doubt)
            tools.sleep(pauses.pop(0))
            continue
        try:
            return _write(tools, loaded, step)
        except Conflict:
            continue
    raise Temporary(
        f"the book of {subject.kind} {subject.id} is being written by too many at once; try again"
    )


def handle_loaded(tools: Tools, loaded: Loaded, stimulus: Stimulus, resource: str = "") -> Handled | None:
    """Try once, on a book that was loaded before; None where somebody else has written it since.

    For whoever looks at Azure once for many books (`lami.sweep`): the look must have begun after the load.
    """
    step = _judge(tools, loaded, stimulus, resource, ())
    if isinstance(step, Handled):
        return step
    try:
        return _write(tools, loaded, step)
    except Conflict:
        return None


class _Step(Struct, frozen=True):
    """What would be committed, and the other principals that the look showed."""

    decision: Decision
    strangers: tuple[str, ...]


def _judge(
    tools: Tools, loaded: Loaded, stimulus: Stimulus, resource: str, where: Sequence[str]
) -> _Step | Handled:
    seen = _look(tools, loaded.book, stimulus, resource, where)
    if seen.ignored:
        return Handled(loaded, "ignored", seen.ignored)
    decision = _decide(tools, loaded.book, stimulus, seen)
    if decision is None:
        return Handled(loaded, "duplicate", "a newer message was handled before")
    return _Step(decision, seen.strangers)


def _write(tools: Tools, loaded: Loaded, step: _Step) -> Handled:
    decision = step.decision
    try:
        committed = tools.books.commit(loaded, decision)
    except Repeated:
        again = tools.books.load(loaded.book.subject)
        return Handled(again, "duplicate", "handled before", strangers=step.strangers)
    changed = (*decision.opened, *(finding.id for finding in decision.resolved))
    outcome: Literal["deferred", "recorded"] = "deferred" if decision.doubt else "recorded"
    return Handled(committed, outcome, decision.doubt, changed, step.strangers)


FirstSight = Present[IdentityHolder] | Sight
"""What a listing showed of a subject: a holder, or all that a principal is granted in some subscriptions."""


def first_sight(tools: Tools, subject: Subject, stimulus: Taken, shown: FirstSight) -> Handled | None:
    """Commit what a listing showed of a subject that nobody has written; None where somebody has.

    No load precedes the listing, and none is needed: the commit creates the head of the book, and books are
    never removed. So where it goes through, a load before the listing would have shown a book that nobody has
    written. Where it does not, the listing may be the past, and the subject is to be handled. The assignments
    that it showed must have been indexed before it (see docs/decisions/0007-take-from-the-listing.md).
    """
    unwritten = tools.books.unwritten(subject)
    seen = _Seen(sight=shown) if isinstance(shown, Sight) else _Seen(holder=shown)
    decision = _decide(tools, unwritten.book, stimulus, seen)
    if decision is None:
        return None
    try:
        committed = tools.books.commit(unwritten, decision)
    except (Repeated, Conflict):
        return None
    return Handled(committed, "recorded", findings=decision.opened)


def _decide(tools: Tools, book: Book, stimulus: Stimulus, seen: _Seen) -> Decision | None:
    now = tools.clock()
    if book.subject.kind == "holder":
        return decide_holder(book, stimulus, seen.holder, tools.rules, now, seen.failed_runs)
    if book.subject.kind == "principal":
        return decide_principal(book, stimulus, seen.sight, tools.rules, now)
    if book.subject.kind == "lami":
        return decide_lami(book, stimulus, tools.rules, now)
    return decide_role(book, stimulus, seen.role, tools.rules, now)


def _look(tools: Tools, book: Book, stimulus: Stimulus, resource: str, where: Sequence[str]) -> _Seen:
    if isinstance(book.state, HolderState):
        return _look_at_holder(tools, book, book.state, stimulus)
    if isinstance(book.state, PrincipalState):
        return _look_at_grants(tools, book, book.state, stimulus, resource, where)
    if isinstance(book.state, LamiState):
        return _Seen()
    return _look_at_role(tools, book, book.state, stimulus, resource)


def _look_at_holder(tools: Tools, book: Book, state: HolderState, stimulus: Stimulus) -> _Seen:
    first_heard_of = isinstance(stimulus, Attaches) and not state.known
    if not first_heard_of and isinstance(stimulus, Message | Accepted):
        return _Seen()
    id = ResourceId(book.subject.id)
    look = tools.arm.holder(id)
    if isinstance(look, NotAHolder):
        if book.version == 0:
            return _Seen(ignored=f"{id.name} is no logic app")
        oddity = f"{id.name} is no longer a logic app"
        gone = IdentityHolder(id, state.kind, oddity=oddity, definition=Definition())
        return _Seen(Present(gone))
    return _Seen(_known(look), _failed_runs(tools, id, state, stimulus))


def _failed_runs(tools: Tools, id: ResourceId, state: HolderState, stimulus: Stimulus) -> FailedRuns | None:
    """What missing access has done so far, counted when a re-check comes to it: events are not held up.

    None where nothing is missing, or where it could not be counted, which is no reason to conclude nothing.
    """
    since = missing_since(state)
    if since is None or not isinstance(stimulus, Again):
        return None
    counted = tools.arm.failed_runs(id, since, tools.clock())
    return None if isinstance(counted, Unknown) else counted


def _look_at_grants(
    tools: Tools,
    book: Book,
    state: PrincipalState,
    stimulus: Stimulus,
    resource: str,
    where: Sequence[str],
) -> _Seen:
    if isinstance(stimulus, Told):
        return _look_at_one(tools, book, stimulus.change.resource)
    if isinstance(stimulus, Again) and resource:
        return _look_at_one(tools, book, ResourceId(resource))
    if isinstance(stimulus, Carries):
        before = state.carriers.get(stimulus.holder.key)
        newer = before is None or stimulus.version > before.version
        turned = before is None or before.carries != stimulus.carries
        if newer and turned:
            return _list(tools, book, subscriptions_of(state, stimulus, tools.rules, where))
    if isinstance(stimulus, Again | Reconciled | Taken):
        return _list(tools, book, subscriptions_of(state, stimulus, tools.rules, where))
    return _Seen()


def _look_at_one(tools: Tools, book: Book, id: ResourceId) -> _Seen:
    look = _known(tools.arm.assignment(id))
    strangers: tuple[str, ...] = ()
    if isinstance(look, Present) and look.state.principal != book.subject.key:
        # Its row must stand before the commit: else a crash would leave the new principal unrouted.
        strangers = (look.state.principal,)
        tools.index.add_principal(id, look.state.principal)
    return _Seen(sight=Sight(((id, look),)), strangers=strangers)


def _list(tools: Tools, book: Book, subscriptions: tuple[str, ...]) -> _Seen:
    """List the principal's grants; where some were not known, index them first and list again."""
    listed = _listed(tools, book, subscriptions)
    held = book.state.grants if isinstance(book.state, PrincipalState) else {}
    unknown = [line for line in listed if line.id.key not in held]
    tools.index.add_principals((line.id, book.subject.key) for line in unknown)
    if unknown:
        listed = _listed(tools, book, subscriptions)
    looks = tuple((line.id, Present(line)) for line in listed)
    return _Seen(sight=Sight(looks, frozenset(subscriptions)))


def _listed(tools: Tools, book: Book, subscriptions: tuple[str, ...]) -> tuple[RoleAssignment, ...]:
    listed = tools.arm.assignments_of(book.subject.key, subscriptions)
    if isinstance(listed, Unknown):
        raise unread(listed)
    return listed


def subscriptions_of(
    state: PrincipalState, stimulus: Stimulus, rules: Rules, where: Sequence[str]
) -> tuple[str, ...]:
    """Where to list: the holders' subscriptions, and wherever it holds or is expected to hold something.

    A re-check of what seems to hold nothing lists everywhere, since that is a finding. Where everywhere is
    too much to list for one principal, what its event or reconcile will tell is enough.
    """
    bare = isinstance(stimulus, Again) and not any(grant.present for grant in state.grants.values())
    if bare and len(rules.watched) <= MOST_LISTED:
        return tuple(sorted(rules.watched))
    found = {grant.access.scope.subscription for grant in state.grants.values()}
    found |= {term.access.scope.subscription for term in state.terms.values()}
    found |= {carrier.holder.subscription for carrier in state.carriers.values()}
    if isinstance(stimulus, Carries):
        found |= {stimulus.holder.subscription}
        found |= {term.access.scope.subscription for term in stimulus.terms.values()}
    return tuple(sorted((found | set(where)) & rules.watched)) or tuple(sorted(rules.watched))


def _look_at_role(tools: Tools, book: Book, state: RoleState, stimulus: Stimulus, resource: str) -> _Seen:
    if isinstance(stimulus, Accepted):
        return _Seen()
    if isinstance(stimulus, Holds):
        said = replace(state, held={stimulus.principal: Held("", False, 0, stimulus.accesses)})
        if not needs_look(said):
            return _Seen()
        look = tools.arm.role(role_at(book, said, tools.rules.watched))
        # Who may not read it will not be allowed to by trying again.
        return _Seen() if isinstance(look, Unknown) and look.denied else _Seen(role=_known(look))
    if isinstance(stimulus, Told):
        return _Seen(role=_known(tools.arm.role(stimulus.change.resource)))
    at = ResourceId(resource) if resource else role_at(book, state, tools.rules.watched)
    return _Seen(role=_known(tools.arm.role(at)))


def _known(look: Look[State_co]) -> Present[State_co] | Absent:
    """A failed read is no state: the stimulus is given back, to be delivered again."""
    if isinstance(look, Unknown):
        raise unread(look)
    return look


def unread(look: Unknown) -> Temporary:
    """What a failed read is to whoever needed it: try again, when Azure said or later."""
    return Temporary(f"Azure could not be read: {look.reason}", look.retry_after)
