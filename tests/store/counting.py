"""A table that counts what is read of it."""

from __future__ import annotations

from lami.store.sqlite import SqliteTable
from lami.store.table import Row


class Counting(SqliteTable):
    """A table in memory that counts the rows it is asked for."""

    def __init__(self) -> None:
        super().__init__(":memory:")
        self.read = 0

    def query(
        self, partition: str, first: str = "", last: str | None = None, limit: int | None = None
    ) -> list[Row]:
        """Read, and count."""
        found = super().query(partition, first, last, limit)
        self.read += len(found)
        return found
