"""The sandbox's Azure in a process of its own: what is in it, what was read of it, what Event Grid would say.

The functions that take a `Sandbox` are run over there, by `Apart.do`.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal
from uuid import uuid4

from lami.bench.apart import Apart, apart
from lami.sandbox import SITE, WORKFLOW, Sandbox, resource_id
from lami.sandbox.definitions import PLAIN_FILES
from lami.sandbox.events import render
from lami.sandbox.model import ROBIN, Actor, Happening, JsonObject
from lami.sandbox.sinks import Card

GROUP = "rg-claims"
NARROW = "Key Vault Secrets User"
BROAD = "Contributor"
_METHODS: dict[str, Literal["PUT", "DELETE"]] = {"write": "PUT", "delete": "DELETE"}


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the sandbox answers, and the id of its subscription."""

    arm: str
    teams: str
    subscription: str


@dataclass(frozen=True, slots=True)
class Written:
    """Something that was changed in the estate: its id, and when."""

    id: str
    at: datetime


def small_azure() -> AbstractContextManager[Apart[Sandbox]]:
    """A sandbox in a process of its own."""
    return apart(Sandbox)


def addresses(sandbox: Sandbox) -> Addresses:
    """Where it answers."""
    return Addresses(sandbox.url, sandbox.teams_url, sandbox.subscription)


def vault(subscription: str, number: int) -> str:
    """The scope of a narrow grant."""
    group = f"/subscriptions/{subscription}/resourceGroups/{GROUP}"
    return f"{group}/providers/Microsoft.KeyVault/vaults/kv-{number:06d}"


def put_app(sandbox: Sandbox, name: str) -> Written:
    """Deploy a logic app with a system-assigned identity, for the first time or in place."""
    made = sandbox.estate.put(resource_id(sandbox.subscription, GROUP, WORKFLOW, name))
    return Written(made.id, made.changed)


def put_standard(sandbox: Sandbox, name: str) -> Written:
    """Deploy a Standard logic app with two workflows, for the first time or in place."""
    made = sandbox.estate.put(
        resource_id(sandbox.subscription, GROUP, SITE, name), files={**PLAIN_FILES, **_ANOTHER}
    )
    return Written(made.id, made.changed)


def recreate(sandbox: Sandbox, app: str) -> Written:
    """Delete a logic app and create it again: it has a new principal."""
    return Written(app, sandbox.estate.recreate(app).changed)


def grant(
    sandbox: Sandbox,
    role: str,
    scope: str,
    of: str | None = None,
    principal: str | None = None,
    name: str | None = None,
) -> Written:
    """Grant a role to the identity of an app, or to a principal; with a name, write that assignment again."""
    made = sandbox.estate.assign(role, scope, of=of, principal_id=principal, name=name)
    return Written(made.id, made.updated)


def revoke(sandbox: Sandbox, assignment: str) -> Written:
    """Delete a role assignment."""
    sandbox.estate.unassign(assignment)
    return Written(assignment, datetime.now(UTC))


def forget_reads(sandbox: Sandbox) -> None:
    """Empty the log of what ARM was asked."""
    sandbox.reads.clear()


def count_reads(sandbox: Sandbox) -> int:
    """How many requests ARM was sent since the log was emptied."""
    return len(sandbox.reads)


def newest_card(sandbox: Sandbox) -> Card:
    """What Teams was sent last."""
    return sandbox.teams.cards[-1]


def count_cards(sandbox: Sandbox) -> int:
    """How many messages Teams was sent, of the last thousand."""
    return len(sandbox.teams.cards)


def event(kind: str, verb: str, what: Written, actor: Actor = ROBIN) -> JsonObject:
    """The event that says so; `kind` is the resource type and `verb` is write or delete. Each is another."""
    happening = Happening(
        id=str(uuid4()),
        operation=f"{kind}/{verb}",
        subject=what.id,
        method=_METHODS[verb],
        succeeded=True,
        at=what.at,
        actor=actor,
        correlation_id=str(uuid4()),
        request_id=str(uuid4()),
        tenant="7e4a0000-0000-4000-8000-000000000001",
    )
    return render(happening, "eventgrid")


ASSIGNMENT = "Microsoft.Authorization/roleAssignments"
APP = WORKFLOW
STANDARD = SITE
_ANOTHER = {"send/workflow.json": PLAIN_FILES["intake/workflow.json"]}
