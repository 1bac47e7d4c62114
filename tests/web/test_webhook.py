"""The webhook of `lami serve`: handshakes, both schemas, and what each answer tells Event Grid to do."""

from __future__ import annotations

from pathlib import Path

import pytest
import requests

from lami.core.decode import MAX_BODY
from lami.sandbox.faults import Fault
from tests.jsons import JsonValue
from tests.web.support import as_cloud_event, get, post, problem, written
from tests.world import World, world


@pytest.mark.parametrize("schema", ["eventgrid", "cloudevents"])
def test_a_redeploy_told_in_either_schema_opens_the_findings(fresh: World, schema: str) -> None:
    """Event Grid shakes hands, delivers, and the redeploy stands in the API."""
    fresh.subscribe(schema)
    fresh.redeploy()
    found = get(fresh, "/api/v1/findings").json()["value"]
    rules = {finding["rule"] for finding in found}
    assert rules == {"identity-churn", "orphaned-assignment", "missing-grant", "broad-grant"}
    assert not fresh.azure.grid.dead_letters


def test_handshake_of_event_grid_gets_its_code_back(story: World) -> None:
    """The validation event is answered with 200 and its code."""
    event: JsonValue = {
        "id": "1",
        "topic": "",
        "subject": "",
        "eventType": "Microsoft.EventGrid.SubscriptionValidationEvent",
        "eventTime": "2026-11-24T08:00:00Z",
        "data": {"validationCode": "512d38b6-c7b8-40c8-89fe-f46f9e9622b6", "validationUrl": "https://x"},
    }
    response = post(story, [event], headers={"aeg-event-type": "SubscriptionValidation"})
    assert response.status_code == 200
    assert response.json() == {"validationResponse": "512d38b6-c7b8-40c8-89fe-f46f9e9622b6"}


def test_handshake_of_cloud_events_allows_the_origin(story: World) -> None:
    """OPTIONS is answered with the origin that asked, and never calls back."""
    response = requests.options(
        story.events_url,
        headers={
            "WebHook-Request-Origin": "eventgrid.azure.net",
            "WebHook-Request-Callback": "http://127.0.0.1:9/",
        },
        timeout=10,
    )
    assert response.status_code == 200
    assert response.headers["WebHook-Allowed-Origin"] == "eventgrid.azure.net"
    assert response.headers["WebHook-Allowed-Rate"] == "*"


@pytest.mark.parametrize("origin", ["", "a b", "evil.example, *", "x" * 300])
def test_handshake_without_a_host_name_is_refused(story: World, origin: str) -> None:
    """What is no host name is not echoed into a header."""
    response = requests.options(story.events_url, headers={"WebHook-Request-Origin": origin}, timeout=10)
    problem(response, 400)
    assert "WebHook-Allowed-Origin" not in response.headers


def test_every_event_of_an_array_gets_its_outcome(fresh: World) -> None:
    """The good ones are handled, in either schema; a bad one and a foreign one are said to be so."""
    good = written(fresh.azure, fresh.app())
    foreign = written(
        fresh.azure, "/subscriptions/00000000-0000-0000-0000-000000000009/resourceGroups/x", topic=""
    )
    cloud = as_cloud_event(written(fresh.azure, fresh.app()))
    response = post(fresh, [good, 7, foreign, cloud, good])
    assert response.status_code == 200
    assert [one["outcome"] for one in response.json()] == [
        "recorded",
        "rejected",
        "ignored",
        "recorded",
        "duplicate",
    ]
    assert response.json()[0]["eventId"] == good["id"]
    assert get(fresh, "/api/v1/health").json()["events"] == {
        "recorded": 2,
        "duplicate": 1,
        "ignored": 1,
        "deferred": 0,
        "rejected": 1,
    }


