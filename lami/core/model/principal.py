"""What lami holds of a principal: what it is granted, what is expected, who carries it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

from msgspec import Struct, field

from lami.core.ids import ResourceId
from lami.core.model.seen import Access, HolderKind
from lami.core.model.subject import Term
from lami.core.model.who import Cause


class Grant(Struct, frozen=True):
    """A role assignment as the principal's book holds it; kept when gone, so that absence is remembered.

    `newest` is the newest time that lami was told or saw of it. `powers` are the classes of what the role
    can do (`lami.core.roles`); `readable` is false where the role definition could not be read and
    Microsoft's privileged list judged instead. `tolerated`: accepted although orphaned. `was` is the access
    that this very assignment gave when the baseline expected it, where its condition was changed since, and
    `unconditional` what the role could do without the condition, where that is more. `custom`: the role is
    one of the tenant's own.
    """

    id: ResourceId
    access: Access
    role_name: str
    powers: tuple[str, ...]
    readable: bool
    present: bool
    newest: datetime
    created: datetime | None
    changed: datetime | None
    created_by: str
    cause: Cause
    tolerated: bool = False
    was: Access | None = None
    unconditional: tuple[str, ...] = ()
    custom: bool = False

    @property
    def since(self) -> datetime:
        """Since when it gives what it gives: writing it again without a change is no new beginning.

        An event that claims to be of later than anything seen is not believed that.
        """
        return min(self.cause.time, self.newest)


class Carrier(Struct, frozen=True):
    """What a principal's book knows of a holder that carries it or has shed it.

    `since` and `cause` are those of the last turn; `version` is that of the holder's newest message;
    `apps` are the names of the logic apps that use it, where it is a user-assigned identity.
    """

    holder: ResourceId
    kind: HolderKind
    owner: str
    carries: bool
    since: datetime
    cause: Cause
    version: int
    apps: tuple[str, ...] = ()


class Heard(Struct, frozen=True):
    """What is remembered of an assignment that was told of and never seen: a late look must not revive it."""

    newest: datetime
    gone: bool


Said = Literal["alive", "deleted", "denied"]
"""What the directory (Entra ID) says of a principal at one time: it is there; it was deleted and is kept,
to be restored; it is in neither place."""


class Standing(Struct, frozen=True):
    """What the directory last said of a principal, and since when it has said so (`lami.core.directory`).

    `gone` is concluded of denials only. `cause` is what made lami ask when it was first said.
    """

    said: Literal[Said, "gone"]
    since: datetime
    last: datetime
    cause: Cause


class PrincipalState(Struct, frozen=True):
    """What is held of a principal: its grants, the access accepted, and who carries it.

    `heard` are assignments that events told of as this principal's and that are not among the grants.
    `standing` is None where the directory was never asked, or never said anything but that it is alive.
    """

    type: str = ""
    grants: Mapping[str, Grant] = field(default_factory=dict)
    terms: Mapping[str, Term] = field(default_factory=dict)
    carriers: Mapping[str, Carrier] = field(default_factory=dict)
    heard: Mapping[str, Heard] = field(default_factory=dict)
    standing: Standing | None = None

    @property
    def gone(self) -> bool:
        """Whether the directory no longer has it."""
        return self.standing is not None and self.standing.said == "gone"

    @property
    def shed(self) -> bool:
        """Whether every holder that ever carried it has shed it (and there was one)."""
        return bool(self.carriers) and not any(c.carries for c in self.carriers.values())

    def expects(self, access: Access) -> bool:
        """Whether the baseline expects this access."""
        term = self.terms.get(access.key)
        return term is not None and term.expected


class GrantLine(Struct, frozen=True):
    """A present grant as books tell each other of it. `id` is the assignment's, `powers` as in `Grant`.

    `made` is when Azure made the assignment, where it told.
    """

    id: str
    access: Access
    role_name: str
    powers: tuple[str, ...] = ()
    made: datetime | None = None
