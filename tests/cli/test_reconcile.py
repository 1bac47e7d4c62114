"""`lami reconcile`."""

from __future__ import annotations

import pytest

from lami.sandbox import Sandbox
from lami.sandbox.faults import Fault
from tests.cli.conftest import HERE, THERE, Cli, app

BOTH = f"{HERE},{THERE}"


def test_denied_subscription_is_left_alone(cli: Cli, azure: Sandbox) -> None:
    """With ARM answering 403 for one of two: exit 4, and no finding opened or resolved there."""
    for subscription, name in ((HERE, "here"), (THERE, "there"), (THERE, "open")):
        azure.estate.put(app(subscription, name))
    cli("baseline", "take", LAMI_SUBSCRIPTIONS=BOTH)
    azure.estate.recreate(app(THERE, "open"))
    cli("reconcile", LAMI_SUBSCRIPTIONS=BOTH)
    before = cli.value("findings", "list", "--status", "all", LAMI_SUBSCRIPTIONS=BOTH)
    assert [one["subject"]["name"] for one in before] == ["open"]

    azure.faults.add(Fault(path=f"/subscriptions/{THERE}*", status=403))
    azure.estate.recreate(app(HERE, "here"))
    azure.estate.recreate(app(THERE, "there"))
    azure.estate.delete(app(THERE, "open"))
    result = cli("reconcile", "--fail-on", "never", LAMI_SUBSCRIPTIONS=BOTH)
    assert result.exit_code == 4
    assert THERE in result.stderr
    after = cli.value("findings", "list", "--status", "all", LAMI_SUBSCRIPTIONS=BOTH)
    assert sorted(one["subject"]["name"] for one in after) == ["here", "lami", "open"]
    assert {one["status"] for one in after} == {"open"}


def test_denied_by_graph_is_partial(cli: Cli, azure: Sandbox) -> None:
    """Where it is set and does not answer: exit 4, why, and a gap; nobody is called gone."""
    azure.estate.put(app(HERE))
    azure.estate.assign("Reader", f"/subscriptions/{HERE}", of=app(HERE))
    cli("baseline", "take")
    azure.faults.add(Fault(path="/v1.0/*", status=403))
    result = cli("reconcile", LAMI_GRAPH_ENDPOINT=azure.url)
    assert result.exit_code == 4
    assert "nothing was concluded about who is gone" in result.stderr
    assert "Directory.Read.All" in result.stdout
    assert [one["rule"] for one in cli.value("findings", "list")] == ["lami-gap"]
    azure.faults.clear()
    assert cli("reconcile", LAMI_GRAPH_ENDPOINT=azure.url).exit_code == 0
    assert cli.value("findings", "list") == []


def test_report(cli: Cli, azure: Sandbox) -> None:
    """It reports what was listed, what differed, and the findings."""
    azure.estate.put(app(HERE))
    cli("baseline", "take")
    azure.estate.recreate(app(HERE))
    report = cli.value("reconcile")[0]
    assert (report["listed"], report["differing"], report["unread"], report["failed"]) == (1, 1, [], [])
    assert report["findings"] == [one["id"] for one in cli.value("findings", "list")]


@pytest.mark.parametrize(("least", "code"), [("critical", 0), ("high", 1), ("medium", 1), ("never", 0)])
def test_fail_on(cli: Cli, azure: Sandbox, least: str, code: int) -> None:
    """It exits 1 where a finding as grave as --fail-on is open, also in a run that opened none."""
    azure.estate.put(app(HERE))
    cli("baseline", "take")
    azure.estate.recreate(app(HERE))
    cli("reconcile")
    assert cli("reconcile", "--fail-on", least).exit_code == code


def test_open_drift_goes_before_what_could_not_be_read(cli: Cli, azure: Sandbox) -> None:
    """1, not 4: what is known to be wrong is not mended by what is not known. The gap alone is 4."""
    azure.estate.put(app(HERE))
    cli("baseline", "take", LAMI_SUBSCRIPTIONS=BOTH)
    azure.faults.add(Fault(path=f"/subscriptions/{THERE}*", status=403))
    assert cli("reconcile", LAMI_SUBSCRIPTIONS=BOTH).exit_code == 4
    assert [one["rule"] for one in cli.value("findings", "list", LAMI_SUBSCRIPTIONS=BOTH)] == ["lami-gap"]
    azure.estate.recreate(app(HERE))
    result = cli("reconcile", LAMI_SUBSCRIPTIONS=BOTH)
    assert result.exit_code == 1
    assert THERE in result.stderr
    assert cli("reconcile", "--fail-on", "critical", LAMI_SUBSCRIPTIONS=BOTH).exit_code == 4


@pytest.mark.parametrize("status", [403, 500])
def test_where_nothing_can_be_read_azure_failed(cli: Cli, azure: Sandbox, status: int) -> None:
    """3, as of `lami check` and `lami doctor`; also where something is open: this run saw none of it."""
    azure.estate.put(app(HERE))
    cli("baseline", "take", LAMI_SUBSCRIPTIONS=BOTH)
    azure.estate.recreate(app(HERE))
    assert cli("reconcile", LAMI_SUBSCRIPTIONS=BOTH).exit_code == 1
    azure.faults.add(Fault(path="/subscriptions/*", status=status))
    for command in (("reconcile",), ("baseline", "take"), ("doctor",), ("check", app(HERE))):
        result = cli(*command, LAMI_SUBSCRIPTIONS=BOTH)
        assert result.exit_code == 3, command
    for command in (("reconcile",), ("baseline", "take")):
        assert "lami doctor" in cli(*command, LAMI_SUBSCRIPTIONS=BOTH).stderr


def test_without_a_baseline_it_says_so(cli: Cli) -> None:
    """Where no baseline was taken it names the command that takes one."""
    assert "lami baseline take" in cli("reconcile").stderr
