"""Every fault at every call of the longest story: afterwards all is as it would have been without.

A call is one of the store, of ARM or of a channel. At the end of the step in which the fault struck, what is
held, found and told is compared with the same story without the fault; some cases play on to the story's end,
and all of them in the long run (`make faults-long`).
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import pytest

from lami.errors import LamiError
from tests.faults.outcome import Outcome, differences
from tests.faults.story import BETWEEN, OPERATOR, STORY, Stage
from tests.faults.strike import Call, Fault, faults_of
from tests.simulation.trouble import Crash

TO_THE_END = 1 if "LAMI_FAULTS_LONG" in os.environ else 20
"""Of so many cases one is played on to the end of the story."""


@dataclass(frozen=True)
class Told:
    """The story without faults: before each step the stage, and after it the calls made and the outcome."""

    before: Sequence[Stage]
    calls: Sequence[Sequence[Call]]
    after: Sequence[Outcome]


@cache
def without_faults() -> Told:
    """Play the story once; each step's end must hold by itself, and be true of Azure."""
    stage, before, calls, after = Stage(), [], [], []
    for number, step in enumerate(STORY):
        before.append(stage.copy())
        made = len(stage.calls.made)
        stage.play(step, number)
        calls.append(stage.calls.made[made:])
        after.append(stage.outcome())
        assert stage.violations() + stage.contradictions() == []
    return Told(before, calls, after)


def cases(number: int) -> Iterator[tuple[int, Call, Fault]]:
    """Each call of a step with each fault that can happen there."""
    for at, call in enumerate(without_faults().calls[number]):
        for fault in faults_of(call):
            yield at, call, fault


def wrong_after(number: int, at: int, fault: Fault, last: int) -> list[str]:
    """Play from a step to another one with the fault at one call; what is not as it should be."""
    told = without_faults()
    stage = told.before[number].copy()
    stage.calls.at, stage.calls.fault = at, fault
    for one in range(number, last + 1):
        try:
            stage.play(STORY[one], one)
        except (LamiError, AssertionError, KeyError) as failure:
            return [f"{STORY[one].name}: {failure!r}"]
        assert stage.calls.struck
        wrong = differences(told.after[one], stage.outcome(), stage.calls.excused) + stage.contradictions()
        if wrong:
            return [f"{STORY[one].name}: {line}" for line in wrong]
    return []


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("number", range(len(STORY)), ids=[step.name for step in STORY])
def test_a_fault_at_any_call_changes_nothing_in_the_end(
    number: int, caplog: pytest.LogCaptureFixture
) -> None:
    """One fault a run; then redelivery, the operator and the walker do the rest."""
    caplog.set_level(logging.CRITICAL)
    bad: dict[str, list[str]] = {}
    tried = list(cases(number))
    for count, (at, call, fault) in enumerate(tried):
        last = len(STORY) - 1 if count % TO_THE_END == 0 else number
        if wrong := wrong_after(number, at, fault, last):
            bad[f"{fault.value} at call {at}, {call.what}"] = wrong
    print(f"{STORY[number].name}: {len(tried)} runs, a fault in each")
    assert not bad, f"{len(bad)} of {len(tried)} runs, first: {next(iter(bad.items()))}"


def test_an_operators_command_that_died_is_finished_without_him() -> None:
    """Nobody delivers a command again: what was committed of it is completed by the walker alone."""
    number = [step.name for step in STORY].index("accepted")
    told = without_faults()
    for at, call in enumerate(told.calls[number]):
        stage = told.before[number].copy()
        stage.calls.at, stage.calls.fault = at, Fault.CRASH_AFTER
        stage.azure.sleep(3600)
        try:
            for finding in stage.findings():
                if finding.rule in ("identity-churn", "broad-grant"):
                    stage.lami.service.accept(finding.id, OPERATOR, "as agreed")
        except Crash:
            stage.lami = stage.started()
        stage.walk_until(stage.azure.now + BETWEEN)
        assert stage.contradictions() == [], f"call {at}, {call.what}"
