"""Several workers of which one runs at a time, handed on at random by a seed: a race that can be repeated.

Each worker is a thread that stops at every call of the store, of ARM and of a channel until its turn comes.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from threading import Event, Thread, current_thread


class Baton:
    """Hands the turn from worker to worker."""

    def __init__(self, random: random.Random) -> None:
        self._random = random
        self._turns: dict[Thread, Event] = {}
        self._back = Event()
        self._failed: list[BaseException] = []

    def run(self, jobs: Sequence[Callable[[], None]]) -> None:
        """Run the jobs to their ends, interleaved. Raises what one of them raised."""
        threads = [Thread(target=self._job, args=(job,), daemon=True) for job in jobs]
        self._turns = {thread: Event() for thread in threads}
        for thread in threads:
            thread.start()
        alive = list(threads)
        while alive:
            thread = self._random.choice(alive)
            self._back.clear()
            self._turns[thread].set()
            self._back.wait()
            alive = [thread for thread in alive if thread in self._turns]
        for thread in threads:
            thread.join()
        if self._failed:
            raise self._failed[0]

    def pause(self) -> None:
        """Give the turn away; come back when it is given again. Nothing outside of `run`."""
        turn = self._turns.get(current_thread())
        if turn is not None:
            self._back.set()
            turn.wait()
            turn.clear()

    def _job(self, job: Callable[[], None]) -> None:
        turn = self._turns[current_thread()]
        turn.wait()
        turn.clear()
        try:
            job()
        except BaseException as failure:  # noqa: BLE001 - handed to whoever called `run`
            self._failed.append(failure)
        finally:
            del self._turns[current_thread()]
            self._back.set()
