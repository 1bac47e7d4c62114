"""Azure Resource Manager, read only: what each GET answers; pure over a view of the estate.

Paths are case-blind, `api-version` is required, lists come in pages with an absolute `nextLink`, and errors
are `{"error": {"code", "message"}}`. A page goes on after the last id it showed, so something deleted
between two pages hides nothing else.
"""

import re
from base64 import b64decode, urlsafe_b64encode
from binascii import Error as BadBase64
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote, urlencode

from lami.sandbox.estate import Estate
from lami.sandbox.model import (
    ASSIGNMENTS,
    DEFINITIONS,
    GROUPS,
    IDENTITY,
    SLOT,
    TYPES,
    WORKFLOW,
    Assignment,
    JsonObject,
    Principal,
    Refused,
    Resource,
    Role,
    Run,
    is_within,
    timestamp,
)

_VERSION = re.compile(r"\d{4}-\d{2}-\d{2}(-preview)?")
_EQUALS = re.compile(r"(\w+) eq '([^']*)'")
_STARTED = re.compile(r"(?i)startTime (ge|le) (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z)")


@dataclass(frozen=True, slots=True)
class Asked:
    """One GET: where, with what query (names in lower case), and as of which tick of the estate."""

    base: str
    path: str
    query: Mapping[str, str]
    tick: int | None
    page_size: int


def is_arm(path: str) -> bool:
    """Whether a path belongs to ARM, not to the sandbox itself."""
    return re.match(r"(?i)/+(subscriptions|providers)(/|$)", path) is not None


def answer(estate: Estate, asked: Asked) -> JsonObject:
    """The body of a 200; raises Refused with the status and code of anything else."""
    version = asked.query.get("api-version", "")
    if not version:
        raise Refused(
            "The api-version query parameter (?api-version=) is required.", 400, "MissingApiVersionParameter"
        )
    if not _VERSION.fullmatch(version):
        raise Refused(f"The api-version {version!r} is invalid.", 400, "InvalidApiVersionParameter")
    path = "/" + "/".join(part for part in asked.path.split("/") if part)
    _check_subscription(estate, path)
    parts = path.lower().split("/")
    if len(parts) == 3:
        return _subscription(estate, parts[2])
    scope, marker, rest = _split_provider(path)
    match rest.lower().split("/") if marker else []:
        case ["microsoft.authorization", "roleassignments"]:
            return _page(asked, [assignment_body(each) for each in _granted(estate, scope or "/", asked)])
        case ["microsoft.authorization", "roleassignments", _]:
            return assignment_body(_found_assignment(estate, path, asked.tick))
        case ["microsoft.authorization", "roledefinitions"]:
            return _page(asked, [role_body(each, scope) for each in _roles(estate, scope or "/", asked)])
        case ["microsoft.authorization", "roledefinitions", guid]:
            return role_body(_found_role(estate, scope or "/", guid, asked.tick), scope)
        case ["microsoft.logic", "workflows", _, "runs"]:
            workflow = _found_resource(estate, path.rpartition("/")[0], asked.tick)
            return _page(asked, [run_body(each) for each in _runs(estate, workflow, asked)])
        case ["microsoft.web", "sites", _, *slot, "workflows"] if slot[0::2] in ([], ["slots"]):
            return _page(asked, list(_workflows(estate, path.rpartition("/")[0], asked.tick)))
        case ["microsoft.web", "sites", _, *slot, "workflows", name] if slot[0::2] in ([], ["slots"]):
            return _workflow(estate, path, name, asked.tick)
        case [provider, *names] if names and TYPES.get("/".join((provider, *names[0::2]))):
            kind = TYPES["/".join((provider, *names[0::2]))]
            if len(names) % 2 == 0:
                return resource_body(estate, _found_resource(estate, path, asked.tick))
            if kind == SLOT:
                _found_resource(estate, path.rpartition("/")[0], asked.tick)
            within = path.rpartition("/")[0] if kind == SLOT else scope
            found = [each for each in estate.resources.all(asked.tick) if each.type == kind]
            return _page(asked, [resource_body(estate, each) for each in found if is_within(each.id, within)])
    raise Refused(f"The sandbox has nothing at {asked.path!r}.", 404, "NotFound")


