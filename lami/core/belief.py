"""What to believe of a look: ARM's replicas lag, so a look may show the past.

The rules, in the order in which they are asked:

1. Once patience has passed since the newest that was told or seen, ARM is believed, whatever it says.
2. *Absent* is believed when it is no news, or when a delete was told that is at least as new as anything
   told or seen; if that is by less than `SKEW`, a later look is owed as well. Anything else that is missing
   is doubted: 404 after a write means "look again later".
3. *Present* after a believed absence is believed only where it shows a state strictly newer than all that
   was told or seen up to that absence: an older one is the dead resource, seen through a lagging replica.
4. *Present* after a delete was told is believed only where it shows a state newer than the delete.
5. *Present* that shows what the book has not seen, and is not older than what it has seen, is believed at
   once; older than that, it is doubted. Where something newer was told, a later look is owed as well.
6. *Present* that shows what the book has seen already changes nothing. If it is older than the newest told
   (by more than `SKEW`) the write that was told is not visible yet: look again. If it is within `SKEW` but
   not newer than what was seen, it may be the write or may not: no waiting, but a later look is owed.

7. Whatever shows a principal that the holder has shed before is doubted: Azure gives a new identity a new
   principal, so an old one is the past.

Where a resource type tells no time of its newest write, states cannot be put in order: what the book has not
seen is believed, and a later look is owed.
What of this could not be checked is in docs/assumptions.md: an event's time, say, may lie some seconds after
the `changedTime` of the write that it reports.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from msgspec import Struct

SKEW = timedelta(seconds=60)
"""How much later than the write's own time an event may be stamped."""
# Assumption: nobody could measure the skew without a live tenant; see docs/assumptions.md.


class Memory(Struct, frozen=True):
    """What the book remembers of one resource. `shown` in a verdict is compared with these times."""

    newest: datetime | None = None
    seen: datetime | None = None
    gone_at: datetime | None = None
    exists: bool = False


class Told(Struct, frozen=True):
    """What the stimulus says of the resource. `at` is never later than lami's own clock."""

    at: datetime
    deletes: bool


class Verdict(Struct, frozen=True):
    """Whether to believe a look; if not, whether waiting a little may help; and whether to look later."""

    believe: bool
    later: bool = False


BELIEVE = Verdict(believe=True)
BELIEVE_FOR_NOW = Verdict(believe=True, later=True)
DOUBT = Verdict(believe=False, later=True)


def absent(memory: Memory, told: Told | None, now: datetime, patience: timedelta) -> Verdict:
    """Judge a 404."""
    newest = latest(memory.newest, told.at if told else None)
    if _passed(newest, now, patience):
        return BELIEVE
    if told is not None and told.deletes and (memory.newest is None or told.at >= memory.newest):
        # The stamp may be up to SKEW late: then what was seen was made after the delete, and lives. Where
        # no time was seen, that may always be.
        seen_since = memory.exists and (memory.seen is None or memory.seen > told.at - SKEW)
        return BELIEVE_FOR_NOW if seen_since else BELIEVE
    if told is not None and not told.deletes:
        if memory.gone_at is None or told.at > memory.gone_at:
            return DOUBT
        # Likewise: a write told shortly before the delete may have been made after it.
        return BELIEVE_FOR_NOW if told.at > memory.gone_at - SKEW else BELIEVE
    return DOUBT if memory.exists else BELIEVE


def present(
    memory: Memory,
    told: Told | None,
    shown: datetime | None,
    news: bool,
    now: datetime,
    patience: timedelta,
    returns: bool = False,
) -> Verdict:
    """Judge a state that ARM shows.

    `shown` is the time of its newest write; `news` says that the book holds another state; `returns` that
    it shows a principal which was shed before.
    """
    newest = latest(memory.newest, told.at if told else None)
    if _passed(newest, now, patience):
        return BELIEVE
    if returns:
        return DOUBT
    if shown is None:
        return _timeless(memory, told, news)
    if memory.gone_at is not None:
        return BELIEVE if shown > memory.gone_at else DOUBT
    if told is not None and told.deletes and (memory.newest is None or told.at >= memory.newest):
        return BELIEVE if shown > told.at else DOUBT
    behind = newest is not None and shown < newest - SKEW
    if news:
        if memory.seen is not None and shown < memory.seen:
            return DOUBT
        return BELIEVE_FOR_NOW if behind else BELIEVE
    if behind:
        return DOUBT
    repeated = told is not None and memory.seen is not None and shown <= memory.seen
    return BELIEVE_FOR_NOW if repeated else BELIEVE


def _timeless(memory: Memory, told: Told | None, news: bool) -> Verdict:
    gone = memory.gone_at is not None or (told is not None and told.deletes)
    if gone and not news:
        return DOUBT
    return BELIEVE if told is None and not (news and memory.exists) else BELIEVE_FOR_NOW


def _passed(newest: datetime | None, now: datetime, patience: timedelta) -> bool:
    return newest is not None and now - newest >= patience


def latest(*times: datetime | None) -> datetime | None:
    """The latest of those times that are known."""
    newest = None
    for time in times:
        if time is not None and (newest is None or time > newest):
            newest = time
    return newest
