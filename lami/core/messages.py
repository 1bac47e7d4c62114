"""What books tell each other: the content of a message, made from the sender's book when it is sent.

A message carries the sender's whole relevant state and version, so a later one contains every earlier one;
the outbox row needs to name only its kind and receiver.
"""

from __future__ import annotations

from lami.core.ids import ResourceId
from lami.core.model import (
    Access,
    Book,
    Carried,
    Cause,
    GrantLine,
    HolderState,
    OwedMessage,
    PrincipalState,
    Subject,
)
from lami.core.naming import holder_name, principal_name
from lami.core.stimuli import Attaches, Carries, Grants, Holds, IdentityIs, Message, Unannounced
from lami.core.terms import bare


def compose(book: Book, owed: OwedMessage, cause: Cause, watched: frozenset[str]) -> Message:
    """The message that `owed` names, as the sender's book has it now."""
    state = book.state
    if owed.kind == "unannounced":
        return Unannounced(owed.about, cause)
    if isinstance(state, PrincipalState) and owed.kind == "grants":
        grants = tuple(
            GrantLine(grant.id.text, grant.access, grant.role_name, grant.powers, grant.created)
            for _, grant in sorted(state.grants.items())
            if grant.present
        )
        return Grants(book.subject.key, book.version, grants, bare(state.terms), cause)
    if isinstance(state, PrincipalState) and owed.kind == "holds":
        name, carried_now, accesses = own_roles(state, book.subject.key).get(owed.to.key, ("", False, ()))
        return Holds(book.subject.key, name, carried_now, book.version, accesses, cause)
    if not isinstance(state, HolderState):
        raise TypeError(f"a {book.subject.kind}'s book sends no {owed.kind}")
    me = ResourceId(book.subject.id)
    if owed.kind == "carries":
        carries = owed.to.key in carried(state, watched)
        terms = bare(state.terms) if carries else {}
        return Carries(me, state.kind, state.owner, apps(state), book.version, carries, terms, cause)
    if owed.kind == "attached":
        attaches = any(a.identity.key == owed.to.key for a in state.observed.attached)
        return Attaches(me, book.version, attaches, cause, state.environment)
    mine = state.granted.get(state.observed.system)
    heard = not state.observed.system or (mine is not None and mine.version > 0)
    grants = mine.grants if mine else ()
    return IdentityIs(me, book.version, state.observed.system, heard, grants, cause)


def own_roles(state: PrincipalState, principal: str) -> dict[str, tuple[str, bool, tuple[Access, ...]]]:
    """What a principal tells the books of the custom roles that it holds, by role.

    Its name, whether a holder carries it or did, and what it is granted of the role.
    """
    of_custom = [(key, grant) for key, grant in state.grants.items() if grant.custom and grant.present]
    if not of_custom:
        return {}
    held: dict[str, list[Access]] = {}
    for _, grant in sorted(of_custom):
        held.setdefault(grant.access.role, []).append(grant.access)
    name, carried_ever = principal_name(principal, state), bool(state.carriers)
    return {role: (name, carried_ever, tuple(accesses)) for role, accesses in held.items()}


def carried(state: HolderState, watched: frozenset[str]) -> tuple[str, ...]:
    """The principals whose access is this holder's to expect.

    A user-assigned identity carries its own principal; an app carries its system principal, and of the
    identities it attaches only those in subscriptions that lami does not watch, which have no book.
    """
    return principals(state.observed, watched)


def principals(held: Carried, watched: frozenset[str]) -> tuple[str, ...]:
    """The principals that a holder with these identities carries, sorted."""
    if not held.attached:
        return (held.system,) if held.system else ()
    own = {held.system} | {a.principal for a in held.attached if a.identity.subscription not in watched}
    return tuple(sorted(own - {""}))


def apps(state: HolderState) -> tuple[str, ...]:
    """The names of the apps that attach this identity now, sorted."""
    return tuple(sorted(holder_name(user.app) for user in state.users.values() if user.attaches))


def holder_subject(id: ResourceId) -> Subject:
    """The subject that a holder's id names."""
    return Subject("holder", id.text)
