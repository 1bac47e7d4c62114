"""`lami baseline`."""

from __future__ import annotations

import pytest

from lami.sandbox import Sandbox
from lami.sandbox.faults import Fault
from tests.cli.conftest import HERE, THERE, Cli, app


def test_what_stands_is_expected(cli: Cli, azure: Sandbox) -> None:
    """After `take`, `show` has every holder with its identity and what it is granted."""
    principal = azure.estate.put(app(HERE)).system
    assert principal is not None
    azure.estate.assign("Reader", f"/subscriptions/{HERE}/resourceGroups/rg-claims", of=app(HERE))
    report = cli.value("baseline", "take")[0]
    assert (report["differing"], report["findings"], report["unread"]) == (3, [], [])
    held = {one["subject"]["kind"]: one for one in cli.value("baseline", "show")}
    assert held["logicApp"]["identity"] == {"principalId": principal.principal_id, "userAssigned": []}
    access = held["logicApp"]["access"]
    assert [(one["roleName"], one["scope"].lower()) for one in access] == [
        ("Reader", f"/subscriptions/{HERE}/resourcegroups/rg-claims")
    ]


def test_table_of_what_is_expected(cli: Cli, azure: Sandbox) -> None:
    """The table says role and scope of each expected access."""
    azure.estate.put(app(HERE))
    azure.estate.assign("Reader", f"/subscriptions/{HERE}", of=app(HERE))
    cli("baseline", "take")
    assert f"Reader at /subscriptions/{HERE}" in cli("baseline", "show").stdout


@pytest.mark.parametrize("options", [["--replace"], ["--reason", "x"], ["--replace", "--reason", " "]])
def test_replace_needs_a_reason(cli: Cli, options: list[str]) -> None:
    """A baseline moves with a reason or not at all."""
    assert cli("baseline", "take", *options).exit_code == 2
    assert not (cli.folder / "lami.db").exists()


def test_replace_moves_what_is_held(cli: Cli, azure: Sandbox) -> None:
    """Taken again, a held baseline stays; with --replace and a reason it moves, and findings resolve."""
    azure.estate.put(app(HERE))
    cli("baseline", "take")
    azure.estate.recreate(app(HERE))
    cli("reconcile")
    assert [one["rule"] for one in cli.value("findings", "list")] == ["identity-churn"]
    cli("baseline", "take")
    assert [one["rule"] for one in cli.value("findings", "list")] == ["identity-churn"]
    assert cli("baseline", "take", "--replace", "--reason", "planned").exit_code == 0
    assert cli.value("findings", "list") == []
    accepted = cli.value("findings", "list", "--status", "all")[0]["accepted"]
    assert isinstance(accepted, dict)
    assert accepted["reason"] == "planned"


def test_partial_exits_4(cli: Cli, azure: Sandbox) -> None:
    """Where one of two subscriptions cannot be read the other is taken, and it exits 4."""
    azure.estate.put(app(HERE))
    azure.estate.put(app(THERE, "billing"))
    azure.faults.add(Fault(path=f"/subscriptions/{THERE}*", status=403))
    result = cli("baseline", "take", LAMI_SUBSCRIPTIONS=f"{HERE},{THERE}")
    assert result.exit_code == 4
    assert THERE in result.stderr
    names = [one["subject"]["name"] for one in cli.value("baseline", "show")]
    assert "claims-intake" in names
    assert "billing" not in names
