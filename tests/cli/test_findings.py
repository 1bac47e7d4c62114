"""`lami findings`, `lami accept`, `lami timeline` and `lami verify`: one story, asked in all ways."""

from __future__ import annotations

import json
import re
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

from lami.sandbox import WORKFLOW, Actor, Sandbox, resource_id
from tests.cli.conftest import HERE, Cli, Inbox, app

DANA = Actor.named("Dana Fischer", upn="dana@contoso.example")


@pytest.fixture
def story(cli: Cli, azure: Sandbox, inbox: Inbox) -> Cli:
    """A logic app that Dana recreated, and that was then given Contributor by Robin."""
    azure.estate.put(app(HERE))
    azure.estate.assign("Reader", f"/subscriptions/{HERE}/resourceGroups/rg-claims", of=app(HERE))
    cli("baseline", "take")
    assert azure.settled(10)
    inbox.events.clear()
    azure.estate.recreate(app(HERE), DANA)
    azure.estate.assign("Contributor", f"/subscriptions/{HERE}", of=app(HERE))
    assert azure.settled(10)
    assert cli("replay", "-", input=json.dumps(inbox.events)).exit_code == 0
    return cli


def _rules(cli: Cli, *options: str) -> list[object]:
    return sorted(str(one["rule"]) for one in cli.value("findings", "list", *options))


def test_filters(story: Cli) -> None:
    """Status, rule, severity and subject narrow the list; open is what it lists by itself."""
    assert {"broad-grant", "identity-churn"} <= set(_rules(story))
    assert _rules(story, "--rule", "broad-grant") == ["broad-grant"]
    assert set(_rules(story, "--rule", "broad-grant", "--rule", "identity-churn")) == {
        "broad-grant",
        "identity-churn",
    }
    assert _rules(story, "--severity", "low") == []
    assert "identity-churn" in _rules(story, "--subject", "Claims-Intake")
    assert _rules(story, "--subject", "somebody-else") == []
    assert _rules(story, "--status", "accepted") == []


def test_open_drift_exits_1(story: Cli) -> None:
    """Only what is listed, open, and as grave as --fail-on counts."""
    assert story("findings", "list").exit_code == 1
    assert story("findings", "list", "--fail-on", "critical").exit_code == 0
    assert story("findings", "list", "--severity", "low").exit_code == 0
    assert story("findings", "list", "--status", "resolved").exit_code == 0
    assert story("findings", "list", "--rule", "nonsense").exit_code == 2


def test_show(story: Cli) -> None:
    """A finding is shown whole, with the commands that mend it."""
    churn = story.value("findings", "list", "--rule", "identity-churn")[0]
    result = story("findings", "show", str(churn["id"]))
    assert result.exit_code == 0
    assert "recreated" in result.stdout
    assert "Dana Fischer" in result.stdout
    assert "az role assignment create" in result.stdout
    assert story.value("findings", "show", str(churn["id"])) == [churn]


def test_apps_of_one_name_are_told_apart(cli: Cli, azure: Sandbox, inbox: Inbox) -> None:
    """Contributor for one of two apps called billing: what is shown and told has that one's resource id."""
    dev, prod = (resource_id(HERE, group, WORKFLOW, "billing") for group in ("rg-dev", "rg-prod"))
    for one in (dev, prod):
        azure.estate.put(one)
    cli("baseline", "take")
    azure.estate.assign("Contributor", f"/subscriptions/{HERE}", of=prod)
    assert azure.settled(10)
    assert cli("replay", "-", input=json.dumps(inbox.events)).exit_code == 0
    (found,) = cli.value("findings", "list", "--rule", "broad-grant")
    detail = found["detail"]
    assert isinstance(detail, dict)
    assert (detail["holder"], detail["holderId"]) == ("billing", prod)
    shown = cli("findings", "show", str(found["id"])).stdout
    assert re.search(rf"^  Resource: +{re.escape(prod)}$", shown, re.MULTILINE)
    assert dev not in shown
    assert cli.value("findings", "list", "--subject", prod.upper()) == [found]
    assert cli.value("findings", "list", "--rule", "broad-grant", "--subject", dev) == []
    (card,) = azure.teams.cards
    assert prod in card.texts
    assert dev not in card.texts


