"""Waiting for whoever runs a server to stop it, with Ctrl-C or SIGTERM."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event
from types import FrameType


@contextmanager
def stopping() -> Iterator[Event]:
    """An event that Ctrl-C and SIGTERM set. At the end both mean again what they meant before."""
    stop = Event()

    def heard(number: int, frame: FrameType | None) -> None:
        stop.set()

    before = {number: signal.signal(number, heard) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def wait(stop: Event) -> None:
    """Wait until it is set. In steps: a wait without an end keeps signals waiting too, on some systems."""
    while not stop.wait(1):
        pass
