"""What stands for as long as nobody mends it: since when, what of it is no news, what is accepted.

What a rule objects to is a set of *places*. One that comes up while the baseline is taken *stood*: it is
listed and alerts nobody. What an operator accepts is expected until it is gone and comes back.
"""

from __future__ import annotations

from datetime import datetime

from msgspec.structs import replace

from lami.core.model import Cause, Persisting

TAKING = "lami/baseline/take"
"""The operation of the cause of whatever follows from taking the baseline."""


def seen(held: Persisting, places: frozenset[str], cause: Cause, now: datetime) -> Persisting:
    """What is held once these places are seen; the same where they are those that were."""
    if places == held.places:
        return held
    new = places - held.places
    stood = held.stood | (new if cause.operation == TAKING else frozenset())
    if new or held.since is None:
        held = replace(held, since=now, cause=cause)
    return replace(held, places=places, stood=stood & places, accepted=held.accepted & places)


def accept(held: Persisting) -> Persisting:
    """The baseline moves to all that stands."""
    return replace(held, accepted=held.places)


def objected(held: Persisting) -> tuple[str, ...]:
    """The places that nobody accepted, sorted."""
    left = held.places - held.accepted
    return tuple(sorted(left)) if left else ()
