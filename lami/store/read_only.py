"""A table that is only read, for commands that must leave no trace: whoever runs them may not write."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lami.errors import Permanent
from lami.store.table import Operation, Row, Table


class ReadOnlyTable:
    """Another table without its writes."""

    def __init__(self, inner: Table) -> None:
        self._inner = inner

    def get(self, partition: str, key: str) -> Row | None:
        """Read one row, or None where there is none."""
        return self._inner.get(partition, key)

    def query(
        self, partition: str, first: str = "", last: str | None = None, limit: int | None = None
    ) -> list[Row]:
        """Read the rows with `first <= key < last`, in key order, at most `limit` of them."""
        return self._inner.query(partition, first, last, limit)

    def behind(self, partition: str, last: str) -> str | None:
        """The first partition behind this one, and before `last`, that has rows; None where there is none."""
        return self._inner.behind(partition, last)

    def transact(self, partition: str, operations: Sequence[Operation]) -> Mapping[str, str]:
        """Refuse: it is a fault in lami, and trying again is no cure."""
        raise Permanent(f"the store was opened to be read; {len(operations)} rows were not written")

    def flush(self) -> None:
        """Nothing was written."""

    def close(self) -> None:
        """Let go of connections. Closing twice is harmless."""
        self._inner.close()
