"""A shelf of things by case-blind key that forgets nothing, so that a read can show the past."""

from threading import RLock
from typing import Generic, TypeVar

T = TypeVar("T")


class Shelf(Generic[T]):
    """Every state of every thing, with the tick (the estate's change number) it began at.

    Reads take a `tick` to look back at; without it they see the present. Safe between threads, given
    the lock of whoever writes several shelves as one change.
    """

    def __init__(self, lock: RLock) -> None:
        self._lock = lock
        self._states: dict[str, list[tuple[int, T | None]]] = {}

    def put(self, key: str, value: T | None, tick: int) -> None:
        """Make `value` the state from `tick` on; None takes the thing away."""
        with self._lock:
            self._states.setdefault(key.lower(), []).append((tick, value))

    def get(self, key: str, tick: int | None = None) -> T | None:
        """The thing of that key, or None."""
        with self._lock:
            return _at(self._states.get(key.lower(), []), tick)

    def all(self, tick: int | None = None) -> list[T]:
        """Everything there is, in the order of first appearance."""
        with self._lock:
            found = (_at(states, tick) for states in self._states.values())
            return [thing for thing in found if thing is not None]


def _at(states: list[tuple[int, T | None]], tick: int | None) -> T | None:
    for began, value in reversed(states):
        if tick is None or began <= tick:
            return value
    return None
