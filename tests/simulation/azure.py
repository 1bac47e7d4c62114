"""A simulated Azure: logic apps, identities and role assignments on a virtual clock, whose reads may lag.

It implements `lami.arm.protocol.Arm`, and raises the events that Event Grid would deliver.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from lami.arm.protocol import NotAHolder
from lami.core.ids import ResourceId
from lami.core.model import (
    Absent,
    Access,
    Attached,
    IdentityHolder,
    Look,
    Permission,
    Present,
    RoleAssignment,
    RoleDefinition,
    Unknown,
)
from lami.core.timeline import stamp

SUB = "11111111-1111-1111-1111-111111111111"
OTHER_SUB = "22222222-2222-2222-2222-222222222222"
START = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
NARROW = RoleDefinition(
    "c6a89b2d-59bc-44d0-9896-0f6e12d7b80a",
    "Storage Queue Data Message Sender",
    (
        Permission(
            data_actions=("Microsoft.Storage/storageAccounts/queueServices/queues/messages/add/action",)
        ),
    ),
)
CONTRIBUTOR = RoleDefinition(
    "b24988ac-6180-42a0-ab88-20f7382dd24c",
    "Contributor",
    (
        Permission(
            actions=("*",),
            not_actions=(
                "Microsoft.Authorization/*/Delete",
                "Microsoft.Authorization/*/Write",
                "Microsoft.Authorization/elevateAccess/Action",
            ),
        ),
    ),
)
READER = RoleDefinition("acdd72a7-3385-48ef-bd42-f606fba81ae7", "Reader", (Permission(actions=("*/read",)),))
UNREADABLE_OWNER = RoleDefinition("8e3af657-a8ff-443c-a75c-2fe8c4bcb635", "", None)
ROLES = {role.id: role for role in (NARROW, CONTRIBUTOR, READER)}


def app_id(name: str, sub: str = SUB) -> ResourceId:
    """The id of a Consumption logic app."""
    return ResourceId(f"/subscriptions/{sub}/resourceGroups/rg/providers/Microsoft.Logic/workflows/{name}")


def identity_id(name: str, sub: str = SUB) -> ResourceId:
    """The id of a user-assigned identity."""
    return ResourceId(
        f"/subscriptions/{sub}/resourceGroups/rg/providers/Microsoft.ManagedIdentity"
        f"/userAssignedIdentities/{name}"
    )


def queue_scope(number: int, sub: str = SUB) -> ResourceId:
    """The scope of a storage account."""
    return ResourceId(
        f"/subscriptions/{sub}/resourceGroups/rg/providers/Microsoft.Storage/storageAccounts/st{number}"
    )


@dataclass(frozen=True)
class _State:
    holders: dict[ResourceId, IdentityHolder] = field(default_factory=dict)
    assignments: dict[ResourceId, RoleAssignment] = field(default_factory=dict)


class SimulatedAzure:
    """The estate, its past (for lag), the clock, and the events not delivered yet."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.now = START
        self.lag = timedelta()
        self.reads = 0
        self.fail_reads = 0.0
        self.denied: set[str] = set()
        self.plain_sites: set[ResourceId] = set()
        self.before_read: Callable[[], None] = lambda: None
        self.events: list[dict[str, object]] = []
        self._past: list[tuple[datetime, _State]] = [(START - timedelta(days=1), _State())]

    # --- the clock ---

    def clock(self) -> datetime:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    # --- what happens in Azure ---

    @property
    def present(self) -> _State:
        return self._past[-1][1]

    def put_app(self, id: ResourceId, attached: tuple[ResourceId, ...] | None = None) -> str:
        """Create an app, or redeploy it in place; answer its system principal."""
        old = self.present.holders.get(id)
        now = self._tick()
        self_assigned = old.system if old else self.new_guid()
        links = old.attached if old and attached is None else self._attached(attached or ())
        created = old.created if old else now
        new = IdentityHolder(id, "logicApp", self_assigned, links, created, now)
        self._write(replace(self.present, holders={**self.present.holders, id: new}))
        self._event(id, "Microsoft.Logic/workflows/write")
        return self_assigned

    def put_identity(self, id: ResourceId) -> str:
        """Create a user-assigned identity; answer its principal."""
        old = self.present.holders.get(id)
        self._tick()
        new = old or IdentityHolder(id, "userAssignedIdentity", self.new_guid())
        self._write(replace(self.present, holders={**self.present.holders, id: new}))
        self._event(id, "Microsoft.ManagedIdentity/userAssignedIdentities/write")
        return new.system

    def delete(self, id: ResourceId) -> None:
        """Delete an app or identity; its assignments stay, as Azure leaves them."""
        self._tick()
        kind = "Logic/workflows" if "logic" in id.type else "ManagedIdentity/userAssignedIdentities"
        left = {key: one for key, one in self.present.holders.items() if key != id}
        self._write(replace(self.present, holders=left))
        self._event(id, f"Microsoft.{kind}/delete")

    def grant(
        self, principal: str, role: RoleDefinition, scope: ResourceId, name: str | None = None
    ) -> ResourceId:
        """Assign a role; `name` uses an assignment's name again."""
        now = self._tick()
        parent = f"{scope.text.rstrip('/')}/providers/Microsoft.Authorization"
        id = ResourceId(f"{parent}/roleAssignments/{name or self.new_guid()}")
        made = RoleAssignment(
            id, principal, "ServicePrincipal", Access(role.id, scope), role, now, now, "creator"
        )
        self._write(replace(self.present, assignments={**self.present.assignments, id: made}))
        if scope.subscription:
            self._event(id, "Microsoft.Authorization/roleAssignments/write")
        return id

    def revoke(self, id: ResourceId) -> None:
        """Delete a role assignment."""
        self._tick()
        left = {key: one for key, one in self.present.assignments.items() if key != id}
        self._write(replace(self.present, assignments=left))
        if id.subscription:
            self._event(id, "Microsoft.Authorization/roleAssignments/delete")

    # --- what ARM answers (Arm) ---

    def assignment(self, id: ResourceId) -> Look[RoleAssignment]:
        if failed := self._read():
            return failed
        found = self._seen().assignments.get(id)
        return Present(found) if found else Absent()

    def assignments_of(
        self, principal: str, subscriptions: tuple[str, ...]
    ) -> tuple[RoleAssignment, ...] | Unknown:
        if failed := self._read():
            return failed
        return tuple(
            one
            for one in self._seen().assignments.values()
            if one.principal == principal and one.access.scope.subscription in (*subscriptions, "")
        )

    def holder(self, id: ResourceId) -> Look[IdentityHolder] | NotAHolder:
        if failed := self._read():
            return failed
        if id in self.plain_sites:
            return NotAHolder(id)
        found = self._seen().holders.get(id)
        return Present(found) if found else Absent()

    def role(self, id: ResourceId) -> Look[RoleDefinition]:
        found = ROLES.get(id.name)
        return Present(found) if found else Absent()

    def holders_in(self, subscription: str) -> Iterator[IdentityHolder | Unknown]:
        if subscription in self.denied:
            yield Unknown("403: Microsoft.Logic/workflows/read is missing", denied=True)
            return
        if failed := self._read():
            yield failed
            return
        yield from (h for h in self._seen().holders.values() if h.id.subscription == subscription)

    def assignments_in(self, subscription: str) -> Iterator[RoleAssignment | Unknown]:
        if failed := self._read():
            yield failed
            return
        for one in self._seen().assignments.values():
            if one.access.scope.subscription in (subscription, ""):
                yield one

    def close(self) -> None:
        return

    def put(self, holder: IdentityHolder, operation: str) -> None:
        """Write a holder just as given, and tell of it."""
        now = self._tick()
        new = replace(holder, created=holder.created or now, changed=now)
        self._write(replace(self.present, holders={**self.present.holders, holder.id: new}))
        self._event(holder.id, operation)

    def tell(self, id: ResourceId, operation: str) -> None:
        """Raise an event with nothing behind it."""
        self._event(id, operation)

    # --- inside ---

    def _read(self) -> Unknown | None:
        self.before_read()
        self.reads += 1
        if self.random.random() < self.fail_reads:
            return Unknown("simulated failure")
        return None

    def _seen(self) -> _State:
        """The state as a replica shows it that may lag."""
        at = self.now - self.lag * self.random.random()
        return next(state for time, state in reversed(self._past) if time <= at)

    def _tick(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now

    def _write(self, state: _State) -> None:
        self._past.append((self.now, state))

    def _attached(self, ids: tuple[ResourceId, ...]) -> tuple[Attached, ...]:
        holders = self.present.holders
        return tuple(Attached(id, holders[id].system if id in holders else "") for id in ids)

    def new_guid(self) -> str:
        """A GUID that nothing has yet."""
        return str(uuid.UUID(int=self.random.getrandbits(128), version=4))

    def _event(self, id: ResourceId, operation: str) -> None:
        verb = "Delete" if operation.endswith("/delete") else "Write"
        said = self.now + timedelta(seconds=self.random.choice((0, 0, 1, 3)))
        self.events.append(
            {
                "id": self.new_guid(),
                "topic": f"/subscriptions/{id.subscription}",
                "subject": id.text,
                "eventType": f"Microsoft.Resources.Resource{verb}Success",
                "eventTime": stamp(said),
                "data": {
                    "operationName": operation,
                    "resourceUri": id.text,
                    "subscriptionId": id.subscription,
                    "correlationId": self.new_guid(),
                    "claims": {"idtyp": "user", "name": "Robin Operator"},
                },
                "dataVersion": "2",
                "metadataVersion": "1",
            }
        )
