"""The API over real HTTP: findings, acceptance, timeline, health, paging, and how it refuses."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from datetime import timedelta
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest
import requests
from msgspec.structs import replace

from lami.core.moments import first_moment
from lami.sandbox import Sandbox
from lami.sandbox.faults import Fault
from lami.web.app import make_app
from tests.jsons import JsonValue
from tests.web.support import everything, get, post, problem, written
from tests.world import World, world

RULES = {"identity-churn", "orphaned-assignment", "missing-grant", "broad-grant"}
ROUTES = ["/api/v1/findings", "/api/v1/timeline", "/api/v1/health", "/api/openapi.json"]


def finding(world: World, rule: str) -> dict[str, Any]:
    """One open finding of a rule."""
    found: dict[str, Any] = get(world, f"/api/v1/findings?rule={rule}&status=open").json()["value"][0]
    return found


# --- findings --------------------------------------------------------------------------------------


def test_findings_come_newest_first(story: World) -> None:
    """The list has every finding in the contract's shape, the one that opened last first."""
    value = get(story, "/api/v1/findings").json()["value"]
    assert {one["rule"] for one in value} == RULES
    opened = [one["openedAt"] for one in value]
    assert opened == sorted(opened, reverse=True)
    assert len(set(opened)) > 1
    churn = next(one for one in value if one["rule"] == "identity-churn")
    assert churn["detail"]["change"] == "recreated"
    assert churn["subject"] == {
        "kind": "logicApp",
        "id": story.app(),
        "name": "claims-intake",
        "owner": "team-claims",
    }
    assert churn["openedAt"].endswith("Z")


@pytest.mark.parametrize(
    ("query", "rules"),
    [
        ("rule=broad-grant", {"broad-grant"}),
        ("rule=broad-grant&rule=missing-grant", {"broad-grant", "missing-grant"}),
        ("severity=medium", {"orphaned-assignment"}),
        ("status=open&severity=high&rule=identity-churn", {"identity-churn"}),
        ("status=resolved", set()),
        ("subject=CLAIMS-INTAKE", RULES),
        ("subject=claims", set()),
        ("subject=/subscriptions/", set()),
        ("subject=/", set()),
        ("subject=&rule=", RULES),
        ("from=2026-01-01&to=2999-01-01T00:00:00Z", RULES),
        ("to=2026-01-01T00:00:00%2B01:00", set()),
    ],
)
def test_findings_are_filtered(story: World, query: str, rules: set[str]) -> None:
    """Each filter narrows, several narrow together, an empty one does nothing."""
    assert {one["rule"] for one in get(story, f"/api/v1/findings?{query}").json()["value"]} == rules


def test_findings_are_found_by_an_id_with_a_slash_at_the_end(story: World) -> None:
    """It is the same resource, however its id was copied."""
    whole = get(story, f"/api/v1/findings?subject={story.app()}").json()["value"]
    assert whole
    assert get(story, f"/api/v1/findings?subject={story.app()}/").json()["value"] == whole


def test_one_finding_is_shown_by_its_id(story: World) -> None:
    """A finding by itself is the same as in the list; one that isn't there is a 404."""
    listed = finding(story, "broad-grant")
    assert get(story, f"/api/v1/findings/{listed['id']}").json() == listed
    assert "f-none" in problem(get(story, "/api/v1/findings/f-none"), 404)["detail"]


@pytest.mark.parametrize(
    "id", ["%23x", "a%3Fb", "%5C", "~{}", "{}%00", "%0A{}", "x" * 3_000, "%ED%A0%80", "ü"]
)
def test_an_id_that_lami_never_made_is_none(story: World, id: str) -> None:
    """Whatever it holds there is no such finding, neither to show nor to accept."""
    id = id.replace("{}", finding(story, "broad-grant")["id"])
    problem(get(story, f"/api/v1/findings/{id}"), 404)
    problem(accept(story, id, {"reason": "ok"}), 404)


@pytest.mark.parametrize("limit", [1, 2, 4, 6, 1000])
def test_findings_are_paged_to_the_end(story: World, limit: int) -> None:
    """Whatever the page's size, following `nextLink` gives each finding once and in the same order."""
    whole = [one["id"] for one in get(story, "/api/v1/findings").json()["value"]]
    paged = [one["id"] for one in everything(story, f"/api/v1/findings?limit={limit}&status=open")]
    assert paged == whole
    assert len(set(paged)) == len(paged)


# --- bad parameters --------------------------------------------------------------------------------


