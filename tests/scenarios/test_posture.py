"""Workflow definitions through the real SDK clients and a real server: what is told, listed and kept."""

from __future__ import annotations

import json
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from lami.core.model import ITSELF, Finding
from lami.core.timeline import Query
from lami.queries import FindingQuery
from lami.sandbox import IDENTITY, WORKFLOW, resource_id
from lami.sandbox.definitions import CARELESS, PLAIN, definition
from lami.schedule import reconcile_now
from lami.store import rows
from tests.arm.definitions import Json, connection, http
from tests.world import GROUP, World, world

RULES = ("secret-authentication", "unsecured-secret", "dangling-identity", "audience-mismatch")
ALWAYS = (datetime(2020, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))


def standing(own: World, *rules: str, status: str = "open") -> list[Finding]:
    """The findings on definitions, by rule."""
    found = own.lami.queries.findings(FindingQuery(rules=rules or RULES, statuses=(status,)))
    return sorted(found, key=lambda finding: finding.rule)


def cards(own: World) -> str:
    """The text of all cards that arrived."""
    return "\n".join(text for card in own.azure.teams.cards for text in card.texts)


def told(own: World) -> set[str]:
    """The titles, without the app's name, of findings on definitions that arrived in a card."""
    said = ("authenticates with a secret", "shows secrets in its run history", "asks for a token that")
    return {title for title in said if title in cards(own)}


def put(own: World, given: Json, parameters: Json | None = None) -> None:
    """The app is deployed in place with this definition."""
    own.azure.estate.put(own.app(), definition=given, parameters=parameters)
    own.settled()


def test_a_new_secret_in_a_definition_is_told(tmp_path: Path) -> None:
    """A deployment in place brings a password, a leak and a wrong audience: one alert, by rule and place."""
    with world(tmp_path) as own:
        own.subscribe()
        put(own, CARELESS)
        found = standing(own)
        assert [finding.rule for finding in found] == [
            "audience-mismatch",
            "secret-authentication",
            "unsecured-secret",
        ]
        assert len(told(own)) == 3
        assert len(own.azure.teams.cards) == 1
        assert found[1].title == "claims-intake authenticates with a secret: action Send_claim"
        assert found[1].notes[0] == "action Send_claim: a password (Basic), written in the definition"
        put(own, PLAIN)
        assert standing(own) == []
        assert {finding.rule for finding in standing(own, status="resolved")} == {f.rule for f in found}


def test_a_new_app_with_faults_is_told_once(tmp_path: Path) -> None:
    """One made after the baseline is news; that it is written, or created again as it was, is not."""
    with world(tmp_path) as own:
        own.subscribe()
        late = resource_id(own.azure.subscription, GROUP, WORKFLOW, "careless")
        own.azure.estate.put(late, definition=CARELESS)
        own.settled()
        assert len(standing(own)) == 3
        assert len(told(own)) == 3
        own.azure.teams.cards.clear()
        own.azure.estate.put(late, tags={"release": "2"})
        own.azure.estate.recreate(late)
        own.settled()
        assert len(standing(own)) == 3
        assert told(own) == set()
        actions = CARELESS["actions"]
        assert isinstance(actions, dict)
        worse = {**CARELESS, "actions": {**actions, "More": http(headers={"api-key": "k"})}}
        own.azure.estate.put(late, definition=worse)
        own.settled()
        assert told(own) == {"authenticates with a secret"}


def test_the_baseline_lists_what_stands(tmp_path: Path) -> None:
    """Taken while an app shows secrets, the baseline lists it; so does reconcile of what no event told."""
    with world(tmp_path) as own:
        late = resource_id(own.azure.subscription, GROUP, WORKFLOW, "careless")
        own.azure.estate.put(late, definition=CARELESS)
        own.lami.taker.take((own.azure.subscription,), "again", ITSELF)
        assert len(standing(own)) == 3
        assert not own.azure.teams.cards
        put(own, CARELESS)
        assert len(standing(own)) == 3  # nobody was told of that by an event
        reconcile_now(own.lami, lambda progress: None)
        assert len(standing(own)) == 6
        assert len(told(own)) == 3


def test_a_definition_that_shows_the_same_says_nothing(tmp_path: Path) -> None:
    """Another definition without other secrets is an ordinary deployment: no finding, no alert."""
    with world(tmp_path) as own:
        own.subscribe()
        put(own, definition(Call=http(), Note={"type": "Compose", "inputs": "x"}))
        put(own, definition(Call=http("https://other.example.com/")))
        assert standing(own) == []
        assert not own.azure.teams.cards


def test_an_accepted_place_is_expected(tmp_path: Path) -> None:
    """It is no finding any longer; a further place is one, told again, and names only itself."""
    with world(tmp_path) as own:
        own.subscribe()
        basic = http(authentication={"type": "Basic", "username": "u", "password": "p"})
        put(own, definition(One=basic))
        (first,) = standing(own)
        own.lami.service.accept(first.id, ITSELF, "the partner's service knows nothing else")
        assert standing(own) == []
        put(own, definition(One=basic, Plain=http()))
        assert standing(own) == []
        told = len(own.azure.teams.cards)
        put(own, definition(One=basic, Two=basic))
        (again,) = standing(own)
        assert again.title == "claims-intake authenticates with a secret: action Two"
        assert len(own.azure.teams.cards) == told + 1
        put(own, definition(Two=basic))
        assert len(own.azure.teams.cards) == told + 1


