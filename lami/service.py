"""What lami does: receive an event, accept a finding, pay what is due. The only orchestration.

An event that this answers is durable: its effect is committed and what it owes is paid or on the `due` list.
Anything that stands in the way raises `Temporary`, and the event is not acknowledged.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from threading import Lock
from typing import Literal

from msgspec import Struct

from lami.core.decode import Ignored, decode
from lami.core.draft import MARGIN
from lami.core.ids import digest
from lami.core.model import Actor, Cause, Change
from lami.core.stimuli import Accepted
from lami.drain import Drain
from lami.errors import BadEvent, Permanent, Temporary
from lami.handling import Handled, Tools
from lami.pace import CALM, Calm, Pace, window_end
from lami.reconcile import Reconciler
from lami.routing import NotNow, Router
from lami.store.due import DueList
from lami.walker import Walker

log = logging.getLogger(__name__)

_SHOWN = 80
"""How much of an id is shown that names nothing: it may be anything."""


class Outcome(Struct, frozen=True):
    """What became of one event, as `lami replay` prints it. `findings` are ids opened or resolved."""

    event_id: str
    outcome: Literal["recorded", "duplicate", "ignored", "deferred", "rejected"]
    reason: str = ""
    findings: tuple[str, ...] = ()


class Acknowledgement(Struct, frozen=True):
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
        calm: Calm = CALM,
    ) -> None:
        self._tools = tools
        self._due = due
        self._drain = drain
        self._watch = watch
        self._router = Router(tools, due)
        self._walker = Walker(tools, due, drain, reconciler, self._router, calm)
        self._pace = Pace(calm.changes)
        self.reconciler = reconciler
        self._counting = Lock()
        self.counts: Counter[str] = Counter()
        """How many events had which outcome since this process started."""

    # --- events ---

    def receive(self, event: object) -> Outcome:
        """Handle one Event Grid event as it came. What is no event is rejected with a reason, not raised.

        Raises `Temporary` where it must be delivered again.
        """
        outcome = self._receive(event)
        if outcome.outcome not in ("ignored", "rejected"):
            self._tools.books.flush()
        return self._counted(outcome)

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
        return self._handle(change)

    def _handle(self, change: Change) -> Outcome:
        """Handle a change, or put it aside where its subscription raises more than ARM lets lami read."""
        now = self._tools.clock()
        if not self._pace.take(change.subscription, now):
            return _not_now(change, self._router.gather(change))
        try:
            handled = self._router.route(change)
            return (
                _not_now(change, handled) if isinstance(handled, NotNow) else self._outcome(change, handled)
            )
        except Temporary as failure:
            if failure.retry_after is None:
                raise
            # Throttled. To be redelivered would delay new events too (Event Grid backs off); a row doesn't.
            at = max(window_end(now), now + timedelta(seconds=failure.retry_after))
            return _not_now(change, self._router.gather(change, at))

    def _outcome(self, change: Change, handled: Sequence[Handled]) -> Outcome:
        further = self._drain.pay([h.loaded for h in handled if h.outcome != "ignored"])
        findings = tuple(dict.fromkeys(id for h in (*handled, *further) for id in h.findings))
        first = handled[0]
        for one in handled:
            if one.outcome in ("recorded", "deferred") and first.outcome not in ("recorded", "deferred"):
                first = one
        return Outcome(change.event_id, first.outcome, first.reason, findings)

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
            raise Permanent(f"there is no finding {finding[:_SHOWN]}; see `lami findings list`")
        # Two operators may say different things at one moment: neither is a repetition of the other.
        said = digest(by.id, by.name, reason, str(until), length=8)
        cause = Cause(f"accept-{finding}-{now.timestamp():.6f}-{said}", "lami/accept", now, actor=by)
        stimulus = Accepted(finding, by.name or by.id or "somebody", reason, until, cause)
        handled = self._drain.carry_out(indexed.subject, stimulus)
        self._tools.books.flush()
        ids = tuple(dict.fromkeys(id for one in handled for id in one.findings))
        return Acknowledgement(finding, ids)

    # --- what is due ---

    def gathered_until(self) -> datetime | None:
        """When the changes come due that a storm put aside; None where none is waiting."""
        end = window_end(self._tools.clock()) + MARGIN
        return end if any(item.why == "route" for item in self._due.by(end)) else None

    def walk(self) -> int:
        """Do what is due by now; answer how many items were done. One that fails is put off."""
        return self._walker.walk()


def _not_now(change: Change, what: NotNow) -> Outcome:
    return Outcome(change.event_id, what.outcome, what.reason)
