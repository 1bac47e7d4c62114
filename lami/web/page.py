"""The page: open findings as cards, then the timeline by day. Rendered here; it needs no script.

This module makes what the template shows: plain words from `lami.channels.wording`, which say the same as
card and mail do, and in which nothing hides or reorders.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby

from flask import Blueprint, render_template, request

from lami import __version__
from lami.channels import wording
from lami.channels.channel import Alert
from lami.channels.text import shown
from lami.core.model import SEVERITIES, Cause, Entry, EntryKind, Finding, Severity, Status
from lami.core.policy import RULES
from lami.core.timeline import Query
from lami.queries import FindingQuery
from lami.web.api import STATUSES
from lami.web.health import Checkup, check_up
from lami.web.parameters import Parameters
from lami.wiring import Lami

SPANS = (1, 7, 30, 90)
"""How many days of the timeline one may ask for, and what is shown if nobody asks."""
USUAL = 7
CARDS = 100
LINES = 300
_READ = 1_000
"""Entries looked through for those that a filter wants."""
_LINE = 300


@dataclass(frozen=True, slots=True)
class Filter:
    """What the form asks for. An empty `status` stands for open, `any` for all."""

    status: Status | None
    every_status: bool
    rule: str
    severity: Severity | None
    subject: str
    days: int

    @property
    def narrows(self) -> bool:
        """Whether some open findings may be left out."""
        return bool(self.status not in (None, "open") or self.rule or self.severity or self.subject)

    def wants(self, *texts: str) -> bool:
        """Whether the text that was typed is in one of these."""
        wanted = self.subject.lower()
        return not wanted or any(wanted in text.lower() for text in texts)


@dataclass(frozen=True, slots=True)
class Card:
    """A finding as the page shows it."""

    id: str
    rule: str
    severity: Severity
    status: Status
    title: str
    who: wording.Who
    opened_at: datetime
    operation: str
    correlation: str
    notes: tuple[wording.Notes, ...]
    facts: tuple[wording.Fact, ...]
    commands: wording.Commands
    accepting: str
    accepted: str
    runbook: str
    attack: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Line:
    """An entry of the timeline."""

    kind: EntryKind
    text: str


@dataclass(frozen=True, slots=True)
class Happening:
    """Entries that one cause made, in the order they were written."""

    at: datetime
    who: wording.Who
    operation: str
    correlation: str
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Day:
    """The happenings of a day (UTC), newest first."""

    date: datetime
    happenings: tuple[Happening, ...]


def make_page(get: Callable[[], Lami]) -> Blueprint:
    """The page's route."""
    page = Blueprint("page", __name__)

    @page.get("/")
    def show() -> str:
        wanted = _filter(Parameters(request.args))
        lami = get()
        return render_template("page.html", **_shown(lami, wanted))

    return page


def _filter(given: Parameters) -> Filter:
    status = given.one_of("status", (*STATUSES, "any"))
    asked = Filter(
        status=next((one for one in STATUSES if one == status), None),
        every_status=status == "any",
        rule=given.one_of("rule", RULES) or "",
        severity=given.one_of("severity", SEVERITIES),
        subject=given.text("subject"),
        days=int(given.one_of("days", tuple(map(str, SPANS))) or USUAL),
    )
    given.check()
    return asked


def _shown(lami: Lami, wanted: Filter) -> Mapping[str, object]:
    checkup = check_up(lami)
    findings = _findings(lami, wanted)
    entries, more = _entries(lami, wanted)
    return {
        "version": __version__,
        "now": lami.clock(),
        "subscriptions": sorted(lami.settings.subscriptions),
        "channels": [channel.name for channel in lami.channels],
        "checkup": checkup,
        "total": sum(checkup.health.open.values()),
        "severities": SEVERITIES,
        "statuses": STATUSES,
        "rules": RULES,
        "spans": SPANS,
        "wanted": wanted,
        "cards": [card(finding) for finding in findings[:CARDS]],
        "more_cards": len(findings) - CARDS,
        "days": days(entries),
        "more_entries": more,
        "quiet": _is_quiet(checkup, lami),
    }


def _is_quiet(checkup: Checkup, lami: Lami) -> bool:
    """Whether nothing was ever told since this process started."""
    return checkup.health.baseline_at is not None and not lami.service.counts


def _findings(lami: Lami, wanted: Filter) -> list[Finding]:
    statuses: tuple[Status, ...] = () if wanted.every_status else (wanted.status or "open",)
    query = FindingQuery(
        statuses=statuses,
        rules=(wanted.rule,) if wanted.rule else (),
        severities=(wanted.severity,) if wanted.severity else (),
    )
    return [
        finding
        for finding in lami.queries.findings(query)
        if wanted.wants(finding.title, finding.subject.name, finding.subject.id, finding.subject.owner)
    ]


def _entries(lami: Lami, wanted: Filter) -> tuple[list[Entry], bool]:
    """The entries to show, newest first, and whether there are more."""
    until = lami.clock() + timedelta(minutes=1)
    read = lami.queries.timeline(Query(until - timedelta(days=wanted.days), until, limit=_READ))
    found = [e for e in read if wanted.wants(e.text, e.subject.name, e.subject.id, e.cause.actor.name)]
    return found[:LINES], len(found) > LINES or len(read) == _READ


def card(finding: Finding) -> Card:
    """A finding in words."""
    alone = Alert(finding.id, finding.thread, (finding,))
    return Card(
        id=finding.id,
        rule=finding.rule,
        severity=finding.severity,
        status=finding.status,
        title=wording.title(finding),
        who=wording.who(finding.actor),
        opened_at=finding.opened_at.astimezone(UTC),
        operation=shown(finding.cause.operation, _LINE),
        correlation=shown(finding.cause.correlation_id, _LINE),
        notes=wording.notes(finding),
        facts=wording.facts(finding),
        commands=wording.commands(alone),
        accepting=wording.accepting(finding),
        accepted=_accepted(finding),
        runbook=finding.runbook,
        attack=finding.attack,
    )


def days(entries: Sequence[Entry]) -> tuple[Day, ...]:
    """Entries (newest first) by day, and within it by cause."""
    return tuple(
        Day(next(iter(group)).at, happenings(group))
        for group in ([*of_day] for _, of_day in groupby(entries, lambda e: e.at.astimezone(UTC).date()))
    )


def happenings(entries: Iterable[Entry]) -> tuple[Happening, ...]:
    """Entries (newest first) gathered by cause."""
    return tuple(_happening(list(group)) for _, group in groupby(entries, lambda entry: entry.cause.id))


def _happening(entries: Sequence[Entry]) -> Happening:
    cause: Cause = entries[0].cause
    return Happening(
        at=entries[-1].at.astimezone(UTC),
        who=wording.who(cause.actor),
        operation=shown(cause.operation, _LINE),
        correlation=shown(cause.correlation_id, _LINE),
        lines=tuple(Line(entry.kind, _text(entry)) for entry in reversed(entries)),
    )


def _text(entry: Entry) -> str:
    """What happened, without the word that stands before it as its kind."""
    return shown(entry.text.removeprefix(f"{entry.kind} "), _LINE)


def _accepted(finding: Finding) -> str:
    """By whom and why it was accepted or excepted; empty where it was neither."""
    if finding.suppressed is not None:
        one = finding.suppressed
        return shown(f"excepted by {one.owner}: {one.reason}, until {wording.when(one.until)}", _LINE)
    accepted = finding.accepted
    if accepted is None:
        return ""
    until = f", until {wording.when(accepted.until)}" if accepted.until else ""
    return shown(f"accepted by {accepted.by}: {accepted.reason}{until}", _LINE)
