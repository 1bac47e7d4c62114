"""`lami doctor` and `lami notify test`."""

from __future__ import annotations

import json
import tomllib

import pytest

from lami.blindspots import BLIND_SPOTS, WITHOUT_GRAPH
from lami.core.policy import parse
from lami.errors import BadSettings
from lami.sandbox import SITE, Sandbox, resource_id
from lami.sandbox.faults import Fault
from lami.sandbox.model import Actor
from lami.settings import packaged_policy
from tests.cli.conftest import HERE, THERE, Cli, app

PIPELINE = Actor.named("deploy", "application")
PIM = Actor.named("MS-PIM", "application")
SECRET = "sig=do-not-print"
STANDARD = resource_id(HERE, "rg-claims", SITE, "std")


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


def test_workflows_of_standard_apps_are_tried(cli: Cli, azure: Sandbox) -> None:
    """That they cannot be read is a warning, with what to do: the permission, or that the app is down."""
    azure.estate.put(STANDARD)
    assert _states(cli)[f"subscription {HERE}"] == "ok"
    for status, word in ((403, "sites/slots/workflows/read"), (400, "start the app")):
        azure.faults.add(Fault(path="*/sites/std/workflows", status=status))
        result = cli("doctor")
        assert result.exit_code == 0
        assert word in " ".join(result.stdout.split())
        assert _states(cli)[f"subscription {HERE}"] == "warning"
        azure.faults.clear()
    azure.estate.put(f"{STANDARD}/slots/staging")
    azure.faults.add(Fault(path="*/sites/std/workflows", status=400))
    assert _states(cli)[f"subscription {HERE}"] == "ok"  # a stopped app is nobody's mistake


def test_graph_is_tried_where_it_is_set(cli: Cli, azure: Sandbox) -> None:
    """Answering, it is no blind spot any longer; denied, it exits 4 and names the permission."""
    states = _states(cli, LAMI_GRAPH_ENDPOINT=azure.url)
    assert states["Microsoft Graph"] == "ok"
    assert WITHOUT_GRAPH.name not in states
    azure.faults.add(Fault(path="/v1.0/directory/*", status=403))
    result = cli("doctor", LAMI_GRAPH_ENDPOINT=azure.url)
    assert result.exit_code == 4
    assert "Directory.Read.All" in result.stdout
    assert "not configured" in cli("doctor").stdout


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


def test_notify_sends_nobody_after_what_is_not_there(cli: Cli, azure: Sandbox) -> None:
    """A test names no command that would fail, no runbook that does not exist, and no place on the page."""
    settings = {
        "LAMI_SMTP_URL": azure.mail_url,
        "LAMI_EMAIL_FROM": "lami@contoso.example",
        "LAMI_EMAIL_TO": "robin@contoso.example",
        "LAMI_PUBLIC_URL": "https://lami.example",
    }
    told = [cli("notify", "test", "console", **settings).stderr]
    for channel in ("teams", "email"):
        assert cli("notify", "test", channel, **settings).exit_code == 0
    told += [json.dumps(card.body) for card in azure.teams.cards]
    told += [message.raw for message in azure.mail.messages]
    assert len(told) == 3
    for text in told:
        assert "nothing to accept" in " ".join(text.split())
        assert "https://lami.example" in text
        for misleading in ("lami accept", "docs/runbooks", "#f-"):
            assert misleading not in text


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


@pytest.fixture
def automated(cli: Cli, azure: Sandbox) -> Cli:
    """A lami that saw a pipeline grant twelve things, PIM grant four that ended, and Robin grant two."""
    estate, sub = azure.estate, f"/subscriptions/{HERE}"
    hostile = estate.put_role("evil\n[routes]\u202e\x1b[2J", [{"actions": ["*/read"]}])
    estate.assign("Owner", sub, principal_id=PIPELINE.object_id)
    for number in range(12):
        estate.put(app(HERE, f"app-{number}"))
        estate.assign(hostile.name, sub, of=app(HERE, f"app-{number}"), actor=PIPELINE)
    estate.assign("Reader", f"{sub}/resourceGroups/rg-claims", of=app(HERE, "app-1"))
    cli("baseline", "take")
    for _ in range(4):
        made = estate.assign("Contributor", sub, of=app(HERE, "app-0"), actor=PIM)
        cli("reconcile", LAMI_PATIENCE="0s")
        estate.unassign(made.id)
        cli("reconcile", LAMI_PATIENCE="0s")
    return cli


def test_automation_is_proposed_with_figures(automated: Cli) -> None:
    """By what they did, and never people; their kind is said where Azure says it, and else not guessed."""
    pipeline, pim = automated.value("doctor", "--automation")
    assert (pipeline["createdBy"], pipeline["kind"]) == (PIPELINE.object_id, "ServicePrincipal")
    assert (pipeline["present"], pipeline["gone"], pipeline["principals"]) == (12, 0, 12)
    assert (pim["createdBy"], pim["kind"], pim["present"], pim["gone"]) == (PIM.object_id, None, 0, 4)
    assert (pim["roles"], pim["scopes"]) == (["Contributor"], [f"/subscriptions/{HERE}"])
    result = automated("doctor", "--automation")
    assert result.exit_code == 0
    assert "Kind: not known" in result.stdout
    assert "What kind 1 of 2 are is not known" in result.stderr


def test_what_is_proposed_is_refused_until_somebody_judged_it(automated: Cli) -> None:
    """It is TOML, whatever roles are called; with name and reason filled in it is the policy."""
    text = automated("doctor", "--automation").stdout
    assert set(tomllib.loads(text)) == {"automation"}
    assert not set(text) & {"\x1b", "\u202e"}
    with pytest.raises(BadSettings, match=r"\[\[automation\]\] 1 name"):
        parse(text, packaged_policy())
    judged = parse(text.replace('= ""', '= "judged"'), packaged_policy())
    assert {id: one.grants for id, one in judged.automation.items()} == {
        PIPELINE.object_id: "record",
        PIM.object_id: "temporary",
    }


def test_what_is_listed_is_not_proposed(automated: Cli) -> None:
    """Doctor names what is listed, and proposes only what is not; with nothing left it says so."""
    text = automated("doctor", "--automation").stdout.replace('= ""', '= "judged"')
    policy = automated.folder / "listed.toml"
    policy.write_text(text)
    result = automated("doctor", "--automation", LAMI_POLICY=str(policy))
    assert (result.stdout, "No creator" in result.stderr) == ("", True)
    none = automated("doctor", "--automation", "-o", "json", LAMI_POLICY=str(policy))
    assert json.loads(none.stdout) == {"value": []}
    (row,) = [
        one for one in automated.value("doctor", LAMI_POLICY=str(policy)) if one["check"] == "automation"
    ]
    assert row["detail"] == "judged: 2 object ids"
