"""Very many schedules, spread over processes: one for each core."""

from __future__ import annotations

import gc
import logging
import multiprocessing
import os
import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass

from tests.simulation.schedules import BY_NAME, EVERY, run

CHUNK = 50
"""Schedules that a process is given at a time."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Schedules of one kind: `count` seeds from `first` on."""

    kind: str
    wide: bool
    first: int
    count: int


@dataclass(frozen=True, slots=True)
class Bad:
    """A schedule after which something did not hold."""

    kind: str
    wide: bool
    seed: int
    wrong: tuple[str, ...]

    def __str__(self) -> str:
        """What did not hold, and how to see it again."""
        width = "wide" if self.wide else "narrow"
        lines = "".join(f"\n    {wrong}" for wrong in self.wrong[:8])
        return (
            f"{width}, {self.kind}, seed {self.seed}:{lines}"
            f'\n    again: make simulate SEED={self.seed} KIND="{self.kind}" WIDTH={width}'
        )


def chunks(narrow: int, wide: int, first: int = 0) -> list[Chunk]:
    """So many narrow and wide schedules, at least, spread evenly over the kinds of fault."""
    found = []
    for is_wide, count in ((False, narrow), (True, wide)):
        each = -(-count // len(EVERY))
        for start in range(first, first + each, CHUNK):
            size = min(CHUNK, first + each - start)
            found += [Chunk(faults.name, is_wide, start, size) for faults in EVERY]
    return found


def judge(kind: str, wide: bool, seed: int) -> Bad | None:
    """Run one schedule; None where all that must hold does. One that does not come to its end is bad."""
    try:
        wrong = run(seed, BY_NAME[kind], wide).violations()
    except Exception as error:  # noqa: BLE001 - whatever it is, it stops no other schedule
        wrong = ["".join(traceback.format_exception(error)[-3:])]
    return Bad(kind, wide, seed, tuple(wrong)) if wrong else None


def do(chunk: Chunk) -> list[Bad]:
    """Run the schedules of one chunk, in this process."""
    logging.disable(logging.CRITICAL)
    seeds = range(chunk.first, chunk.first + chunk.count)
    # Collecting garbage takes a tenth of the time, and a chunk leaves little.
    gc.disable()
    try:
        return [bad for seed in seeds if (bad := judge(chunk.kind, chunk.wide, seed))]
    finally:
        gc.enable()
        gc.collect()
        logging.disable(logging.NOTSET)


def do_all(
    work: Sequence[Chunk], progress: Callable[[Chunk, Sequence[Bad]], None] = lambda chunk, bad: None
) -> list[Bad]:
    """Run all chunks, as many at a time as there are cores."""
    return [bad for chunk, found in _spread(work) for bad in _shown(progress, chunk, found)]


def _shown(
    progress: Callable[[Chunk, Sequence[Bad]], None], chunk: Chunk, found: Sequence[Bad]
) -> Sequence[Bad]:
    progress(chunk, found)
    return found


def _spread(work: Sequence[Chunk]) -> Iterator[tuple[Chunk, list[Bad]]]:
    # Spawned and not forked: a test's process has threads.
    how = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(os.cpu_count(), mp_context=how) as pool:
        asked = {pool.submit(do, chunk): chunk for chunk in work}
        for answer in as_completed(asked):
            yield asked[answer], answer.result()
