"""Reconcile and baseline: a whole listing compared with what was last seen, and only what differs is handled.

A subscription that could not be listed in full is left alone: a failed read is never a deletion, and a
listing that failed anywhere retires nobody.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from lami.core import digests
from lami.core.messages import holder_subject
from lami.core.model import Actor, Cause, IdentityHolder, RoleAssignment, Subject, Unknown
from lami.core.stimuli import Reconciled, Taken
from lami.drain import Drain
from lami.errors import Temporary
from lami.handling import Handled, Tools, handle
from lami.store.due import Due, DueList

log = logging.getLogger(__name__)

RUN_LEASE = timedelta(minutes=15)
"""After this a run that has not crossed itself off is taken to have died, and is run again."""
ABOVE = ""
"""Where assignments above all subscriptions are kept among the digests."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is: `done` of `total` (0 where not known yet), and what it is at."""

    done: int
    total: int
    what: str


@dataclass(frozen=True, slots=True)
class Report:
    """What a run did. `unread` names the subscriptions that could not be listed in full, and why.

    `findings` are ids opened or resolved; `failed` are subjects that could not be handled now, and will be
    looked at again.
    """

    listed: int = 0
    differing: int = 0
    findings: tuple[str, ...] = ()
    unread: Mapping[str, str] = field(default_factory=dict)
    failed: Mapping[str, str] = field(default_factory=dict)

    @property
    def partial(self) -> bool:
        """Whether something could not be read."""
        return bool(self.unread or self.failed)


@dataclass(frozen=True, slots=True)
class _Listing:
    """One subscription as listed in full: subjects with their digests, by the subscription of the digest."""

    holders: Mapping[Subject, str]
    principals: Mapping[Subject, str]
    above: Mapping[Subject, frozenset[RoleAssignment]]


