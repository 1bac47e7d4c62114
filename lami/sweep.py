"""One listing of a subscription that answers many changes and re-checks in it: what lami does in a storm.

The order is that of `lami.handling`: the books are loaded, then Azure is looked at, here once for all of
them, then each decision is committed on the book as it was loaded. The listing is newer than what is behind a
book only as long as nobody else writes the book; from then on its items are looked at one by one. Each change
stays a stimulus of its own: its gate, its entry, its actor.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from msgspec import Struct, field
from msgspec.structs import replace

from lami.arm.protocol import Arm, NotAHolder
from lami.core.ids import ResourceId
from lami.core.model import (
    Absent,
    Change,
    Definition,
    FailedRuns,
    IdentityHolder,
    Look,
    Present,
    PrincipalState,
    RoleAssignment,
    RoleDefinition,
    Subject,
    Unknown,
)
from lami.core.stimuli import Again, Told
from lami.errors import EITHER, Permanent, Temporary
from lami.handling import Handled, Tools, handle, handle_loaded, subscriptions_of
from lami.routing import ASSIGNMENT, NotNow, Router, handle_for
from lami.store.books import Loaded
from lami.store.due import Due

log = logging.getLogger(__name__)


class Listed(Struct, frozen=True):
    """Azure (`lami.arm.protocol.Arm`) as one listing of a subscription's role assignments shows it.

    What the listing does not cover is looked at in `arm`, and so is a principal with a grant that was not
    in the index when the listing began.
    """

    arm: Arm
    subscription: str
    lines: Mapping[str, RoleAssignment]
    indexed: frozenset[str] = frozenset()

    def assignment(self, id: ResourceId) -> Look[RoleAssignment]:
        """The assignment's line, if it lies in the subscription."""
        if id.subscription != self.subscription:
            return self.arm.assignment(id)
        line = self.lines.get(id.key)
        return Present(line) if line is not None else Absent()

    def assignments_of(
        self, principal: str, subscriptions: tuple[str, ...]
    ) -> tuple[RoleAssignment, ...] | Unknown:
        """The principal's lines, if only this subscription is asked for."""
        found = tuple(line for line in self.lines.values() if line.principal == principal)
        if subscriptions != (self.subscription,) or any(line.id.key not in self.indexed for line in found):
            return self.arm.assignments_of(principal, subscriptions)
        return found

    def holder(self, id: ResourceId) -> Look[IdentityHolder] | NotAHolder:
        """Looked at in Azure."""
        return self.arm.holder(id)

    def role(self, id: ResourceId) -> Look[RoleDefinition]:
        """Looked at in Azure."""
        return self.arm.role(id)

    def workflows_of(self, app: ResourceId) -> Definition | Unknown:
        """Read in Azure."""
        return self.arm.workflows_of(app)

    def failed_runs(self, app: ResourceId, since: datetime, until: datetime) -> FailedRuns | Unknown:
        """Counted in Azure."""
        return self.arm.failed_runs(app, since, until)

    def holders_in(self, subscription: str) -> Iterator[IdentityHolder | Unknown]:
        """Listed in Azure."""
        return self.arm.holders_in(subscription)

    def assignments_in(self, subscription: str) -> Iterator[RoleAssignment | Unknown]:
        """The lines, if it is this subscription."""
        if subscription != self.subscription:
            return self.arm.assignments_in(subscription)
        return iter(self.lines.values())

    def close(self) -> None:
        """Nothing is held open."""


class _Sweep(Struct):
    """A sweep at work. `alone` are subjects whose books somebody else has written since they were loaded."""

    loaded: dict[Subject, Loaded] = field(default_factory=dict)
    indexed: dict[ResourceId, tuple[str, ...]] = field(default_factory=dict)
    principals: dict[Due, tuple[str, ...]] = field(default_factory=dict)
    alone: set[Subject] = field(default_factory=set)


class Answer(Struct, frozen=True):
    """What became of one item: what was handled, or why it failed."""

    handled: tuple[Handled, ...] = ()
    failure: Temporary | Permanent | None = None


