"""An estate of any size that is counted and never stored: a line of a listing is made when it is asked for.

It implements `lami.arm.protocol.Arm`. What a test plants stands in two small dictionaries beside it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from lami.arm.protocol import NotAHolder
from lami.core.ids import ResourceId
from lami.core.model import (
    Absent,
    Access,
    Definition,
    FailedRuns,
    IdentityHolder,
    Look,
    Present,
    RoleAssignment,
    RoleDefinition,
    Unknown,
)
from tests.simulation.azure import CONTRIBUTOR, NARROW, READER, ROLES

MADE = datetime(2026, 3, 1, tzinfo=UTC)
MANAGEMENT_GROUP = "/providers/Microsoft.Management/managementGroups/mg"


@dataclass(frozen=True)
class Size:
    """How many of each; grants are per principal, and of the wide principals per subscription too."""

    subscriptions: int = 40
    apps: int = 125
    app_grants: int = 6
    groups: int = 35
    group_grants: int = 48
    wide: int = 10
    wide_grants: int = 7
    above: int = 20

    @property
    def assignments(self) -> int:
        """How many role assignments there are in the subscriptions."""
        local = self.apps * self.app_grants + self.groups * self.group_grants + self.wide * self.wide_grants
        return self.subscriptions * local

    @property
    def holders(self) -> int:
        """How many logic apps there are."""
        return self.subscriptions * self.apps

    @property
    def principals(self) -> int:
        """How many principals hold something."""
        return self.subscriptions * (self.apps + self.groups) + self.wide + self.above


def subscription(number: int) -> str:
    """The id of a subscription."""
    return f"5ca1ab1e-0000-4000-8000-{number:012d}"


def app(here: str, number: int) -> ResourceId:
    """The id of a logic app."""
    return ResourceId(
        f"/subscriptions/{here}/resourceGroups/rg-{number % 7}"
        f"/providers/Microsoft.Logic/workflows/app-{number}"
    )


@dataclass
class CountedEstate:
    """The estate. `asked` counts reads by kind; `before_read` may fail or kill.

    `changed` holds by key the assignments that a test added or, as None, took away; `apps` likewise.
    """

    size: Size = field(default_factory=Size)
    now: datetime = MADE + timedelta(days=100)
    asked: Counter[str] = field(default_factory=Counter)
    added: dict[str, RoleAssignment] = field(default_factory=dict)
    revoked: set[str] = field(default_factory=set)
    recreated: dict[str, IdentityHolder] = field(default_factory=dict)
    before_read: Callable[[str, str], None] = lambda kind, where: None

    @property
    def subscriptions(self) -> tuple[str, ...]:
        """The ids of all subscriptions."""
        return tuple(subscription(number) for number in range(self.size.subscriptions))

    def clock(self) -> datetime:
        """A clock that a test sets."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let the clock go on."""
        self.now += timedelta(seconds=seconds)

    # --- what a test plants ---

    def grant(self, principal: str, role: RoleDefinition, scope: ResourceId, name: str) -> RoleAssignment:
        """Assign a role now."""
        made = _assignment(principal, role, scope, name, self.now)
        self.added[made.id.key] = made
        return made

    def revoke(self, principal: str, here: str) -> None:
        """Take from a principal the first that it holds."""
        self.revoked.add(next(self._assignments(here, principal)).id.key)

    def recreate(self, id: ResourceId, principal: str) -> None:
        """Delete an app and create it again: it comes back with another principal."""
        self.recreated[id.key] = IdentityHolder(id, "logicApp", principal, (), self.now, self.now)

    # --- Arm ---

    def assignment(self, id: ResourceId) -> Look[RoleAssignment]:
        """Look at one."""
        self._ask("assignment", id.subscription)
        found = next((one for one in self._assignments(id.subscription) if one.id == id), None)
        return Present(found) if found else Absent()

    def assignments_of(
        self, principal: str, subscriptions: tuple[str, ...]
    ) -> tuple[RoleAssignment, ...] | Unknown:
        """List what a principal holds: one read a subscription."""
        found: dict[str, RoleAssignment] = {}
        for here in subscriptions:
            self._ask("assignments_of", here)
            found |= {one.id.key: one for one in self._assignments(here, principal)}
        return tuple(found.values())

    def holder(self, id: ResourceId) -> Look[IdentityHolder] | NotAHolder:
        """Look at one."""
        self._ask("holder", id.subscription)
        found = next((one for one in self._holders(id.subscription) if one.id == id), None)
        return Present(found) if found else Absent()

    def role(self, id: ResourceId) -> Look[RoleDefinition]:
        """Look at a role."""
        found = ROLES.get(id.name)
        return Present(found) if found else Absent()

    def workflows_of(self, app: ResourceId) -> Definition | Unknown:
        """No workflow of a Standard app is known."""
        return Unknown(f"the workflows of {app.name} are not known")

    def failed_runs(self, app: ResourceId, since: datetime, until: datetime) -> FailedRuns | Unknown:
        """No run has failed."""
        return FailedRuns(since, until, 0)

    def holders_in(self, subscription: str) -> Iterator[IdentityHolder | Unknown]:
        """List the apps, made as they are asked for."""
        self._ask("holders_in", subscription)
        yield from self._holders(subscription)

    def assignments_in(self, subscription: str) -> Iterator[RoleAssignment | Unknown]:
        """List the assignments, made as they are asked for."""
        self._ask("assignments_in", subscription)
        yield from self._assignments(subscription)

    def close(self) -> None:
        """Nothing to let go of."""

    # --- inside ---

    def _ask(self, kind: str, where: str) -> None:
        self.before_read(kind, where)
        self.asked[kind] += 1

    def _holders(self, here: str) -> Iterator[IdentityHolder]:
        for number in range(self.size.apps):
            id = app(here, number)
            yield self.recreated.get(id.key) or IdentityHolder(
                id, "logicApp", principal_of(here, number), (), MADE, MADE, {"owner": f"team-{number % 9}"}
            )

    def _assignments(self, here: str, principal: str = "") -> Iterator[RoleAssignment]:
        """All in force in a subscription, or those of one principal; its number is in its own id."""
        for kind, number, count in self._holding(here):
            who = _guid(kind, number, "" if kind in "wm" else here)
            if principal in ("", who):
                for nth in range(count):
                    one = _grant(kind, number, nth, here, who)
                    if one.id.key not in self.revoked:
                        yield one
        for one in self.added.values():
            if one.access.scope.subscription in (here, "") and principal in ("", one.principal):
                yield one

    def _holding(self, here: str) -> Iterator[tuple[str, int, int]]:
        size = self.size
        yield from (("a", number, size.app_grants) for number in range(size.apps))
        yield from (("b", number, size.group_grants) for number in range(size.groups))
        yield from (("w", number, size.wide_grants) for number in range(size.wide))
        yield from (("m", number, 1) for number in range(size.above))


