"""lami.store.sqlite: the contract on a file and in memory, and what only a file promises."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from lami.store.sqlite import SqliteTable
from lami.store.table import Conflict, Create, Put, Replace, StoreUnavailable
from tests.store.contract import TableContract

SPAWN = multiprocessing.get_context("spawn")


class TestSqliteFile(TableContract):
    """The contract on a file."""

    @pytest.fixture
    def table(self, tmp_path: Path) -> Iterator[SqliteTable]:
        table = SqliteTable(str(tmp_path / "lami.db"), busy_seconds=60)
        yield table
        table.close()


class TestSqliteMemory(TableContract):
    """The contract in memory."""

    @pytest.fixture
    def table(self) -> Iterator[SqliteTable]:
        table = SqliteTable(":memory:", busy_seconds=60)
        yield table
        table.close()


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "lami.db")


def test_reopened(path: str) -> None:
    """What was written is there when the file is opened again, etag and all."""
    first = SqliteTable(path)
    first.transact("p", [Create("k", {"v": "x"})])
    row = first.get("p", "k")
    first.close()
    again = SqliteTable(path)
    assert again.get("p", "k") == row
    again.close()


def test_etags_of_the_past_stay_in_the_past(path: str) -> None:
    """An etag is not given again, not even after all rows are gone and the file is opened anew."""
    etags = set()
    for _ in range(3):
        table = SqliteTable(path)
        etags.add(table.transact("p", [Create("k", {})])["k"])
        with pytest.raises(Conflict):
            table.transact("p", [Create("k", {})])
        table.close()
        with sqlite3.connect(path) as connection:
            connection.execute("DELETE FROM entities")
        connection.close()
    assert len(etags) == 3


WRITER = """
import sys
from lami.store.sqlite import SqliteTable
from lami.store.table import Create
table = SqliteTable(sys.argv[1])
number = 0
while True:
    table.transact("p", [Create(f"{number:06} {half}", {"text": "x" * 5000}) for half in ("a", "b")])
    print(number, flush=True)
    number += 1
"""


def test_killed(path: str) -> None:
    """A process killed in the middle of its work loses nothing it acknowledged and leaves no half."""
    process = subprocess.Popen([sys.executable, "-c", WRITER, path], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    acknowledged = -1
    for line in process.stdout:
        acknowledged = int(line)
        if acknowledged == 50:
            process.send_signal(signal.SIGKILL)
    process.wait()
    assert acknowledged >= 50
    table = SqliteTable(path)
    keys = [row.key for row in table.query("p")]
    table.close()
    assert keys == [f"{n:06} {half}" for n in range(len(keys) // 2) for half in ("a", "b")]
    assert len(keys) // 2 in (acknowledged + 1, acknowledged + 2)


def add(path: str) -> None:
    """Add 1 to the same row 20 times, in a process of its own."""
    table = SqliteTable(path, busy_seconds=60)
    done = 0
    while done < 20:
        row = table.get("p", "count")
        try:
            if row is None:
                table.transact("p", [Create("count", {"n": 1})])
            else:
                table.transact("p", [Replace("count", {"n": int(row.values["n"]) + 1}, row.etag)])
        except Conflict:
            continue
        done += 1
    table.close()


def test_several_processes(path: str) -> None:
    """Processes that open one new file at once and race on one row lose no write."""
    with ProcessPoolExecutor(4, mp_context=SPAWN) as processes:
        list(processes.map(add, [path] * 4))
    table = SqliteTable(path)
    row = table.get("p", "count")
    table.close()
    assert row is not None
    assert row.values == {"n": 80}


def test_locked(path: str) -> None:
    """While another program holds the file, writing is refused for now and reading goes on."""
    table = SqliteTable(path, busy_seconds=0.05)
    table.transact("p", [Create("k", {"v": 1})])
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailable, match="locked"):
        table.transact("p", [Put("k", {"v": 2})])
    row = table.get("p", "k")
    assert row is not None
    assert row.values == {"v": 1}
    other.execute("ROLLBACK")
    other.close()
    table.transact("p", [Put("k", {"v": 2})])
    table.close()


def test_unusable_file(tmp_path: Path) -> None:
    """A file that can't be opened, or is no database, is a store that is unavailable, by its name."""
    (tmp_path / "text.db").write_text("this is no database, whatever its name says " * 40)
    for path in (tmp_path / "missing" / "lami.db", tmp_path, tmp_path / "text.db"):
        table = SqliteTable(str(path))
        with pytest.raises(StoreUnavailable, match=str(path)):
            table.get("p", "k")
        with pytest.raises(StoreUnavailable, match=str(path)):
            table.transact("p", [Create("k", {})])
        table.close()


def test_a_flush_reaches_the_disk_once_whoever_wrote(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What another connection wrote is in the file that is synced; a disk that fails is no flush."""
    synced: list[bytes] = []
    log = Path(f"{path}-wal")
    monkeypatch.setattr(os, "fsync", lambda file: synced.append(log.read_bytes()))
    writer, other = SqliteTable(path), SqliteTable(path)
    assert other.get("p", "k") is None
    writer.transact("p", [Create("k", {"v": "a text to be found"})])
    assert synced == []
    other.flush()
    assert len(synced) == 1
    assert b"a text to be found" in synced[0]

    def broken(file: object) -> None:
        raise OSError("input/output error")

    monkeypatch.setattr(os, "fsync", broken)
    with pytest.raises(StoreUnavailable, match="input/output error"):
        other.flush()
    writer.close()
    other.close()


def test_closed(path: str) -> None:
    """A closed table answers nothing; it does not open the file again behind its owner's back."""
    table = SqliteTable(path)
    table.close()
    with pytest.raises(StoreUnavailable, match="closed"):
        table.get("p", "k")
    assert not Path(path).exists()
