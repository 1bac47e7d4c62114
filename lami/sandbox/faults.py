"""Faults on demand: the reads and sinks of the little Azure fail, lag or dawdle as they were told to.

A fault covers paths (a pattern with `*`, case-blind) and is used up after `count` requests, if it has one.
With a `share` below 1 it strikes that share of them, drawn from the seed.
"""

import random
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from threading import Lock


@dataclass(frozen=True, slots=True)
class Fault:
    """Answer `status`, or show the estate at `tick` or as of `lag` seconds ago, or wait `slow` seconds."""

    path: str = "*"
    status: int | None = None
    retry_after: float | None = None
    tick: int | None = None
    lag: float | None = None
    slow: float | None = None
    count: int | None = None
    share: float = 1.0


class Faults:
    """The faults in force."""

    def __init__(self, seed: int) -> None:
        self._lock = Lock()
        self._random = random.Random(seed)  # noqa: S311 - reproducible, no secrets
        self._active: list[tuple[Fault, int | None]] = []

    def add(self, fault: Fault) -> None:
        """Put one more fault in force."""
        with self._lock:
            self._active.append((fault, fault.count))

    def clear(self) -> None:
        """Lift every fault."""
        with self._lock:
            self._active.clear()

    def active(self) -> list[Fault]:
        """What is in force now."""
        with self._lock:
            return [fault for fault, _ in self._active]

    def strike(self, path: str) -> list[Fault]:
        """The faults that a request for `path` meets; counted ones are used up by it.

        At most one answers with a status, the first set; a lag and a wait may come with it.
        """
        with self._lock:
            struck: list[Fault] = []
            kept: list[tuple[Fault, int | None]] = []
            for fault, left in self._active:
                spent = fault.status is not None and any(other.status is not None for other in struck)
                if spent or not self._meets(fault, path):
                    kept.append((fault, left))
                    continue
                struck.append(fault)
                if left is None or left > 1:
                    kept.append((fault, left and left - 1))
            self._active = kept
            return struck

    def _meets(self, fault: Fault, path: str) -> bool:
        return fnmatchcase(path.lower(), fault.path.lower()) and self._random.random() < fault.share


def status_of(struck: Iterable[Fault]) -> Fault | None:
    """The fault among them that answers with a status."""
    return next((fault for fault in struck if fault.status is not None), None)
