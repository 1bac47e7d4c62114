"""The JSON shapes of the public contract: what API, CLI and Event Grid show of a finding and of an entry.

Members are camelCase, times are RFC 3339 in UTC with `Z`; what is not known is null or the empty string.
"""

from __future__ import annotations

from datetime import UTC, datetime

from lami.core.model import Acceptance, Actor, Cause, Entry, Finding, FindingSubject, Suppression


def time_json(time: datetime) -> str:
    """An aware time as RFC 3339 in UTC: `2026-11-24T08:14:21Z`."""
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")


def finding_json(finding: Finding) -> dict[str, object]:
    """A finding as the contract has it, with `notes` (further sentences) beside `detail`."""
    return {
        "id": finding.id,
        "rule": finding.rule,
        "severity": finding.severity,
        "status": finding.status,
        "subject": _subject(finding.subject),
        "title": finding.title,
        "detail": dict(finding.detail),
        "notes": list(finding.notes),
        "actor": _actor(finding.actor),
        "cause": _cause(finding.cause),
        "openedAt": time_json(finding.opened_at),
        "resolvedAt": None if finding.resolved_at is None else time_json(finding.resolved_at),
        "accepted": None if finding.accepted is None else _acceptance(finding.accepted),
        "suppressed": None if finding.suppressed is None else _suppression(finding.suppressed),
        "attack": list(finding.attack),
        "runbook": finding.runbook,
        "remediation": list(finding.remediation),
    }


def entry_json(entry: Entry) -> dict[str, object]:
    """A timeline entry as the contract has it; `finding` is an id, or null."""
    return {
        "id": entry.id,
        "at": time_json(entry.at),
        "kind": entry.kind,
        "subject": _subject(entry.subject),
        "text": entry.text,
        "before": dict(entry.before),
        "after": dict(entry.after),
        "actor": _actor(entry.cause.actor),
        "cause": _cause(entry.cause),
        "finding": entry.finding or None,
        "hash": entry.hash,
        "previousHash": entry.previous_hash,
    }


def _subject(subject: FindingSubject) -> dict[str, object]:
    return {"kind": subject.kind, "id": subject.id, "name": subject.name, "owner": subject.owner}


def _actor(actor: Actor) -> dict[str, object]:
    return {"kind": actor.kind, "id": actor.id, "name": actor.name, "ip": actor.ip}


def _cause(cause: Cause) -> dict[str, object]:
    return {
        "id": cause.id,
        "operation": cause.operation,
        "correlationId": cause.correlation_id,
        "time": time_json(cause.time),
    }


def _suppression(suppressed: Suppression) -> dict[str, object]:
    return {
        "reason": suppressed.reason,
        "owner": suppressed.owner,
        "until": time_json(suppressed.until),
    }


def _acceptance(accepted: Acceptance) -> dict[str, object]:
    return {
        "by": accepted.by,
        "reason": accepted.reason,
        "at": time_json(accepted.at),
        "until": None if accepted.until is None else time_json(accepted.until),
    }
