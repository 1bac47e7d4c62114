"""What happens in Azure during a schedule: every change that lami has to make sense of, drawn by the seed."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from msgspec.structs import replace

from lami.core.ids import ResourceId
from lami.core.model import Attached, IdentityHolder
from tests.simulation.azure import (
    CONTRIBUTOR,
    NARROW,
    ONLY,
    OTHER_SUB,
    TENANT_GROUP,
    TIDY,
    TIDY_ALL,
    TIDY_BUT,
    TIDY_MORE,
    SimulatedAzure,
    app_id,
    identity_id,
    queue_scope,
)

APP, OTHER_APP, LATE_APP = app_id("a"), app_id("b", OTHER_SUB), app_id("c")
SHARED, SPARE = identity_id("shared"), identity_id("spare", OTHER_SUB)
HOT = "5e1b0c9a-7d0c-4c0e-9f57-0d6a1c2b3e4f"
"""The name of an assignment that is used again and again."""
STRANGER = "0c4f2b6e-0d8e-4c43-8ccd-1f2f3a4b5c6d"
"""A principal that no logic app ever carried."""


@dataclass(frozen=True, slots=True)
class Changes:
    """Changes of an estate. `unannounced`: also such as no event tells, for reconcile to find.

    `longest` is how many seconds may pass within a change. `governed`: what is granted is changed in place,
    by conditions and role definitions, more than anything else.
    """

    azure: SimulatedAzure
    random: random.Random
    wide: bool
    unannounced: bool
    longest: int
    governed: bool = False
    kinds: list[Callable[[Changes], None]] = field(default_factory=list)

    def begin(self) -> None:
        """The estate as it stands before anybody watches it."""
        self.azure.defines = self.azure.renames = True
        kinds = [*NARROW_KINDS, *(UNANNOUNCED * self.unannounced), *(WIDE_KINDS * self.wide)]
        if self.random.random() < 0.6:
            # A few kinds, again and again on the same: what goes wrong between two of them shows sooner.
            kinds = self.random.sample(kinds, 3) if self.wide else list(self.random.choice(FAMILIES))
        if self.governed:
            kinds = [*GOVERNED_KINDS, *(UNANNOUNCED_GOVERNED * self.unannounced)]
        self.kinds.extend(kinds)
        if Changes.toggle_identity in kinds:
            self._begin_with_identity()
        else:
            self._begin_with_apps()

    def _begin_with_identity(self) -> None:
        """The one holder is a user-assigned identity, which tells no times."""
        principal = self.azure.put_identity(SHARED)
        self.azure.grant(principal, NARROW, queue_scope(0))

    def _begin_with_apps(self) -> None:
        azure, random = self.azure, self.random
        for app in (APP, OTHER_APP) if self.wide else (APP,):
            principal = azure.put_app(app)
            for number in range(2):
                azure.grant(principal, NARROW, queue_scope(number, app.subscription))
            if random.random() < 0.3:
                azure.grant(principal, CONTRIBUTOR, queue_scope(9, app.subscription))
        if Changes.toggle_grant in self.kinds and random.random() < 0.5:
            self.toggle_grant()
        if self.wide and random.random() < 0.7:
            principal = azure.put_identity(SHARED)
            azure.grant(principal, NARROW, queue_scope(4))
            for app in (APP, OTHER_APP):
                if random.random() < 0.7:
                    self._attach(app, (SHARED,))
        if self.governed:
            if random.random() < 0.5:
                self.grant_own_role()
            for number in range(2):
                self.grant_conditionally(queue_scope(number + 6, APP.subscription))
        if self.unannounced and random.random() < 0.5:
            azure.grant(azure.present.holders[APP].system, CONTRIBUTOR, TENANT_GROUP)

    def happen(self) -> None:
        """One thing happens."""
        self.random.choice(self.kinds)(self)

    # --- the app ---

    def redeploy_in_place(self) -> None:
        app = self._app()
        old = self.azure.present.holders.get(app)
        self._put(replace(old, changed=None) if old else self._new(app))

    def delete(self) -> None:
        app = self._app()
        if app in self.azure.present.holders:
            self.azure.delete(app)

    def recreate(self) -> None:
        app = self._app()
        attached = self._attached_by(app)
        if app in self.azure.present.holders:
            self.azure.delete(app)
            self._sleep(0, 5, 100)
        self._put(replace(self._new(app), attached=attached))

    def restore(self) -> None:
        """The app is back with the principal that it had: a soft-deleted identity was restored."""
        app = self._app()
        if app in self.azure.present.holders:
            self.azure.delete(app)
            self._sleep(0, 5, 300)
        former = self.azure.shed.get(app)
        self._put(replace(self._new(app), system=former[-1]) if former else self._new(app))

    def switch_identity(self) -> None:
        """The system identity is switched off, or on again: with a new principal."""
        app = self._app()
        old = self.azure.present.holders.get(app)
        if old is not None:
            system = "" if old.system else self.azure.new_guid()
            self._put(replace(old, system=system, changed=None))

    # --- grants ---

    def grant_narrow(self) -> None:
        self.azure.grant(self._principal(), NARROW, queue_scope(self.random.randrange(3), self._sub()))

    def grant_broad(self) -> None:
        scope = ResourceId(f"/subscriptions/{self._sub()}")
        self.azure.grant(self._principal(), CONTRIBUTOR, scope)

    def grant_to_stranger(self) -> None:
        scope = ResourceId(f"/subscriptions/{self._sub()}/resourceGroups/rg")
        self.azure.grant(STRANGER, self.random.choice((CONTRIBUTOR, NARROW)), scope)

    def revoke(self) -> None:
        grants = self._grants()
        if grants:
            self.azure.revoke(self.random.choice(grants))

    def reuse_name(self) -> None:
        """The name of a revoked assignment is used again, for whoever is there now."""
        grants = self._grants()
        if grants:
            gone = self.random.choice(grants)
            self.azure.revoke(gone)
            self._sleep(0, 0, 90)
            self.azure.grant(self._principal(), NARROW, gone.scope, gone.name)

    # --- one thing, again and again ---

    def toggle_grant(self) -> None:
        """One assignment's name is used and freed in turn, mostly by the same principal."""
        scope = ResourceId(f"/subscriptions/{APP.subscription}/resourceGroups/rg")
        hot = ResourceId(f"{scope.text}/providers/Microsoft.Authorization/roleAssignments/{HOT}")
        if hot in self.azure.present.assignments:
            self.azure.revoke(hot)
        else:
            app = self.azure.present.holders.get(APP)
            mine = app.system if app and self.random.random() < 0.7 else ""
            role = self.random.choice((NARROW, NARROW, CONTRIBUTOR))
            self.azure.grant(mine or STRANGER, role, scope, HOT)

    def toggle_app(self) -> None:
        """The app is deleted and created in turn."""
        if APP in self.azure.present.holders:
            self.azure.delete(APP)
        else:
            self._put(self._new(APP))

    def toggle_identity(self) -> None:
        """A user-assigned identity is deleted and created in turn."""
        if SHARED in self.azure.present.holders:
            self.azure.delete(SHARED)
        else:
            self.azure.put_identity(SHARED)

    # --- conditions ---

    def grant_conditionally(self, scope: ResourceId | None = None) -> None:
        """A role under a condition: a narrow one, or one that is broad at a subscription."""
        at = scope or queue_scope(self.random.randrange(6, 9), self._sub())
        if self.random.random() < 0.3:
            at = ResourceId(f"/subscriptions/{at.subscription}")
        role = NARROW if at.resource_group else CONTRIBUTOR
        self.azure.grant(self._principal(), role, at, condition=self._condition())

    def change_condition(self) -> None:
        """A condition is changed in place: mostly of an assignment that had one."""
        found = [id for id in self._grants() if self.random.random() < 0.2 or self._conditional(id)]
        if found:
            self.azure.recondition(self.random.choice(found), self._condition())

    def _conditional(self, id: ResourceId) -> bool:
        return bool(self.azure.present.assignments[id].access.condition)

    def _condition(self) -> str:
        return self.random.choice(list(ONLY))

    # --- roles ---

    def grant_own_role(self) -> None:
        scope = ResourceId(f"/subscriptions/{self._sub()}/resourceGroups/rg")
        self.azure.grant(self._principal(), self.azure.present.roles[TIDY.id], scope)

    def change_role(self) -> None:
        was = self.azure.present.roles[TIDY.id]
        self.azure.define(TIDY_ALL if was == TIDY else TIDY)

    def rewrite_role(self) -> None:
        """The role is written again: wider, narrower, otherwise, or as it was."""
        self.azure.define(self.random.choice((TIDY, TIDY_MORE, TIDY_BUT, TIDY_ALL)))

    def rewrite_role_unannounced(self) -> None:
        """Likewise, and no event tells of it."""
        self.rewrite_role()
        self.azure.events.pop()

    # --- shared identities ---

    def attach(self) -> None:
        """An app attaches, swaps or detaches user-assigned identities; also one that it had before."""
        there = [id for id in (SHARED, SPARE) if id in self.azure.present.holders]
        app = self._app()
        if app in self.azure.present.holders:
            count = self.random.randint(0, len(there))
            self._attach(app, tuple(sorted(self.random.sample(there, count), key=lambda id: id.key)))

    def recreate_identity(self) -> None:
        identity = self.random.choice((SHARED, SPARE))
        if self.random.random() < 0.4 and identity in self.azure.present.holders:
            self.azure.delete(identity)
            self._sleep(0, 5, 100)
        principal = self.azure.put_identity(identity)
        if self.random.random() < 0.5:
            self.azure.grant(principal, NARROW, queue_scope(4))

    def delete_identity(self) -> None:
        identity = self.random.choice((SHARED, SPARE))
        if identity in self.azure.present.holders:
            self.azure.delete(identity)

    def attach_to_both(self) -> None:
        """One identity serves apps of two subscriptions."""
        self.azure.put_identity(SHARED)
        for app in (APP, OTHER_APP):
            if app in self.azure.present.holders:
                self._attach(app, (SHARED,))

    # --- what no event says ---

    def grant_above(self) -> None:
        self.azure.grant(self._principal(), self.random.choice((NARROW, CONTRIBUTOR)), TENANT_GROUP)

    def revoke_above(self) -> None:
        above = [id for id in self._grants() if not id.subscription]
        if above:
            self.azure.revoke(self.random.choice(above))

    # --- inside ---

    def _app(self) -> ResourceId:
        """Mostly one of the apps that were there at first; now and then one that is seen later."""
        apps = (APP, OTHER_APP, LATE_APP) if self.wide else (APP,) * 9 + (LATE_APP,)
        return self.random.choice(apps)

    def _principal(self) -> str:
        """Mostly one that an app or identity has; also one that it had, or that nobody ever had."""
        holders = self.azure.present.holders
        ids = [id for id in (*(APP, OTHER_APP, LATE_APP), SHARED, SPARE) if id in holders]
        if not ids or self.random.random() < 0.1:
            former = [principal for shed in self.azure.shed.values() for principal in shed]
            return self.random.choice([*former, STRANGER])
        return holders[self.random.choice(ids)].system or STRANGER

    def _sub(self) -> str:
        return self.random.choice((APP.subscription, OTHER_SUB)) if self.wide else APP.subscription

    def _grants(self) -> Sequence[ResourceId]:
        found = sorted(self.azure.present.assignments, key=lambda id: id.key)
        return [id for id in found if id.subscription or self.unannounced]

    def _new(self, app: ResourceId) -> IdentityHolder:
        return IdentityHolder(app, "logicApp", self.azure.new_guid())

    def _put(self, holder: IdentityHolder) -> None:
        self.azure.put(holder, "Microsoft.Logic/workflows/write")

    def _attach(self, app: ResourceId, identities: tuple[ResourceId, ...]) -> None:
        holders = self.azure.present.holders
        attached = tuple(Attached(id, holders[id].system) for id in identities)
        self._put(replace(holders[app], attached=attached, changed=None))

    def _attached_by(self, app: ResourceId) -> tuple[Attached, ...]:
        holders = self.azure.present.holders
        if app not in holders or self.random.random() < 0.3:
            return ()
        there = [one for one in holders[app].attached if one.identity in holders]
        return tuple(Attached(one.identity, holders[one.identity].system) for one in there)

    def _sleep(self, *seconds: int) -> None:
        self.azure.sleep(min(self.random.choice(seconds), self.longest))


