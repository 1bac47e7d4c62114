"""The control API: change the estate, set faults, steer delivery and look at what arrived, with curl.

`ROUTES` is the whole of it; `GET /sandbox/` prints it, so the documentation can't drift. Every body may
name an `actor`. Changes answer with what they made; refusals are 4xx `{"error": {"code", "message"}}`.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Literal, cast

from lami.sandbox.arm import assignment_body, resource_body, role_body
from lami.sandbox.body import Body, permissions
from lami.sandbox.directory import State
from lami.sandbox.events import Schema
from lami.sandbox.faults import Fault
from lami.sandbox.grid import Conditions
from lami.sandbox.model import (
    IDENTITY,
    SITE,
    SLOT,
    WORKFLOW,
    JsonObject,
    Refused,
    Wanted,
    resource_id,
)
from lami.sandbox.parts import Parts

SIMULATION = "This is lami's sandbox, a simulation of Azure on this machine. Nothing here is real."
Arguments = Mapping[str, str]
Handler = Callable[[Parts, Arguments, Body], JsonObject]
_ONE = {"workflows": WORKFLOW, "sites": SITE, "identities": IDENTITY}


@dataclass(frozen=True, slots=True)
class Route:
    """One call: method, path with `<arguments>`, handler and what its body may hold."""

    method: Literal["GET", "PUT", "POST", "DELETE"]
    path: str
    handler: Handler
    body: str = ""


def _target(arguments: Arguments) -> str:
    names = (arguments["name"], arguments["slot"]) if "slot" in arguments else (arguments["name"],)
    kind = SLOT if "slot" in arguments else _ONE[arguments["kind"]]
    return resource_id(arguments["subscription"], arguments["group"], kind, *names)


def put_resource(parts: Parts, arguments: Arguments, body: Body) -> JsonObject:
    """Create it, or deploy it in place; what is left out stays as it is."""
    target = _target(arguments)
    wanted = cast(Wanted | None, body.choice("identity", "none", "system", "user", "both"))
    user_assigned, tags, kind, actor = (
        body.texts("userAssigned"),
        body.tags("tags"),
        body.text("kind"),
        body.actor(),
    )
    definition, parameters = body.object("definition"), body.object("parameters")
    files = body.object("files")
    body.done()
    made = parts.estate.put(
        target,
        identity=wanted,
        user_assigned=user_assigned,
        tags=tags,
        kind=kind,
        definition=definition,
        parameters=parameters,
        files=files,
        actor=actor,
    )
    return resource_body(parts.estate, made)


def delete_resource(parts: Parts, arguments: Arguments, body: Body) -> JsonObject:
    """Delete it; its principal goes, assignments to that principal stay."""
    actor = body.actor()
    body.done()
    parts.estate.delete(_target(arguments), actor)
    return {}


def recreate_resource(parts: Parts, arguments: Arguments, body: Body) -> JsonObject:
    """Delete it and create it again as it was, with a new principal."""
    actor = body.actor()
    body.done()
    return resource_body(parts.estate, parts.estate.recreate(_target(arguments), actor))


def set_state(parts: Parts, arguments: Arguments, body: Body) -> JsonObject:
    """Enable or disable a workflow."""
    state, actor = body.required("state"), body.actor()
    body.done()
    return resource_body(parts.estate, parts.estate.set_state(_target(arguments), state, actor))


def deploy_files(parts: Parts, arguments: Arguments, body: Body) -> JsonObject:
    """Put other files into a Standard logic app; its own time of change stays as it is."""
    files, actor = body.object("files") or {}, body.actor()
    body.done()
    return resource_body(parts.estate, parts.estate.deploy(_target(arguments), files, actor))


def delete_group(parts: Parts, arguments: Arguments, body: Body) -> JsonObject:
    """Delete a resource group and all in it; one event."""
    actor = body.actor()
    body.done()
    subscription, group = arguments["subscription"], arguments["group"]
    parts.estate.delete_group(f"/subscriptions/{subscription}/resourceGroups/{group}", actor)
    return {}


def assign(parts: Parts, arguments: Arguments, body: Body) -> JsonObject:
    """Grant a role at a scope to a principal, or to the identity of a resource."""
    role, scope = body.required("role"), body.required("scope")
    principal_id, of, name = body.text("principalId"), body.text("of"), body.text("name")
    kind = body.choice("principalType", "ServicePrincipal", "User", "Group")
    condition, description, actor = body.text("condition"), body.text("description"), body.actor()
    body.done()
    return assignment_body(
        parts.estate.assign(
            role,
            scope,
            principal_id=principal_id,
            of=of,
            principal_type=kind or "ServicePrincipal",
            name=name,
            condition=condition,
            description=description,
            actor=actor,
        )
    )


def unassign(parts: Parts, arguments: Arguments, body: Body) -> JsonObject:
    """Delete the role assignment with this resource id."""
    identifier, actor = body.required("id"), body.actor()
    body.done()
    parts.estate.unassign(identifier, actor)
    return {}


def put_role(parts: Parts, arguments: Arguments, body: Body) -> JsonObject:
    """Create a custom role, or rewrite the one of that GUID or name."""
    role_name, name, description = body.required("roleName"), body.text("name"), body.text("description")
    blocks, scopes, actor = permissions(body), body.texts("assignableScopes"), body.actor()
    body.done()
    made = parts.estate.put_role(
        role_name, blocks, name=name, description=description or "", assignable_scopes=scopes, actor=actor
    )
    return role_body(made, made.assignable_scopes[0])


def delete_role(parts: Parts, arguments: Arguments, body: Body) -> JsonObject:
    """Delete a custom role that nobody holds, by GUID or name."""
    actor = body.actor()
    body.done()
    parts.estate.delete_role(arguments["role"], actor)
    return {}


def mark_principal(parts: Parts, arguments: Arguments, body: Body) -> JsonObject:
    """Say that a principal was deleted in the directory (and can be restored), purged, or is alive again."""
    state = body.choice("state", "alive", "deleted", "purged") or "deleted"
    body.done()
    parts.directory.mark(arguments["principal"], cast(State, state))
    return {"principalId": arguments["principal"], "state": state}


def add_fault(parts: Parts, arguments: Arguments, body: Body) -> JsonObject:
    """Have requests fail (status), lag (lagSeconds: by that long; lagReads: the next N show the estate
    as it is now) or dawdle (slowSeconds). Covers a `path` (with *) or a `subscription`, and `count` requests
    or, without it, all until cleared.
    """
    status, retry_after = body.whole("status", 400, 599), body.number("retryAfter")
    lag, lag_reads, slow = (
        body.number("lagSeconds"),
        body.whole("lagReads", 1, 10**6),
        body.number("slowSeconds", 60),
    )
    path, subscription = body.text("path"), body.text("subscription")
    times, share = body.whole("count", 1, 10**6), body.number("share", 1)
    body.done()
    if sum(effect is not None for effect in (status, lag, lag_reads, slow)) != 1:
        raise Refused("a fault has exactly one of status, lagSeconds, lagReads and slowSeconds")
    fault = Fault(
        path=path or (f"/subscriptions/{subscription}*" if subscription else "*"),
        status=status,
        retry_after=retry_after,
        tick=parts.estate.tick if lag_reads is not None else None,
        lag=lag,
        slow=slow,
        count=lag_reads or times,
        share=1.0 if share is None else share,
    )
    parts.faults.add(fault)
    return asdict(fault)


def clear_faults(parts: Parts, arguments: Arguments, body: Body) -> JsonObject:
    """Lift every fault."""
    body.done()
    parts.faults.clear()
    return {}


def list_faults(parts: Parts, arguments: Arguments, body: Body) -> JsonObject:
    """The faults in force."""
    return {"value": [asdict(fault) for fault in parts.faults.active()]}


def deliver(parts: Parts, arguments: Arguments, body: Body) -> JsonObject:
    """Have events doubled or lost (shares of 1), shuffled, or held back until paused is false again."""
    duplicates, loss = body.number("duplicates", 1), body.number("loss", 1)
    reorder, paused = body.flag("reorder"), body.flag("paused")
    body.done()
    conditions = Conditions(duplicates or 0.0, loss or 0.0, bool(reorder), bool(paused))
    parts.grid.configure(conditions)
    return asdict(conditions)


def subscribe(parts: Parts, arguments: Arguments, body: Body) -> JsonObject:
    """Have events delivered to a webhook on this machine, after the handshake."""
    url, schema = body.required("url"), body.choice("schema", "eventgrid", "cloudevents") or "eventgrid"
    body.done()
    parts.grid.subscribe(url, cast(Schema, schema))
    return {"url": url, "schema": schema}


def unsubscribe(parts: Parts, arguments: Arguments, body: Body) -> JsonObject:
    """Deliver nothing more to a webhook."""
    url = body.required("url")
    body.done()
    parts.grid.unsubscribe(url)
    return {}


def deliveries(parts: Parts, arguments: Arguments, body: Body) -> JsonObject:
    """Webhooks, every attempt of a delivery, and dead letters."""
    return parts.grid.report()


def show_estate(parts: Parts, arguments: Arguments, body: Body) -> JsonObject:
    """Everything there is, as ARM shows it, with custom roles only."""
    estate = parts.estate
    with estate.lock:
        return {
            "simulation": SIMULATION,
            "tenantId": estate.tenant,
            "subscriptions": list(estate.subscriptions),
            "resources": [resource_body(estate, each) for each in estate.resources.all()],
            "roleAssignments": [assignment_body(each) for each in estate.assignments.all()],
            "roleDefinitions": [role_body(each, "") for each in estate.roles.all() if not each.built_in],
            "principals": dict(estate.directory),
            "directory": dict(parts.directory.marks),
        }


def show_reads(parts: Parts, arguments: Arguments, body: Body) -> JsonObject:
    """Every request that ARM and Graph were sent."""
    return {"value": [asdict(each) for each in list(parts.reads)]}


def show_teams(parts: Parts, arguments: Arguments, body: Body) -> JsonObject:
    """The cards that arrived."""
    return {"value": [asdict(each) for each in list(parts.teams.cards)]}


def show_topic(parts: Parts, arguments: Arguments, body: Body) -> JsonObject:
    """The events that were published to the custom topic."""
    return {"value": list(parts.topic.events)}


def show_mail(parts: Parts, arguments: Arguments, body: Body) -> JsonObject:
    """The mail that arrived."""
    return {"value": [asdict(each) for each in list(parts.mail.messages)]}


def empty_sink(parts: Parts, arguments: Arguments, body: Body) -> JsonObject:
    """Throw away what a sink (teams, topic, mail) or the log of reads holds."""
    body.done()
    clear = {
        "teams": parts.teams.cards.clear,
        "topic": parts.topic.events.clear,
        "mail": parts.mail.messages.clear,
        "reads": parts.reads.clear,
    }
    clear[arguments["sink"]]()
    return {}


def show_routes(parts: Parts, arguments: Arguments, body: Body) -> JsonObject:
    """This list."""
    return {
        "simulation": SIMULATION,
        "routes": [
            {
                "call": f"{route.method} {route.path}",
                "does": " ".join((route.handler.__doc__ or "").split()),
                "body": route.body,
            }
            for route in ROUTES
        ],
    }


_APP = "/sandbox/<any(workflows,sites,identities):kind>/<subscription>/<group>/<name>"
_SLOT = "/sandbox/sites/<subscription>/<group>/<name>/slots/<slot>"
_PUT = (
    "identity: none|system|user|both, userAssigned: [ids], tags: {}, kind (of a site), "
    "definition: {} and parameters: {} (of a workflow), "
    "files: {intake/workflow.json: {}, connections.json: {}} (of a site), actor"
)

ROUTES = (
    Route("GET", "/sandbox/", show_routes),
    Route("GET", "/sandbox/estate", show_estate),
    Route("PUT", _APP, put_resource, _PUT),
    Route("DELETE", _APP, delete_resource, "actor"),
    Route("POST", _APP + "/recreate", recreate_resource, "actor"),
    Route("POST", _APP + "/files", deploy_files, "files: {}, actor"),
    Route("POST", _APP + "/state", set_state, "state: Enabled|Disabled, actor"),
    Route("PUT", _SLOT, put_resource, _PUT),
    Route("DELETE", _SLOT, delete_resource, "actor"),
    Route("POST", _SLOT + "/recreate", recreate_resource, "actor"),
    Route("POST", _SLOT + "/files", deploy_files, "files: {}, actor"),
    Route("DELETE", "/sandbox/groups/<subscription>/<group>", delete_group, "actor"),
    Route(
        "POST",
        "/sandbox/assignments",
        assign,
        "role: name or GUID, scope, principalId or of: resource id, principalType, name, condition, "
        "description, actor",
    ),
    Route("DELETE", "/sandbox/assignments", unassign, "id, actor"),
    Route(
        "PUT",
        "/sandbox/roles",
        put_role,
        "roleName, name: GUID, description, actions, notActions, dataActions, notDataActions, "
        "assignableScopes, actor",
    ),
    Route("DELETE", "/sandbox/roles/<role>", delete_role, "actor"),
    Route("PUT", "/sandbox/principals/<principal>", mark_principal, "state: alive|deleted|purged"),
    Route("GET", "/sandbox/faults", list_faults),
    Route(
        "POST",
        "/sandbox/faults",
        add_fault,
        "status (with retryAfter) | lagSeconds | lagReads | slowSeconds; path or subscription, count, "
        "share: 0 to 1; "
        "/v1.0/* (Graph), /sandbox/teams/webhook, /sandbox/topic* and /sandbox/mail are paths too",
    ),
    Route("DELETE", "/sandbox/faults", clear_faults),
    Route("POST", "/sandbox/delivery", deliver, "duplicates: 0 to 1, loss: 0 to 1, reorder, paused"),
    Route("POST", "/sandbox/subscribe", subscribe, "url, schema: eventgrid|cloudevents"),
    Route("DELETE", "/sandbox/subscribe", unsubscribe, "url"),
    Route("GET", "/sandbox/deliveries", deliveries),
    Route("GET", "/sandbox/reads", show_reads),
    Route("GET", "/sandbox/teams", show_teams),
    Route("GET", "/sandbox/topic", show_topic),
    Route("GET", "/sandbox/mail", show_mail),
    Route("DELETE", "/sandbox/<any(teams,topic,mail,reads):sink>", empty_sink),
)
