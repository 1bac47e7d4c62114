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


def _rules(cli: Cli, *options: str) -> list[str]:
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
    assert {one["actor"]["name"] for one in by_dana} == {"Dana Fischer"}
    of_app = story.value("timeline", "--resource", app(HERE))
    assert {one["subject"]["name"] for one in of_app} == {"claims-intake"}
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


def _tamper(story: Cli, *statements: str) -> None:
    """Change the store behind lami's back; each statement must reach something."""
    with closing(sqlite3.connect(story.folder / "lami.db")) as store, store:
        for statement in statements:
            assert store.execute(statement).rowcount > 0, statement


def _tampering(story: Cli) -> dict[str, str]:
    """Whom `lami verify` names, and why; it exits 1 where it names anybody."""
    result = story("verify", "-o", "json")
    found = {one["subject"]["id"]: one["broken"] for one in json.loads(result.stdout)["value"]}
    assert result.exit_code == (1 if found else 0), result.stderr
    return found


def _principals(story: Cli) -> set[str]:
    return {
        str(one["subject"]["id"]) for one in story.value("timeline") if one["subject"]["kind"] == "principal"
    }


def test_verify_compares_what_the_timeline_shows(story: Cli) -> None:
    """The timeline reads copies of entries by day: one that was forged is as bad as a forged entry."""
    (id,) = (str(one["id"]) for one in story.value("findings", "list", "--rule", "broad-grant"))
    assert story("accept", id, "--reason", "for the migration").exit_code == 0
    assert _tampering(story) == {}
    _tamper(
        story,
        "UPDATE entities SET properties = replace(properties, 'for the migration', 'approved by Dana')"
        " WHERE partition LIKE 'day|%' AND properties LIKE '%for the migration%'",
    )
    assert "approved by Dana" in story("timeline", "--kind", "accepted", "-o", "json").stdout
    ((_, why),) = _tampering(story).items()
    assert "says something else" in why


def test_verify_misses_copies_that_are_gone(story: Cli) -> None:
    """Without its copies the timeline says nothing; every subject that has entries is named."""
    _tamper(story, "DELETE FROM entities WHERE partition LIKE 'day|%'")
    assert story.value("timeline") == []
    found = _tampering(story)
    assert app(HERE) in found
    assert all("has no copy" in why for why in found.values())


def test_verify_finds_a_copy_that_no_book_has(story: Cli) -> None:
    """Slipped into another day or into its own, under another key: no question may show it unnoticed."""
    copied = "INSERT INTO entities (partition, key, properties) SELECT {}, {}, properties FROM entities"
    one = " WHERE partition LIKE 'day|%' AND properties LIKE '%Contributor%' LIMIT 1"
    _tamper(story, copied.format("'day|2020-01-01|0'", "key") + one)
    ((_, why),) = _tampering(story).items()
    assert "day|2020-01-01|0" in why
    _tamper(story, "DELETE FROM entities WHERE partition = 'day|2020-01-01|0'")
    assert _tampering(story) == {}
    _tamper(story, copied.format("partition", "'00' || substr(key, 3)") + one)
    assert len(_tampering(story)) == 1


def test_verify_finds_copies_of_nobody(story: Cli) -> None:
    """Of somebody who has no book, of a subject that its key does not name, and what is no copy at all."""
    insert = "INSERT INTO entities (partition, key, properties) "
    one = " FROM entities WHERE partition LIKE 'day|%' AND properties LIKE '%claims-intake%' LIMIT 1"
    _tamper(
        story,
        insert + "SELECT 'day|2020-01-01|0', '90000000000000|e-aaaaaaaaaaaa-000001.00', properties" + one,
        insert + "VALUES ('day|2020-01-02|0', '90000000000000|e-bbbbbbbbbbbb-000001.00', '{\"d0\": \"[{\"}')",
        insert + "VALUES ('day|2020-01-03', 'note', '{}')",
    )
    assert _tampering(story).keys() == {"day|2020-01-01|0", "day|2020-01-02|0", "day|2020-01-03"}


def test_verify_misses_books_that_are_gone(story: Cli) -> None:
    """One that is gone whole, all of them, and all of them with the list of what was held."""
    (gone, *_) = sorted(_principals(story))
    _tamper(story, f"DELETE FROM entities WHERE partition = 'principal|{gone}'")
    found = _tampering(story)
    assert found.keys() == {gone}
    assert "gone" in found[gone]
    _tamper(story, "DELETE FROM entities WHERE partition LIKE 'holder|%' OR partition LIKE 'principal|%'")
    everybody = _tampering(story)
    assert everybody.keys() >= {app(HERE), *_principals(story)}
    _tamper(story, "DELETE FROM entities WHERE partition LIKE 'digest|%'")
    assert _tampering(story).keys() >= {app(HERE), *_principals(story)}


def test_verify_reads_books_that_no_list_names(story: Cli) -> None:
    """Who is taken off the list of what lami holds is verified all the same: the copies lead there."""
    _tamper(
        story,
        "DELETE FROM entities WHERE partition LIKE 'digest|%'",
        "UPDATE entities SET properties = replace(properties, 'Dana', 'Robin')"
        " WHERE (partition LIKE 'day|%' OR key LIKE 'entry.%') AND properties LIKE '%Dana%'",
    )
    assert "was changed" in _tampering(story)[app(HERE)]


def test_verify_says_what_cannot_be_read(story: Cli) -> None:
    """An entry that is no JSON any more is broken, and not an error of the command."""
    _tamper(
        story,
        'UPDATE entities SET properties = \'{"d0": "[{"}\''
        " WHERE partition LIKE 'holder|%' AND key LIKE 'entry.%'",
    )
    assert "cannot be read" in _tampering(story)[app(HERE)]
