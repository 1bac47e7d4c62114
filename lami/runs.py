"""What reconcile and baseline have in common: progress, report, and subjects handled so that a crash shows.

No event stands behind a run, so none is delivered again after a crash. Each subject therefore has a row on
the `due` list while it is handled, and its digest is paid last: until then the next run sees a difference.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from lami.core import digests
from lami.core.model import Cause, Subject
from lami.core.stimuli import Reconciled, Taken
from lami.drain import Drain
from lami.errors import Temporary
from lami.handling import FirstSight, Handled, Tools, first_sight, handle
from lami.store.due import Due, DueList

log = logging.getLogger(__name__)

RUN_LEASE = timedelta(minutes=15)
"""After this what has not crossed itself off is taken to have died, and is done again."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is: `done` of `total` subjects (0 where not known yet), and what it is at.

    `part` is the number of the subscription, of so many `parts`; 0 where it is about all of them.
    """

    done: int
    total: int
    what: str
    part: int = 0
    parts: int = 0


Listener = Callable[[Progress], None]


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


@dataclass(slots=True)
class Tally:
    """A report in the making."""

    listed: int = 0
    differing: set[Subject] = field(default_factory=set)
    findings: dict[str, None] = field(default_factory=dict)
    unread: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)

    def add(self, handled: Sequence[Handled]) -> None:
        """Count what was opened and resolved."""
        self.findings |= dict.fromkeys(id for one in handled for id in one.findings)

    def fail(self, subject: Subject, failure: Temporary) -> None:
        """Note a subject that could not be handled now."""
        log.warning("%s %s could not be handled: %s", subject.kind, subject.id, failure)
        self.failed[subject.id] = str(failure)

    def report(self) -> Report:
        """The report."""
        return Report(self.listed, len(self.differing), tuple(self.findings), self.unread, self.failed)


@dataclass(frozen=True, slots=True)
class Handler:
    """Handles the subjects of one run, and drains what that makes them owe."""

    tools: Tools
    due: DueList
    drain: Drain
    cause: Cause

    def several(
        self,
        subjects: Sequence[Subject],
        stimulus: Reconciled | Taken,
        where: Sequence[str],
        places: Sequence[str],
        tally: Tally,
    ) -> None:
        """Load, look, decide and commit, one by one; drain all together, so that many findings are a digest.

        Then pay the digests of these `places`. `where` are subscriptions that the listing of a principal's
        grants must cover. Who fails is noted in the tally, and holds up nobody else.
        """
        watches = {subject: self._watch(subject) for subject in subjects}
        self.due.add(watches.values())
        done: dict[Subject, Handled] = {}
        for subject in subjects:
            try:
                done[subject] = handle(self.tools, subject, stimulus, where=where)
            except Temporary as failure:
                tally.fail(subject, failure)
        self._pay({subject: one for subject, one in done.items() if one.outcome != "ignored"}, tally)
        for subject, handled in done.items():
            if subject.id in tally.failed:
                continue
            tally.add([handled])
            if handled.outcome == "recorded":
                # Also where nothing had changed: the digest itself may have been lost.
                for place in places:
                    self.tools.index.put_digest(place, subject, digests.of_book(handled.loaded.book, place))
        self.due.all_done(watch for subject, watch in watches.items() if subject.id not in tally.failed)

    def first_sights(
        self, seen: Mapping[Subject, FirstSight], stimulus: Taken, tally: Tally
    ) -> list[Subject]:
        """Commit what a listing showed of subjects never seen, and drain it together.

        Answers those that somebody has seen after all: they are to be handled one by one.
        """
        watches = {subject: self._watch(subject) for subject in seen}
        self.due.add(watches.values())
        done: dict[Subject, Handled] = {}
        for subject, sight in seen.items():
            try:
                handled = first_sight(self.tools, subject, stimulus, sight)
            except Temporary as failure:
                tally.fail(subject, failure)
                continue
            if handled is not None:
                done[subject] = handled
        self._pay(done, tally)
        for handled in done.values():
            tally.add([handled])
        self.due.all_done(watch for subject, watch in watches.items() if subject.id not in tally.failed)
        return [subject for subject in seen if subject not in done and subject.id not in tally.failed]

    def _pay(self, done: Mapping[Subject, Handled], tally: Tally) -> None:
        """Drain together; or one by one, since one that cannot be paid must not hold up the others."""
        try:
            tally.add(self.drain.pay([handled.loaded for handled in done.values()]))
        except Temporary:
            self._pay_one_by_one(done, tally)

    def _pay_one_by_one(self, subjects: Iterable[Subject], tally: Tally) -> None:
        for subject in subjects:
            try:
                tally.add(self.drain.pay([self.tools.books.load(subject)]))
            except Temporary as failure:
                tally.fail(subject, failure)

    def _watch(self, subject: Subject) -> Due:
        return Due(self.tools.clock() + RUN_LEASE, "drain", self.cause, subject)