NARROW_KINDS = (
    Changes.redeploy_in_place,
    Changes.delete,
    Changes.recreate,
    Changes.recreate,
    Changes.restore,
    Changes.switch_identity,
    Changes.grant_narrow,
    Changes.grant_broad,
    Changes.grant_to_stranger,
    Changes.revoke,
    Changes.revoke,
    Changes.reuse_name,
    Changes.grant_own_role,
    Changes.change_role,
)
WIDE_KINDS = (
    Changes.attach,
    Changes.attach,
    Changes.recreate_identity,
    Changes.delete_identity,
    Changes.attach_to_both,
)
FAMILIES = (
    (Changes.toggle_grant,),
    (Changes.toggle_grant, Changes.toggle_grant, Changes.recreate),
    (Changes.toggle_app, Changes.toggle_app, Changes.redeploy_in_place, Changes.grant_narrow),
    (Changes.recreate, Changes.grant_narrow, Changes.revoke),
    (Changes.switch_identity, Changes.switch_identity, Changes.redeploy_in_place),
    (Changes.toggle_identity, Changes.toggle_identity, Changes.grant_narrow),
)
"""What happens to one holder, or to one assignment, where a schedule keeps to that."""
GOVERNED_KINDS = (
    Changes.grant_conditionally,
    Changes.change_condition,
    Changes.change_condition,
    Changes.change_condition,
    Changes.change_condition,
    Changes.grant_own_role,
    Changes.rewrite_role,
    Changes.rewrite_role,
    Changes.rewrite_role,
    Changes.revoke,
    Changes.reuse_name,
    Changes.recreate,
)
"""What happens where what is granted is changed in place."""
UNANNOUNCED_GOVERNED = (Changes.rewrite_role_unannounced,)
UNANNOUNCED = (Changes.grant_above, Changes.revoke_above)
