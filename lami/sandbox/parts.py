"""What the little Azure consists of, handed to each of its doors (ARM, control, pages)."""

from collections import deque
from dataclasses import dataclass

from lami.sandbox.directory import Directory
from lami.sandbox.estate import Estate
from lami.sandbox.faults import Faults
from lami.sandbox.grid import Grid
from lami.sandbox.sinks import MailSink, TeamsSink, TopicSink


@dataclass(frozen=True, slots=True)
class Read:
    """One request that ARM or Graph was sent, and how it answered."""

    method: str
    path: str
    query: str
    status: int


@dataclass(frozen=True, slots=True)
class Parts:
    """The estate, its directory and misbehaviour, Event Grid, the three sinks, and the log of requests."""

    estate: Estate
    directory: Directory
    faults: Faults
    grid: Grid
    teams: TeamsSink
    topic: TopicSink
    mail: MailSink
    reads: deque[Read]
