"""A lami in memory over a simulated Azure, without faults: what machines and fuzzing drive."""

from __future__ import annotations

from dataclasses import dataclass, field

from lami.channels.channel import Alert
from lami.core.model import Actor
from lami.core.policy import parse
from lami.schedule import take_baseline
from lami.settings import Settings, packaged_policy
from lami.wiring import Watch, assemble
from tests.simulation.azure import SUB, SimulatedAzure
from tests.simulation.memory_table import MemoryTable

OPERATOR = Actor("user", "robin", "Robin Operator")


@dataclass
class Ear:
    """A channel that remembers what it was told, as pairs of finding and telling."""

    name: str = "teams"
    told: list[tuple[str, str]] = field(default_factory=list)

    def send(self, alert: Alert) -> None:
        self.told += [(finding.id, finding.telling) for finding in alert.findings]


class SmallWorld:
    """The pieces, and time that passes only when it is told to."""

    def __init__(self, policy: str = "") -> None:
        self.azure = SimulatedAzure(7)
        self.table = MemoryTable()
        self.ear = Ear()
        settings = Settings(frozenset({SUB}), policy=parse(policy, packaged_policy()), auth="none")
        self.lami = assemble(
            settings, self.table, self.azure, (self.ear,), Watch(), self.azure.clock, self.azure.sleep
        )

    def take(self, reason: str = "") -> None:
        """Take the baseline."""
        assert not take_baseline(self.lami, OPERATOR, reason).partial

    def deliver(self) -> None:
        """Deliver every event raised so far, once, in order."""
        events = list(self.azure.events)
        self.azure.events.clear()
        for event in events:
            assert self.lami.service.receive(event).outcome != "rejected"

    def pass_time(self, seconds: float) -> None:
        """Let time pass, with a walk at its end: as often as something is due."""
        self.azure.sleep(seconds)
        for _ in range(20):
            if not self.lami.service.walk():
                return
        raise AssertionError("the walker never comes to an end")
