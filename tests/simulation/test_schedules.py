"""After every random schedule lami's state equals ARM, its findings are those that hold, all was told.

`make simulate SEED=…` repeats one seed's; `make simulate-long` runs a million.
"""

from __future__ import annotations

import os

import pytest

from tests.simulation.many import Chunk, chunks, do_all
from tests.simulation.schedules import BY_NAME, EVERY, run

NARROW = int(os.environ.get("LAMI_SCHEDULES", "30000"))
"""How many narrow schedules are run; wide ones are a fifteenth of that."""


@pytest.mark.timeout(3600)
@pytest.mark.parametrize(("narrow", "wide"), [(NARROW, 0), (0, NARROW // 15)], ids=["narrow", "wide"])
def test_after_every_schedule_all_promises_hold(narrow: int, wide: int) -> None:
    """State equals ARM, findings are those that hold, all told, the timeline explains it, nothing owed."""
    work = chunks(narrow, wide)
    assert {chunk.kind for chunk in work} == BY_NAME.keys()
    bad = do_all(work)
    said = "\n".join(str(one) for one in bad[:5])
    assert not bad, f"{len(bad)} of {sum(chunk.count for chunk in work)} schedules, the first:\n{said}"


def test_a_seed_repeats_a_schedule_exactly() -> None:
    """Races too: the same seed gives the same rows, to the letter."""
    for faults in EVERY:
        one, other = run(5, faults, wide=True), run(5, faults, wide=True)
        assert one.memory.partitions == other.memory.partitions, faults


def test_at_least_as_many_schedules_are_run_as_are_asked_for() -> None:
    """Spread over the kinds of fault, none of them twice."""
    work = chunks(1000, 100)
    for wide, asked in ((False, 1000), (True, 100)):
        one_by_one = [
            (chunk.kind, seed)
            for chunk in work
            if chunk.wide == wide
            for seed in range(chunk.first, chunk.first + chunk.count)
        ]
        assert asked <= len(one_by_one) < asked + len(EVERY)
        assert len(set(one_by_one)) == len(one_by_one)


def test_a_schedule_that_goes_wrong_says_how_to_see_it_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its seed, its kind and the command."""
    from tests.simulation import many, promises

    monkeypatch.setattr(promises, "CHECKS", (lambda held: iter(["all is lost"]),))
    (bad,) = many.do(Chunk("once", False, 7, 1))
    assert "all is lost" in str(bad)
    assert 'make simulate SEED=7 KIND="once" WIDTH=narrow' in str(bad)
