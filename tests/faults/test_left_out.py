"""The crash points notice when a rule is left out that only a crash shows the need of."""

from __future__ import annotations

import logging

import pytest

from lami.drain import Drain
from lami.runs import Handler
from lami.walker import Walker
from tests.faults.story import STORY
from tests.faults.test_points import cases, without_faults, wrong_after
from tests.simulation.mutants import Mutant
from tests.simulation.schedules import CRASH

LEFT_OUT = (
    (
        "accepted",
        Mutant(
            "a command is not on the due list while it is done",
            Drain.carry_out,
            (("self._due.add([watch])", "pass"),),
            CRASH.name,
        ),
    ),
    (
        "reconciled",
        Mutant(
            "a subject is not on the due list while reconcile handles it",
            Handler._watched,
            (("self.due.add(watches.values())", "pass"),),
            CRASH.name,
        ),
    ),
    (
        "deleted",
        Mutant(
            "debts are crossed off before the index has its copies",
            Drain.pay,
            (
                (
                    "self._index(around)\n    self._cross_off(around)",
                    "self._cross_off(around)\n    self._index(around)",
                ),
            ),
            CRASH.name,
        ),
    ),
    (
        "deleted",
        Mutant(
            "debts are crossed off before later looks are on the due list",
            Drain.pay,
            (
                (
                    "self._looks(around)\n    self._index(around)\n    self._cross_off(around)",
                    "self._index(around)\n    self._cross_off(around)\n    self._looks(around)",
                ),
            ),
            CRASH.name,
        ),
    ),
    (
        "deleted",
        Mutant(
            "what is due is off the list before its debts are paid",
            Walker.walk,
            (
                (
                    "paid = self._paid(done)",
                    "for item in done:\n        self._due.done(item)\n    paid = self._paid(done)",
                ),
            ),
            CRASH.name,
        ),
    ),
)


@pytest.mark.timeout(600)
@pytest.mark.parametrize(("step", "mutant"), LEFT_OUT, ids=[mutant.name for _, mutant in LEFT_OUT])
def test_a_rule_left_out_is_noticed(step: str, mutant: Mutant, caplog: pytest.LogCaptureFixture) -> None:
    """Without the rule, one fault at one call of this step leaves something wrong."""
    caplog.set_level(logging.CRITICAL)
    number = [one.name for one in STORY].index(step)
    tried = list(cases(number))
    assert without_faults()
    with mutant.alive():
        wrong = (wrong_after(number, at, fault, number) for at, _, fault in tried)
        runs = next((count for count, lines in enumerate(wrong, start=1) if lines), None)
    assert runs is not None, f"not noticed in {len(tried)} runs"
    print(f"{mutant.name}: noticed in run {runs} of {len(tried)}")
