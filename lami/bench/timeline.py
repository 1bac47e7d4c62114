"""The first page of a timeline of many entries, asked as command line, API and page ask it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from lami.bench.canned import APP, DANA, GROUP
from lami.bench.measure import Floor, NotMeasured, Row, Say, Size, timed
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
_OWN = {"quick": 200, "full": 5_000}
_TURNS = {"quick": 3, "full": 15}
_PAGE = 100
_DAYS = 7
_RARE = 8
_FLOOR = f"{_PAGE} of those rows read by key with SQLite alone, and their JSON parsed"


def run(size: Size, say: Say) -> Iterator[Row]:
    """All of a week, what one actor did in it, and all of one app."""
    now = datetime.now(UTC)
    with TemporaryDirectory(prefix="lami-bench-") as folder:
        file = str(Path(folder) / "lami.db")
        with closing(SqliteTable(file)) as table:
            say(f"writing {_ENTRIES[size]:,} entries of {_DAYS} days")
            _write(table, now, _ENTRIES[size], _OWN[size])
            queries = Queries(Books(table), Index(table), DueList(table))
            say("asking for the first page")
            week = Query(since=now - timedelta(days=_DAYS), until=now, limit=_PAGE)
            for name, query, partition in (
                (f"of {_ENTRIES[size]:,} entries", week, "day|"),
                (f"of one actor among {_ENTRIES[size]:,} entries", _with(week, actor=DANA.name), "day|"),
                (
                    f"of one app with {_OWN[size]:,} entries",
                    _with(week, resource=APP.text),
                    holder_subject(APP).partition,
                ),
            ):
                ask = _asking(queries, query)
                with closing(sqlite3.connect(file)) as bare:
                    pairs = [
                        (timed(ask), timed(lambda: _bare(bare, partition)))  # noqa: B023 - called at once
                        for _ in range(_TURNS[size])
                    ]
                value, least = (1000 * median(one) for one in zip(*pairs, strict=True))
                yield Row("timeline", f"first page {name}", value, "ms", Floor(least, _FLOOR))


def _asking(queries: Queries, query: Query) -> Callable[[], None]:
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


def _write(table: SqliteTable, now: datetime, entries: int, own: int) -> None:
    """Entries of many apps in the days' index, and those of one app in its book."""
    step = timedelta(days=_DAYS) / (entries + 1)
    Index(table).add_entries(
        (f"event-{number}", (_entry(number, now - number * step, number % 500),))
        for number in range(1, entries + 1)
    )
    step = timedelta(days=_DAYS) / (own + 1)
    for batch in batched(
        Create(key, values)
        for number in range(own)
        for key, values in rows.stack(
            rows.entries_key(number), [_entry(number, now - (own - number) * step, 0)]
        ).items()
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
