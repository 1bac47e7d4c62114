"""What it takes to import the event path, beside the three Azure packages that no function app of its kind
goes without. Each import is a fresh process; the two take turns.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median

from lami.bench.measure import Aim, Floor, Row, Say, Size, within

TIMES = 1.5
_RUNS = {"quick": 1, "full": 9}
_AZURE = "import azure.functions, azure.identity, azure.data.tables"
_FLOOR = "azure.functions, azure.identity and azure.data.tables alone"
# What function_app imports, and what the first event imports on top: the store and the credential.
_EVENT = "import azure.functions, lami.functions, lami.web.late, azure.identity, lami.store.azure_tables"
_PATHS: tuple[tuple[str, str, tuple[Aim, ...]], ...] = (
    ("the event path", _EVENT, (within(TIMES),)),
    ("and workflows, which come with their first event", f"{_EVENT}; import azure.mgmt.logic", ()),
    ("and the web app, which comes with its first request", f"{_EVENT}; import lami.web.app", ()),
)
_SCRIPT = """
import sys, time
begun = time.perf_counter()
{imports}
seconds = time.perf_counter() - begun
try:
    with open("/proc/self/status", encoding="utf-8") as status:
        held = next(line.split()[1] for line in status if line.startswith("VmRSS"))
except FileNotFoundError:
    held = "0"
print(seconds, held)
"""


@dataclass(frozen=True, slots=True)
class _Imported:
    """Milliseconds that an import took, and the megabytes that its process holds after it (0: not known)."""

    time: float
    memory: float


def run(size: Size, say: Say) -> Iterator[Row]:
    """Time and memory of each path."""
    for name, imports, aims in _PATHS:
        say(f"{name}, {_RUNS[size]} times")
        _import(imports)  # writes what is compiled, and has the disk's pages in memory
        pairs = [(_import(imports), _import(_AZURE)) for _ in range(_RUNS[size])]
        yield Row(
            "startup",
            f"{name}: time",
            median(ours.time for ours, _ in pairs),
            "ms",
            Floor(median(floor.time for _, floor in pairs), _FLOOR),
            aims,
        )
        held = median(ours.memory for ours, _ in pairs)
        yield Row(
            "startup",
            f"{name}: memory",
            held or None,
            "MB",
            Floor(median(floor.memory for _, floor in pairs), _FLOOR) if held else None,
            aims if held else (),
            note="" if held else "this system does not say what a process holds",
        )


def _import(imports: str) -> _Imported:
    # As where it runs: Python keeps what it compiled, even where this shell tells it not to.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(  # noqa: S603 - our own text
        [sys.executable, "-c", _SCRIPT.format(imports=imports)],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    )
    seconds, held = done.stdout.split()
    return _Imported(1000 * float(seconds), int(held) * 1024 / 1e6)
