"""What reconcile and baseline have in common: progress, report, and subjects handled so that a crash shows.

No event stands behind a run, so none is delivered again after a crash. Each subject therefore has a row on
the `due` list while it is handled, and its digest is paid last: until then the next run sees a difference.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta

from msgspec import Struct, field

from lami.core import digests
from lami.core.model import Cause, Subject
from lami.core.stimuli import DirectorySaid, Reconciled, Taken
from lami.drain import Drain
from lami.errors import EITHER, Permanent, Temporary
from lami.handling import FirstSight, Handled, Tools, first_sight, handle
from lami.store.due import Due, DueList

log = logging.getLogger(__name__)

RUN_LEASE = timedelta(minutes=15)
"""After this what has not crossed itself off is taken to have died, and is done again."""


class Progress(Struct, frozen=True):
    """How far a run is: `done` of `total` subjects (0 where not known yet), and what it is at.

    `part` is the number of the subscription, of so many `parts`; 0 where it is about all of them.
    """

    done: int
    total: int
    what: str
    part: int = 0
    parts: int = 0


Listener = Callable[[Progress], None]


class Report(Struct, frozen=True):
    """What a run did. `unread` names the subscriptions that could not be listed in full, and why.

    `findings` are ids opened or resolved; `failed` are subjects that could not be handled, and will be
    looked at again. `directory` says why the directory was asked in vain; empty where it answered, or is not
    asked.
    """

    listed: int = 0
    differing: int = 0
    findings: tuple[str, ...] = ()
    unread: Mapping[str, str] = field(default_factory=dict)
    failed: Mapping[str, str] = field(default_factory=dict)
    directory: str = ""

    @property
    def partial(self) -> bool:
        """Whether something could not be read."""
        return bool(self.unread or self.failed or self.directory)


class Tally(Struct):
    """A report in the making."""

    listed: int = 0
    differing: set[Subject] = field(default_factory=set)
    findings: dict[str, None] = field(default_factory=dict)
    unread: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    directory: str = ""

    def add(self, handled: Sequence[Handled]) -> None:
        """Count what was opened and resolved."""
        self.findings |= dict.fromkeys(id for one in handled for id in one.findings)

    def fail(self, subject: Subject, failure: Temporary | Permanent) -> None:
        """Note a subject that could not be handled."""
        log.warning("%s %s could not be handled: %s", subject.kind, subject.id, failure)
        self.failed[subject.id] = str(failure)

    def report(self) -> Report:
        """The report."""
        return Report(
            listed=self.listed,
            differing=len(self.differing),
            findings=tuple(self.findings),
            unread=self.unread,
            failed=self.failed,
            directory=self.directory,
        )


class Handler(Struct, frozen=True):
    """Handles the subjects of one run, and drains what that makes them owe."""

    tools: Tools
    due: DueList
    drain: Drain
    cause: Cause

    def several(
        self,
        subjects: Sequence[Subject],
        stimulus: Reconciled | Taken | DirectorySaid,
        where: Sequence[str],
        places: Sequence[str],
        tally: Tally,
    ) -> None:
        """Load, look, decide and commit, one by one; drain all together, so that many findings are a digest.

        Then pay the digests of these `places`. `where` are subscriptions that the listing of a principal's
        grants must cover. Who fails is noted in the tally, and holds up nobody else.
        """
        watches = self._watched(subjects)
        done = self._each(subjects, lambda one: handle(self.tools, one, stimulus, where=where), tally)
        further = self._pay([one for one in done.values() if one.outcome != "ignored"], tally)
        # As the books are now: a message of one may have had another of them look at Azure once more.
        books = {one.loaded.book.subject: one.loaded.book for one in (*done.values(), *further)}
        # Also where nothing had changed: the digest itself may have been lost.
        recorded = [
            subject
            for subject, handled in done.items()
            if handled.outcome == "recorded" and subject.id not in tally.failed
        ]
        for place in places:
            seen = {subject: digests.of_book(books[subject], place) for subject in recorded}
            self.tools.index.put_digests(place, seen)
        self._cross_off(watches, tally)

    def first_sights(
        self, seen: Mapping[Subject, FirstSight], stimulus: Taken, tally: Tally
    ) -> list[Subject]:
        """Commit what a listing showed of subjects never seen, and drain it together.

        Answers those that somebody has seen after all: they are to be handled one by one.
        """
        watches = self._watched(seen)
        done = self._each(seen, lambda one: first_sight(self.tools, one, stimulus, seen[one]), tally)
        self._pay(list(done.values()), tally)
        self._cross_off(watches, tally)
        return [subject for subject in seen if subject not in done and subject.id not in tally.failed]

    def _watched(self, subjects: Iterable[Subject]) -> dict[Subject, Due]:
        """Put a row on the `due` list for each: no redelivery would find a crash in between."""
        at = self.tools.clock() + RUN_LEASE
        watches = {subject: Due(at, "drain", self.cause, subject) for subject in subjects}
        self.due.add(watches.values())
        return watches

    def _each(
        self, subjects: Iterable[Subject], how: Callable[[Subject], Handled | None], tally: Tally
    ) -> dict[Subject, Handled]:
        """Handle one by one; who fails is noted, and who is given back (None) is left out."""
        done: dict[Subject, Handled] = {}
        for subject in subjects:
            try:
                handled = how(subject)
            except EITHER as failure:
                tally.fail(subject, failure)
                continue
            if handled is not None:
                done[subject] = handled
        return done

    def _pay(self, done: Sequence[Handled], tally: Tally) -> list[Handled]:
        """Drain together, or one by one, since one that cannot be paid must not hold up the others.

        Answers what the messages did. All that was handled is counted, but for whom cannot be paid.
        """
        try:
            further = self.drain.pay([handled.loaded for handled in done])
        except EITHER:
            further = [more for one in done for more in self._pay_alone(one.loaded.book.subject, tally)]
        tally.add([one for one in done if one.loaded.book.subject.id not in tally.failed])
        tally.add(further)
        return further

    def _pay_alone(self, subject: Subject, tally: Tally) -> list[Handled]:
        try:
            return self.drain.pay([self.tools.books.load(subject)])
        except EITHER as failure:
            tally.fail(subject, failure)
            return []

    def _cross_off(self, watches: Mapping[Subject, Due], tally: Tally) -> None:
        self.due.all_done(watch for subject, watch in watches.items() if subject.id not in tally.failed)
