"""The `az` commands that would mend a finding. lami never runs them; every word is quoted for a shell.

Source: Azure CLI reference: `az role assignment`, `az role definition`, `az identity`, and the extensions,
which the CLI installs on their first use, `az logic workflow identity` and `az logicapp identity`; for slots,
which that one does not know, `az functionapp identity`.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence

from lami.core.ids import ResourceId
from lami.core.model import Access

OTHERWISE = "# Or, where the identity that came is meant to stay (then accept the finding):"
"""A comment to a shell, behind which stand the commands of another choice. No name is in it to end it."""


def parted(commands: Sequence[str]) -> tuple[Sequence[str], Sequence[str]]:
    """The commands that mend a finding, and those of the other choice, where there is one."""
    if OTHERWISE not in commands:
        return commands, ()
    at = commands.index(OTHERWISE)
    return commands[:at], commands[at + 1 :]


def delete_assignment(assignment: str) -> str:
    """Take away one role assignment, by its id."""
    return _line("az", "role", "assignment", "delete", "--ids", assignment)


def create_assignment(principal: str, access: Access) -> str:
    """Give a principal an access."""
    words = ["az", "role", "assignment", "create", "--assignee-object-id", principal]
    words += ["--assignee-principal-type", "ServicePrincipal", "--role", access.role]
    words += ["--scope", access.scope.text]
    if access.condition:
        # az reads a value that begins with @ as the name of a file; a space before it says nothing else.
        condition = f" {access.condition}" if access.condition.startswith("@") else access.condition
        words += ["--condition", condition, "--condition-version", "2.0"]
    return _line(*words)


def assign_system_identity(app: ResourceId) -> str:
    """Switch an app's system-assigned identity on."""
    return _identity("assign", app, "[system]" if _is_slot(app) else "--system-assigned")


def attach_identity(app: ResourceId, identity: ResourceId) -> str:
    """Attach a user-assigned identity to an app."""
    return _identity("assign", app, *_attached(app, identity))


def detach_identity(app: ResourceId, identity: ResourceId) -> str:
    """Take a user-assigned identity off an app; the identity stays, and what it is granted."""
    return _identity("remove", app, *_attached(app, identity))


def remove_system_identity(app: ResourceId) -> str:
    """Switch an app's system-assigned identity off."""
    return _identity("remove", app, "[system]" if _is_slot(app) else "--system-assigned")


def own_identity(app: ResourceId) -> ResourceId:
    """The user-assigned identity that an app might have to itself, beside it: `id-` and its name."""
    beside = f"/subscriptions/{app.subscription}/resourceGroups/{app.resource_group}"
    name = f"{app.parent.name}-{app.name}" if _is_slot(app) else app.name
    return ResourceId(f"{beside}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/id-{name}")


def create_identity(identity: ResourceId) -> str:
    """Make a user-assigned identity, with this id."""
    return _line("az", "identity", "create", *_at(identity))


def _identity(verb: str, app: ResourceId, *what: str) -> str:
    if _is_slot(app):
        slot = (*_at(app.parent), *_option("--slot", app.name))
        return _line("az", "functionapp", "identity", verb, *slot, "--identities", *what)
    group = ("logicapp",) if app.type == "microsoft.web/sites" else ("logic", "workflow")
    return _line("az", *group, "identity", verb, *_at(app), *what)


def _attached(app: ResourceId, identity: ResourceId) -> tuple[str, ...]:
    return (identity.text,) if _is_slot(app) else ("--user-assigned", identity.text)


def _is_slot(app: ResourceId) -> bool:
    return app.type.endswith("/slots")


def _at(resource: ResourceId) -> tuple[str, ...]:
    return (
        *_option("--subscription", resource.subscription),
        *_option("--resource-group", resource.resource_group),
        *_option("--name", resource.name),
    )


def _option(name: str, value: str) -> tuple[str, ...]:
    """An option; joined to its value where that would be taken for another option."""
    return (f"{name}={value}",) if value.startswith("-") else (name, value)


def restore_condition(principal: str, principal_type: str, assignment: str, access: Access) -> str:
    """Give an assignment the condition again that it had with this access."""
    place = f"/subscriptions/{access.scope.subscription}" if access.scope.subscription else ""
    whole = {
        "id": assignment,
        "name": ResourceId(assignment).name,
        "scope": access.scope.text,
        "roleDefinitionId": f"{place}/providers/Microsoft.Authorization/roleDefinitions/{access.role}",
        "principalId": principal,
        "principalType": principal_type,
        "condition": access.condition,
        "conditionVersion": "2.0",
    }
    return _line("az", "role", "assignment", "update", "--role-assignment", json.dumps(whole))


def show_role(role: str) -> str:
    """Look at what a role allows, as `az role definition update` takes it: alone, not in a list."""
    return _line("az", "role", "definition", "list", "--name", role, "--query", "[0]", "--output", "json")


def _line(*words: str) -> str:
    # Control characters, line breaks above all, would let a hostile name end the command when it is pasted.
    # A space in their place keeps the words of a condition apart that stands on several lines.
    return " ".join(shlex.quote(_printable(word)) for word in words)


def _printable(word: str) -> str:
    return word if word.isprintable() else "".join(c if c.isprintable() else " " for c in word)
