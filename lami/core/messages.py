"""What books tell each other: the content of a message, made from the sender's book when it is sent.

A message carries the sender's whole relevant state and version, so a later one contains every earlier one;
the outbox row needs to name only its kind and receiver.
"""

from __future__ import annotations

from lami.core.ids import ResourceId
from lami.core.model import Book, Carried, Cause, HolderState, OwedMessage, PrincipalState, Subject
from lami.core.stimuli import Attaches, Carries, Grants, IdentityIs, Message, Unannounced
from lami.core.terms import bare


def compose(book: Book, owed: OwedMessage, cause: Cause, watched: frozenset[str]) -> Message:
    """The message that `owed` names, as the sender's book has it now."""
    state = book.state
    if owed.kind == "unannounced":
        return Unannounced(owed.about, cause)
    if isinstance(state, PrincipalState) and owed.kind == "grants":
        grants = tuple(
            (grant.id.text, grant.access, grant.role_name)
            for _, grant in sorted(state.grants.items())
            if grant.present
        )
        return Grants(book.subject.key, book.version, grants, bare(state.terms), cause)
    if not isinstance(state, HolderState):
        raise TypeError(f"a {book.subject.kind}'s book sends no {owed.kind}")
    me = ResourceId(book.subject.id)
    if owed.kind == "carries":
        carries = owed.to.key in carried(state, watched)
        terms = bare(state.terms) if carries else {}
        return Carries(me, state.kind, state.owner, apps(state), book.version, carries, terms, cause)
    if owed.kind == "attached":
        attaches = any(a.identity.key == owed.to.key for a in state.observed.attached)
        return Attaches(me, book.version, attaches, cause)
    mine = state.granted.get(state.observed.system)
    heard = not state.observed.system or (mine is not None and mine.version > 0)
    grants = mine.grants if mine else ()
    return IdentityIs(me, book.version, state.observed.system, heard, grants, cause)


def carried(state: HolderState, watched: frozenset[str]) -> tuple[str, ...]:
    """The principals whose access is this holder's to expect.

    A user-assigned identity carries its own principal; an app carries its system principal, and of the
    identities it attaches only those in subscriptions that lami does not watch, which have no book.
    """
    return principals(state.observed, watched)


def principals(held: Carried, watched: frozenset[str]) -> tuple[str, ...]:
    """The principals that a holder with these identities carries, sorted."""
    own = {held.system} | {a.principal for a in held.attached if a.identity.subscription not in watched}
    return tuple(sorted(own - {""}))


def apps(state: HolderState) -> tuple[str, ...]:
    """The names of the apps that attach this identity now, sorted."""
    return tuple(sorted(holder_name(user.app) for user in state.users.values() if user.attaches))


def holder_name(id: ResourceId) -> str:
    """A holder's short name; a slot's is `app/slot`."""
    *_, app, kind, name = ("", "", *id.text.rsplit("/", 3))
    return f"{app}/{name}" if kind.lower() == "slots" else id.name


def holder_subject(id: ResourceId) -> Subject:
    """The subject that a holder's id names."""
    return Subject("holder", id.text)
