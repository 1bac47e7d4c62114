"""What to believe of a look: ARM's replicas lag, so a look may show the past.

The rules, in the order in which they are asked:

1. Once patience has passed since the newest that was told or seen, ARM is believed, whatever it says.
2. *Absent* is believed when it is no news, or when a delete was told that is at least as new as anything
   told or seen. Anything else that is missing is doubted: 404 after a write means "look again later".
3. *Present* after a believed absence is believed only where it shows a state strictly newer than all that
   was told or seen up to that absence: an older one is the dead resource, seen through a lagging replica.
4. *Present* after a delete was told is believed only where it shows a state newer than the delete.
5. *Present* that shows what the book has not seen, and is not older than what it has seen, is believed at
   once; older than that, it is doubted. Where something newer was told, a later look is owed as well.
6. *Present* that shows what the book has seen already changes nothing. If it is older than the newest told
   (by more than `SKEW`) the write that was told is not visible yet: look again. If it is within `SKEW` but
   not newer than what was seen, it may be the write or may not: no waiting, but a later look is owed.

Where a resource type tells no time of its newest write, only what the state shows can be judged.
Source: FACTS on ARM's consistency; an event's time may lie some seconds after the `changedTime` of the write
that it reports.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

SKEW = timedelta(seconds=60)
"""How much later than the write's own time an event may be stamped."""
# Assumption: nobody could measure the skew without a live tenant; see docs/assumptions.md.


@dataclass(frozen=True, slots=True)
class Memory:
    """What the book remembers of one resource. `shown` in a verdict is compared with these times."""

    newest: datetime | None = None
    seen: datetime | None = None
    gone_at: datetime | None = None
    exists: bool = False


@dataclass(frozen=True, slots=True)
class Told:
    """What the stimulus says of the resource. `at` is never later than lami's own clock."""

    at: datetime
    deletes: bool


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether to believe a look; if not, whether waiting a little may help; and whether to look later."""

    believe: bool
    later: bool = False


BELIEVE = Verdict(believe=True)
BELIEVE_FOR_NOW = Verdict(believe=True, later=True)
DOUBT = Verdict(believe=False, later=True)


def absent(memory: Memory, told: Told | None, now: datetime, patience: timedelta) -> Verdict:
    """Judge a 404."""
    if _patient(memory, told, now, patience):
        return BELIEVE
    if told is not None and told.deletes and (memory.newest is None or told.at >= memory.newest):
        return BELIEVE
    if told is not None and not told.deletes:
        return DOUBT
    return DOUBT if memory.exists else BELIEVE


def present(
    memory: Memory,
    told: Told | None,
    shown: datetime | None,
    news: bool,
    now: datetime,
    patience: timedelta,
) -> Verdict:
    """Judge a state that ARM shows.

    `shown` is the time of its newest write; `news` says that the book holds another state.
    """
    if _patient(memory, told, now, patience):
        return BELIEVE
    if memory.gone_at is not None:
        newer = news if shown is None else shown > memory.gone_at
        return BELIEVE if newer else DOUBT
    if told is not None and told.deletes and (memory.newest is None or told.at >= memory.newest):
        newer = news if shown is None else shown > told.at
        return BELIEVE if newer else DOUBT
    newest = _later(memory.newest, None if told is None else told.at)
    if shown is None:
        return BELIEVE if news or told is None else BELIEVE_FOR_NOW
    behind = newest is not None and shown < newest - SKEW
    if news:
        if memory.seen is not None and shown < memory.seen:
            return DOUBT
        return BELIEVE_FOR_NOW if behind else BELIEVE
    if behind:
        return DOUBT
    repeated = told is not None and memory.seen is not None and shown <= memory.seen
    return BELIEVE_FOR_NOW if repeated else BELIEVE


def _patient(memory: Memory, told: Told | None, now: datetime, patience: timedelta) -> bool:
    newest = _later(memory.newest, None if told is None else told.at)
    return newest is not None and now - newest >= patience


def _later(one: datetime | None, other: datetime | None) -> datetime | None:
    if one is None or other is None:
        return one or other
    return max(one, other)
