"""Findings as set algebra: found and not open, open it; open and no longer found, resolve it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Protocol

from msgspec import Struct, field
from msgspec.structs import replace

from lami.core.ids import digest
from lami.core.model import Acceptance, Book, Finding, Found, Status, Subject, SubjectKind, Suppression
from lami.core.policy import Policy, PolicyException

_ID = re.compile(r"f-[0-9a-f]{16}")


class Detector(Protocol):
    """What objects to drift. Pure: the same book and policy give the same objections."""

    @property
    def rule(self) -> str:
        """The rule's name, as policy, API and runbook spell it."""
        ...

    @property
    def judges(self) -> SubjectKind:
        """Whose books it is asked of: in all others it finds nothing."""
        ...

    def detect(self, book: Book, policy: Policy) -> Iterable[Found]:
        """The drift between the book's baseline and what was observed that this rule objects to."""
        ...


class Settled(Struct, frozen=True):
    """The findings of a book after its drift was compared with them.

    `findings` are those that stay, by id. `opened` were not there before or are open again, `retold` are
    open with something new to tell, `resolved` leave. `suppressed` are so since now, `uncovered` are open
    again, as they were before, since no exception covers them any longer. `waiting` is drift whose grace has
    not passed.
    `quiet` are the ids of those opened or retold whose drift stood when the baseline was taken.
    """

    findings: Mapping[str, Finding]
    opened: tuple[Finding, ...]
    retold: tuple[Finding, ...]
    resolved: tuple[Finding, ...]
    waiting: tuple[Found, ...]
    suppressed: tuple[Finding, ...] = ()
    uncovered: Mapping[str, Finding] = field(default_factory=dict)
    quiet: frozenset[str] = frozenset()

    @property
    def told(self) -> tuple[Finding, ...]:
        """Those that channels are to be told."""
        return tuple(f for f in (*self.opened, *self.retold) if f.status == "open" and f.id not in self.quiet)


def finding_id(subject: Subject, found: Found) -> str:
    """The finding's id: the same drift has the same id, in whichever order it was learnt."""
    return f"f-{digest(found.rule, subject.kind, subject.key, found.key, length=16)}"


def is_finding_id(text: str) -> bool:
    """Whether a text may be the id of a finding: anything else was never made by `finding_id`."""
    return _ID.fullmatch(text) is not None


def settle(
    book: Book,
    founds: Iterable[Found],
    acceptances: Mapping[str, Acceptance],
    policy: Policy,
    revision: int,
    now: datetime,
    looked: bool = True,
) -> Settled:
    """Compare what is found now with the findings a book has.

    What has a grace opens only where all was `looked` at that it hangs on: a message, or an event of
    something else, may come when the grace has passed, and before the re-check that sees that all is well.
    """
    findings: dict[str, Finding] = {}
    opened: list[Finding] = []
    retold: list[Finding] = []
    waiting: list[Found] = []
    suppressed: list[Finding] = []
    uncovered: dict[str, Finding] = {}
    quiet: set[str] = set()
    for found in founds:
        id = finding_id(book.subject, found)
        old = book.findings.get(id)
        grace = policy.grace.get(found.rule, timedelta())
        if old is None and grace and not (looked and now - found.since >= grace):
            waiting.append(found)
            continue
        new = _finding(id, found, old, acceptances.get(id), policy, revision, now)
        findings[id] = new
        if new.status == "suppressed" and (old is None or old.status != "suppressed"):
            suppressed.append(new)
        if new.status == "open" and old is not None and old.status == "suppressed":
            uncovered[id] = old
        if old is None or (old.status != "open" and new.status == "open"):
            opened.append(new)
            # Only what is first listed: where an acceptance or an exception has ended, that is news.
            quiet.update([id] if old is None and found.standing else [])
        elif new.status == "open" and new.telling != old.telling:
            retold.append(new)
            # Taking the baseline meets what stands place by place: the last of them is no more news.
            quiet.update([id] if found.standing else [])
    resolved = tuple(
        _ended(old, acceptances.get(id), revision, now)
        for id, old in book.findings.items()
        if id not in findings
    )
    return Settled(
        findings=findings,
        opened=tuple(opened),
        retold=tuple(retold),
        resolved=resolved,
        waiting=tuple(waiting),
        suppressed=tuple(suppressed),
        uncovered=uncovered,
        quiet=frozenset(quiet),
    )


def _finding(
    id: str,
    found: Found,
    old: Finding | None,
    acceptance: Acceptance | None,
    policy: Policy,
    revision: int,
    now: datetime,
) -> Finding:
    found = _as_told(found, old)
    # An acceptance is of what was told: a later, different problem is not hidden by it.
    kept = old.accepted if old and old.telling == found.telling else None
    accepted = acceptance or kept
    if accepted is not None and accepted.until is not None and accepted.until <= now:
        accepted = None
    covering = policy.covering(found, now)
    met = _met(covering, found, old)
    suppressed = _suppression(covering, found, met)
    status: Status = "open"
    if accepted is not None:
        status = "accepted"
    elif suppressed is not None:
        status = "suppressed"
    new = Finding(
        id=id,
        rule=found.rule,
        severity=found.severity,
        status=status,
        subject=found.subject,
        title=found.title,
        detail=found.detail,
        cause=found.cause,
        opened_at=old.opened_at if old else now,
        telling=found.telling,
        thread=found.thread,
        revision=old.revision if old else revision,
        key=found.key,
        accepted=accepted,
        suppressed=suppressed if status == "suppressed" else None,
        met=met,
        notes=found.notes,
        attack=found.attack,
        remediation=found.remediation,
        places=found.places,
    )
    return new if new == old else replace(new, revision=revision)


def _as_told(found: Found, old: Finding | None) -> Found:
    """Drift of several places with what is to be told of it, and why: as before, unless a place was added."""
    if old is None or not found.places:
        return found
    if set(found.places) <= set(old.places):
        return replace(found, telling=old.telling, cause=old.cause)
    # A place that went and is there again is new: what was told once is no measure of that, the last look is.
    return replace(found, telling=digest(old.telling, found.telling, length=16))


def _met(covering: Iterable[PolicyException], found: Found, old: Finding | None) -> Mapping[str, str]:
    """What was told when each exception first met the finding: only that is excepted by it."""
    before = old.met if old else {}
    return {one.key: found.telling if one.all else before.get(one.key, found.telling) for one in covering}


def _suppression(
    covering: Iterable[PolicyException], found: Found, met: Mapping[str, str]
) -> Suppression | None:
    """By the first exception that met what is told now. A finding that grew graver since is not hidden."""
    for one in covering:
        if met[one.key] == found.telling:
            return Suppression(one.reason, one.owner, one.until)
    return None


def _ended(old: Finding, acceptance: Acceptance | None, revision: int, now: datetime) -> Finding:
    status: Status = "accepted" if acceptance else "resolved"
    return replace(
        old, suppressed=None, status=status, resolved_at=now, accepted=acceptance, revision=revision
    )
