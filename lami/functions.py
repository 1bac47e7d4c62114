"""What the Functions app's triggers call: one lami a worker process, put together on its first call."""

from __future__ import annotations

import os
from datetime import timedelta
from threading import Lock

from lami.core.decode import MAX_BODY, split
from lami.errors import BadEvent
from lami.schedule import begin, reconcile_if_due, take_baseline_if_none
from lami.settings import read_for_functions
from lami.wiring import Lami, build

_LONGEST_WALK = timedelta(minutes=2)
"""After this no further turn is begun; host.json ends a call after five minutes."""


class Instance:
    """A lami that is built when first asked for, and once."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._lami: Lami | None = None
        self._beginning = Lock()
        self._begun = False

    def get(self) -> Lami:
        """The lami of this process. Raises `BadSettings` as long as the settings are wrong."""
        with self._lock:
            if self._lami is None:
                self._lami = build(read_for_functions(os.environ))
            return self._lami

    def _started(self) -> Lami:
        """The lami of this process, which has begun: by its timers, since an event must wait for nothing."""
        lami = self.get()
        with self._beginning:
            if not self._begun:
                begin(lami)
                self._begun = True
        return lami

    def receive(self, event: str) -> None:
        """Handle what the trigger handed over. What is no event is counted and not asked for again."""
        lami = self.get()
        if len(event) > MAX_BODY:
            lami.service.reject(f"an event of {len(event)} characters is too large")
            return
        try:
            events = split(event.encode())
        except BadEvent as error:
            lami.service.reject(str(error))
            return
        for one in events:
            lami.service.receive(one)

    def walk(self) -> None:
        """Do what is due, until nothing is or the trigger's time is nearly up: the next one goes on."""
        lami = self._started()
        start = lami.clock()
        while lami.service.walk() and lami.clock() - start < _LONGEST_WALK:
            pass

    def reconcile(self) -> None:
        """Take the baseline if there is none; else reconcile if it is time."""
        lami = self._started()
        if take_baseline_if_none(lami) is None:
            reconcile_if_due(lami)


instance = Instance()
"""The one of this process; it holds nothing until a trigger asks it."""
