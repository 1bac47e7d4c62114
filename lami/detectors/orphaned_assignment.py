"""orphaned-assignment: a role assignment of a principal that every holder it had has shed, or that is gone.

Azure keeps role assignments when the identity goes. Whether a principal is orphaned is known from who
carried it, and else from the directory where lami may ask it (`lami.core.directory`); never from
`principalType`, which is frozen when the assignment is made.
Source: Microsoft's managed-identity best practices.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from msgspec import Struct

from lami.core import naming, remedy
from lami.core.model import Book, Cause, Found, Grant, PrincipalState, Severity, SubjectKind
from lami.core.policy import Policy, worst
from lami.detectors import grants

RULE = "orphaned-assignment"


class OrphanedAssignment(Struct, frozen=True):
    """Objects to each present grant of a principal that nobody carries any longer, or that is no more."""

    rule: str = RULE
    judges: SubjectKind = "principal"

    def detect(self, book: Book, policy: Policy) -> Iterator[Found]:
        """One finding an assignment, open once it has stood for the policy's grace."""
        state = book.state
        if not isinstance(state, PrincipalState):
            return
        why = _why(book, state)
        if why is None:
            return
        subject = naming.subject_of(book)
        for key, grant in sorted(state.grants.items()):
            if not grant.present or grant.tolerated:
                continue
            yield Found(
                rule=self.rule,
                key=grants.identity(key, grant),
                severity=_severity(grant, policy),
                telling=_severity(grant, policy),
                subject=subject,
                title=f"{naming.access(grant.role_name, grant.access)} is left behind: {why.words}",
                detail=grants.detail(book, state, grant),
                cause=why.cause,
                since=why.since,
                thread=grants.thread(book, state),
                notes=why.notes,
                attack=("T1078.004",),
                remediation=(remedy.delete_assignment(grant.id.text),),
            )


class _Why(Struct, frozen=True):
    """Why what a principal holds is left behind, since when, and what follows for whoever names it still."""

    words: str
    cause: Cause
    since: datetime
    notes: tuple[str, ...] = ()


def _why(book: Book, state: PrincipalState) -> _Why | None:
    """None where it is not. Who carried it is asked first: of that Azure Resource Manager knows better."""
    shed = state.shed
    if not shed and not state.gone:
        return None
    name, short = naming.name_of(book), naming.short(book.subject.key)
    if shed:
        last = max(state.carriers.values(), key=lambda carrier: (carrier.since, carrier.holder.key))
        return _Why(f"{name} no longer has the identity {short}", last.cause, last.since)
    standing = state.standing
    if standing is None:
        return None
    if not state.carriers:
        return _Why(f"{name} no longer exists in Entra ID", standing.cause, standing.since)
    words = f"{name} still has the identity {short}, which no longer exists in Entra ID"
    return _Why(words, standing.cause, standing.since, (_DEAD,))


_DEAD = (
    "Whoever has this identity can sign in nowhere. A system-assigned one is made anew by switching it off "
    "and on, a user-assigned one by creating it again; the new one has to be granted what this one holds."
)


def _severity(grant: Grant, policy: Policy) -> Severity:
    floor = policy.severity(RULE)
    reach = policy.reach(grant.powers, grant.access.scope)
    return floor if reach is None else worst(floor, reach[0])
