"""What lami costs, measured on this machine, each figure beside a floor measured in the same run.

A floor is the least that somebody could do who wanted the same effect: the same read with the bare HTTP
client, the same rows in one bare transaction. Only a ratio says something on another machine.
`lami bench` runs what is named here; nothing else of lami knows this package.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import cast

from lami.bench.measure import Row, Say, Size


@dataclass(frozen=True, slots=True)
class Bench:
    """One measurement: the name of its module here, and what it measures."""

    name: str
    about: str

    def run(self, size: Size, say: Say) -> Iterator[Row]:
        """Measure. The module is imported now, since most of them bring much with them."""
        module = importlib.import_module(f"lami.bench.{self.name}")
        run = cast(Callable[[Size, Say], Iterator[Row]], module.run)
        return run(size, say)


BENCHES: tuple[Bench, ...] = (
    Bench("machine", "what it is measured on"),
    Bench("core", "decisions a second, on one core"),
    Bench("event", "a warm event, end to end, on SQLite"),
    Bench("azurite", "the same on Azurite, where there is one"),
    Bench("costs", "reads and round trips of ordinary events"),
    Bench("growth", "whether an event costs more where the table holds more"),
    Bench("teams", "from the event to the card in Teams"),
    Bench("storm", "very many events at once, served over HTTP"),
    Bench("reconcile", "baseline and reconcile of a large estate"),
    Bench("detection", "false alarms of a month of ordinary changes, and misses of planted incidents"),
    Bench("timeline", "the first page of a long timeline"),
    Bench("sizes", "bytes of the page and of a card"),
    Bench("profile", "where a warm event's processor time goes"),
    Bench("read", "one read of ARM, layer by layer"),
    Bench("startup", "import of the event path"),
)
"""Every measurement, in the order in which they run."""
