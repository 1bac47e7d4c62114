"""A power failure takes what was written since the last flush, the newest first: no promise falls with it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from random import Random

import pytest

from lami.store.table import Operation, Row
from tests.simulation import world as worlds
from tests.simulation.memory_table import MemoryTable
from tests.simulation.schedules import CRASH, run
from tests.simulation.world import World

SCHEDULES = int(os.environ.get("LAMI_SCHEDULES", "60"))


class Volatile(MemoryTable):
    """Remembers how each partition was before the transactions that are not on disk yet."""

    def __init__(self) -> None:
        super().__init__()
        self.before: list[tuple[str, dict[str, Row]]] = []
        self.random = Random(0)

    def transact(self, partition: str, operations: Sequence[Operation]) -> Mapping[str, str]:
        held = self.partitions.get(partition, {})
        etags = super().transact(partition, operations)
        self.before.append((partition, held))
        return etags

    def flush(self) -> None:
        self.before.clear()

    def fail(self) -> int:
        """The power fails; answer how many transactions that took."""
        lost = self.random.randint(0, len(self.before))
        for _ in range(lost):
            partition, held = self.before.pop()
            self.partitions[partition] = held
        self.before.clear()
        return lost


@pytest.fixture
def lost(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many transactions each crash took: from now on a crash is a power failure."""
    taken: list[int] = []
    start = World._start

    def after_a_power_failure(self: World) -> object:
        assert isinstance(self.memory, Volatile)
        if self.crashed:
            taken.append(self.memory.fail())
        return start(self)

    monkeypatch.setattr(worlds, "MemoryTable", Volatile)
    monkeypatch.setattr(World, "_start", after_a_power_failure)
    return taken


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("wide", [False, True], ids=["narrow", "wide"])
def test_after_power_failures_all_promises_hold(lost: list[int], wide: bool) -> None:
    """What was acknowledged is there, and what was not comes again."""
    bad = {seed: wrong for seed in range(SCHEDULES) if (wrong := run(seed, CRASH, wide).violations())}
    assert not bad, f"{len(bad)} of {SCHEDULES} schedules, first: {next(iter(bad.items()))}"
    assert any(lost)


@pytest.mark.parametrize("seed", [1131, 3926])
def test_what_was_told_outlives_a_power_failure(lost: list[int], seed: int) -> None:
    """An alert went out, and the finding was gone with the power: no line said that it ever opened."""
    assert not run(seed, CRASH, wide=False).violations()


def test_an_acknowledgement_without_a_flush_shows(lost: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    """Were an event answered before its writes are on disk, some schedule would lose it."""
    monkeypatch.setattr(Volatile, "flush", lambda self: None)
    assert any(run(seed, CRASH, wide=True).violations() for seed in range(60))
