"""A book, what it owes others, and the decision that writes it anew."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

from msgspec import Struct, field

from lami.core.model.entry import Entry
from lami.core.model.finding import Finding
from lami.core.model.holder import HolderState
from lami.core.model.itself import LamiState
from lami.core.model.principal import PrincipalState
from lami.core.model.role import RoleState
from lami.core.model.subject import Subject
from lami.core.model.who import Cause

MessageKind = Literal["carries", "grants", "attached", "identity", "unannounced", "holds"]


class OwedAlert(Struct, frozen=True):
    """A finding that the channels routed to it have yet to be told; `left` names those still to do.

    `left` is None until a first try has routed it.
    """

    finding: str
    telling: str
    left: tuple[str, ...] | None = None


class OwedMessage(Struct, frozen=True):
    """A message to another book; its content is made from the sender's book when it is sent.

    `about` is the subscription that the message is about, where it is about one.
    """

    kind: MessageKind
    to: Subject
    about: str = ""


class OwedIndex(Struct, frozen=True):
    """What the index partitions have yet to get of a commit: copies of its entries and findings.

    `entries` says that there are entries; `findings` are ids; `digests` are the subscriptions in which
    something else of the subject was observed than before (empty text: above all subscriptions).
    """

    entries: bool = False
    findings: tuple[str, ...] = ()
    digests: tuple[str, ...] = ()


class OwedLook(Struct, frozen=True):
    """A re-check that has yet to be put into `due`: look again at this time."""

    at: datetime
    why: Literal["doubt", "grace", "until"]
    resource: str = ""


class Owed(Struct, frozen=True):
    """What one commit owes others because of one cause, in one outbox row. `id` names the row.

    `claimed_until` is set while a worker is telling the alerts, so that no other tells them too.
    """

    id: str
    cause: Cause
    alerts: tuple[OwedAlert, ...] = ()
    messages: tuple[OwedMessage, ...] = ()
    index: OwedIndex | None = None
    looks: tuple[OwedLook, ...] = ()
    claimed_until: datetime | None = None


SubjectState = PrincipalState | HolderState | RoleState | LamiState


class Book(Struct, frozen=True):
    """All that lami holds of one subject, with its version. Version 0 is a book nobody has written.

    `chain` is the hash of its newest entry, `entries` how many there are, `latest` the latest time that any
    of them has (clocks of workers differ, so the newest may have an earlier one), or None where nobody knows.
    `findings` are those not resolved, by id.
    """

    subject: Subject
    state: SubjectState
    version: int = 0
    chain: str = ""
    entries: int = 0
    latest: datetime | None = None
    findings: Mapping[str, Finding] = field(default_factory=dict)
    owed: tuple[Owed, ...] = ()


class Decision(Struct, frozen=True):
    """What one stimulus does to one book. Committed whole or not at all.

    `book` is the book as it will be. `resolved` are findings that leave it; `opened` are the ids of those
    that open. `owed` is what it adds to the book's debts. `doubt` says in words what was not believed.
    """

    book: Book
    entries: tuple[Entry, ...] = ()
    resolved: tuple[Finding, ...] = ()
    gate: str = ""
    opened: tuple[str, ...] = ()
    owed: Owed | None = None
    doubt: str = ""
