"""The nouns of the little Azure: actor, resource, role, assignment, and what happened to them.

All frozen: a change makes a new record, so that the estate can keep every state a thing ever had and
show a read the past (Azure is eventually consistent).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal
from uuid import NAMESPACE_URL, uuid5

from lami.errors import Permanent

JsonObject = dict[str, object]

WORKFLOW = "Microsoft.Logic/workflows"
SITE = "Microsoft.Web/sites"
SLOT = "Microsoft.Web/sites/slots"
IDENTITY = "Microsoft.ManagedIdentity/userAssignedIdentities"
TYPES = {known.lower(): known for known in (WORKFLOW, SITE, SLOT, IDENTITY)}
ASSIGNMENTS = "/providers/Microsoft.Authorization/roleAssignments/"
DEFINITIONS = "/providers/Microsoft.Authorization/roleDefinitions/"
GROUPS = "/providers/Microsoft.Management/managementGroups/"

_RESOURCE = re.compile(r"/subscriptions/([^/]+)/resourceGroups/([^/]+)/providers/(.+)", re.IGNORECASE)
_GROUP = re.compile(r"/subscriptions/([^/]+)/resourceGroups/([^/]+)", re.IGNORECASE)
_FORBIDDEN = re.compile(r"[/\\#?%\x00-\x1f\x7f]")

Wanted = Literal["none", "system", "user", "both"]


class Refused(Permanent):
    """The little Azure won't do what was asked: `status` and `code` are what its HTTP reply says."""

    def __init__(self, message: str, status: int = 400, code: str = "BadRequest") -> None:
        super().__init__(message)
        self.status = status
        self.code = code


@dataclass(frozen=True, slots=True)
class Actor:
    """Who makes a change: a user (with a upn) or an application (with none)."""

    name: str
    object_id: str
    kind: Literal["user", "application"]
    app_id: str
    upn: str = ""
    ip: str = "203.0.113.10"

    @staticmethod
    def named(name: str, kind: Literal["user", "application"] = "user", upn: str = "") -> "Actor":
        """An actor whose ids follow from its name, so that the same name is always the same actor."""
        azure_cli = "04b07795-8ddb-461a-bbee-02f9e1bf7b46"
        own = str(uuid5(NAMESPACE_URL, f"lami:app:{name}"))
        object_id = str(uuid5(NAMESPACE_URL, f"lami:object:{name}"))
        return Actor(name, object_id, kind, azure_cli if kind == "user" else own, upn)


ROBIN = Actor.named("Robin Operator", upn="robin@contoso.example")


@dataclass(frozen=True, slots=True)
class Principal:
    """A service principal behind a managed identity: its object id and its client (application) id."""

    principal_id: str
    client_id: str


@dataclass(frozen=True, slots=True)
class Resource:
    """A workflow, site, slot or user-assigned identity.

    `system` is the system-assigned identity (of a user-assigned identity resource: its own principal).
    `attached` maps ids of user-assigned identities to the principal each had when it was attached.
    `definition` and `parameters` are a workflow's; no definition is one that is not shown. `files` are those
    of a Standard logic app, by their paths: `connections.json`, `intake/workflow.json`.
    """

    id: str
    type: str
    kind: str
    created: datetime
    changed: datetime
    state: str
    location: str
    tags: Mapping[str, str]
    system: Principal | None
    attached: Mapping[str, Principal]
    definition: JsonObject | None = None
    parameters: JsonObject = field(default_factory=dict)
    files: JsonObject = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The name ARM gives it: `site/slot` for a slot."""
        return "/".join(split_id(self.id)[3])


@dataclass(frozen=True, slots=True)
class Run:
    """A run of a workflow: when it began and how it ended (`Succeeded`, `Failed`)."""

    id: str
    started: datetime
    status: str


@dataclass(frozen=True, slots=True)
class Role:
    """A role definition; `name` is its GUID."""

    name: str
    role_name: str
    description: str
    built_in: bool
    permissions: tuple[JsonObject, ...]
    assignable_scopes: tuple[str, ...]
    created: datetime | None = None
    updated: datetime | None = None


@dataclass(frozen=True, slots=True)
class Assignment:
    """A role assignment; `role` is the role definition's GUID, `name` the assignment's own."""

    name: str
    scope: str
    role: str
    principal_id: str
    principal_type: str
    condition: str | None
    description: str | None
    created: datetime
    updated: datetime
    created_by: str
    updated_by: str

    @property
    def id(self) -> str:
        """The assignment's resource id."""
        return self.scope.rstrip("/") + ASSIGNMENTS + self.name


@dataclass(frozen=True, slots=True)
class Happening:
    """One operation on the estate, as the activity log would have it."""

    id: str
    operation: str
    subject: str
    method: Literal["PUT", "DELETE", "POST"]
    succeeded: bool
    at: datetime
    actor: Actor
    correlation_id: str
    request_id: str
    tenant: str


def resource_id(subscription: str, group: str, kind: str, *names: str) -> str:
    """The id of a resource of type `kind`, e.g. `(s, g, SLOT, "shop", "staging")`; refuses bad names."""
    for name in (subscription, group, *names):
        if not name or _FORBIDDEN.search(name):
            raise Refused(
                f"{name!r} is no name: it is empty or holds one of / \\ # ? % or a control character"
            )
    provider, *types = kind.split("/")
    pairs = "/".join(f"{part}/{name}" for part, name in zip(types, names, strict=True))
    return f"/subscriptions/{subscription}/resourceGroups/{group}/providers/{provider}/{pairs}"


def split_id(identifier: str) -> tuple[str, str, str, tuple[str, ...]]:
    """Subscription, resource group, type and names of a resource of a type the sandbox knows."""
    found = _RESOURCE.fullmatch(identifier)
    if found:
        provider, *rest = found[3].split("/")
        kind = TYPES.get("/".join((provider, *rest[0::2])).lower())
        if kind and len(rest) % 2 == 0 and all(rest[1::2]):
            return found[1], found[2], kind, tuple(rest[1::2])
    raise Refused(f"{identifier!r} is not the id of a {', '.join(TYPES.values())}")


def split_group(identifier: str) -> tuple[str, str]:
    """Subscription and name of a resource group's id."""
    found = _GROUP.fullmatch(identifier)
    if not found:
        raise Refused(f"{identifier!r} is not the id of a resource group")
    return found[1], found[2]


def is_within(identifier: str, scope: str) -> bool:
    """Whether an id is `scope` itself or lies below it, by path alone."""
    outer = scope.rstrip("/").lower()
    return identifier.lower() == outer or identifier.lower().startswith(outer + "/")


def timestamp(moment: datetime) -> str:
    """A time as ARM and Event Grid write it: UTC with seven fractional digits."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}0Z"
