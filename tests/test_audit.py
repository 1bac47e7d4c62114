"""Verifying all timelines while others write: that is no tampering, and tampering shows all the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

import pytest
from msgspec.structs import replace

from lami.audit import Audit, audited
from lami.core.model import Owed, Subject
from lami.runs import Progress
from lami.store import rows
from lami.store.books import Books, Loaded
from lami.store.index import Index
from lami.store.sqlite import SqliteTable
from lami.store.table import Delete, Operation, Put, Row, Table
from tests.core.builders import NOW, OWNER, P1, P2, at, make_assignment, principal_step, told

PRINCIPALS = (Subject("principal", P1), Subject("principal", P2))


class Writer:
    """Commits to books and pays what they owe to the index, a step at a time."""

    def __init__(self, table: Table) -> None:
        self.books, self.index = Books(table), Index(table)
        self.number = 0

    def commit(self, subject: Subject) -> Loaded:
        """A grant is told and seen. Days go by, and so do the days of copies."""
        self.number += 1
        name = f"a{self.number}"
        now = NOW + timedelta(hours=self.number)
        line = make_assignment(name, role=OWNER, created=at(-9), principal=subject.id)
        loaded = self.books.load(subject)
        what = told(line.id, time=at(-8), id=f"event-{self.number}")
        return self.books.commit(loaded, principal_step(loaded.book, what, line, now=now))

    def copy(self, subject: Subject) -> Loaded:
        """What the book owes the index is written; it is not crossed off yet."""
        loaded = self.books.load(subject)
        owed = [one for one in loaded.book.owed if one.index is not None]
        self.index.add_entries(self.books.written(loaded, one)[0] for one in owed)
        self.index.put_digest("", subject, "seen")
        return loaded

    def cross_off(self, loaded: Loaded) -> None:
        """It is."""
        left: dict[str, Owed | None] = dict.fromkeys(one.id for one in loaded.book.owed)
        self.books.settle(loaded, left)

    def whole(self, subject: Subject) -> None:
        """All of it."""
        self.commit(subject)
        self.cross_off(self.copy(subject))


class Busy:
    """A table to which another worker writes before every read: the next step of a commit to some book."""

    def __init__(self, inner: Table, writer: Writer, phase: int) -> None:
        self.inner = inner
        self.writer = writer
        self.steps = phase
        self.copied: Loaded | None = None

    def get(self, partition: str, key: str) -> Row | None:
        self._step()
        return self.inner.get(partition, key)

    def query(
        self, partition: str, first: str = "", last: str | None = None, limit: int | None = None
    ) -> list[Row]:
        self._step()
        return self.inner.query(partition, first, last, limit)

    def behind(self, partition: str, last: str) -> str | None:
        self._step()
        return self.inner.behind(partition, last)

    def transact(self, partition: str, operations: Sequence[Operation]) -> Mapping[str, str]:
        raise AssertionError("an audit writes nothing")

    def flush(self) -> None:
        return

    def close(self) -> None:
        return

    def _step(self) -> None:
        """Commit, copy, cross off, and a pause: who reads a chain again after a commit is not disturbed."""
        turn, which = self.steps % 7, self.steps // 7 % len(PRINCIPALS)
        self.steps += 1
        if turn == 0:
            self.writer.commit(PRINCIPALS[which])
        elif turn == 2:
            self.copied = self.writer.copy(PRINCIPALS[which])
        elif turn == 4 and self.copied is not None:
            self.writer.cross_off(self.copied)


def _verified(table: Table) -> Audit:
    return audited(Books(table), Index(table))


def _written(commits: int = 6) -> tuple[SqliteTable, Writer]:
    table = SqliteTable(":memory:")
    writer = Writer(table)
    for number in range(commits):
        writer.whole(PRINCIPALS[number % 2])
    return table, writer


def test_what_is_paid_and_what_is_owed_holds() -> None:
    """A copy may be missing as long as its commit owes it, and may be there before that is crossed off."""
    table, writer = _written()
    assert _verified(table) == Audit(2, ())
    writer.commit(PRINCIPALS[0])
    assert _verified(table) == Audit(2, ())
    copied = writer.copy(PRINCIPALS[0])
    assert _verified(table) == Audit(2, ())
    writer.cross_off(copied)
    assert _verified(table) == Audit(2, ())


def test_a_copy_that_is_crossed_off_and_missing_shows() -> None:
    """Whoever only says that a copy is paid hides nothing."""
    table, writer = _written()
    writer.cross_off(writer.commit(PRINCIPALS[0]))
    (fault,) = _verified(table).faults
    assert fault.id == P1
    assert "has no copy" in fault.why


def test_a_forged_copy_shows_though_its_commit_still_owes_it() -> None:
    """It may be missing; it may not be another."""
    table, writer = _written()
    writer.commit(PRINCIPALS[0])
    writer.copy(PRINCIPALS[0])
    _forge(table, list(writer.index.days())[-1])
    (fault,) = _verified(table).faults
    assert "says something else" in fault.why


@pytest.mark.parametrize("phase", range(14))
def test_what_is_written_meanwhile_is_no_tampering(phase: int) -> None:
    """Whatever another worker does between any two reads, all timelines hold; a forged copy is found."""
    table, writer = _written()
    assert _verified(Busy(table, writer, phase)) == Audit(2, ())
    _forge(table, next(iter(writer.index.days())))
    (fault,) = _verified(Busy(table, writer, phase)).faults
    assert "says something else" in fault.why


@pytest.mark.parametrize("phase", range(14))
def test_a_copy_slipped_in_is_found_while_others_write(phase: int) -> None:
    """One too many is told from those that came meanwhile."""
    table, writer = _written()
    day = next(iter(writer.index.days()))
    row = next(iter(writer.index.copies(day)))
    table.transact(day, [Put(f"00{row.key[2:]}", row.values)])
    (fault,) = _verified(Busy(table, writer, phase)).faults
    assert "of no entry" in fault.why


def test_a_copy_that_another_lami_wrote_otherwise_is_the_same() -> None:
    """What counts is what a question reads of it, not how its JSON is written."""
    table, writer = _written()
    for day in list(writer.index.days()):
        for row in list(writer.index.copies(day)):
            table.transact(day, [Put(row.key, {"d0": str(row.values["d0"]).replace('","', '" , "')})])
    assert _verified(table) == Audit(2, ())


def test_copies_of_whom_no_list_names_are_led_home() -> None:
    """Their book is verified too: it is where the copies say. Without one they are of nobody who is held."""
    table, _ = _written()
    table.transact("digest|", [Delete(row.key) for row in table.query("digest|")])
    assert _verified(table) == Audit(2, ())
    book = PRINCIPALS[1].partition
    table.transact(book, [Delete(row.key) for row in table.query(book)])
    (fault,) = _verified(table).faults
    assert (fault.kind, fault.id, fault.why) == ("principal", P2, "its book is gone")


def test_progress_is_said_of_books_and_days() -> None:
    """Long work shows how far it is."""
    table, _ = _written()
    said: list[Progress] = []
    audited(Books(table), Index(table), said.append)
    assert said[:2] == [Progress(1, 2, P1), Progress(2, 2, P2)]
    assert said[2].what == "copies of 2026-11-24"


def _forge(table: Table, day: str) -> None:
    """Change the words of one copy."""
    row = table.query(day)[0]
    (first, *rest) = rows.unpack_entries(row)
    table.transact(day, [Put(row.key, rows.pack([replace(first, text="nothing happened"), *rest]))])
