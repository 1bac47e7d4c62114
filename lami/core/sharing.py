"""Whether one user-assigned identity is carried across borders: of subscription, resource group, environment.

Whoever takes over one of its apps has what all of them may do. The environment of an app is what the tag says
that the policy names; an app without it is of none.
"""

from __future__ import annotations

from datetime import datetime

from msgspec.structs import replace

from lami.core import persisting
from lami.core.ids import digest
from lami.core.model import Cause, HolderState, User

RULE = "shared-identity"


def judged(state: HolderState, cause: Cause, now: datetime) -> HolderState:
    """The state, with the places that share the identity now, where that is more than one of a kind."""
    if not state.users:
        return state  # An app, or an identity that none ever used.
    after = persisting.seen(state.shared, _places(state) if state.present else frozenset(), cause, now)
    return state if after is state.shared else replace(state, shared=after)


def sharers(state: HolderState) -> tuple[User, ...]:
    """The apps that attach the identity now, in the order of their ids."""
    return tuple(user for _, user in sorted(state.users.items()) if user.attaches)


def borders(state: HolderState) -> tuple[str, ...]:
    """Which borders it is carried across, in words: `2 subscriptions`, `2 environments`."""
    kinds = {"subscription": "subscriptions", "group": "resource groups", "environment": "environments"}
    counted = {kind: len(found) for kind, found in _kinds(state).items()}
    return tuple(f"{counted[kind]} {plural}" for kind, plural in kinds.items() if counted[kind] > 1)


def _places(state: HolderState) -> frozenset[str]:
    return frozenset(
        digest(kind, one, length=12)
        for kind, found in _kinds(state).items()
        for one in found
        if len(found) > 1
    )


def _kinds(state: HolderState) -> dict[str, set[str]]:
    users = sharers(state)
    return {
        "subscription": {user.app.subscription for user in users},
        "group": {f"{user.app.subscription}/{user.app.resource_group.lower()}" for user in users},
        "environment": {user.environment.lower() for user in users if user.environment},
    }
