"""What ARM answers, asked by azure-mgmt-authorization, azure-mgmt-logic and ARMPipelineClient."""

from contextlib import closing
from http.client import HTTPConnection

import pytest
import requests
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.core.pipeline.transport import HttpResponse
from azure.mgmt.logic.models import ManagedServiceIdentity

from lami.sandbox import IDENTITY, SITE, SLOT, Sandbox, resource_id
from lami.sandbox.faults import Fault
from tests.jsons import JsonValue
from tests.sandbox.support import (
    Clock,
    authorization,
    control,
    get,
    known,
    logic,
    principal_of,
    shown_principal,
    vault,
    workflow,
    workflows,
)

SECRETS_USER = "4633458b-17de-408a-b874-0445c86b69e6"


def test_list_pages(azure: Sandbox) -> None:
    """A listing of more than a page is followed by the SDK to its end, and shows what is inherited."""
    principal = principal_of(azure.estate.put(workflow(azure)))
    for role in ("Reader", "Contributor", "Owner", "Key Vault Secrets User", "Storage Blob Data Reader"):
        azure.estate.assign(role, vault(azure), principal_id=principal)
    azure.estate.assign("Reader", "/", principal_id=principal)
    listed = list(authorization(azure).role_assignments.list_for_subscription())
    assert len(listed) == len({each.id for each in listed}) == 7
    scopes = {each.scope for each in listed}
    assert {"/", "/providers/Microsoft.Management/managementGroups/contoso", vault(azure)} == scopes
    assert len(azure.reads) == 3


def test_deletion_between_pages_hides_nothing_else(azure: Sandbox) -> None:
    """What is deleted while a listing is on its way does not make the next page skip another."""
    for number in range(5):
        azure.estate.put(workflow(azure, f"app-{number}"))
    pages = workflows(azure).by_page()
    first = [each.name for each in next(pages)]
    azure.estate.delete(workflow(azure, "app-0"))
    assert first + [each.name for page in pages for each in page] == [f"app-{n}" for n in range(5)]


def test_filters(azure: Sandbox) -> None:
    """`principalId eq` finds at, above and below a scope; `atScope()` leaves out what lies below."""
    one, other = (principal_of(azure.estate.put(workflow(azure, name))) for name in ("one", "other"))
    subscription = f"/subscriptions/{azure.subscription}"
    group = subscription + "/resourceGroups/rg-claims"
    for scope in ("/", subscription, group, vault(azure)):
        azure.estate.assign("Reader", scope, principal_id=one)
    azure.estate.assign("Reader", group, principal_id=other)
    client = authorization(azure).role_assignments
    held_by_one = client.list_for_scope(group, filter=f"principalId eq '{one}'")
    found = [known(each.scope, str) for each in held_by_one]
    assert sorted(found) == sorted(["/", subscription, group, vault(azure)])
    at_scope = client.list_for_scope(group, filter=f"atScope() and principalId eq '{one}'")
    assert vault(azure) not in [each.scope for each in at_scope]
    with pytest.raises(HttpResponseError, match="InvalidFilter"):
        list(client.list_for_subscription(filter="principalType eq 'User'"))


def test_management_group(azure: Sandbox) -> None:
    """A management group lists its own and the root's assignments, not those of subscriptions."""
    azure.estate.put(workflow(azure))
    azure.estate.assign("Reader", "/", of=workflow(azure))
    azure.estate.assign("Reader", vault(azure), of=workflow(azure))
    group = "/providers/Microsoft.Management/managementGroups/contoso"
    assert {each.scope for each in authorization(azure).role_assignments.list_for_scope(group)} == {
        "/",
        group,
    }


