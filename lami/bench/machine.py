"""What the figures were measured on: without that they say nothing."""

from __future__ import annotations

import os
import platform
import sqlite3
import tempfile
from collections.abc import Iterator
from statistics import median

from lami.bench.measure import Row, Say, Size, timed

_TIMES = {"quick": 20, "full": 200}


def run(size: Size, say: Say) -> Iterator[Row]:
    """Python, processors, SQLite and what it costs to have something on disk."""
    yield Row("machine", "Python", f"{platform.python_implementation()} {platform.python_version()}")
    yield Row("machine", "system", f"{platform.system()} {platform.machine()}")
    yield Row("machine", "processors", os.cpu_count())
    yield Row("machine", "SQLite", sqlite3.sqlite_version)
    say("fsync of a file in the folder for temporary files (TMPDIR)")
    with tempfile.TemporaryFile() as file:

        def write() -> None:
            file.write(b"x" * 4096)
            file.flush()
            os.fsync(file.fileno())

        costs = [timed(write) for _ in range(_TIMES[size])]
    yield Row("machine", "4 KiB written and on disk, p50", 1000 * median(costs), "ms")
