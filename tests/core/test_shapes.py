"""The JSON shapes of the public contract."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

from msgspec.structs import replace

from lami.core.model import Acceptance, Actor, Cause, Entry, Finding, FindingSubject, Suppression
from lami.core.shapes import entry_json, finding_json

CAUSE = Cause(
    "e-1",
    "microsoft.logic/workflows/write",
    datetime(2026, 11, 24, 9, 14, 21, 500, timezone(timedelta(hours=1))),
    "c-1",
    Actor("user", "u-1", "Dana", "203.0.113.7"),
)
SUBJECT = FindingSubject("logicApp", "/subscriptions/s/x", "claims-intake", "team")
FINDING = Finding(
    id="f-1",
    rule="identity-churn",
    severity="high",
    status="open",
    subject=SUBJECT,
    title="t",
    detail={"principalId": "p"},
    cause=CAUSE,
    opened_at=datetime(2026, 11, 24, 8, 14, 21, tzinfo=UTC),
    telling="x",
    thread="y",
    revision=3,
    notes=("n",),
    attack=("T1098",),
    remediation=("az x",),
)


def test_a_finding_has_exactly_the_contracts_members() -> None:
    """Members, null where there is nothing, times in UTC with Z, nothing of lami's own book-keeping."""
    assert finding_json(FINDING) == {
        "id": "f-1",
        "rule": "identity-churn",
        "severity": "high",
        "status": "open",
        "subject": {
            "kind": "logicApp",
            "id": "/subscriptions/s/x",
            "name": "claims-intake",
            "owner": "team",
        },
        "title": "t",
        "detail": {"principalId": "p"},
        "notes": ["n"],
        "actor": {"kind": "user", "id": "u-1", "name": "Dana", "ip": "203.0.113.7"},
        "cause": {
            "id": "e-1",
            "operation": "microsoft.logic/workflows/write",
            "correlationId": "c-1",
            "time": "2026-11-24T08:14:21.000500Z",
        },
        "openedAt": "2026-11-24T08:14:21Z",
        "resolvedAt": None,
        "accepted": None,
        "suppressed": None,
        "attack": ["T1098"],
        "runbook": "docs/runbooks/identity-churn.md",
        "remediation": ["az x"],
    }


def test_an_accepted_finding_says_by_whom_why_and_until_when() -> None:
    """The acceptance is shown whole; without an end `until` is null."""
    at = datetime(2026, 11, 25, tzinfo=UTC)
    suppressed = Suppression("it deploys", "platform", datetime(2027, 1, 31, tzinfo=UTC))
    assert finding_json(replace(FINDING, suppressed=suppressed))["suppressed"] == {
        "reason": "it deploys",
        "owner": "platform",
        "until": "2027-01-31T00:00:00Z",
    }
    shown = finding_json(replace(FINDING, status="accepted", accepted=Acceptance("Dana", "planned", at)))
    assert shown["accepted"] == {
        "by": "Dana",
        "reason": "planned",
        "at": "2026-11-25T00:00:00Z",
        "until": None,
    }
    until = finding_json(replace(FINDING, resolved_at=at, accepted=Acceptance("D", "p", at, at)))
    accepted = until["accepted"]
    assert isinstance(accepted, dict)
    assert accepted["until"] == until["resolvedAt"] == "2026-11-25T00:00:00Z"


def test_an_entry_has_exactly_the_contracts_members() -> None:
    """The entry names its actor beside its cause, and its finding or null."""
    entry = Entry("n-1", FINDING.opened_at, "opened", SUBJECT, "t", {}, {"a": "b"}, CAUSE, "f-1", "h", "g")
    shown = entry_json(entry)
    assert list(shown) == [
        *("id", "at", "kind", "subject", "text", "before", "after", "actor", "cause"),
        *("finding", "hash", "previousHash"),
    ]
    assert shown["after"] == {"a": "b"}
    assert shown["previousHash"] == "g"
    assert entry_json(replace(entry, finding=""))["finding"] is None
