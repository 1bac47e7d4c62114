"""Workflows of Standard logic apps through the real SDK's pipeline and a real server."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from lami.core.model import ITSELF
from lami.core.timeline import Query
from lami.listing import MOST_UNREAD
from lami.runs import Progress
from lami.sandbox import IDENTITY, SITE, SLOT, Sandbox, resource_id
from lami.sandbox.definitions import CARELESS, CARELESS_FILES, PLAIN_FILES, definition
from lami.sandbox.faults import Fault
from lami.sandbox.model import Wanted
from lami.schedule import reconcile_now
from tests.arm.definitions import Json, http
from tests.scenarios.test_posture import ALWAYS, SECRET, SECRETS, standing, stored, told
from tests.world import GROUP, World, world

FAULTS = ["audience-mismatch", "secret-authentication", "unsecured-secret"]


def site(own: World) -> str:
    """The id of a Standard logic app."""
    return resource_id(own.azure.subscription, GROUP, SITE, "claims-std")


def slot(own: World) -> str:
    """The id of its slot."""
    return resource_id(own.azure.subscription, GROUP, SLOT, "claims-std", "staging")


def deploy(
    own: World,
    app: str,
    files: Json,
    identity: Wanted | None = None,
    tags: Mapping[str, str] | None = None,
) -> None:
    """An app is written with these files."""
    own.azure.estate.put(app, files=files, identity=identity, tags=tags)
    own.settled()


def down(azure: Sandbox) -> None:
    """The runtimes of all Standard apps answer as one that does not run."""
    azure.faults.add(Fault(path="*/claims-std/*workflows", status=400))


def take(own: World, reason: str = "") -> list[Progress]:
    """Take the baseline (anew)."""
    seen: list[Progress] = []
    own.lami.taker.take((own.azure.subscription,), f"take {reason}", ITSELF, reason, seen.append)
    return seen


def begun(own: World) -> None:
    """An app that nobody gave files, the baseline taken of it, and lami told of what happens."""
    own.azure.estate.put(site(own))
    take(own)
    own.subscribe()


def reconciled(own: World) -> int:
    """Reconcile; how many subjects differed."""
    return reconcile_now(own.lami, lambda progress: None).differing


def paths(azure: Sandbox) -> list[str]:
    """What was read of Azure, but for the listing of all."""
    return [read.path for read in azure.reads if "claims-std" in read.path]


@pytest.mark.parametrize("of", [site, slot])
def test_what_a_deployment_brings_is_told(tmp_path: Path, of: object) -> None:
    """A workflow with a password, a leak and a wrong audience, beside a connection string: one alert."""
    with world(tmp_path) as own:
        own.azure.estate.put(site(own))
        own.azure.estate.put(slot(own))
        take(own)
        own.subscribe()
        app = site(own) if of is site else slot(own)
        deploy(own, app, CARELESS_FILES)
        found = standing(own)
        assert [finding.rule for finding in found] == FAULTS
        assert {finding.subject.id for finding in found} == {app}
        assert found[1].notes[:2] == (
            "connection serviceBus: a connection string, from an app setting",
            "workflow send, action Send_claim: a password (Basic), written in the definition",
        )
        assert "workflow send, action Get_secret" in found[2].title
        assert len(told(own)) == 3
        assert len(own.azure.teams.cards) == 1
        deploy(own, app, PLAIN_FILES)
        assert standing(own) == []


def test_what_the_designer_saves_is_told(tmp_path: Path) -> None:
    """Its event is of the files: the app's own time of change is as it was, and no look is doubted for it."""
    with world(tmp_path) as own:
        begun(own)
        own.azure.estate.deploy(site(own), CARELESS_FILES)
        own.settled()
        assert [finding.rule for finding in standing(own)] == FAULTS
        assert len(told(own)) == 3
        texts = [entry.text for entry in own.lami.queries.timeline(Query(*ALWAYS))]
        assert "claims-std was given workflows; its identities are unchanged" in texts
        assert not any("the past" in text for text in texts)
        assert [read for read in paths(own.azure) if read.endswith("/send")] == [
            f"{site(own)}/workflows/send"
        ]


