"""What lami asks of Azure Resource Manager, and how a failed read is kept apart from an absence."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Protocol

from msgspec import Struct

from lami.core.ids import ResourceId
from lami.core.model import (
    Definition,
    FailedRuns,
    IdentityHolder,
    Look,
    RoleAssignment,
    RoleDefinition,
    Unknown,
)


class NotAHolder(Struct, frozen=True):
    """The resource is there and is no logic app (a site of another kind): lami has no book for it."""

    id: ResourceId


class Arm(Protocol):
    """Azure as it is now. No method raises for what ARM answers: a failure is `Unknown`, with its reason."""

    def assignment(self, id: ResourceId) -> Look[RoleAssignment]:
        """Look at one role assignment: one read (its role and a subscription's name come from caches)."""
        ...

    def assignments_of(
        self, principal: str, subscriptions: tuple[str, ...]
    ) -> tuple[RoleAssignment, ...] | Unknown:
        """List what a principal is granted at, above or below each subscription; all of it or Unknown."""
        ...

    def holder(self, id: ResourceId) -> Look[IdentityHolder] | NotAHolder:
        """Look at one logic app, slot or user-assigned identity: one read.

        Of a Standard logic app or slot its workflows are read as well: a listing, and one read each. Where
        they cannot be, the app shows no definition, and is otherwise as it is.
        """
        ...

    def workflows_of(self, app: ResourceId) -> Definition | Unknown:
        """Read what the workflows of a Standard logic app or slot show, which no listing of apps shows.

        All of it or Unknown; Unknown also for what has no such workflows.
        """
        ...

    def role(self, id: ResourceId) -> Look[RoleDefinition]:
        """Look at one role definition afresh, and forget what the cache held of it."""
        ...

    def failed_runs(self, app: ResourceId, since: datetime, until: datetime) -> FailedRuns | Unknown:
        """Count the runs of a Consumption logic app, started between two times, that have failed: one read.

        What is no Consumption logic app is Unknown.
        """
        ...

    def holders_in(self, subscription: str) -> Iterator[IdentityHolder | Unknown]:
        """List a subscription's identity holders, page by page; Standard logic apps without definitions.

        An `Unknown` among them means that some kind could not be listed in full.
        """
        ...

    def assignments_in(self, subscription: str) -> Iterator[RoleAssignment | Unknown]:
        """List the role assignments in force in a subscription (those from above it too), page by page."""
        ...

    def close(self) -> None:
        """Let go of connections. Closing twice is harmless."""
        ...
