"""The Table protocol: what lami asks of a store, and what a store may answer.

It is the part of Azure Table Storage that lami uses, no more: rows live in partitions, a partition is
read by key range in key order, and it is written by transactions that happen whole or not at all.
Every back end enforces Table Storage's own limits itself (`lami.store.limits`), so that what works on
one works on all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, repeat
from typing import Literal, Protocol

from msgspec import Struct, field

from lami.errors import LamiError, Permanent, Temporary

Value = str | int | bool
"""What a property may hold. An `int` is 32 bits, as Table Storage's Int32 is."""


class Row(Struct, frozen=True):
    """One entity. `etag` is opaque, set by the store on reading, and ignored on writing."""

    partition: str
    key: str
    values: Mapping[str, Value] = field(default_factory=dict)
    etag: str = ""


class Create(Struct, frozen=True):
    """Write a row that must not exist yet."""

    key: str
    values: Mapping[str, Value]


class Put(Struct, frozen=True):
    """Write a row whether or not it exists; what stood there is replaced whole."""

    key: str
    values: Mapping[str, Value]


class Replace(Struct, frozen=True):
    """Write a row that must exist with exactly this etag."""

    key: str
    values: Mapping[str, Value]
    etag: str


class Delete(Struct, frozen=True):
    """Remove a row that must exist, and with exactly this etag where one is given."""

    key: str
    etag: str | None = None


Operation = Create | Put | Replace | Delete


PAGE = 1000
"""The most rows of one answer. Source: Table Storage, "Query timeout and pagination"."""
BEHIND = "~"
"""Behind every name that begins with what stands before it."""
TRANSACTION = 100
"""The most operations of one transaction. Source: Table Storage, "Performing entity group transactions"."""


def batched(operations: Iterable[Operation]) -> Iterator[list[Operation]]:
    """Operations in transactions of their own, for writes that need not happen together."""
    rest = list(operations)
    while rest:
        yield rest[:TRANSACTION]
        rest = rest[TRANSACTION:]


class Conflict(LamiError):
    """A transaction was refused because a row is not as demanded; nothing of it was written.

    `key` names the row whose demand failed (the first, where several did); `why` is `exists` (Create),
    `changed` (Replace or Delete: other etag) or `missing` (Replace or Delete: no such row).
    """

    def __init__(self, key: str, why: Literal["exists", "changed", "missing"]) -> None:
        super().__init__(f"row {key!r}: {why}")
        self.key = key
        self.why = why


class StoreUnavailable(Temporary):
    """The store could not be reached, is throttled or timed out; what was asked may or may not be done."""


class LimitExceeded(Permanent):
    """What was to be written is beyond Table Storage's limits; nothing of it was written."""


class Table(Protocol):
    """A table of partitions. Each method is one round trip, but `query` takes one a page and `flush` none."""

    def get(self, partition: str, key: str) -> Row | None:
        """Read one row, or None where there is none."""
        ...

    def query(
        self, partition: str, first: str = "", last: str | None = None, limit: int | None = None
    ) -> list[Row]:
        """Read the rows with `first <= key < last`, in key order, at most `limit` of them.

        `last=None` reads to the end of the partition. The pages (1,000 rows each) are not one
        snapshot: a row written in between may or may not be seen.
        """
        ...

    def behind(self, partition: str, last: str) -> str | None:
        """The first partition behind this one, and before `last`, that has rows; None where there is none."""
        ...

    def transact(self, partition: str, operations: Sequence[Operation]) -> Mapping[str, str]:
        """Do all of the operations or none; answer the new etag of every row written, by key.

        At most 100 operations, on distinct keys, 4 MiB in all. Raises `Conflict`, `LimitExceeded` or
        `StoreUnavailable`.
        """
        ...

    def flush(self) -> None:
        """Return when everything that was written to the table is on disk, by whomever: before an answer.

        What `transact` has written outlives this process at once, and a power failure only after this; one
        that comes before takes the newest transactions, never an older one without all that came after it.
        Raises `StoreUnavailable`.
        """
        ...

    def close(self) -> None:
        """Let go of connections. Closing twice is harmless."""
        ...


def partitions(table: Table, prefix: str) -> Iterator[str]:
    """The partitions whose names begin so, in their order, found as they are taken: a round trip each."""
    found = table.behind(prefix[:-1], prefix + BEHIND)
    while found is not None:
        if found.startswith(prefix):
            yield found
        found = table.behind(found, prefix + BEHIND)


def taken(table: Table, partition: str, first: str, last: str | None, sizes: Iterable[int]) -> Iterator[Row]:
    """The rows with `first <= key < last`, in key order, read as they are taken.

    `sizes` are how many are read at once, one time after the other; after them it is a whole page.
    """
    for most in chain(sizes, repeat(PAGE)):
        found = table.query(partition, first, last, most)
        yield from found
        if len(found) < most:
            return
        first = f"{found[-1].key}."  # Nothing stands between a key and that key with a dot behind it.
