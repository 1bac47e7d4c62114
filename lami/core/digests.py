"""A short digest of what was observed of a subject: tells reconcile what differs, without reading books.

The same function digests a book and a listing: equal digests, nothing to do.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from lami.core.ids import ResourceId, digest
from lami.core.model import (
    Access,
    Attached,
    Book,
    Definition,
    HolderState,
    Permission,
    PrincipalState,
    RoleState,
    Standing,
)
from lami.core.posture import place
from lami.core.timeline import stamp

NOTHING = ""
"""The digest of a subject of which nothing is there."""
_APART = "."
DIRECTORY = "directory"
"""In a subscription's place: what the directory last said of a principal, but for that it is alive."""


def of_holder(
    system: str, attached: Iterable[Attached], created: datetime | None, definition: Definition | None = None
) -> str:
    """Of a holder that is there: its identities and when it was created; apart, what its definition shows."""
    identities = sorted(f"{a.identity.key}={a.principal}" for a in attached)
    whole = digest("holder", system, *identities, stamp(created) if created else "")
    shown = () if definition is None else (digest("definition", *sorted(map(place, definition.parts))),)
    return _APART.join((whole, *shown))


def agrees(known: str | None, listed: str) -> bool:
    """Whether a subject is listed as it was last seen; a definition that is not listed says nothing."""
    return known is not None and (known == listed or known.partition(_APART)[0] == listed)


def line(id: ResourceId, access: Access, created: datetime | None) -> str:
    """One grant as it goes into the digest: all that a listing needs to keep of it."""
    return f"{id.key}={access.key}={stamp(created) if created else ''}"


def of_lines(lines: Iterable[str]) -> str:
    """Of a principal in one subscription: its grants there, each as its `line`, in any order."""
    ordered = sorted(lines)
    return digest("grants", *ordered) if ordered else NOTHING


def of_standing(standing: Standing | None) -> str:
    """Of what the directory last said of a principal, in one word."""
    return NOTHING if standing is None or standing.said == "alive" else standing.said


def role_line(permissions: tuple[Permission, ...]) -> str:
    """What a custom role allows (`definitions.canonical`), as it goes into its digest."""
    parts = ("role", *(text.lower() for block in permissions for text in _texts(block)))
    return digest(*parts)


def _texts(block: Permission) -> tuple[str, ...]:
    lists = (block.actions, block.not_actions, block.data_actions, block.not_data_actions)
    return (*(text for one in lists for text in (str(len(one)), *one)), block.condition)


def of_book(book: Book, subscription: str) -> str:
    """Of what a book holds as observed in one subscription, above all of them (`""`), or in `DIRECTORY`."""
    state = book.state
    if isinstance(state, HolderState):
        seen = state.observed
        if not state.present:
            return NOTHING
        return of_holder(seen.system, seen.attached, state.created, state.posture.shown)
    if isinstance(state, PrincipalState):
        if subscription == DIRECTORY:
            return of_standing(state.standing)
        return of_lines(
            line(grant.id, grant.access, grant.created)
            for grant in state.grants.values()
            if grant.present and grant.access.scope.subscription == subscription
        )
    if isinstance(state, RoleState) and not subscription:
        # Listed are only the roles of assignments: one that nobody holds shows nowhere.
        seen_role = state.observed if state.custom and state.accesses else None
        return NOTHING if seen_role is None else of_lines([role_line(seen_role)])
    return NOTHING
