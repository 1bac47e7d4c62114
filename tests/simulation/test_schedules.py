"""After every random schedule lami's state equals ARM, its findings are those that hold, all was told.

`make simulate SEED=…` repeats one seed's; `make simulate-long` runs very many.
"""

from __future__ import annotations

import os

import pytest

from tests.simulation.schedules import EVERY, Faults, run

SCHEDULES = int(os.environ.get("LAMI_SCHEDULES", "60"))


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("faults", EVERY, ids=str)
@pytest.mark.parametrize("wide", [False, True], ids=["narrow", "wide"])
def test_after_every_schedule_all_promises_hold(wide: bool, faults: Faults) -> None:
    """State equals ARM, findings are those that hold, all told, chains whole, nothing owed."""
    bad = {}
    for seed in range(SCHEDULES):
        violations = run(seed, faults, wide).violations()
        if violations:
            bad[seed] = violations
    assert not bad, f"{len(bad)} of {SCHEDULES} schedules, first: {next(iter(bad.items()))}"


def test_a_seed_repeats_a_schedule_exactly() -> None:
    """Races too: the same seed gives the same rows, to the letter."""
    for faults in EVERY:
        one, other = run(5, faults, wide=True), run(5, faults, wide=True)
        assert one.memory.partitions == other.memory.partitions, faults
