"""Event Grid: handshakes, both schemas, retries, dead letters, duplicates, reordering and loss."""

import json
from datetime import datetime

import pytest

from lami.sandbox import Actor, Refused, Sandbox
from lami.sandbox.events import Schema
from lami.sandbox.grid import Conditions
from tests.corpus import corpus_object
from tests.sandbox.support import Webhook, listening, principal_of, vault, workflow


def test_eventgrid_schema(azure: Sandbox, webhook: Webhook) -> None:
    """A change arrives as an array of one event that names the operation, the actor and no role."""
    azure.subscribe(webhook.url)
    azure.estate.put(workflow(azure))
    made = azure.estate.assign(
        "Reader", vault(azure), of=workflow(azure), actor=Actor.named("Kim", upn="k@x")
    )
    assert azure.settled(10)
    assert [len(body) for body in webhook.bodies] == [1, 1]
    assert {headers["aeg-event-type"] for headers in webhook.headers} == {"Notification"}
    write, grant = webhook.events
    assert write["data"]["operationName"] == "Microsoft.Logic/workflows/write"
    assert grant["eventType"] == "Microsoft.Resources.ResourceWriteSuccess"
    assert grant["subject"].lower() == made.id.lower()
    assert grant["data"]["claims"]["name"] == "Kim"
    assert grant["data"]["authorization"]["evidence"]["principalId"] == made.created_by.replace("-", "")
    assert made.role not in json.dumps(grant)
    assert made.principal_id not in json.dumps(grant)
    assert datetime.fromisoformat(grant["eventTime"]) == made.created


def test_cloudevents_schema(azure: Sandbox, webhook: Webhook) -> None:
    """With CloudEvents a change arrives as one object of that media type; an application has no upn."""
    azure.subscribe(webhook.url, "cloudevents")
    azure.estate.put(workflow(azure), actor=Actor.named("deploy-bot", "application"))
    assert azure.settled(10)
    (event,) = webhook.bodies
    assert webhook.headers[0]["content-type"].startswith("application/cloudevents+json")
    assert (event["specversion"], event["source"]) == ("1.0", f"/subscriptions/{azure.subscription}")
    claims = event["data"]["claims"]
    assert claims["idtyp"] == "app"
    assert not any(name.endswith("upn") for name in claims)


@pytest.mark.corpus
@pytest.mark.parametrize("schema", ["eventgrid", "cloudevents"])
def test_events_have_the_specified_members(azure: Sandbox, webhook: Webhook, schema: Schema) -> None:
    """An event has exactly the members of the specified ones, at every level."""
    example = corpus_object(f"events/synthetic.{schema}.json")["wf_write"]
    azure.subscribe(webhook.url, schema)
    azure.estate.put(workflow(azure))
    assert azure.settled(10)

    def shape(value: object) -> object:
        return {key: shape(each) for key, each in value.items()} if isinstance(value, dict) else type(value)

    assert shape(webhook.events[0]) == shape(example)


@pytest.mark.parametrize("schema", ["eventgrid", "cloudevents"])
def test_failed_handshake(azure: Sandbox, webhook: Webhook, schema: Schema) -> None:
    """A webhook that does not shake hands is not subscribed."""
    webhook.shakes_hands = False
    with pytest.raises(Refused, match="handshake"):
        azure.subscribe(webhook.url, schema)
    azure.estate.put(workflow(azure))
    assert azure.settled(10)
    assert webhook.bodies == []


@pytest.mark.parametrize(
    "url", ["https://example.com/x", "http://10.0.0.1/", "http://[::1", "http://127.0.0.1:0"]
)
def test_loopback_only(azure: Sandbox, url: str) -> None:
    """Only webhooks on this machine are taken, and they have to answer."""
    with pytest.raises(Refused):
        azure.subscribe(url)


