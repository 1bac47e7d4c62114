"""Whether an event costs more where the table holds more: the same event on stores of different size.

ARM answers from memory here, so that nothing hides the store's share. The stores take turns.
A store is filled with copies of a real app's rows, and of its identity's, under other names.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean, median
from tempfile import TemporaryDirectory
from time import process_time

from lami.bench import azure
from lami.bench.azure import Addresses, Written, event
from lami.bench.canned import APP, SUBSCRIPTION, Canned
from lami.bench.measure import GROWTH, Floor, Row, Say, Size, timed, within
from lami.bench.stage import ONE_BY_ONE, record, settings_for
from lami.schedule import take_baseline_if_none
from lami.settings import Settings
from lami.store.sqlite import SqliteTable
from lami.wiring import Lami, Watch, assemble

_SUBJECTS = {"quick": (100, 2_000), "full": (100, 10_000, 100_000)}
_EVENTS = {"quick": 40, "full": 600}
_WARM = 10
_RENAMED = "substr({0}, 1, instr({0}, '|')) || name || substr({0}, instr({0}, '|') + 9)"
_COPIES = (
    ("partition LIKE 'holder|%'", _RENAMED.format("partition"), "key"),
    ("partition LIKE 'principal|%'", _RENAMED.format("partition"), "key"),
    ("partition LIKE 'assignment|%'", "partition", "name || substr(key, 9)"),
    ("partition LIKE 'digest|_%'", "partition", _RENAMED.format("key")),
)
"""Which rows are copied, and the partition and key of a copy, as SQL."""


@dataclass(slots=True)
class _Store:
    """A lami on a store of so many subjects, and what its events took: seconds, and of the processor."""

    subjects: int
    lami: Lami
    arm: Canned
    wall: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)

    def event(self) -> None:
        """The app is deployed in place, and that is told."""
        told = event(azure.APP, "write", Written(APP.text, self.arm.deploy()))
        before = process_time()
        self.wall.append(timed(lambda: record(self.lami, told)))
        self.processor.append(process_time() - before)


def run(size: Size, say: Say) -> Iterator[Row]:
    """An app deployed in place, with few subjects in the store and with many."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="lami-bench-")))
        stores = []
        for subjects in _SUBJECTS[size]:
            say(f"filling a store with {subjects:,} subjects")
            (where := folder / str(subjects)).mkdir()
            settings = settings_for(Addresses("http://127.0.0.1:1", "", SUBSCRIPTION), where)
            arm = Canned()
            lami = stack.enter_context(closing(_lami(settings, arm)))
            take_baseline_if_none(lami)
            _fill(settings.sqlite_path, subjects)
            stores.append(_Store(subjects, lami, arm))
        say(f"{_EVENTS[size]} events on each")
        for number in range(_WARM + _EVENTS[size]):
            for store in stores:
                store.event()
                if number < _WARM:
                    store.wall.clear()
                    store.processor.clear()
        yield from _rows(stores)


def _rows(stores: list[_Store]) -> Iterator[Row]:
    least = stores[0]
    for store in stores:
        floors = (
            Floor(1000 * median(least.wall), f"the same with {least.subjects:,} subjects"),
            Floor(1000 * mean(least.processor), f"the same with {least.subjects:,} subjects"),
        )
        figures = (("p50", 1000 * median(store.wall)), ("processor, mean", 1000 * mean(store.processor)))
        for (name, value), floor in zip(figures, floors, strict=True):
            what = f"an event with {store.subjects:,} subjects: {name}"
            if store is least:
                yield Row("growth", what, value, "ms")
            else:
                yield Row("growth", what, value, "ms", floor, (within(GROWTH),))


def _lami(settings: Settings, arm: Canned) -> Lami:
    return assemble(settings, SqliteTable(settings.sqlite_path), arm, (), Watch(), calm=ONE_BY_ONE)


def _fill(file: str, subjects: int) -> None:
    """Copy app and identity until there are so many subjects; SQLite does it by itself."""
    copies = (subjects - 2) // 2
    with closing(sqlite3.connect(file)) as connection, connection:
        # A name is as scattered as a real one: the number, times a prime, in the first eight digits.
        connection.execute("CREATE TEMP TABLE names (name TEXT)")
        connection.executemany(
            "INSERT INTO names VALUES (?)", ((f"{n * 2654435761 % 2**32:08x}",) for n in range(1, copies + 1))
        )
        for where, partition, key in _COPIES:
            connection.execute(
                "INSERT INTO entities (partition, key, properties) "  # noqa: S608 - our own text
                f"SELECT {partition}, {key}, properties FROM names, entities WHERE {where}"
            )
