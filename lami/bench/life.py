"""The ordinary life of an estate: what stands in it, and what happens to it every day and alarms nobody.

Some of it is planned work, which lami tells on purpose and the operator accepts: each of these says itself
what is to be told.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from msgspec.structs import replace

from lami.bench.play import Drift, Play, churn, of_grant
from lami.core.ids import ResourceId
from lami.core.model import Permission, RoleAssignment

APP_ROLES = (
    "Key Vault Secrets User",
    "Storage Queue Data Message Sender",
    "Storage Blob Data Reader",
    "Storage Blob Data Contributor",
    "Azure Service Bus Data Sender",
)
"""What an app is granted on single resources."""
_TYPES = {
    "Key Vault Secrets User": "Microsoft.KeyVault/vaults",
    "Azure Service Bus Data Sender": "Microsoft.ServiceBus/namespaces",
}
_GROUPS = 20
_CONTAINER = "@Resource[Microsoft.Storage/storageAccounts/blobServices/containers:name]"
TIDIES = "Microsoft.Storage/storageAccounts/read"
"""What the custom roles of the estate allow."""
_MINUTE, _HOUR = 60.0, 3600.0


@dataclass(frozen=True, slots=True)
class Extent:
    """How large an estate is: apps, and role assignments in all."""

    subscriptions: int
    apps: int
    assignments: int


# --- what stands -----------------------------------------------------------------------------------


def populate(play: Play, extent: Extent) -> None:
    """Apps of both kinds, identities that they share, people who read and deploy; and what all are granted.

    Seven of ten apps are Consumption; a third of the others use a user-assigned identity or two. A sixth of
    the assignments are people's, some of them broad: they stand, so that nobody is to hear of them.
    """
    azure, cast, chance = play.azure, play.cast, play.chance
    for number in range(extent.apps // 7):
        identity = new_id(play, "Microsoft.ManagedIdentity/userAssignedIdentities", f"id-{number:04d}")
        azure.create(identity, cast.deployer, kind="userAssignedIdentity")
        cast.identities.append(identity)
    for number in range(extent.apps):
        if number % 10 < 7:
            app = new_id(play, "Microsoft.Logic/workflows", f"app-{number:05d}")
            azure.create(app, cast.deployer)
            cast.consumption.append(app)
        else:
            app = new_id(play, "Microsoft.Web/sites", f"std-{number:05d}")
            used = chance.sample(cast.identities, chance.choice((1, 1, 2))) if number % 3 == 0 else []
            azure.create(app, cast.deployer, tuple(sorted(used, key=lambda id: id.key)))
            cast.standard.append(app)
    for number in range(max(20, extent.apps // 10)):
        who = azure.new_guid()
        cast.people.append(who)
        role, scope = (("Reader", subscription(play)), ("Contributor", group(play)))[number % 2]
        azure.grant(who, role, scope, cast.operator)
    azure.grant(azure.new_guid(), "Contributor", subscription(play), cast.operator)  # the pipeline
    for number in range(max(4, extent.apps // 50)):
        for of, made in (("g", cast.guarded), ("t", cast.tidiers)):
            app = new_id(play, "Microsoft.Web/sites", f"std-{of}{number:04d}")
            made.append((app, _held(play, azure.create(app, cast.deployer), of, number)))
    carried = [*cast.apps, *cast.identities]
    for holder in carried:
        narrow(play, azure.holders[holder].system)
    while len(azure.assignments) < extent.assignments:
        if chance.random() < 1 / 6:
            narrow(play, chance.choice(cast.people))
        else:
            narrow(play, azure.holders[chance.choice(carried)].system)


def _held(play: Play, principal: str, of: str, number: int) -> RoleAssignment:
    """What an app holds that can be widened in place: a role under a condition, or a custom role."""
    azure, cast = play.azure, play.cast
    if of == "g":
        account = new_id(play, "Microsoft.Storage/storageAccounts", f"guarded{number:04d}")
        return azure.grant(principal, "Storage Blob Data Reader", account, cast.deployer, only("incoming"))
    role = f"Tidier {number}"
    azure.define(role, (Permission(actions=(TIDIES,)),))
    return azure.grant(principal, role, group(play), cast.deployer)


def only(*containers: str) -> str:
    """A condition that lets blobs of these containers be read."""
    names = ", ".join(map(repr, containers))
    return f"{_CONTAINER} ForAnyOfAnyValues:StringEquals {{{names}}}"


def new_id(play: Play, type: str, name: str) -> ResourceId:
    """The id of a resource somewhere in the estate."""
    return ResourceId(f"{group(play)}/providers/{type}/{name}")


def narrow(play: Play, principal: str) -> None:
    """Grant a role on a resource of its own."""
    role = play.chance.choice(APP_ROLES)
    scope = new_id(
        play, _TYPES.get(role, "Microsoft.Storage/storageAccounts"), f"r{play.chance.getrandbits(48):012x}"
    )
    play.azure.grant(principal, role, scope, play.cast.deployer)


def subscription(play: Play) -> ResourceId:
    """One of the subscriptions."""
    return ResourceId(f"/subscriptions/{play.chance.choice(play.azure.subscriptions)}")


def group(play: Play) -> ResourceId:
    """A resource group of one of them."""
    return ResourceId(f"{subscription(play)}/resourceGroups/rg-{play.chance.randrange(_GROUPS):02d}")


# --- what alarms nobody ----------------------------------------------------------------------------


def redeploy(play: Play) -> None:
    """An app is deployed in place; deployments write tags and configuration, too."""
    app = play.one_of(play.cast.apps)
    holder = play.azure.holders[app]
    play.azure.put(replace(holder, tags={**holder.tags, "build": play.azure.new_guid()}), play.cast.deployer)


def rotate_key(play: Play) -> None:
    """A key or a connection string is written anew: the configuration of a site, a workflow's definition."""
    app = play.one_of(play.cast.apps)
    if app.type == "microsoft.web/sites":
        play.azure.happened(app, "Microsoft.Web/sites/config/write", play.cast.operator)
    else:
        play.azure.put(play.azure.holders[app], play.cast.operator)
    vault = new_id(play, "Microsoft.KeyVault/vaults", "kv-keys")
    play.azure.happened(vault, "Microsoft.KeyVault/vaults/write", play.cast.operator)