def test_a_lone_event_needs_no_array_and_no_content_type(fresh: World) -> None:
    """The body alone says what it is."""
    event = requests.Request("POST", fresh.events_url, json=written(fresh.azure, fresh.app())).prepare()
    event.headers["Content-Type"] = "text/plain"
    with requests.Session() as session:
        response = session.send(event, timeout=20)
    assert response.json()[0]["outcome"] == "recorded"


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"no json", b"\xff\xfe", b"7", b'[{"a": 1}]', b"[" * 70 + b"]" * 70, b'{"id": NaN}']
)
def test_what_is_no_event_is_refused_for_good_and_counted(story: World, body: bytes) -> None:
    """400, which Event Grid never sends again; the reason is in the answer, the count in health."""
    before = get(story, "/api/v1/health").json()["events"]["rejected"]
    assert problem(requests.post(story.events_url, data=body, timeout=10), 400)["detail"]
    assert get(story, "/api/v1/health").json()["events"]["rejected"] > before


@pytest.mark.parametrize("size", [MAX_BODY + 1, 8 * MAX_BODY])
def test_a_body_over_a_megabyte_is_answered_413(story: World, size: int) -> None:
    """The answer arrives; the connection isn't cut under the sender."""
    problem(requests.post(story.events_url, data=b" " * size, timeout=20), 413)


def test_a_body_over_a_megabyte_without_a_length_is_answered_413(story: World) -> None:
    """Neither does it help to send it in chunks."""
    chunks = (b" " * 65536 for _ in range(17))
    problem(requests.post(story.events_url, data=chunks, timeout=20), 413)


def test_a_body_of_a_megabyte_is_read(story: World) -> None:
    """The limit itself is allowed."""
    event = b'{"specversion": "1.0"}'
    problem(requests.post(story.events_url, data=event + b" " * (MAX_BODY - len(event)), timeout=20), 400)


def test_azure_down_is_not_acknowledged_and_loses_nothing(fresh: World) -> None:
    """503 with Retry-After while Azure fails; the others of the array are done; later it goes through."""
    fresh.azure.estate.put(fresh.app("other"))
    fresh.azure.faults.add(Fault(path="*/workflows/claims-intake", status=500))
    first, second = written(fresh.azure, fresh.app()), written(fresh.azure, fresh.app("other"))
    response = post(fresh, [first, second])
    problem(response, 503)
    assert int(response.headers["Retry-After"]) >= 1
    fresh.azure.faults.clear()
    outcomes = [one["outcome"] for one in post(fresh, [first, second]).json()]
    assert outcomes == ["recorded", "duplicate"]


def test_what_azure_throttles_is_put_aside(fresh: World) -> None:
    """Acknowledged, since it is durable: Event Grid would delay new events too."""
    fresh.azure.faults.add(Fault(path="*/workflows/claims-intake", status=429, retry_after=1))
    event = written(fresh.azure, fresh.app())
    [outcome] = post(fresh, event).json()
    assert outcome["outcome"] == "deferred"
    assert get(fresh, "/api/v1/health").json()["due"]["waiting"] >= 1
    fresh.azure.faults.clear()


def test_the_key_is_demanded_where_one_is_set(tmp_path: Path) -> None:
    """A wrong or missing `?code=` is a 401, for events and for the handshake; the right one opens."""
    with world(tmp_path, {"LAMI_EVENT_KEY": "s3cret/key"}) as own:
        url = f"{own.server.url}/api/events"
        for code in ("", "?code=", "?code=wrong", "?code=s3cret/ke", "?code=s3cret%2Fkey%20"):
            refused = requests.post(url + code, json=written(own.azure, own.app()), timeout=10)
            problem(refused, 401)
            assert "WWW-Authenticate" in refused.headers
            problem(requests.options(url + code, headers={"WebHook-Request-Origin": "x"}, timeout=10), 401)
        assert get(own, "/api/v1/health").json()["events"]["rejected"] == 0
        own.subscribe("cloudevents")
        own.azure.estate.put(own.app(), tags={"a": "b"})
        own.settled()
        assert get(own, "/api/v1/health").json()["events"]["recorded"] == 1


def test_other_methods_are_refused(story: World) -> None:
    """GET on the webhook is a 405 that names what is allowed."""
    response = requests.get(story.events_url, timeout=10)
    problem(response, 405)
    assert "POST" in response.headers["Allow"]