class Reconciler:
    """Compares subscriptions with what was last seen of them."""

    def __init__(self, tools: Tools, due: DueList, drain: Drain) -> None:
        self._tools = tools
        self._due = due
        self._drain = drain

    def run(
        self,
        subscriptions: Sequence[str],
        run: str,
        progress: Callable[[Progress], None] = lambda progress: None,
    ) -> Report:
        """Handle every subject that differs from what was last seen. Interrupted, it goes on from `due`."""
        now = self._tools.clock()
        cause = Cause(f"reconcile-{run}", "lami/reconcile", now, actor=Actor("lami", "lami", "lami"))
        leases = [Due(now + RUN_LEASE, "reconcile", cause, resource=one) for one in subscriptions]
        self._due.add(leases)
        found, unread = self._list(subscriptions, progress)
        todo = self._differing(found, whole=not unread and set(subscriptions) >= self._tools.rules.watched)
        report = self._handle_all(
            [(subject, Reconciled(run, cause), where) for subject, where in todo.items()], cause, progress
        )
        for lease in leases:
            self._due.done(lease)
        return Report(_count(found), len(todo), report.findings, unread, report.failed)

    def take(
        self,
        subscriptions: Sequence[str],
        run: str,
        by: Actor,
        reason: str = "",
        progress: Callable[[Progress], None] = lambda progress: None,
    ) -> Report:
        """Make what stands now expected. What lami holds already is only moved where a reason is given.

        Principals come first, so that a holder finds what its identity is granted accepted.
        """
        now = self._tools.clock()
        cause = Cause(f"take-{run}", "lami/baseline/take", now, actor=by)
        found, unread = self._list(subscriptions, progress)
        todo: dict[Subject, set[str]] = {}
        for where, listing in found.items():
            for subject in (*listing.principals, *listing.above):
                todo.setdefault(subject, set()).add(where)
        for where, listing in found.items():
            for subject in listing.holders:
                todo.setdefault(subject, set()).add(where)
            if reason:
                # What is held and no longer there belongs to the baseline that is moved, too.
                for subject in self._tools.index.digests(where):
                    todo.setdefault(subject, set()).add(where)
        report = self._handle_all(
            [(subject, Taken(run, cause, reason), tuple(sorted(where))) for subject, where in todo.items()],
            cause,
            progress,
        )
        return Report(_count(found), len(todo), report.findings, unread, report.failed)

    # --- listing ---

    def _list(
        self, subscriptions: Iterable[str], progress: Callable[[Progress], None]
    ) -> tuple[dict[str, _Listing], dict[str, str]]:
        found: dict[str, _Listing] = {}
        unread: dict[str, str] = {}
        for subscription in subscriptions:
            progress(Progress(0, 0, f"listing subscription {subscription}"))
            listing = self._list_one(subscription)
            if isinstance(listing, Unknown):
                log.warning("subscription %s could not be listed: %s", subscription, listing.reason)
                unread[subscription] = listing.reason
            else:
                found[subscription] = listing
        return found, unread

    def _list_one(self, subscription: str) -> _Listing | Unknown:
        holders: dict[Subject, str] = {}
        for holder in self._tools.arm.holders_in(subscription):
            if isinstance(holder, Unknown):
                return holder
            holders[holder_subject(holder.id)] = _of_holder(holder)
        here: dict[Subject, list[RoleAssignment]] = {}
        above: dict[Subject, set[RoleAssignment]] = {}
        for line in self._tools.arm.assignments_in(subscription):
            if isinstance(line, Unknown):
                return line
            subject = Subject("principal", line.principal)
            if line.access.scope.subscription:
                here.setdefault(subject, []).append(line)
            else:
                above.setdefault(subject, set()).add(line)
        return _Listing(
            holders,
            {subject: _of_grants(lines) for subject, lines in here.items()},
            {subject: frozenset(lines) for subject, lines in above.items()},
        )

    # --- comparing ---

    def _differing(self, found: Mapping[str, _Listing], whole: bool) -> dict[Subject, tuple[str, ...]]:
        """The subjects whose digest differs, each with the subscriptions in which it does.

        Assignments above all subscriptions show in every listing; that one is gone is only known where
        the listing is whole.
        """
        todo: dict[Subject, set[str]] = {}
        for subscription, listing in found.items():
            known = self._tools.index.digests(subscription)
            for subject in _unlike(known, {**listing.holders, **listing.principals}):
                todo.setdefault(subject, set()).add(subscription)
        above: dict[Subject, set[RoleAssignment]] = {}
        for listing in found.values():
            for subject, lines in listing.above.items():
                above.setdefault(subject, set()).update(lines)
        if whole:
            seen = {subject: _of_grants(lines) for subject, lines in above.items()}
            for subject in _unlike(self._tools.index.digests(ABOVE), seen):
                todo.setdefault(subject, set()).update(found)
        return {subject: tuple(sorted(where)) for subject, where in sorted(todo.items())}

    # --- handling ---

    def _handle_all(
        self,
        todo: Sequence[tuple[Subject, Reconciled | Taken, tuple[str, ...]]],
        cause: Cause,
        progress: Callable[[Progress], None],
    ) -> Report:
        findings: list[str] = []
        failed: dict[str, str] = {}
        for number, (subject, stimulus, where) in enumerate(todo, start=1):
            try:
                for handled in self._handle_one(subject, stimulus, where, cause, self._tools.clock()):
                    findings += handled.findings
            except Temporary as failure:
                log.warning("%s %s could not be handled: %s", subject.kind, subject.id, failure)
                failed[subject.id] = str(failure)
                if isinstance(stimulus, Reconciled):
                    later = self._tools.clock() + timedelta(minutes=1)
                    self._due.add([Due(later, "doubt", cause, subject)])
            progress(Progress(number, len(todo), f"{subject.kind} {subject.id}"))
        return Report(findings=tuple(dict.fromkeys(findings)), failed=failed)

    def _handle_one(
        self,
        subject: Subject,
        stimulus: Reconciled | Taken,
        where: tuple[str, ...],
        cause: Cause,
        now: datetime,
    ) -> Iterator[Handled]:
        """Handle and drain, with a row in `due` meanwhile: no redelivery would find a crash in between."""
        watch = Due(now + RUN_LEASE, "drain", cause, subject)
        self._due.add([watch])
        handled = handle(self._tools, subject, stimulus, where=where)
        further = [] if handled.outcome == "ignored" else self._drain.pay([handled.loaded])
        if handled.outcome == "recorded":
            # Also where nothing had changed: the digest itself may have been lost.
            above = (ABOVE,) if subject.kind == "principal" else ()
            for one in (*where, *above):
                what = digests.of_book(handled.loaded.book, one)
                self._tools.index.put_digest(one, subject, what)
        self._due.done(watch)
        yield handled
        yield from further


def _unlike(known: Mapping[Subject, str], listed: Mapping[Subject, str]) -> list[Subject]:
    differing = [subject for subject, what in listed.items() if known.get(subject) != what]
    gone = [s for s, what in known.items() if s not in listed and what != digests.NOTHING]
    return [*differing, *gone]


def _of_holder(holder: IdentityHolder) -> str:
    return digests.of_holder(holder.system, holder.attached, holder.created)


def _of_grants(lines: Iterable[RoleAssignment]) -> str:
    return digests.of_grants((line.id, line.access, line.created) for line in lines)


def _count(found: Mapping[str, _Listing]) -> int:
    return sum(len(one.holders) + len(one.principals) for one in found.values())