# Finding


def _split_provider(path: str) -> tuple[str, str, str]:
    at = path.lower().rfind("/providers/")
    return (path[:at], "/providers/", path[at + len("/providers/") :]) if at >= 0 else (path, "", "")


def _check_subscription(estate: Estate, path: str) -> None:
    parts = path.lower().split("/")
    if parts[1] == "subscriptions" and (
        len(parts) < 3 or parts[2] not in (s.lower() for s in estate.subscriptions)
    ):
        name = parts[2] if len(parts) > 2 else ""
        raise Refused(f"The subscription '{name}' could not be found.", 404, "SubscriptionNotFound")


def _found_resource(estate: Estate, path: str, tick: int | None) -> Resource:
    found = estate.resources.get(path, tick)
    if found is None:
        message = f"The Resource '{path}' was not found. For more details please go to https://aka.ms/ARMResourceNotFoundFix"
        raise Refused(message, 404, "ResourceNotFound")
    return found


def _found_assignment(estate: Estate, path: str, tick: int | None) -> Assignment:
    found = estate.assignments.get(path, tick)
    if found is None:
        raise Refused(
            f"The role assignment '{path.rpartition('/')[2]}' is not found.", 404, "RoleAssignmentNotFound"
        )
    return found


def _found_role(estate: Estate, scope: str, guid: str, tick: int | None) -> Role:
    found = estate.roles.get(guid, tick)
    if found is None or not _usable(found, scope):
        message = f"The specified role definition with ID '{guid}' does not exist."
        raise Refused(message, 404, "RoleDefinitionDoesNotExist")
    return found


def _granted(estate: Estate, scope: str, asked: Asked) -> Iterable[Assignment]:
    """Assignments at, above and below a scope; `atScope()` leaves out those below."""
    principal, below = (
        None,
        not is_within(scope, GROUPS),
    )  # Assumption: a management group lists nothing below it
    for term in _terms(asked.query):
        if term.lower() == "atscope()":
            below = False
        elif (equals := _EQUALS.fullmatch(term)) and equals[1].lower() == "principalid":
            principal = equals[2].lower()
        else:
            raise Refused(f"The filter {term!r} is not supported.", 400, "InvalidFilter")
    for each in estate.assignments.all(asked.tick):
        at_or_above = _reaches(each.scope, scope)
        if (at_or_above or (below and is_within(each.scope, scope))) and principal in (
            None,
            each.principal_id.lower(),
        ):
            yield each


def _roles(estate: Estate, scope: str, asked: Asked) -> Iterable[Role]:
    wanted: dict[str, str] = {}
    for term in _terms(asked.query):
        if (equals := _EQUALS.fullmatch(term)) and equals[1].lower() in ("rolename", "type"):
            wanted[equals[1].lower()] = equals[2].lower()
        elif term.lower() not in ("atscope()", "atscopeandbelow()"):
            raise Refused(f"The filter {term!r} is not supported.", 400, "InvalidFilter")
    for each in estate.roles.all(asked.tick):
        facts = {"rolename": each.role_name.lower(), "type": _role_type(each).lower()}
        if _usable(each, scope) and all(facts[name] == value for name, value in wanted.items()):
            yield each


def _runs(estate: Estate, workflow: Resource, asked: Asked) -> Iterable[Run]:
    """The runs of a workflow; filters by status and by when they began."""
    runs = [each for each in estate.runs.all(asked.tick) if is_within(each.id, workflow.id)]
    for term in _terms(asked.query):
        if (equals := _EQUALS.fullmatch(term)) and equals[1].lower() == "status":
            status = equals[2].lower()
            runs = [each for each in runs if each.status.lower() == status]
        elif limit := _STARTED.fullmatch(term):
            at, least = datetime.fromisoformat(limit[2]), limit[1].lower() == "ge"
            runs = [each for each in runs if (each.started >= at if least else each.started <= at)]
        else:
            raise Refused(f"The filter {term!r} is not supported.", 400, "InvalidFilter")
    return runs