class Sweeper:
    """Answers items of the `due` list by subscriptions."""

    def __init__(self, tools: Tools, router: Router, few: int) -> None:
        self._tools = replace(tools, pauses=())
        self._router = router
        self._few = few

    def storms(self, items: Collection[Due]) -> dict[str, list[Due]]:
        """The items that a listing can answer, by subscription, where there are more than a few."""
        if len(items) <= self._few:
            return {}
        found: dict[str, list[Due]] = {}
        for item in items:
            where = self._where(item)
            if where:
                found.setdefault(where, []).append(item)
        return {where: asked for where, asked in found.items() if len(asked) > self._few}

    def answer(self, subscription: str, items: Sequence[Due]) -> dict[Due, Answer] | None:
        """Answer items of one subscription; None where it could not be listed in full: nothing was done."""
        at_work = _Sweep()
        for item in items:
            if item.change is not None:
                at_work.principals[item] = self._whose(at_work, item.change.resource)
            elif item.subject is not None:
                at_work.principals[item] = (item.subject.key,)
            self._load(at_work, at_work.principals[item])
        lines = self._list(subscription)
        if lines is None:
            return None
        known = frozenset(lines)
        if self._learn(at_work, items, lines):
            lines = self._list(subscription)
            if lines is None:
                return None
        swept = replace(self._tools, arm=Listed(self._tools.arm, subscription, lines, known))
        ordered = sorted(items, key=lambda item: item.change.time if item.change else item.at)
        return {item: self._answer_one(swept, at_work, item, lines) for item in ordered}

    # --- before the listing that counts ---

    def _where(self, item: Due) -> str:
        """The subscription whose listing answers an item; empty where none does."""
        if item.why == "route" and item.change is not None and item.change.resource.type == ASSIGNMENT:
            return item.change.subscription
        if item.why not in ("doubt", "grace", "until") or item.subject is None:
            return ""
        if item.subject.kind != "principal":
            return ""
        if item.resource:
            return ResourceId(item.resource).subscription
        state = self._tools.books.load(item.subject).book.state
        if not isinstance(state, PrincipalState):
            return ""
        where = subscriptions_of(state, Again(item.id, item.cause), self._tools.rules, ())
        return where[0] if len(where) == 1 else ""

    def _whose(self, at_work: _Sweep, assignment: ResourceId) -> tuple[str, ...]:
        """The index's answer, asked for once: a storm tells of the same assignment again and again."""
        if assignment not in at_work.indexed:
            at_work.indexed[assignment] = self._tools.index.principals_of(assignment)
        return at_work.indexed[assignment]

    def _load(self, at_work: _Sweep, principals: Iterable[str]) -> None:
        for principal in principals:
            subject = Subject("principal", principal)
            if subject not in at_work.loaded:
                at_work.loaded[subject] = self._tools.books.load(subject)

    def _list(self, subscription: str) -> dict[str, RoleAssignment] | None:
        # Assumption: a listing is no older than a look at one of its lines would be.
        lines: dict[str, RoleAssignment] = {}
        for line in self._tools.arm.assignments_in(subscription):
            if isinstance(line, Unknown):
                log.warning("no sweep of subscription %s: %s", subscription, line.reason)
                return None
            lines[line.id.key] = line
        return lines

    def _learn(self, at_work: _Sweep, items: Sequence[Due], lines: Mapping[str, RoleAssignment]) -> bool:
        """Index whom the listing shows assignments to belong to, where that was not known."""
        new: dict[tuple[str, str], RoleAssignment] = {}
        whole: set[str] = set()
        for item in items:
            known = at_work.principals[item]
            if item.change is None and not item.resource:
                whole |= set(known)
                continue
            id = item.change.resource if item.change is not None else ResourceId(item.resource)
            line = lines.get(id.key)
            if line is not None and line.principal not in known:
                new[line.id.key, line.principal] = line
                if item.change is not None:
                    at_work.principals[item] = (*known, line.principal)
        for line in lines.values():
            if line.principal in whole and not self._holds(at_work, line):
                new[line.id.key, line.principal] = line
        self._tools.index.add_principals((line.id, line.principal) for line in new.values())
        self._load(at_work, (line.principal for line in new.values()))
        return bool(new)

    def _holds(self, at_work: _Sweep, line: RoleAssignment) -> bool:
        state = at_work.loaded[Subject("principal", line.principal)].book.state
        return isinstance(state, PrincipalState) and line.id.key in state.grants

    # --- after it ---

    def _answer_one(
        self, swept: Tools, at_work: _Sweep, item: Due, lines: Mapping[str, RoleAssignment]
    ) -> Answer:
        try:
            if item.change is None:
                return Answer(tuple(self._again(swept, at_work, item)))
            if not at_work.principals[item]:
                return self._unknown(item.change, lines)
            handled = tuple(self._told(swept, at_work, item, item.change))
            self._router.settle_shared(item.change, handled)
            return Answer(handled)
        except EITHER as failure:
            return Answer(failure=failure)

    def _unknown(self, change: Change, lines: Mapping[str, RoleAssignment]) -> Answer:
        """A change of an assignment that nobody was seen to hold when the first listing was read."""
        if change.resource.key not in lines:
            self._router.unknown(change)
            return Answer()
        # The second shows whose it is: its book is loaded before it is looked at anew.
        handled = self._router.route(change)
        return Answer() if isinstance(handled, NotNow) else Answer(tuple(handled))

    def _told(self, swept: Tools, at_work: _Sweep, item: Due, change: Change) -> Iterator[Handled]:
        seen = at_work.principals[item]
        strangers: list[str] = []
        for principal in seen:
            handled = self._one(swept, at_work, Subject("principal", principal), Told(change), "")
            strangers += [one for one in handled.strangers if one not in (*seen, *strangers)]
            yield handled
        if strangers:
            yield from handle_for(self._tools, tuple(strangers), change)

    def _again(self, swept: Tools, at_work: _Sweep, item: Due) -> Iterator[Handled]:
        for principal in at_work.principals[item]:
            again = Again(item.id, item.cause)
            handled = self._one(swept, at_work, Subject("principal", principal), again, item.resource)
            yield from self._router.look_again(item, handled)

    def _one(
        self, swept: Tools, at_work: _Sweep, subject: Subject, stimulus: Told | Again, resource: str
    ) -> Handled:
        loaded = at_work.loaded[subject]
        handled = None
        if subject not in at_work.alone:
            handled = handle_loaded(swept, loaded, stimulus, resource)
            repeated = handled is not None and handled.outcome == "duplicate"
            if handled is None or (repeated and handled.loaded.book.version != loaded.book.version):
                # Somebody else wrote the book, and may have looked after this listing.
                at_work.alone.add(subject)
        if handled is None:
            handled = handle(self._tools, subject, stimulus, resource)
        at_work.loaded[subject] = handled.loaded
        return handled