def test_every_bad_parameter_is_named_at_once(story: World) -> None:
    """One answer tells all that is wrong, unknown parameters too, and what there would be."""
    query = "status=opne&severity=high&severity=loud&from=yesterday&to=2026-13-01&limit=0&colour=red"
    query += "&subject=a&subject=b"
    errors = problem(get(story, f"/api/v1/findings?{query}"), 400)["errors"]
    assert {error["parameter"] for error in errors} == {
        "status",
        "severity",
        "from",
        "to",
        "limit",
        "colour",
        "subject",
    }
    assert next(e for e in errors if e["parameter"] == "colour")["known"] == sorted(
        ["status", "rule", "severity", "subject", "from", "to", "limit", "token"]
    )


@pytest.mark.parametrize(
    ("path", "parameter"),
    [
        ("findings?limit=1001", "limit"),
        ("findings?limit=-1", "limit"),
        ("findings?limit=1e3", "limit"),
        ("findings?limit=%D9%A1", "limit"),
        ("findings?from=2026-11-24T08:00:00", "from"),
        ("findings?from=2026-02-30", "from"),
        ("findings?from=0001-01-01", "from"),
        ("findings?from=2026-11-02&to=2026-11-01", "from"),
        (f"findings?subject={'x' * 2049}", "subject"),
        ("timeline?kind=seen", "kind"),
        ("timeline?from=2020-01-01", "from"),
        ("timeline?from=2026-11-02&to=2026-11-01", "from"),
        ("timeline?to=2999-12-31T23:59:59-01:00", "to"),
        ("timeline?status=open", "status"),
        ("timeline?principal=abc", "principal"),
        ("timeline?scope=rg-claims", "scope"),
        ("health?verbose=1", "verbose"),
        ("health?=1", ""),
        ("findings/f-1?limit=1", "limit"),
    ],
)
def test_a_bad_parameter_is_refused(story: World, path: str, parameter: str) -> None:
    """What can't be meant is a 400 that names the parameter."""
    errors = problem(get(story, f"/api/v1/{path}"), 400)["errors"]
    assert [error["parameter"] for error in errors] == [parameter]


def test_filters_that_can_never_match_are_named_with_all_else(story: World) -> None:
    """An auditor would take an empty answer for a quiet week."""
    query = "scope=rg-claims&principal=claims-intake&kind=seen&limit=0"
    errors = problem(get(story, f"/api/v1/timeline?{query}"), 400)["errors"]
    assert {error["parameter"] for error in errors} == {"scope", "principal", "kind", "limit"}


def forged(*parts: object) -> str:
    """A token of somebody's own making."""
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode().rstrip("=")


@pytest.mark.parametrize("route", ["findings", "timeline"])
def test_a_hostile_token_is_refused(story: World, route: str) -> None:
    """A token of another question, a cut one and made-up ones are 400s, whatever is in them."""
    link = get(story, f"/api/v1/{route}?limit=1").json()["nextLink"]
    own = link.rpartition("token=")[2]
    asked = json.loads(base64.urlsafe_b64decode(own + "=="))[0]
    late, naive, wide = "9999-12-31T23:59:59.999999Z", "2026-11-24T08:00:00", "0001-01-01T00:00:00Z"
    keys: tuple[JsonValue, ...] = (None, [], {}, "a", ["a", "b", "c", "d"], [1, 2, 3, 4], [[[[]]]])
    tokens = [
        own[:-3],
        own + "A",
        "x",
        "%00",
        "ü",
        forged(),
        forged(asked),
        forged(asked, [True, 0, 0.0, "f"], 1),
        *(forged(asked, key) for key in keys),
        *(forged(asked, [time, "e"]) for time in (late, naive, wide)),
        base64.urlsafe_b64encode(b"[" * 5000).decode(),
        forged("0" * 16, [False, 0, 0.0, "f"]),
    ]
    base = link.rpartition("&token=")[0]
    for token in tokens:
        assert (
            problem(requests.get(f"{base}&token={token}", timeout=10), 400)["errors"][0]["parameter"]
            == "token"
        )
    other = link.replace("limit=1", "limit=1&" + ("rule=broad-grant" if route == "findings" else "kind=told"))
    problem(requests.get(other, timeout=10), 400)


# --- acceptance ------------------------------------------------------------------------------------


def accept(
    world: World, id: str, body: JsonValue, headers: Mapping[str, str] | None = None
) -> requests.Response:
    """POST an acceptance."""
    url = f"{world.server.url}/api/v1/findings/{id}/accept"
    return requests.post(url, json=body, headers=headers, timeout=20)


