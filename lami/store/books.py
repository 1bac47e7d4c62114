"""Books in a table: loaded with one range query, committed with one transaction on the loaded version."""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import TypeVar

from msgspec import Struct, field
from msgspec.structs import replace

from lami.core.model import Book, Decision, Entry, Finding, Owed, Subject
from lami.store import rows
from lami.store.history import History
from lami.store.table import Conflict, Create, Delete, Operation, Put, Replace, Row, Table, batched, taken

T = TypeVar("T")
_READ_FIRST = (128,)
"""How many rows of a timeline are read at once, at first: what a page of it takes."""


class Repeated(Exception):
    """The stimulus was committed to this book before; nothing was written."""


class Loaded(Struct, frozen=True):
    """A book as the table holds it, with the etags of its rows and what this process just wrote to it.

    `written` keeps, by outbox row, the entries and resolved findings of commits made in this process, so
    that they need not be read again to be indexed.
    """

    book: Book
    etags: Mapping[str, str]
    written: Mapping[str, tuple[tuple[Entry, ...], tuple[Finding, ...]]] = field(default_factory=dict)


class Books:
    """The books of all subjects in one table."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def load(self, subject: Subject) -> Loaded:
        """Read a book: one round trip (a page of 1,000 rows). A subject never seen has version 0."""
        found = {row.key: row for row in self._table.query(subject.partition, "", rows.STATE_ENDS)}
        book = rows.decode(subject, found)
        return Loaded(book, {key: row.etag for key, row in found.items()})

    def unwritten(self, subject: Subject) -> Loaded:
        """The book of a subject that nobody has written, without asking whether somebody has.

        Committing it creates the head. Books are never removed, so where that succeeds this is what a load
        would have shown at any time before.
        """
        return Loaded(rows.decode(subject, {}), {})

    def commit(
        self, loaded: Loaded, decision: Decision, left: Mapping[str, Owed | None] | None = None
    ) -> Loaded:
        """Write a decision made on a loaded book: one transaction, whole or not at all.

        `left` rewrites outbox rows in the same transaction (see `settle`).
        Raises `Repeated` where its stimulus was committed before, `Conflict` where somebody else wrote the
        book since it was loaded (load and decide again), and what the table raises.
        """
        before, after = loaded.book, decision.book
        operations: list[Operation] = []
        gate = rows.gate_key(decision.gate)
        if decision.gate:
            operations.append(Create(gate, {"version": after.version}))
        operations.append(_head(loaded, after))
        operations += _parts(loaded, before, after)
        if decision.entries:
            said = rows.stack_entries(after.version, decision.entries, after.latest)
            operations += [Create(key, values) for key, values in said.items()]
        if decision.resolved:
            ended = rows.stack(rows.resolved_key(after.version), decision.resolved)
            operations += [Create(key, values) for key, values in ended.items()]
        if decision.owed is not None:
            operations.append(Create(rows.owed_key(decision.owed.id), rows.pack(decision.owed)))
        operations += _rewrites(loaded, left or {})
        try:
            etags = self._table.transact(after.subject.partition, operations)
        except Conflict as conflict:
            if conflict.key == gate:
                raise Repeated from conflict
            raise
        gone = {operation.key for operation in operations if isinstance(operation, Delete)}
        kept = {key: etag for key, etag in {**loaded.etags, **etags}.items() if key not in gone}
        written = dict(loaded.written)
        if decision.owed is not None:
            written[decision.owed.id] = (decision.entries, decision.resolved)
        return _with_owed(Loaded(after, kept, written), left or {}, {})

    def claim(self, loaded: Loaded, owed: Sequence[Owed], until: datetime) -> Loaded:
        """Mark outbox rows as being told by this worker; raises `Conflict` where another one has them.

        One transaction, so at most 100 rows.
        """
        claimed = [replace(row, claimed_until=until) for row in owed]
        operations = [
            Replace(rows.owed_key(row.id), rows.pack(row), loaded.etags[rows.owed_key(row.id)])
            for row in claimed
        ]
        etags = self._table.transact(loaded.book.subject.partition, operations)
        return _with_owed(loaded, {row.id: row for row in claimed}, etags)

    def settle(self, loaded: Loaded, left: Mapping[str, Owed | None]) -> Loaded:
        """Rewrite outbox rows to what is left of them; None removes one.

        A row that another worker rewrote or removed meanwhile is left as that worker has it.
        """
        etags: dict[str, str] = {}
        for operations in batched(_rewrites(loaded, left)):
            try:
                etags |= self._table.transact(loaded.book.subject.partition, operations)
            except Conflict:
                for operation in operations:
                    self._settle_one(loaded.book.subject, operation)
        return _with_owed(loaded, left, etags)

    def flush(self) -> None:
        """Return when all that was written, to books and to anything else in the table, is on disk."""
        self._table.flush()

    def entries(self, subject: Subject) -> list[Entry]:
        """A subject's entries as they are chained, the newest first."""
        return [entry for row in self._said(subject) for entry in reversed(rows.unpack_entries(row))]

    def timeline(self, subject: Subject, since: datetime) -> Iterator[Entry]:
        """A subject's entries by their times, newest first; none older than `since`, which is included.

        They are read as they are taken. Clocks of workers differ, so an entry may have a later time than one
        that was chained behind it: each waits until no row that is not read yet can hold a later one.
        """
        waiting: list[Entry] = []
        for row in taken(self._table, subject.partition, *rows.stacked(rows.ENTRY), _READ_FIRST):
            latest = rows.latest(row)
            while waiting and latest is not None and waiting[-1].at >= latest:
                yield waiting.pop()
            if latest is not None and latest < since:
                return
            for entry in rows.unpack_entries(row):
                if entry.at >= since:
                    insort(waiting, entry, key=_time)
        yield from reversed(waiting)

    def history(self, subject: Subject) -> History:
        """A subject's book, and after it all rows of its entries: two round trips, a large one more."""
        book = self.load(subject).book
        return History(book, self._said(subject)[::-1])

    def written(self, loaded: Loaded, owed: Owed) -> tuple[tuple[Entry, ...], tuple[Finding, ...]]:
        """The entries and resolved findings of the commit that an outbox row belongs to."""
        if owed.id in loaded.written:
            return loaded.written[owed.id]
        subject = loaded.book.subject
        entries: tuple[Entry, ...] = ()
        resolved: tuple[Finding, ...] = ()
        if owed.index and owed.index.entries:
            entries = tuple(self._stack(subject, rows.entries_key(int(owed.id)), Entry))
        if owed.index and any(id not in loaded.book.findings for id in owed.index.findings):
            # One that a later commit resolved is in that commit's debts.
            resolved = tuple(self._stack(subject, rows.resolved_key(int(owed.id)), Finding))
        return entries, resolved

    def _stack(self, subject: Subject, key: str, item: type[T]) -> list[T]:
        return rows.unstack(self._table.query(subject.partition, *rows.stacked(key)), item)

    def _said(self, subject: Subject) -> list[Row]:
        return self._table.query(subject.partition, *rows.stacked(rows.ENTRY))

    def _settle_one(self, subject: Subject, operation: Operation) -> None:
        try:
            self._table.transact(subject.partition, [operation])
        except Conflict:
            return


