"""The words of the table: what can stand or happen, each frozen, saying itself and acting on a stage."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal, Protocol
from uuid import uuid4

from lami.core.model import Actor
from lami.sandbox import IDENTITY, SITE, SLOT, WORKFLOW, resource_id
from lami.sandbox.definitions import CARELESS, PLAIN, definition
from lami.sandbox.directory import State as Standing
from lami.sandbox.faults import Fault
from lami.sandbox.model import ROBIN, Happening, JsonObject, Wanted
from lami.sandbox.model import Actor as AzureActor
from lami.schedule import take_baseline
from lami.service import Acknowledgement
from tests.arm.definitions import http
from tests.scenarios.table.stage import GROUP, OTHER, SUBSCRIPTION, Stage

OPERATOR = Actor("user", "op", "Operator")


class Word(Protocol):
    """Something that stands or happens."""

    def act(self, stage: Stage) -> None:
        """Make it so."""
        ...


def listed(words: Sequence[object]) -> str:
    """Words one after the other, as a sentence has them."""
    return ", then ".join(str(word) for word in words)


def code(patterns: Sequence[str]) -> str:
    """Patterns, for a page that would take their stars for emphasis."""
    return " ".join(f"`{pattern}`" for pattern in patterns)


# --- what there is ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class App:
    """A Consumption logic app with a system identity."""

    name: str
    group: str = GROUP
    identity: Wanted = "system"
    uses: tuple[str, ...] = ()
    """User-assigned identities that it uses instead of one of its own."""
    environment: str = ""
    elsewhere: bool = False

    def __str__(self) -> str:
        of = f" using {' and '.join(self.uses)}" if self.uses else ""
        of = of or ("" if self.identity == "system" else " without an identity")
        where = " in the other subscription" if self.elsewhere else ""
        where += f" in {self.group}" if self.group != GROUP else ""
        tagged = f" (environment {self.environment})" if self.environment else ""
        return f"the app {self.name}{of}{where}{tagged}"

    def act(self, stage: Stage) -> None:
        id = resource_id(OTHER if self.elsewhere else SUBSCRIPTION, self.group, WORKFLOW, self.name)
        stage.called(self.name, id)
        stage.azure.estate.put(
            id,
            identity="user" if self.uses else self.identity,
            user_assigned=tuple(stage.id(name) for name in self.uses),
            tags={"environment": self.environment} if self.environment else {},
        )
        stage.changed()


@dataclass(frozen=True, slots=True)
class Standard:
    """A Standard logic app, with user-assigned identities beside its system identity."""

    name: str
    attached: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"the Standard app {self.name}" + (
            f" using {' and '.join(self.attached)}" if self.attached else ""
        )

    def act(self, stage: Stage) -> None:
        id = resource_id(SUBSCRIPTION, GROUP, SITE, self.name)
        stage.called(self.name, id)
        identities = tuple(stage.id(name) for name in self.attached)
        stage.azure.estate.put(id, identity="both" if identities else "system", user_assigned=identities)
        stage.changed()


@dataclass(frozen=True, slots=True)
class Slot:
    """A slot of a Standard logic app, named `app/slot`."""

    name: str

    def __str__(self) -> str:
        return f"its slot {self.name}"

    def act(self, stage: Stage) -> None:
        id = resource_id(SUBSCRIPTION, GROUP, SLOT, *self.name.split("/"))
        stage.called(self.name, id)
        stage.azure.estate.put(id)
        stage.changed()


@dataclass(frozen=True, slots=True)
class Site:
    """A site that is no logic app."""

    name: str

    def __str__(self) -> str:
        return f"the plain web site {self.name}"

    def act(self, stage: Stage) -> None:
        id = resource_id(SUBSCRIPTION, GROUP, SITE, self.name)
        stage.called(self.name, id)
        stage.azure.estate.put(id, kind="app")
        stage.changed()


@dataclass(frozen=True, slots=True)
class Identity:
    """A user-assigned identity."""

    name: str
    elsewhere: bool = False

    def __str__(self) -> str:
        return f"the identity {self.name}" + (" in the other subscription" if self.elsewhere else "")

    def act(self, stage: Stage) -> None:
        id = resource_id(OTHER if self.elsewhere else SUBSCRIPTION, GROUP, IDENTITY, self.name)
        stage.called(self.name, id)
        stage.azure.estate.put(id)
        stage.changed()


@dataclass(frozen=True, slots=True)
class Role:
    """A custom role; written again under its name, it is changed."""

    name: str
    actions: tuple[str, ...] = ()
    not_actions: tuple[str, ...] = ()
    data_actions: tuple[str, ...] = ()
    condition: str = ""

    def __str__(self) -> str:
        without = f" without {code(self.not_actions)}" if self.not_actions else ""
        under = " under a condition" if self.condition else ""
        return f"the role {self.name} allows {code((*self.actions, *self.data_actions))}{without}{under}"

    def act(self, stage: Stage) -> None:
        block: JsonObject = {
            "actions": list(self.actions),
            "notActions": list(self.not_actions),
            "dataActions": list(self.data_actions),
            "notDataActions": [],
        }
        if self.condition:
            block |= {"condition": self.condition, "conditionVersion": "2.0"}
        stage.azure.estate.put_role(self.name, [block], assignable_scopes=[f"/subscriptions/{SUBSCRIPTION}"])
        stage.changed()


@dataclass(frozen=True, slots=True)
class Holds:
    """A role assignment that stands; `under` is its condition."""

    who: str
    role: str
    scope: str
    under: str = ""
    """A condition."""

    def __str__(self) -> str:
        return f"{self.who} holds {self.role} on {self.scope}{under(self.under)}"

    def act(self, stage: Stage) -> None:
        _assign(stage, self.who, self.role, self.scope, self.under)


@dataclass(frozen=True, slots=True)
class Policy:
    """What the operator's policy file says beside the packaged one."""

    says: str
    text: str

    def __str__(self) -> str:
        return f"a policy that {self.says}"

    def act(self, stage: Stage) -> None:
        stage.policy += self.text + "\n"


