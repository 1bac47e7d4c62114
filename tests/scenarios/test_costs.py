"""What an event costs: reads of Azure, and round trips to the store up to the commit and in all."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import pytest

from lami.store.table import Operation, Row, Table
from tests.scenarios.test_main_job import APP, redeployable
from tests.simulation.azure import NARROW, TIDY, queue_scope
from tests.simulation.world import World

BOOKS = ("holder|", "principal|", "role|")


@dataclass
class CountingTable:
    """Counts round trips, and notes after how many the first book was committed."""

    inner: Table
    trips: list[str] = field(default_factory=list)
    committed_at: int = 0

    def get(self, partition: str, key: str) -> Row | None:
        self.trips.append(f"get {partition[:12]}")
        return self.inner.get(partition, key)

    def query(
        self, partition: str, first: str = "", last: str | None = None, limit: int | None = None
    ) -> list[Row]:
        self.trips.append(f"query {partition[:12]}")
        return self.inner.query(partition, first, last, limit)

    def behind(self, partition: str, last: str) -> str | None:
        return self.inner.behind(partition, last)

    def transact(self, partition: str, operations: Sequence[Operation]) -> Mapping[str, str]:
        self.trips.append(f"transact {partition[:12]}")
        if partition.startswith(BOOKS) and not self.committed_at:
            self.committed_at = len(self.trips)
        return self.inner.transact(partition, operations)

    def flush(self) -> None:
        self.inner.flush()

    def close(self) -> None:
        self.inner.close()


def touch(world: World) -> None:
    """The app is redeployed in place."""
    world.azure.put_app(APP)


def grant(world: World) -> None:
    """The app's identity is granted a narrow role that was never seen."""
    world.azure.grant(world.holder(APP).observed.system, NARROW, queue_scope(9))


def grant_to_stranger(world: World) -> None:
    """A principal that nobody carries is granted a narrow role."""
    world.azure.grant("99999999-9999-4999-8999-999999999999", NARROW, queue_scope(9))


def write_again(world: World) -> None:
    """A known assignment is deleted and made again under its name; only the second is told."""
    id, held = next(iter(world.azure.present.assignments.items()))
    world.azure.grant(held.principal, NARROW, held.access.scope, id.name)


def revoke(world: World) -> None:
    """A known assignment is deleted: what is missing waits for its grace."""
    world.azure.revoke(next(iter(world.azure.present.assignments)))


@pytest.mark.parametrize(
    ("change", "reads", "trips"),
    [(touch, 1, 4), (grant, 2, 10), (grant_to_stranger, 2, 7), (write_again, 1, 6), (revoke, 1, 10)],
)
def test_an_event_without_findings_costs_few_reads_and_round_trips(
    change: Callable[[World], None], reads: int, trips: int
) -> None:
    """At most four round trips up to the commit and ten in all; one read, two for what was never seen."""
    world = redeployable(grace="5m")
    counting = CountingTable(world.memory)
    world.table.inner = counting
    change(world)
    (event,) = world.azure.events
    before = world.azure.reads
    outcome = world.deliver(event)
    assert outcome is not None
    assert (outcome.outcome, outcome.findings) == ("recorded", ())
    assert world.azure.reads - before == reads
    assert counting.committed_at <= 4, counting.trips
    assert len(counting.trips) == trips, counting.trips
    assert trips <= 10


def test_a_custom_role_is_looked_at_where_it_is_first_held_and_then_no_more() -> None:
    """Its book is one more that is told; built-in roles have none."""
    world = redeployable(grace="5m")
    principal = world.holder(APP).observed.system
    reads = []
    for number in (7, 8):
        world.azure.grant(principal, TIDY, queue_scope(number))
        before = world.azure.reads
        world.deliver_all()
        reads.append(world.azure.reads - before)
    assert reads == [3, 2]
    assert [partition for partition in world.memory.partitions if partition.startswith("role|")] == [
        f"role|{TIDY.id}"
    ]


def test_a_redelivered_event_costs_no_more_than_the_first_time() -> None:
    """The gate is met at the commit; nothing is owed any longer."""
    world = redeployable()
    touch(world)
    (event,) = world.azure.events
    world.deliver(event)
    counting = CountingTable(world.memory)
    world.table.inner = counting
    world.deliver(event)
    assert [trip.split()[0] for trip in counting.trips] == ["query", "transact", "query"]
