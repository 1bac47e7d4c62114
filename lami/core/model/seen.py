"""What Azure Resource Manager says now: a look, and what a look shows."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import cached_property
from typing import Generic, Literal, TypeVar

from msgspec import Struct, field

from lami.core.ids import ResourceId, digest

State_co = TypeVar("State_co", covariant=True)


class Present(Struct, Generic[State_co], frozen=True):
    """ARM answered with the resource's state."""

    state: State_co


class Absent(Struct, frozen=True):
    """ARM answered that there is no such resource (404)."""


class Unknown(Struct, frozen=True):
    """ARM could not be asked, or did not answer in full. Never taken for absent.

    `retry_after` is in seconds, where ARM named it; `denied` is true for 401 and 403.
    """

    reason: str
    retry_after: float | None = None
    denied: bool = False


Look = Present[State_co] | Absent | Unknown


class Permission(Struct, frozen=True):
    """One block of a role definition. `condition` is ABAC text, empty where there is none."""

    actions: tuple[str, ...] = ()
    not_actions: tuple[str, ...] = ()
    data_actions: tuple[str, ...] = ()
    not_data_actions: tuple[str, ...] = ()
    condition: str = ""


class RoleDefinition(Struct, frozen=True):
    """A role. `permissions` is None where the definition could not be read.

    `custom`: one of the tenant's own. `changed` is the time of its newest write, where Azure told one.
    """

    id: str
    name: str
    permissions: tuple[Permission, ...] | None
    custom: bool = False
    changed: datetime | None = None


class Access(Struct, frozen=True, dict=True):
    """What a grant allows, whoever holds it: a role at a scope, under a condition.

    Access is compared by this, not by assignment id: a successor's assignments have new ids.
    """

    role: str
    scope: ResourceId
    condition: str = ""

    @cached_property
    def key(self) -> str:
        """A short name of this access, the same in every book. No member: neither stored nor compared."""
        return digest(self.role, self.scope.key, self.condition)


class RoleAssignment(Struct, frozen=True):
    """A role assignment as ARM shows it now. `changed` is `updatedOn`, the time of its newest write."""

    id: ResourceId
    principal: str
    principal_type: str
    access: Access
    role: RoleDefinition
    created: datetime | None
    changed: datetime | None
    created_by: str = ""


HolderKind = Literal["logicApp", "userAssignedIdentity"]


class Attached(Struct, frozen=True):
    """A user-assigned identity that an app uses, with the principal the app's own reply names."""

    identity: ResourceId
    principal: str


PartKind = Literal["secret", "connector", "unsecured", "identity", "audience"]


class Part(Struct, frozen=True, order=True):
    """One thing that a workflow definition shows of secrets and identities.

    `where` is the name of an action, trigger or connection (`action Get_claims`). `what` is in words of
    lami's own, or the id of a user-assigned identity (`system` for the app's own): never text that stood
    where a secret stands.
    """

    kind: PartKind
    where: str
    what: str


class Definition(Struct, frozen=True):
    """What a workflow definition shows, in order; never the definition itself.

    `oddity` says in words what of it was not understood.
    """

    parts: tuple[Part, ...] = ()
    oddity: str = ""


class IdentityHolder(Struct, frozen=True):
    """A logic app (Consumption, Standard, slot) or a user-assigned identity as ARM shows it now.

    `system` is the principal of the system-assigned identity, or, of a user-assigned identity, its own.
    `created` and `changed` are None where the resource type tells no such time (user-assigned identities;
    sites have no `created`). `oddity` says in words what of the identity could not be understood.
    `definition` is None where the reply shows none: of a Standard logic app, an identity, or left out.
    """

    id: ResourceId
    kind: HolderKind
    system: str = ""
    attached: tuple[Attached, ...] = ()
    created: datetime | None = None
    changed: datetime | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    oddity: str = ""
    definition: Definition | None = None