def switch(play: Play) -> None:
    """A workflow is disabled for a while."""
    app = play.one_of(play.cast.consumption)
    play.azure.happened(app, "Microsoft.Logic/workflows/disable/action", play.cast.operator, "POST")
    play.after(play.chance.uniform(_MINUTE, 4 * _HOUR), partial(_enable, play, app))


def _enable(play: Play, app: ResourceId) -> None:
    if app in play.azure.holders:
        play.azure.happened(app, "Microsoft.Logic/workflows/enable/action", play.cast.operator, "POST")


def grant_narrow(play: Play) -> None:
    """An app's identity is granted what it needs."""
    narrow(play, play.azure.holders[play.one_of([*play.cast.apps, *play.cast.identities])].system)


def renew_grant(play: Play) -> None:
    """Infrastructure as code deletes an assignment and makes it anew, a minute or two later."""
    azure, cast = play.azure, play.cast
    app = play.one_of(cast.consumption)
    principal = azure.holders[app].system
    for made in azure.granted(principal)[:1]:
        set_aside(play, app, 3 * _MINUTE)
        azure.revoke(made, cast.deployer)
        anew = partial(azure.grant, principal, made.role.name, made.access.scope, cast.deployer)
        play.after(play.chance.uniform(5, 2 * _MINUTE), anew)


def write_again(play: Play) -> None:
    """Infrastructure as code writes assignments as they are."""
    principal = play.azure.holders[play.one_of(play.cast.apps)].system
    for made in play.azure.granted(principal)[:3]:
        play.azure.write_again(made, play.cast.deployer)


def elevate(play: Play) -> None:
    """Somebody activates a role for some hours, through Privileged Identity Management; also a broad one."""
    azure, cast, chance = play.azure, play.cast, play.chance
    where = chance.choice((group, subscription))(play)
    made = azure.grant(
        chance.choice(cast.people), chance.choice(("Reader", "Contributor")), where, cast.elevation
    )
    play.after(chance.uniform(_HOUR, 8 * _HOUR), partial(azure.revoke, made, cast.elevation))


def cluster(play: Play) -> None:
    """A cluster is upgraded: it grants its new node identity this and that, and its group, for two days."""
    azure, cast, chance = play.azure, play.cast, play.chance
    nodes = azure.new_guid()
    disks = [new_id(play, "Microsoft.Compute/disks", f"d{n}") for n in range(chance.choice((2, 3, 5, 40)))]
    for scope in (group(play), *disks):
        made = azure.grant(nodes, "Contributor", scope, cast.cluster)
        play.after(chance.uniform(_HOUR, 48 * _HOUR), partial(azure.revoke, made, cast.cluster))


def person(play: Play) -> None:
    """A person is granted something narrow, or loses it."""
    azure, chance = play.azure, play.chance
    who = chance.choice(play.cast.people)
    held = [made for made in azure.granted(who) if made.role.name in APP_ROLES]
    if held and chance.random() < 0.5:
        azure.revoke(chance.choice(held), play.cast.operator)
    else:
        narrow(play, who)


