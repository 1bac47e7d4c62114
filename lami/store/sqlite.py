"""The SQLite back end: the default store, in one file beside lami, for one machine.

All writes go to one write-ahead log, in turn. A killed process loses none of them; a power failure none that
stood in the log at the last `flush`, and of the later ones the newest first. So one fsync does for all that
an event writes. Threads and processes may share a file: readers never wait, writers queue.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from threading import Lock

import msgspec

from lami.store import limits
from lami.store.table import Conflict, Create, Delete, Operation, Put, Replace, Row, StoreUnavailable

# The etag is the row's number. AUTOINCREMENT never gives a number twice, not even after a delete, and
# INSERT OR REPLACE gives a row that stood there already a new one.
_SCHEMA = """
CREATE TABLE IF NOT EXISTS entities (
    etag INTEGER PRIMARY KEY AUTOINCREMENT,
    partition TEXT NOT NULL,
    key TEXT NOT NULL,
    properties TEXT NOT NULL,
    UNIQUE (partition, key)
)
"""


class SqliteTable:
    """A `lami.store.table.Table` in the SQLite file at this path, or in memory for `:memory:`.

    The file is made when first used. Whoever finds it locked waits for `busy_seconds` before the store counts
    as unavailable. A file gives each thread a connection of its own; a memory has but one, used in turn.
    """

    def __init__(self, path: str, busy_seconds: float = 5.0) -> None:
        self._path = path
        self._busy_seconds = busy_seconds
        self._closed = False
        self._idle: deque[sqlite3.Connection] = deque()
        self._turn: Lock | None = None
        if path == ":memory:":
            self._idle.append(self._open())
            self._turn = Lock()

    def get(self, partition: str, key: str) -> Row | None:
        """Read one row, or None where there is none."""
        limits.check_key(partition, "partition")
        limits.check_key(key, "row")
        statement = "SELECT partition, key, properties, etag FROM entities WHERE partition = ? AND key = ?"
        with self._connection() as connection:
            found: tuple[str, str, str, int] | None = connection.execute(
                statement, (partition, key)
            ).fetchone()
        return None if found is None else _row(found)

    def query(
        self, partition: str, first: str = "", last: str | None = None, limit: int | None = None
    ) -> list[Row]:
        """Read the rows with `first <= key < last`, in key order, at most `limit` of them; one snapshot."""
        limits.check_key(partition, "partition")
        statement = "SELECT partition, key, properties, etag FROM entities WHERE partition = ? AND key >= ?"
        values: list[str | int] = [partition, first]
        if last is not None:
            statement += " AND key < ?"
            values.append(last)
        # Assumption: Table Storage orders keys as this does, but for characters beyond U+FFFF (by UTF-16).
        statement += " ORDER BY key LIMIT ?"
        values.append(-1 if limit is None else limit)
        with self._connection() as connection:
            return [_row(found) for found in connection.execute(statement, values)]

    def behind(self, partition: str, last: str) -> str | None:
        """The first partition behind this one, and before `last`, that has rows; None where there is none."""
        statement = "SELECT min(partition) FROM entities WHERE partition > ? AND partition < ?"
        with self._connection() as connection:
            (found,) = connection.execute(statement, (partition, last)).fetchone()
        return None if found is None else str(found)

    def transact(self, partition: str, operations: Sequence[Operation]) -> Mapping[str, str]:
        """Do all of the operations or none; answer the new etag of every row written, by key."""
        limits.check(partition, operations)
        etags: dict[str, str] = {}
        # The connection as a context commits at the end, and rolls back on any exception.
        with self._connection() as connection, connection:
            connection.execute("BEGIN IMMEDIATE")
            for operation in operations:
                if isinstance(operation, (Replace, Delete)):
                    _remove(connection, partition, operation)
                if not isinstance(operation, Delete):
                    etags[operation.key] = _insert(connection, partition, operation)
        return etags

    def flush(self) -> None:
        """Have the log written to disk, whole: so what other threads and processes wrote is there too."""
        try:
            with open(f"{self._path}-wal", "r+b", buffering=0) as log:
                os.fsync(log)
        except FileNotFoundError:
            return  # In memory, or nothing is in the log: SQLite syncs the database before it removes one.
        except OSError as error:
            raise StoreUnavailable(f"SQLite at {self._path}: {error}") from error

    def close(self) -> None:
        """Let go of connections; what is asked afterwards finds the store unavailable."""
        self._closed = True
        while self._idle:
            self._idle.pop().close()

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        """Lend a connection that no other thread uses meanwhile, and say SQLite's errors as the store's."""
        if self._turn is not None and not self._turn.acquire(timeout=self._busy_seconds):
            raise StoreUnavailable(f"SQLite at {self._path}: busy")
        try:
            connection = self._borrow()
            try:
                yield connection
            finally:
                if self._closed:
                    connection.close()
                else:
                    self._idle.append(connection)
        except sqlite3.DatabaseError as error:
            raise StoreUnavailable(f"SQLite at {self._path}: {error}") from error
        finally:
            if self._turn is not None:
                self._turn.release()

    def _borrow(self) -> sqlite3.Connection:
        if self._closed:
            raise StoreUnavailable(f"SQLite at {self._path}: closed")
        try:
            return self._idle.pop()
        except IndexError:
            return self._open()

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self._path, timeout=self._busy_seconds, isolation_level=None, check_same_thread=False
        )
        try:
            self._write_ahead(connection)
            # Source: SQLite, "PRAGMA synchronous": with a write-ahead log NORMAL is consistent, not durable.
            # Durable is what `flush` makes it. The log is synced before it is copied into the database.
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute(_SCHEMA)
        except sqlite3.DatabaseError:
            connection.close()
            raise
        return connection

    def _write_ahead(self, connection: sqlite3.Connection) -> None:
        """Switch the file to a write-ahead log, which it then keeps.

        Where several do so to a new file at once, SQLite refuses all but one without waiting: they would
        wait for each other. So the waiting is done here.
        """
        deadline = time.monotonic() + self._busy_seconds
        while True:
            try:
                connection.execute("PRAGMA journal_mode = WAL")
                return
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                    raise
            time.sleep(0.01)


def _insert(connection: sqlite3.Connection, partition: str, operation: Create | Put | Replace) -> str:
    """Write a row, and answer its etag. Raise `Conflict` where one stands there that must not."""
    verb = "INSERT" if isinstance(operation, Create) else "INSERT OR REPLACE"
    statement = f"{verb} INTO entities (partition, key, properties) VALUES (?, ?, ?)"
    properties = msgspec.json.encode(operation.values).decode()
    try:
        cursor = connection.execute(statement, (partition, operation.key, properties))
    except sqlite3.IntegrityError:
        raise Conflict(operation.key, "exists") from None
    return str(cursor.lastrowid)


def _remove(connection: sqlite3.Connection, partition: str, operation: Replace | Delete) -> None:
    """Take a row away. Raise `Conflict` unless it is there, and with the etag that is demanded."""
    statement = "DELETE FROM entities WHERE partition = ? AND key = ?"
    values = (partition, operation.key)
    demanded = () if operation.etag is None else (operation.etag,)
    if connection.execute(statement + " AND etag = ?" * len(demanded), (*values, *demanded)).rowcount:
        return
    found = connection.execute("SELECT 1 FROM entities WHERE partition = ? AND key = ?", values).fetchone()
    raise Conflict(operation.key, "missing" if found is None else "changed")


def _row(found: tuple[str, str, str, int]) -> Row:
    partition, key, properties, etag = found
    return Row(partition, key, msgspec.json.decode(properties), str(etag))
