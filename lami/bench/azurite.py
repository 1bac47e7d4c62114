"""A warm event on Azurite, Microsoft's emulator of Table Storage, beside the bare SDK doing the same.

The floor is one bare GET and, with the stock client of azure-data-tables, as many calls as the event makes,
of the same kinds on rows of the same sizes. Azurite is asked for where a checkout of lami has it, or where
the environment variable `AZURITE` says (the path of its `dist/src/table/main.js`); it needs node.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from itertools import count
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from azure.data.tables import TableClient, UpdateMode

from lami.bench.apart import Apart
from lami.bench.azure import addresses, count_reads, event, forget_reads, small_azure
from lami.bench.event import Kind, populate
from lami.bench.floors import bare_get
from lami.bench.measure import Floor, NotMeasured, Row, Say, Size, processor, timed, timings, within
from lami.bench.noting import Noting, Trip
from lami.bench.stage import lami_on, record, settings_for
from lami.sandbox import Sandbox
from lami.schedule import take_baseline_if_none
from lami.store.azure_tables import from_connection_string
from lami.store.table import Create, Delete, Operation, Put, Replace
from lami.wiring import Lami

TIMES = 1.3
_WARM = 10
_EVENTS = {"quick": 15, "full": 400}
_FLOOR = "one bare GET, and the same calls with azure-data-tables alone"
_STORE_FLOOR = "the same calls with azure-data-tables alone"
_CHECKOUT = Path(__file__).parents[2] / "tests/node_modules/azurite/dist/src/table/main.js"
_PATIENCE = 60.0
# The account and key that every Azurite has and Microsoft documents; they guard nothing.
_ACCOUNT = "devstoreaccount1"
_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


def run(size: Size, say: Say) -> Iterator[Row]:
    """The two warm events; one row that says why, where there is no Azurite."""
    node, program = shutil.which("node"), Path(os.environ.get("AZURITE") or _CHECKOUT)
    if node is None or not program.exists():
        missing = "node" if node is None else f"no Azurite at {program}; AZURITE may name its table/main.js"
        yield Row("azurite", "a warm event", None, "ms", note=f"skipped: {missing}")
        return
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="lami-bench-")))
        say("starting Azurite")
        store = stack.enter_context(_azurite(node, program, folder))
        azure = stack.enter_context(small_azure())
        kinds = populate(azure)
        settings = settings_for(azure.do(addresses), folder, store=store)
        trips: list[Trip] = []
        table = Noting(from_connection_string(store, settings.table), trips.append)
        lami = stack.enter_context(lami_on(settings, table))
        take_baseline_if_none(lami)
        for number, kind in enumerate(kinds):
            say(f"{_EVENTS[size]} events: {kind.name}")
            bare = stack.enter_context(_bare_client(store, f"bench{number}"))
            yield from _measure(azure, lami, trips, kind, bare, _EVENTS[size])


def _measure(
    azure: Apart[Sandbox], lami: Lami, trips: list[Trip], kind: Kind, bare: TableClient, events: int
) -> Iterator[Row]:
    for _ in range(_WARM):
        trips.clear()
        azure.do(forget_reads)
        written = kind.write(azure)
        record(lami, event(kind.resource, "write", written))
    if azure.do(count_reads) != 1:
        raise NotMeasured(f"{kind.name}: more than the one read that was to be measured")
    again = _Again(bare, tuple(trips))
    whole, stores, floors, bares = list[float](), list[float](), list[float](), list[float]()
    spent, least = 0.0, 0.0
    with bare_get(lami.settings.arm_endpoint, written.id, kind.version) as get:
        again()
        get()
        for _ in range(events):
            told = event(kind.resource, "write", kind.write(azure))
            trips.clear()
            before = time.process_time()
            whole.append(timed(lambda: record(lami, told)))  # noqa: B023 - called at once
            between = time.process_time()
            stores.append(sum(trip.seconds for trip in trips))
            bares.append(timed(again))
            floors.append(bares[-1] + timed(get))
            spent += between - before
            least += time.process_time() - between
    name, calls, aims = kind.name, f"{len(again.trips)} calls", (within(TIMES),)
    yield from timings("azurite", name, whole, floors, _FLOOR, aims, calls)
    yield processor("azurite", name, spent, least, events, _FLOOR)
    share = Floor(1000 * median(bares), _STORE_FLOOR)
    yield Row("azurite", f"{name}: the store's share, p50", 1000 * median(stores), "ms", share, aims, calls)


class _Again:
    """Makes an event's calls again with the stock client: rows that the event made are new ones each time."""

    def __init__(self, client: TableClient, trips: Sequence[Trip]) -> None:
        self.trips = trips
        self._client = client
        self._numbers = count()
        self._new = {
            (trip.partition, operation.key)
            for trip in trips
            for operation in trip.operations
            if isinstance(operation, Create)
        }
        for trip in trips:
            for row in trip.found:  # what its queries are to find
                client.upsert_entity({"PartitionKey": row.partition, "RowKey": row.key, **row.values})

    def __call__(self) -> None:
        """Make the calls."""
        number = next(self._numbers)
        for trip in self.trips:
            if trip.kind == "get":
                self._client.get_entity(trip.partition, trip.first)
            elif trip.kind == "query":
                last = f" and RowKey lt '{trip.last}'" if trip.last is not None else ""
                wanted = f"PartitionKey eq '{trip.partition}' and RowKey ge '{trip.first}'{last}"
                list(self._client.query_entities(wanted))
            else:
                self._client.submit_transaction([self._step(trip, number, each) for each in trip.operations])

    def _step(
        self, trip: Trip, number: int, operation: Operation
    ) -> tuple[str, Mapping[str, object], Mapping[str, object]]:
        key = operation.key
        if (trip.partition, key) in self._new:
            key = f"{key}.{number}"
        entity = {"PartitionKey": trip.partition, "RowKey": key}
        match operation:
            case Delete():
                return "delete", entity, {}
            case Create(values=values):
                return "create", {**entity, **values}, {}
            case Put(values=values) | Replace(values=values):
                return "upsert", {**entity, **values}, {"mode": UpdateMode.REPLACE}


@contextmanager
def _bare_client(store: str, table: str) -> Iterator[TableClient]:
    with closing(TableClient.from_connection_string(store, table)) as client:
        client.create_table()
        yield client


@contextmanager
def _azurite(node: str, program: Path, folder: Path) -> Iterator[str]:
    """Run an Azurite that keeps its tables in memory, and give its connection string; end it on leaving."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = ["--tableHost", "127.0.0.1", "--tablePort", str(port), "--inMemoryPersistence"]
    options += ["--silent", "--disableTelemetry", "--skipApiVersionCheck"]
    process = subprocess.Popen(  # noqa: S603 - what the checkout or the operator names
        [node, str(program), *options], cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        _wait(process, port)
        endpoint = f"http://127.0.0.1:{port}/{_ACCOUNT}"
        account = f"AccountName={_ACCOUNT};AccountKey={_KEY}"
        yield f"DefaultEndpointsProtocol=http;{account};TableEndpoint={endpoint};"
    finally:
        process.kill()
        process.wait()


def _wait(process: subprocess.Popen[bytes], port: int) -> None:
    end = time.monotonic() + _PATIENCE
    while process.poll() is None and time.monotonic() < end:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise NotMeasured("Azurite did not start")