@dataclass(frozen=True, slots=True)
class Excepted:
    """A policy that excepts what exactly one finding is about, until a day or a time."""

    rule: str
    who: str
    role: str
    scope: str
    until: str

    def __str__(self) -> str:
        what = f"{self.role} on {self.scope} of {self.who}"
        return f"a policy that excepts `{self.rule}` for {what} until {self.until}"

    def act(self, stage: Stage) -> None:
        whom = f'subject = "{stage.id(self.who)}"' if self.rule == "missing-grant" else ""
        whom = whom or f'principal = "{stage.principal(self.who)}"'
        stage.policy += f'[[exception]]\nrule = "{self.rule}"\n{whom}\nrole = "{self.role}"\n'
        stage.policy += f'scope = "{stage.place(self.scope)}"\nreason = "planned"\nowner = "ops"\n'
        stage.policy += f"until = {self.until}\n"


@dataclass(frozen=True, slots=True)
class Listed:
    """A policy that has somebody on its list of automation."""

    name: str
    grants: Literal["record", "temporary", "alert"]

    def __str__(self) -> str:
        return f"a policy that lists {self.name} as automation (`{self.grants}`)"

    def act(self, stage: Stage) -> None:
        creator = AzureActor.named(self.name, "application").object_id
        stage.policy += f'[[automation]]\nname = "{self.name}"\ncreated-by = ["{creator}"]\n'
        stage.policy += f'reason = "as agreed"\ngrants = "{self.grants}"\n'


@dataclass(frozen=True, slots=True)
class AsksGraph:
    """lami may ask Microsoft Graph who is in the directory."""

    def __str__(self) -> str:
        return "Microsoft Graph may be asked"

    def act(self, stage: Stage) -> None:
        stage.asks_graph = True


# --- apps and identities ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Redeployed:
    """A resource is written again in place, as it is."""

    name: str

    def __str__(self) -> str:
        return f"{self.name} is redeployed in place"

    def act(self, stage: Stage) -> None:
        stage.azure.estate.put(stage.id(self.name))
        stage.changed()


@dataclass(frozen=True, slots=True)
class Tagged:
    """A resource's tags are changed."""

    name: str
    environment: str = ""

    def __str__(self) -> str:
        return f"{self.name} is tagged " + (
            f"environment {self.environment}" if self.environment else "otherwise"
        )

    def act(self, stage: Stage) -> None:
        tags = {"environment": self.environment} if self.environment else {"owner": "somebody-else"}
        stage.azure.estate.put(stage.id(self.name), tags=tags)
        stage.changed()