def create(play: Play) -> None:
    """A new app, with the grants that it needs a minute later."""
    azure, cast, chance = play.azure, play.cast, play.chance
    name = f"new-{chance.getrandbits(40):010x}"
    app = new_id(play, "Microsoft.Logic/workflows", name)
    principal = azure.create(app, cast.deployer)
    for number in range(1 + chance.randrange(3)):
        play.after(_MINUTE + number, partial(narrow, play, principal))
    # From the next day on it is an app like any other.
    play.after(24 * _HOUR, partial(cast.consumption.append, app))


# --- what is planned, told and accepted ------------------------------------------------------------


def planned_redeploy(play: Play, app: ResourceId) -> None:
    """An app is deleted and created again; within minutes its successor has what the old one had."""
    azure, cast = play.azure, play.cast
    held = azure.granted(azure.holders[app].system)
    azure.delete(app, cast.deployer)
    azure.sleep(1)
    heir = azure.create(app, cast.deployer)

    def hand_over() -> None:
        for made in held:
            azure.grant(heir, made.role.name, made.access.scope, cast.deployer)
            azure.revoke(made, cast.deployer)

    play.after(play.chance.uniform(20, 2 * _MINUTE), hand_over)
    _planned(play, churn(app, "recreated"))


def planned_retirement(play: Play, app: ResourceId) -> None:
    """An app is given up, and what it held with it."""
    azure, cast = play.azure, play.cast
    held = azure.granted(azure.holders[app].system)
    azure.delete(app, cast.deployer)

    def tidy() -> None:
        for made in held:
            azure.revoke(made, cast.deployer)

    play.after(play.chance.uniform(20, 2 * _MINUTE), tidy)
    _planned(play, churn(app, "removed"))


def planned_grant(play: Play, app: ResourceId) -> None:
    """An app is made contributor of a group, which is told and accepted."""
    principal, scope = play.azure.holders[app].system, group(play)
    if not any(made.access.scope == scope for made in play.azure.granted(principal)):
        made = play.azure.grant(principal, "Contributor", scope, play.cast.operator)
        _planned(play, of_grant("broad-grant", principal, "medium", made))


def planned_withdrawal(play: Play, app: ResourceId) -> None:
    """An app no longer needs one of its grants: it is taken, told as missing, and accepted."""
    for made in play.azure.granted(play.azure.holders[app].system)[:1]:
        play.azure.revoke(made, play.cast.operator)
        _planned(play, of_grant("missing-grant", app.key, "high", made))


def _planned(play: Play, drift: Drift) -> None:
    play.expected[drift._replace(status="accepted")] += 1
    play.after(1.5 * _HOUR, partial(play.accept, drift))


def plan(play: Play, work: Callable[[Play, ResourceId], None]) -> None:
    """Have planned work done on an app that nobody else touches for a day."""
    app = play.one_of(play.cast.consumption)
    if work is planned_retirement:
        play.cast.consumption.remove(app)
    else:
        set_aside(play, app, 24 * _HOUR)
    play.after(_HOUR, partial(work, play, app))


def set_aside(play: Play, app: ResourceId, seconds: float) -> None:
    """Let nobody else touch an app for so long."""
    play.cast.consumption.remove(app)
    play.after(seconds, partial(play.cast.consumption.append, app))


ORDINARY: tuple[tuple[Callable[[Play], None], int], ...] = (
    (redeploy, 30),
    (rotate_key, 12),
    (switch, 6),
    (grant_narrow, 10),
    (renew_grant, 6),
    (write_again, 6),
    (elevate, 12),
    (cluster, 3),
    (person, 8),
    (create, 2),
)
"""What happens in the ordinary course of things, and how often one beside the other."""
PLANNED = (planned_redeploy, planned_retirement, planned_grant, planned_withdrawal)
"""What is planned, told and accepted."""
PLANNED_SHARE = 0.01


def live(play: Play, days: float, a_day: int) -> None:
    """Have so many things happen on each of so many days, at any time of the day."""
    kinds, weights = zip(*ORDINARY, strict=True)
    planned = max(len(PLANNED), round(days * a_day * PLANNED_SHARE))
    acts: list[Callable[[Play], None]] = play.chance.choices(kinds, weights, k=round(days * a_day) - planned)
    acts += [partial(plan, work=PLANNED[number % len(PLANNED)]) for number in range(planned)]
    for act in acts:
        play.at(play.azure.now + timedelta(days=play.chance.random() * days), partial(act, play))
    play.changes += len(acts)
