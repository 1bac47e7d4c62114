"""The simulation notices when a rule is left out: a schedule is known for each that goes wrong without it."""

from __future__ import annotations

import logging

import pytest

from tests.simulation.mutants import MUTANTS, SEARCH, Mutant


@pytest.mark.timeout(900)
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_rule_left_out_is_noticed(mutant: Mutant, caplog: pytest.LogCaptureFixture) -> None:
    """With the rule the schedule ends well, and without it something does not hold.

    The seed that is known goes first; where the code has changed since, others are tried.
    """
    caplog.set_level(logging.CRITICAL)
    shows = mutant.first(range(mutant.seed, mutant.seed + 1))
    if shows is None:
        shows = mutant.first(range(SEARCH))
    assert shows is not None, f"not noticed in {SEARCH + 1} schedules; see `make mutants`"
    print(f"{mutant.name}: {shows + 1} schedules ({mutant.kind})")
    assert not mutant.shown_by(shows)


def test_a_patch_whose_place_has_changed_says_so() -> None:
    """A mutant that would mutate nothing must not pass for one that was noticed."""
    mutant = Mutant("nothing", Mutant.first, (("no such text", ""),), "none")
    with pytest.raises(AssertionError, match="renew the patch"), mutant.alive():
        pass
