"""Whether the timeline is what was written: every book's chain, and the copies by day that questions read.

Books come first, one by one, then the days, row by row. Of each subject one number is kept: what its book
says should be copied and what the days hold, put together so that the same twice is nothing. So memory does
not grow with the entries. Only whose number is not 0 in the end is compared row by row: with the days as
they are then, and after them with its book. A copy is written after its entry and stays, so what is
written meanwhile is no difference.
"""

from __future__ import annotations

import secrets
import zlib
from collections.abc import Collection, Iterable
from hashlib import blake2b

import msgspec
from msgspec import Struct, field

from lami.core.model import Subject
from lami.core.naming import home
from lami.runs import Listener, Progress
from lami.store import rows
from lami.store.books import Books
from lami.store.history import Copy, History, broken, copies
from lami.store.index import Index, mark_of
from lami.store.table import Row

_READINGS = 3
_UNREADABLE = (msgspec.MsgspecError, zlib.error, ValueError)
"""What rows raise that hold no entries any more."""
_GONE = "its book is gone"


class Fault(Struct, frozen=True):
    """Whose timeline does not hold, and why. Of copies of nobody `kind` is `day`, and `id` says where."""

    kind: str
    id: str
    why: str


class Audit(Struct, frozen=True):
    """How many timelines there are, and what does not hold: a fault for each that does not, and for days."""

    timelines: int
    faults: tuple[Fault, ...]

    @property
    def holding(self) -> int:
        """How many timelines hold."""
        return self.timelines - sum(fault.kind != "day" for fault in self.faults)


def chained(books: Books, subject: Subject) -> History | str:
    """A subject's entries where they hold, else why they do not.

    What was written while they were read is not tampering, so what seems broken is read again.
    """
    why = ""
    for _ in range(_READINGS):
        try:
            found = books.history(subject)
            why = broken(found)
        except _UNREADABLE as error:
            return f"a row of its book cannot be read ({type(error).__name__})"
        if not why:
            return found
    return why


def audited(books: Books, index: Index, progress: Listener = lambda progress: None) -> Audit:
    """Read all of it: every book that lami was ever seen to hold, and every day."""
    return _Reading(books, index, progress, secrets.token_bytes(32)).over(index.listed())


class _Reading(Struct):
    """An audit while it goes. By the marks of subjects: who they are, and their numbers.

    `key` is this audit's own: nobody can have written rows that are nothing together by it.
    """

    books: Books
    index: Index
    progress: Listener
    key: bytes
    subjects: dict[str, Subject] = field(default_factory=dict)
    numbers: dict[str, int] = field(default_factory=dict)
    faults: dict[tuple[str, str], str] = field(default_factory=dict)

    def over(self, listed: Collection[Subject]) -> Audit:
        """All of it."""
        self._books(listed)
        self._books(self._days())
        self._compare([mark for mark, number in self.numbers.items() if number and self._held(mark)])
        found = tuple(Fault(kind, id, why) for (kind, id), why in sorted(self.faults.items()))
        return Audit(len(self.subjects), found)

    # --- 1. books ---

    def _books(self, subjects: Collection[Subject]) -> None:
        for number, subject in enumerate(subjects, start=1):
            self.subjects[subject.mark] = subject
            found = self._history(subject)
            for copy in copies(found) if found is not None else ():
                if not copy.owed:
                    self._put(subject.mark, copy.partition, copy.key, copy.values)
            self.progress(Progress(number, len(subjects), subject.id))

    def _history(self, subject: Subject) -> History | None:
        """A subject's entries; None, and a fault, where they do not hold."""
        found = chained(self.books, subject)
        if isinstance(found, History) and found.book.version > 0:
            return found
        self.faults[subject.kind, subject.id] = found if isinstance(found, str) else _GONE
        return None

    # --- 2. days ---

    def _days(self) -> list[Subject]:
        """Take up all copies; answers whom they are of that no list names. Copies of nobody are a fault."""
        strangers: dict[str, Subject] = {}
        for row in self._copies():
            whose = mark_of(row)
            if whose not in self.subjects and whose not in strangers:
                subject = _subject(row)
                if subject is None or subject.mark != whose:
                    self.faults["day", row.partition] = f"row {row.key} is no copy of an entry"
                    continue
                strangers[whose] = subject
            self._put(whose, row.partition, row.key, row.values)
        return list(strangers.values())

    def _copies(self) -> Iterable[Row]:
        for partition in self.index.days():
            self.progress(Progress(0, 0, f"copies of {partition.split('|')[1]}"))
            yield from self.index.copies(partition)

    # --- 3. whose numbers are not 0 ---

    def _compare(self, marks: Collection[str]) -> None:
        if not marks:
            return
        found: dict[str, dict[tuple[str, str], int]] = {mark: {} for mark in marks}
        for row in self._copies():
            if (whose := mark_of(row)) in found:
                found[whose][row.partition, row.key] = self._number(row.partition, row.key, row.values)
        for whose, there in found.items():
            subject = self.subjects[whose]
            held = self._history(subject)
            if held is not None and (why := self._difference(held, there)):
                self.faults[subject.kind, subject.id] = why

    def _difference(self, held: History, there: dict[tuple[str, str], int]) -> str:
        """Where copies, as they were read before the book, are not as it has them; empty where nowhere."""
        for copy in copies(held):
            number = there.pop((copy.partition, copy.key), None)
            if number == self._number(copy.partition, copy.key, copy.values):
                continue
            now = self.index.copy(copy.partition, copy.key)
            if now is None and not copy.owed:
                return f"{copy.entry} has no copy in {copy.partition}, where the timeline reads it"
            if now is not None and not _same(now, copy):
                return f"the copy of {copy.entry} in {copy.partition} says something else"
        for partition, key in there:
            return f"{partition} has a copy that is of no entry: {key}"
        return ""

    # --- numbers ---

    def _put(self, mark: str, partition: str, key: str, values: rows.Values) -> None:
        self.numbers[mark] = self.numbers.get(mark, 0) ^ self._number(partition, key, values)

    def _number(self, partition: str, key: str, values: rows.Values) -> int:
        said = msgspec.json.encode((partition, key, sorted(values.items())))
        return int.from_bytes(blake2b(said, digest_size=16, key=self.key).digest(), "big")

    def _held(self, mark: str) -> bool:
        """Whether there is a timeline to compare with, and nothing to say of it yet."""
        subject = self.subjects[mark]
        return (subject.kind, subject.id) not in self.faults


def _subject(copy: Row) -> Subject | None:
    """Whom a copy says that it is of; None where it says nothing."""
    try:
        entries = rows.unpack_entries(copy)
    except _UNREADABLE:
        return None
    return home(entries[0].subject) if entries else None


def _same(row: Row, copy: Copy) -> bool:
    """Whether a copy says the same, however it is written: another lami may have written it."""
    try:
        return rows.unpack_entries(row) == rows.unpack_entries(Row(copy.partition, copy.key, copy.values))
    except _UNREADABLE:
        return False
