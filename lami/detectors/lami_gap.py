"""lami-gap: something that lami watches and does not see.

What is not seen cannot be judged: a subscription that cannot be read, events that do not arrive, a policy
that is not the one that was written.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from lami.core import naming
from lami.core.ids import digest, guid
from lami.core.model import Book, Found, LamiState, SubjectKind
from lami.core.policy import Policy

RULE = "lami-gap"


class LamiGap(Struct, frozen=True):
    """Objects to each gap that stands."""

    rule: str = RULE
    judges: SubjectKind = "lami"

    def detect(self, book: Book, policy: Policy) -> Iterator[Found]:
        """One finding a gap. Its detail names the gap's kind, and the subscription where it is of one."""
        state = book.state
        if not isinstance(state, LamiState):
            return
        for key, gap in sorted(state.gaps.items()):
            if not gap.stands:
                continue
            kind, _, where = key.partition("/")
            yield Found(
                rule=RULE,
                key=key,
                severity=policy.severity(RULE),
                subject=naming.subject_of(book),
                title=gap.what,
                detail={"gap": kind, **({"scope": f"/subscriptions/{where}"} if guid(where) else {})},
                cause=gap.cause,
                since=gap.since,
                telling=gap.what,
                thread=digest(RULE, key, length=16),
                notes=gap.notes,
            )