def principal_of(here: str, number: int) -> str:
    """The principal of an app's system-assigned identity."""
    return _guid("a", number, here)


def group_of(here: str, number: int) -> str:
    """A principal that nobody carries."""
    return _guid("b", number, here)


def _guid(kind: str, number: int, here: str) -> str:
    return f"{ord(kind):08x}-{number:04x}-4000-8000-{here[-12:] or 'f' * 12}"


def _grant(kind: str, number: int, nth: int, here: str, who: str) -> RoleAssignment:
    if kind == "m":
        return _assignment(who, READER, ResourceId(MANAGEMENT_GROUP), _name(kind, number, nth, ""), MADE)
    group = f"/subscriptions/{here}/resourceGroups/rg-{nth % 7}"
    scope = f"{group}/providers/Microsoft.Storage/storageAccounts/st{kind}{number}x{nth}"
    # One in fifty is broad: what stands when the baseline is taken is expected, broad or not.
    broad = kind == "b" and nth % 50 == 0
    role, where = (CONTRIBUTOR, group) if broad else (NARROW, scope)
    return _assignment(who, role, ResourceId(where), _name(kind, number, nth, here), MADE)


def _name(kind: str, number: int, nth: int, here: str) -> str:
    return f"{ord(kind):04x}{number:04x}-{nth:04x}-4000-8000-{here[-12:] or 'f' * 12}"


def _assignment(
    principal: str, role: RoleDefinition, scope: ResourceId, name: str, made: datetime
) -> RoleAssignment:
    id = ResourceId(f"{scope.text}/providers/Microsoft.Authorization/roleAssignments/{name}")
    kind = "ServicePrincipal"
    return RoleAssignment(id, principal, kind, Access(role.id, scope), role, made, made, "creator")
