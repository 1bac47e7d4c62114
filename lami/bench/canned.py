"""An ARM that answers at once from memory: where it is not ARM that is measured."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from msgspec.structs import replace

from lami.arm.protocol import NotAHolder
from lami.core.ids import ResourceId
from lami.core.model import (
    Absent,
    Access,
    Actor,
    Definition,
    FailedRuns,
    IdentityHolder,
    Look,
    Permission,
    Present,
    RoleAssignment,
    RoleDefinition,
    Unknown,
)

SUBSCRIPTION = "5f0c2a51-1111-4a6b-8d10-9a27c1e4f001"
PRINCIPAL = "aaaaaaaa-0000-4000-8000-000000000001"
GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-claims"
APP = ResourceId(f"{GROUP}/providers/Microsoft.Logic/workflows/claims-intake")
DANA = Actor("user", "d0000000-0000-4000-8000-000000000001", "dana@contoso.example", "203.0.113.7")
ROLE = RoleDefinition(
    "4633458b-17de-408a-b874-0445c86b69e6",
    "Key Vault Secrets User",
    (
        Permission(
            data_actions=(
                "Microsoft.KeyVault/vaults/secrets/getSecret/action",
                "Microsoft.KeyVault/vaults/secrets/readMetadata/action",
            )
        ),
    ),
)
"""A narrow role, as Azure defines it."""


def narrow_grant(number: int, created: datetime, changed: datetime) -> RoleAssignment:
    """The `number`th grant of the app's identity: a narrow role at a vault of its own."""
    scope = ResourceId(f"{GROUP}/providers/Microsoft.KeyVault/vaults/kv-{number}")
    name = f"{number:08d}-0000-4000-8000-000000000000"
    id = ResourceId(f"{scope.text}/providers/Microsoft.Authorization/roleAssignments/{name}")
    return RoleAssignment(
        id, PRINCIPAL, "ServicePrincipal", Access(ROLE.id, scope), ROLE, created, changed, DANA.id
    )


@dataclass(slots=True)
class Canned:
    """An `Arm` with one logic app, whose identity has three narrow grants."""

    app: IdentityHolder = field(
        default_factory=lambda: IdentityHolder(
            APP, "logicApp", PRINCIPAL, created=_long_ago(), changed=_long_ago()
        )
    )
    grants: tuple[RoleAssignment, ...] = field(
        default_factory=lambda: tuple(narrow_grant(number, _long_ago(), _long_ago()) for number in range(3))
    )

    def deploy(self) -> datetime:
        """Write the app in place; when that was."""
        at = datetime.now(UTC)
        self.app = replace(self.app, changed=at)
        return at

    def assignment(self, id: ResourceId) -> Look[RoleAssignment]:
        """Look at one role assignment."""
        found = [grant for grant in self.grants if grant.id == id]
        return Present(found[0]) if found else Absent()

    def assignments_of(
        self, principal: str, subscriptions: tuple[str, ...]
    ) -> tuple[RoleAssignment, ...] | Unknown:
        """List what a principal is granted."""
        return tuple(grant for grant in self.grants if grant.principal == principal)

    def holder(self, id: ResourceId) -> Look[IdentityHolder] | NotAHolder:
        """Look at the app."""
        return Present(self.app) if id == self.app.id else Absent()

    def role(self, id: ResourceId) -> Look[RoleDefinition]:
        """Look at the role."""
        return Present(ROLE)

    def workflows_of(self, app: ResourceId) -> Definition | Unknown:
        """No workflow of a Standard app is known."""
        return Unknown(f"the workflows of {app.name} are not known")

    def failed_runs(self, app: ResourceId, since: datetime, until: datetime) -> FailedRuns | Unknown:
        """No run has failed."""
        return FailedRuns(since, until, 0)

    def holders_in(self, subscription: str) -> Iterator[IdentityHolder | Unknown]:
        """List the app."""
        yield self.app

    def assignments_in(self, subscription: str) -> Iterator[RoleAssignment | Unknown]:
        """List the grants."""
        yield from self.grants

    def close(self) -> None:
        """There is nothing to let go of."""


def _long_ago() -> datetime:
    return datetime.now(UTC) - timedelta(hours=1)
