"""What lami holds of a role definition."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from msgspec import Struct, field

from lami.core.model.seen import Access, Permission
from lami.core.model.who import Cause


class Held(Struct, frozen=True):
    """What a principal last said to a custom role: its name, and what it is granted of the role.

    `carried` says whether a holder carries the principal, or did.
    """

    name: str
    carried: bool
    version: int
    accesses: tuple[Access, ...] = ()


class RoleState(Struct, frozen=True):
    """What is held of a role definition: its name, the classes of what it can do, and who holds it.

    `newest` is the newest time told or seen of it, `seen` that of the newest state seen, `gone_at` that of a
    believed absence. `at` is the id under which it was seen. `observed` is what it allows now and `expected`
    what the baseline has, both in the form of `lami.core.definitions`; None where it was not seen (yet).
    `changed_at` and `change_cause` are those of the last change of what it allows.
    """

    name: str = ""
    powers: tuple[str, ...] = ()
    readable: bool = True
    newest: datetime | None = None
    custom: bool = False
    present: bool = False
    seen: datetime | None = None
    gone_at: datetime | None = None
    at: str = ""
    changed_at: datetime | None = None
    change_cause: Cause | None = None
    allowed: Mapping[str, tuple[Permission, ...]] = field(default_factory=dict)
    held: Mapping[str, Held] = field(default_factory=dict)

    @property
    def observed(self) -> tuple[Permission, ...] | None:
        """What the role allows now; None where it is not there, or was not read."""
        return self.allowed.get("observed")

    @property
    def expected(self) -> tuple[Permission, ...] | None:
        """What the baseline has it allow; None where it has none."""
        return self.allowed.get("expected")

    @property
    def accesses(self) -> tuple[tuple[Held, Access], ...]:
        """All that is granted of it, with who holds it."""
        return tuple((held, access) for held in self.held.values() for access in held.accesses)
