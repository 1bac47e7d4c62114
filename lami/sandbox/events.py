"""What happened, as the Event Grid event a subscription's system topic would send; pure.

The shape is Microsoft.Resources' (azure-rest-api-specs, Resources.tsp): no request body and no response
body, so an event on a role assignment names neither role nor grantee. `authorization.evidence` is the
caller's own authority, with GUIDs that have no dashes.
"""

from typing import Literal
from uuid import NAMESPACE_URL, uuid5

from lami.sandbox.model import GROUPS, Actor, Happening, JsonObject, timestamp

Schema = Literal["eventgrid", "cloudevents"]
OWNER = "8e3af657a8ff443ca75c2fe8c4bcb635"
_VERBS = {"PUT": "Write", "DELETE": "Delete", "POST": "Action"}


def render(happening: Happening, schema: Schema) -> JsonObject:
    """One event object in the schema asked for."""
    topic = "/".join(happening.subject.split("/")[:3])
    outcome = "Success" if happening.succeeded else "Failure"
    kind = f"Microsoft.Resources.Resource{_VERBS[happening.method]}{outcome}"
    data = _data(happening)
    if schema == "cloudevents":
        return {
            "id": happening.id,
            "source": topic,
            "specversion": "1.0",
            "type": kind,
            "subject": happening.subject,
            "time": timestamp(happening.at),
            "data": data,
        }
    return {
        "subject": happening.subject,
        "eventType": kind,
        "eventTime": timestamp(happening.at),
        "id": happening.id,
        "data": data,
        "dataVersion": "2",
        "metadataVersion": "1",
        "topic": topic,
    }


def _data(happening: Happening) -> JsonObject:
    actor, subject = happening.actor, happening.subject
    data: JsonObject = {
        "authorization": {
            "scope": subject.replace("/resourcegroups/", "/resourceGroups/", 1),
            "action": happening.operation,
            "evidence": _evidence(actor),
        },
        "claims": _claims(actor, happening.tenant, int(happening.at.timestamp())),
        "correlationId": happening.correlation_id,
        "resourceProvider": happening.operation.split("/")[0],
        "resourceUri": subject,
        "operationName": happening.operation,
        "status": "Succeeded" if happening.succeeded else "Failed",
        "subscriptionId": subject.split("/")[2],
        "tenantId": happening.tenant,
    }
    if happening.method != "POST":  # documented for writes and deletes only
        data["httpRequest"] = {
            "clientRequestId": happening.request_id,
            "clientIpAddress": actor.ip,
            "method": happening.method,
            "url": f"https://management.azure.com{subject}?api-version=2022-04-01",
        }
    return data


def _evidence(actor: Actor) -> JsonObject:
    return {
        "role": "Owner",
        "roleAssignmentScope": GROUPS + "contoso",
        "roleAssignmentId": uuid5(NAMESPACE_URL, f"lami:assignment:{actor.object_id}").hex,
        "roleDefinitionId": OWNER,
        "principalId": actor.object_id.replace("-", ""),
        "principalType": "User" if actor.kind == "user" else "ServicePrincipal",
    }


def _claims(actor: Actor, tenant: str, second: int) -> JsonObject:
    claims: JsonObject = {
        "aud": "https://management.core.windows.net/",
        "iss": f"https://sts.windows.net/{tenant}/",
        "iat": str(second),
        "nbf": str(second),
        "exp": str(second + 3900),
        "appid": actor.app_id,
        "appidacr": "0" if actor.kind == "user" else "1",
        "ver": "1.0",
        "http://schemas.microsoft.com/identity/claims/objectidentifier": actor.object_id,
        "http://schemas.microsoft.com/identity/claims/tenantid": tenant,
    }
    if actor.kind == "application":
        return claims | {"idtyp": "app"}
    return claims | {
        "idtyp": "user",
        "ipaddr": actor.ip,
        "name": actor.name,
        "http://schemas.microsoft.com/identity/claims/scope": "user_impersonation",
        "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn": actor.upn,
    }
