"""`lami findings`, `lami accept`, `lami timeline` and `lami verify`: one story, asked in all ways."""

from __future__ import annotations

import json
import re
import sqlite3
import subprocess
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


def test_a_store_that_holds_nothing_is_said(cli: Cli) -> None:
    """A mistyped store is an empty one: that no finding answers must not read as if all were well."""
    for command in (("findings", "list"), ("timeline",)):
        result = cli(*command)
        assert result.exit_code == 0
        assert "lami holds nothing yet" in result.stderr, command
        assert "lami baseline take" in result.stderr
    assert "lami holds nothing" not in cli("findings", "list", "-q").stderr


def test_a_store_that_holds_something_is_not(story: Cli) -> None:
    """Where no finding answers, none does."""
    for command in (("findings", "list", "--severity", "low"), ("timeline", "--to", "30d")):
        result = story(*command)
        assert "answers" in result.stderr
        assert "holds nothing" not in result.stderr


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


@pytest.mark.parametrize("id", ["f-none", "#x", "a?b", "~{}", "{}\n", "x" * 3_000])
def test_what_is_not_there(story: Cli, id: str) -> None:
    """An unknown id, and what can be none, exits 2 and names the command that lists them."""
    (grant,) = story.value("findings", "list", "--rule", "broad-grant")
    id = id.replace("{}", str(grant["id"]))
    for command in (["findings", "show", id], ["accept", id, "--reason", "ok"]):
        result = story(*command)
        assert result.exit_code == 2
        assert "there is no finding" in result.stderr
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


@pytest.mark.parametrize("options", [(), ("--until", "2998-01-31")], ids=["for good", "until"])
def test_show_says_what_became_of_a_finding(story: Cli, options: tuple[str, ...]) -> None:
    """When it opened and when it was accepted, by whom, until when and why; and no hint at what is done."""
    (grant,) = story.value("findings", "list", "--rule", "broad-grant")
    opened, id = str(grant["openedAt"]), str(grant["id"])
    (shown, *_) = story("findings", "show", id).stdout.splitlines()
    assert shown == f"opened {opened}"
    assert f"lami accept {id}" in story("findings", "show", id).stdout
    story("accept", id, "--reason", "for the migration", *options)
    accepted = story.value("findings", "show", id)[0]["accepted"]
    result = story("findings", "show", id)
    until = " until 2998-01-31T23:59:59.999999Z" if options else ""
    by = f"accepted {accepted['at']} by {accepted['by']}{until}: for the migration"
    assert result.stdout.splitlines()[0] == f"opened {opened}; {by}"
    assert "lami accept" not in result.stdout


def test_show_says_when_a_finding_was_resolved(story: Cli, azure: Sandbox, inbox: Inbox) -> None:
    """A finding whose drift is gone has both times, and nothing to accept."""
    (grant,) = story.value("findings", "list", "--rule", "broad-grant")
    for one in azure.estate.assignments.all():
        azure.estate.unassign(one.id)
    assert azure.settled(10)
    story("replay", "-", input=json.dumps(inbox.events))
    (resolved,) = story.value("findings", "show", str(grant["id"]))
    result = story("findings", "show", str(grant["id"]))
    opened, ended = resolved["openedAt"], resolved["resolvedAt"]
    assert result.stdout.splitlines()[0] == f"opened {opened}; resolved {ended}"
    assert "lami accept" not in result.stdout


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
    times = [str(one["at"]) for one in entries]
    days = ["--from", times[-1][:10], "--to", times[0][:10]]
    assert story.value("timeline", *days) == entries
    # The years to come are not walked through.
    assert story.value("timeline", "--to", "2999-12-31") == entries


@pytest.mark.parametrize(
    "time", ["yesterday", "2026-02-30", "1999-12-31", "3000-01-01", "2026-11-24T08:00:00", "7", "-"]
)
@pytest.mark.parametrize("option", ["--from", "--to"])
def test_what_is_no_time_is_refused(story: Cli, option: str, time: str) -> None:
    """As the API does, but for an age, with an example of each that it may be."""
    result = story("timeline", option, time)
    assert result.exit_code == 2
    assert repr(time) in result.stderr
    assert "7d" in result.stderr


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        (["--scope", "rg-claims"], "begins with /"),
        (["--principal", "claims-intake"], "lami baseline show -o json"),
        (["--from", "2026-01-02", "--to", "2026-01-01"], "--from has to lie before --to"),
        (["--from", "1d", "--to", "2d"], "--from has to lie before --to"),
    ],
)
def test_a_filter_that_can_never_match_is_refused(story: Cli, options: list[str], wanted: str) -> None:
    """Exit 2 and what would do: that nothing answers must mean that nothing happened."""
    result = story("timeline", *options)
    assert result.exit_code == 2
    assert wanted in " ".join(result.stderr.split())


def test_the_short_id_of_a_title_finds_its_principal(story: Cli) -> None:
    """As lami prints it."""
    (grant,) = story.value("findings", "list", "--rule", "broad-grant")
    whole = str(grant["detail"]["principalId"])
    assert story.value("timeline", "--principal", whole[:8]) == story.value("timeline", "--principal", whole)
    assert story.value("timeline", "--principal", whole)


def test_without_from_the_timeline_is_of_the_week_before_its_end(story: Cli) -> None:
    """Also where the end lies longer ago than a week."""
    assert story("timeline", "--to", "30d").exit_code == 0


@pytest.mark.parametrize(("code", "cries"), [(0, False), (1, True), (2, False), (3, False)])
def test_the_example_of_verify_cries_only_where_a_chain_is_broken(cli: Cli, code: int, cries: bool) -> None:
    """A store that fails, or a setting that is wrong, is no tampering."""
    (example,) = (line.strip() for line in cli("verify", "--help").stdout.splitlines() if "tampered" in line)
    done = subprocess.run(
        ["/bin/sh", "-c", f"lami() {{ return {code}; }}; {example}"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == ("the timeline was tampered with\n" if cries else "")


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
