"""Asking the server over real HTTP, and events as Event Grid sends them."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import requests
from werkzeug.routing import Rule

from lami.sandbox import Sandbox
from tests.jsons import JsonValue
from tests.world import World


def get(
    world: World,
    path: str,
    headers: Mapping[str, str] | None = None,
    auth: tuple[str, str] | None = None,
    params: Mapping[str, str] | None = None,
) -> requests.Response:
    """GET a path of the server; its answer, whatever its status."""
    return requests.get(world.server.url + path, headers=headers, auth=auth, params=params, timeout=20)


def problem(response: requests.Response, status: int) -> dict[str, Any]:
    """The problem document of an answer that must have this status."""
    assert response.status_code == status, response.text
    assert response.headers["Content-Type"] == "application/problem+json"
    document: dict[str, Any] = response.json()
    assert document["status"] == status
    assert document["title"]
    return document


def post(world: World, body: JsonValue, headers: Mapping[str, str] | None = None) -> requests.Response:
    """POST events to the webhook."""
    return requests.post(world.events_url, json=body, headers=headers, timeout=40)


def everything(world: World, path: str) -> list[dict[str, Any]]:
    """All items of a list, by way of every `nextLink`."""
    items: list[dict[str, Any]] = []
    response = get(world, path)
    while True:
        assert response.status_code == 200, response.text
        page = response.json()
        items += page["value"]
        if page["nextLink"] is None:
            assert "Link" not in response.headers
            return items
        assert response.headers["Link"] == f'<{page["nextLink"]}>; rel="next"'
        response = requests.get(page["nextLink"], timeout=20)


def answers_options(rule: Rule) -> bool:
    """Whether Flask answers OPTIONS of a route by itself, which it notes on werkzeug's rule."""
    automatic: bool = rule.provide_automatic_options  # type: ignore[attr-defined]
    return automatic


def written(azure: Sandbox, resource: str, **changes: object) -> dict[str, Any]:
    """The event of a write, in Event Grid's own schema."""
    time = datetime.now(UTC).isoformat()
    return {
        "id": str(uuid.uuid4()),
        "topic": f"/subscriptions/{azure.subscription}",
        "subject": resource,
        "eventType": "Microsoft.Resources.ResourceWriteSuccess",
        "eventTime": time,
        "data": {
            "operationName": "Microsoft.Logic/workflows/write",
            "resourceUri": resource,
            "correlationId": str(uuid.uuid4()),
        },
        "dataVersion": "2",
        "metadataVersion": "1",
        **changes,
    }


def as_cloud_event(event: dict[str, Any]) -> dict[str, Any]:
    """The same event as CloudEvents 1.0."""
    return {
        "specversion": "1.0",
        "id": event["id"],
        "source": event["topic"],
        "subject": event["subject"],
        "type": event["eventType"],
        "time": event["eventTime"],
        "data": event["data"],
    }
