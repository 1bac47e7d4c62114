"""Work that is done every so often, in a thread of its own."""

from __future__ import annotations

import logging
from collections.abc import Callable
from threading import Event, Thread

from lami.errors import LamiError

log = logging.getLogger(__name__)

_LONGEST = 30.0
"""Seconds between tries, at most, while the work fails (or its own interval, if longer)."""


class Ticker:
    """Calls `work` every `every` seconds, and at once again while it answers that there is more to do.

    What lami raises on purpose is logged, and tried again at growing intervals. Anything else is a fault
    in lami: the thread ends with it, Python prints its trace, and `died` is called.
    """

    def __init__(
        self, name: str, work: Callable[[], bool], every: float, died: Callable[[str], None]
    ) -> None:
        self._name = name
        self._work = work
        self._every = every
        self._died = died
        self._stop = Event()
        # A daemon: a process that ends must not wait for a listing of all Azure. A crash is safe anywhere.
        self._thread = Thread(target=self._run, name=f"lami-{name}", daemon=True)

    def start(self) -> None:
        """Begin; the first call comes after one interval."""
        self._thread.start()

    def stop(self, seconds: float) -> None:
        """Ask it to end and wait for the call that is running, but no longer than so many seconds."""
        self._stop.set()
        if self._thread.ident is None:
            return  # Closed while it was being started: it ends as soon as it begins.
        self._thread.join(seconds)
        if self._thread.is_alive():
            log.warning("%s was still at work when lami stopped; it goes on at the next start", self._name)

    def _run(self) -> None:
        wait = self._every
        finished = False
        try:
            while not self._stop.wait(wait):
                try:
                    wait = 0.0 if self._work() else self._every
                except LamiError as failure:
                    log.warning("%s: %s; it is tried again", self._name, failure)
                    wait = min(max(2 * wait, self._every), max(_LONGEST, self._every))
            finished = True
        finally:
            if not finished:
                self._died(self._name)
