"""Schedules that once went wrong: what was wrong with lami, each with a seed that shows it.

The seeds are of the schedules as they are drawn now. That they would still show it is held by the mutants
that leave the mend out again (`tests/simulation/mutants.py`, by the names below); the shortest story of each
is in `tests/scenarios/test_found_by_simulation.py`.
"""

from __future__ import annotations

import pytest

from tests.simulation.many import judge
from tests.simulation.mutants import MUTANTS

MENDED = {
    "patience that never begins where nothing told a time": (
        "a user-assigned identity whose delete was lost was doubted for ever, and looked at every two minutes"
    ),
    "a role believed whenever it was written": (
        "a role seen through a replica that lagged stayed as it was before, for good"
    ),
    "an acceptance without its due row": (
        "an acceptance whose process died before it had paid was open in the index and unknown to principals"
    ),
}


@pytest.mark.parametrize("name", MENDED)
def test_a_schedule_that_once_went_wrong_ends_well(name: str) -> None:
    """The seed that shows the fault where its mend is left out shows none with it."""
    mutant = next(mutant for mutant in MUTANTS if mutant.name == name)
    assert judge(mutant.kind, mutant.wide, mutant.seed) is None, MENDED[name]
    with mutant.alive():
        assert judge(mutant.kind, mutant.wide, mutant.seed) is not None, (
            "it no longer shows it: renew the seed"
        )


@pytest.mark.parametrize(("kind", "seed"), [("fail", 537), ("reconcile", 612)])
def test_a_finding_that_is_owed_twice_is_told_once(kind: str, seed: int) -> None:
    """It opened again before the first debt was paid: one alert named it twice, and so did the entry."""
    assert judge(kind, False, seed) is None


def test_a_walk_does_not_write_what_is_older_over_what_is_newer() -> None:
    """A book loaded before another item's own drain was drained again after it: the digest was the old."""
    assert judge("long lag", False, 863) is None


@pytest.mark.parametrize("seed", [2203, 2385, 2730])
def test_what_reconcile_finds_of_an_app_that_came_back_as_it_was_is_a_line(seed: int) -> None:
    """Its events were late by hours: it counted as missed by events, and no line said what was."""
    assert judge("directory", False, seed) is None


def test_who_turns_out_to_hold_a_name_at_a_later_look_is_looked_at_once_more() -> None:
    """The delete went to the book that was known; the later look showed another principal, in the past."""
    assert judge("long lag", False, 947) is None


@pytest.mark.parametrize("kind", ["governed, with lag", "governed, storm"])
def test_what_is_gone_without_a_delete_is_gone_from_when_it_was_seen(kind: str) -> None:
    """The next look was answered by a replica that still showed it, and it came back for a moment."""
    assert judge(kind, False, 115) is None


def test_a_run_that_ends_leaves_the_other_question_to_the_directory() -> None:
    """What a run held of the directory, and crossed off, fell on the same moment as the second question."""
    assert judge("directory", False, 227) is None


@pytest.mark.parametrize(("kind", "seed"), [("lag", 232), ("a worker stalls, with lag", 765)])
def test_a_name_used_by_several_is_looked_at_for_each_once_more(kind: str, seed: int) -> None:
    """The delete of the one's went to the other's book, and a lagging replica then showed it to the one."""
    assert judge(kind, False, seed) is None


@pytest.mark.parametrize("seed", [1140, 2005])
def test_a_principal_that_its_take_could_not_read_is_taken_with_its_holder(seed: int) -> None:
    """The holder told it that it is carried, and what it held already was told as a broad grant."""
    assert judge("take", False, seed) is None


def test_a_definition_that_changed_unannounced_leaves_a_line_though_no_rule_minds_it() -> None:
    """Reconcile counted it as missed by events, and the timeline did not say what was."""
    assert judge("directory", False, 4525) is None


def test_a_delete_is_not_given_up_where_somebody_was_learnt_of_meanwhile() -> None:
    """A worker stood still between index and look; another took a lagging replica's word for the grant."""
    assert judge("a worker stalls, with lag", False, 9897) is None


def test_a_condition_that_another_assignment_had_at_first_is_none_that_was_forgotten() -> None:
    """Of two alike the one got the other's condition: the check took what is expected anyway for a loss."""
    assert judge("governed, reconcile", False, 61099) is None