def test_assignment_by_name_and_by_id(azure: Sandbox) -> None:
    """One assignment reads the same by scope and name, by id, and by an id in another case."""
    azure.estate.put(workflow(azure))
    made = azure.estate.assign("Key Vault Secrets User", vault(azure), of=workflow(azure), condition="@x")
    client = authorization(azure).role_assignments
    for read in (
        client.get(vault(azure), made.name),
        client.get_by_id(made.id),
        client.get_by_id(made.id.lower()),
    ):
        assert (known(read.id, str), read.principal_id, read.principal_type) == (
            made.id,
            made.principal_id,
            "ServicePrincipal",
        )
        assert known(read.role_definition_id, str).endswith(SECRETS_USER)
        assert (read.condition, read.condition_version) == ("@x", "2.0")
        assert read.created_on == made.created


def test_role_definitions(azure: Sandbox) -> None:
    """Built-in and custom roles read at a scope, by id with and without a subscription, and by name."""
    subscription = f"/subscriptions/{azure.subscription}"
    custom = azure.estate.put_role("Claims Fixer", [{"actions": ["*/read"], "notActions": []}])
    client = authorization(azure).role_definitions
    built_in = client.get_by_id(f"/providers/Microsoft.Authorization/roleDefinitions/{SECRETS_USER}")
    assert built_in.role_name == "Key Vault Secrets User"
    assert built_in.role_type == "BuiltInRole"
    assert built_in.permissions is not None
    assert built_in.permissions[0].data_actions
    assert client.get(vault(azure), custom.name).role_type == "CustomRole"
    by_name = client.get(subscription, custom.name)
    assert client.get_by_id(known(by_name.id, str)).role_name == "Claims Fixer"
    named = list(client.list(subscription, filter="roleName eq 'Claims Fixer'"))
    assert [each.name for each in named] == [custom.name]
    assert len(list(client.list(subscription))) == 14
    with pytest.raises(ResourceNotFoundError, match="RoleDefinitionDoesNotExist"):
        client.get(subscription, "00000000-0000-0000-0000-000000000000")


def test_workflow(azure: Sandbox) -> None:
    """A workflow reads with its identity and times; without identity the key is absent."""
    azure.estate.put(workflow(azure), tags={"owner": "claims"})
    read = logic(azure).workflows.get("rg-claims", "claims-intake")
    assert known(read.identity, ManagedServiceIdentity).type == "SystemAssigned"
    assert read.tags == {"owner": "claims"}
    azure.estate.put(workflow(azure), identity="none")
    body = get(azure, workflow(azure).upper(), "2019-05-01").json()
    assert "identity" not in body
    with pytest.raises(ResourceNotFoundError, match="ResourceNotFound"):
        logic(azure).workflows.get("rg-claims", "nobody")


def test_sites_and_slots(azure: Sandbox) -> None:
    """Sites list without their slots, slots under their site; a site may carry both kinds of identity."""
    sub = azure.subscription
    identity = azure.estate.put(resource_id(sub, "rg-claims", IDENTITY, "id-claims"))
    site = azure.estate.put(
        resource_id(sub, "rg-claims", SITE, "shop"), identity="both", user_assigned=[identity.id]
    )
    azure.estate.put(resource_id(sub, "rg-claims", SITE, "plain"), identity="none", kind="app,linux")
    azure.estate.put(resource_id(sub, "rg-claims", SLOT, "shop", "staging"))
    listed = get(azure, f"/subscriptions/{sub}/providers/Microsoft.Web/sites", "2023-12-01").json()["value"]
    assert [(each["name"], each["kind"]) for each in listed] == [
        ("plain", "app,linux"),
        ("shop", "functionapp,workflowapp"),
    ]
    block = listed[1]["identity"]
    assert block["type"] == "SystemAssigned, UserAssigned"
    assert block["principalId"] == principal_of(site)
    (key,) = block["userAssignedIdentities"]
    assert "/resourcegroups/" in key
    assert key.lower() == identity.id.lower()
    slots = get(azure, site.id + "/slots", "2023-12-01").json()["value"]
    assert [each["name"] for each in slots] == ["shop/staging"]
    assert get(azure, site.id + "/slots/staging", "2023-12-01").json()["type"] == SLOT
    assert get(azure, site.id + "/slots/none", "2023-12-01").status_code == 404


