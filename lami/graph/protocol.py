"""What lami asks of the directory (Entra ID), and how what it did not say is kept apart from an absence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from lami.core.model import Absent, Present, Unknown

MOST = 1_000
"""How many principals one question may be about. Source: Microsoft Graph, directoryObject: getByIds."""


class Directory(Protocol):
    """The directory as it is now. No method raises for what Graph answers: a failure is `Unknown`.

    Neither answer is a conclusion by itself; those are drawn in `lami.core.directory`.
    """

    def shown(self, principals: Sequence[str]) -> Mapping[str, str] | Unknown:
        """Which of these principals the directory shows, each with its type as a role assignment has it.

        At most `MOST` at a time: one request. A type that no role assignment has is empty. That one is left
        out means nothing more than that it was not shown.
        """
        ...

    def deleted(self, principal: str) -> Present[None] | Absent | Unknown:
        """Whether the directory keeps a principal among what was deleted, to be restored: one request."""
        ...

    def close(self) -> None:
        """Let go of connections. Closing twice is harmless."""
        ...
