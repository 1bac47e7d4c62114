"""Where the processor time of a warm event goes, as Python's profiler sees it: by stage, and by package.

The profiler makes every call dearer, so that code of many small calls looks worse than it is: the shares
tell what to look at, and `event` tells what it is worth. Waiting for ARM and for the disk is left out.
A package's share is that of its own code and of the built-in functions which that code calls.
"""

from __future__ import annotations

import cProfile
import re
import time
from collections.abc import Callable, Iterator
from types import CodeType

from lami.arm.azure import AzureArm
from lami.bench.azure import event
from lami.bench.event import Kind, trips_of, warmed
from lami.bench.measure import Row, Say, Size
from lami.bench.stage import record
from lami.core.decide_holder import decide_holder
from lami.core.decide_principal import decide_principal
from lami.core.decode import decode
from lami.drain import Drain
from lami.service import Service
from lami.store.books import Books
from lami.store.index import Index

_EVENTS = {"quick": 20, "full": 500}
_LARGEST = 8
_PACKAGE = re.compile(r"/(?:site|dist)-packages/(\w+)(?:/(\w+))?(?:/(\w+))?")
_OURS = re.compile(r"/lami/(\w+?)(?:/|\.py)")
_STAGES: tuple[tuple[str, tuple[Callable[..., object], ...]], ...] = (
    ("decode the event", (decode,)),
    ("find whose it is", (Index.principals_of,)),
    ("load the book", (Books.load,)),
    ("look at ARM", (AzureArm.holder, AzureArm.assignment)),
    ("decide", (decide_holder, decide_principal)),
    ("commit", (Books.commit,)),
    ("pay what is owed", (Drain.pay,)),
)
"""What an event consists of, one after the other; none is within another."""


def run(size: Size, say: Say) -> Iterator[Row]:
    """The stages of each kind of event, and the packages with the largest shares."""
    with warmed() as warm:
        for kind in warm.kinds:
            say(f"{_EVENTS[size]} events under the profiler: {kind.name}")
            trips_of(warm, kind)
            profiler = cProfile.Profile(time.process_time)
            for _ in range(_EVENTS[size]):
                told = event(kind.resource, "write", kind.write(warm.azure))
                profiler.runcall(record, warm.lami, told)
            yield from _stages(kind, profiler)
            yield from _packages(kind, profiler)


def _stages(kind: Kind, profiler: cProfile.Profile) -> Iterator[Row]:
    totals = {entry.code: entry.totaltime for entry in profiler.getstats()}
    whole = totals[Service.receive.__code__]
    for name, functions in _STAGES:
        spent = sum(totals.get(function.__code__, 0.0) for function in functions)
        yield Row("profile", f"{kind.name}: {name}", 100 * spent / whole, "%")


def _packages(kind: Kind, profiler: cProfile.Profile) -> Iterator[Row]:
    own: dict[str, float] = {}
    for entry in profiler.getstats():
        if isinstance(entry.code, CodeType):
            built_in = sum(call.inlinetime for call in entry.calls or () if isinstance(call.code, str))
            part = _part(entry.code.co_filename)
            own[part] = own.get(part, 0.0) + entry.inlinetime + built_in
    whole = sum(own.values())
    for part, seconds in sorted(own.items(), key=lambda item: -item[1])[:_LARGEST]:
        yield Row("profile", f"{kind.name}: in {part}", 100 * seconds / whole, "%")


def _part(file: str) -> str:
    """The package that a file of Python belongs to; of Azure's and of lami's, the part."""
    if found := _PACKAGE.search(file):
        depth = {"azure": 2 if found[2] != "mgmt" else 3}.get(found[1], 1)
        return ".".join(part for part in found.groups()[:depth] if part)
    if found := _OURS.search(file):
        return f"lami.{found[1]}"
    return "Python's standard library"
