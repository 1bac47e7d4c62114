"""Workflow definitions in the shapes of Microsoft's documentation."""

from __future__ import annotations

from collections.abc import Mapping

from lami.arm.definition import read
from lami.core.model import Definition, Part
from tests.arm.replies import GROUP, SUBSCRIPTION

Json = dict[str, object]
MANAGED_APIS = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Web/locations/westeurope/managedApis"
IDENTITY = f"{GROUP}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/id-orders"
OWN: Json = {"type": "ManagedServiceIdentity", "audience": "https://vault.azure.net"}


def http(uri: str = "https://example.com/", method: str = "GET", **more: object) -> Json:
    """An HTTP action; `authentication`, `headers`, `queries` and `body` go into its inputs."""
    return {"type": "Http", "inputs": {"method": method, "uri": uri, **more}, "runAfter": {}}


def secured(action: Json, *sides: str) -> Json:
    """The same action with its inputs or outputs secured."""
    return {**action, "runtimeConfiguration": {"secureData": {"properties": list(sides)}}}


def workflow(actions: Mapping[str, object], **more: object) -> Json:
    """A definition with a Request trigger; `parameters` declares them."""
    trigger = {"type": "Request", "kind": "Http", "inputs": {"schema": {}}}
    return {
        "$schema": "https://schema.management.azure.com/providers/Microsoft.Logic/schemas/2016-06-01/workflowdefinition.json#",
        "contentVersion": "1.0.0.0",
        "triggers": {"manual": trigger},
        "actions": dict(actions),
        "outputs": {},
        **more,
    }


def connection(api: str, **authentication: object) -> Json:
    """A connection of a managed connector, as `$connections` has it."""
    body: Json = {
        "connectionId": f"{GROUP}/providers/Microsoft.Web/connections/{api}",
        "connectionName": api,
        "id": f"{MANAGED_APIS}/{api}",
    }
    return body | ({"connectionProperties": {"authentication": authentication}} if authentication else {})


def connector(name: str, path: str, method: str = "get") -> Json:
    """An action of a managed connector."""
    host = {"connection": {"name": f"@parameters('$connections')['{name}']['connectionId']"}}
    return {"type": "ApiConnection", "inputs": {"host": host, "method": method, "path": path}}


def seen(definition: object, parameters: Mapping[str, object] | None = None) -> Definition:
    """What a definition shows."""
    found = read(definition, parameters or {})
    assert found is not None
    return found


def parts(*actions: Json, kind: str = "", parameters: object = None) -> list[tuple[str, str]]:
    """Where and what, of the parts of one kind that actions `A`, `B` and so on show."""
    named = {chr(ord("A") + number): action for number, action in enumerate(actions)}
    return of(seen(workflow(named, parameters=parameters or {})), kind)


def of(definition: Definition, kind: str = "") -> list[tuple[str, str]]:
    """Where and what, of the parts of one kind."""
    return [(part.where, part.what) for part in definition.parts if kind in ("", part.kind)]


def only(definition: Definition) -> Part:
    """The one part that there is."""
    (part,) = definition.parts
    return part
