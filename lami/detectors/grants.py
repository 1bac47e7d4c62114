"""What the rules on role assignments have in common: how a finding names the assignment and its story."""

from __future__ import annotations

from lami.core import naming
from lami.core.ids import digest
from lami.core.model import Book, Grant, PrincipalState
from lami.core.timeline import stamp


def identity(key: str, grant: Grant) -> str:
    """One assignment for as long as it is the same: deleted and made again it is another."""
    return f"{key}|{stamp(grant.created) if grant.created else ''}"


def detail(book: Book, state: PrincipalState, grant: Grant) -> dict[str, str]:
    """The assignment, its role and scope, its principal, and who carries or carried that.

    These by name, and the first of them by resource id, too: apps of one name are not one app.
    """
    names, ids = naming.carrier_names(state), naming.carrier_ids(state)
    return {
        "principalId": book.subject.key,
        "assignmentId": grant.id.text,
        "roleName": grant.role_name,
        "roleDefinitionId": grant.access.role,
        "scope": grant.access.scope.text,
        **({"holder": naming.listed(names), "holderId": ", ".join(ids)} if names else {}),
    }


def thread(book: Book, state: PrincipalState) -> str:
    """The story that a finding on a principal belongs to: its holder's, where it has or had one."""
    return digest(min(state.carriers, default=book.subject.key), length=16)
