"""audience-mismatch: a workflow asks for a token of one service and sends it to another.

The target refuses it. And a target that was changed on purpose is given a token that is good elsewhere: one
for Azure Resource Manager opens all that the identity may manage.
"""

from __future__ import annotations

from msgspec import Struct

from lami.core import posture
from lami.core.model import Book, Found, HolderState, Part, SubjectKind
from lami.core.policy import Policy
from lami.detectors.posture import find, where


class AudienceMismatch(Struct, frozen=True):
    """Objects to requests whose token is for another service than the one they are sent to."""

    rule: str = posture.AUDIENCE_MISMATCH
    judges: SubjectKind = "holder"

    def detect(self, book: Book, policy: Policy) -> tuple[Found, ...]:
        """At most one finding an app."""
        return find(book, policy, self.rule, _title, _mend)


def _title(name: str, parts: tuple[Part, ...]) -> str:
    return f"{name} asks for a token that its target does not take: {where(parts)}"


def _mend(state: HolderState, parts: tuple[Part, ...]) -> tuple[str, ...]:
    return ("Without an audience, a managed identity's token is for Azure Resource Manager.",)