def test_identities_and_subscription(azure: Sandbox) -> None:
    """User-assigned identities and the subscription read as their providers show them."""
    sub = azure.subscription
    made = azure.estate.put(resource_id(sub, "rg-claims", IDENTITY, "id-claims"))
    path = f"/subscriptions/{sub}/providers/Microsoft.ManagedIdentity/userAssignedIdentities"
    (listed,) = get(azure, path, "2023-01-31").json()["value"]
    assert listed == get(azure, made.id, "2023-01-31").json()
    assert listed["properties"]["principalId"] == principal_of(made)
    assert get(azure, f"/subscriptions/{sub}", "2022-12-01").json()["subscriptionId"] == sub


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/subscriptions/x/providers/Microsoft.Logic/workflows", 404, "SubscriptionNotFound"),
        ("/subscriptions", 404, "SubscriptionNotFound"),
        ("/providers/Microsoft.Nothing/things", 404, "NotFound"),
        ("/providers", 404, "NotFound"),
    ],
)
def test_errors_have_arms_shape(azure: Sandbox, path: str, status: int, code: str) -> None:
    """What is not there answers 404 with a code and a message."""
    response = get(azure, path)
    assert response.status_code == status
    assert response.json()["error"]["code"] == code


def test_version_and_method(azure: Sandbox) -> None:
    """A read without api-version is refused with 400, and all but reads with 405."""
    path = f"{azure.url}/subscriptions/{azure.subscription}"
    assert requests.get(path, timeout=5).json()["error"]["code"] == "MissingApiVersionParameter"
    assert requests.get(path + "?api-version=now", timeout=5).status_code == 400
    for method in ("PUT", "POST", "PATCH", "DELETE"):
        response = requests.request(method, path, params={"api-version": "2022-04-01"}, json={}, timeout=5)
        assert (response.status_code, response.json()["error"]["code"]) == (405, "MethodNotAllowed")
    token = {"api-version": "2022-04-01", "$skiptoken": "é"}
    listing = path + "/providers/Microsoft.Logic/workflows"
    assert requests.get(listing, params=token, timeout=5).json()["error"]["code"] == "InvalidSkipToken"


def test_throttling(azure: Sandbox) -> None:
    """A counted 429 carries Retry-After; the SDK's retry gets through once it is used up."""
    azure.estate.put(workflow(azure))
    azure.faults.add(Fault(path="*/Microsoft.Logic/*", status=429, retry_after=0.01, count=2))
    with pytest.raises(HttpResponseError) as thrown:
        logic(azure).workflows.get("rg-claims", "claims-intake")
    assert thrown.value.status_code == 429
    assert isinstance(thrown.value.response, HttpResponse)
    assert thrown.value.response.headers["Retry-After"] == "0.01"
    assert logic(azure, retry_total=2).workflows.get("rg-claims", "claims-intake").name == "claims-intake"
    assert [read.status for read in azure.reads] == [429, 429, 200]


def test_fault_covers_one_subscription() -> None:
    """A 403 for one subscription leaves the other readable, until it is cleared."""
    with Sandbox(subscriptions=["11111111-aaaa-4aaa-8aaa-111111111111", "other"]) as azure:
        fault: JsonValue = {"subscription": azure.subscription.upper(), "status": 403}
        assert control(azure, "POST", "/sandbox/faults", fault).status_code == 200
        denied = get(azure, f"/subscriptions/{azure.subscription}")
        assert (denied.status_code, denied.json()["error"]["code"]) == (403, "AuthorizationFailed")
        assert get(azure, "/subscriptions/other").status_code == 200
        control(azure, "DELETE", "/sandbox/faults")
        assert get(azure, f"/subscriptions/{azure.subscription}").status_code == 200


def test_faults_by_share_follow_the_seed() -> None:
    """The same seed makes the same requests fail."""

    def statuses(seed: int) -> list[int]:
        with Sandbox(seed=seed) as azure:
            azure.faults.add(Fault(status=500, share=0.5))
            return [get(azure, f"/subscriptions/{azure.subscription}").status_code for _ in range(12)]

    assert statuses(1) == statuses(1)
    assert set(statuses(1)) == {200, 500}