def test_accepting_moves_the_baseline_and_writes_who_and_why(fresh: World) -> None:
    """An accepted finding is no longer open, says by whom, and cannot be accepted twice."""
    fresh.subscribe()
    fresh.redeploy()
    id = finding(fresh, "broad-grant")["id"]
    response = accept(fresh, id, {"reason": "  the migration needs it "})
    assert response.status_code == 200, response.text
    assert response.json()["changed"] == [id]
    accepted = response.json()["finding"]
    assert accepted["status"] == "accepted"
    assert accepted["accepted"]["reason"] == "the migration needs it"
    assert accepted["accepted"]["by"] == "somebody on this machine"
    entries = get(fresh, "/api/v1/timeline?kind=accepted").json()["value"]
    assert [entry["finding"] for entry in entries] == [id]
    problem(accept(fresh, id, {"reason": "again"}), 409)


def test_accepting_until_a_day_leaves_the_baseline(fresh: World) -> None:
    """With `until` the finding counts as accepted till then."""
    fresh.subscribe()
    fresh.redeploy()
    id = finding(fresh, "broad-grant")["id"]
    accepted = accept(fresh, id, {"reason": "for now", "until": "2998-01-31"}).json()["finding"]
    assert accepted["status"] == "accepted"
    assert accepted["accepted"]["until"] == "2998-01-31T23:59:59.999999Z"


@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        ({}, ["reason"]),
        ({"reason": " "}, ["reason"]),
        ({"reason": 7}, ["reason"]),
        ({"reason": "x" * 1001}, ["reason"]),
        ({"reason": "ok", "until": "2020-01-01"}, ["until"]),
        ({"reason": "ok", "until": "tomorrow"}, ["until"]),
        ({"reason": "ok", "until": 5}, ["until"]),
        ({"reason": "", "until": "", "by": "somebody"}, ["by", "reason", "until"]),
    ],
)
def test_a_wrong_acceptance_is_refused_with_every_fault(
    story: World, body: JsonValue, wrong: list[str]
) -> None:
    """No reason, an end in the past, a member that isn't there: each is named, and nothing is accepted."""
    id = finding(story, "broad-grant")["id"]
    errors = problem(accept(story, id, body), 400)["errors"]
    assert [error["parameter"] for error in errors] == wrong
    assert finding(story, "broad-grant")["id"] == id


def test_a_body_that_is_no_json_object_is_refused(story: World) -> None:
    """Neither a form nor an array, nor JSON that nests without end; a form can come from any web page."""
    id = finding(story, "broad-grant")["id"]
    url = f"{story.server.url}/api/v1/findings/{id}/accept"
    problem(requests.post(url, data={"reason": "x"}, timeout=10), 415)
    problem(
        requests.post(url, data='{"reason": "x"}', headers={"Content-Type": "text/plain"}, timeout=10), 415
    )
    for data in (b"[]", b"", b"\xff", b"[" * 100_000):
        sent = requests.post(url, data=data, headers={"Content-Type": "application/json"}, timeout=10)
        problem(sent, 400)
    problem(accept(story, id, {"reason": "x" * 1_100_000}), 413)


def test_a_finding_that_is_not_there_cannot_be_accepted(story: World) -> None:
    """An unknown id is a 404."""
    problem(accept(story, "f-0000000000000000", {"reason": "ok"}), 404)


# --- timeline --------------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 1000])
def test_the_timeline_is_paged_to_the_end(story: World, limit: int) -> None:
    """Entries of one commit have one time; each is shown once all the same, newest first."""
    whole = get(story, "/api/v1/timeline?limit=1000").json()["value"]
    paged = everything(story, f"/api/v1/timeline?limit={limit}")
    assert [entry["id"] for entry in paged] == [entry["id"] for entry in whole]
    times = [first_moment(entry["at"]) for entry in paged]
    assert times == sorted(times, reverse=True)


def test_the_timeline_is_filtered(story: World) -> None:
    """By resource (id or name), principal, actor, scope and kind."""

    def entries(query: str) -> list[dict[str, Any]]:
        return everything(story, f"/api/v1/timeline?{query}")

    churn = finding(story, "identity-churn")
    assert {e["subject"]["id"] for e in entries(f"resource={story.app()}")} == {story.app()}
    assert entries(f"resource={story.app()}/") == entries(f"resource={story.app()}")
    assert entries("resource=claims-intake")
    old = churn["detail"]["previousPrincipalId"]
    assert any("was shed" in e["text"] for e in entries(f"principal={old}"))
    assert entries(f"principal={old[:8]}") == entries(f"principal={old}")
    assert {e["actor"]["name"] for e in entries("actor=robin%20operator")} == {"Robin Operator"}
    there = entries(f"scope={story.vault()}")
    assert {e["after"]["scope"] for e in there} == {story.vault()}
    assert {"observed", "opened", "told"} <= {e["kind"] for e in there}
    assert {e["kind"] for e in entries("kind=opened")} == {"opened"}
    times = [entry["at"] for entry in entries("")]
    assert [e["at"] for e in entries(f"from={times[-1][:10]}&to={times[0][:10]}")] == times
    assert entries("to=2026-01-01") == []
    assert entries(f"from=2010-01-01&resource={story.app()}")


