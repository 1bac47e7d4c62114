"""How findings and entries name things: short names that a person recognises, never whole ids."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Literal

from lami.core.ids import ResourceId
from lami.core.model import (
    Access,
    Book,
    Carrier,
    FindingSubject,
    HolderState,
    PrincipalState,
    RoleState,
    Subject,
)

FEW = 3
"""How many of several a title names."""


def subject_of(book: Book) -> FindingSubject:
    """Whom the book is about, as its findings and entries name it."""
    state, subject = book.state, book.subject
    if isinstance(state, HolderState):
        return FindingSubject(state.kind, subject.id, name_of(book), state.owner)
    if isinstance(state, PrincipalState):
        return FindingSubject("principal", subject.key, name_of(book), _owners(state))
    kind: Literal["role", "lami"] = "role" if isinstance(state, RoleState) else "lami"
    return FindingSubject(kind, subject.id, name_of(book))


def home(subject: FindingSubject) -> Subject:
    """Whose book the findings and entries are in that name this subject."""
    match subject.kind:
        case "logicApp" | "userAssignedIdentity":
            return Subject("holder", subject.id)
        case kind:
            return Subject(kind, subject.id)


def name_of(book: Book) -> str:
    """The name of whom the book is about."""
    state, subject = book.state, book.subject
    if isinstance(state, HolderState):
        return _holder_name(subject.id)
    if isinstance(state, PrincipalState):
        return principal_name(subject.key, state)
    if isinstance(state, RoleState):
        return state.name or f"role {subject.id[:8]}"
    return "lami"


def principal_name(principal: str, state: PrincipalState) -> str:
    """The logic apps or identities that carry a principal, or carried it; else its type and short id."""
    return few(carrier_names(state)) or f"{state.type or 'principal'} {short(principal)}"


def holder_name(id: ResourceId) -> str:
    """A holder's short name; a slot's is `app/slot`."""
    return _holder_name(id.text)


@lru_cache(maxsize=1024)
def _holder_name(id: str) -> str:
    above, _, name = id.rstrip("/").rpartition("/")
    app, _, kind = above.rpartition("/")
    return f"{app.rpartition('/')[2]}/{name}" if kind.lower() == "slots" else name or "/"


def carrier_names(state: PrincipalState) -> tuple[str, ...]:
    """The names of the holders that carry a principal now, or of those that did.

    A user-assigned identity's comes with the apps that use it.
    """
    return tuple(map(_carrier_name, _carriers(state)))


def carrier_ids(state: PrincipalState) -> tuple[str, ...]:
    """The resource ids of these holders, in the same order, and as many as a title names."""
    return tuple(carrier.holder.text for carrier in _carriers(state)[:FEW])


def _carrier_name(carrier: Carrier) -> str:
    used = f" (used by {', '.join(carrier.apps)})" if carrier.apps else ""
    return holder_name(carrier.holder) + used


def _carriers(state: PrincipalState) -> list[Carrier]:
    """Those that carry a principal now, or those that did; by name, and of one name by id."""
    found = [c for c in state.carriers.values() if c.carries] or state.carriers.values()
    return sorted(found, key=lambda carrier: (_carrier_name(carrier), carrier.holder.key))


def _owners(state: PrincipalState) -> str:
    return ", ".join(sorted({c.owner for c in _carriers(state) if c.owner}))


def access(role_name: str, what: Access) -> str:
    """An access in words: `Contributor at subscription contoso-prod`."""
    condition = " under a condition" if what.condition else ""
    return f"{role(role_name, what)} at {what.scope.short}{condition}"


def role(role_name: str, what: Access) -> str:
    """A role by its name, or by its short id where its definition could not be read."""
    return role_name or f"role {short(what.role)}"


def short(guid: str) -> str:
    """The first eight characters of a GUID, enough for a person to compare."""
    return guid[:8]


def counted(number: int, noun: str) -> str:
    """A number with its noun: `1 role assignment`, `3 role assignments`."""
    return f"{number} {noun}" + ("" if number == 1 else "s")


def few(names: Sequence[str]) -> str:
    """The first of some names, and how many more there are: fit for a title."""
    return ", ".join(names[:FEW]) + (f" and {len(names) - FEW} more" if len(names) > FEW else "")


def listed(items: Iterable[str]) -> str:
    """Items joined as a sentence has them: `a, b and c`."""
    words = list(items)
    return " and ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else "".join(words)
