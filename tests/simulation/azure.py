"""A simulated Azure: logic apps, identities and role assignments on a virtual clock, whose reads may lag.

It implements `lami.arm.protocol.Arm`, and raises the events that Event Grid would deliver.
"""

from __future__ import annotations

import random
import uuid
from _thread import get_ident
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TypeVar

from msgspec import Struct, field
from msgspec.structs import replace

from lami.arm.protocol import NotAHolder
from lami.core import definitions
from lami.core.ids import Level, ResourceId
from lami.core.model import (
    Absent,
    Access,
    Attached,
    Definition,
    FailedRuns,
    IdentityHolder,
    Look,
    Part,
    Permission,
    Present,
    RoleAssignment,
    RoleDefinition,
    Unknown,
)
from lami.core.posture import SYSTEM
from lami.core.timeline import stamp
from tests.simulation.trouble import Trouble

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
TIDY = RoleDefinition(
    "5b999177-9696-4545-85c7-50de3797e5a1",
    "Tidier",
    (Permission(actions=("Microsoft.Storage/storageAccounts/read",)),),
    custom=True,
)
"""A role of their own, as it is at first."""
TIDY_ALL = replace(TIDY, permissions=(Permission(actions=("*",)),))
"""The same role, widened."""
TIDY_MORE = replace(
    TIDY,
    permissions=(
        Permission(
            actions=("Microsoft.Storage/storageAccounts/read", "Microsoft.Storage/storageAccounts/write")
        ),
    ),
)
TIDY_BUT = replace(
    TIDY,
    permissions=(Permission(actions=("*",), not_actions=("Microsoft.Storage/storageAccounts/write",)),),
)
ALLOWS = {
    definitions.canonical(TIDY.permissions): frozenset({"read"}),
    definitions.canonical(TIDY_MORE.permissions): frozenset({"read", "write"}),
    definitions.canonical(TIDY_BUT.permissions): frozenset({"read", "all else"}),
    definitions.canonical(TIDY_ALL.permissions): frozenset({"read", "write", "all else"}),
}
"""What the role of their own allows in each of its forms: it is known here."""
ROLES = {role.id: role for role in (NARROW, CONTRIBUTOR, READER, TIDY)}
NAME = "@Resource[Microsoft.Storage/storageAccounts/blobServices/containers:name]"
ONLY: dict[str, frozenset[str]] = {
    f"{NAME} ForAnyOfAnyValues:StringEquals {{{', '.join(map(repr, sorted(names)))}}}": frozenset(names)
    for names in ("a", "b", "ab")
} | {"": frozenset("abc")}
"""Conditions, and the containers in which each lets anything be done: what one allows is known here."""
TENANT_GROUP = ResourceId("/providers/Microsoft.Management/managementGroups/all")
PAGE = 100
"""Lines of a page of a listing: each further page is a read."""
FAILURES = (Unknown("429: too many requests", retry_after=17), Unknown("500"), Unknown("timed out"))


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


PASSWORDS = tuple(Part("secret", f"action {name}", "a password (Basic)") for name in "ABC")
REFERRING = Part("identity", "action A", SYSTEM)
DEFINITIONS = tuple(
    Definition(parts)
    for parts in ((), PASSWORDS[:1], PASSWORDS[:2], PASSWORDS[1:], (REFERRING,), (REFERRING, *PASSWORDS[:1]))
)
"""What workflows show, in the order of `Part`."""


class _State(Struct, frozen=True):
    holders: dict[ResourceId, IdentityHolder] = field(default_factory=dict)
    assignments: dict[ResourceId, RoleAssignment] = field(default_factory=dict)
    roles: dict[str, RoleDefinition] = field(default_factory=lambda: dict(ROLES))


T = TypeVar("T")