def test_lag_by_reads(azure: Sandbox) -> None:
    """The next reads show the past: what is new is 404, what is gone is there, what changed is as it was."""
    old = principal_of(azure.estate.put(workflow(azure, "old")))
    azure.lag(reads=3)
    azure.estate.put(workflow(azure, "new"))
    new = principal_of(azure.estate.recreate(workflow(azure, "old")))
    client = logic(azure).workflows
    with pytest.raises(ResourceNotFoundError):
        client.get("rg-claims", "new")
    assert shown_principal(client.get("rg-claims", "old")) == old
    assert [each.name for each in workflows(azure)] == ["old"]
    assert shown_principal(client.get("rg-claims", "old")) == new
    assert [each.name for each in workflows(azure)] == ["new", "old"]


def test_lag_by_time() -> None:
    """A lag in seconds shows the estate as it was that long ago, assignments included."""
    clock = Clock()
    with Sandbox(now=clock) as azure:
        azure.estate.put(workflow(azure))
        clock.move(60)
        made = azure.estate.assign("Reader", vault(azure), of=workflow(azure))
        azure.faults.add(Fault(lag=10))
        client = authorization(azure).role_assignments
        with pytest.raises(ResourceNotFoundError):
            client.get_by_id(made.id)
        clock.move(11)
        assert client.get_by_id(made.id).name == made.name


def test_closed_means_closed() -> None:
    """A client that kept its connection gets no answer from a sandbox that was closed."""
    with requests.Session() as session:
        with Sandbox() as azure:
            assert session.get(azure.url + "/sandbox/", timeout=5).status_code == 200
            url = azure.url
        with pytest.raises(requests.ConnectionError):
            session.get(url + "/sandbox/", timeout=5)


def test_a_connection_is_kept_between_reads() -> None:
    """A client that asks again need not connect again, as with ARM; also after an error."""
    with Sandbox() as azure, closing(HTTPConnection(azure.url.rpartition("/")[2])) as client:
        for path in ("/sandbox/", f"/subscriptions/{azure.subscription}", "/nothing"):
            client.request("GET", path)
            assert client.getresponse().read()
            assert client.sock is not None


def test_taken_port() -> None:
    """A port that is taken is an OSError, and leaves nothing running."""
    with Sandbox() as azure, pytest.raises(OSError, match="in use"):
        Sandbox(port=int(azure.url.rpartition(":")[2])).start()


def test_workflows_of_standard_apps(azure: Sandbox) -> None:
    """An app and its slot list their workflows, and each one's GET has its own file and the shared ones."""
    shop = resource_id(azure.subscription, "rg-claims", SITE, "shop")
    azure.estate.put(shop, files={"one/workflow.json": {"definition": {}}, "connections.json": {"x": {}}})
    staging = azure.estate.put(shop + "/slots/staging").id
    azure.estate.put(resource_id(azure.subscription, "rg-claims", SITE, "plain"), kind="app,linux")
    for app, name, path in ((shop, "shop/one", "one"), (staging, "shop/staging/intake", "intake")):
        (line,) = get(azure, f"{app}/workflows").json()["value"]
        assert (line["name"], "files" in line["properties"]) == (name, False)
        body = get(azure, f"{app}/workflows/{path.upper()}").json()
        assert body["name"] == name
        assert "definition" in body["properties"]["files"]["workflow.json"]
    assert get(azure, f"{shop}/workflows/one").json()["properties"]["files"]["connections.json"] == {"x": {}}
    for path in ("shop/workflows/none", "plain/workflows", "none/workflows", "shop/slots/none/workflows"):
        assert get(azure, shop.replace("/shop", f"/{path}")).status_code == 404
    azure.estate.deploy(shop, {})
    assert get(azure, f"{shop}/workflows").json()["value"] == []
