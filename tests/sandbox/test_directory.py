"""The little Azure's directory: who is shown, who is kept to be restored, and how Graph fails."""

import pytest
import requests

from lami.sandbox import Sandbox
from lami.sandbox.faults import Fault
from tests.jsons import JsonValue
from tests.sandbox.support import control, principal_of, workflow

SOMEBODY = "0c4f2b6e-0d8e-4c43-8ccd-1f2f3a4b5c6d"
NOBODY = "00000000-0000-4000-8000-000000000000"


def shown(azure: Sandbox, *ids: str) -> dict[str, str]:
    """Whom getByIds shows, with the type it gives."""
    reply = requests.post(f"{azure.url}/v1.0/directoryObjects/getByIds", json={"ids": ids}, timeout=10)
    assert reply.status_code == 200
    return {each["id"]: each["@odata.type"] for each in reply.json()["value"]}


def kept(azure: Sandbox, id: str) -> requests.Response:
    """The answer to whether somebody is among the deleted items."""
    return requests.get(f"{azure.url}/v1.0/directory/deletedItems/{id}", timeout=10)


def test_an_identity_lives_as_long_as_its_resource(azure: Sandbox) -> None:
    """Deleted with it, it is kept to be restored; a new one under the same name is another."""
    first = principal_of(azure.estate.put(workflow(azure)))
    assert shown(azure, first) == {first: "#microsoft.graph.servicePrincipal"}
    second = principal_of(azure.estate.recreate(workflow(azure)))
    assert list(shown(azure, first, second)) == [second]
    assert kept(azure, first).json()["id"] == first
    assert kept(azure, second).status_code == 404


def test_whoever_is_granted_something_is_there(azure: Sandbox) -> None:
    """With the type of the assignment; of whom nobody ever heard is nowhere."""
    scope = f"/subscriptions/{azure.subscription}"
    azure.estate.assign("Reader", scope, principal_id=SOMEBODY, principal_type="Group")
    assert shown(azure, SOMEBODY, NOBODY) == {SOMEBODY: "#microsoft.graph.group"}
    absent = kept(azure, NOBODY)
    assert (absent.status_code, absent.json()["error"]["code"]) == (404, "Request_ResourceNotFound")


def test_a_test_says_who_is_deleted(azure: Sandbox) -> None:
    """By the control API: deleted, purged, alive again."""
    scope = f"/subscriptions/{azure.subscription}"
    azure.estate.assign("Reader", scope, principal_id=SOMEBODY)
    for state, is_shown, status in (("deleted", 0, 200), ("purged", 0, 404), ("alive", 1, 404)):
        assert control(azure, "PUT", f"/sandbox/principals/{SOMEBODY}", {"state": state}).status_code == 200
        assert (len(shown(azure, SOMEBODY)), kept(azure, SOMEBODY).status_code) == (is_shown, status)
    assert control(azure, "PUT", f"/sandbox/principals/{SOMEBODY}", {"state": "lost"}).status_code == 400
    assert control(azure, "GET", "/sandbox/estate").json()["directory"] == {SOMEBODY: "alive"}


@pytest.mark.parametrize(
    ("status", "code"), [(403, "Authorization_RequestDenied"), (500, "InternalServerError")]
)
def test_graph_fails_on_demand(azure: Sandbox, status: int, code: str) -> None:
    """A fault of Graph's paths alone, with Graph's codes; Azure Resource Manager answers."""
    azure.faults.add(Fault(path="/v1.0/*", status=status, retry_after=7))
    reply = kept(azure, SOMEBODY)
    assert (reply.status_code, reply.json()["error"]["code"], reply.headers["Retry-After"]) == (
        status,
        code,
        "7",
    )
    here = f"{azure.url}/subscriptions/{azure.subscription}?api-version=2022-12-01"
    assert requests.get(here, timeout=10).status_code == 200
    assert [read.status for read in azure.reads] == [status, 200]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/v1.0/directoryObjects/getByIds", None),
        ("POST", "/v1.0/directoryObjects/getByIds", {}),
        ("POST", "/v1.0/directoryObjects/getByIds", {"ids": [7]}),
        ("POST", "/v1.0/directoryObjects/getByIds", {"ids": [NOBODY] * 1001}),
        ("POST", "/v1.0/directoryObjects/getByIds", []),
        ("GET", "/v1.0/users", None),
        ("DELETE", f"/v1.0/directory/deletedItems/{NOBODY}", None),
    ],
)
def test_anything_else_is_refused(azure: Sandbox, method: str, path: str, body: JsonValue) -> None:
    """It knows two questions, and nothing is written through it."""
    assert requests.request(method, azure.url + path, json=body, timeout=10).status_code == 400
