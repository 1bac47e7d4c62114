"""Several workers at once on one SQLite file: each event is told once, and state equals ARM."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lami.core.ids import ResourceId
from lami.errors import LamiError
from lami.service import Outcome
from lami.store.books import Books
from lami.store.index import SHARDS
from lami.store.sqlite import SqliteTable
from lami.store.table import Table
from lami.wiring import Watch, assemble
from tests.simulation.azure import CONTRIBUTOR, NARROW, SUB, app_id, queue_scope
from tests.simulation.memory_table import MemoryTable
from tests.simulation.world import World

WORKERS = 6


def copied(table: Table, partitions: list[str]) -> MemoryTable:
    """The rows of these partitions in memory, for the checks that a schedule ends with."""
    memory = MemoryTable()
    for partition in partitions:
        memory.partitions[partition] = {row.key: row for row in table.query(partition)}
    return memory


@pytest.mark.parametrize("seed", range(4))
def test_workers_that_share_a_store_neither_lose_nor_double(seed: int, tmp_path: Path) -> None:
    """Every event is delivered to several workers at the same time."""
    world = World(seed, "0s")
    table = SqliteTable(str(tmp_path / "lami.db"))
    world.lami = assemble(
        world.settings, table, world.azure, world.channels, Watch(), world.azure.clock, world.azure.sleep
    )
    apps = [app_id(f"app{number}") for number in range(3)]
    for app in apps:
        principal = world.azure.put_app(app)
        for number in range(2):
            world.azure.grant(principal, NARROW, queue_scope(number))
    world.azure.events.clear()
    world.azure.sleep(3600)
    world.take()
    for app in apps:
        world.azure.delete(app)
        world.azure.grant(world.azure.put_app(app), CONTRIBUTOR, ResourceId(f"/subscriptions/{SUB}"))
    deliveries = world.azure.events * 3
    world.random.shuffle(deliveries)
    with ThreadPoolExecutor(WORKERS) as pool:
        outcomes = list(pool.map(lambda event: persist(world, event), deliveries))
    world.settle()
    assert {outcome.outcome for outcome in outcomes} <= {"recorded", "duplicate", "deferred"}
    books = Books(table)
    subjects = world.lami.queries.subjects((SUB,))
    index = [f"{one}|{shard}" for one in ("findings", "day|2026-11-24") for shard in SHARDS]
    world.memory = copied(table, [*(subject.partition for subject in subjects), *index])
    assert world.violations() == []
    for channel in world.channels:
        assert len(channel.told) == len(set(channel.told))
    assert all(not books.load(subject).book.owed for subject in subjects)
    table.close()


def persist(world: World, event: object) -> Outcome:
    """Deliver until it is acknowledged, as Event Grid does."""
    for _ in range(20):
        try:
            return world.lami.service.receive(event)
        except LamiError:
            continue
    raise AssertionError("refused for ever")
