"""What somebody should hear of: incidents planted in an estate, each with the findings that it must lead to.

Each has an app, identity or person of its own, which nobody else touches, so that what must be found is known
from what was done. An incident that nobody cleans up is told for good: all that it leads to stays open.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from typing import NamedTuple

from msgspec.structs import replace

from lami.bench.life import APP_ROLES, TIDIES, group, narrow, new_id, only, subscription
from lami.bench.living import MANAGEMENT_GROUP
from lami.bench.play import Drift, Play, churn, of_grant
from lami.core.ids import ResourceId
from lami.core.model import Attached, Definition, Part, Permission, RoleAssignment
from lami.sandbox.model import Actor

Incident = Callable[[Play], None]

# --- the identity of an app ------------------------------------------------------------------------


def recreated(play: Play) -> None:
    """An app is deleted and created again; nobody grants its successor anything."""
    app, held = _victim(play, play.cast.consumption)
    _redeployed(play, app)
    _expect(play, churn(app, "recreated"), *_left(held), *_lacking(app, held))


def recreated_and_granted(play: Play) -> None:
    """The same, and the successor has within minutes what the old one had: only the identity is told."""
    app, held = _victim(play, play.cast.consumption)
    heir = _redeployed(play, app)
    for made in held:
        wait = play.chance.uniform(10, 120)
        play.after(
            wait, partial(play.azure.grant, heir, made.role.name, made.access.scope, play.cast.deployer)
        )
        play.after(wait, partial(play.azure.revoke, made, play.cast.deployer))
    _expect(play, churn(app, "recreated"))


def recreated_and_forgotten(play: Play) -> None:
    """The successor is granted everything; what the old one had is left behind."""
    app, held = _victim(play, play.cast.consumption)
    heir = _redeployed(play, app)
    for made in held:
        again = partial(play.azure.grant, heir, made.role.name, made.access.scope, play.cast.deployer)
        play.after(play.chance.uniform(10, 120), again)
    _expect(play, churn(app, "recreated"), *_left(held))


def removed(play: Play) -> None:
    """An app is deleted, and what it held stays."""
    app, held = _victim(play, play.cast.consumption)
    play.azure.delete(app, play.cast.operator)
    _expect(play, churn(app, "removed"), *_left(held))


def switched_off(play: Play) -> None:
    """The system identity of an app is switched off."""
    app, held = _victim(play, play.cast.consumption)
    play.azure.put(replace(play.azure.holders[app], system=""), play.cast.operator)
    _expect(play, churn(app, "removed"), *_left(held))


def reissued(play: Play) -> None:
    """The system identity is switched off and on: the same app has another principal."""
    app, held = _victim(play, [*play.cast.consumption, *_alone(play)])
    play.azure.put(replace(play.azure.holders[app], system=""), play.cast.operator)
    play.azure.sleep(5)
    play.azure.put(replace(play.azure.holders[app], system=play.azure.new_guid()), play.cast.operator)
    _expect(play, churn(app, "reissued"), *_left(held), *_lacking(app, held))


# --- user-assigned identities ----------------------------------------------------------------------


def added(play: Play) -> None:
    """A Standard app is given a user-assigned identity beside its own."""
    app, _ = _victim(play, _alone(play))
    _attach(play, app, _spare(play))
    _expect(play, churn(app, "added", "low"))


def far_reaching_added(play: Play) -> None:
    """An identity is made owner of a subscription, and an hour later it is given to a Standard app."""
    app, _ = _victim(play, _alone(play))
    identity = _owner_given_to(play, app)
    play.after(3600, lambda: _attach(play, app, identity))


def far_reaching_newcomer(play: Play) -> None:
    """An identity is made owner of a subscription, and an hour later a new app is created with it."""
    app = _new_app(play)
    identity = _owner_given_to(play, app)
    play.after(3600, lambda: narrow(play, play.azure.create(app, play.cast.operator, (identity,))))


def _owner_given_to(play: Play, app: ResourceId) -> ResourceId:
    identity = _spare(play)
    principal = play.azure.holders[identity].system
    made = play.azure.grant(principal, "Owner", subscription(play), play.cast.operator)
    _expect(play, of_grant("broad-grant", principal, "critical", made), churn(app, "added", "critical"))
    return identity


def swapped(play: Play) -> None:
    """A Standard app uses another user-assigned identity than it did."""
    app, _ = _victim(play, _users(play))
    _attach(play, app, _spare(play))
    _expect(play, churn(app, "replaced"))


def detached(play: Play) -> None:
    """A Standard app no longer uses its user-assigned identity."""
    app, _ = _victim(play, _users(play))
    _attach(play, app)
    _expect(play, churn(app, "detached"))


def identity_recreated(play: Play) -> None:
    """A user-assigned identity is deleted and created under its name."""
    identity, held = _victim(play, play.cast.identities)
    play.azure.delete(identity, play.cast.operator)
    play.azure.sleep(5)
    play.azure.create(identity, play.cast.operator, kind="userAssignedIdentity")
    _expect(play, churn(identity, "recreated"), *_left(held), *_lacking(identity, held))


def identity_removed(play: Play) -> None:
    """A user-assigned identity is deleted; apps may go on naming it."""
    identity, held = _victim(play, play.cast.identities)
    play.azure.delete(identity, play.cast.operator)
    _expect(play, churn(identity, "removed"), *_left(held))


def shared(play: Play) -> None:
    """Two new apps of different groups use one identity."""
    identity = _spare(play)
    apps = [_new_app(play) for _ in range(2)]
    while apps[0].resource_group == apps[1].resource_group:
        apps[1] = _new_app(play)
    for app in apps:
        narrow(play, play.azure.create(app, play.cast.operator, (identity,)))
    _expect(play, Drift("shared-identity", identity.key, "low", access=identity.key))


def never_granted(play: Play) -> None:
    """A new app has an identity that nobody grants anything."""
    app = _new_app(play)
    play.azure.create(app, play.cast.operator)
    _expect(play, Drift("ungranted-identity", app.key, "low", access=app.key))


# --- workflow definitions --------------------------------------------------------------------------


STRAY = (
    "/subscriptions/s/resourceGroups/rg/providers/Microsoft.ManagedIdentity/userAssignedIdentities/id-stray"
)
CARELESS = {
    "secret-authentication": (Part("secret", "action Send", "a password (Basic)"), "medium"),
    "unsecured-secret": (Part("unsecured", "action Get_secret", "outputs"), "medium"),
    "audience-mismatch": (Part("audience", "action Get", "https://management.azure.com/"), "low"),
    "dangling-identity": (Part("identity", "action Call", STRAY), "medium"),
}
"""By the rule, what of a definition it objects to, and how grave the packaged policy calls that."""


def careless(play: Play, rule: str) -> None:
    """A workflow is deployed in place with a definition that shows one thing."""
    app, _ = _victim(play, play.cast.consumption)
    part, severity = CARELESS[rule]
    play.azure.put(replace(play.azure.holders[app], definition=Definition((part,))), play.cast.operator)
    _expect(play, Drift(rule, app.key, severity, access=app.key))


# --- grants ----------------------------------------------------------------------------------------


class Broad(NamedTuple):
    """A role, the rung that it is granted at, and how grave the packaged policy calls that."""

    role: str
    rung: str
    severity: str


BROAD = (
    Broad("Owner", "above", "critical"),
    Broad("Owner", "subscription", "critical"),
    Broad("Owner", "group", "high"),
    Broad("Owner", "resource", "medium"),
    Broad("User Access Administrator", "subscription", "critical"),
    Broad("Contributor", "subscription", "high"),
    Broad("Contributor", "group", "medium"),
    Broad("Logic App Contributor", "subscription", "high"),
    Broad("Logic App Contributor", "group", "medium"),
    Broad("Managed Identity Operator", "group", "medium"),
    Broad("Key Vault Secrets User", "subscription", "high"),
    Broad("Key Vault Secrets User", "group", "medium"),
    Broad("Network Owner", "subscription", "medium"),
    Broad("Bus Data Owner", "subscription", "medium"),
)
"""Every class of what a role can do, at every rung where the packaged policy has a severity for it."""


def broad(play: Play, grant: Broad) -> None:
    """A role that reaches far is granted to an app, an identity, or somebody nobody ever saw."""
    cast, azure = play.cast, play.azure
    who = play.chance.choice((cast.consumption, cast.standard, cast.identities, None))
    principal = azure.holders[_victim(play, who)[0]].system if who is not None else azure.new_guid()
    made = azure.grant(principal, grant.role, _scope(play, grant.rung), cast.operator)
    _expect(play, of_grant("broad-grant", principal, grant.severity, made))


def elevated_to_owner(play: Play) -> None:
    """Automation on the list grants what grants access: that is told, whoever does it."""
    cast = play.cast
    who = play.azure.new_guid()
    made = play.azure.grant(who, "Owner", group(play), play.chance.choice((cast.elevation, cast.cluster)))
    _expect(play, of_grant("broad-grant", who, "high", made))


def under_a_known_name(play: Play) -> None:
    """Somebody calls itself like the automation on the list, and is another."""
    known = play.cast.elevation
    impostor = Actor(known.name, play.azure.new_guid(), "application", known.app_id)
    who = play.azure.new_guid()
    made = play.azure.grant(who, "Contributor", subscription(play), impostor)
    _expect(play, of_grant("broad-grant", who, "high", made))


def weakened(play: Play, change: str) -> None:
    """The condition of an assignment is taken off, or lets more be read."""
    _, made = play.cast.guarded.pop()
    condition = only("incoming", "outgoing") if change == "widened" else ""
    changed = replace(made, access=replace(made.access, condition=condition))
    play.azure.write_again(changed, play.cast.operator)
    _expect(play, of_grant("condition-weakened", made.principal, "medium", made)._replace(change=change))


def widened(play: Play) -> None:
    """A custom role that an app holds on a group comes to write what it only read."""
    _, made = play.cast.tidiers.pop()
    block = Permission(actions=(TIDIES, "Microsoft.Storage/storageAccounts/write"))
    play.azure.redefine(made.role.name, (block,), made.access.scope.subscription, play.cast.operator)
    _expect(play, of_grant("role-widened", made.role.id, "medium", made))


def revoked(play: Play) -> None:
    """An app loses one of its grants."""
    app, held = _victim(play, play.cast.apps)
    for made in held[:1]:
        play.azure.revoke(made, play.cast.operator)
        _expect(play, of_grant("missing-grant", app.key, "high", made))


def granted_to_the_dead(play: Play) -> None:
    """An app is deleted, and somebody goes on granting roles to the identity that it had."""
    app, held = _victim(play, play.cast.consumption)
    principal = play.azure.holders[app].system
    play.azure.delete(app, play.cast.operator)
    _expect(play, churn(app, "removed"), *_left(held))

    def grant() -> None:
        narrow(play, principal)
        _expect(play, *_left(play.azure.granted(principal)[-1:]))

    play.after(3600, grant)


INCIDENTS: tuple[Incident, ...] = (
    recreated,
    recreated_and_granted,
    recreated_and_forgotten,
    removed,
    switched_off,
    reissued,
    added,
    far_reaching_added,
    far_reaching_newcomer,
    swapped,
    detached,
    identity_recreated,
    identity_removed,
    shared,
    never_granted,
    *(partial(careless, rule=rule) for rule in CARELESS),
    widened,
    *(partial(weakened, change=change) for change in ("removed", "widened")),
    elevated_to_owner,
    under_a_known_name,
    revoked,
    granted_to_the_dead,
    *(partial(broad, grant=grant) for grant in BROAD),
)
"""Every kind of incident."""


def plant(play: Play, count: int, days: float) -> None:
    """Plant so many incidents over some days, all kinds in turn."""
    for number in range(count):
        when = play.azure.now + timedelta(days=play.chance.random() * days)
        play.at(when, partial(INCIDENTS[number % len(INCIDENTS)], play))


# --- inside ----------------------------------------------------------------------------------------


def _expect(play: Play, *drifts: Drift) -> None:
    play.expected.update(drifts)


def _victim(play: Play, among: list[ResourceId]) -> tuple[ResourceId, list[RoleAssignment]]:
    """Somebody whom nobody else touches from now on, with what it holds."""
    victim = play.one_of([one for one in among if one in play.azure.holders and _narrow_only(play, one)])
    for living in (play.cast.consumption, play.cast.standard, play.cast.identities):
        if victim in living:
            living.remove(victim)
    return victim, play.azure.granted(play.azure.holders[victim].system)


def _narrow_only(play: Play, holder: ResourceId) -> bool:
    """Whether planned work gave it nothing broad: to grant a successor the same would be told."""
    held = play.azure.granted(play.azure.holders[holder].system)
    return all(made.role.name in APP_ROLES for made in held)


def _left(held: list[RoleAssignment]) -> Iterator[Drift]:
    """What a principal held is left behind; it is as grave as it reaches, and at least medium."""
    return (of_grant("orphaned-assignment", made.principal, "medium", made) for made in held)


def _lacking(holder: ResourceId, held: list[RoleAssignment]) -> Iterator[Drift]:
    """What a successor is not granted."""
    return (of_grant("missing-grant", holder.key, "high", made) for made in held)


def _redeployed(play: Play, app: ResourceId) -> str:
    play.azure.delete(app, play.cast.deployer)
    play.azure.sleep(play.chance.choice((1, 20, 90)))
    return play.azure.create(app, play.cast.deployer)


def _alone(play: Play) -> list[ResourceId]:
    """Standard apps that use no user-assigned identity."""
    return [app for app in play.cast.standard if not play.azure.holders[app].attached]


def _users(play: Play) -> list[ResourceId]:
    """Standard apps that use one."""
    return [app for app in play.cast.standard if len(play.azure.holders[app].attached) == 1]


def _new_app(play: Play) -> ResourceId:
    return new_id(play, "Microsoft.Web/sites", f"std-{play.chance.getrandbits(40):010x}")


def _spare(play: Play) -> ResourceId:
    """An identity made for this."""
    identity = new_id(
        play, "Microsoft.ManagedIdentity/userAssignedIdentities", f"id-{play.chance.getrandbits(40):010x}"
    )
    narrow(play, play.azure.create(identity, play.cast.operator, kind="userAssignedIdentity"))
    return identity


def _attach(play: Play, app: ResourceId, *identities: ResourceId) -> None:
    links = tuple(Attached(each, play.azure.holders[each].system) for each in identities)
    play.azure.put(replace(play.azure.holders[app], attached=links), play.cast.operator)


def _scope(play: Play, rung: str) -> ResourceId:
    if rung == "above":
        return MANAGEMENT_GROUP
    if rung == "subscription":
        return subscription(play)
    return group(play) if rung == "group" else new_id(play, "Microsoft.Web/sites", "shop")
