"""Whether a holder's identity is on for nothing: nothing is expected of it, and it was granted nothing.

A user-assigned identity that no app uses is left alone: it can do nothing for anybody. Where a principal has
not been heard of yet nothing is known, and what was held stays.
"""

from __future__ import annotations

from datetime import datetime

from msgspec.structs import replace

from lami.core import persisting
from lami.core.messages import apps
from lami.core.model import Cause, Granted, HolderState

RULE = "ungranted-identity"
_NOTHING = frozenset({"nothing"})


def judged(state: HolderState, said: list[Granted], cause: Cause, now: datetime) -> HolderState:
    """The state, with since when its identity is on for nothing.

    `said` is what each principal that the holder carries last said.
    """
    if 0 in [granted.version for granted in said]:
        return state
    used = state.kind == "logicApp" or bool(apps(state))
    granted = [line for one in said for line in one.grants]
    idle = bool(said) and used and not granted and not any(term.expected for term in state.terms.values())
    after = persisting.seen(state.ungranted, _NOTHING if idle else frozenset(), cause, now)
    return state if after is state.ungranted else replace(state, ungranted=after)
