"""shared-identity: one user-assigned identity is used across resource groups, subscriptions or environments.

Whoever takes over the least of them has what all of them may do, and the log names one identity for all.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from lami.core import naming, persisting, remedy, sharing
from lami.core.ids import ResourceId, digest
from lami.core.model import Book, Found, HolderState, SubjectKind, User
from lami.core.policy import Policy

LISTED = 12
"""How many apps a finding's notes list."""
_MENDED = 3
"""For how many apps it has commands."""


class SharedIdentity(Struct, frozen=True):
    """Objects to an identity that apps carry across borders."""

    rule: str = sharing.RULE
    judges: SubjectKind = "holder"

    def detect(self, book: Book, policy: Policy) -> tuple[Found, ...]:
        """At most one finding an identity; told again when another place comes to share it."""
        state = book.state
        if not isinstance(state, HolderState):
            return ()
        held, places = state.shared, persisting.objected(state.shared)
        if not places or held.since is None or held.cause is None:
            return ()
        subject, users = naming.subject_of(book), sharing.sharers(state)
        across = naming.listed(sharing.borders(state))
        more = (f"and {len(users) - LISTED} more",) if len(users) > LISTED else ()
        return (
            Found(
                rule=self.rule,
                key="shared",
                severity=policy.severity(self.rule),
                subject=subject,
                title=f"{subject.name} is shared by {len(users)} apps across {across}",
                detail={"principalId": state.observed.system, "scope": subject.id},
                cause=held.cause,
                since=held.since,
                telling=digest(*places, length=16),
                thread=digest(book.subject.key, length=16),
                places=places,
                standing=held.stood.issuperset(places),
                notes=(*map(_said, users[:LISTED]), *more, _OWN),
                remediation=tuple(_commands(ResourceId(subject.id), users)),
            ),
        )


_OWN = (
    "Give each app an identity of its own, grant it what that app needs, and only then take the shared one "
    "from it. The commands make and attach one for apps outside the identity's own resource group."
)


def _said(user: User) -> str:
    environment = f", environment {user.environment}" if user.environment else ""
    where = f"resource group {user.app.resource_group} of subscription {naming.short(user.app.subscription)}"
    return f"{naming.holder_name(user.app)}: {where}{environment}"


def _commands(identity: ResourceId, users: tuple[User, ...]) -> Iterator[str]:
    apart = [user.app for user in users if _group(user.app) != _group(identity)]
    for app in apart[:_MENDED]:
        own = remedy.own_identity(app)
        yield remedy.create_identity(own)
        yield remedy.attach_identity(app, own)


def _group(resource: ResourceId) -> tuple[str, str]:
    return resource.subscription, resource.resource_group.lower()