@dataclass(frozen=True, slots=True)
class Defined:
    """A workflow is deployed in place with another definition."""

    name: str
    what: Literal["plain", "careless", "dangling"]

    def __str__(self) -> str:
        does = {
            "plain": "keeps to its identity",
            "careless": "sends a password, shows secrets in its history and asks for a wrong audience",
            "dangling": "uses an identity that is not attached",
        }
        return f"{self.name} has a definition that {does[self.what]}"

    def act(self, stage: Stage) -> None:
        stray = resource_id(SUBSCRIPTION, GROUP, IDENTITY, "id-stray")
        managed = {"type": "ManagedServiceIdentity", "identity": stray}
        given = {
            "plain": PLAIN,
            "careless": CARELESS,
            "dangling": definition(Call=http(authentication=managed)),
        }
        stage.azure.estate.put(stage.id(self.name), definition=given[self.what])
        stage.changed()


@dataclass(frozen=True, slots=True)
class Recreated:
    """A resource is deleted and created again under its name."""

    name: str

    def __str__(self) -> str:
        return f"{self.name} is deleted and created again"

    def act(self, stage: Stage) -> None:
        stage.azure.estate.recreate(stage.id(self.name))
        stage.changed()


@dataclass(frozen=True, slots=True)
class CreatedAgain:
    """A resource that was deleted is created under its name, as new."""

    name: str

    def __str__(self) -> str:
        return f"{self.name} is created again"

    def act(self, stage: Stage) -> None:
        stage.azure.estate.put(stage.id(self.name))
        stage.changed()


@dataclass(frozen=True, slots=True)
class Deleted:
    """A resource is deleted."""

    name: str

    def __str__(self) -> str:
        return f"{self.name} is deleted"

    def act(self, stage: Stage) -> None:
        stage.azure.estate.delete(stage.id(self.name))
        stage.changed()


@dataclass(frozen=True, slots=True)
class GroupDeleted:
    """A resource group is deleted with all in it; one event tells of it."""

    name: str

    def __str__(self) -> str:
        return f"the resource group {self.name} is deleted"

    def act(self, stage: Stage) -> None:
        stage.azure.estate.delete_group(stage.place(self.name))
        stage.changed()


@dataclass(frozen=True, slots=True)
class Switched:
    """The system identity of an app is switched off or on."""

    name: str
    to: Literal["off", "on"]

    def __str__(self) -> str:
        return f"the identity of {self.name} is switched {self.to}"

    def act(self, stage: Stage) -> None:
        stage.azure.estate.put(stage.id(self.name), identity="system" if self.to == "on" else "none")
        stage.changed()


@dataclass(frozen=True, slots=True)
class Uses:
    """An app is set to use these user-assigned identities, and its system identity or not."""

    name: str
    identities: tuple[str, ...] = ()
    own: bool = False

    def __str__(self) -> str:
        names = " and ".join((*(("its own identity",) if self.own else ()), *self.identities))
        return f"{self.name} uses {names}"

    def act(self, stage: Stage) -> None:
        both: Wanted = "both" if self.identities else "system"
        ids = tuple(stage.id(name) for name in self.identities)
        stage.azure.estate.put(stage.id(self.name), identity=both if self.own else "user", user_assigned=ids)
        stage.changed()


@dataclass(frozen=True, slots=True)
class State:
    """An app is disabled or enabled."""

    name: str
    to: Literal["Disabled", "Enabled"]

    def __str__(self) -> str:
        return f"{self.name} is {self.to.lower()}"

    def act(self, stage: Stage) -> None:
        stage.azure.estate.set_state(stage.id(self.name), self.to)
        stage.changed()


@dataclass(frozen=True, slots=True)
class Noise:
    """An event of something that leaves every identity as it is."""

    what: str
    operation: str
    name: str

    def __str__(self) -> str:
        return f"{self.what} of {self.name} is written"

    def act(self, stage: Stage) -> None:
        estate = stage.azure.estate
        happening = Happening(
            estate.new_guid(),
            self.operation,
            stage.id(self.name),
            "PUT",
            True,
            stage.now,
            AzureActor.named("Robin Operator"),
            str(uuid4()),
            str(uuid4()),
            estate.tenant,
        )
        stage.azure._happened(happening)
        stage.changed()


