"""Workflow definitions that the sandbox gives its logic apps, in the shape of Microsoft's documentation."""

from lami.sandbox.model import JsonObject

_SCHEMA = "https://schema.management.azure.com/providers/Microsoft.Logic/schemas/2016-06-01/workflowdefinition.json#"


def definition(**actions: JsonObject) -> JsonObject:
    """A definition that is started by a request and runs these actions."""
    return {
        "$schema": _SCHEMA,
        "contentVersion": "1.0.0.0",
        "parameters": {"$connections": {"type": "Object", "defaultValue": {}}},
        "triggers": {"manual": {"type": "Request", "kind": "Http", "inputs": {"schema": {}}}},
        "actions": actions,
        "outputs": {},
    }


PLAIN: JsonObject = definition(
    Note={"type": "Compose", "inputs": "@triggerBody()", "runAfter": {}},
    Answer={"type": "Response", "inputs": {"statusCode": 202}, "runAfter": {"Note": ["Succeeded"]}},
)
"""What a workflow has that nobody gave a definition: no secret in it, no identity."""

PLAIN_FILES: JsonObject = {"intake/workflow.json": {"definition": PLAIN, "kind": "Stateful"}}
"""What a Standard logic app has that nobody gave files: one workflow, and no connection."""

CARELESS: JsonObject = definition(
    Get_secret={
        "type": "Http",
        "inputs": {
            "method": "GET",
            "uri": "https://kv-claims.vault.azure.net/secrets/claims-api?api-version=7.4",
            "authentication": {"type": "ManagedServiceIdentity", "audience": "https://management.azure.com/"},
        },
        "runAfter": {},
    },
    Send_claim={
        "type": "Http",
        "inputs": {
            "method": "POST",
            "uri": "https://claims.example.com/api/claims",
            "body": "@triggerBody()",
            "authentication": {"type": "Basic", "username": "claims", "password": "made-up-for-the-sandbox"},
        },
        "runAfter": {"Get_secret": ["Succeeded"]},
    },
)
"""A password, a secret that shows in the run history, and a token of the wrong service."""

CARELESS_FILES: JsonObject = {
    "connections.json": {
        "managedApiConnections": {},
        "serviceProviderConnections": {
            "serviceBus": {
                "parameterValues": {"connectionString": "@appsetting('serviceBus_connectionString')"},
                "serviceProvider": {"id": "/serviceProviders/serviceBus"},
                "displayName": "claims",
            }
        },
    },
    "intake/workflow.json": {"definition": PLAIN, "kind": "Stateful"},
    "send/workflow.json": {"definition": CARELESS, "kind": "Stateful"},
}
"""The same in a workflow of a Standard logic app, and a connection string beside it."""
