"""The OpenAPI document and the code, held together in both directions."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlencode

import pytest
import requests

from lami.web.app import make_server_app
from tests.jsons import JsonValue
from tests.web.support import answers_options, get, post, problem, written
from tests.world import World

EXAMPLES = {
    "status": "open",
    "rule": "broad-grant",
    "severity": "high",
    "from": "2026-01-01T00:00:00Z",
    "to": "2999-01-01T00:00:00Z",
    "limit": "1",
    "kind": "told",
    "principal": "00000000-0000-0000-0000-000000000000",
    "scope": "/",
    "days": "30",
}


@pytest.fixture(scope="module")
def document(story: World) -> dict[str, Any]:
    """Give the document as it is served."""
    read: dict[str, Any] = get(story, "/api/openapi.json").json()
    return read


def operations(document: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    """Each operation by its path and method."""
    return {
        (path, method.upper()): operation
        for path, item in document["paths"].items()
        for method, operation in item.items()
    }


def resolve(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """A schema, or what it refers to."""
    while "$ref" in schema:
        found: Any = document
        for part in schema["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        schema = found
    return schema


def fits(document: dict[str, Any], schema: dict[str, Any], value: object, at: str = "$") -> None:
    """Fail unless a value is as its schema says; objects must have all members, and no others."""
    schema = resolve(document, schema)
    if "oneOf" in schema:
        kinds = [resolve(document, one) for one in schema["oneOf"]]
        wanted = "null" if value is None else "array" if isinstance(value, list) else None
        chosen = [
            one
            for one in kinds
            if (one.get("type") == wanted) or (not wanted and one["type"] not in ("null", "array"))
        ]
        assert len(chosen) == 1, at
        return fits(document, chosen[0], value, at)
    kind = {"object": dict, "array": list, "string": str, "integer": int, "null": type(None)}[schema["type"]]
    assert isinstance(value, kind), f"{at} is no {schema['type']}"
    if isinstance(value, dict):
        members = schema.get("properties", {})
        assert set(schema.get("required", ())) <= value.keys(), at
        more = schema.get("additionalProperties", True)
        for name, member in value.items():
            assert name in members or more is not False, f"{at}.{name} is not described"
            if name in members or isinstance(more, dict):
                fits(document, members.get(name, more), member, f"{at}.{name}")
    elif isinstance(value, list):
        for number, one in enumerate(value):
            fits(document, schema["items"], one, f"{at}[{number}]")
    assert value in schema.get("enum", [value]), at
    if schema.get("format") == "date-time":
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", str(value)), at
    return None


def test_every_route_is_described_and_every_description_is_a_route(
    story: World, document: dict[str, Any]
) -> None:
    """Paths and methods of the document are those that the app has, no more and no fewer."""
    rules = make_server_app(lambda: story.lami).url_map.iter_rules()
    mounted = {
        (re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule), method)
        for rule in rules
        for method in (rule.methods or set())
        - {"HEAD"}
        - ({"OPTIONS"} if "GET" in (rule.methods or ()) else set())
        if not (method == "OPTIONS" and answers_options(rule))
    }
    assert mounted == set(operations(document))


def test_every_parameter_is_described_and_every_description_is_a_parameter(
    story: World, document: dict[str, Any]
) -> None:
    """An unknown parameter's refusal names those that there are: they are the ones described."""
    tried = 0
    for (path, method), operation in operations(document).items():
        if method != "GET":
            continue
        described = {one["name"] for one in operation.get("parameters", []) if one["in"] == "query"}
        url = path.replace("{id}", "f-1") + "?no-such-parameter=1"
        if path == "/":
            assert get(story, url).status_code == 400
            told = set(re.findall(r'<(?:select|input) name="(\w+)"', get(story, "/").text))
        else:
            told = set(problem(get(story, url), 400)["errors"][0].get("known", ()))
        assert told == described, path
        tried += 1
    assert tried == 6


def test_every_described_parameter_is_taken(story: World, document: dict[str, Any]) -> None:
    """A value that the description allows isn't refused, and one that it does not allow is."""
    for (path, method), operation in operations(document).items():
        if method != "GET" or "{id}" in path:
            continue
        for one in operation.get("parameters", []):
            if one["name"] == "token":
                continue
            value = EXAMPLES.get(one["name"], "claims-intake")
            good = get(story, f"{path}?{urlencode({one['name']: value})}")
            assert good.status_code == 200, (path, one["name"], good.text)
            if resolve(document, one["schema"]).get("type") != "string" or "enum" in one["schema"]:
                bad = get(story, f"{path}?{urlencode({one['name']: 'no-such-value'})}")
                assert bad.status_code == 400, (path, one["name"])


def test_every_answer_is_as_described(fresh: World) -> None:
    """Answers, errors among them, have the members that the document says, and no others."""
    document = get(fresh, "/api/openapi.json").json()
    described = operations(document)

    def check(path: str, method: str, response: requests.Response) -> None:
        answer = resolve(document, described[path, method]["responses"][str(response.status_code)])
        kind = response.headers["Content-Type"]
        fits(document, answer["content"][kind]["schema"], response.json())

    fresh.subscribe()
    fresh.redeploy()
    found = get(fresh, "/api/v1/findings").json()["value"]
    for path in ("/api/v1/findings", "/api/v1/timeline", "/api/v1/health", "/api/openapi.json"):
        check(path, "GET", get(fresh, path))
        check(path, "GET", get(fresh, f"{path}?no-such-parameter=1"))
        check(path, "GET", get(fresh, path, headers={"Host": "lami.example"}))
    check("/api/v1/findings/{id}", "GET", get(fresh, f"/api/v1/findings/{found[0]['id']}"))
    check("/api/v1/findings/{id}", "GET", get(fresh, "/api/v1/findings/f-1"))
    url = f"{fresh.server.url}/api/v1/findings/{found[0]['id']}/accept"
    for body in ({}, {"reason": "ok", "until": "2998-01-01T00:00:00Z"}):
        check("/api/v1/findings/{id}/accept", "POST", requests.post(url, json=body, timeout=20))
    check("/api/v1/findings/{id}", "GET", get(fresh, f"/api/v1/findings/{found[0]['id']}"))
    posted: tuple[JsonValue, ...] = (written(fresh.azure, fresh.app()), [7], [])
    for events in posted:
        check("/api/events", "POST", post(fresh, events))


def test_references_lead_somewhere(document: dict[str, Any]) -> None:
    """No `$ref` of the document hangs in the air, and operation ids are unique."""
    for reference in re.findall(r"'\$ref': '([^']+)'", str(document)):
        assert resolve(document, {"$ref": reference})
    ids = [operation["operationId"] for operation in operations(document).values()]
    assert len(ids) == len(set(ids))