# --- grants ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Granted:
    """Somebody is granted a role; `under` is a condition, `by` names automation that does it."""

    who: str
    role: str
    scope: str
    under: str = ""
    by: str = ""

    def __str__(self) -> str:
        by = f" by {self.by}" if self.by else ""
        return f"{self.who} is granted {self.role} on {self.scope}{under(self.under)}{by}"

    def act(self, stage: Stage) -> None:
        _assign(stage, self.who, self.role, self.scope, self.under, self.by)


@dataclass(frozen=True, slots=True)
class Revoked:
    """A role assignment is deleted."""

    who: str
    role: str
    scope: str

    def __str__(self) -> str:
        return f"{self.role} on {self.scope} is taken from {self.who}"

    def act(self, stage: Stage) -> None:
        _revoke(stage, self.who, self.role, self.scope)
        stage.changed()


def under(condition: str) -> str:
    """A condition in words, with the names in quotes that it is about."""
    names = " or ".join(condition.split("'")[1::2])
    return (f" under a condition on {names}" if names else " under a condition") if condition else ""


@dataclass(frozen=True, slots=True)
class WrittenAgain:
    """A role assignment is written again: as it is, or under another condition or none."""

    who: str
    role: str
    scope: str
    under: str | None = None

    def __str__(self) -> str:
        how = "" if self.under is None else under(self.under) or " without its condition"
        return f"the assignment of {self.role} on {self.scope} to {self.who} is written again{how}"

    def act(self, stage: Stage) -> None:
        estate = stage.azure.estate
        found = _found(stage, self.who, self.role, self.scope)
        held = estate.assignments.get(found)
        assert held is not None
        condition = held.condition if self.under is None else self.under or None
        estate.assign(
            self.role, held.scope, principal_id=held.principal_id, name=held.name, condition=condition
        )
        stage.changed()


@dataclass(frozen=True, slots=True)
class NameReused:
    """A role assignment is deleted and its name used for another principal's."""

    who: str
    role: str
    scope: str
    heir: str

    def __str__(self) -> str:
        return f"{self.role} on {self.scope} is taken from {self.who} and its name used for {self.heir}'s"

    def act(self, stage: Stage) -> None:
        name = _revoke(stage, self.who, self.role, self.scope).rpartition("/")[2]
        stage.azure.estate.assign(
            self.role, stage.place(self.scope), principal_id=stage.principal(self.heir), name=name
        )
        stage.changed()


@dataclass(frozen=True, slots=True)
class Storm:
    """Very many principals are each granted a role, within a second."""

    count: int
    role: str
    scope: str

    def __str__(self) -> str:
        return f"{self.count} people at once are granted {self.role} on {self.scope}"

    def act(self, stage: Stage) -> None:
        with stage.holding():
            for number in range(self.count):
                who = stage.principal(f"P{number}")
                stage.azure.estate.assign(
                    self.role, stage.place(self.scope), principal_id=who, principal_type="User"
                )
        stage.changed()


def _assign(stage: Stage, who: str, role: str, scope: str, condition: str = "", by: str = "") -> None:
    stage.azure.estate.assign(
        role,
        stage.place(scope),
        principal_id=stage.principal(who),
        principal_type=stage.type(who),
        condition=condition or None,
        actor=AzureActor.named(by, "application") if by else ROBIN,
    )
    stage.changed()


def _found(stage: Stage, who: str, role: str, scope: str) -> str:
    estate = stage.azure.estate
    wanted = estate.find_role(role).name, stage.principal(who), stage.place(scope).lower()
    (found,) = [a.id for a in estate.assignments.all() if (a.role, a.principal_id, a.scope.lower()) == wanted]
    return found


def _revoke(stage: Stage, who: str, role: str, scope: str) -> str:
    found = _found(stage, who, role, scope)
    stage.azure.estate.unassign(found)
    return found


@dataclass(frozen=True, slots=True)
class InEntra:
    """A principal is deleted in the directory, purged or restored. No event tells of it."""

    who: str
    to: Literal["deleted", "purged", "restored"]

    def __str__(self) -> str:
        how = {"deleted": "deleted in", "purged": "gone from", "restored": "restored in"}
        return f"{self.who} is {how[self.to]} Entra ID"

    def act(self, stage: Stage) -> None:
        state: Standing = "alive" if self.to == "restored" else self.to
        stage.azure.directory.mark(stage.principal(self.who), state)
        stage.changed()


