"""What lami concludes: drift that a detector objects to, and the finding that is opened of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

from msgspec import Struct, field

from lami.core.model.who import Actor, Cause

Severity = Literal["critical", "high", "medium", "low", "info"]


SEVERITIES: tuple[Severity, ...] = ("critical", "high", "medium", "low", "info")
"""From the gravest to the lightest."""


Status = Literal["open", "resolved", "accepted", "suppressed"]


class FindingSubject(Struct, frozen=True):
    """Whom a finding is about, as a person and a program name it."""

    kind: Literal["logicApp", "userAssignedIdentity", "principal", "role", "lami"]
    id: str
    name: str
    owner: str = ""


class Found(Struct, frozen=True):
    """Drift that a detector objects to, before it is known whether a finding of it is open already.

    `key` names the drift within rule and subject: the same drift gives the same key. `telling` is what
    an alert said of it: a finding is told again when this changes. `since` is when the drift began: with
    a grace the finding opens only when the drift has stood that long. `holds` is the key of an access that
    the baseline must not take in while the drift stands.

    `places` are the keys of where the drift stands, for a rule that has one finding of several: then the
    finding is told again only when one is added. `standing` drift stood when the baseline was taken: its
    finding is listed, and alerts nobody.
    """

    rule: str
    key: str
    severity: Severity
    subject: FindingSubject
    title: str
    detail: Mapping[str, str]
    cause: Cause
    since: datetime
    telling: str = ""
    thread: str = ""
    holds: str = ""
    places: tuple[str, ...] = ()
    standing: bool = False
    notes: tuple[str, ...] = ()
    attack: tuple[str, ...] = ()
    remediation: tuple[str, ...] = ()


class Acceptance(Struct, frozen=True):
    """Who accepted a finding, why and (where the baseline was not moved) until when."""

    by: str
    reason: str
    at: datetime
    until: datetime | None = None


class Suppression(Struct, frozen=True):
    """The exception of the policy that suppresses a finding: why, who answers for it, and until when."""

    reason: str
    owner: str
    until: datetime


TEST = "test"
"""The rule of a finding that tries a channel: no detector made it, and there is nothing to do about it."""


class Finding(Struct, frozen=True):
    """Drift that a detector objects to. Open exactly as long as the drift stands.

    `key` is the drift's (`Found.key`). `thread` ties alerts of one story together. `notes` are further
    sentences (what is stranded, what is missing). `revision` is the version of the book that last changed it.
    `met` has, by the key of each exception that covers it, what was told when they first met.
    `places` are those of the drift as it stands (`Found.places`).
    """

    id: str
    rule: str
    severity: Severity
    status: Status
    subject: FindingSubject
    title: str
    detail: Mapping[str, str]
    cause: Cause
    opened_at: datetime
    telling: str
    thread: str
    revision: int
    key: str = ""
    resolved_at: datetime | None = None
    accepted: Acceptance | None = None
    suppressed: Suppression | None = None
    met: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    attack: tuple[str, ...] = ()
    remediation: tuple[str, ...] = ()
    places: tuple[str, ...] = ()

    @property
    def actor(self) -> Actor:
        """Who did what the finding is about."""
        return self.cause.actor

    @property
    def runbook(self) -> str:
        """Where the steps to investigate stand, within the project's documentation; a test has none."""
        return "" if self.rule == TEST else f"docs/runbooks/{self.rule}.md"
