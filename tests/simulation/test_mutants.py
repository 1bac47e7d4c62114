"""The simulation notices when a rule is left out: a schedule is known for each that goes wrong without it."""

from __future__ import annotations

import logging

import pytest

from tests.simulation.mutants import MUTANTS, Mutant
from tests.simulation.schedules import run
from tests.simulation.world import World

SEARCH = 400
"""How many further seeds are tried where the code has changed since and the known one shows nothing."""


def _noticed(mutant: Mutant, seed: int) -> bool:
    """Whether something does not hold at the end of a schedule, or it does not come to its end."""
    try:
        world: World = run(seed, mutant.faults, mutant.wide)
    except (AssertionError, KeyError):
        return True
    return bool(world.violations())


@pytest.mark.timeout(600)
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_rule_left_out_is_noticed(mutant: Mutant, caplog: pytest.LogCaptureFixture) -> None:
    """With the rule the schedule ends well, and without it something does not hold."""
    caplog.set_level(logging.CRITICAL)
    with mutant.alive():
        shows = next((seed for seed in (mutant.seed, *range(SEARCH)) if _noticed(mutant, seed)), None)
    assert shows is not None, f"not noticed in {SEARCH + 1} schedules"
    print(f"{mutant.name}: noticed by schedule {shows}")
    assert not _noticed(mutant, shows)
