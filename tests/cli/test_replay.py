"""`lami replay`."""

from __future__ import annotations

import json

from lami.sandbox import Sandbox
from lami.sandbox.faults import Fault
from tests.cli.conftest import HERE, Cli, Inbox, app


def _recreated(cli: Cli, azure: Sandbox, inbox: Inbox) -> str:
    """The events of a logic app recreated after the baseline, as one line each."""
    azure.estate.put(app(HERE))
    cli("baseline", "take")
    assert azure.settled(10)
    inbox.events.clear()
    azure.estate.recreate(app(HERE))
    assert azure.settled(10)
    assert len(inbox.events) == 2
    return "\n".join(json.dumps(event) for event in inbox.events)


def test_three_times_is_once(cli: Cli, azure: Sandbox, inbox: Inbox) -> None:
    """The same events three times: one finding, one alert."""
    events = _recreated(cli, azure, inbox)
    file = cli.folder / "events.ndjson"
    file.write_text(events)
    first = cli.value("replay", str(file))
    assert [one["outcome"] for one in first] == ["recorded", "recorded"]
    again = cli.value("replay", str(file), str(file))
    assert [one["outcome"] for one in again] == ["duplicate"] * 4
    assert [one["rule"] for one in cli.value("findings", "list")] == ["identity-churn"]
    assert len(azure.teams.cards) == 1


def test_shape(cli: Cli, azure: Sandbox, inbox: Inbox) -> None:
    """Each event is printed with its id, outcome, reason and findings."""
    _recreated(cli, azure, inbox)
    result = cli("replay", "-", "-o", "json", input=json.dumps(inbox.events))
    printed = json.loads(result.stdout)["value"]
    assert [set(one) for one in printed] == [{"eventId", "outcome", "reason", "findings"}] * 2
    assert [one["eventId"] for one in printed] == [event["id"] for event in inbox.events]
    found = [id for one in printed for id in one["findings"]]
    assert found == [one["id"] for one in cli.value("findings", "list")]


def test_what_is_no_event_is_rejected(cli: Cli) -> None:
    """JSON that is no event is printed as rejected, with the reason, and the rest is handled."""
    result = cli("replay", "-", "-o", "json", input='[{"id": "x"}, 3]')
    assert result.exit_code == 0
    printed = json.loads(result.stdout)["value"]
    assert [one["outcome"] for one in printed] == ["rejected", "rejected"]
    assert all(one["reason"] for one in printed)


def test_no_json_handles_nothing(cli: Cli) -> None:
    """A file without JSON exits 2 before anything is handled."""
    good, bad = cli.folder / "good.json", cli.folder / "bad.json"
    good.write_text("[]")
    bad.write_text("it was me")
    result = cli("replay", str(good), str(bad))
    assert result.exit_code == 2
    assert "bad.json" in result.stderr
    assert not (cli.folder / "lami.db").exists()


def test_missing_file_is_wrong_usage(cli: Cli) -> None:
    """A file that isn't there exits 2 and is named."""
    result = cli("replay", "nowhere.json")
    assert result.exit_code == 2
    assert "nowhere.json" in result.stderr


def test_azure_down_names_the_event(cli: Cli, azure: Sandbox, inbox: Inbox) -> None:
    """Where Azure fails it exits 3 and says which event; those before it are printed, and stay done."""
    events = _recreated(cli, azure, inbox)
    ignored = json.dumps(
        {**inbox.events[0], "id": "noise", "eventType": "Microsoft.Resources.ResourceWriteFailure"}
    )
    azure.faults.add(Fault(path="/subscriptions/*", status=500))
    result = cli("replay", "-", "-o", "tsv", input=f"{ignored}\n{events}")
    assert result.exit_code == 3
    assert "event 2 of -" in result.stderr
    assert [line.split("\t")[:2] for line in result.stdout.splitlines()] == [["noise", "ignored"]]
    azure.faults.clear()
    assert cli("replay", "-", input=events).exit_code == 0
    assert len(cli.value("findings", "list")) == 1


def test_a_storm_is_answered_before_the_command_ends(cli: Cli, azure: Sandbox, inbox: Inbox) -> None:
    """More changes than are looked at one by one: some are deferred, and all their findings are there."""
    cli("baseline", "take")
    for _ in range(30):
        azure.estate.assign("Contributor", f"/subscriptions/{HERE}", principal_id=azure.estate.new_guid())
    assert azure.settled(10)
    result = cli("replay", "-", "-o", "json", input=json.dumps(inbox.events))
    outcomes = [one["outcome"] for one in json.loads(result.stdout)["value"]]
    assert outcomes.count("deferred") == 10
    assert "swept" in result.stderr
    assert len(cli.value("findings", "list")) == 30