def _workflows(estate: Estate, app: str, tick: int | None) -> Iterable[JsonObject]:
    """The workflows of a Standard logic app or slot, without their files."""
    found = _found_resource(estate, app, tick)
    if "workflowapp" not in found.kind:
        raise Refused(f"The site '{found.name}' is no logic app.", 404, "NotFound")
    for path in found.files:
        name, inside, file = path.partition("/")
        if inside and file == "workflow.json":
            yield workflow_body(found, name)


def _workflow(estate: Estate, path: str, name: str, tick: int | None) -> JsonObject:
    app = path.rpartition("/")[0].rpartition("/")[0]
    for body in _workflows(estate, app, tick):
        if _key(body).rpartition("/")[2] == name:
            return _with_files(body, _found_resource(estate, app, tick))
    raise Refused(f"Workflow with a name of {name} does not exist.", 404, "WorkflowNotFound")


def _terms(query: Mapping[str, str]) -> list[str]:
    text = query.get("$filter", "").strip()
    return [term.strip() for term in re.split(r"(?i)\band\b", text)] if text else []


def _reaches(outer: str, scope: str) -> bool:
    """Whether an assignment at `outer` is inherited by `scope`: it is that scope or lies above it."""
    if outer == "/" or is_within(scope, outer):
        return True
    return is_within(outer, GROUPS) and is_within(scope, "/subscriptions")


def _usable(role: Role, scope: str) -> bool:
    reach = (_reaches(assignable, scope) or scope == "/" for assignable in role.assignable_scopes)
    return role.built_in or any(reach)


def _page(asked: Asked, bodies: list[JsonObject]) -> JsonObject:
    bodies = sorted(bodies, key=_key)
    token = asked.query.get("$skiptoken")
    if token is not None:
        try:
            last = b64decode(token, altchars=b"-_", validate=True).decode()
        except (BadBase64, ValueError) as broken:
            raise Refused("The $skiptoken is invalid.", 400, "InvalidSkipToken") from broken
        bodies = [body for body in bodies if _key(body) > last]
    page: JsonObject = {"value": bodies[: asked.page_size]}
    if len(bodies) > asked.page_size:
        token = urlsafe_b64encode(_key(bodies[asked.page_size - 1]).encode()).decode()
        query = {name: value for name, value in asked.query.items() if name != "$skiptoken"} | {
            "$skiptoken": token
        }
        page["nextLink"] = f"{asked.base}{quote(asked.path)}?{urlencode(query, quote_via=quote, safe='$')}"
    return page


def _key(body: JsonObject) -> str:
    return str(body["id"]).lower()


# Rendering


def resource_body(estate: Estate, resource: Resource) -> JsonObject:
    """A resource as its provider's GET shows it."""
    body: JsonObject = {
        "id": resource.id,
        "name": resource.name,
        "type": resource.type,
        "location": resource.location,
        "tags": dict(resource.tags),
    }
    if resource.type == IDENTITY and resource.system:
        return body | {"properties": {"tenantId": estate.tenant} | _principal(resource.system)}
    if resource.kind:
        body["kind"] = resource.kind
    if identity := _identity(estate.tenant, resource):
        body["identity"] = identity
    if resource.type == WORKFLOW:
        shown = {} if resource.definition is None else {"definition": resource.definition}
        return body | {
            "properties": {
                "provisioningState": "Succeeded",
                "createdTime": timestamp(resource.created),
                "changedTime": timestamp(resource.changed),
                "state": resource.state,
                "version": f"0858{int(resource.changed.timestamp() * 1e6):016d}",
                "accessEndpoint": "https://prod-00.westeurope.logic.azure.com:443/workflows/sandbox",
                "parameters": resource.parameters,
                **shown,
            }
        }
    return body | {
        "properties": {
            "state": "Running",
            "enabled": True,
            "defaultHostName": resource.name.replace("/", "-").lower() + ".azurewebsites.net",
            "lastModifiedTimeUtc": timestamp(resource.changed),
        }
    }