def test_retries(azure: Sandbox, webhook: Webhook) -> None:
    """An event is delivered again, the same, until it is taken."""
    azure.subscribe(webhook.url)
    webhook.statuses = [500, 503, 429]
    azure.estate.put(workflow(azure))
    assert azure.settled(10)
    assert len({event["id"] for event in webhook.events}) == 1
    assert [headers["aeg-delivery-count"] for headers in webhook.headers] == ["0", "1", "2", "3"]
    outcomes = [(each.status, each.outcome) for each in azure.grid.attempts]
    assert outcomes == [(500, "retrying"), (503, "retrying"), (429, "retrying"), (200, "delivered")]


@pytest.mark.parametrize("status", [400, 401, 403, 413])
def test_refused_events_are_not_retried(azure: Sandbox, webhook: Webhook, status: int) -> None:
    """An answer that says the event is unwelcome sends it to the dead letters at once."""
    azure.subscribe(webhook.url)
    webhook.statuses = [status]
    azure.estate.put(workflow(azure))
    assert azure.settled(10)
    (dead,) = azure.grid.dead_letters
    assert (dead["deliveryAttempts"], dead["lastDeliveryOutcome"]) == (1, str(status))
    assert dead["id"] == webhook.events[0]["id"]


def test_dead_letter_after_the_last_attempt() -> None:
    """Nobody answering uses up the attempts, and the event is dead-lettered."""
    with Sandbox(scale=0.0) as azure:
        with listening() as webhook:
            azure.subscribe(webhook.url)
        azure.estate.put(workflow(azure))
        assert azure.settled(30)
        (dead,) = azure.grid.dead_letters
        assert (dead["deadLetterReason"], dead["deliveryAttempts"]) == ("MaxDeliveryAttemptsExceeded", 10)


def test_duplicates_and_loss(azure: Sandbox, webhook: Webhook) -> None:
    """Every event is doubled, or none arrives, when that is asked for."""
    azure.subscribe(webhook.url)
    azure.grid.configure(Conditions(duplicates=1.0))
    azure.estate.put(workflow(azure))
    assert azure.settled(10)
    assert len(webhook.events) == 2
    assert webhook.events[0] == webhook.events[1]
    azure.grid.configure(Conditions(loss=1.0))
    azure.estate.put(workflow(azure))
    assert azure.settled(10)
    assert len(webhook.events) == 2
    assert azure.grid.attempts[-1].outcome == "lost"


def test_pause_and_reorder(azure: Sandbox, webhook: Webhook) -> None:
    """Held back events are not settled; let go with reorder they arrive in another order, all of them."""
    azure.subscribe(webhook.url)
    azure.grid.configure(Conditions(paused=True))
    for number in range(8):
        azure.estate.put(workflow(azure, f"app-{number}"))
    assert not azure.settled(0.05)
    azure.grid.configure(Conditions(reorder=True))
    assert azure.settled(10)
    names = [event["subject"].rpartition("/")[2] for event in webhook.events]
    assert sorted(names) == [f"app-{number}" for number in range(8)] != names


def test_what_raises_no_event(azure: Sandbox, webhook: Webhook) -> None:
    """Grants above a subscription raise no event; a failed write raises a failure."""
    azure.subscribe(webhook.url)
    one, other = (principal_of(azure.estate.put(workflow(azure, name))) for name in ("one", "other"))
    azure.estate.assign("Reader", "/", principal_id=one)
    made = azure.estate.assign("Reader", vault(azure), principal_id=one)
    with pytest.raises(Refused):
        azure.estate.assign("Reader", vault(azure), principal_id=other, name=made.name)
    azure.estate.set_state(workflow(azure, "one"), "Disabled")
    assert azure.settled(10)
    seen = [
        (event["data"]["operationName"], event["eventType"].rpartition(".")[2]) for event in webhook.events
    ]
    assert seen[2:] == [
        ("Microsoft.Authorization/roleAssignments/write", "ResourceWriteSuccess"),
        ("Microsoft.Authorization/roleAssignments/write", "ResourceWriteFailure"),
        ("Microsoft.Logic/workflows/disable/action", "ResourceActionSuccess"),
    ]
