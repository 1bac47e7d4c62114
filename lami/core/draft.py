"""A decision in the making: collects what a step says and owes, then settles findings and seals it.

Used only inside `lami.core`: what leaves is the frozen `Decision`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import get_args

from msgspec import Struct, field
from msgspec.structs import replace

from lami.core.belief import SKEW
from lami.core.findings import Detector, Settled, settle
from lami.core.model import (
    LAMI,
    Acceptance,
    Book,
    Cause,
    Decision,
    Entry,
    EntryKind,
    Finding,
    Found,
    MessageKind,
    Owed,
    OwedAlert,
    OwedIndex,
    OwedLook,
    OwedMessage,
    Subject,
    SubjectKind,
    SubjectState,
)
from lami.core.naming import name_of, subject_of
from lami.core.policy import Policy
from lami.core.stimuli import Accepted
from lami.core.timeline import entry_id, hashed
from lami.errors import Permanent

MARGIN = timedelta(seconds=1)
"""How much after a deadline its re-check is due, so that it doesn't come a breath too early."""
ON_ITS_WAY = timedelta(minutes=10)
"""How old a write must be before an event that has not told of it counts as lost."""
# Assumption: Event Grid delivers within seconds, and what fails is tried again within these minutes.
_LAST = datetime.max.replace(tzinfo=UTC) - MARGIN
"""The latest deadline that has an after; "for ever" is written as the year 9999."""


class Rules(Struct, frozen=True, dict=True):
    """What decisions go by: policy, detectors, the subscriptions watched, and how long a look is doubted."""

    policy: Policy
    detectors: tuple[Detector, ...]
    watched: frozenset[str]
    patience: timedelta

    @cached_property
    def judging(self) -> Mapping[SubjectKind, tuple[Detector, ...]]:
        """The detectors that are asked of each kind of book."""
        kinds = get_args(SubjectKind)
        return {kind: tuple(one for one in self.detectors if one.judges == kind) for kind in kinds}

    def drift(self, book: Book, policy: Policy) -> list[Found]:
        """All that the detectors object to in a book."""
        return [found for one in self.judging[book.subject.kind] for found in one.detect(book, policy)]


_CONCLUDED: frozenset[EntryKind] = frozenset({"opened", "suppressed", "told"})
"""Kinds of lines that say what lami made of a finding; of all others it was the stimulus that did it."""

_SOUGHT = ("scope", "principalId", "previousPrincipalId")


class _Line(Struct, frozen=True):
    kind: EntryKind
    text: str
    before: Mapping[str, str]
    after: Mapping[str, str]
    cause: Cause
    finding: str = ""


