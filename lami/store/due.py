"""What is to be done later: re-checks, unpaid debts, runs of reconcile; in the order of their time."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Literal

from msgspec import Struct

from lami.core.ids import digest
from lami.core.model import Cause, Change, Subject
from lami.store import rows
from lami.store.table import Conflict, Delete, Operation, Put, Table, batched

SHARDS = "0123"
Why = Literal["drain", "doubt", "grace", "until", "route", "reconcile"]


class Due(Struct, frozen=True):
    """Something to do at a time: `drain` a subject's debts; look at it again (`doubt`, `grace`, `until`);
    `route` a change whose assignment nobody knew; `reconcile` the subscription that `resource` names, or,
    where it names none, what is granted above all of them; or the directory, of whoever is granted something.

    `tries` counts the times it could not be done.
    """

    at: datetime
    why: Why
    cause: Cause
    subject: Subject | None = None
    resource: str = ""
    change: Change | None = None
    tries: int = 0

    @property
    def id(self) -> str:
        """The row's key: the same thing at the same time is one row; of a run each has its own.

        So that a run which crosses off what it holds of a place leaves alone what another is to do there.
        """
        what = self.subject.partition if self.subject else ""
        change = self.change.event_id if self.change else ""
        run = self.cause.id if self.why == "reconcile" else ""
        return f"{_ms(self.at)}|{digest(self.why, what, self.resource, change, run, str(self.tries))}"

    @property
    def partition(self) -> str:
        """The partition of the row, by what it is about and never by when."""
        what = self.subject.partition if self.subject else self.resource
        return f"due|{SHARDS[int(digest(what, length=2), 16) % len(SHARDS)]}"


class DueList:
    """The rows of the `due` partitions."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def add(self, items: Iterable[Due]) -> None:
        """Put items on the list; one round trip a shard."""
        batches: dict[str, dict[str, Operation]] = {}
        for item in items:
            batches.setdefault(item.partition, {})[item.id] = Put(item.id, rows.pack(item))
        for partition, operations in sorted(batches.items()):
            for batch in batched(operations.values()):
                self._table.transact(partition, batch)

    def by(self, now: datetime, limit: int = 250) -> list[Due]:
        """The items whose time has come, oldest first; at most `limit` a shard."""
        found = [
            rows.unpack(row.values, Due)
            for shard in SHARDS
            for row in self._table.query(f"due|{shard}", "", _ms(now), limit)
        ]
        return sorted(found, key=lambda item: item.id)

    def soonest(self, limit: int = 1_000) -> list[Due]:
        """What is on the list, soonest first; at most `limit` a shard, since a storm can make it long."""
        found = [
            rows.unpack(row.values, Due)
            for shard in SHARDS
            for row in self._table.query(f"due|{shard}", limit=limit)
        ]
        return sorted(found, key=lambda item: item.id)

    def done(self, item: Due) -> None:
        """Take an item off the list; harmless where another walker did."""
        self._write(item.partition, [Delete(item.id)])

    def all_done(self, items: Iterable[Due]) -> None:
        """Take many items off the list: one round trip a shard, where no other walker was there first."""
        shards: dict[str, list[Operation]] = {}
        for item in items:
            shards.setdefault(item.partition, []).append(Delete(item.id))
        for partition, operations in sorted(shards.items()):
            for batch in batched(operations):
                try:
                    self._table.transact(partition, batch)
                except Conflict:
                    for operation in batch:
                        self._write(partition, [operation])

    def postpone(self, item: Due, later: Due) -> None:
        """Replace an item by a later one, in one transaction."""
        self._write(item.partition, [Put(later.id, rows.pack(later)), Delete(item.id)])

    def _write(self, partition: str, operations: list[Operation]) -> None:
        try:
            self._table.transact(partition, operations)
        except Conflict:
            return  # Another walker was here first: it has done the same.


def _ms(time: datetime) -> str:
    return f"{int(time.timestamp() * 1000):014d}"
