"""What goes wrong, by shares of calls and from one seed; how much did explains an alert told twice."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass


class Crash(BaseException):
    """The process died here: nothing may catch it."""


@dataclass(slots=True)
class Trouble:
    """Where the store, ARM and the channels ask, at every call, whether the process dies there.

    `pause` is called first: other workers may come in between. `happened` counts crashes and failures.
    With `dies_in` the process dies at that call from now, counted down to it.
    """

    random: random.Random
    crashes: float = 0.0
    happened: int = 0
    dies_in: int = 0
    looked: int = 0
    wrote: int = 0
    """Which thread looked at Azure, and which wrote the store, last."""
    pause: Callable[[], None] = lambda: None

    def step(self) -> None:
        """Let others in between; die here, where the seed has it so."""
        self.pause()
        if self.dies_in:
            self.dies_in -= 1
            if not self.dies_in:
                self.happened += 1
                raise Crash
        if self.crashes and self.random.random() < self.crashes:
            self.happened += 1
            raise Crash

    def strikes(self, share: float) -> bool:
        """Whether a call of which this share fails is one that does."""
        if share and self.random.random() < share:
            self.happened += 1
            return True
        return False