def workflow_body(app: Resource, name: str) -> JsonObject:
    """A workflow of a Standard logic app as the list of them shows it."""
    return {
        "id": f"{app.id}/workflows/{name}",
        "name": f"{app.name}/{name}",
        "type": f"{app.type}/workflows",
        "kind": "Stateful",
        "location": app.location,
        "properties": {"flowState": "Enabled", "health": {"state": "Healthy"}},
    }


def _with_files(body: JsonObject, app: Resource) -> JsonObject:
    """The workflow as its GET shows it: its own file, and those that all workflows of the app share."""
    own = f"{str(body['name']).rpartition('/')[2]}/workflow.json"
    shared = {path: file for path, file in app.files.items() if "/" not in path}
    properties = {"files": {"workflow.json": app.files[own], **shared}, "flowState": "Enabled"}
    return body | {"properties": properties | {"health": {"state": "Healthy"}}}


def _identity(tenant: str, resource: Resource) -> JsonObject:
    """The identity block; empty, and then left out, when the resource has no identity."""
    block: JsonObject = {}
    kinds = []
    if resource.system:
        kinds.append("SystemAssigned")
        block |= {"principalId": resource.system.principal_id, "tenantId": tenant}
    if resource.attached:
        kinds.append("UserAssigned")
        block["userAssignedIdentities"] = {
            # Seen in a recording: the keys of this map have `resourcegroups` in lower case.
            re.sub(r"(?i)/resourceGroups/", "/resourcegroups/", identifier, count=1): _principal(principal)
            for identifier, principal in resource.attached.items()
        }
    return {"type": ", ".join(kinds)} | block if kinds else {}


def run_body(run: Run) -> JsonObject:
    """A run as the list of a workflow's runs shows it."""
    return {
        "id": run.id,
        "name": run.id.rpartition("/")[2],
        "type": "Microsoft.Logic/workflows/runs",
        "properties": {"startTime": timestamp(run.started), "status": run.status},
    }


def _principal(principal: Principal) -> JsonObject:
    return {"principalId": principal.principal_id, "clientId": principal.client_id}


def _subscription(estate: Estate, subscription: str) -> JsonObject:
    return {
        "id": f"/subscriptions/{subscription}",
        "subscriptionId": subscription,
        "tenantId": estate.tenant,
        "displayName": estate.names[subscription],
        "state": "Enabled",
    }


def assignment_body(assignment: Assignment) -> JsonObject:
    """A role assignment as Microsoft.Authorization 2022-04-01 shows it."""
    within = re.match(r"(?i)/subscriptions/[^/]+", assignment.scope)
    return {
        "id": assignment.id,
        "type": ASSIGNMENTS.strip("/").removeprefix("providers/"),
        "name": assignment.name,
        "properties": {
            "roleDefinitionId": (within[0] if within else "") + DEFINITIONS + assignment.role,
            "principalId": assignment.principal_id,
            "principalType": assignment.principal_type,
            "scope": assignment.scope,
            "condition": assignment.condition,
            "conditionVersion": "2.0" if assignment.condition else None,
            "createdOn": timestamp(assignment.created),
            "updatedOn": timestamp(assignment.updated),
            "createdBy": assignment.created_by,
            "updatedBy": assignment.updated_by,
            "delegatedManagedIdentityResourceId": None,
            "description": assignment.description,
        },
    }


def role_body(role: Role, scope: str) -> JsonObject:
    """A role definition as it reads at a scope: its id names that scope's subscription."""
    within = re.match(r"(?i)/subscriptions/[^/]+", scope)
    return {
        "id": (within[0] if within else "") + DEFINITIONS + role.name,
        "type": DEFINITIONS.strip("/").removeprefix("providers/"),
        "name": role.name,
        "properties": {
            "roleName": role.role_name,
            "type": _role_type(role),
            "description": role.description,
            "assignableScopes": list(role.assignable_scopes),
            "permissions": list(role.permissions),
            "createdOn": timestamp(role.created) if role.created else "2015-02-02T21:55:09.8806423Z",
            "updatedOn": timestamp(role.updated) if role.updated else "2021-11-11T20:13:28.6061853Z",
            "createdBy": None,
            "updatedBy": None,
        },
    }


def _role_type(role: Role) -> str:
    return "BuiltInRole" if role.built_in else "CustomRole"
