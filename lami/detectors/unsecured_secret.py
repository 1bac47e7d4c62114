"""unsecured-secret: an action handles a secret that shows in the app's run history.

Who may read runs (Logic App Operator, Reader) reads the secret there, for as long as runs are kept.
"""

from __future__ import annotations

from msgspec import Struct

from lami.core import posture
from lami.core.model import Book, Found, HolderState, Part, SubjectKind
from lami.core.policy import Policy
from lami.detectors.posture import find, where


class UnsecuredSecret(Struct, frozen=True):
    """Objects to actions and triggers that handle secrets without securing their inputs or outputs."""

    rule: str = posture.UNSECURED_SECRET
    judges: SubjectKind = "holder"

    def detect(self, book: Book, policy: Policy) -> tuple[Found, ...]:
        """At most one finding an app."""
        return find(book, policy, self.rule, _title, _mend, attack=("T1552",))


def _title(name: str, parts: tuple[Part, ...]) -> str:
    return f"{name} shows secrets in its run history: {where(parts)}"


def _mend(state: HolderState, parts: tuple[Part, ...]) -> tuple[str, ...]:
    return (
        "Turn on Secure Inputs or Secure Outputs there (runtimeConfiguration.secureData.properties); "
        "runs that were made before still show it.",
    )