def test_the_baseline_lists_what_stands(tmp_path: Path) -> None:
    """Taken while an app and its slot show secrets, it lists them, and what happens next is no news."""
    with world(tmp_path) as own:
        own.azure.estate.put(site(own), files=CARELESS_FILES)
        own.azure.estate.put(slot(own), files=CARELESS_FILES)
        seen = take(own)
        assert any("reading the workflows of claims-std" in progress.what for progress in seen)
        assert len(standing(own)) == 6
        own.subscribe()
        deploy(own, site(own), CARELESS_FILES, tags={"release": "2"})
        assert reconciled(own) == 0
        assert len(standing(own)) == 6
        assert not own.azure.teams.cards
        take(own, "all of it is known")
        assert standing(own) == []


def test_reconcile_finds_what_no_event_told(tmp_path: Path) -> None:
    """Files that were put there without an event are found, once; and that they are gone again."""
    with world(tmp_path) as own:
        own.azure.estate.put(site(own))
        take(own)
        assert reconciled(own) == 0
        own.azure.estate.put(site(own), files=CARELESS_FILES)  # nobody listens
        assert standing(own) == []
        assert reconciled(own) == 1
        assert [finding.rule for finding in standing(own)] == FAULTS
        assert len(told(own)) == 3
        assert reconciled(own) == 0
        own.azure.estate.put(site(own), files={})
        assert reconciled(own) == 1
        assert standing(own) == []


def test_an_app_that_does_not_answer_loses_nothing(tmp_path: Path) -> None:
    """Its identity is judged as ever; what its workflows showed stays until they show otherwise."""
    with world(tmp_path) as own:
        begun(own)
        deploy(own, site(own), CARELESS_FILES)
        own.azure.teams.cards.clear()
        down(own.azure)
        deploy(own, site(own), PLAIN_FILES, identity="none")
        assert standing(own, "identity-churn")
        assert [f.rule for f in standing(own) if f.rule != "dangling-identity"] == FAULTS
        assert reconciled(own) == 0
        own.azure.faults.clear()
        assert reconciled(own) == 1
        assert standing(own) == []
        assert told(own) == set()


def test_many_that_do_not_answer_are_not_all_waited_for(tmp_path: Path) -> None:
    """A function call has five minutes, and each app that hangs takes some seconds of a run of reconcile."""
    with world(tmp_path) as own:
        for number in range(30):
            app = resource_id(own.azure.subscription, GROUP, SITE, f"claims-std-{number:02d}")
            own.azure.estate.put(app, files=PLAIN_FILES)
        own.azure.faults.add(Fault(path="*/claims-std-*/workflows", status=500))
        take(own)
        own.azure.reads.clear()
        reconciled(own)
        assert len({path for path in paths(own.azure) if path.endswith("/workflows")}) == MOST_UNREAD


def test_one_workflow_that_cannot_be_read_keeps_all(tmp_path: Path) -> None:
    """Of the others nothing is concluded either, until all can be read."""
    with world(tmp_path) as own:
        begun(own)
        deploy(own, site(own), CARELESS_FILES)
        before = standing(own)
        own.azure.faults.add(Fault(path="*/workflows/send", status=500))
        deploy(own, site(own), {**PLAIN_FILES, "send/workflow.json": {"definition": definition()}})
        assert standing(own) == before
        own.azure.faults.clear()
        deploy(own, site(own), PLAIN_FILES)
        assert standing(own) == []


def test_an_app_that_was_down_at_the_baseline_is_listed_later(tmp_path: Path) -> None:
    """What it shows once it answers may have stood: it is listed, and what comes up after that is told."""
    with world(tmp_path) as own:
        own.azure.estate.put(site(own), files=CARELESS_FILES)
        down(own.azure)
        take(own)
        assert standing(own) == []
        own.azure.faults.clear()
        own.subscribe()
        assert reconciled(own) == 1
        assert len(standing(own)) == 3
        assert not own.azure.teams.cards
        more = {**CARELESS_FILES, "more/workflow.json": {"definition": CARELESS}}
        deploy(own, site(own), more)
        assert len(told(own)) == 3
        assert any("workflow more, action Send_claim" in note for note in standing(own)[1].notes)


