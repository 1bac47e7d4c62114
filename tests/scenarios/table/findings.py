"""What a row expects: findings by rule, subject, severity, change, access and status."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from lami.core.model import Finding, Severity, Status
from tests.scenarios.table.stage import Stage


@dataclass(frozen=True, slots=True, order=True)
class Expected:
    """A finding. `change` is that of a churn, or the kind of a gap.

    `access` is a role and where, as in `Reader on rg-claims`; of a gap, only where.
    """

    rule: str
    subject: str
    severity: Severity
    change: str = ""
    access: str = ""
    status: Status = "open"

    def __str__(self) -> str:
        """As the page has it."""
        state = "" if self.status == "open" else f"{self.status} "
        of = (f" ({self.change})" if self.change else "") + (f": {self.access}" if self.access else "")
        return f"{state}{self.severity} `{self.rule}` of {self.subject}{of}"


_FEW = 5
"""From so many on, findings that differ in their subject only are counted and not named."""


def said(findings: Sequence[Expected]) -> Iterator[str]:
    """Findings in words."""
    alike = Counter(replace(one, subject="") for one in findings)
    for one in findings:
        of = replace(one, subject="")
        if alike[of] < _FEW:
            yield str(one)
        elif one == next(other for other in findings if replace(other, subject="") == of):
            yield str(replace(one, subject=f"each of {alike[of]}"))


def seen(stage: Stage) -> list[Expected]:
    """Every finding there is, in the same words."""
    return sorted(_seen(stage, finding) for finding in stage.findings())


def _seen(stage: Stage, finding: Finding) -> Expected:
    detail = finding.detail
    access = f"{detail['roleName']} on {stage.name_of(detail['scope'])}" if "roleName" in detail else ""
    if finding.rule == "lami-gap":
        access = stage.name_of(detail["scope"]) if "scope" in detail else ""
    return Expected(
        finding.rule,
        stage.subject(finding),
        finding.severity,
        detail.get("change", detail.get("gap", "")),
        access,
        finding.status,
    )


def churn(subject: str, change: str, severity: Severity = "high") -> Expected:
    """The identity of a holder is another."""
    return Expected("identity-churn", subject, severity, change)


def broad(subject: str, role: str, scope: str, severity: Severity) -> Expected:
    """A grant reaches far."""
    return Expected("broad-grant", subject, severity, access=f"{role} on {scope}")


def orphaned(subject: str, role: str, scope: str, severity: Severity = "medium") -> Expected:
    """A role assignment is left behind."""
    return Expected("orphaned-assignment", subject, severity, access=f"{role} on {scope}")


def missing(subject: str, role: str, scope: str) -> Expected:
    """An expected access is not granted."""
    return Expected("missing-grant", subject, "high", access=f"{role} on {scope}")


def ungranted(subject: str) -> Expected:
    """An identity is on for nothing."""
    return Expected("ungranted-identity", subject, "low")


def shared(subject: str) -> Expected:
    """An identity is carried across borders."""
    return Expected("shared-identity", subject, "low")


def widened(role: str, scope: str, severity: Severity) -> Expected:
    """A custom role allows more than it did."""
    return Expected("role-widened", role, severity, access=f"{role} on {scope}")


def weakened(subject: str, change: str, role: str, scope: str, severity: Severity = "medium") -> Expected:
    """The condition of a grant holds back less than it did."""
    return Expected("condition-weakened", subject, severity, change, f"{role} on {scope}")


def careless(subject: str) -> tuple[Expected, ...]:
    """What a careless definition shows."""
    return (
        Expected("audience-mismatch", subject, "low"),
        Expected("secret-authentication", subject, "medium"),
        Expected("unsecured-secret", subject, "medium"),
    )


def gap(kind: str, where: str = "") -> Expected:
    """lami does not see something."""
    return Expected("lami-gap", "lami", "medium", kind, where)


def resolved(finding: Expected) -> Expected:
    """The drift is gone."""
    return replace(finding, status="resolved")


def accepted(finding: Expected) -> Expected:
    """Somebody accepted it."""
    return replace(finding, status="accepted")


def suppressed(finding: Expected) -> Expected:
    """The policy excepts it."""
    return replace(finding, status="suppressed")
