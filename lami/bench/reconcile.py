"""Reconcile and baseline of a large estate: seconds, memory, and how many books were loaded.

lami runs in a process of its own, anew for each of the two, and the estate is served by another. The floor
of a run in which nothing differs is to fetch every page of those listings and parse its JSON.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

from lami.arm.azure import AzureArm
from lami.bench.apart import apart
from lami.bench.estate import Shape, drift, generated, paths_of, url_of
from lami.bench.measure import Aim, Floor, NotMeasured, Row, Say, Size, at_most, memory, timed
from lami.bench.noting import Noting, Trip, loads_a_book
from lami.schedule import reconcile_now, take_baseline_if_none
from lami.settings import read
from lami.store.sqlite import SqliteTable
from lami.wiring import Lami, Watch, assemble

MOST_MEMORY = 250.0
_SHAPES = {"quick": Shape(4, 40, 800), "full": Shape(40, 5_000, 100_000)}
_DIFFERING = {"quick": 6, "full": 100}
_FLOOR = "every page of the listings fetched by http.client and its JSON parsed"


@dataclass(slots=True)
class Runner:
    """A lami in its own process; `loads` counts the books that it read."""

    lami: Lami
    loads: int = 0


@dataclass(frozen=True, slots=True)
class Ran:
    """What a run took: seconds, seconds of the processor, books loaded, MB that its process held at most."""

    seconds: float
    processor: float
    loads: int
    peak: float | None
    differing: int


@contextmanager
def runner(environment: dict[str, str]) -> Iterator[Runner]:
    """A lami as the environment says, that counts the books it loads."""
    logging.basicConfig(level=logging.ERROR)
    settings = read(environment)
    made: list[Runner] = []

    def note(trip: Trip) -> None:
        if made and loads_a_book(trip):
            made[0].loads += 1

    table = Noting(SqliteTable(settings.sqlite_path), note)
    with closing(assemble(settings, table, AzureArm(settings.arm_endpoint, None), (), Watch())) as lami:
        made.append(Runner(lami))
        yield made[0]


def take(runner: Runner) -> Ran:
    """Take the baseline."""
    loads, begun, busy = runner.loads, time.perf_counter(), time.process_time()
    report = take_baseline_if_none(runner.lami)
    spent, used = time.perf_counter() - begun, time.process_time() - busy
    if report is None or report.partial:
        raise NotMeasured(f"the baseline could not be taken of all of it: {report}")
    return Ran(spent, used, runner.loads - loads, _peak(), report.differing)


def reconcile(runner: Runner) -> Ran:
    """Compare all of it."""
    loads, begun, busy = runner.loads, time.perf_counter(), time.process_time()
    report = reconcile_now(runner.lami)
    spent, used = time.perf_counter() - begun, time.process_time() - busy
    if report.partial:
        raise NotMeasured(f"reconcile could not see or do all of it: {report}")
    return Ran(spent, used, runner.loads - loads, _peak(), report.differing)


def run(size: Size, say: Say) -> Iterator[Row]:
    """The baseline of everything; a run in which nothing differs; one in which something does."""
    shape, differing = _SHAPES[size], _DIFFERING[size]
    of = f"{shape.assignments:,} assignments, {shape.apps:,} apps, {shape.subscriptions} subscriptions"
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="lami-bench-")))
        say(f"making an estate: {of}")
        estate = stack.enter_context(apart(generated, shape))
        environment = {
            "LAMI_STORE": f"sqlite:///{folder / 'lami.db'}",
            "LAMI_SUBSCRIPTIONS": ",".join(shape.names),
            "LAMI_ARM_ENDPOINT": estate.do(url_of),
            "LAMI_CREDENTIAL": "none",
            "LAMI_LOOPBACK": "1",
        }
        say("taking the baseline of all of it")
        with apart(runner, environment) as lami:
            taken = lami.do(take)
        yield from _rows(f"baseline of {of}", taken)
        with apart(runner, environment) as lami:
            say("reconciling where nothing differs")
            same = lami.do(reconcile)
            paths = estate.do(paths_of)
            url = estate.do(url_of)
            floor = Floor(timed(lambda: _fetch(url, paths)), _FLOOR)
            yield from _rows(f"nothing differs of {of}", same, floor, at_most(0))
            say(f"reconciling where {differing} identities differ")
            estate.do(drift, differing)
            changed = lami.do(reconcile)
            # A principal that gains or loses tells its holder, whose book is loaded for that.
            yield from _rows(f"{differing} differ of {of}", changed)
        yield Row("reconcile", f"{differing} differ: found", changed.differing, "subjects")


def _rows(name: str, ran: Ran, floor: Floor | None = None, *most: Aim) -> Iterator[Row]:
    yield Row("reconcile", f"{name}: time", ran.seconds, "s", floor)
    yield Row("reconcile", f"{name}: processor", ran.processor, "s")
    yield Row("reconcile", f"{name}: books loaded", ran.loads, "books", aims=most)
    note = "" if ran.peak is not None else "this system does not say what a process holds"
    yield Row("reconcile", f"{name}: memory at most", ran.peak, "MB", aims=(at_most(MOST_MEMORY),), note=note)


def _peak() -> float | None:
    held = memory()
    return held.peak if held else None


def _fetch(url: str, paths: tuple[str, ...]) -> None:
    parts = urlsplit(url)
    with closing(HTTPConnection(parts.hostname or "", parts.port)) as connection:
        for path in paths:
            connection.request("GET", path)
            json.loads(connection.getresponse().read())
