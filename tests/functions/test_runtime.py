"""lami's own function app, in Microsoft's Python worker on Python 3.13."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from typing import Any
from uuid import uuid4

import pytest

from lami.sandbox import WORKFLOW, Sandbox, resource_id
from lami.sandbox.events import Schema
from tests.azurite import connection_string, free_port
from tests.functions.host import webhook_of
from tests.functions.worker import ROOT, Worker

pytestmark = pytest.mark.runtime

SUBSCRIPTION = "00000000-0000-0000-0000-00000000000a"
KEY = "a-key-of-the-test"
TIMER = {"IsPastDue": False, "Schedule": {"AdjustForDST": True}, "ScheduleStatus": {}}
FUNCTIONS = {
    "events": {"event": "eventGridTrigger"},
    "due": {"timer": "timerTrigger"},
    "reconcile": {"timer": "timerTrigger"},
    "web": {"req": "httpTrigger"},
}


def settings(store: str, arm: str, subscription: str) -> dict[str, str]:
    """The environment of an app whose Azure is on this machine, with a table of its own."""
    return {
        "LAMI_STORE": store,
        "LAMI_TABLE": f"lami{uuid4().hex}",
        "LAMI_SUBSCRIPTIONS": subscription,
        "LAMI_ARM_ENDPOINT": arm,
        "LAMI_CREDENTIAL": "none",
        "LAMI_LOOPBACK": "1",
        "LAMI_AUTH": "key",
        "LAMI_API_KEY": KEY,
    }


@pytest.fixture(scope="module")
def cut_off() -> Iterator[Worker]:
    """The app with sound settings of a store and an Azure that don't answer."""
    nobody = free_port()
    with Worker(
        ROOT, settings(connection_string(nobody), f"http://127.0.0.1:{nobody}", SUBSCRIPTION)
    ) as worker:
        yield worker


def test_every_function_is_indexed_and_loads(cut_off: Worker) -> None:
    """Azure finds the trigger for events, the two timers and the web app, and nothing else."""
    assert cut_off.exception is None
    assert cut_off.functions == FUNCTIONS


def test_nothing_is_read_or_connected_at_import() -> None:
    """The app indexes with no setting at all: wrong settings show as an error, and not as no functions."""
    with Worker(ROOT, {}) as worker:
        assert worker.exception is None
        assert worker.functions == FUNCTIONS
        answer = worker.call("events", workflow_written())
        assert not answer.ok
        assert "LAMI_SUBSCRIPTIONS" in str(answer.exception)


def test_an_event_that_cannot_be_kept_is_not_acknowledged(cut_off: Worker) -> None:
    """With the store down the trigger raises, which Event Grid takes for `deliver again`."""
    assert not cut_off.call("events", workflow_written()).ok


def test_what_is_no_event_is_not_asked_for_again(cut_off: Worker) -> None:
    """A foreign payload is refused and let go: redelivery would not make an event of it."""
    answer = cut_off.call("events", {"hello": "world"})
    assert answer.ok, answer.exception


@pytest.mark.azurite
@pytest.mark.parametrize("schema", ["eventgrid", "cloudevents"])
def test_an_event_becomes_a_finding_and_an_alert(azurite: str, schema: Schema) -> None:
    """From Event Grid through Microsoft's worker into Table Storage and out to Teams, in either schema."""
    with Sandbox() as azure:
        workflow = resource_id(azure.subscription, "rg-orders", WORKFLOW, "orders-intake")
        azure.estate.put(workflow)
        environment = settings(azurite, azure.url, azure.subscription)
        environment["LAMI_TEAMS_WEBHOOK_URL"] = azure.teams_url
        with Worker(ROOT, environment) as worker, webhook_of(worker, "events") as webhook:
            first = worker.call("reconcile", TIMER)  # takes the baseline, as none was taken
            assert first.ok, first.exception
            azure.subscribe(webhook, schema)
            azure.estate.recreate(workflow)
            assert azure.settled(timeout=60)
            walked = worker.call("due", TIMER)
            assert walked.ok, walked.exception
            health = worker.get("web", "/api/v1/health", {"x-api-key": KEY})
            assert health.status == 200, health
            assert worker.get("web", "/api/v1/findings", {}).status == 401
        assert [(finding["rule"], finding["subject"]["name"]) for finding in findings(environment)] == [
            ("identity-churn", "orders-intake")
        ]
        (card,) = azure.teams.cards
        assert card.problem == ""
        assert "orders-intake" in " ".join(card.texts)


def findings(environment: Mapping[str, str]) -> list[dict[str, Any]]:
    """What the command line finds in the same table, in another process and on another Python."""
    command = [sys.executable, "-m", "lami.cli", "findings", "list", "-o", "json", "--fail-on", "critical"]
    done = subprocess.run(command, env=dict(environment), capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stderr
    value: list[dict[str, Any]] = json.loads(done.stdout)["value"]
    return value


def workflow_written() -> dict[str, object]:
    """An event in Event Grid's own schema: a Consumption logic app was written."""
    workflow = resource_id(SUBSCRIPTION, "rg-orders", WORKFLOW, "orders-intake")
    return {
        "id": "9b5c0b5e-6f0b-4f0c-9d86-2d1f1b1a0001",
        "topic": f"/subscriptions/{SUBSCRIPTION}",
        "subject": workflow,
        "eventType": "Microsoft.Resources.ResourceWriteSuccess",
        "eventTime": "2026-11-24T08:00:00.1234567Z",
        "data": {
            "resourceUri": workflow,
            "operationName": "Microsoft.Logic/workflows/write",
            "subscriptionId": SUBSCRIPTION,
            "status": "Succeeded",
        },
        "dataVersion": "2",
        "metadataVersion": "1",
    }