def test_a_page_stays_on_its_span_while_things_go_on_happening(fresh: World) -> None:
    """What happens between two pages neither shifts the second nor shows up in it."""
    before = [entry["id"] for entry in everything(fresh, "/api/v1/timeline")]
    page = get(fresh, "/api/v1/timeline?limit=2").json()
    assert post(fresh, written(fresh.azure, fresh.app())).json()[0]["outcome"] == "recorded"
    rest = [
        e["id"]
        for e in requests.get(page["nextLink"].replace("limit=2", "limit=1000"), timeout=10).json()["value"]
    ]
    assert [e["id"] for e in page["value"]] + rest == before


@pytest.mark.parametrize("behind", [30, 90, -30, -7200], ids=str)
@pytest.mark.parametrize("query", ["limit=2", "limit=2&to=2999-01-01T00:00:00Z"])
def test_another_instance_goes_on_whatever_its_clock_says(story: World, query: str, behind: int) -> None:
    """Pages come from instances whose clocks differ: a link of one is followed at another, to the end."""
    elsewhere = story.lami.clock() - timedelta(seconds=behind)
    here = make_app(lambda: story.lami).test_client()
    there = make_app(lambda: replace(story.lami, clock=lambda: elsewhere)).test_client()
    whole = [entry["id"] for entry in here.get("/api/v1/timeline?limit=1000").get_json()["value"]]
    page = here.get(f"/api/v1/timeline?{query}").get_json()
    read = [entry["id"] for entry in page["value"]]
    for client in cycle([there, here]):
        if page["nextLink"] is None:
            break
        response = client.get(page["nextLink"])
        assert response.status_code == 200, response.get_json()
        page = response.get_json()
        read += [entry["id"] for entry in page["value"]]
    assert read == whole


def test_a_far_end_of_the_timeline_is_not_read(story: World) -> None:
    """Nothing is written of the years to come: whoever asks for them gets what there is, soon."""
    whole = get(story, "/api/v1/timeline?limit=1000").json()["value"]
    assert get(story, "/api/v1/timeline?limit=1000&to=2999-12-31T23:59:59Z").json()["value"] == whole
    assert get(story, "/api/v1/timeline?from=2998-01-01&to=2999-12-31T23:59:59Z").json()["value"] == []


# --- health ----------------------------------------------------------------------------------------


def test_health_says_what_lami_sees(story: World) -> None:
    """What is watched, when the baseline was taken, what is open, and that Graph isn't asked."""
    health = get(story, "/api/v1/health").json()
    assert health["watches"] == {"subscriptions": [story.azure.subscription]}
    assert health["channels"] == ["teams"]
    assert health["baselineAt"] == health["reconciledAt"]
    assert health["open"] == {"critical": 0, "high": 4, "medium": 2, "low": 0, "info": 0}
    assert health["graph"] == "not configured"
    assert health["concerns"] == []


def test_health_says_what_lami_does_not_see(tmp_path: Path) -> None:
    """Without a channel, and with a baseline that could not be completed, it is said in words."""
    with world(tmp_path, {"LAMI_TEAMS_WEBHOOK_URL": ""}) as own:
        concerns = get(own, "/api/v1/health").json()["concerns"]
        assert len(concerns) == 1
        assert "channel" in concerns[0]
    (tmp_path / "two").mkdir()
    missing = "00000000-0000-0000-0000-000000000002"
    with world(tmp_path / "two", {"LAMI_SUBSCRIPTIONS": missing}) as own:
        health = get(own, "/api/v1/health").json()
        assert health["baselineAt"] is None
        assert "baseline" in health["concerns"][0]


def test_health_says_when_graph_answered(tmp_path: Path) -> None:
    """Where it is set: asked, but with no recent answer before reconcile has run, and then with one."""
    with Sandbox() as elsewhere, world(tmp_path, {"LAMI_GRAPH_ENDPOINT": elsewhere.url}) as own:
        health = get(own, "/api/v1/health").json()
        assert (health["graph"], health["graphAnsweredAt"]) == ("asked", None)
        assert any("Microsoft Graph" in concern for concern in health["concerns"])
        for one in own.azure.estate.assignments.all():
            elsewhere.directory.mark(one.principal_id, "alive")
        own.lami.service.reconciler.run((own.azure.subscription,), "r1")
        health = get(own, "/api/v1/health").json()
        assert health["graphAnsweredAt"] is not None
        assert health["concerns"] == []


