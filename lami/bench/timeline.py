"""The first page of a timeline of many entries, asked as command line, API and page ask it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from lami.bench.canned import APP, DANA, GROUP
from lami.bench.measure import GROWTH, Aim, Floor, NotMeasured, Row, Say, Size, timed, within
from lami.core.ids import ResourceId
from lami.core.messages import holder_subject
from lami.core.model import Actor, Cause, Entry, FindingSubject
from lami.core.timeline import Query, entry_id, hashed
from lami.queries import Queries
from lami.store import rows
from lami.store.books import Books
from lami.store.due import DueList
from lami.store.index import Index
from lami.store.sqlite import SqliteTable
from lami.store.table import Create, batched

_ENTRIES = {"quick": 1_000, "full": 100_000}
_OWN = {"quick": 2_000, "full": 5_000}
_TURNS = {"quick": 3, "full": 15}
_PAGE = 100
_DAYS = 7
_RARE = 8
_FEWER = 10
Ask = Callable[[], None]
_FLOOR = f"{_PAGE} of those rows read by key with SQLite alone, and their JSON parsed"


def run(size: Size, say: Say) -> Iterator[Row]:
    """All of a week, what one actor did in it, and all of one app; and how a longer timeline compares."""
    now = datetime.now(UTC)
    many, own = _ENTRIES[size], _OWN[size]
    week = Query(since=now - timedelta(days=_DAYS), until=now, limit=_PAGE)
    one_app = _with(week, resource=APP.text)
    with TemporaryDirectory(prefix="lami-bench-") as folder:
        file, short = Path(folder) / "lami.db", Path(folder) / "short.db"
        with closing(SqliteTable(str(file))) as table, closing(SqliteTable(str(short))) as fewer:
            say(f"writing {many:,} entries of {_DAYS} days, and their newest tenth apart")
            _write_days(table, now, many, many)
            _write_book(table, now, own, own)
            _write_days(fewer, now, many // _FEWER, many)
            _write_book(fewer, now, own // _FEWER, own)
            say("asking for the first page")
            for name, query, partition in (
                (f"of {many:,} entries", week, "day|"),
                (f"of one actor among {many:,} entries", _with(week, actor=DANA.name), "day|"),
                (f"of one app with {own:,} entries", one_app, holder_subject(APP).partition),
            ):
                with closing(sqlite3.connect(file)) as bare:
                    least: Ask = partial(_bare, bare, partition)
                    yield _row(f"first page {name}", size, (_asking(table, query), least), _FLOOR)
            for whose, query, of in (("", week, many), (" of one app", one_app, own)):
                both = _asking(table, query), _asking(fewer, query)
                name = f"first page of {of:,} entries{whose}, to that of their newest {of // _FEWER:,}"
                yield _row(name, size, both, "the same page of the newest tenth alone", within(GROWTH))


def _row(name: str, size: Size, both: tuple[Ask, Ask], what: str, *aims: Aim) -> Row:
    """The one and its floor in turn, so that whatever else the machine does hits both."""
    pairs = [(timed(both[0]), timed(both[1])) for _ in range(_TURNS[size])]
    value, least = (1000 * median(one) for one in zip(*pairs, strict=True))
    return Row("timeline", name, value, "ms", Floor(least, what), aims)


def _asking(table: SqliteTable, query: Query) -> Ask:
    queries = Queries(Books(table), Index(table), DueList(table))

    def ask() -> None:
        if len(queries.timeline(query)) != query.limit:
            raise NotMeasured("the timeline has no whole page, where it should")

    return ask


def _with(query: Query, actor: str = "", resource: str = "") -> Query:
    return Query(query.since, query.until, resource=resource, actor=actor, limit=query.limit)


def _bare(connection: sqlite3.Connection, partition: str) -> None:
    statement = (
        "SELECT properties FROM entities WHERE partition >= ? AND partition < ? "
        "ORDER BY partition, key LIMIT ?"
    )
    found = connection.execute(statement, (partition, partition + "~", _PAGE)).fetchall()
    if len([json.loads(row[0]) for row in found]) != _PAGE:
        raise NotMeasured("the floor found no whole page")


def _write_days(table: SqliteTable, now: datetime, entries: int, of: int) -> None:
    """The newest entries in the days' index, of so many that the whole span has."""
    step = timedelta(days=_DAYS) / (of + 1)
    Index(table).add_entries(
        (_entry(number, now - number * step, number % 500),) for number in range(1, entries + 1)
    )


def _write_book(table: SqliteTable, now: datetime, entries: int, of: int) -> None:
    """The newest entries of one app in its book, of so many that the whole span has."""
    step = timedelta(days=_DAYS) / (of + 1)
    said = (_entry(number, now - (of - number) * step, 0) for number in range(of - entries, of))
    for batch in batched(
        Create(key, values)
        for number, entry in enumerate(said)
        for key, values in rows.stack_entries(number, (entry,), entry.at).items()
    ):
        table.transact(holder_subject(APP).partition, batch)


def _entry(number: int, at: datetime, app: int) -> Entry:
    id = APP if app == 0 else ResourceId(f"{GROUP}/providers/Microsoft.Logic/workflows/app-{app}")
    actor = (
        DANA
        if number % _RARE == 0
        else Actor("user", f"u-{number % 40}", f"user{number % 40}@contoso.example")
    )
    cause = Cause(f"event-{number}", "microsoft.logic/workflows/write", at, f"c-{number}", actor)
    subject = FindingSubject("logicApp", id.text, id.name)
    text = f"{id.name} was written; its identity is as it was"
    return hashed(
        Entry(
            entry_id(holder_subject(id), number),
            at,
            "observed",
            subject,
            text,
            {},
            {"principalId": "p"},
            cause,
        ),
        "",
    )
