"""A simulated directory beside the simulated Azure: who is deleted, restored and purged; and how it fails.

It implements `lami.graph.protocol.Directory`. Its replicas lag; it refuses; and for hours it may be another
tenant's, which shows nobody and says so politely.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from lami.core.ids import ResourceId
from lami.core.model import Absent, Present, Unknown
from tests.simulation.azure import CONTRIBUTOR, NARROW, SUB, SimulatedAzure, queue_scope

State = Literal["alive", "deleted", "purged"]
STRANGERS = (
    "1c4f2b6e-0d8e-4c43-8ccd-1f2f3a4b5c6d",
    "2c4f2b6e-0d8e-4c43-8ccd-1f2f3a4b5c6d",
    "3c4f2b6e-0d8e-4c43-8ccd-1f2f3a4b5c6d",
)
"""Principals that no logic app ever carried."""
DIRECTORY_LAG = timedelta(minutes=10)
"""How far the directory's replicas may be behind."""
FAILURES = (
    Unknown("403", denied=True),
    Unknown("429: too many requests", retry_after=120),
    Unknown("500"),
    Unknown("the reply is only a part of the answer"),
)


@dataclass
class SimulatedDirectory:
    """Who is in the directory, now and before. Whoever a resource has is there, unless that is said."""

    azure: SimulatedAzure
    fails: float = 0.0
    lag: timedelta = timedelta()
    blind: bool = False
    marks: dict[str, list[tuple[datetime, State]]] = field(default_factory=dict)

    def state(self, principal: str, at: datetime) -> State:
        """How a principal stood at a time, in truth."""
        for since, state in reversed(self.marks.get(principal, [])):
            if since <= at:
                return state
        there = principal in self.azure.systems_at(at) or principal not in self.azure.systems_ever()
        return "alive" if there else "purged"

    def was(self, principal: str, state: State, since: datetime, until: datetime) -> bool:
        """Whether a principal stood so at any time in a span."""
        turns = [since, *(at for at, _ in self.marks.get(principal, ())), *self.azure.times()]
        return any(since <= at <= until and self.state(principal, at) == state for at in turns)

    def turned(self, principal: str, since: datetime, until: datetime) -> bool:
        """Whether somebody was deleted or restored in a span."""
        return any(since <= at <= until for at, _ in self.marks.get(principal, ()))

    def mark(self, principal: str, state: State) -> None:
        """Somebody is deleted, purged or restored."""
        self.azure.sleep(1)
        self.marks.setdefault(principal, []).append((self.azure.now, state))

    # --- what it answers (Directory) ---

    def shown(self, principals: Sequence[str]) -> Mapping[str, str] | Unknown:
        if failed := self._read():
            return failed
        at = self._replica()
        seen = () if self.blind else [one for one in principals if self.state(one, at) == "alive"]
        return dict.fromkeys(seen, "ServicePrincipal")

    def deleted(self, principal: str) -> Present[None] | Absent | Unknown:
        if failed := self._read():
            return failed
        kept = not self.blind and self.state(principal, self._replica()) == "deleted"
        return Present(None) if kept else Absent()

    def close(self) -> None:
        return

    def _read(self) -> Unknown | None:
        self.azure.trouble.step()
        return self.azure.random.choice(FAILURES) if self.azure.trouble.strikes(self.fails) else None

    def _replica(self) -> datetime:
        return self.azure.now - self.lag * self.azure.random.random()


@dataclass(frozen=True)
class Departures:
    """What happens to principals in the directory, drawn by the seed."""

    directory: SimulatedDirectory

    def begin(self) -> None:
        """Somebody else is granted something, too."""
        for number, stranger in enumerate(STRANGERS):
            self.directory.azure.grant(stranger, NARROW, queue_scope(number))

    def kinds(self, others: int) -> list[Callable[[object], None]]:
        """What may happen in the directory, about as often as so many other kinds of change."""
        often = (
            self.depart,
            self.depart,
            self.depart,
            self.settle,
            self.settle,
            self.grant,
            self.die,
            self.blind,
        )
        return [_whoever(often[number % len(often)]) for number in range(max(others, len(often)))]

    def grant(self) -> None:
        """A stranger is granted something, who may be gone, as an old template does it."""
        azure = self.directory.azure
        role = azure.random.choice((NARROW, CONTRIBUTOR))
        azure.grant(self._somebody(), role, ResourceId(f"/subscriptions/{SUB}/resourceGroups/rg"))

    def depart(self) -> None:
        """Whoever is there is deleted, mostly so that it can be restored."""
        directory, one = self.directory, self._somebody()
        if directory.state(one, directory.azure.now) == "alive":
            directory.mark(one, directory.azure.random.choice(("deleted", "deleted", "purged")))

    def settle(self) -> None:
        """Whoever was deleted is restored, or purged."""
        directory = self.directory
        for one in STRANGERS:
            if directory.state(one, directory.azure.now) == "deleted":
                directory.mark(one, directory.azure.random.choice(("alive", "purged")))

    def die(self) -> None:
        """The service principal of an identity that somebody has is purged, and no event tells of it."""
        present = sorted(self.directory.azure.systems_at(self.directory.azure.now))
        if present:
            self.directory.mark(self.directory.azure.random.choice(present), "purged")

    def blind(self) -> None:
        """From now on another tenant answers, or the right one again."""
        self.directory.blind = not self.directory.blind

    def _somebody(self) -> str:
        return self.directory.azure.random.choice(STRANGERS)


def _whoever(happens: Callable[[], None]) -> Callable[[object], None]:
    """As a change of the estate, which is told whose changes it is one of."""
    return lambda changes: happens()
