"""Fuzzing the webhook of `lami serve`: whatever is posted is answered, never with a fault of lami's own."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator

import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from lami.core.decode import MAX_BODY, split
from lami.web.app import make_server_app
from tests.properties.events import event_times, events, proper
from tests.properties.profiles import cases
from tests.properties.small_world import SmallWorld
from tests.properties.test_decoding import bodies


@pytest.fixture(scope="module")
def client() -> Iterator[FlaskClient]:
    """A client of a lami whose Azure is empty."""
    world = SmallWorld()
    app = make_server_app(lambda: world.lami)
    with app.test_client() as client:
        yield client


requests = st.one_of(
    bodies,
    proper.map(lambda event: json.dumps([event]).encode()),
    st.lists(events, max_size=4).map(lambda some: json.dumps(some).encode()),
)
TYPES = (
    "application/json",
    "application/cloudevents+json",
    "text/plain",
    "application/x-www-form-urlencoded",
)
FUTURE = json.dumps(
    {
        "id": "1",
        "eventType": "Microsoft.Resources.ResourceDeleteSuccess",
        "eventTime": "9999-12-31T23:59:59.9999999Z",
        "subject": "/subscriptions/11111111-1111-1111-1111-111111111111/resourceGroups/rg",
        "data": {"operationName": "Microsoft.Resources/subscriptions/resourceGroups/delete"},
    }
).encode()


@settings(cases("webhook"), suppress_health_check=list(HealthCheck))
@example(FUTURE, TYPES[0])
@given(requests, st.sampled_from(TYPES))
def test_a_post_is_answered(client: FlaskClient, body: bytes, kind: str) -> None:
    """200 with an outcome an event, or 400 with a problem that says why; nothing else."""
    answer = client.post("/api/events", data=body, content_type=kind)
    document = answer.get_json()
    assert answer.status_code in (200, 400), (answer.status_code, document)
    if answer.status_code == 400:
        assert answer.content_type == "application/problem+json"
        assert document["detail"]
    else:
        assert "validationResponse" in document or all(one["outcome"] for one in document)


@settings(cases("large bodies"), suppress_health_check=list(HealthCheck))
@given(st.integers(-2, 2), st.sampled_from([b" ", b"[", b"9", b'"']))
def test_a_body_too_large_is_refused(client: FlaskClient, beyond: int, letter: bytes) -> None:
    """What is beyond the limit is a 413, which Event Grid does not send again; what is within is read."""
    answer = client.post("/api/events", data=letter * (MAX_BODY + beyond))
    assert answer.status_code == (413 if beyond > 0 else 400)


@cases("claimed times")
@given(event_times)
def test_no_time_an_event_claims_puts_a_look_off(time: str) -> None:
    """After the delete of a resource group its subscription is compared soon, whatever time the event has."""
    world = SmallWorld()
    world.take()
    event = {**json.loads(FUTURE), "eventTime": time}
    if world.lami.service.receive(event).outcome == "deferred":
        world.azure.sleep(120)
        assert world.lami.service.walk() == 1


def test_a_large_body_costs_what_its_json_costs() -> None:
    """A body of very many tiny events takes no more than some times what reading its JSON takes."""
    body = "1\n" * 100_000

    def bare() -> None:
        at, decoder = 0, json.JSONDecoder()
        while at < len(body):
            at = decoder.raw_decode(body, at)[1] + 1

    def measured(work: Callable[[], object]) -> float:
        begun = time.process_time()
        work()
        return time.process_time() - begun

    floor = min(measured(bare) for _ in range(3))
    assert min(measured(lambda: split(body.encode())) for _ in range(3)) < 15 * floor
