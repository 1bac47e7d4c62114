"""A subject's entries as one reading has them: whether they hold, and which copies there should be."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from msgspec import Struct

from lami.core import belief, timeline
from lami.core.model import Book
from lami.store import rows
from lami.store.index import place
from lami.store.table import Row


class History(Struct, frozen=True):
    """A book, and the rows of its entries, oldest first. They were read after it, so they may know more."""

    book: Book
    rows: Sequence[Row]


class Copy(Struct, frozen=True):
    """A row with which a day of the timeline should repeat a row of a book; `entry` is the newest it is of.

    It may be missing where it is `owed` still, or where its commit is newer than the book that was read.
    """

    partition: str
    key: str
    values: rows.Values
    entry: str
    owed: bool


def broken(history: History) -> str:
    """Why a subject's timeline does not hold, as one reading has it; empty where it does.

    The chain covers all that entries say. What rows say beside it decides what a question finds, so that
    is compared too; where they say nothing a question reads on, and finds no less. Head and entries are
    read one after the other: what is written in between seems broken.
    """
    book = history.book
    commits = [rows.unpack_entries(row) for row in history.rows]
    entries = [entry for commit in commits for entry in commit]
    why = timeline.broken(entries, book.chain, book.entries)
    if why:
        return why
    latest = None
    for row, commit in zip(history.rows, commits, strict=True):
        latest = belief.latest(latest, *(entry.at for entry in commit))
        if rows.latest(row) not in (None, latest):
            return f"row {row.key} says another latest time than the entries up to it have"
    if book.latest not in (None, latest):
        return "the book names another latest time than its entries have"
    return ""


def copies(history: History) -> Iterator[Copy]:
    """The copies that there should be of a subject's entries. Nothing drops a day that was copied."""
    book = history.book
    owed = {int(one.id) for one in book.owed if one.index is not None and one.index.entries}
    for version, commit in groupby(history.rows, key=rows.version):
        found = list(commit)
        entries = [entry for row in found for entry in rows.unpack_entries(row)]
        partition, key = place(entries)
        pending = version in owed or version > book.version
        for row in found:
            number = row.key.rpartition(".")[2]
            yield Copy(partition, f"{key}.{number}", rows.said(row), entries[-1].id, pending)