def test_fewer_places_are_no_news(tmp_path: Path) -> None:
    """Mending one of two places changes the finding and tells nobody; one more is told."""
    with world(tmp_path) as own:
        own.subscribe()
        basic = http(authentication={"type": "Basic", "username": "u", "password": "p"})
        put(own, definition(One=basic, Two=basic))
        put(own, definition(Two=basic))
        (finding,) = standing(own)
        assert finding.title.endswith("action Two")
        assert len(own.azure.teams.cards) == 1
        put(own, definition(Two=basic, Three=basic))
        assert len(own.azure.teams.cards) == 2


def test_an_identity_that_goes_leaves_the_definition_dangling(tmp_path: Path) -> None:
    """Both what connections and actions refer to; the command that gives it back is offered."""
    with world(tmp_path) as own:
        own.subscribe()
        own_identity = http(authentication={"type": "ManagedServiceIdentity", "audience": "api://claims"})
        put(own, definition(Call=own_identity))
        assert standing(own) == []
        own.azure.estate.put(own.app(), identity="none")
        own.settled()
        (finding,) = standing(own, "dangling-identity")
        assert finding.title == "claims-intake refers to an identity it does not have: its system identity"
        assert finding.remediation == (
            f"az logic workflow identity assign --subscription {own.azure.subscription}"
            f" --resource-group {GROUP} --name claims-intake --system-assigned",
        )
        identity = resource_id(own.azure.subscription, GROUP, IDENTITY, "id-claims")
        own.azure.estate.put(identity)
        theirs = connection("azureblob", type="ManagedServiceIdentity", identity=identity)
        put(own, PLAIN, parameters={"$connections": {"value": {"azureblob": theirs}}})
        (finding,) = standing(own, "dangling-identity")
        assert finding.notes[0] == "connection azureblob: id-claims, which is not attached"
        own.azure.estate.put(own.app(), identity="user", user_assigned=(identity,))
        own.settled()
        assert standing(own, "dangling-identity") == []


SECRET = "Pl4nted-5ecret-zYxW"
SECRETS: Json = definition(
    A=http(authentication={"type": "Basic", "username": "u", "password": SECRET}),
    B=http(authentication={"type": "ActiveDirectoryOAuth", "clientId": "c", "secret": SECRET}),
    C=http(authentication={"type": "ClientCertificate", "pfx": SECRET, "password": SECRET}),
    D=http(authentication={"type": "Raw", "value": SECRET}),
    E=http(authentication={"type": SECRET, "identity": SECRET, "audience": f"https://{SECRET}"}),
    F=http(f"https://u:{SECRET}@kv.vault.azure.net/secrets/x?sig={SECRET}&code={SECRET}"),
    G=http(headers={"Authorization": f"Bearer {SECRET}", "api-key": SECRET, "x": SECRET}, body=SECRET),
    H=http(
        f"https://kv.vault.azure.net/?code={SECRET}",
        authentication={"type": "ManagedServiceIdentity", "identity": SECRET, "audience": f"{SECRET}.net"},
    ),
    I=http(f"@concat('https://x/?sig={SECRET}')", queries={"sig": SECRET}),
    J={"type": "Compose", "inputs": [SECRET, f"@parameters('p')@{{body('A')}}{SECRET}"]},
)


def test_no_secret_is_kept_shown_or_sent(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A secret planted wherever one may stand is in no row, log, card or answer; that it stands there is."""
    declared = {"p": {"type": "securestring", "defaultValue": SECRET}}
    values = {
        "p": {"value": SECRET},
        "$connections": {"value": {"sql": {**connection("sql"), "password": SECRET}}},
    }
    with world(tmp_path) as own:
        own.subscribe()
        put(own, {**SECRETS, "parameters": declared}, parameters=values)
        found = standing(own)
        assert {finding.rule for finding in found} == {
            "secret-authentication",
            "unsecured-secret",
            "audience-mismatch",
        }
        assert len(next(f for f in found if f.rule == "secret-authentication").places) >= 10
        answered = own.lami.queries.timeline(Query(*ALWAYS))
        sent = [json.dumps(card.body) for card in own.azure.teams.cards]
        own.lami.service.accept(found[0].id, ITSELF, "seen")
        page = repr(found) + repr(answered) + "".join(sent) + caplog.text
        kept = stored(tmp_path / "lami.db")
        for text in (page, kept):
            assert "action A" in text
            assert SECRET.lower() not in text.lower()


def stored(path: Path) -> str:
    """All that a database holds, with what is deflated in it inflated."""
    database = sqlite3.connect(path)
    texts = []
    for (table,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
        for row in database.execute(f"SELECT * FROM {table}"):
            texts.append(repr(row))
            for cell in row:
                values = json.loads(cell) if isinstance(cell, str) and cell.startswith("{") else {}
                if "d0" in values:
                    texts.append(repr(rows.unpack(values, msgspec.Raw)))
    database.close()
    return "\n".join(texts)
