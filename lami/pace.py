"""How many changes of a subscription are looked at one by one before they are gathered for one sweep.

Azure Resource Manager lets a subscription be read 25 times a second (250 at once) by all who read it, lami
being only one of them. Source: Microsoft, "Understand how Azure Resource Manager throttles requests".
"""

from __future__ import annotations

from collections import defaultdict, deque
from datetime import UTC, datetime, timedelta
from threading import Lock

from msgspec import Struct

WINDOW = timedelta(seconds=10)
"""The span that is counted over, and the rhythm of sweeps: what is gathered within one is swept together."""


class Calm(Struct, frozen=True):
    """How much is done one by one for one subscription; beyond that it is a storm.

    `changes` are handled within a window as they come, the others gathered; `looks` are what the walker looks
    at singly within a window; `few` items need no sweep, which may take as many reads as they do. A change
    takes one read, or two: with the listings of sweeps this stays well below 200 reads in 10 s.
    """

    changes: int = 20
    looks: int = 50
    few: int = 10


CALM = Calm()


class Pace:
    """Counts what was done for each subscription within the last `WINDOW`, up to `most`. Thread-safe.

    It counts in this process alone. What other workers read besides shows as ARM's 429, which gathers, too.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = Lock()
        self._taken: defaultdict[str, deque[datetime]] = defaultdict(deque)

    def take(self, subscription: str, now: datetime) -> bool:
        """Take one turn, if there is one left."""
        with self._lock:
            taken = self._taken[subscription]
            while taken and taken[0] <= now - WINDOW:
                taken.popleft()
            if len(taken) >= self._most:
                return False
            taken.append(now)
            return True


def window_end(now: datetime) -> datetime:
    """When the present window ends: the same moment for all that is gathered within it, by any worker."""
    start = datetime.min.replace(tzinfo=UTC)
    return start + ((now - start) // WINDOW + 1) * WINDOW
