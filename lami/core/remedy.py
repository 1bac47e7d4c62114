"""The `az` commands that would mend a finding. lami never runs them; every word is quoted for a shell.

Source: Azure CLI reference, `az role assignment` and `az logic workflow identity`.
"""

from __future__ import annotations

import shlex

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


def _line(*words: str) -> str:
    # Control characters, line breaks above all, would let a hostile name end the command when it is pasted.
    # A space in their place keeps the words of a condition apart that stands on several lines.
    return " ".join(shlex.quote(_printable(word)) for word in words)


def _printable(word: str) -> str:
    return word if word.isprintable() else "".join(c if c.isprintable() else " " for c in word)
