"""The `az` commands that would mend a finding. lami never runs them; every word is quoted for a shell.

Source: Azure CLI reference: `az role assignment`, `az identity`, `az logic workflow identity` (an extension,
which the CLI offers to install) and `az functionapp identity`. That one is for Standard logic apps and their
slots too: `az logicapp` has no `identity` (azure-cli 2.91.0).
"""

from __future__ import annotations

import shlex

from lami.core.ids import ResourceId
from lami.core.model import Access


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
    if _is_site(app):
        return _line("az", "functionapp", "identity", "assign", *_site(app), "--identities", "[system]")
    return _line("az", "logic", "workflow", "identity", "assign", *_at(app), "--system-assigned")


def attach_identity(app: ResourceId, identity: ResourceId) -> str:
    """Attach a user-assigned identity to an app."""
    if _is_site(app):
        return _line("az", "functionapp", "identity", "assign", *_site(app), "--identities", identity.text)
    return _line("az", "logic", "workflow", "identity", "assign", *_at(app), "--user-assigned", identity.text)


def create_identity(identity: ResourceId) -> str:
    """Make a user-assigned identity, with this id."""
    return _line("az", "identity", "create", *_at(identity))


def _is_site(app: ResourceId) -> bool:
    return app.type.startswith("microsoft.web/")


def _site(app: ResourceId) -> tuple[str, ...]:
    """A Standard logic app, or its slot, as the CLI names it."""
    if app.type.endswith("/slots"):
        return (*_at(app.parent), *_option("--slot", app.name))
    return _at(app)


def _at(resource: ResourceId) -> tuple[str, ...]:
    return (
        *_option("--subscription", resource.subscription),
        *_option("--resource-group", resource.resource_group),
        *_option("--name", resource.name),
    )


def _option(name: str, value: str) -> tuple[str, ...]:
    """An option; joined to its value where that would be taken for another option."""
    return (f"{name}={value}",) if value.startswith("-") else (name, value)


def _line(*words: str) -> str:
    # Control characters, line breaks above all, would let a hostile name end the command when it is pasted.
    # A space in their place keeps the words of a condition apart that stands on several lines.
    return " ".join(shlex.quote(_printable(word)) for word in words)


def _printable(word: str) -> str:
    return word if word.isprintable() else "".join(c if c.isprintable() else " " for c in word)