def _time(entry: Entry) -> tuple[datetime, str]:
    return entry.at, entry.id


def _head(loaded: Loaded, after: Book) -> Operation:
    etag = loaded.etags.get(rows.HEAD)
    if etag is None:
        return Create(rows.HEAD, rows.head(after))
    return Replace(rows.HEAD, rows.head(after), etag)


def _parts(loaded: Loaded, before: Book, after: Book) -> list[Operation]:
    """Writes for the shards that differ; one whose items are the same objects is not even encoded."""
    old, new = rows.parts(before), rows.parts(after)
    operations: list[Operation] = []
    for name, part in new.items():
        held = old.get(name, {})
        if part is held:
            continue
        other = {
            rows.shard(name, key) for key in held.keys() | part.keys() if held.get(key) is not part.get(key)
        }
        was, now = rows.shards(name, held, other), rows.shards(name, part, other)
        operations += [Put(key, values) for key, values in now.items() if was.get(key) != values]
        operations += [Delete(key) for key in was.keys() - now.keys() if key in loaded.etags]
    return operations


def _rewrites(loaded: Loaded, left: Mapping[str, Owed | None]) -> list[Operation]:
    operations: list[Operation] = []
    for id, owed in left.items():
        key = rows.owed_key(id)
        etag = loaded.etags[key]
        operations.append(Delete(key, etag) if owed is None else Replace(key, rows.pack(owed), etag))
    return operations


def _with_owed(loaded: Loaded, changed: Mapping[str, Owed | None], etags: Mapping[str, str]) -> Loaded:
    owed = [changed.get(row.id, row) for row in loaded.book.owed]
    book = replace(loaded.book, owed=tuple(row for row in owed if row is not None))
    gone = {rows.owed_key(id) for id, row in changed.items() if row is None}
    kept = {key: etag for key, etag in {**loaded.etags, **etags}.items() if key not in gone}
    return Loaded(book, kept, loaded.written)
