"""Who did something, and why lami looked: actors, causes, and the events that tell of them."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from msgspec import Struct

from lami.core.ids import ResourceId


class Actor(Struct, frozen=True):
    """Who did it, from the claims of an event. All of it is text an attacker may have chosen."""

    kind: Literal["user", "application", "lami", "unknown"] = "unknown"
    id: str = ""
    name: str = ""
    ip: str = ""


class Cause(Struct, frozen=True):
    """What set off a decision: findings of one cause are told together, in whichever books they stand."""

    id: str
    operation: str
    time: datetime
    correlation_id: str = ""
    actor: Actor = Actor()


class Change(Struct, frozen=True):
    """What we were told: one Event Grid event. A hint, never believed for state.

    `operation` is in lower case (`microsoft.logic/workflows/write`).
    """

    event_id: str
    resource: ResourceId
    operation: str
    time: datetime
    subscription: str
    actor: Actor = Actor()
    correlation_id: str = ""

    @property
    def deletes(self) -> bool:
        """Whether the operation removes the resource."""
        return self.operation.endswith("/delete")

    @property
    def cause(self) -> Cause:
        """The event as the cause of what follows from it."""
        return Cause(self.event_id, self.operation, self.time, self.correlation_id, self.actor)


ITSELF = Actor("lami", "lami", "lami")
"""Who acts where nobody told lami to: its timers, its reconcile, its start."""
