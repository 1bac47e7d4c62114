"""What an alert says, in words and without a layout: card, mail and console say the same.

Every text it gives out is one line that hides nothing (`lami.channels.text`). To a markup it is still raw,
chosen in part by an attacker perhaps: each layout escapes for its own.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime

from msgspec import Struct
from msgspec.structs import replace

from lami.channels.channel import Alert
from lami.channels.text import copyable, shown
from lami.core import remedy
from lami.core.model import SEVERITIES, Actor, Cause, Finding, Severity

_NAME, _LINE, _VALUE, _COMMAND = 80, 300, 400, 2_000
"""The longest text of each kind, in characters."""
_KINDS: Mapping[str, str] = {
    "logicApp": "Logic app",
    "userAssignedIdentity": "Identity",
    "principal": "Principal",
    "role": "Role",
    "lami": "About",
}
_LABELS: Mapping[str, str] = {
    "change": "Change",
    "holder": "Carried by",
    "roleName": "Role",
    "roleDefinitionId": "Role id",
    "scope": "Scope",
    "assignmentId": "Assignment",
}
_HEADED = re.compile(r"([A-Z][a-z]{1,19}(?: [a-z]{1,19})?): (.+)")
_HEADINGS = 8
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


class Who(Struct, frozen=True):
    """An actor: the name, and what is said after it (` (user) from 203.0.113.7`)."""

    name: str
    rest: str = ""


class Fact(Struct, frozen=True):
    """One line of what is known of a finding. `exact` marks ids, to be set in fixed-width letters."""

    label: str
    value: str
    exact: bool = False


class Notes(Struct, frozen=True):
    """Notes under one heading (`Stranded`, `Missing`); the heading is empty for notes without one."""

    heading: str
    lines: tuple[str, ...]


class Listed(Struct, frozen=True):
    """A finding of which there is room for a line: how grave, of which rule, and what it says."""

    severity: Severity
    rule: str
    line: str


class Summary(Struct, frozen=True):
    """What an alert says, part by part and in the order in which every layout has it.

    `severity` is the gravest; `labels` go beside it. `listed` are findings in a line each under `heading`,
    gravest first. `next` is what to do, `reading` where to read on.
    """

    severity: Severity
    headline: str
    labels: tuple[str, ...]
    who: Who
    setting: tuple[str, ...]
    facts: tuple[Fact, ...]
    notes: tuple[Notes, ...]
    heading: str
    listed: tuple[Listed, ...]
    next: str
    reading: tuple[str, ...]


class Commands(Struct, frozen=True):
    """Commands exactly as they are to be run, and how many there are with those that cannot be shown so."""

    lines: tuple[str, ...]
    count: int


def summary(alert: Alert) -> Summary:
    """The alert's parts: its gravest finding and what goes with it, or what a digest counts."""
    return _digest(alert) if alert.is_digest else _story(alert)


def title(finding: Finding) -> str:
    """The finding in one sentence."""
    return shown(finding.title, _LINE)


def who(actor: Actor) -> Who:
    """Who did it."""
    if actor.kind == "lami":
        return Who("lami itself")
    name = actor.name or actor.id
    if not name:
        return Who("somebody the event does not name")
    kind = "" if actor.kind == "unknown" else f" ({actor.kind})"
    return Who(shown(name, _NAME), kind + (f" from {shown(actor.ip, _NAME)}" if actor.ip else ""))


def setting(cause: Cause) -> tuple[str, ...]:
    """When it was done, what was done, and by what id Azure's own logs tell of it."""
    correlation = (f"correlation {shown(cause.correlation_id, _NAME)}",) if cause.correlation_id else ()
    return (when(cause.time), shown(cause.operation, _NAME), *correlation)


def when(time: datetime) -> str:
    """The time to the second, in UTC: `2026-11-24 08:14:21 UTC`."""
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def facts(finding: Finding) -> tuple[Fact, ...]:
    """What is known: whom the finding is about, from which principal to which, role, scope, the rest."""
    subject, detail = finding.subject, dict(finding.detail)
    known = [(_KINDS[subject.kind], subject.name, False), ("Owner", subject.owner, False)]
    known.append((_LABELS["change"], detail.pop("change", ""), False))
    before, after = detail.pop("previousPrincipalId", ""), detail.pop("principalId", "")
    known.append(("Principal id", f"{before} → {after or 'none'}" if before else after, True))
    if detail.get("holder") == subject.name:
        del detail["holder"]
    if detail.get("roleName"):
        detail.pop("roleDefinitionId", "")
    if "scope" in detail and detail["scope"].lower() == subject.id.lower():
        del detail["scope"]  # It stands as the resource.
    holders = detail.pop("holderId", "").split(", ")
    resources = [subject.id] if subject.id.startswith("/") else holders
    for condition in ("conditionBefore", "conditionAfter"):
        detail.pop(condition, "")  # The notes have them at length.
    for key, value in sorted(detail.items(), key=_place):
        known.append((_LABELS.get(key, _words(key)), value, key.endswith("Id") or key == "scope"))
    known += (("Resource", id, True) for id in resources)
    return tuple(Fact(label, shown(value, _VALUE), exact) for label, value, exact in known if value)