# --- how events come -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Posted:
    """What happens in these steps is told otherwise than at once, in order and one time."""

    how: str
    steps: tuple[Word, ...]
    arrange: Callable[[list[JsonObject]], list[JsonObject]] = field(repr=False)
    late: timedelta = timedelta()

    def __str__(self) -> str:
        return f"{listed(self.steps)} ({self.how})"

    def act(self, stage: Stage) -> None:
        begun = len(stage.post)
        with stage.holding():
            for step in self.steps:
                step.act(stage)
        stage.post[begun:] = self.arrange(stage.post[begun:])
        if not stage.held:
            stage.posted(self.late)


def together(*steps: Word) -> Posted:
    """All of it happens before the first event comes."""
    return Posted("all before the first event comes", steps, lambda events: events)


def twice(*steps: Word) -> Posted:
    """Each event comes twice."""
    return Posted("each event comes twice", steps, lambda events: events * 2)


def backwards(*steps: Word) -> Posted:
    """The last event comes first."""
    return Posted("the last event comes first", steps, lambda events: events[::-1])


def untold(*steps: Word) -> Posted:
    """No event comes."""
    return Posted("no event comes", steps, lambda events: [])


def late(minutes: float, *steps: Word) -> Posted:
    """The events come so much later."""
    return Posted(f"told {minutes:g} minutes late", steps, lambda events: events, timedelta(minutes=minutes))


# --- time, faults, operators -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Passes:
    """Time passes."""

    minutes: int

    def __str__(self) -> str:
        hours, minutes = divmod(self.minutes, 60)
        return f"{hours} hours pass" if not minutes else f"{self.minutes} minutes pass"

    def act(self, stage: Stage) -> None:
        stage.pass_until(stage.now + timedelta(minutes=self.minutes))


@dataclass(frozen=True, slots=True)
class Fails:
    """Azure answers reads with a status, until it is mended; `path` says which reads."""

    status: int
    what: str = "Azure"
    path: str = "*"

    def __str__(self) -> str:
        return f"{self.what} answers {self.status}"

    def act(self, stage: Stage) -> None:
        # Asked to wait longer than lami waits within a read: it is left, and comes again.
        stage.azure.faults.add(Fault(self.path, self.status, None if self.status == 403 else 30))


@dataclass(frozen=True, slots=True)
class Mended:
    """Azure answers again."""

    def __str__(self) -> str:
        return "Azure answers again"

    def act(self, stage: Stage) -> None:
        stage.azure.faults.clear()


@dataclass(frozen=True, slots=True)
class Lags:
    """Reads show Azure as it was so many seconds ago, until it is mended."""

    seconds: int

    def __str__(self) -> str:
        return f"reads lag {self.seconds} seconds behind"

    def act(self, stage: Stage) -> None:
        stage.azure.faults.add(Fault(lag=self.seconds))


@dataclass(frozen=True, slots=True)
class Channel:
    """The channel goes down, or comes up."""

    to: Literal["down", "up"]

    def __str__(self) -> str:
        return f"the channel is {self.to}"

    def act(self, stage: Stage) -> None:
        stage.channel.down = self.to == "down"


@dataclass(frozen=True, slots=True)
class Reconciled:
    """All subscriptions are compared."""

    def __str__(self) -> str:
        return "lami reconciles"

    def act(self, stage: Stage) -> None:
        stage.reconcile()


@dataclass(frozen=True, slots=True)
class TakenAnew:
    """The operator takes the baseline anew, with a reason."""

    def __str__(self) -> str:
        return "the baseline is taken anew"

    def act(self, stage: Stage) -> None:
        assert not take_baseline(stage.lami, OPERATOR, "as it should be").partial


@dataclass(frozen=True, slots=True)
class Accepted:
    """The operator accepts the findings of a rule, for good or for so many hours."""

    rule: str
    hours: int = 0

    def __str__(self) -> str:
        return f"`{self.rule}` is accepted" + (f" for {self.hours} hours" if self.hours else "")

    def act(self, stage: Stage) -> None:
        found = [one for one in stage.findings() if one.rule == self.rule and one.status == "open"]
        assert found, f"there is no open {self.rule} to accept"
        until = stage.now + timedelta(hours=self.hours) if self.hours else None
        for one in found:
            done = stage.lami.service.accept(one.id, OPERATOR, "on purpose", until)
            assert isinstance(done, Acknowledgement)
        stage.sleep(1)
