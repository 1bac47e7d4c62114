"""An estate that lives: apps, identities and role assignments on a virtual clock, read from memory.

It is asked as `lami.arm.protocol.Arm`, and every change of it raises the event that Event Grid would bring.
Everything is indexed, so that an estate of tens of thousands of assignments can live for a month in minutes.
It behaves as the sandbox's does: role assignments survive their principal, an app shows of an attached
identity the principal that it had when it was attached, and nothing above a subscription raises an event.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Literal
from uuid import UUID

from msgspec.structs import replace

from lami.arm.protocol import NotAHolder
from lami.core.ids import ResourceId
from lami.core.model import (
    Absent,
    Access,
    Attached,
    Definition,
    FailedRuns,
    HolderKind,
    IdentityHolder,
    Look,
    Permission,
    Present,
    RoleAssignment,
    RoleDefinition,
    Unknown,
)
from lami.sandbox.estate import Estate
from lami.sandbox.events import render
from lami.sandbox.model import Actor, Happening, JsonObject

START = datetime(2026, 11, 2, 6, 0, tzinfo=UTC)
MANAGEMENT_GROUP = ResourceId("/providers/Microsoft.Management/managementGroups/contoso")
_OPERATIONS = {
    "microsoft.logic/workflows": "Microsoft.Logic/workflows",
    "microsoft.web/sites": "Microsoft.Web/sites",
    "microsoft.managedidentity/userassignedidentities": "Microsoft.ManagedIdentity/userAssignedIdentities",
}
_ASSIGNMENTS = "Microsoft.Authorization/roleAssignments"
_ABOVE = ""
"""Where assignments are kept that stand above all subscriptions."""


class Living:
    """The estate as it is now. `tell` is called with each event, in the order in which things happen.

    `fails` is the share of single reads that Azure answers with 500.
    """

    def __init__(
        self, chance: random.Random, subscriptions: Sequence[str], tell: Callable[[JsonObject], None]
    ) -> None:
        self.chance = chance
        self.now = START
        self.subscriptions = tuple(subscriptions)
        self.tell = tell
        self.fails = 0.0
        self.holders: dict[ResourceId, IdentityHolder] = {}
        self.assignments: dict[ResourceId, RoleAssignment] = {}
        self.roles = built_in(self.subscriptions)
        self._granted: defaultdict[str, dict[ResourceId, RoleAssignment]] = defaultdict(dict)
        self._lines: defaultdict[str, dict[ResourceId, RoleAssignment]] = defaultdict(dict)
        self._carrying: defaultdict[str, dict[ResourceId, None]] = defaultdict(dict)

    # --- the clock ---

    def clock(self) -> datetime:
        """The time by the virtual clock."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.now += timedelta(seconds=seconds)

    def new_guid(self) -> str:
        """A GUID that nothing has yet."""
        return str(UUID(int=self.chance.getrandbits(128), version=4))

    # --- what happens ---

    def put(self, holder: IdentityHolder, by: Actor) -> None:
        """Write an app or identity as given; its type decides which times Azure will show of it."""
        consumption = holder.id.type == "microsoft.logic/workflows"
        dated = holder.kind == "logicApp"
        old = self.holders.get(holder.id)
        born = old.created if old is not None else self.now
        self.holders[holder.id] = replace(
            holder, created=born if consumption else None, changed=self.now if dated else None
        )
        self._carrying[holder.id.subscription][holder.id] = None
        self.happened(holder.id, f"{_OPERATIONS[holder.id.type]}/write", by)

    def create(
        self, id: ResourceId, by: Actor, attached: tuple[ResourceId, ...] = (), kind: HolderKind = "logicApp"
    ) -> str:
        """Create an app or identity; its principal."""
        links = tuple(Attached(each, self.holders[each].system) for each in attached)
        principal = self.new_guid()
        shown = Definition() if id.type == "microsoft.logic/workflows" else None
        self.put(IdentityHolder(id, kind, principal, links, tags={"owner": "team"}, definition=shown), by)
        return principal

    def delete(self, id: ResourceId, by: Actor) -> None:
        """Delete an app or identity; what it was granted stays."""
        del self.holders[id]
        del self._carrying[id.subscription][id]
        self.happened(id, f"{_OPERATIONS[id.type]}/delete", by, "DELETE")

    def define(self, name: str, permissions: tuple[Permission, ...]) -> RoleDefinition:
        """Have a custom role; all who hold it hold it as it is now."""
        old = self.roles.get(name)
        role = RoleDefinition(old.id if old else self.new_guid(), name, permissions, custom=True)
        self.roles[name] = role
        for made in [one for one in self.assignments.values() if one.access.role == role.id]:
            self._keep(replace(made, role=role))
        return role

    def redefine(self, name: str, permissions: tuple[Permission, ...], at: str, by: Actor) -> None:
        """Write a custom role anew; a subscription's event tells of it."""
        role = self.define(name, permissions)
        id = ResourceId(f"/subscriptions/{at}/providers/Microsoft.Authorization/roleDefinitions/{role.id}")
        self.happened(id, "Microsoft.Authorization/roleDefinitions/write", by)

    def grant(
        self, principal: str, role: str, scope: ResourceId, by: Actor, condition: str = ""
    ) -> RoleAssignment:
        """Assign a role, by its name."""
        parent = f"{scope.text.rstrip('/')}/providers/{_ASSIGNMENTS}"
        id, definition = ResourceId(f"{parent}/{self.new_guid()}"), self.roles[role]
        made = RoleAssignment(
            id,
            principal,
            "ServicePrincipal",
            Access(definition.id, scope, condition),
            definition,
            self.now,
            self.now,
            by.object_id,
        )
        self._keep(made)
        self.happened(id, f"{_ASSIGNMENTS}/write", by)
        return made

    def write_again(self, made: RoleAssignment, by: Actor) -> None:
        """Write a role assignment as given."""
        self._keep(replace(made, changed=self.now))
        self.happened(made.id, f"{_ASSIGNMENTS}/write", by)

    def revoke(self, made: RoleAssignment, by: Actor) -> None:
        """Delete a role assignment."""
        del self.assignments[made.id]
        del self._granted[made.principal][made.id]
        del self._lines[made.access.scope.subscription][made.id]
        self.happened(made.id, f"{_ASSIGNMENTS}/delete", by, "DELETE")

    def happened(
        self,
        id: ResourceId,
        operation: str,
        by: Actor,
        method: Literal["PUT", "DELETE", "POST"] = "PUT",
    ) -> None:
        """Tell of an operation, where Event Grid would."""
        if id.subscription:
            event, correlation, request = self.new_guid(), self.new_guid(), self.new_guid()
            tenant = "00000000-0000-4000-8000-00000000000a"
            happening = Happening(
                event, operation, id.text, method, True, self.now, by, correlation, request, tenant
            )
            self.tell(render(happening, "eventgrid"))

    def granted(self, principal: str) -> list[RoleAssignment]:
        """What a principal is granted now."""
        return list(self._granted[principal].values())

    def _keep(self, made: RoleAssignment) -> None:
        self.assignments[made.id] = made
        self._granted[made.principal][made.id] = made
        self._lines[made.access.scope.subscription][made.id] = made

    # --- what Azure answers (`Arm`) ---

    def assignment(self, id: ResourceId) -> Look[RoleAssignment]:
        """Look at one role assignment."""
        found = self.assignments.get(id)
        return self._failed() or (Present(found) if found else Absent())

    def assignments_of(
        self, principal: str, subscriptions: tuple[str, ...]
    ) -> tuple[RoleAssignment, ...] | Unknown:
        """List what a principal is granted."""
        asked = (*subscriptions, _ABOVE)
        found = tuple(one for one in self.granted(principal) if one.access.scope.subscription in asked)
        return self._failed() or found

    def holder(self, id: ResourceId) -> Look[IdentityHolder] | NotAHolder:
        """Look at one app or identity."""
        found = self.holders.get(id)
        return self._failed() or (Present(found) if found else Absent())

    def role(self, id: ResourceId) -> Look[RoleDefinition]:
        """Look at one role definition."""
        found = next((role for role in self.roles.values() if role.id == id.name), None)
        return Present(found) if found else Absent()

    def workflows_of(self, app: ResourceId) -> Definition | Unknown:
        """No workflow of a Standard app is known."""
        return Unknown(f"the workflows of {app.name} are not known")

    def failed_runs(self, app: ResourceId, since: datetime, until: datetime) -> FailedRuns | Unknown:
        """No run has failed."""
        return FailedRuns(since, until, 0)

    def holders_in(self, subscription: str) -> Iterator[IdentityHolder | Unknown]:
        """List a subscription's apps and identities."""
        for id in list(self._carrying[subscription]):
            yield self.holders[id]

    def assignments_in(self, subscription: str) -> Iterator[RoleAssignment | Unknown]:
        """List the role assignments in force in a subscription."""
        yield from list(self._lines[subscription].values())
        yield from list(self._lines[_ABOVE].values())

    def close(self) -> None:
        """There is nothing to let go of."""

    def _failed(self) -> Unknown | None:
        return Unknown("500: a fault on demand") if self.chance.random() < self.fails else None


def built_in(subscriptions: Sequence[str]) -> dict[str, RoleDefinition]:
    """The sandbox's roles by name, and two custom ones that reach over a whole provider."""
    known = Estate(7, lambda: START, lambda happening: None, subscriptions).roles.all()
    roles = [
        RoleDefinition(role.name, role.role_name, tuple(map(_block, role.permissions))) for role in known
    ]
    network = Permission(actions=("Microsoft.Network/*",))
    bus = Permission(data_actions=("Microsoft.ServiceBus/*",))
    roles += [
        RoleDefinition("11111111-aaaa-4000-8000-000000000001", "Network Owner", (network,), custom=True),
        RoleDefinition("11111111-aaaa-4000-8000-000000000002", "Bus Data Owner", (bus,), custom=True),
    ]
    return {role.name: role for role in roles}


def _block(block: JsonObject) -> Permission:
    def patterns(name: str) -> tuple[str, ...]:
        found = block.get(name)
        return tuple(map(str, found)) if isinstance(found, list) else ()

    return Permission(
        patterns("actions"),
        patterns("notActions"),
        patterns("dataActions"),
        patterns("notDataActions"),
        str(block.get("condition") or ""),
    )