# --- who may, and how it fails ---------------------------------------------------------------------


def test_the_key_is_demanded_where_auth_is_key(tmp_path: Path) -> None:
    """Header or bearer token open the API, a password the page; all else is a 401 that says how."""
    with world(tmp_path, {"LAMI_AUTH": "key", "LAMI_API_KEY": "k3y"}) as own:
        trusted_elsewhere = {"x-ms-client-principal-name": "robin@contoso.example"}
        for route in [*ROUTES, "/api/v1/findings/f-1", "/nowhere"]:
            for headers in ({}, {"x-api-key": "k3Y"}, {"Authorization": "Bearer"}, trusted_elsewhere):
                refused = get(own, route, headers=headers)
                problem(refused, 401)
                assert refused.headers["WWW-Authenticate"] == 'Bearer realm="lami"'
        problem(
            requests.post(f"{own.server.url}/api/v1/findings/f-1/accept", json={"reason": "x"}, timeout=10),
            401,
        )
        for headers in (
            {"x-api-key": "k3y"},
            {"Authorization": "Bearer k3y"},
            {"Authorization": "bearer k3y"},
        ):
            assert get(own, "/api/v1/health", headers=headers).status_code == 200
        assert get(own, "/").headers["WWW-Authenticate"].startswith("Basic ")
        assert get(own, "/", auth=("anyone", "k3y")).status_code == 200
        assert get(own, "/", auth=("k3y", "")).status_code == 401
        # Elsewhere than on this machine's name too: the key says who it is.
        assert (
            get(own, "/api/v1/health", headers={"x-api-key": "k3y", "Host": "lami.example"}).status_code
            == 200
        )


def test_an_acceptance_with_the_key_names_the_key(tmp_path: Path) -> None:
    """Whoever has the key is `api key`, whatever name a header claims."""
    with world(tmp_path, {"LAMI_AUTH": "key", "LAMI_API_KEY": "k3y"}) as own:
        own.subscribe()
        own.redeploy()
        headers = {"x-api-key": "k3y", "x-ms-client-principal-name": "robin@contoso.example"}
        id = get(own, "/api/v1/findings?rule=broad-grant", headers=headers).json()["value"][0]["id"]
        assert (
            accept(own, id, {"reason": "ok"}, headers=headers).json()["finding"]["accepted"]["by"]
            == "api key"
        )


@pytest.mark.parametrize(
    "host", ["lami.example", "127.0.0.1.example", "[", "10.0.0.1:80", "localhost.example"]
)
def test_without_sign_in_only_this_machine_s_names_are_answered(story: World, host: str) -> None:
    """A page elsewhere that has its name resolved to this machine reads nothing."""
    for route in ROUTES:
        problem(get(story, route, headers={"Host": host}), 403)


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "127.0.0.1", "[::1]:8080"])
def test_this_machine_s_names_are_answered(story: World, host: str) -> None:
    """All of its own names do."""
    assert get(story, "/api/v1/health", headers={"Host": host}).status_code == 200


def test_what_is_not_there_is_a_problem_too(story: World) -> None:
    """An unknown path is a 404, a wrong method a 405, both as problem documents."""
    problem(get(story, "/api/v1/access"), 404)
    problem(get(story, "/api/v2/findings"), 404)
    refused = requests.delete(f"{story.server.url}/api/v1/findings", timeout=10)
    problem(refused, 405)
    assert "GET" in refused.headers["Allow"]


def test_every_answer_is_closed(story: World) -> None:
    """No answer may be framed, sniffed, cached or made to load something, errors included."""
    for route in [*ROUTES, "/", "/nowhere", "/api/v1/findings?x=1", "/?x=1"]:
        headers = get(story, route).headers
        policy = dict(part.strip().split(" ", 1) for part in headers["Content-Security-Policy"].split(";"))
        assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"
        assert "script-src" not in policy
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["Cache-Control"] == "no-store"
        assert "waitress" not in headers.get("Server", "").lower()
        assert "Access-Control-Allow-Origin" not in headers


def test_azure_down_leaves_the_api_readable(fresh: World) -> None:
    """What lami holds is shown also while Azure fails."""
    fresh.azure.faults.add(Fault(status=500))
    assert get(fresh, "/api/v1/health").status_code == 200
    assert get(fresh, "/api/v1/timeline").status_code == 200
