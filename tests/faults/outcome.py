"""What of the end of a story must not depend on the faults on the way, and what must hold of any end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from msgspec import Struct

from lami.audit import audited
from lami.core import digests
from lami.core.ids import ResourceId
from lami.core.model import Book, Entry, Finding, Subject, SubjectKind
from lami.store import rows
from lami.store.books import Books
from lami.store.due import DueList
from lami.store.index import Index
from lami.store.table import Table
from tests.faults.strike import Telling

WHEN_AND_HOW_OFTEN = frozenset(
    {"version", "revision", "newest", "seen", "since", "cause", "based"}
    | {
        "failed_runs",
        "missing_since",
        "missing_cause",
        "churned_at",
        "churn_cause",
        "opened_at",
        "resolved_at",
        "at",
    }
)
"""Fields that may differ after a fault: times of looking and deciding, the stimulus that did it, versions.

And how many runs had failed, which is as of when somebody counted.
"""
COUNTED = "(counted at "
"""What the note has that says how many."""
KINDS: tuple[SubjectKind, ...] = ("holder", "principal", "role")
"""Kinds of subjects, but for lami itself."""
SEEN = frozenset({"observed", "reconciled"})
"""Kinds of entries that say what was seen, of an event's or of reconcile's prompting."""


@dataclass(frozen=True)
class Outcome:
    """What is held at the end, in plain values that can be compared."""

    books: Mapping[str, object]
    findings: Mapping[str, object]
    history: Mapping[str, frozenset[str]]
    told: Counter[Telling]
    due: Counter[tuple[str, str]]
    digests: Mapping[str, str]


def outcome(
    table: Table, held_by: Sequence[Subject], tellings: Sequence[Telling], subscriptions: frozenset[str]
) -> Outcome:
    """Everything that a table holds of these subjects, and what channels were told."""
    books, index = Books(table), Index(table)
    held = {subject: books.load(subject).book for subject in held_by}
    return Outcome(
        books={subject.partition: plain(book.state) for subject, book in held.items()},
        findings={one.finding.id: plain(one.finding) for one in index.findings()},
        history={s.partition: frozenset(map(_fact, books.entries(s))) - {""} for s in held},
        told=Counter(tellings),
        due=Counter(
            (item.why, item.subject.partition if item.subject else "") for item in DueList(table).soonest()
        ),
        digests={
            f"{subscription} {subject.partition}": what
            for subscription in (*sorted(subscriptions), "")
            for subject, what in index.digests(subscription).items()
            if what != digests.NOTHING
        },
    )


def differences(without: Outcome, with_fault: Outcome, excused: frozenset[Telling]) -> list[str]:
    """In which respects the outcome with a fault differs; only what is excused may be told once more."""
    found: list[str] = []
    for name in ("books", "findings", "history", "digests"):
        left, right = getattr(without, name), getattr(with_fault, name)
        found += _unlike(name, left, right)
    found += [f"never told: {telling}" for telling in without.told - with_fault.told]
    again = with_fault.told - without.told
    found += [f"told {n} times more: {one}" for one, n in again.items() if n > (one in excused)]
    if with_fault.due != without.due:
        found.append(f"due: {without.due} became {with_fault.due}")
    return found


def _unlike(where: str, left: object, right: object) -> list[str]:
    """The places at which two plain values differ."""
    if isinstance(left, Mapping) and isinstance(right, Mapping):
        keys = sorted({*left, *right})
        return [line for key in keys for line in _unlike(f"{where} {key}", left.get(key), right.get(key))]
    if isinstance(left, frozenset) and isinstance(right, frozenset):
        gone, new = sorted(left - right), sorted(right - left)
        return [f"{where}: {gone} became {new}"] if gone or new else []
    return [] if left == right else [f"{where}: {left} became {right}"]


def faults_within(table: Table, held: Sequence[Subject], subscriptions: frozenset[str]) -> list[str]:
    """What contradicts itself: chains that do not hold, debts, an index that is not its books' copy."""
    books, index = Books(table), Index(table)
    found: list[str] = []
    entries: dict[str, Entry] = {}
    homes: dict[str, Finding] = {}
    for subject in held:
        book = books.load(subject).book
        lines = list(reversed(books.entries(subject)))
        found += [f"{subject.partition} still owes {owed.id}" for owed in book.owed]
        entries |= {entry.id: entry for entry in lines}
        homes |= book.findings
        found += _unlike_digests(index, book, subscriptions)
    found += [f"{fault.kind} {fault.id}: {fault.why}" for fault in audited(books, index).faults]
    copies = {one.finding.id: one.finding for one in index.findings()}
    found += [f"{id} in the index is not as in its book" for id, f in homes.items() if copies.get(id) != f]
    found += [
        f"{id} is {f.status} in the index and in no book"
        for id, f in copies.items()
        if id not in homes and f.resolved_at is None
    ]
    standing = {one.finding.id: one.finding for one in index.standing()}
    if standing != {id: f for id, f in copies.items() if f.resolved_at is None}:
        found.append("the findings that stand are not those that have not ended")
    if entries:
        times = [entry.at for entry in entries.values()]
        copied = {e.id: e for e in index.entries(min(times), max(times) + timedelta(days=1))}
        found += [f"{id} is not among its day's entries" for id in entries.keys() - copied.keys()]
        found += [f"{id} stands in its day and not in its book" for id in copied.keys() - entries.keys()]
        found += [f"{id} differs in its day" for id, e in entries.items() if copied.get(id, e) != e]
    return found


def subjects(table: Table, partitions: Iterable[str]) -> list[Subject]:
    """The subjects of all books; from their heads, since an index may lack one."""
    found: list[Subject] = []
    for partition in partitions:
        kind = next((one for one in KINDS if partition.startswith(f"{one}|")), None)
        head = table.get(partition, rows.HEAD) if kind is not None else None
        if kind is not None and head is not None:
            found.append(Subject(kind, rows.unpack(head.values, rows.Head).id))
    return sorted(found)


def _unlike_digests(index: Index, book: Book, subscriptions: frozenset[str]) -> list[str]:
    return [
        f"the digest of {book.subject.partition} in {subscription} is not its book's"
        for subscription in subscriptions
        if (what := index.digests(subscription).get(book.subject)) is not None
        and what != digests.of_book(book, subscription)
    ]


def plain(value: object) -> object:
    """A value of the model as dictionaries, without the fields that a fault may move."""
    if isinstance(value, ResourceId):
        return value.key
    if isinstance(value, Struct):
        return {
            name: plain(getattr(value, name))
            for name in value.__struct_fields__
            if name not in WHEN_AND_HOW_OFTEN
        }
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, tuple | list):
        return [plain(one) for one in value if not (isinstance(one, str) and COUNTED in one)]
    return value


def _fact(entry: Entry) -> str:
    """What an entry says for good: not in which words, for a name may be learnt after the thing itself."""
    if entry.kind in SEEN:
        return (
            f"{sorted(entry.before.items())} > {sorted(entry.after.items())}"
            if entry.after or entry.before
            else ""
        )
    return "" if entry.kind == "told" else f"{entry.kind} {entry.finding}"
