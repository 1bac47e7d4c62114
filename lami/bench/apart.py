"""Something that runs in a process of its own, so that its time and memory are not ours."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from threading import Lock
from typing import Concatenate, Generic, ParamSpec, TypeVar, cast

from lami.bench.measure import NotMeasured

T = TypeVar("T")
R = TypeVar("R")
P = ParamSpec("P")
_END = 10.0
"""Seconds that a process is given to end."""


class Failed(NotMeasured):
    """What was asked of the other process failed there; the message is its error."""


@dataclass(frozen=True, slots=True)
class Apart(Generic[T]):
    """A `T` that lives in another process. It is asked by functions of a module, which are run there."""

    connection: Connection
    lock: Lock

    def do(self, call: Callable[Concatenate[T, P], R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run a function on it there, and answer what it returns."""
        with self.lock:
            self.connection.send((call, args, kwargs))
            done, answer = self.connection.recv()
        if not done:
            raise Failed(str(answer))
        return cast(R, answer)


@contextmanager
def apart(
    make: Callable[P, AbstractContextManager[T]], /, *args: P.args, **kwargs: P.kwargs
) -> Iterator[Apart[T]]:
    """Make something in a new process that was forked from nothing; it ends on leaving."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, make, args, kwargs), daemon=True)
    process.start()
    theirs.close()
    try:
        try:
            ours.recv()
        except EOFError:
            raise Failed("a process that is measured did not start; its error stands above") from None
        yield Apart(ours, Lock())
    finally:
        ours.close()
        process.join(_END)
        if process.is_alive():
            process.kill()
            process.join()


def processor_seconds(thing: object) -> float:
    """What the process of a thing has spent of the processors; to be asked of an `Apart`."""
    return time.process_time()


def _serve(
    connection: Connection,
    make: Callable[..., AbstractContextManager[T]],
    args: tuple[object, ...],
    kwargs: dict[str, object],
) -> None:
    try:
        with make(*args, **kwargs) as thing:
            connection.send((True, None))
            while True:
                call, given, named = connection.recv()
                connection.send(_answer(lambda: call(thing, *given, **named)))  # noqa: B023 - called at once
    except (EOFError, BrokenPipeError, KeyboardInterrupt):
        return  # the other side is done with it


def _answer(call: Callable[[], object]) -> tuple[bool, object]:
    """What came of a call. Whatever it raised is said on the other side, which asked for it."""
    try:
        return True, call()
    except Exception as error:  # noqa: BLE001
        return False, f"{type(error).__name__}: {error}"
