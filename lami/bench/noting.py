"""A table that notes what is asked of it, so that the same can be asked of something barer."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from lami.store.table import Operation, Row, Table


@dataclass(frozen=True, slots=True)
class Trip:
    """One round trip to the store: what was asked of which partition, what it found or wrote, and seconds.

    `first`, `last` and `limit` are a query's; of a `get`, `first` is the key.
    """

    kind: Literal["get", "query", "transact"]
    partition: str
    seconds: float
    first: str = ""
    last: str | None = None
    limit: int | None = None
    found: tuple[Row, ...] = ()
    operations: tuple[Operation, ...] = ()


@dataclass(frozen=True, slots=True)
class Noting:
    """A `Table` that tells of every round trip once it has been made, also of one that failed."""

    inner: Table
    note: Callable[[Trip], None]

    def get(self, partition: str, key: str) -> Row | None:
        """Read one row."""
        begun = time.perf_counter()
        row = self.inner.get(partition, key)
        self.note(Trip("get", partition, time.perf_counter() - begun, key, found=(row,) if row else ()))
        return row

    def query(
        self, partition: str, first: str = "", last: str | None = None, limit: int | None = None
    ) -> list[Row]:
        """Read a range."""
        begun = time.perf_counter()
        rows = self.inner.query(partition, first, last, limit)
        spent = time.perf_counter() - begun
        self.note(Trip("query", partition, spent, first, last, limit, tuple(rows)))
        return rows

    def behind(self, partition: str, last: str) -> str | None:
        """Find a partition; of no interest to whoever counts what an event costs."""
        return self.inner.behind(partition, last)

    def transact(self, partition: str, operations: Sequence[Operation]) -> Mapping[str, str]:
        """Write."""
        begun = time.perf_counter()
        try:
            return self.inner.transact(partition, operations)
        finally:
            self.note(Trip("transact", partition, time.perf_counter() - begun, operations=tuple(operations)))

    def flush(self) -> None:
        """Have on disk what was written."""
        self.inner.flush()

    def close(self) -> None:
        """Let go of connections."""
        self.inner.close()


def loads_a_book(trip: Trip) -> bool:
    """Whether this read a subject's book."""
    return trip.kind == "query" and trip.first == "" and trip.partition.startswith(("holder|", "principal|"))
