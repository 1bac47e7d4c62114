"""Several workers of which one runs at a time, handed on at random by a seed: a race that can be repeated.

Each worker is a thread that stops at every call of the store, of ARM and of a channel until its turn comes.
"""

from __future__ import annotations

import random
from _thread import LockType, allocate_lock, get_ident
from collections.abc import Callable, Sequence
from threading import Thread


class Baton:
    """Hands the turn from worker to worker. A lock a worker: it runs who could take its own."""

    def __init__(self, random: random.Random) -> None:
        self._random = random
        self._alive: list[LockType] = []
        self._mine: dict[int, LockType] = {}
        self._parked: list[LockType] = []
        self._stays = 0.0
        self.woken: Callable[[], None] = lambda: None
        """What happens before one that was parked goes on."""
        self._failed: list[BaseException] = []

    def run(self, jobs: Sequence[Callable[[], None]]) -> None:
        """Run the jobs to their ends, interleaved. Raises what one of them raised.

        How often the turn stays where it is differs from run to run: some races need long strides.
        """
        ended = allocate_lock()
        ended.acquire()
        self._alive = [allocate_lock() for _ in jobs]
        self._stays = self._random.choice((0.0, 0.0, 0.6, 0.9))
        threads = []
        for job, turn in zip(jobs, list(self._alive), strict=True):
            turn.acquire()
            threads.append(Thread(target=self._job, args=(job, turn, ended), daemon=True))
        for thread in threads:
            thread.start()
        self._random.choice(self._alive).release()
        ended.acquire()
        for thread in threads:
            thread.join()
        if self._failed:
            raise self._failed[0]

    def pause(self) -> None:
        """Give the turn away; come back when it is given again. Nothing outside of `run`."""
        mine = self._mine.get(get_ident())
        if mine is None or (self._stays and self._random.random() < self._stays):
            return
        following = self._random.choice(self._alive)
        if following is not mine:
            following.release()
            mine.acquire()

    def park(self) -> None:
        """Stand still until all others have come to their ends: a process that was suspended."""
        mine = self._mine.get(get_ident())
        if mine is not None and len(self._alive) > 1:
            self._alive.remove(mine)
            self._parked.append(mine)
            self._random.choice(self._alive).release()
            mine.acquire()

    @property
    def running(self) -> bool:
        """Whether workers race at the moment."""
        return bool(self._alive)

    def _job(self, job: Callable[[], None], turn: LockType, ended: LockType) -> None:
        turn.acquire()
        self._mine[get_ident()] = turn
        try:
            job()
        except BaseException as failure:  # noqa: BLE001 - handed to whoever called `run`
            self._failed.append(failure)
        finally:
            del self._mine[get_ident()]
            self._alive.remove(turn)
            if not self._alive and self._parked:
                self._alive, self._parked = self._parked, []
                self.woken()
            (self._random.choice(self._alive) if self._alive else ended).release()