def test_an_app_that_comes_without_an_answer_is_told_later(tmp_path: Path) -> None:
    """A new app's runtime is not up when its event arrives: what it shows later nobody accepted."""
    with world(tmp_path) as own:
        own.subscribe()
        down(own.azure)
        deploy(own, site(own), CARELESS_FILES)
        assert standing(own) == []
        own.azure.faults.clear()
        assert reconciled(own) == 1
        assert [finding.rule for finding in standing(own)] == FAULTS
        assert len(told(own)) == 3


def test_the_identities_that_connections_refer_to(tmp_path: Path) -> None:
    """One that is not attached dangles, with the command that attaches it beside what the app has."""
    with world(tmp_path) as own:
        identity = resource_id(own.azure.subscription, GROUP, IDENTITY, "id-claims")
        own.azure.estate.put(identity)
        begun(own)
        block = {"type": "ManagedServiceIdentity", "identity": identity}
        connections = {"managedApiConnections": {"sql": {"authentication": block}}}
        deploy(own, site(own), {**PLAIN_FILES, "connections.json": connections})
        (finding,) = standing(own)
        assert finding.rule == "dangling-identity"
        assert finding.notes[0] == "connection sql: id-claims, which is not attached"
        assert finding.remediation == (
            f"az logicapp identity assign --subscription {own.azure.subscription}"
            f" --resource-group {GROUP} --name claims-std --user-assigned {identity}",
        )
        own.azure.estate.put(site(own), identity="both", user_assigned=(identity,))
        own.settled()
        assert standing(own) == []


def test_a_site_that_is_no_logic_app_any_longer_shows_nothing(tmp_path: Path) -> None:
    """What it showed is resolved with it."""
    with world(tmp_path) as own:
        begun(own)
        deploy(own, site(own), CARELESS_FILES)
        own.azure.estate.put(site(own), kind="functionapp")
        own.settled()
        assert standing(own) == []


def test_what_looks_cost(tmp_path: Path) -> None:
    """An event: the app, the list, and each workflow. Reconcile: the list and each workflow, of each app."""
    with world(tmp_path) as own:
        own.azure.estate.put(site(own), files=CARELESS_FILES)
        take(own)
        own.subscribe()
        start = len(paths(own.azure))
        deploy(own, site(own), CARELESS_FILES)
        seen = paths(own.azure)[start:]
        each = [f"{site(own)}/workflows{name}" for name in ("", "/intake", "/send")]
        assert [path.lower() for path in seen] == [path.lower() for path in (site(own), *each)]
        start = len(paths(own.azure))
        assert reconciled(own) == 0
        seen = paths(own.azure)[start:]
        assert [path.lower() for path in seen] == [path.lower() for path in (f"{site(own)}/slots", *each)]


def test_no_secret_is_kept_shown_or_sent(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A secret planted wherever one may stand in the files is in no row, log, card or answer."""
    values = {"connectionString": f"Endpoint=x;SharedAccessKey={SECRET}", "password": SECRET, "key": SECRET}
    connections = {
        "serviceProviderConnections": {"bus": {"parameterValues": values, "displayName": SECRET}},
        "managedApiConnections": {"one": {"authentication": {"type": "Raw", "parameter": SECRET}}},
        "functionConnections": {"fn": {"triggerUrl": f"https://f/?code={SECRET}{SECRET}"}},
        "agentConnections": {"ai": {"authentication": {"type": SECRET, "key": SECRET}}},
    }
    files: Json = {
        "connections.json": connections,
        "parameters.json": {"p": {"type": "String", "value": SECRET}},
        "send/workflow.json": {"definition": SECRETS},
        "more/workflow.json": {"definition": definition(A=http(headers={"api-key": "@parameters('p')"}))},
    }
    with world(tmp_path) as own:
        begun(own)
        deploy(own, site(own), files)
        found = standing(own)
        assert len(next(f for f in found if f.rule == "secret-authentication").places) >= 15
        sent = "".join(json.dumps(card.body) for card in own.azure.teams.cards)
        kept = stored(tmp_path / "lami.db")
        for text in (repr(found) + sent + caplog.text, kept):
            assert "workflow send, action A" in text
            assert SECRET.lower() not in text.lower()
