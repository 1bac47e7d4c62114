"""`lami serve` on SQLite, killed with -9 under load and started again, over and over.

`LAMI_KILLS` says how often (20; 200 in the long run: `make faults-long`).
"""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from tests.faults.serving import struck

KILLS = int(os.environ.get("LAMI_KILLS", "20"))
A_RUN = 4
"""Kills of one lami: in the first load, and whenever what was not acknowledged comes again."""


@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", range(KILLS // A_RUN))
def test_what_was_acknowledged_outlives_a_kill(seed: int, tmp_path: Path) -> None:
    """Nothing acknowledged is missing, and after redelivery all is as with a lami that nobody killed."""
    drawn = random.Random(seed)
    with struck(tmp_path, f"sqlite:///{tmp_path / 'lami.db'}", seed) as world:
        left = world.events
        for kill in range(A_RUN):
            answers, seconds = drawn.randrange(1, 5), drawn.uniform(0, 0.05)
            # On a busy machine nothing may be left: then all of it comes twice.
            left = world.struck_while_posting(left or world.events, world.process.kill, answers, seconds)
            assert left or kill, "the first kill came too late to interrupt anything"
            world.process.start()
            assert world.missing() == []
        world.deliveries.all(left)
        assert world.wrong(A_RUN) == []
