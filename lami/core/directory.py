"""What to conclude of what the directory (Entra ID) says of principals. A sweeper that concluded less
carefully took live access away, so it fails closed at every step.

The rules:

1. A principal that the directory shows is alive.
2. That one is not shown is an *absence* only where the same answer shows a principal that must be alive, one
   that a present holder carries: else lami may be asking the wrong directory, or may not read this one. And
   only where it shows another of the same type: whoever may read service principals need not be able to read
   users or groups, and what cannot be read is left out without a word.
3. An absent principal that is kept among what was deleted is *soft-deleted*: within 30 days it may be
   restored, with all that it was granted. That is no orphan.
4. An absent principal that is not kept there either is *denied*. It is *gone* once it was denied twice, at
   least `APART` from each other, and nothing else was said of it in between.
5. All else is *unknown* and changes nothing of what is held: not answered, answered in part, refused.

A principal of another type than those below (or of none, as of another tenant's) is not concluded about.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta

from msgspec.structs import replace

from lami.core.model import Absent, Cause, Present, Said, Standing, Unknown

APART = timedelta(hours=1)
"""How far two denials lie apart before they are believed.

A directory's replicas are eventually consistent: a principal that was just made or restored shows on all of
them within minutes. An hour is well past that, and an orphan is in no hurry: it may stand for days anyhow.
"""
# Assumption: no replica of the directory lags for an hour.

TYPES = frozenset({"User", "Group", "ServicePrincipal"})
"""The types of principals, as role assignments have them, that lami's own directory keeps."""


def absent(shown: Mapping[str, str], left_out: Mapping[str, str], alive: Collection[str]) -> frozenset[str]:
    """Whom an answer shows to be absent, of those it left out.

    `shown` are the principals that it shows, each with its type; `left_out` those that it does not, each with
    the type that its role assignments have; `alive` those that were asked about because they must be alive.
    """
    if not any(one in shown for one in alive):
        return frozenset()
    seen = TYPES & frozenset(shown.values())
    return frozenset(one for one, type in left_out.items() if type in seen and one not in shown)


def said_of(kept: Present[None] | Absent | Unknown) -> Said | None:
    """What is said of an absent principal by whether it is kept among what was deleted; None: unknown."""
    if isinstance(kept, Unknown):
        return None
    return "deleted" if isinstance(kept, Present) else "denied"


def stands(held: Standing | None, said: Said, at: datetime, cause: Cause) -> Standing | None:
    """How a principal stands after this was said of it; None where that is nothing to remember.

    `at` is when the directory was asked. What was asked before what is held is not believed.
    """
    if held is None:
        return None if said == "alive" else Standing(said, at, at, cause)
    if at <= held.last:
        return None
    if said == "denied" and held.said == "gone":
        return replace(held, last=at)
    if said != held.said:
        return Standing(said, at, at, cause)
    if said == "denied" and at - held.since >= APART:
        return replace(held, said="gone", last=at)
    return replace(held, last=at)
