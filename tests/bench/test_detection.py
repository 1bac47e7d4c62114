"""`lami bench detection`: what it plants it counts, and a lami that says too much or too little shows."""

from __future__ import annotations

from collections import Counter

import pytest

from lami.bench.detection import SEED, Verdict, played
from lami.bench.incidents import INCIDENTS
from lami.bench.measure import Row
from lami.bench.play import Drift, Play
from lami.core.policy import RULES
from lami.sandbox.model import Actor as Somebody

ORDINARY, INCIDENT = "3 days of ordinary changes", "80 planted incidents"


def figures(policy: str = "", seed: int = SEED) -> dict[str, Row]:
    """All rows of the size for tests, under a policy, by name."""
    return {row.name: row for row in played(Play(seed, 2, policy), "quick", lambda step: None)}


@pytest.fixture(scope="module")
def quick() -> dict[str, Row]:
    """All rows under the packaged policy."""
    return figures()


def test_nothing_is_missed_and_nothing_unexpected_is_told(quick: dict[str, Row]) -> None:
    """Not in ordinary life, and not where incidents are planted."""
    judged = {name: row for name, row in quick.items() if row.aims}
    assert len(judged) == 2 * 2 * (1 + len(RULES))
    assert {name: (row.value, row.note) for name, row in judged.items() if row.value} == {}


def test_every_rule_that_has_an_incident_is_put_to_the_test(quick: dict[str, Row]) -> None:
    """Each kind of incident is planted twice, and leads to findings of every rule."""
    assert len(INCIDENTS) * 2 == 80
    assert quick[f"{ORDINARY}: planned and told"].value == 4
    for rule in ("identity-churn", "broad-grant", "orphaned-assignment", "missing-grant"):
        value = quick[f"{INCIDENT}: {rule}: to be told"].value
        assert isinstance(value, int)
        assert value > 10
    untested = {rule for rule in RULES if not quick[f"{INCIDENT}: {rule}: to be told"].value}
    assert untested == {"lami-gap"}


def test_the_same_seed_gives_the_same_month(quick: dict[str, Row]) -> None:
    """All figures but the time that it took."""
    again = figures()
    assert {name: row for name, row in again.items() if "took" not in name} == {
        name: row for name, row in quick.items() if "took" not in name
    }


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_another_seed_is_another_month_with_the_same_verdict(seed: int, quick: dict[str, Row]) -> None:
    """Nothing hangs on the one that is drawn from."""
    other = figures(seed=seed)
    assert [(name, row.value, row.note) for name, row in other.items() if row.aims and row.value] == []
    assert {name: row.value for name, row in other.items()} != {
        name: row.value for name, row in quick.items()
    }


def test_a_lami_without_patience_raises_false_alarms() -> None:
    """Without a grace, an ordinary deployment that deletes a grant before it makes it is told."""
    hasty = figures('[grace]\norphaned-assignment = "0s"\nmissing-grant = "0s"')
    unexpected = hasty[f"{ORDINARY}: missing-grant: unexpected"]
    assert unexpected.value
    assert unexpected.met is False
    assert "lacks" in hasty[f"{ORDINARY}: unexpected"].note


def test_a_lami_that_is_blind_misses() -> None:
    """What a policy does not call broad is planted nevertheless, and missed."""
    blind = figures("[broad]\nwrites-all = {}\ntakes-identity = {}")
    missed = blind[f"{INCIDENT}: broad-grant: missed"]
    assert missed.value
    assert missed.met is False
    assert "broad-grant of" in blind[f"{INCIDENT}: missed"].note


def test_a_finding_of_another_severity_is_both_missed_and_unexpected() -> None:
    """A finding counts only as it was to be told."""
    expected = Drift("broad-grant", "p", "critical", access="owner /")
    told = expected._replace(severity="high")
    verdict = Verdict(Counter([expected]), Counter([told]))
    assert (verdict.missed("broad-grant"), verdict.unexpected()) == (Counter([expected]), Counter([told]))
    assert not verdict.missed("missing-grant")


def test_activations_and_clusters_are_noise_where_nobody_lists_them() -> None:
    """The automation of the estate does what would be told of anybody else."""
    play = Play(SEED, 2)
    listed, play.cast.elevation = play.cast.elevation, Somebody.named("somebody else", "application")
    assert listed.object_id != play.cast.elevation.object_id
    rows = {row.name: row for row in played(play, "quick", lambda step: None)}
    assert rows[f"{ORDINARY}: broad-grant: unexpected"].value
