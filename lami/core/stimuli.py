"""What can make lami look at a book again: an event, a timer, a message from another book, an operator.

All of them run through the same decision (`lami.core.decide`). A stimulus with a `gate` commits once,
however often it is delivered; a message needs none, since it carries its sender's version.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from msgspec import Struct

from lami.core.ids import ResourceId, digest
from lami.core.model import Access, Cause, Change, EntryKind, GrantLine, HolderKind, Said, Term


class Told(Struct, frozen=True):
    """An Event Grid event."""

    change: Change

    @property
    def gate(self) -> str:
        """One commit an event and book."""
        return f"event-{digest(self.change.event_id)}"

    @property
    def cause(self) -> Cause:
        """The event itself."""
        return self.change.cause


class Again(Struct, frozen=True):
    """A re-check that was left in `due`. `id` is the due row's, so that it commits once."""

    id: str
    cause: Cause

    @property
    def gate(self) -> str:
        """One commit a due row."""
        return f"again-{digest(self.id)}"


class Reconciled(Struct, frozen=True):
    """A run of reconcile found the subject different from what its book holds."""

    run: str
    cause: Cause

    @property
    def gate(self) -> str:
        """One commit a run and book."""
        return f"reconcile-{digest(self.run)}"


class Taken(Struct, frozen=True):
    """`lami baseline take`: what stands now is expected. With a reason it moves a baseline that is held."""

    run: str
    cause: Cause
    reason: str = ""

    @property
    def gate(self) -> str:
        """One commit a run and book."""
        return f"take-{digest(self.run)}"


class Accepted(Struct, frozen=True):
    """An operator accepts a finding; without `until` the baseline moves to what is."""

    finding: str
    by: str
    reason: str
    until: datetime | None
    cause: Cause

    @property
    def gate(self) -> str:
        """One commit an acceptance."""
        return f"accept-{digest(self.cause.id)}"


class Carries(Struct, frozen=True):
    """A holder tells a principal: I carry you, or have shed you; and what I expect you may do."""

    holder: ResourceId
    kind: HolderKind
    owner: str
    apps: tuple[str, ...]
    version: int
    carries: bool
    terms: Mapping[str, Term]
    cause: Cause
    gate: str = ""


class Grants(Struct, frozen=True):
    """A principal tells a holder what it is granted now, and everything it ever accepted."""

    principal: str
    version: int
    grants: tuple[GrantLine, ...]
    terms: Mapping[str, Term]
    cause: Cause
    gate: str = ""


class Attaches(Struct, frozen=True):
    """An app tells a user-assigned identity that it attaches it, or no longer does; and its environment."""

    app: ResourceId
    version: int
    attaches: bool
    cause: Cause
    environment: str = ""
    gate: str = ""


class IdentityIs(Struct, frozen=True):
    """A user-assigned identity tells an app which principal it is now, and what that one is granted.

    `heard` is false as long as the identity has not heard from its principal itself.
    """

    identity: ResourceId
    version: int
    principal: str
    heard: bool
    grants: tuple[GrantLine, ...]
    cause: Cause
    gate: str = ""


class Unannounced(Struct, frozen=True):
    """A book tells lami's own: a run of reconcile found what an event of this subscription should have told.

    The time of the run's `cause` tells runs apart.
    """

    subscription: str
    cause: Cause
    gate: str = ""


class Holds(Struct, frozen=True):
    """A principal tells a custom role what it is granted of it now; nothing where it no longer is.

    `carried` says whether a holder carries the principal, or did.
    """

    principal: str
    name: str
    carried: bool
    version: int
    accesses: tuple[Access, ...]
    cause: Cause
    gate: str = ""


class Blinded(Struct, frozen=True):
    """lami cannot see something. `key` names the gap; `what` says in words what is not seen, and what to do.

    `notes` say why. It becomes a finding once it has been so for `lasting`, and is said again.
    """

    key: str
    what: str
    cause: Cause
    notes: tuple[str, ...] = ()
    lasting: timedelta = timedelta()
    gate: str = ""


class Sighted(Struct, frozen=True):
    """lami sees again what a gap's `key` names."""

    key: str
    cause: Cause
    gate: str = ""


class Noted(Struct, frozen=True):
    """Something to be put on lami's own timeline once: `version` is that of what is noted, `lines` say it."""

    key: str
    version: str
    lines: tuple[str, ...]
    cause: Cause
    gate: str = ""


class DirectorySaid(Struct, frozen=True):
    """The directory was asked about principals `at` this time; what is unknown of is left out."""

    said: Mapping[str, Said]
    at: datetime
    cause: Cause

    @property
    def gate(self) -> str:
        """One commit a question and book."""
        return f"directory-{digest(self.at.isoformat())}"


Message = Carries | Grants | Attaches | IdentityIs | Unannounced | Holds
Stimulus = Told | Again | Reconciled | Taken | Accepted | DirectorySaid | Blinded | Sighted | Noted | Message


def seen_as(stimulus: Stimulus) -> EntryKind:
    """The kind of entry for what is observed because of this: drift that no event announced says so."""
    if isinstance(stimulus, Told):
        return "observed"
    return "reconciled" if isinstance(stimulus, (Reconciled, DirectorySaid)) else "observed"
