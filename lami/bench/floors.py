"""The least that a read and a write cost here: the bare HTTP client, and one bare transaction in SQLite."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from itertools import count
from pathlib import Path
from urllib.parse import quote, urlsplit

from lami.bench.measure import NotMeasured
from lami.bench.noting import Trip
from lami.store.sqlite import SqliteTable
from lami.store.table import Create, Delete, Put

_HEADERS = {"Accept": "application/json"}


@dataclass(frozen=True, slots=True)
class BareGet:
    """Reads one resource with `http.client`, on a connection that is kept."""

    connection: HTTPConnection
    target: str

    def __call__(self) -> bytes:
        """Send the request and read the answer to its end."""
        self.connection.request("GET", self.target, headers=_HEADERS)
        answer = self.connection.getresponse()
        body = answer.read()
        if answer.status != 200 or self.connection.sock is None:
            raise NotMeasured(f"GET {self.target} was answered {answer.status}, or not on a kept connection")
        return body


@contextmanager
def bare_get(endpoint: str, path: str, version: str) -> Iterator[BareGet]:
    """A GET of a resource's path in the API version given."""
    url = urlsplit(endpoint)
    with closing(HTTPConnection(url.hostname or "", url.port)) as connection:
        yield BareGet(connection, f"{quote(path)}?api-version={version}")


class BareTransaction:
    """Writes the rows of an event in one transaction: of the rows that it made new, new ones each time."""

    def __init__(self, connection: sqlite3.Connection, trips: Iterable[Trip]) -> None:
        self._connection = connection
        self._numbers = count()
        self._rows = [
            (trip.partition, operation.key, json.dumps(dict(operation.values)), isinstance(operation, Create))
            for trip in trips
            for operation in trip.operations
            if not isinstance(operation, Delete)
        ]

    def __call__(self) -> None:
        """Write, and return when it is on disk."""
        number = next(self._numbers)
        rows = [(p, f"{key}.{number}" if new else key, text) for p, key, text, new in self._rows]
        with self._connection:
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.executemany(
                "INSERT OR REPLACE INTO entities (partition, key, properties) VALUES (?, ?, ?)", rows
            )


@contextmanager
def bare_transaction(file: Path, trips: Iterable[Trip]) -> Iterator[BareTransaction]:
    """One transaction with all that these round trips wrote, in a file with lami's schema and pragmas."""
    with closing(SqliteTable(str(file))) as table:  # makes the file as lami makes it
        table.transact("bench", [Put("row", {})])
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous = FULL")
        yield BareTransaction(connection, trips)
