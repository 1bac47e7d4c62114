"""The control API, as curl speaks it."""

import pytest
import requests

from lami.sandbox import Sandbox
from lami.sandbox.definitions import CARELESS
from tests.jsons import JsonValue, as_json
from tests.sandbox.support import Webhook, control, vault, workflow


def test_a_redeploy_by_hand(azure: Sandbox, webhook: Webhook) -> None:
    """Create, grant, redeploy, clean up and delete through HTTP raise the events one expects."""
    app = f"/sandbox/workflows/{azure.subscription}/rg-claims/claims-intake"
    assert control(azure, "POST", "/sandbox/subscribe", {"url": webhook.url}).status_code == 200
    kim = {"name": "Kim", "kind": "application"}
    first = control(
        azure, "PUT", app, {"identity": "system", "tags": {"owner": "claims"}, "actor": kim}
    ).json()
    grant = {"role": "Key Vault Secrets User", "scope": vault(azure), "of": workflow(azure)}
    made = control(azure, "POST", "/sandbox/assignments", grant).json()
    assert made["properties"]["principalId"] == first["identity"]["principalId"]
    second = control(azure, "POST", app + "/recreate").json()
    assert second["identity"]["principalId"] != first["identity"]["principalId"]
    assert second["tags"] == {"owner": "claims"}
    assert control(azure, "DELETE", "/sandbox/assignments", {"id": made["id"]}).status_code == 200
    assert control(azure, "POST", app + "/state", {"state": "Disabled"}).status_code == 200
    assert control(azure, "DELETE", app).status_code == 200
    assert azure.settled(10)
    assert [event["data"]["operationName"].partition("/")[2] for event in webhook.events] == [
        "workflows/write",
        "roleAssignments/write",
        "workflows/delete",
        "workflows/write",
        "roleAssignments/delete",
        "workflows/disable/action",
        "workflows/delete",
    ]
    report = control(azure, "GET", "/sandbox/deliveries").json()
    assert {each["outcome"] for each in report["deliveries"]} == {"delivered"}
    assert control(azure, "DELETE", "/sandbox/subscribe", {"url": webhook.url}).status_code == 200
    assert azure.grid.webhooks() == {}


def test_sites_slots_identities_roles_and_groups(azure: Sandbox) -> None:
    """Each kind of thing can be made and taken away."""
    at = f"{azure.subscription}/rg-claims"
    identity = control(azure, "PUT", f"/sandbox/identities/{at}/id-claims").json()
    site = {"identity": "both", "userAssigned": [identity["id"]], "kind": "functionapp,workflowapp"}
    assert control(azure, "PUT", f"/sandbox/sites/{at}/shop", site).status_code == 200
    slot = control(azure, "PUT", f"/sandbox/sites/{at}/shop/slots/staging", {}).json()
    assert slot["name"] == "shop/staging"
    files: JsonValue = {"files": {"one/workflow.json": {}}}
    assert control(azure, "POST", f"/sandbox/sites/{at}/shop/slots/staging/files", files).status_code == 200
    assert control(azure, "POST", f"/sandbox/identities/{at}/id-claims/files", files).status_code == 400
    again = control(azure, "POST", f"/sandbox/sites/{at}/shop/slots/staging/recreate").json()
    assert again["identity"] != slot["identity"]
    role = control(azure, "PUT", "/sandbox/roles", {"roleName": "Fixer", "actions": ["*/read"]}).json()
    assert role["properties"]["permissions"][0]["actions"] == ["*/read"]
    assert control(azure, "DELETE", "/sandbox/roles/Fixer").status_code == 200
    assert control(azure, "DELETE", f"/sandbox/sites/{at}/shop/slots/staging").status_code == 200
    assert len(control(azure, "GET", "/sandbox/estate").json()["resources"]) == 2
    assert control(azure, "DELETE", f"/sandbox/groups/{at}").status_code == 200
    assert control(azure, "GET", "/sandbox/estate").json()["resources"] == []


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "says"),
    [
        ("PUT", "/sandbox/workflows/{s}/rg/app", [], 400, "JSON object"),
        ("PUT", "/sandbox/workflows/{s}/rg/app", {"identiti": "system"}, 400, "unknown identiti"),
        ("PUT", "/sandbox/workflows/{s}/rg/app", {"identity": "all"}, 400, "one of none, system, user, both"),
        ("PUT", "/sandbox/workflows/{s}/rg/app", {"identity": "user"}, 400, "needs the ids"),
        (
            "PUT",
            "/sandbox/workflows/{s}/rg/app",
            {"identity": "both", "userAssigned": ["x"]},
            400,
            "Consumption",
        ),
        (
            "PUT",
            "/sandbox/workflows/{s}/rg/app",
            {"identity": "user", "userAssigned": ["x"]},
            400,
            "not the id of",
        ),
        ("PUT", "/sandbox/workflows/{s}/rg/app", {"tags": {"a": 1}}, 400, "object of strings"),
        ("PUT", "/sandbox/workflows/{s}/rg/app", {"actor": {"kind": "user"}}, 400, "'actor' lacks 'name'"),
        ("PUT", "/sandbox/workflows/nobody/rg/app", {}, 404, "there is no subscription"),
        ("PUT", "/sandbox/workflows/{s}/rg/a%23b", {}, 400, "no name"),
        ("PUT", "/sandbox/sites/{s}/rg/none/slots/staging", {}, 404, "no site"),
        ("DELETE", "/sandbox/workflows/{s}/rg/none", None, 404, "there is no"),
        ("POST", "/sandbox/workflows/{s}/rg/none/recreate", None, 404, "there is no"),
        ("POST", "/sandbox/sites/{s}/rg/none/state", {"state": "Disabled"}, 400, "only a workflow"),
        ("DELETE", "/sandbox/groups/{s}/none", None, 404, "nothing in"),
        ("POST", "/sandbox/assignments", {"scope": "/"}, 400, "lacks 'role'"),
        ("POST", "/sandbox/assignments", {"role": "Nothing", "scope": "/"}, 404, "no role definition"),
        ("POST", "/sandbox/assignments", {"role": "Reader", "scope": "/"}, 400, "to whom"),
        ("POST", "/sandbox/assignments", {"role": "Reader", "scope": "/", "principalId": "x"}, 400, "GUID"),
        (
            "POST",
            "/sandbox/assignments",
            {"role": "Reader", "scope": "here", "principalId": "x"},
            400,
            "no scope",
        ),
        ("DELETE", "/sandbox/assignments", {"id": "/x"}, 404, "no role assignment"),
        ("POST", "/sandbox/faults", {}, 400, "exactly one of"),
        ("POST", "/sandbox/faults", {"status": 200}, 400, "from 400 to 599"),
        ("POST", "/sandbox/faults", {"status": True}, 400, "number"),
        ("POST", "/sandbox/delivery", {"loss": 2}, 400, "from 0 to 1"),
        ("POST", "/sandbox/delivery", {"reorder": "yes"}, 400, "true or false"),
        ("POST", "/sandbox/subscribe", {"url": "http://example.com"}, 400, "127.0.0.1 only"),
        (
            "POST",
            "/sandbox/subscribe",
            {"url": "http://127.0.0.1:1/", "schema": "x"},
            400,
            "eventgrid, cloudevents",
        ),
        ("GET", "/sandbox/nothing", None, 404, ""),
        ("PATCH", "/sandbox/estate", None, 405, ""),
    ],
)
def test_bad_input(azure: Sandbox, method: str, path: str, body: JsonValue, status: int, says: str) -> None:
    """What can't be done is refused with the status and the reason, and changes nothing."""
    before = azure.estate.tick
    response = control(azure, method, path.format(s=azure.subscription), body)
    assert response.status_code == status
    assert says in response.json()["error"]["message"]
    assert azure.estate.tick == before


