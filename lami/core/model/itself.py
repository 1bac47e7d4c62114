"""What lami holds of itself: what it does not see."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from msgspec import Struct, field

from lami.core.model.who import Cause


class Gap(Struct, frozen=True):
    """Something that lami does not see. `what` says so in words, with what to do next; `notes` say why.

    `since` is when that was first so; it `stands`, as a finding, once that has lasted long enough. A gap that
    nobody closes ends by itself at `until`.
    """

    what: str
    since: datetime
    cause: Cause
    notes: tuple[str, ...] = ()
    stands: bool = True
    until: datetime | None = None


class LamiState(Struct, frozen=True):
    """What lami holds of itself: its gaps by key, such as `unreadable/SUBSCRIPTION`.

    `unannounced` has, by subscription, when a run of reconcile last found what an event should have told.
    `noted` has what was noted once a version: of the policy in force, say.
    """

    gaps: Mapping[str, Gap] = field(default_factory=dict)
    unannounced: Mapping[str, datetime] = field(default_factory=dict)
    noted: Mapping[str, str] = field(default_factory=dict)
