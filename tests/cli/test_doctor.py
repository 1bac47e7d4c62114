"""`lami doctor` and `lami notify test`."""

from __future__ import annotations

import pytest

from lami.blindspots import BLIND_SPOTS
from lami.sandbox import Sandbox
from lami.sandbox.faults import Fault
from tests.cli.conftest import HERE, THERE, Cli, app

SECRET = "sig=do-not-print"


def _states(cli: Cli, **settings: str) -> dict[str, str]:
    return {str(one["check"]): str(one["state"]) for one in cli.value("doctor", **settings)}


def test_all_is_well(cli: Cli, azure: Sandbox) -> None:
    """With a baseline taken everything is fine but what lami never sees."""
    azure.estate.put(app(HERE))
    cli("baseline", "take")
    assert cli("doctor").exit_code == 0
    states = _states(cli)
    assert {name for name, state in states.items() if state == "blind"} == {spot.name for spot in BLIND_SPOTS}
    assert {state for state in states.values() if state != "blind"} == {"ok"}


def test_no_baseline_and_no_channel_are_warnings(cli: Cli) -> None:
    """What an operator has still to do is a warning, with the command that does it."""
    result = cli("doctor", LAMI_TEAMS_WEBHOOK_URL="")
    assert result.exit_code == 0
    assert "lami baseline take" in result.stdout
    states = _states(cli, LAMI_TEAMS_WEBHOOK_URL="")
    assert (states["baseline"], states["channels"]) == ("warning", "warning")


def test_denied_read_names_the_permission(cli: Cli, azure: Sandbox) -> None:
    """A read that Azure denies is named with the permission it takes; exit 4 where the rest can be read."""
    azure.faults.add(Fault(path=f"/subscriptions/{THERE}/providers/Microsoft.Web*", status=403))
    result = cli("doctor", LAMI_SUBSCRIPTIONS=f"{HERE},{THERE}")
    assert result.exit_code == 4
    assert "microsoft.web/sites/read" in result.stdout.lower()


def test_azure_or_store_down_exits_3(cli: Cli, azure: Sandbox) -> None:
    """Where all of Azure or the store fails it says so and still checks the rest."""
    azure.faults.add(Fault(path="/subscriptions/*", status=403))
    assert cli("doctor").exit_code == 3
    azure.faults.clear()
    result = cli("doctor", "-o", "json", LAMI_STORE=f"sqlite:///{cli.folder}/none/lami.db")
    assert result.exit_code == 3
    assert f"subscription {HERE}" in result.stdout


def test_no_secret_is_printed(cli: Cli, azure: Sandbox) -> None:
    """Neither the webhook's URL nor a key shows."""
    url = f"{azure.teams_url}?{SECRET}"
    result = cli(
        "doctor", LAMI_TEAMS_WEBHOOK_URL=url, LAMI_AUTH="key", LAMI_API_KEY="k-123456", LAMI_EVENT_KEY="e-1"
    )
    assert "channel teams" in result.stdout
    for secret in (SECRET, "k-123456", "e-1\n"):
        assert secret not in result.output


def test_notify_marks_its_alert(cli: Cli, azure: Sandbox) -> None:
    """The alert arrives, says that it is a test, and leaves no trace in the store."""
    assert cli("notify", "test", "teams").exit_code == 0
    (card,) = azure.teams.cards
    assert card.problem == ""
    assert any("TEST" in text for text in card.texts)
    assert not (cli.folder / "lami.db").exists()


def test_notify_by_mail(cli: Cli, azure: Sandbox) -> None:
    """A mail arrives with the test in its subject."""
    mail = {
        "LAMI_SMTP_URL": azure.mail_url,
        "LAMI_EMAIL_FROM": "lami@contoso.example",
        "LAMI_EMAIL_TO": "robin@contoso.example",
    }
    assert cli("notify", "test", "email", **mail).exit_code == 0
    (message,) = azure.mail.messages
    assert "TEST" in message.subject


def test_notify_console_leaves_stdout_to_data(cli: Cli) -> None:
    """The console's alert goes to standard error."""
    result = cli("notify", "test", "console", "-o", "tsv")
    assert "TEST" in result.stderr
    assert result.stdout.startswith("console\t")


@pytest.mark.parametrize(("status", "code"), [(503, 3), (404, 2)])
def test_notify_says_what_went_wrong(cli: Cli, azure: Sandbox, status: int, code: int) -> None:
    """A channel that is down exits 3, one that refuses for good exits 2."""
    azure.faults.add(Fault(path="/sandbox/teams/webhook", status=status))
    result = cli("notify", "test", "teams")
    assert result.exit_code == code
    assert str(status) in result.stderr


def test_notify_unconfigured_names_the_setting(cli: Cli) -> None:
    """A channel that is not configured exits 2 and names the settings it takes."""
    result = cli("notify", "test", "email")
    assert result.exit_code == 2
    assert "LAMI_SMTP_URL" in result.stderr
