"""What lami does: receive an event, accept a finding, pay what is due. The only orchestration.

An event that this answers is durable: its effect is committed and what it owes is paid or on the `due` list.
Anything that stands in the way raises `Temporary`, and the event is not acknowledged.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from threading import Lock
from typing import Literal

from lami.core.decode import Ignored, decode
from lami.core.draft import MARGIN
from lami.core.ids import guid
from lami.core.messages import carried
from lami.core.model import Actor, Cause, Change, HolderState, Present, Subject, Unknown
from lami.core.stimuli import Accepted, Again, Told
from lami.drain import Drain
from lami.errors import BadEvent, Permanent, Temporary
from lami.handling import Handled, Tools, handle
from lami.reconcile import Reconciler
from lami.store.books import Loaded
from lami.store.due import Due, DueList

log = logging.getLogger(__name__)

HOLDER_TYPES = frozenset(
    {
        "microsoft.logic/workflows",
        "microsoft.web/sites",
        "microsoft.web/sites/slots",
        "microsoft.managedidentity/userassignedidentities",
    }
)
_ASSIGNMENT = "microsoft.authorization/roleassignments"
_DEFINITION = "microsoft.authorization/roledefinitions"
_CREDENTIAL = "microsoft.managedidentity/userassignedidentities/federatedidentitycredentials"
_FIRST_RETRY = timedelta(seconds=10)
_LAST_RETRY = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one event, as `lami replay` prints it. `findings` are ids opened or resolved."""

    event_id: str
    outcome: Literal["recorded", "duplicate", "ignored", "deferred", "rejected"]
    reason: str = ""
    findings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """What became of an acceptance: the finding, and those it opened or resolved with it."""

    finding: str
    findings: tuple[str, ...]


