"""Questions to what lami holds: findings, timeline, health. Nothing here writes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice

from msgspec import Struct, field

from lami.audit import Audit, audited
from lami.core import naming
from lami.core.ids import ResourceId
from lami.core.messages import holder_subject
from lami.core.model import (
    SEVERITIES,
    Book,
    Carried,
    Entry,
    Finding,
    FindingSubject,
    HolderState,
    PrincipalState,
    Status,
    Subject,
    Term,
)
from lami.core.timeline import Query
from lami.runs import Listener
from lami.store.books import Books
from lami.store.due import DueList
from lami.store.index import Index

_STANDING: frozenset[Status] = frozenset({"open", "suppressed"})
"""What no finding is that has ended; one that is accepted may be either."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class FindingQuery(Struct, frozen=True):
    """A question to the findings; what is empty or None means any. `subject` is an id or a name."""

    statuses: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    severities: tuple[str, ...] = ()
    subject: str = ""
    since: datetime | None = None
    until: datetime | None = None

    @property
    def stands(self) -> bool:
        """Whether only findings that have not ended can answer."""
        return bool(self.statuses) and _STANDING.issuperset(self.statuses)

    def wants(self, finding: Finding) -> bool:
        """Whether a finding answers the question."""
        named = {finding.subject.id.lower(), finding.subject.name.lower()}
        named.add(finding.detail.get("holder", "").lower())
        named.update(finding.detail.get("holderId", "").lower().split(", "))
        named.discard("")
        return (
            (not self.statuses or finding.status in self.statuses)
            and (not self.rules or finding.rule in self.rules)
            and (not self.severities or finding.severity in self.severities)
            and (not self.subject or self.subject.lower().rstrip("/") in named)
            and (self.since is None or finding.opened_at >= self.since)
            and (self.until is None or finding.opened_at < self.until)
        )


class Health(Struct, frozen=True):
    """What lami can and cannot see. `overdue` are items of the due list that failed before.

    `directory_at` is when the directory last answered in full.
    """

    baseline_at: datetime | None
    reconciled_at: datetime | None
    open: Mapping[str, int] = field(default_factory=dict)
    due: int = 0
    overdue: int = 0
    directory_at: datetime | None = None


class Expected(Struct, frozen=True):
    """What the baseline expects of one subject: its identities (a holder's only) and its access."""

    subject: FindingSubject
    identity: Carried | None
    access: tuple[Term, ...]


class Queries:
    """Answers from the index, and from books where the index does not go."""

    def __init__(self, books: Books, index: Index, due: DueList) -> None:
        self._books = books
        self._index = index
        self._due = due

    def findings(self, query: FindingQuery) -> list[Finding]:
        """The findings that answer, open ones first, then by severity, then the newest first."""
        among = self._index.standing() if query.stands else self._index.findings()
        return sorted((one.finding for one in among if query.wants(one.finding)), key=order)

    def finding(self, id: str) -> Finding | None:
        """A finding by its id, whatever its status."""
        indexed = self._index.finding(id)
        return indexed.finding if indexed else None

    def timeline(self, query: Query) -> list[Entry]:
        """The entries that answer, newest first, at most `limit`."""
        return list(islice(self.entries(query), query.limit))

    def entries(self, query: Query) -> Iterator[Entry]:
        """All entries that answer, newest first, read as they are taken.

        A resource named by its id is asked of its own book; anything else of the days it spans.
        """
        if query.resource.startswith("/"):
            found = self._books.timeline(holder_subject(ResourceId(query.resource)), query.since)
        else:
            found = self._index.entries(query.since, query.until)
        return filter(query.wants, found)

    def health(self, subscriptions: Iterable[str]) -> Health:
        """What lami holds and owes now."""
        subscriptions = tuple(subscriptions)
        counts = Counter(f.severity for f in self.findings(FindingQuery(statuses=("open",))))
        due = self._due.soonest()
        return Health(
            baseline_at=self._oldest("baseline", subscriptions),
            reconciled_at=self._oldest("reconcile", subscriptions),
            open={severity: counts[severity] for severity in SEVERITIES},
            due=len(due),
            overdue=sum(item.tries > 0 for item in due),
            directory_at=self._index.notes("directory").get("answered"),
        )

    def _oldest(self, what: str, subscriptions: Sequence[str]) -> datetime | None:
        """When something was done for all of the subscriptions; None where it is still to do for one."""
        done = self._index.notes(what)
        return min(done[one] for one in subscriptions) if done.keys() >= set(subscriptions) else None

    def audit(self, progress: Listener = lambda progress: None) -> Audit:
        """What does not hold of all timelines: chains, copies that questions read, books that are gone."""
        return audited(self._books, self._index, progress)

    def baseline(self, subscriptions: Iterable[str]) -> Iterator[Expected]:
        """What is expected of every holder and principal held; reads one book each."""
        for subject in self.subjects(subscriptions):
            book = self._books.load(subject).book
            state = book.state
            if isinstance(state, PrincipalState) or (isinstance(state, HolderState) and state.known):
                identity = state.baseline if isinstance(state, HolderState) else None
                expected = [term for term in state.terms.values() if term.expected]
                expected.sort(key=lambda term: (term.access.scope.key, term.role_name))
                yield Expected(naming.subject_of(book), identity, tuple(expected))

    def book(self, subject: Subject) -> Book:
        """A subject's book: one read. Version 0 where lami holds none."""
        return self._books.load(subject).book

    def holds_nothing(self, subscriptions: Iterable[str]) -> bool:
        """Whether nothing was ever seen in these subscriptions: a store that is new, or not the one meant."""
        return not self._index.notes("baseline") and not self.subjects(subscriptions)

    def subjects(self, subscriptions: Iterable[str]) -> list[Subject]:
        """Every subject that lami holds a book of, as far as it was ever seen in these subscriptions."""
        held: dict[Subject, None] = {}
        for subscription in (*subscriptions, ""):
            held |= dict.fromkeys(self._index.digests(subscription))
        return sorted(held)


def order(finding: Finding) -> tuple[bool, int, float, str]:
    """Where a finding stands among others: open ones first, then by severity, then the newest first."""
    graveness = SEVERITIES.index(finding.severity)
    return finding.status != "open", graveness, -finding.opened_at.timestamp(), finding.id


def recency(finding: Finding) -> tuple[int, str]:
    """Where a finding stands in a list read page by page: the newest first, whatever becomes of it meanwhile.

    Status and severity change, and with them `order`: between two pages a finding would move from the part
    that is not read yet to the part that was, or back. When it opened never changes while it lasts.
    """
    return (_EPOCH - finding.opened_at) // timedelta(microseconds=1), finding.id
