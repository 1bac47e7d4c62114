"""ungranted-identity: an identity is on, nothing is expected of it, and no role assignment gives it anything.

Either it was forgotten to be granted, or it is not needed: then it is an identity that waits for somebody to
make something of it. It opens after the policy's grace, and never beside `missing-grant`.
"""

from __future__ import annotations

from msgspec import Struct

from lami.core import naming, persisting, remedy, ungranted
from lami.core.ids import ResourceId, digest
from lami.core.messages import apps
from lami.core.model import Book, Found, HolderState, SubjectKind
from lami.core.policy import Policy

_NOTES = (
    "lami sees role assignments. It may have access of other kinds: access policies of a key vault, users of "
    "a database, permissions in Microsoft Graph, what its groups hold.",
)


class UngrantedIdentity(Struct, frozen=True):
    """Objects to an identity that is on for nothing."""

    rule: str = ungranted.RULE
    judges: SubjectKind = "holder"

    def detect(self, book: Book, policy: Policy) -> tuple[Found, ...]:
        """At most one finding a holder, open once it has stood for the policy's grace."""
        state = book.state
        if not isinstance(state, HolderState) or not persisting.objected(state.ungranted):
            return ()
        held, subject = state.ungranted, naming.subject_of(book)
        if held.since is None or held.cause is None:
            return ()
        users = apps(state)
        return (
            Found(
                rule=self.rule,
                key="ungranted",
                severity=policy.severity(self.rule),
                subject=subject,
                title=f"{subject.name} has a managed identity that is granted nothing, nor expected to be",
                detail={"principalId": state.observed.system, "scope": subject.id},
                cause=held.cause,
                since=held.since,
                thread=digest(book.subject.key, length=16),
                standing=held.stood == held.places,
                notes=(*((f"Used by: {naming.listed(users)}",) if users else ()), *_NOTES),
                remediation=_commands(ResourceId(book.subject.id), state),
            ),
        )


def _commands(holder: ResourceId, state: HolderState) -> tuple[str, ...]:
    """Switch it off, where it is the app's own; what to grant it instead, only its owner knows."""
    own = state.kind == "logicApp" and bool(state.observed.system)
    return (remedy.remove_system_identity(holder),) if own else ()