class Service:
    """Everything that changes what lami holds goes through here."""

    def __init__(
        self,
        tools: Tools,
        due: DueList,
        drain: Drain,
        reconciler: Reconciler,
        watch: Callable[[Outcome], None] = lambda outcome: None,
    ) -> None:
        self._tools = tools
        self._due = due
        self._drain = drain
        self._watch = watch
        self.reconciler = reconciler
        self._counting = Lock()
        self.counts: Counter[str] = Counter()
        """How many events had which outcome since this process started."""

    # --- events ---

    def receive(self, event: object) -> Outcome:
        """Handle one Event Grid event as it came. What is no event is rejected with a reason, not raised.

        Raises `Temporary` where it must be delivered again.
        """
        return self._counted(self._receive(event))

    def reject(self, reason: str) -> Outcome:
        """Count something that came in an event's place and is none."""
        log.warning("rejected an event: %s", reason)
        return self._counted(Outcome("", "rejected", reason))

    def _counted(self, outcome: Outcome) -> Outcome:
        with self._counting:
            self.counts[outcome.outcome] += 1
        self._watch(outcome)
        return outcome

    def _receive(self, event: object) -> Outcome:
        if not isinstance(event, Mapping):
            return Outcome("", "rejected", "an event is a JSON object")
        try:
            change = decode(event, self._tools.rules.watched)
        except BadEvent as error:
            log.warning("rejected an event: %s", error)
            return Outcome("", "rejected", str(error))
        if isinstance(change, Ignored):
            return Outcome(change.event_id, "ignored", change.reason)
        handled = self._route(change)
        if isinstance(handled, Outcome):
            return handled
        return self._outcome(change, handled)

    def _outcome(self, change: Change, handled: Sequence[Handled]) -> Outcome:
        further = self._drain.pay([h.loaded for h in handled if h.outcome != "ignored"])
        findings = tuple(dict.fromkeys(id for h in (*handled, *further) for id in h.findings))
        first = handled[0]
        for one in handled:
            if one.outcome in ("recorded", "deferred") and first.outcome not in ("recorded", "deferred"):
                first = one
        return Outcome(change.event_id, first.outcome, first.reason, findings)

    def _route(self, change: Change) -> list[Handled] | Outcome:
        """Find whose event it is and handle it there."""
        kind = change.resource.type
        if kind == _ASSIGNMENT:
            return self._assignment(change)
        if kind in HOLDER_TYPES:
            return [handle(self._tools, Subject("holder", change.resource.text), Told(change))]
        if kind == _CREDENTIAL:
            return [handle(self._tools, Subject("holder", change.resource.parent.text), Told(change))]
        if kind == _DEFINITION and guid(change.resource.name):
            return [handle(self._tools, Subject("role", guid(change.resource.name)), Told(change))]
        if change.operation == "microsoft.resources/subscriptions/resourcegroups/delete":
            # What was in the group is not told one by one (see docs/assumptions.md): look at all of it.
            at = max(self._tools.clock(), change.time) + MARGIN
            self._due.add([Due(at, "reconcile", change.cause, resource=change.subscription)])
            return Outcome(change.event_id, "deferred", "the subscription will be reconciled")
        return Outcome(change.event_id, "ignored", f"lami does not watch {kind or 'this kind of resource'}")

    def _assignment(self, change: Change) -> list[Handled] | Outcome:
        """Route to every principal that the assignment's name was seen to belong to."""
        principals = self._tools.index.principals_of(change.resource)
        if not principals:
            found = self._whose(change)
            if isinstance(found, Outcome):
                return found
            principals = (found,)
        handled: dict[str, Handled] = {}
        while left := [principal for principal in principals if principal not in handled]:
            for principal in left:
                done = handle(self._tools, Subject("principal", principal), Told(change))
                handled[principal] = done
                principals = (*principals, *(s for s in done.strangers if s not in principals))
        return list(handled.values())

    def _whose(self, change: Change) -> str | Outcome:
        """Learn whose an assignment is that was never seen, and index it before the look that counts."""
        look = self._tools.arm.assignment(change.resource)
        for pause in self._tools.pauses:
            if isinstance(look, Present | Unknown) or self._patient(change):
                break
            self._tools.sleep(pause)
            look = self._tools.arm.assignment(change.resource)
        if isinstance(look, Unknown):
            raise Temporary(f"Azure could not be read: {look.reason}", look.retry_after)
        if isinstance(look, Present):
            self._tools.index.add_principal(change.resource, look.state.principal)
            return look.state.principal
        if self._patient(change):
            reason = "the assignment is gone, and lami never saw whose it was"
            return Outcome(change.event_id, "ignored", reason)
        now = self._tools.clock()
        at = max(now, min(change.time, now)) + self._tools.rules.patience + MARGIN
        self._due.add([Due(at, "route", change.cause, resource=change.resource.text, change=change)])
        return Outcome(change.event_id, "deferred", "Azure does not show the assignment; lami looks again")

    def _patient(self, change: Change) -> bool:
        return self._tools.clock() - change.time >= self._tools.rules.patience

    # --- operators ---

    def accept(self, finding: str, by: Actor, reason: str, until: datetime | None = None) -> Acknowledgement:
        """Accept a finding: the baseline moves to what is; with `until` it only counts as accepted till then.

        Raises `Permanent` where there is no such finding or it is not open, or no reason was given.
        """
        now = self._tools.clock()
        if not reason.strip():
            raise Permanent("accepting needs a reason: auditors will read it")
        if until is not None and until <= now:
            raise Permanent(f"the end of an acceptance lies in the future, and {until:%Y-%m-%d} does not")
        indexed = self._tools.index.finding(finding)
        if indexed is None:
            raise Permanent(f"there is no finding {finding}; see `lami findings list`")
        cause = Cause(f"accept-{finding}-{now.timestamp():.6f}", "lami/accept", now, actor=by)
        stimulus = Accepted(finding, by.name or by.id or "somebody", reason, until, cause)
        handled = handle(self._tools, indexed.subject, stimulus)
        further = self._drain.pay([handled.loaded])
        ids = tuple(dict.fromkeys(id for h in (handled, *further) for id in h.findings))
        return Acknowledgement(finding, ids)

    # --- what is due ---

    def walk(self) -> int:
        """Do what is due by now; answer how many items were done. One that fails is put off."""
        items = self._due.by(self._tools.clock())
        loaded: list[Loaded] = []
        done: list[Due] = []
        for item in items:
            try:
                loaded += self._do(item)
            except Temporary as failure:
                self._put_off(item, failure)
            except Permanent as failure:
                log.error("gave up on %s of %s: %s", item.why, item.resource or item.subject, failure)  # noqa: TRY400
                self._due.done(item)
            else:
                done.append(item)
        try:
            self._drain.pay(_newest(loaded))
        except Temporary as failure:
            for item in done:
                self._put_off(item, failure)
            return 0
        for item in done:
            self._due.done(item)
        return len(done)

    def _do(self, item: Due) -> list[Loaded]:
        if item.why == "reconcile":
            report = self.reconciler.run((item.resource,), f"{item.cause.id}/{item.resource}/{item.tries}")
            if report.unread:
                raise Temporary(f"{item.resource} could not be listed: {report.unread[item.resource]}")
            return []
        if item.why == "route" and item.change is not None:
            handled = self._assignment(item.change)
            return [] if isinstance(handled, Outcome) else [h.loaded for h in handled]
        if item.subject is None:
            return []
        if item.why == "drain":
            return [self._tools.books.load(item.subject)]
        first: list[Loaded] = []
        if item.why == "grace" and item.subject.kind == "holder":
            first = self._look_at_carried(item)
            if first:
                # What the principals hold must have reached the holder before it is judged.
                self._drain.pay(first)
        return self._look_again(item, item.subject)

    def _look_again(self, item: Due, subject: Subject) -> list[Loaded]:
        """Look again, and at whoever else the assignment turns out to belong to by now."""
        left, loaded = [subject], dict[Subject, Loaded]()
        while left:
            one = left.pop()
            # The first is named by the item alone: its id is the row's, whatever else it leads to.
            id = item.id if one == subject else f"{item.id}/{one.key}"
            handled = handle(self._tools, one, Again(id, item.cause), item.resource)
            loaded[one] = handled.loaded
            others = [Subject("principal", principal) for principal in handled.strangers]
            left += [other for other in others if other not in loaded]
        return list(loaded.values())

    def _look_at_carried(self, item: Due) -> list[Loaded]:
        if item.subject is None:
            return []
        state = self._tools.books.load(item.subject).book.state
        principals = carried(state, self._tools.rules.watched) if isinstance(state, HolderState) else ()
        return [
            handle(self._tools, Subject("principal", p), Again(f"{item.id}/{p}", item.cause)).loaded
            for p in principals
        ]

    def _put_off(self, item: Due, failure: Temporary) -> None:
        wait = min(_FIRST_RETRY * 2 ** min(item.tries, 10), _LAST_RETRY)
        wait = max(wait, timedelta(seconds=failure.retry_after or 0))
        log.warning("put off %s of %s: %s", item.why, item.resource or item.subject, failure)
        later = replace(item, at=self._tools.clock() + wait, tries=item.tries + 1)
        self._due.postpone(item, later)


def _newest(loaded: Sequence[Loaded]) -> list[Loaded]:
    """Each subject once, as it was loaded last."""
    newest: dict[Subject, Loaded] = {}
    for one in loaded:
        held = newest.get(one.book.subject)
        if held is None or one.book.version >= held.book.version:
            newest[one.book.subject] = one
    return list(newest.values())
