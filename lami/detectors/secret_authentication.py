"""secret-authentication: a logic app authenticates with a key, password, client secret or certificate.

Who can read the definition, or what it takes the secret from, can do what the app can, from anywhere and
without any identity that lami could watch. A managed connector that could use the app's managed identity and
does not holds such a secret too.
"""

from __future__ import annotations

from msgspec import Struct

from lami.core import posture
from lami.core.model import Book, Found, HolderState, Part, SubjectKind
from lami.core.policy import Policy
from lami.detectors.posture import find, where


class SecretAuthentication(Struct, frozen=True):
    """Objects to every place in a workflow definition that authenticates with a secret."""

    rule: str = posture.SECRET_AUTHENTICATION
    judges: SubjectKind = "holder"

    def detect(self, book: Book, policy: Policy) -> tuple[Found, ...]:
        """At most one finding an app."""
        return find(book, policy, self.rule, _title, _mend, attack=("T1552.001",))


def _title(name: str, parts: tuple[Part, ...]) -> str:
    return f"{name} authenticates with a secret: {where(parts)}"


def _mend(state: HolderState, parts: tuple[Part, ...]) -> tuple[str, ...]:
    if state.observed.system or state.observed.attached:
        return ("The app has a managed identity: let it authenticate with that, where the target takes it.",)
    return ("The app has no managed identity; with one it could do without, where the target takes it.",)