def test_show_what_is_not_there(story: Cli) -> None:
    """An unknown id exits 2 and names the command that lists them."""
    result = story("findings", "show", "f-none")
    assert result.exit_code == 2
    assert "lami findings list" in result.stderr


def test_accept(story: Cli) -> None:
    """Accepted, a finding is open no more, and its record says who, why and how."""
    (id,) = (str(one["id"]) for one in story.value("findings", "list", "--rule", "broad-grant"))
    result = story("accept", id, "--reason", "for the migration")
    assert result.exit_code == 0
    assert _rules(story, "--rule", "broad-grant") == []
    accepted = story.value("findings", "show", id)[0]["accepted"]
    assert isinstance(accepted, dict)
    assert accepted["reason"] == "for the migration"
    assert accepted["by"]
    assert "for the migration" in story("findings", "show", id).stdout
    assert story("accept", id, "--reason", "again").exit_code == 2


def test_accept_until_includes_the_day(story: Cli) -> None:
    """A date as the end of an acceptance includes that day."""
    (id,) = (str(one["id"]) for one in story.value("findings", "list", "--rule", "broad-grant"))
    day = (datetime.now(UTC) + timedelta(days=3)).date().isoformat()
    (found,) = story.value("accept", id, "--reason", "three days", "--until", day)
    accepted = found["accepted"]
    assert isinstance(accepted, dict)
    assert str(accepted["until"]).startswith(f"{day}T23:59:59")


@pytest.mark.parametrize("options", [[], ["--reason", " "], ["--reason", "x", "--until", "2001-01-01"]])
def test_accept_needs_a_reason_and_a_future(story: Cli, options: list[str]) -> None:
    """Without a reason, or with an end in the past, nothing is accepted."""
    (id,) = (str(one["id"]) for one in story.value("findings", "list", "--rule", "broad-grant"))
    assert story("accept", id, *options).exit_code == 2
    assert _rules(story, "--rule", "broad-grant") == ["broad-grant"]


def test_timeline_filters(story: Cli) -> None:
    """The timeline is newest first, and narrowed by resource, actor, scope, kind, time and limit."""
    entries = story.value("timeline")
    assert [one["at"] for one in entries] == sorted((str(one["at"]) for one in entries), reverse=True)
    by_dana = story.value("timeline", "--actor", "dana fischer")
    assert by_dana
    assert {one["actor"]["name"] for one in by_dana} == {"Dana Fischer"}  # type: ignore[index]
    of_app = story.value("timeline", "--resource", app(HERE))
    assert {one["subject"]["name"] for one in of_app} == {"claims-intake"}  # type: ignore[index]
    assert {one["kind"] for one in story.value("timeline", "--kind", "opened")} == {"opened"}
    assert story.value("timeline", "--scope", f"/subscriptions/{HERE}")
    assert len(story.value("timeline", "--limit", "2")) == 2
    assert story.value("timeline", "--to", "1d") == []
    assert story.value("timeline", "--from", "2020-01-01", "--to", "2020-01-02T00:00:00Z") == []
    assert story("timeline", "--from", "yesterday").exit_code == 2


def test_verify(story: Cli) -> None:
    """An untouched timeline holds; one entry changed in the store is found, named, and exits 1."""
    assert story("verify").exit_code == 0
    with closing(sqlite3.connect(story.folder / "lami.db")) as store, store:
        changed = store.execute(
            "UPDATE entities SET properties = replace(properties, 'Dana', 'Robin')"
            " WHERE partition LIKE 'holder|%' AND key LIKE 'entry.%' AND properties LIKE '%Dana%'"
        )
        assert changed.rowcount > 0
    assert story("verify").exit_code == 1
    (broken,) = story.value("verify")
    assert broken["subject"] == {"kind": "holder", "id": app(HERE)}
    assert "was changed" in str(broken["broken"])