def notes(finding: Finding) -> tuple[Notes, ...]:
    """The finding's notes; those that begin `Stranded: ` (or another word or two) are gathered under it."""
    gathered: dict[str, list[str]] = {}
    for note in finding.notes:
        line = shown(note, _LINE)
        headed = _HEADED.fullmatch(line) if len(gathered) < _HEADINGS else None
        gathered.setdefault(headed[1] if headed else "", []).append(headed[2] if headed else line)
    return tuple(Notes(heading, tuple(lines)) for heading, lines in gathered.items())


def commands(alert: Alert) -> Commands:
    """The commands that mend what the alert tells, the gravest finding's first, each once.

    Those of another choice come last, together: what followed them would seem to be of that choice too.
    """
    parts = [remedy.parted(finding.remediation) for finding in alert.findings]
    wanted = dict.fromkeys(command for first, _ in parts for command in first)
    others = dict.fromkeys(command for _, other in parts for command in other if command not in wanted)
    if others:
        wanted |= {remedy.OTHERWISE: None, **others}
    return Commands(tuple(command for command in wanted if copyable(command, _COMMAND)), len(wanted))


def accepting(finding: Finding) -> str:
    """What to do about a finding that is as it should be."""
    return f'Meant to be so?  lami accept {shown(finding.id, _NAME)} --reason "…"'


def reading_on(finding: Finding) -> tuple[str, ...]:
    """Where to read on: the finding's id, its runbook and its ATT&CK techniques."""
    return (shown(finding.id, _NAME), f"runbook {finding.runbook}", *(f"ATT&CK {t}" for t in finding.attack))


def more(count: int, what: str) -> str:
    """How many were left out for want of room: `+3 more findings`; `what` is in the singular."""
    return f"+{count:,} more {what}{'' if count == 1 else 's'}"


def _story(alert: Alert) -> Summary:
    first, *others = alert.findings
    count, alike = len(alert.findings), all(other.actor == first.actor for other in others)
    return Summary(
        severity=first.severity,
        headline=title(first),
        labels=(first.rule, *([f"{count:,} findings"] if count > 1 else [])),
        who=who(alert.cause.actor),
        setting=setting(alert.cause),
        facts=facts(first),
        notes=notes(first),
        heading="In the same change" if alike else "Told with it",
        listed=tuple(_listed(other, _by(other, first)) for other in others),
        next=accepting(first),
        reading=reading_on(first),
    )


def _listed(finding: Finding, after: str = "") -> Listed:
    return Listed(finding.severity, finding.rule, title(finding) + after)


def _by(finding: Finding, first: Finding) -> str:
    """Who is behind a finding, where that is another than the one whom the alert names."""
    return "" if finding.actor == first.actor else f" (by {who(finding.actor).name})"


def _digest(alert: Alert) -> Summary:
    """So many at once that each alone would not be read: what they are is counted, the gravest are named."""
    rules: dict[str, Counter[Severity]] = {}
    for finding in alert.findings:
        rules.setdefault(finding.rule, Counter())[finding.severity] += 1
    times = [finding.cause.time for finding in alert.findings]
    return Summary(
        severity=alert.findings[0].severity,
        headline=f"{len(alert.findings):,} findings of {alert.stories:,} changes at once",
        labels=("digest",),
        who=_many(Counter(finding.cause.actor for finding in alert.findings)),
        setting=(f"{when(min(times))} to {when(max(times))}",),
        facts=tuple(
            Fact(f"{found.total():,}", f"{rule} ({_by_severity(found)})") for rule, found in rules.items()
        ),
        notes=(),
        heading="The gravest first",
        listed=tuple(map(_listed, alert.findings)),
        next="All of them:  lami findings list",
        reading=tuple(f"runbook docs/runbooks/{rule}.md" for rule in sorted(rules)),
    )


def _by_severity(found: Counter[Severity]) -> str:
    """`high` where all are; else `12 critical, 388 high`."""
    if len(found) == 1:
        return next(iter(found))
    return ", ".join(f"{found[severity]:,} {severity}" for severity in SEVERITIES if found[severity])


def _many(actors: Counter[Actor]) -> Who:
    """The one who did most of it, and how many others did the rest."""
    first = who(min(actors, key=lambda actor: (-actors[actor], actor.id, actor.name)))
    others = len(actors) - 1
    return replace(first, rest=f"{first.rest} and {more(others, 'actor')[1:]}") if others else first


def _place(item: tuple[str, str]) -> tuple[int, str]:
    known = list(_LABELS)
    return (known.index(item[0]) if item[0] in known else len(known), item[0])


def _words(key: str) -> str:
    return shown(_HUMP.sub(" ", key).capitalize(), _NAME)
