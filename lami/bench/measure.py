"""What a measurement yields, and the few ways in which all of them measure."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles
from typing import Literal

from lami.errors import Temporary

Size = Literal["quick", "full"]
"""`quick` is for the tests: everything is run, and few of it."""
Say = Callable[[str], None]
"""Says on what a measurement is at."""
Counted = Callable[[], object]


GROWTH = 1.2
"""How many times as much something may cost where the table holds very much more: noise, and no growth."""


class NotMeasured(Temporary):
    """What was to be measured did not happen; a figure would be about something else."""


@dataclass(frozen=True, slots=True)
class Floor:
    """The least that the same effect costs, in the row's unit, and what was measured for it."""

    value: float
    what: str


@dataclass(frozen=True, slots=True)
class Aim:
    """What a figure should be: at least or at most so much, either itself or as a ratio to its floor."""

    of: Literal["value", "ratio"]
    least: float | None = None
    most: float | None = None

    def __str__(self) -> str:
        """As a table shows it."""
        sign, bound = ("≥", self.least) if self.least is not None else ("≤", self.most)
        return f"{sign} {bound:,g}{' x floor' if self.of == 'ratio' else ''}"

    def met(self, figure: float) -> bool:
        """Whether a figure is so."""
        return (self.least is None or figure >= self.least) and (self.most is None or figure <= self.most)


@dataclass(frozen=True, slots=True)
class Row:
    """One figure. `value` is None where it could not be measured here, and `note` says why.

    `bench` is the measurement it belongs to. A machine's properties have text for a value.
    """

    bench: str
    name: str
    value: float | str | None
    unit: str = ""
    floor: Floor | None = None
    aims: tuple[Aim, ...] = ()
    note: str = ""

    @property
    def ratio(self) -> float | None:
        """How many times as much as the floor it costs; of a rate, how many times slower it is."""
        floor = self.floor.value if self.floor else None
        if not floor or not isinstance(self.value, int | float) or not self.value:
            return None
        return floor / self.value if self.unit.endswith("/s") else self.value / floor

    @property
    def met(self) -> bool | None:
        """Whether every aim is met; None where there is none, or nothing was measured."""
        figures = {"value": self.value, "ratio": self.ratio}
        judged = [(aim, figures[aim.of]) for aim in self.aims]
        if not judged or any(not isinstance(figure, int | float) for _, figure in judged):
            return None
        return all(aim.met(float(figure or 0)) for aim, figure in judged)


def at_most(bound: float) -> Aim:
    """The figure itself is at most so much."""
    return Aim("value", most=bound)


def at_least(bound: float) -> Aim:
    """The figure itself is at least so much."""
    return Aim("value", least=bound)


def within(times: float) -> Aim:
    """The figure is at most so many times its floor."""
    return Aim("ratio", most=times)


def percentile(seconds: Sequence[float], percent: int) -> float:
    """What so many percent of the measurements are not above."""
    return quantiles(seconds, n=100, method="inclusive")[percent - 1]


def timings(
    bench: str,
    name: str,
    ours: Sequence[float],
    floors: Sequence[float],
    what: str,
    aims: tuple[Aim, ...] = (),
    note: str = "",
) -> Iterator[Row]:
    """Half and 99 % of something that was measured many times, in seconds, beside those of its floor."""
    yield Row(bench, f"{name}: p50", 1000 * median(ours), "ms", _ms(median(floors), what), aims, note)
    floor = _ms(percentile(floors, 99), what)
    yield Row(bench, f"{name}: p99", 1000 * percentile(ours, 99), "ms", floor)


def processor(bench: str, name: str, spent: float, least: float, times: int, what: str) -> Row:
    """The client's processor time of one, from what so many took and their floors, in seconds."""
    floor = _ms(least / times, what)
    return Row(bench, f"{name}: the client's processor, mean", 1000 * spent / times, "ms", floor)


def _ms(seconds: float, what: str) -> Floor:
    return Floor(1000 * seconds, what)


def rate(run: Counted, seconds: float) -> float:
    """How many times something can be done in a second of one processor, from doing it for about so long."""
    times, spent = 1, 0.0
    while True:
        begun = time.process_time()
        for _ in range(times):
            run()
        spent = time.process_time() - begun
        if spent >= seconds:
            return times / spent
        times *= 2 if spent < seconds / 4 else 1 + int(seconds / spent)


def timed(run: Counted) -> float:
    """Seconds that something takes, once."""
    begun = time.perf_counter()
    run()
    return time.perf_counter() - begun


@dataclass(frozen=True, slots=True)
class Memory:
    """Megabytes (10^6 bytes) of this process that are in memory: now, and at most so far."""

    now: float
    peak: float


def memory(process: str = "self") -> Memory | None:
    """What a process (by its id) has in memory; None where the kernel has no /proc that says it.

    `getrusage` won't do: it goes on counting what the parent process held.
    """
    status = Path(f"/proc/{process}/status")
    if not status.exists():
        return None
    lines = dict(line.split(":", 1) for line in status.read_text("utf-8").splitlines() if ":" in line)
    return Memory(*(int(lines[name].split()[0]) * 1024 / 1e6 for name in ("VmRSS", "VmHWM")))
