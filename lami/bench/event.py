"""A warm event, end to end: received, ARM read through the real SDK, committed and paid on SQLite.

ARM is the sandbox in another process, on loopback; so wall time holds the time in which it answers, which
the floor holds too, and processor time is the client's alone. Each event has a write behind it, which is
made before the clock starts. Event and floor take turns, so that whatever else the machine does hits both.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from lami.bench.apart import Apart, processor_seconds
from lami.bench.azure import (
    APP,
    ASSIGNMENT,
    NARROW,
    Written,
    addresses,
    count_reads,
    event,
    forget_reads,
    grant,
    put_app,
    small_azure,
    vault,
)
from lami.bench.floors import bare_get, bare_transaction
from lami.bench.measure import (
    NotMeasured,
    Row,
    Say,
    Size,
    at_most,
    processor,
    timed,
    timings,
    within,
)
from lami.bench.noting import Noting, Trip
from lami.bench.stage import lami_on, record, settings_for
from lami.sandbox import Sandbox
from lami.schedule import take_baseline_if_none
from lami.store.sqlite import SqliteTable
from lami.wiring import Lami

AIM = 4.5
TIMES = 3.0
_WARM = 20
_EVENTS = {"quick": 40, "full": 1500}
_KEYED = "one GET on a kept http.client connection, and one SQLite transaction with all the event's rows"


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of event: how it is made to happen, and how ARM is asked for the resource."""

    name: str
    resource: str
    write: Callable[[Apart[Sandbox]], Written]
    version: str


@dataclass(frozen=True, slots=True)
class Warm:
    """What a warm event is measured on, and the kinds of event that there are."""

    folder: Path
    azure: Apart[Sandbox]
    kinds: tuple[Kind, Kind]
    lami: Lami


@dataclass(slots=True)
class Clocked:
    """Seconds of each event and of each floor; `processor` and `least` are the client's share of the two."""

    events: list[float] = field(default_factory=list)
    processor: float = 0.0
    least: float = 0.0
    gets: list[float] = field(default_factory=list)
    writes: list[float] = field(default_factory=list)

    @property
    def floors(self) -> list[float]:
        """GET and transaction together."""
        return [get + write for get, write in zip(self.gets, self.writes, strict=True)]


def run(size: Size, say: Say) -> Iterator[Row]:
    """An app deployed in place, and an assignment written again: one ARM read each."""
    with warmed() as warm:
        for kind in warm.kinds:
            say(f"{_EVENTS[size]} events: {kind.name}")
            trips = trips_of(warm, kind)
            floor = warm.folder / f"{kind.resource.replace('/', '-')}.db"
            clocked = _clock(warm.azure, warm.lami, kind, trips, floor, _EVENTS[size])
            yield from _rows(kind, clocked)
        yield from _server(warm.azure, warm.kinds[1], _EVENTS[size])


@contextmanager
def warmed() -> Iterator[Warm]:
    """A sandbox with one app, and a lami on SQLite that has taken its baseline."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="lami-bench-")))
        azure = stack.enter_context(small_azure())
        kinds = populate(azure)
        settings = settings_for(azure.do(addresses), folder)
        lami = stack.enter_context(lami_on(settings, SqliteTable(settings.sqlite_path)))
        take_baseline_if_none(lami)
        yield Warm(folder, azure, kinds, lami)


def populate(azure: Apart[Sandbox]) -> tuple[Kind, Kind]:
    """An app that is granted three things, and the two ways in which it is touched."""
    subscription = azure.do(addresses).subscription
    app = azure.do(put_app, "claims-intake")
    for number in range(3):
        held = azure.do(grant, NARROW, vault(subscription, number), of=app.id)
    name = held.id.rpartition("/")[2]
    scope = vault(subscription, 2)
    return (
        Kind("an app deployed in place", APP, lambda azure: azure.do(put_app, "claims-intake"), "2019-05-01"),
        Kind(
            "a known assignment written again",
            ASSIGNMENT,
            lambda azure: azure.do(grant, NARROW, scope, of=app.id, name=name),
            "2022-04-01",
        ),
    )


def trips_of(warm: Warm, kind: Kind) -> list[Trip]:
    """What one event asks of the store, once everything is warm. Fails unless it takes one read of ARM."""
    azure, settings = warm.azure, warm.lami.settings
    for _ in range(_WARM):
        record(warm.lami, event(kind.resource, "write", kind.write(azure)))
    trips: list[Trip] = []
    table = SqliteTable(settings.sqlite_path)
    with closing(table), lami_on(settings, Noting(table, trips.append)) as noted:
        record(noted, event(kind.resource, "write", kind.write(azure)))  # fills its cache of roles
        trips.clear()
        azure.do(forget_reads)
        record(noted, event(kind.resource, "write", kind.write(azure)))
    if (reads := azure.do(count_reads)) != 1:
        raise NotMeasured(f"{kind.name}: {reads} reads, where one was to be measured")
    return trips


def _clock(
    azure: Apart[Sandbox], lami: Lami, kind: Kind, trips: list[Trip], file: Path, events: int
) -> Clocked:
    clocked = Clocked()
    written = kind.write(azure)
    endpoint = lami.settings.arm_endpoint
    with bare_get(endpoint, written.id, kind.version) as get, bare_transaction(file, trips) as write:
        for _ in range(_WARM):
            get()
            write()
        for _ in range(events):
            told = event(kind.resource, "write", kind.write(azure))
            before = time.process_time()
            clocked.events.append(timed(lambda: record(lami, told)))  # noqa: B023 - called at once
            between = time.process_time()
            clocked.gets.append(timed(get))
            clocked.writes.append(timed(write))
            clocked.processor += between - before
            clocked.least += time.process_time() - between
    return clocked


def _rows(kind: Kind, clocked: Clocked) -> Iterator[Row]:
    floors = clocked.floors
    parts = f"{1000 * median(clocked.gets):.2f} + {1000 * median(clocked.writes):.2f} ms"
    aims = (at_most(AIM), within(TIMES))
    note = f"the floor's parts: {parts}"
    yield from timings("event", kind.name, clocked.events, floors, _KEYED, aims, note)
    yield processor("event", kind.name, clocked.processor, clocked.least, len(floors), _KEYED)


def _server(azure: Apart[Sandbox], kind: Kind, reads: int) -> Iterator[Row]:
    """What of a read is the sandbox's own: the same GET again and again, with its processor time."""
    endpoint = azure.do(addresses).arm
    with bare_get(endpoint, kind.write(azure).id, kind.version) as get:
        before = azure.do(processor_seconds)
        costs = [timed(get) for _ in range(reads)]
        spent = azure.do(processor_seconds) - before
    yield Row("event", "one bare GET of the sandbox: p50", 1000 * median(costs), "ms")
    yield Row("event", "one bare GET of the sandbox: its processor", 1000 * spent / reads, "ms")
