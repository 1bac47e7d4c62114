"""Figures, floors and aims, and what runs in a process of its own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from lami.bench.apart import Failed, apart
from lami.bench.measure import Floor, Row, at_least, at_most, memory, percentile, rate, within
from lami.bench.storm import WINDOW, most_within


def test_aims_are_judged_by_figure_and_by_ratio() -> None:
    """All aims of a row have to be met."""
    floor = Floor(2.0, "the least")
    assert Row("b", "n", 5.9, "ms", floor, (at_most(6), within(3))).met is True
    assert Row("b", "n", 6.1, "ms", floor, (at_most(7), within(3))).met is False
    assert Row("b", "n", 5.9, "ms", floor, (at_most(5), within(3))).met is False
    assert Row("b", "n", 100, "events/s", None, (at_least(100),)).met is True


def test_a_rate_is_compared_the_other_way_round() -> None:
    """Half the floor's rate costs twice as much."""
    assert Row("b", "n", 50, "decisions/s", Floor(100, "the least")).ratio == 2


def test_what_was_not_measured_meets_no_aim_and_misses_none() -> None:
    """A figure that there is not is neither good nor bad."""
    skipped = Row("b", "n", None, "ms", aims=(at_most(6),), note="skipped: no node")
    assert (skipped.met, skipped.ratio) == (None, None)
    assert Row("b", "n", 6, "ms").met is None


def test_percentiles() -> None:
    """Half of the figures are not above the 50th, nearly all not above the 99th."""
    figures = [float(number) for number in range(101)]
    assert (percentile(figures, 50), percentile(figures, 99)) == (50.0, 99.0)


def test_rate_counts() -> None:
    """A thing that is done is counted at least once, and the rate is positive."""
    done: list[int] = []
    assert rate(lambda: done.append(1), 0.001) > 0
    assert done


def test_memory_of_this_process() -> None:
    """What it holds now is not more than it ever did."""
    held = memory()
    assert held is None or 0 < held.now <= held.peak * 1.01


def test_most_reads_within_a_window() -> None:
    """Reads are counted over any window, wherever it begins."""
    samples = [(0.0, 0), (1.0, 100), (WINDOW - 0.5, 100), (WINDOW, 190), (WINDOW + 5, 290), (3 * WINDOW, 300)]
    assert most_within(samples) == 190
    assert most_within([(0.0, 0)]) == 0


@contextmanager
def numbers(*given: int) -> Iterator[list[int]]:
    """Something to be had in another process."""
    yield list(given)


@contextmanager
def nothing() -> Iterator[None]:
    """Something that cannot be made."""
    raise ValueError("no")
    yield


def add(held: list[int], number: int) -> tuple[int, int]:
    """Change what is held there; its sum, and the process it is in."""
    held.append(number)
    return sum(held), os.getpid()


def fail(held: list[int]) -> None:
    """Fail there."""
    raise KeyError("there")


def test_apart_is_another_process() -> None:
    """What is asked is done there, where it is remembered; what fails there is raised here."""
    with apart(numbers, 1, 2) as there:
        total, process = there.do(add, 3)
        assert total == 6
        assert process != os.getpid()
        with pytest.raises(Failed, match="KeyError: 'there'"):
            there.do(fail)
        assert there.do(add, 4) == (10, process)


def test_apart_that_does_not_start() -> None:
    """A process that cannot make what it should is an error, and no wait without end."""
    with pytest.raises(Failed, match="did not start"), apart(nothing):
        pass
