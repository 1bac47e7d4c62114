"""Replies in the shapes of Azure Resource Manager."""

from __future__ import annotations

from typing import Any

SUBSCRIPTION = "11111111-1111-1111-1111-111111111111"
P1 = "aaaaaaaa-0000-0000-0000-000000000001"
P2 = "aaaaaaaa-0000-0000-0000-000000000002"
OWNER = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635"
READER = "acdd72a7-3385-48ef-bd42-f606fba81ae7"

ROOT = f"/subscriptions/{SUBSCRIPTION}"
GROUP = f"{ROOT}/resourceGroups/rg-orders"
WORKFLOW = f"{GROUP}/providers/Microsoft.Logic/workflows/orders-intake"
SITE = f"{GROUP}/providers/Microsoft.Web/sites/orders-standard"
SLOT = f"{SITE}/slots/staging"
IDENTITY = f"{GROUP}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/id-orders"
MANAGEMENT_GROUP = "/providers/Microsoft.Management/managementGroups/mg"
AUTHORIZATION = "providers/Microsoft.Authorization"
ASSIGNMENTS = f"{ROOT}/{AUTHORIZATION}/roleAssignments"
DEFINITIONS = f"{ROOT}/{AUTHORIZATION}/roleDefinitions"
ASSIGNMENT = f"{ASSIGNMENTS}/bbbbbbbb-0000-0000-0000-000000000001"

Body = dict[str, Any]


def assignment(id: str = ASSIGNMENT, principal: str = P1, role: str = READER, **properties: object) -> Body:
    """A role assignment."""
    return {
        "id": id,
        "name": id.rsplit("/", 1)[1],
        "type": "Microsoft.Authorization/roleAssignments",
        "properties": {
            "roleDefinitionId": f"{DEFINITIONS}/{role}",
            "principalId": principal,
            "principalType": "ServicePrincipal",
            "scope": id.split("/providers/Microsoft.Authorization")[0] or "/",
            "condition": None,
            "conditionVersion": None,
            "createdOn": "2026-01-15T21:08:45.4904312Z",
            "updatedOn": "2026-01-16T21:08:45.4904312Z",
            "createdBy": P2,
            **properties,
        },
    }


def definition(role: str = READER, name: str = "Reader", **block: object) -> Body:
    """A built-in role definition with one block of permissions."""
    return {
        "id": f"{DEFINITIONS}/{role}",
        "name": role,
        "type": "Microsoft.Authorization/roleDefinitions",
        "properties": {
            "roleName": name,
            "type": "BuiltInRole",
            "permissions": [{"actions": ["*/read"], "notActions": [], **block}],
            "assignableScopes": ["/"],
        },
    }


def system(principal: str = P1) -> Body:
    """The identity block of a system-assigned identity."""
    return {"type": "SystemAssigned", "principalId": principal, "tenantId": P2}


def workflow(id: str = WORKFLOW, **more: object) -> Body:
    """A Consumption logic app."""
    return {
        "id": id,
        "name": id.rsplit("/", 1)[1],
        "type": "Microsoft.Logic/workflows",
        "location": "westeurope",
        "tags": {"owner": "orders"},
        "properties": {
            "state": "Enabled",
            "createdTime": "2026-03-29T03:34:54.7186543Z",
            "changedTime": "2026-04-29T03:34:54.7031591Z",
        },
        **more,
    }


def site(id: str = SITE, **more: object) -> Body:
    """A Standard logic app or a slot of one."""
    return {
        "id": id,
        "name": id.rsplit("/", 1)[1],
        "type": "Microsoft.Web/sites",
        "kind": "functionapp,workflowapp",
        "tags": None,
        "properties": {"state": "Running", "lastModifiedTimeUtc": "2026-05-01T10:00:00.1234567"},
        **more,
    }


def subscription(name: object = "contoso-prod", id: str = SUBSCRIPTION) -> Body:
    """A subscription."""
    return {"id": f"/subscriptions/{id}", "subscriptionId": id, "tenantId": P2, "displayName": name}


def identity(id: str = IDENTITY, principal: str = P1, **more: object) -> Body:
    """A user-assigned identity."""
    return {"id": id, "tags": {"owner": "orders"}, "properties": {"principalId": principal}, **more}


def page(*lines: object, next: str | None = None) -> Body:
    """One page of a listing."""
    return {"value": list(lines), **({"nextLink": next} if next else {})}


def files(app: str = SITE, connections: object = None, **definitions: object) -> dict[str, Body]:
    """By path, what is answered of a Standard app's workflows: their listing, and each with its files."""
    path = f"{app}/workflows"
    lines = [workflow_of(app, name) for name in definitions]
    found: dict[str, Body] = {path.lower(): page(*lines)}
    for name, definition in definitions.items():
        body = workflow_of(app, name)
        shared = {} if connections is None else {"connections.json": connections}
        body["properties"]["files"] = {"workflow.json": {"definition": definition}, **shared}
        found[f"{path}/{name}".lower()] = body
    return found


def workflow_of(app: str, name: str) -> Body:
    """A workflow of a Standard app, without its files; in Microsoft's examples a slot's id is its site's."""
    site = app.split("/slots/")[0]
    return {
        "id": f"{site}/workflows/{name}",
        "name": f"{site.rsplit('/', 1)[1]}/{name}",
        "type": "Microsoft.Web/sites/workflows",
        "kind": "Stateful",
        "properties": {"flowState": "Enabled", "health": {"state": "Healthy"}},
    }
