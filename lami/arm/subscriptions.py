"""Remember how subscriptions are called for an hour, so that a finding can say `subscription contoso-prod`.

A name is for people only, and never a reason to fail or to look again.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock

from msgspec import Struct

KEEP = 3600.0
"""Seconds that a name is believed."""
KEEP_FAILURE = 60.0
"""Seconds until a name that could not be read is tried again."""


class _Held(Struct, frozen=True):
    name: str
    until: float


class SubscriptionNames:
    """Display names by subscription, each read where it is first wanted. Thread-safe.

    `read_one` reads a subscription's name, and gives the empty string where it can't; `clock` gives seconds
    that never go back.
    """

    def __init__(self, read_one: Callable[[str], str], clock: Callable[[], float]) -> None:
        self._read_one = read_one
        self._clock = clock
        self._lock = Lock()
        self._held: dict[str, _Held] = {}
        self._reading: dict[str, Lock] = {}

    def get(self, subscription: str) -> str:
        """The subscription's name; empty where it never could be read.

        One that was read once stays believed while it can't be read again.
        """
        with self._lock:
            reading = self._reading.setdefault(subscription, Lock())
        with reading:  # others who want this name wait for the one read
            held, now = self._held.get(subscription), self._clock()
            if held is None or now >= held.until:
                read = self._read_one(subscription)
                believed = read or (held.name if held is not None else "")
                held = _Held(believed, now + (KEEP if read else KEEP_FAILURE))
                self._held[subscription] = held
            return held.name