class Draft(Struct):
    """One step on one book because of one cause, which what is owed bears."""

    book: Book
    cause: Cause
    rules: Rules
    now: datetime
    gate: str = ""
    seen_as: EntryKind = "observed"
    doubt: str = ""
    looked: bool = False
    acceptances: dict[str, Acceptance] = field(default_factory=dict)
    observed: set[str] = field(default_factory=set)
    _name: str = ""
    _lines: list[_Line] = field(default_factory=list)
    _messages: dict[tuple[MessageKind, str, str, str], OwedMessage] = field(default_factory=dict)
    _looks: list[OwedLook] = field(default_factory=list)

    @property
    def name(self) -> str:
        """Whom the book is about, as it was when the step began."""
        if not self._name:
            self._name = name_of(self.book)
        return self._name

    def say(
        self,
        kind: EntryKind,
        text: str,
        before: Mapping[str, str] | None = None,
        after: Mapping[str, str] | None = None,
    ) -> None:
        """Put a line on the timeline. Empty values are left out.

        What was observed because of no event is marked so: it stands as `seen_as` says.
        """
        if kind == "observed":
            kind = self.seen_as
        self._lines.append(_Line(kind, text, _filled(before), _filled(after), self.cause))

    def say_of(self, finding: Finding, kind: EntryKind, text: str) -> None:
        """Put a line about a finding on the timeline, with where and about whom it is.

        What lami concluded and whom it told is by whoever did what the finding is about: somebody else may
        have touched the subject since, and be why lami looked. To accept or to end a finding is a deed of
        its own.
        """
        cause = finding.cause if kind in _CONCLUDED else self.cause
        self._lines.append(_Line(kind, text, {}, _whereabouts(finding), cause, finding.id))

    def tell(self, kind: MessageKind, to: Subject, about: str = "") -> None:
        """Owe a message to another book."""
        self._messages[kind, to.kind, to.key, about] = OwedMessage(kind, to, about)

    def found_out(self, written: datetime | None, newest: datetime | None, subscription: str) -> None:
        """Owe lami's own book word of a write that reconcile found and that an event should have told.

        `written` is the time of the write, `newest` the newest that was told or seen of the resource before.
        Only what is certain counts: a write whose time is not known (a deletion, a user-assigned identity)
        may have been made just now, one that is older than `ON_ITS_WAY` should have been told by now, and no
        event tells of what is granted above all subscriptions.
        """
        if self.seen_as != "reconciled" or written is None or not subscription:
            return
        told = newest is not None and written <= newest + SKEW
        if not told and self.now - written > ON_ITS_WAY:
            self.tell("unannounced", LAMI, subscription)

    def doubted(self, why: str, newest: datetime | None, resource: str) -> None:
        """Say that a look was not believed, and owe a later one."""
        self.doubt = why
        self.look_later(newest, resource)

    def look_later(self, newest: datetime | None, resource: str) -> None:
        """Owe another look at a resource once patience has passed."""
        start = self.now if newest is None else max(self.now, newest)
        self._looks.append(OwedLook(start + self.rules.patience + MARGIN, "doubt", resource))

    def look_at(self, at: datetime) -> None:
        """Owe a look at the book itself once a time has come."""
        self._looks.append(OwedLook(_after(at), "until"))

    def accepted(self, said: Accepted) -> Finding:
        """Note that an operator accepts a finding; raises `Permanent` where it is not open."""
        finding = self.book.findings.get(said.finding)
        if finding is None:
            raise Permanent(f"{said.finding} is not open (any longer); see `lami findings list`")
        self.accept(finding, Acceptance(said.by, said.reason, self.now, said.until))
        return finding

    def accept(self, finding: Finding, acceptance: Acceptance) -> None:
        """Note that a finding is accepted; where that ends, owe a look then."""
        self.acceptances[finding.id] = acceptance
        until = f" until {acceptance.until:%Y-%m-%d %H:%M} UTC" if acceptance.until else ""
        text = f"{acceptance.by} accepted{until}: {finding.title}. Reason: {acceptance.reason}"
        self.say_of(finding, "accepted", text)
        if acceptance.until is not None:
            self.look_at(acceptance.until)

    def seal(self, state: SubjectState) -> Decision:
        """Settle the findings of the book with this state, and make the decision of all that was said."""
        book = replace(self.book, state=state, version=self.book.version + 1)
        policy = self.rules.policy
        founds = self.rules.drift(book, policy)
        if not founds and not self.book.findings:
            return self._made(book, self.book.findings)
        settled = settle(self.book, founds, self.acceptances, policy, book.version, self.now, self.looked)
        self._wait(settled)
        self._report(settled)
        changed = [f.id for f in settled.findings.values() if f.revision == book.version]
        return self._made(
            book,
            settled.findings,
            settled.resolved,
            (*changed, *(f.id for f in settled.resolved)),
            tuple(OwedAlert(f.id, f.telling) for f in settled.told),
            tuple(f.id for f in settled.opened),
        )

    def seal_note(self) -> Decision:
        """Make a decision that only adds lines: nothing is judged, opened or resolved by it."""
        return self._made(replace(self.book, version=self.book.version + 1), self.book.findings)

    def _made(
        self,
        book: Book,
        findings: Mapping[str, Finding],
        resolved: tuple[Finding, ...] = (),
        indexed: tuple[str, ...] = (),
        alerts: tuple[OwedAlert, ...] = (),
        opened: tuple[str, ...] = (),
    ) -> Decision:
        entries, chain = self._entries(book)
        digests = self._digested()
        indexes = bool(entries or indexed or digests)
        owed = Owed(
            id=f"{book.version:012d}",
            cause=self.cause,
            alerts=alerts,
            messages=tuple(self._messages.values()),
            index=OwedIndex(bool(entries), indexed, digests) if indexes else None,
            looks=tuple(dict.fromkeys(self._looks)) if self._looks else (),
        )
        owes = bool(owed.alerts or owed.messages or owed.index or owed.looks)
        after = replace(
            book,
            findings=findings,
            chain=chain,
            entries=book.entries + len(entries),
            latest=_latest(book, self.now) if entries else book.latest,
            owed=(*book.owed, owed) if owes else book.owed,
        )
        return Decision(after, entries, resolved, self.gate, opened, owed if owes else None, self.doubt)

    def _digested(self) -> tuple[str, ...]:
        """Where the subject's digest has to be written anew.

        Digests are also the list of all books. A new book of which nothing is there to see (an identity that
        was granted nothing, a role) is put on it among what is above all subscriptions.
        """
        unseen = self.book.version == 0 and not self.observed and self.book.subject.kind != "holder"
        return ("",) if unseen else tuple(sorted(self.observed))

    def _wait(self, settled: Settled) -> None:
        """Owe a look for when the next grace ends, and one for when the next exception does.

        Every commit owes them anew (the same look is one row of the `due` list, however often it is put
        there), so that neither a drift that began anew nor a policy that was changed leaves one waiting.
        """
        policy = self.rules.policy
        # Where the grace has passed the re-check is due now, and is another than one that was made then.
        graces = [max(found.since + policy.grace[found.rule], self.now) for found in settled.waiting]
        ends = [f.suppressed.until for f in settled.findings.values() if f.suppressed is not None]
        if graces:
            self._looks.append(OwedLook(_after(min(graces)), "grace"))
        if ends:
            self._looks.append(OwedLook(_after(min(ends)), "until"))

    def _report(self, settled: Settled) -> None:
        for finding in settled.opened:
            if finding.status == "open":
                why = _stood(finding, settled) or self._no_longer(finding, settled)
                self.say_of(finding, "opened", finding.title + why)
        for finding in settled.suppressed:
            self.say_of(finding, "suppressed", finding.title + _excepted(finding))
        for finding in settled.retold:
            self.say_of(finding, "opened", finding.title + _stood(finding, settled))
        for finding in settled.resolved:
            if finding.status == "resolved":
                self.say_of(finding, "resolved", finding.title)

    def _no_longer(self, finding: Finding, settled: Settled) -> str:
        """Why what was suppressed is open again; empty where it was not suppressed."""
        before = settled.uncovered.get(finding.id)
        exception = before.suppressed if before is not None else None
        if before is None or exception is None:
            return ""
        who = f"{exception.reason}; {exception.owner}"
        if exception.until <= self.now:
            return f" (its exception ended {exception.until:%Y-%m-%d %H:%M} UTC: {who})"
        if before.telling != finding.telling:
            return f" (it is no longer what was excepted: {who})"
        return f" (its exception was withdrawn: {who})"

    def _entries(self, book: Book) -> tuple[tuple[Entry, ...], str]:
        subject, chain = subject_of(book), book.chain
        entries = []
        for number, line in enumerate(self._lines, start=self.book.entries + 1):
            entry = hashed(
                Entry(
                    id=entry_id(book.subject, number),
                    at=self.now,
                    kind=line.kind,
                    subject=subject,
                    text=line.text,
                    before=line.before,
                    after=line.after,
                    cause=line.cause,
                    finding=line.finding,
                ),
                chain,
            )
            chain = entry.hash
            entries.append(entry)
        return tuple(entries), chain


def _whereabouts(finding: Finding) -> Mapping[str, str]:
    """What the timeline is searched by, as far as the finding's detail has it."""
    return _filled({name: finding.detail.get(name, "") for name in _SOUGHT})


def _stood(finding: Finding, settled: Settled) -> str:
    return "; it stood before: listed, nobody is alerted" if finding.id in settled.quiet else ""


def _excepted(finding: Finding) -> str:
    one = finding.suppressed
    return f" (excepted until {one.until:%Y-%m-%d %H:%M} UTC: {one.reason}; {one.owner})" if one else ""


def _latest(book: Book, now: datetime) -> datetime | None:
    """The latest time of any entry, with those of now; not known where it is not known of those before."""
    if not book.entries:
        return now
    return None if book.latest is None else max(book.latest, now)


def _after(deadline: datetime) -> datetime:
    return min(deadline, _LAST) + MARGIN


def _filled(values: Mapping[str, str] | None) -> Mapping[str, str]:
    return {name: value for name, value in values.items() if value} if values else {}
