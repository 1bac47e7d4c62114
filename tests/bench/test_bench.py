"""`lami bench --quick`: all of it is measured, and what does not depend on the machine is as it must be."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from lami.bench import BENCHES
from lami.cli.root import lami
from tests.azurite import PROGRAM

MEMBERS = ["bench", "name", "value", "unit", "floor", "ratio", "aim", "met", "note"]
ROOT = Path(__file__).parent.parent.parent
pytestmark = pytest.mark.timeout(600)

Row = dict[str, object]


def started(*names: str) -> subprocess.Popen[str]:
    """A run of some measurements, at the size for tests, in a process of its own."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("LAMI_")}
    return subprocess.Popen(
        [sys.executable, "-m", "lami.cli", "bench", *names, "--quick", "-o", "json"],
        env={**clean, "AZURITE": str(PROGRAM)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    """All rows. A storm mostly waits, so that the others run meanwhile."""
    names = [bench.name for bench in BENCHES if bench.name not in ("storm", "machine")]
    runs = [started(*names), started("storm")]
    found: list[Row] = []
    try:
        for run in runs:
            output, said = run.communicate(timeout=500)
            assert run.returncode == 0, said
            found += json.loads(output)["value"]
    finally:
        for run in runs:
            run.kill()
            run.wait()
    return found


def of(rows: list[Row], bench: str) -> list[Row]:
    """The rows of one measurement."""
    return [row for row in rows if row["bench"] == bench]


def only(rows: list[Row], bench: str, name: str) -> Row:
    """The one row of a measurement whose name contains this."""
    (row,) = [row for row in of(rows, bench) if name in str(row["name"])]
    return row


def figure(row: Row, member: str = "value") -> float:
    """A figure of a row."""
    value = row[member]
    assert isinstance(value, int | float), row
    return value


def test_every_module_that_measures_is_named() -> None:
    """The tuple has exactly the modules that can run, each with what it is about."""
    modules = {path.stem for path in (ROOT / "lami/bench").glob("*.py") if "\ndef run(" in path.read_text()}
    assert modules == {bench.name for bench in BENCHES}
    assert all(bench.about for bench in BENCHES)


def test_every_measurement_is_made(rows: list[Row]) -> None:
    """Each yields figures, in the shape that is documented, and a ratio wherever there is a floor."""
    for bench in BENCHES:
        assert of(rows, bench.name), bench.name
    for row in rows:
        assert list(row) == MEMBERS
        assert row["value"] is not None, row
        assert row["bench"] == "machine" or row["name"] == "seed" or figure(row) >= 0
        assert (row["floor"] is None) == (row["ratio"] is None), row
        assert (row["aim"] is None) == (row["met"] is None), row


def test_ratio_is_what_it_costs_beside_the_floor(rows: list[Row]) -> None:
    """A ratio of 2 is twice the time, and half the rate."""
    for row in rows:
        if isinstance(row["floor"], dict):
            times = figure(row) / row["floor"]["value"]
            slower = 1 / times if str(row["unit"]).endswith("/s") else times
            assert figure(row, "ratio") == pytest.approx(slower, rel=0.01)


def test_the_machine_is_told(rows: list[Row]) -> None:
    """Figures come with what they were measured on."""
    assert {row["name"] for row in of(rows, "machine")} >= {"Python", "processors", "SQLite"}


def test_counted_costs(rows: list[Row]) -> None:
    """Ordinary events take one read of ARM, two where the assignment was never seen, and ten round trips."""
    reads = {str(row["name"]): row for row in of(rows, "costs") if row["unit"] == "reads"}
    assert {name.removesuffix(": ARM"): row["value"] for name, row in reads.items() if row["aim"]} == {
        "an app deployed in place": 1,
        "a Standard app with two workflows deployed in place": 4,
        "the same event again": 1,
        "a narrow grant that is new": 2,
        "a narrow grant to a principal never seen": 2,
        "a known assignment written again": 1,
        "a known assignment deleted": 1,
    }
    assert all(row["met"] for row in of(rows, "costs") if row["aim"])


def test_an_event_costs_more_than_its_floor(rows: list[Row]) -> None:
    """The floor does the same read and the same writes, so that lami cannot be cheaper; nor is it far off."""
    for row in of(rows, "event"):
        if "processor, mean" in str(row["name"]):
            assert 1 < figure(row, "ratio") < 40, row


def test_decisions_cost_more_than_their_floor(rows: list[Row]) -> None:
    """A decision makes at least the objects of its floor."""
    assert all(1 < figure(row, "ratio") < 200 for row in of(rows, "core"))


def test_cost_does_not_grow_with_the_table(rows: list[Row]) -> None:
    """Twenty times as many subjects are not even twice the processor time."""
    grown = [row for row in of(rows, "growth") if row["floor"] and "processor" in str(row["name"])]
    assert grown
    assert all(figure(row, "ratio") < 2 for row in grown)


def test_a_storm_is_swept(rows: list[Row]) -> None:
    """A burst costs far fewer reads than it has events, and each entry names its own actor."""
    assert figure(only(rows, "storm", "burst of 200: ARM, each")) < 0.6
    assert figure(only(rows, "storm", "without an entry that names its own actor")) == 0


def test_reconcile_loads_only_what_differs(rows: list[Row]) -> None:
    """Where nothing differs no book is loaded; where six identities do, those six and who carries them."""
    assert (
        figure(only(rows, "reconcile", "nothing differs of 800 assignments, 40 apps, 4 subscriptions: books"))
        == 0
    )
    assert figure(only(rows, "reconcile", "6 differ: found")) == 6
    assert (
        6
        <= figure(only(rows, "reconcile", "6 differ of 800 assignments, 40 apps, 4 subscriptions: books"))
        <= 24
    )


def test_stages_of_an_event_are_most_of_it(rows: list[Row]) -> None:
    """The stages that the profile names are what an event consists of."""
    for kind in ("an app deployed in place", "a known assignment written again"):
        stages = [
            figure(row)
            for row in of(rows, "profile")
            if str(row["name"]).startswith(kind) and ": in " not in str(row["name"])
        ]
        assert 80 < sum(stages) <= 100


def test_a_card_goes_into_teams(rows: list[Row]) -> None:
    """The card of a redeploy is below what Teams takes."""
    assert only(rows, "sizes", "card")["met"] is True


def test_without_azurite_it_says_so() -> None:
    """What cannot be measured here is a row that says why, and no error."""
    done = CliRunner().invoke(
        lami, ["bench", "azurite", "--quick", "-o", "json"], env={"AZURITE": "/nowhere/main.js"}
    )
    assert done.exit_code == 0
    (row,) = of(json.loads(done.stdout)["value"], "azurite")
    assert row["value"] is None
    assert str(row["note"]).startswith("skipped: ")


def test_an_unknown_name_is_wrong_usage() -> None:
    """A measurement that there is not is named, and nothing is measured."""
    done = CliRunner().invoke(lami, ["bench", "nonsense"])
    assert done.exit_code == 2
    assert "nonsense" in done.stderr
