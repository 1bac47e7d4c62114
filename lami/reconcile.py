"""Reconcile: whole listings compared with what was last seen, and only what differs is handled.

It goes subscription by subscription: one is listed, compared, handled and crossed off before the next is
begun. So a run holds the digests of one subscription at a time, and one that dies goes on with those it had
not finished: each has a row on the `due` list until it is.

A subscription that could not be listed in full is left alone: a failed read is never a deletion, and a
listing that failed anywhere retires nobody. What is granted above all subscriptions shows in every listing;
that it is gone is only known where all of them could be listed.

Last, the directory is asked about whoever is granted something, where lami may (`lami.census`).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from msgspec import Struct
from msgspec.structs import replace

from lami.census import GAP, Census, Counted
from lami.core.digests import DIRECTORY
from lami.core.model import ITSELF, Cause, IdentityHolder, Subject, Unknown
from lami.core.stimuli import Reconciled
from lami.drain import Drain
from lami.enacting import Enactor
from lami.errors import Temporary
from lami.gaps import LASTING, Gaps
from lami.handling import Tools
from lami.listing import Grants, digests_of, list_above, list_subscription, unlike, with_definitions
from lami.runs import RUN_LEASE, Handler, Listener, Progress, Report, Tally
from lami.store.due import Due, DueList

log = logging.getLogger(__name__)

ABOVE = ""
"""Where assignments above all subscriptions are kept among the digests."""
BATCH = 25
"""Subjects that are drained together: what is found at once is told at once, as a digest if need be."""
AGAIN = timedelta(minutes=1)
"""When a subject that could not be handled is looked at again."""


class Reconciler:
    """Compares subscriptions with what was last seen of them."""

    def __init__(
        self,
        tools: Tools,
        due: DueList,
        drain: Drain,
        gaps: Gaps,
        enactor: Enactor,
        census: Census | None = None,
    ) -> None:
        self._tools = tools
        self._due = due
        self._drain = drain
        self._gaps = gaps
        self._enactor = enactor
        self._census = census

    def run(
        self, subscriptions: Sequence[str], run: str, progress: Listener = lambda progress: None
    ) -> Report:
        """Handle every subject that differs from what was last seen. Interrupted, it goes on from `due`.

        When each subscription was reconciled is noted as soon as it is.
        """
        asks = (DIRECTORY,) if self._census is not None else ()
        return self._run(subscriptions, run, asks, progress)

    def resume(self, place: str, run: str) -> Report:
        """Do what a run that died had yet to do in one place; or ask the directory once more.

        Raises `Temporary` where the directory does not answer, with the time that it wants to be left alone.
        """
        if place == DIRECTORY:
            return self._resume_directory(run)
        return self._run_above(run) if place == ABOVE else self._run((place,), run, (), lambda progress: None)

    def _run(self, subscriptions: Sequence[str], run: str, more: Sequence[str], progress: Listener) -> Report:
        whole = set(subscriptions) >= self._tools.rules.watched
        going = self._begin(run, (*subscriptions, *((ABOVE,) if whole else ()), *more), progress)
        above: dict[Subject, set[str]] = {}
        for part, subscription in enumerate(subscriptions, start=1):
            self._reconcile(going, subscription, part, len(subscriptions), above)
        if whole:
            self._compare_above(going, above)
        if self._census is None:
            # Nobody is asked (any longer), and so nobody fails to answer.
            going.tally.add(self._gaps.close(GAP, going.handler.cause))
        elif DIRECTORY in more:
            self._ask_last(going)
        report = going.tally.report()
        if whole and not report.partial:
            self._enactor.review(going.handler.cause)
        return report

    def _run_above(self, run: str) -> Report:
        """Compare only what is granted above all subscriptions: what a run that died had yet to do."""
        going = self._begin(run, (ABOVE,), lambda progress: None)
        above: dict[Subject, set[str]] = {}
        for subscription in sorted(self._tools.rules.watched):
            listed = list_above(self._tools.arm, subscription)
            if isinstance(listed, Unknown):
                going.tally.unread[subscription] = listed.reason
                break
            _add(above, listed)
        self._compare_above(going, above)
        return going.tally.report()

    def _ask_last(self, going: _Run) -> None:
        going.progress(Progress(0, 0, "asking the directory"))
        counted = self._ask_directory(going)
        if counted.unknown and not counted.denied:
            # It may answer soon, and the next run is hours away.
            wait = max(LASTING, timedelta(seconds=counted.retry_after or 0))
            going.leases.put_off(DIRECTORY, wait)
        else:
            going.leases.done(DIRECTORY)

    def _resume_directory(self, run: str) -> Report:
        going = self._begin(run, (DIRECTORY,), lambda progress: None)
        counted = self._ask_directory(going)
        going.leases.done(DIRECTORY)
        if counted.unknown:
            raise Temporary(going.tally.directory, counted.retry_after)
        return going.tally.report()

    def _ask_directory(self, going: _Run) -> Counted:
        """Ask about everybody, and say in the report where it is not answered in full."""
        counted = self._census.run(going.tally, going.leases.renew) if self._census else Counted()
        going.tally.directory = counted.why
        return counted

    def _begin(self, run: str, places: Sequence[str], progress: Listener) -> _Run:
        now = self._tools.clock()
        cause = Cause(f"reconcile-{run}", "lami/reconcile", now, actor=ITSELF)
        leases = _Leases(self._tools, self._due, cause)
        leases.take(places)
        return _Run(run, leases, Handler(self._tools, self._due, self._drain, cause), Tally(), progress)

    def _compare_above(self, going: _Run, above: Mapping[Subject, set[str]]) -> None:
        """Handle whoever is granted something else above all subscriptions, if all of them were listed."""
        if not going.tally.unread:
            differing = unlike(self._tools.index.digests(ABOVE), digests_of(above))
            everywhere = tuple(sorted(self._tools.rules.watched))
            self._handle_all(going, sorted(differing), everywhere, ABOVE, Progress(0, 0, ""))
        going.leases.done(ABOVE)

    def _reconcile(
        self, going: _Run, subscription: str, part: int, parts: int, above: dict[Subject, set[str]]
    ) -> None:
        """List, compare, handle and cross off one subscription; add what is granted above it to `above`."""
        going.leases.renew()
        at = Progress(0, 0, f"listing subscription {subscription}", part, parts)
        going.progress(at)
        started = self._tools.clock()
        listing = list_subscription(self._tools.arm, subscription)
        if isinstance(listing, Unknown):
            log.warning("subscription %s could not be listed: %s", subscription, listing.reason)
            going.tally.unread[subscription] = listing.reason
            going.tally.add(self._gaps.unreadable(subscription, listing, going.handler.cause))
        else:
            going.tally.add(self._gaps.readable(subscription, going.handler.cause))
            going.tally.listed += len(listing)
            _add(above, listing.above)
            listing = with_definitions(
                self._tools.arm, listing, lambda app: self._reads_workflows(going, app, at)
            )
            differing = sorted(unlike(self._tools.index.digests(subscription), listing.digests))
            self._handle_all(going, differing, (subscription,), subscription, at)
            self._tools.index.put_notes("reconcile", [subscription], started)
        going.leases.done(subscription)

    def _reads_workflows(self, going: _Run, app: IdentityHolder, at: Progress) -> None:
        going.leases.renew()
        going.progress(replace(at, what=f"reading the workflows of {app.id.name}"))

    def _handle_all(
        self, going: _Run, todo: Sequence[Subject], where: tuple[str, ...], place: str, at: Progress
    ) -> None:
        # Of its own for each place: a principal may differ in several.
        stimulus = Reconciled(f"{going.run}/{place or 'above'}", going.handler.cause)
        going.tally.differing.update(todo)
        for first in range(0, len(todo), BATCH):
            going.leases.renew()
            batch = todo[first : first + BATCH]
            going.handler.several(batch, stimulus, where, (place,), going.tally)
            later = self._tools.clock() + AGAIN
            failed = [subject for subject in batch if subject.id in going.tally.failed]
            self._due.add([Due(later, "doubt", going.handler.cause, subject) for subject in failed])
            what = f"{batch[-1].kind} {batch[-1].id}"
            going.progress(Progress(first + len(batch), len(todo), what, at.part, at.parts))


class _Run(Struct, frozen=True):
    """One run while it goes."""

    run: str
    leases: _Leases
    handler: Handler
    tally: Tally
    progress: Listener


class _Leases:
    """The rows of `due` that have a run's subscriptions done by somebody else, should it die.

    They are put off while it lives: a run over many subscriptions takes longer than any one lease, and
    nobody should begin beside it what it has yet to come to.
    """

    def __init__(self, tools: Tools, due: DueList, cause: Cause) -> None:
        self._tools = tools
        self._due = due
        self._cause = cause
        self._held: dict[str, Due] = {}
        self._since = tools.clock()

    def take(self, places: Sequence[str]) -> None:
        """Put all of them on the list: subscriptions, and `ABOVE`."""
        self._held = self._fresh(places, self._since)
        self._due.add(self._held.values())

    def renew(self) -> None:
        """Put off what is left, where a third of the time has passed."""
        now = self._tools.clock()
        if now - self._since < RUN_LEASE / 3:
            return
        later = self._fresh(tuple(self._held), now)
        for place, lease in self._held.items():
            self._due.postpone(lease, later[place])
        self._held, self._since = later, now

    def done(self, place: str) -> None:
        """Cross one off."""
        self._due.done(self._held.pop(place))

    def put_off(self, place: str, wait: timedelta) -> None:
        """Leave one to whoever walks the list, once this time has passed."""
        held = self._held.pop(place)
        self._due.postpone(held, replace(held, at=self._tools.clock() + wait))

    def _fresh(self, places: Sequence[str], now: datetime) -> dict[str, Due]:
        return {one: Due(now + RUN_LEASE, "reconcile", self._cause, resource=one) for one in places}


def _add(above: dict[Subject, set[str]], listed: Grants) -> None:
    for subject, lines in listed.items():
        above.setdefault(subject, set()).update(lines)