class SimulatedAzure:
    """The estate, its past (for lag), the clock, and the events not delivered yet."""

    def __init__(self, seed: int, trouble: Trouble | None = None) -> None:
        self.random = random.Random(seed)
        self.trouble = trouble or Trouble(self.random)
        self.now = START
        self.lag = timedelta()
        self.skew = 0
        """How many seconds an event may be stamped after its write; 0: the few that are usual."""
        self.reads = 0
        self.before_read: Callable[[], None] = lambda: None
        self.fail_reads = 0.0
        self.break_off = 0.0
        """The share of listings that break off in the middle."""
        self.denied: set[str] = set()
        self.plain_sites: set[ResourceId] = set()
        self.shed: dict[ResourceId, list[str]] = {}
        """The principals that a holder had before, the last one last."""
        self.events: list[dict[str, object]] = []
        self.defines = False
        """Whether logic apps have definitions, which change with some of their writes."""
        self._definitions = random.Random(~seed)  # a stream of its own: what else happens stays as it is
        self.names: dict[str, list[str]] = {}
        """How subscriptions were called, the last name last."""
        self.renames = False
        """Whether a name changes, or cannot be read, with some of the looks that ask for it."""
        self._naming = random.Random(f"names {seed}")
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
        new = replace(new, definition=self._defined(new))
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
        self,
        principal: str,
        role: RoleDefinition,
        scope: ResourceId,
        name: str | None = None,
        condition: str = "",
    ) -> ResourceId:
        """Assign a role; `name` uses an assignment's name again."""
        now = self._tick()
        parent = f"{scope.text.rstrip('/')}/providers/Microsoft.Authorization"
        id = ResourceId(f"{parent}/roleAssignments/{name or self.new_guid()}")
        made = RoleAssignment(
            id, principal, "ServicePrincipal", Access(role.id, scope, condition), role, now, now, "creator"
        )
        self._write(replace(self.present, assignments={**self.present.assignments, id: made}))
        if scope.subscription:
            self._event(id, "Microsoft.Authorization/roleAssignments/write")
        return id

    def recondition(self, id: ResourceId, condition: str) -> None:
        """Change the condition of a role assignment in place."""
        now = self._tick()
        held = self.present.assignments[id]
        access = Access(held.access.role, held.access.scope, condition)
        new = replace(held, access=access, changed=now)
        self._write(replace(self.present, assignments={**self.present.assignments, id: new}))
        if id.subscription:
            self._event(id, "Microsoft.Authorization/roleAssignments/write")

    def define(self, role: RoleDefinition) -> None:
        """Write a role definition."""
        role = replace(role, changed=self._tick())
        self._write(replace(self.present, roles={**self.present.roles, role.id: role}))
        parent = f"/subscriptions/{SUB}/providers/Microsoft.Authorization"
        id = ResourceId(f"{parent}/roleDefinitions/{role.id}")
        self._event(id, "Microsoft.Authorization/roleDefinitions/write")

    def times_made(self) -> Counter[tuple[str, str]]:
        """How often each role assignment was made, by principal and id."""
        made = {
            (one.principal, id.key, one.created)
            for _, state in self._past
            for id, one in state.assignments.items()
        }
        return Counter((principal, id) for principal, id, _ in made)

    def is_assigned(self, principal: str, id: str, at: datetime) -> bool:
        """Whether a role assignment was there at a time, in truth."""
        state = next(state for time, state in reversed(self._past) if time <= at)
        return any(one.principal == principal and one.id.key == id for one in state.assignments.values())

    def times(self) -> list[datetime]:
        """When anything changed."""
        return [time for time, _ in self._past]

    def systems_at(self, at: datetime) -> set[str]:
        """The principals that holders had at a time."""
        state = next((state for time, state in reversed(self._past) if time <= at), _State())
        return {one.system for one in state.holders.values() if one.system}

    def systems_ever(self) -> set[str]:
        """The principals that holders have or had."""
        return {one.system for _, state in self._past for one in state.holders.values()}

    def ever_assigned(self, access: Access, since: datetime) -> bool:
        """Whether anybody held this access at any time from then on."""
        ends = [*(time for time, _ in self._past[1:]), datetime.max.replace(tzinfo=UTC)]
        for end, (_, state) in zip(ends, self._past, strict=True):
            if end >= since and any(one.access == access for one in state.assignments.values()):
                return True
        return False

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
        state = self._seen()
        found = state.assignments.get(id)
        return Present(self._as_shown(found, state)) if found else Absent()

    def assignments_of(
        self, principal: str, subscriptions: tuple[str, ...]
    ) -> tuple[RoleAssignment, ...] | Unknown:
        if failed := self._read():
            return failed
        state = self._seen()
        return tuple(
            self._as_shown(one, state)
            for one in state.assignments.values()
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
        if failed := self._read():
            return failed
        found = self._seen().roles.get(id.name)
        return Present(found) if found else Absent()

    def workflows_of(self, app: ResourceId) -> Definition | Unknown:
        return Unknown(f"{app.name} has no workflows")

    def failed_runs(self, app: ResourceId, since: datetime, until: datetime) -> FailedRuns | Unknown:
        if app.type != "microsoft.logic/workflows":
            return Unknown(f"{app.name} has no runs")
        return FailedRuns(since, until, 0)

    def holders_in(self, subscription: str) -> Iterator[IdentityHolder | Unknown]:
        if subscription in self.denied:
            yield Unknown("403: Microsoft.Logic/workflows/read is missing", denied=True)
            return
        if failed := self._read():
            yield failed
            return
        holders = self._seen().holders.values()
        yield from self._paged([one for one in holders if one.id.subscription == subscription])

    def assignments_in(self, subscription: str) -> Iterator[RoleAssignment | Unknown]:
        if failed := self._read():
            yield failed
            return
        state = self._seen()
        found = state.assignments.values()
        lines = [one for one in found if one.access.scope.subscription in (subscription, "")]
        yield from self._paged([self._as_shown(one, state) for one in lines])

    def close(self) -> None:
        return

    def put(self, holder: IdentityHolder, operation: str) -> None:
        """Write a holder just as given, and tell of it."""
        now = self._tick()
        new = replace(holder, created=holder.created or now, changed=now, definition=self._defined(holder))
        self._write(replace(self.present, holders={**self.present.holders, holder.id: new}))
        self._event(holder.id, operation)

    def tell(self, id: ResourceId, operation: str) -> None:
        """Raise an event with nothing behind it."""
        self._event(id, operation)

    # --- inside ---

    def _defined(self, holder: IdentityHolder) -> Definition | None:
        """The definition that a write leaves: mostly the one that there was."""
        old = self.present.holders.get(holder.id)
        if not self.defines or holder.kind != "logicApp":
            return holder.definition
        if old is not None and old.definition is not None and self._definitions.random() < 0.7:
            return old.definition
        return self._definitions.choice(DEFINITIONS)

    def shown(self, id: ResourceId, until: datetime) -> set[Part]:
        """All that an app's definitions have shown up to a time."""
        found: set[Part] = set()
        for at, state in self._past:
            holder = state.holders.get(id)
            if at <= until and holder is not None and holder.definition is not None:
                found |= set(holder.definition.parts)
        return found

    def never_redefined(self, id: ResourceId) -> bool:
        """Whether an app has always shown the same."""
        holders = [state.holders[id] for _, state in self._past if id in state.holders]
        return all(holder.definition == holders[0].definition for holder in holders)

    def was_deleted(self, id: ResourceId) -> bool:
        """Whether a holder was there and then was not."""
        there = [id in state.holders for _, state in self._past]
        return any(was and not now for was, now in pairwise(there))

    def _as_shown(self, one: RoleAssignment, state: _State) -> RoleAssignment:
        """An assignment with its role as the same replica defines it, and a subscription by its name."""
        one = replace(one, role=state.roles.get(one.role.id, one.role))
        scope = one.access.scope
        if scope.level is not Level.SUBSCRIPTION or not (name := self._name(scope.subscription)):
            return one
        return replace(one, access=replace(one.access, scope=ResourceId(scope.text, name)))

    def _name(self, subscription: str) -> str:
        """How a subscription is called; empty where that can't be read."""
        names = self.names.setdefault(subscription, [])
        if self.renames:
            chance = self._naming.random()
            if chance < 0.3:
                names.append(f"contoso-{len(names)}")
            elif chance < 0.5:
                return ""
        return names[-1] if names else ""

    def _read(self) -> Unknown | None:
        self.trouble.step()
        self.before_read()
        self.reads += 1
        self.trouble.looked = get_ident()
        if self.trouble.strikes(self.fail_reads):
            return self.random.choice(FAILURES)
        return None

    def _paged(self, lines: Sequence[T]) -> Iterator[T | Unknown]:
        """The lines of a listing; or some of them, and that the rest could not be had."""
        breaks_off = self.trouble.strikes(self.break_off)
        for number, line in enumerate(lines[: self.random.randint(0, len(lines))] if breaks_off else lines):
            if number and number % PAGE == 0:
                self.before_read()
            yield line
        if breaks_off:
            yield self.random.choice(FAILURES)

    def _seen(self) -> _State:
        """The state as a replica shows it that may lag."""
        at = self.now - self.lag * self.random.random()
        return next(state for time, state in reversed(self._past) if time <= at)

    def _tick(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now

    def _write(self, state: _State) -> None:
        for id, before in self.present.holders.items():
            after = state.holders.get(id)
            if before.system and (after is None or after.system != before.system):
                self.shed.setdefault(id, []).append(before.system)
        self._past.append((self.now, state))

    def _attached(self, ids: tuple[ResourceId, ...]) -> tuple[Attached, ...]:
        holders = self.present.holders
        return tuple(Attached(id, holders[id].system if id in holders else "") for id in ids)

    def new_guid(self) -> str:
        """A GUID that nothing has yet."""
        return str(uuid.UUID(int=self.random.getrandbits(128), version=4))

    def _event(self, id: ResourceId, operation: str) -> None:
        verb = "Delete" if operation.endswith("/delete") else "Write"
        late = self.random.randint(0, self.skew) if self.skew else self.random.choice((0, 0, 1, 3))
        said = self.now + timedelta(seconds=late)
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
