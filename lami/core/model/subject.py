"""What a book is about, and what any book may expect."""

from __future__ import annotations

from datetime import datetime
from functools import cached_property
from typing import Literal

from msgspec import Struct
from msgspec.structs import force_setattr

from lami.core.ids import digest
from lami.core.model.seen import Access
from lami.core.model.who import Cause

SubjectKind = Literal["holder", "principal", "role", "lami"]


class Subject(Struct, frozen=True, dict=True):
    """What a book is about. `id` is a holder's resource id, or a principal's or role's GUID.

    Compared by kind and `key`, so that a holder's id is found in any casing.
    """

    kind: SubjectKind
    id: str
    key: str = ""

    def __post_init__(self) -> None:
        """Derive the key."""
        force_setattr(self, "key", self.id.lower())

    def __eq__(self, other: object) -> bool:
        """Equal in any casing."""
        return isinstance(other, Subject) and other.key == self.key and other.kind == self.kind

    def __hash__(self) -> int:
        """By what equality goes by."""
        return hash((self.kind, self.key))

    def __lt__(self, other: Subject) -> bool:
        """By kind, then by key."""
        return (self.kind, self.key) < (other.kind, other.key)

    @cached_property
    def partition(self) -> str:
        """The partition of the table that is this subject's book."""
        return f"{self.kind}|{digest(self.key) if self.kind == 'holder' else self.key}"

    @cached_property
    def mark(self) -> str:
        """A short name of it that stands in the ids of its entries."""
        return digest(self.kind, self.key, length=12)


LAMI = Subject("lami", "lami")
"""lami itself: its book holds what it is blind to."""


class Term(Struct, frozen=True):
    """One access that the baseline knows, with how often it was accepted and withdrawn in turn.

    Expected while `count` is odd. Books exchange terms and keep the larger count of each, so a doubled,
    late or reordered message changes nothing. `missing_since` is a holder's: since when nobody gives it.
    """

    access: Access
    role_name: str
    count: int = 1
    missing_since: datetime | None = None
    missing_cause: Cause | None = None

    @property
    def expected(self) -> bool:
        """Whether the baseline expects this access."""
        return self.count % 2 == 1