def test_broken_and_oversized_bodies(azure: Sandbox) -> None:
    """A body that is not JSON answers 400, one over a megabyte 413, and the connection lives on."""
    with requests.Session() as session:
        url = azure.url + "/sandbox/faults"
        assert session.post(url, data=b"{", timeout=5).status_code == 400
        assert session.post(url, data=b"x" * (1 << 20) + b"x", timeout=5).status_code == 413
        assert session.get(url, timeout=5).json() == {"value": []}


def test_strangers(azure: Sandbox) -> None:
    """A page on another site, or another name for this machine, may not drive the sandbox."""
    url = azure.url + "/sandbox/estate"
    assert requests.get(url, headers={"Sec-Fetch-Site": "cross-site"}, timeout=5).status_code == 403
    assert requests.get(url, headers={"Host": "evil.example"}, timeout=5).status_code == 403


def test_documentation_names_every_route(azure: Sandbox) -> None:
    """`GET /sandbox/` says that it is a simulation and what each call does."""
    told = control(azure, "GET", "/sandbox/").json()
    assert "simulation" in told["simulation"]
    assert all(route["does"] for route in told["routes"])
    assert "simulation" in azure.banner()


def test_a_workflow_has_a_definition(azure: Sandbox) -> None:
    """A new one is plain; one that is put stays over deployments and recreations; only workflows have one."""
    at = f"{azure.subscription}/rg-claims"
    app = f"/sandbox/workflows/{at}/claims-intake"
    plain = control(azure, "PUT", app, {}).json()["properties"]
    assert (set(plain["definition"]["actions"]), plain["parameters"]) == ({"Note", "Answer"}, {})
    given: JsonValue = {"definition": as_json(CARELESS), "parameters": {"p": {"value": 1}}}
    control(azure, "PUT", app, given)
    control(azure, "PUT", app, {"tags": {"release": "2"}})
    again = control(azure, "POST", app + "/recreate").json()["properties"]
    assert (again["definition"], again["parameters"]) == (CARELESS, {"p": {"value": 1}})
    refused = control(azure, "PUT", f"/sandbox/identities/{at}/id-claims", {"definition": {"actions": {}}})
    assert refused.status_code == 400
