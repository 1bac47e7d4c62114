"""A table in memory with Table Storage's semantics, for the simulation; it passes every store's contract."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lami.store import limits
from lami.store.table import Conflict, Create, Delete, Operation, Replace, Row, Value


class MemoryTable:
    """Partitions of rows in dictionaries; an etag is a number never given twice."""

    def __init__(self) -> None:
        self.partitions: dict[str, dict[str, Row]] = {}
        self._etag = 0

    def get(self, partition: str, key: str) -> Row | None:
        limits.check_key(partition, "partition")
        limits.check_key(key, "row")
        return self.partitions.get(partition, {}).get(key)

    def query(
        self, partition: str, first: str = "", last: str | None = None, limit: int | None = None
    ) -> list[Row]:
        limits.check_key(partition, "partition")
        rows = self.partitions.get(partition, {})
        keys = sorted(key for key in rows if key >= first and (last is None or key < last))
        return [rows[key] for key in keys[:limit]]

    def behind(self, partition: str, last: str) -> str | None:
        found = (name for name, rows in self.partitions.items() if rows and partition < name < last)
        return min(found, default=None)

    def transact(self, partition: str, operations: Sequence[Operation]) -> Mapping[str, str]:
        limits.check(partition, operations)
        rows = dict(self.partitions.get(partition, {}))
        etags: dict[str, str] = {}
        for operation in operations:
            _demand(operation, rows.get(operation.key))
            if isinstance(operation, Delete):
                del rows[operation.key]
                continue
            self._etag += 1
            etags[operation.key] = str(self._etag)
            values: dict[str, Value] = dict(operation.values)
            rows[operation.key] = Row(partition, operation.key, values, str(self._etag))
        self.partitions[partition] = rows
        return etags

    def flush(self) -> None:
        return

    def close(self) -> None:
        return


def _demand(operation: Operation, row: Row | None) -> None:
    if isinstance(operation, Create) and row is not None:
        raise Conflict(operation.key, "exists")
    if isinstance(operation, Replace | Delete):
        if row is None:
            raise Conflict(operation.key, "missing")
        if operation.etag is not None and operation.etag != row.etag:
            raise Conflict(operation.key, "changed")
