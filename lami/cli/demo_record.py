"""What happens while a story is played, scene by scene: told, seen, concluded, arrived.

Events and reads are taken from the sandbox's own logs, and alerts are counted in its sinks: lami's word is
taken only for what it concluded.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from time import monotonic
from typing import TypeVar

from lami.channels.wording import title
from lami.core.model import Actor, Entry, Finding
from lami.core.timeline import Query
from lami.queries import FindingQuery, Queries
from lami.sandbox import Sandbox
from lami.sandbox.grid import Attempt
from lami.sandbox.parts import Read

SINKS: Mapping[str, str] = {"teams": "Teams", "email": "mail"}
"""Where alerts have to arrive: the channels' names, and what a person calls them."""
CHANGES = ("opened", "resolved", "accepted", "suppressed")
"""The kinds of entries that say what became of a finding."""
_LIMIT = 10_000
T = TypeVar("T")


class StoryClock:
    """The time in the story: for the small Azure it stands still within a scene, for lami it goes on.

    So what happens to the estate has the same times in every run, and with them findings have the same ids;
    lami's clock is never behind Azure's; and minutes pass when the story says so.
    """

    def __init__(self, start: datetime) -> None:
        self._turned = (start, monotonic())

    def turn(self, to: datetime) -> None:
        """Go to a later time."""
        self._turned = (to, monotonic())

    def azure(self) -> datetime:
        """The time of what happens to the estate."""
        return self._turned[0]

    def lami(self) -> datetime:
        """The time that lami's clock shows."""
        moment, since = self._turned
        return moment + timedelta(seconds=monotonic() - since)


@dataclass(frozen=True, slots=True)
class Happened:
    """What a scene brought.

    `actors` did what was told, by event id; `noted` are the entries that are about no finding; `changed` are
    findings that opened, were resolved or accepted, as they are now; `arrived` counts new messages by sink.
    """

    told: tuple[Attempt, ...]
    actors: Mapping[str, Actor]
    seen: tuple[Read, ...]
    noted: tuple[Entry, ...]
    changed: tuple[Finding, ...]
    arrived: Mapping[str, int]


@dataclass(slots=True)
class Recorder:
    """Keeps its place in every log, and answers what was added since it was last asked.

    `reached` names the sinks in which each finding, by its id, was found to stand.
    """

    sandbox: Sandbox
    queries: Queries
    start: datetime
    reached: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    _places: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))

    def happened(self) -> Happened:
        """All that was added since the last call."""
        told = self._new("told", self.sandbox.grid.attempts)
        seen = self._new("seen", self.sandbox.reads)
        entries = self._new("entries", self.timeline())
        ids = dict.fromkeys(entry.finding for entry in entries if entry.kind in CHANGES)
        return Happened(
            told=tuple(told),
            actors={entry.cause.id: entry.cause.actor for entry in entries},
            seen=tuple(seen),
            noted=tuple(entry for entry in entries if not entry.finding),
            changed=tuple(finding for id in ids if (finding := self.queries.finding(id))),
            arrived=self._arrived(),
        )

    def timeline(self) -> list[Entry]:
        """Every entry so far, the oldest first."""
        everything = Query(self.start, self.start + timedelta(days=1), limit=_LIMIT)
        return list(reversed(self.queries.timeline(everything)))

    def findings(self) -> list[Finding]:
        """Every finding so far, open ones first."""
        return self.queries.findings(FindingQuery())

    def count(self, sink: str) -> int:
        """How many messages arrived in a sink so far."""
        return self._places[sink]

    def _arrived(self) -> Mapping[str, int]:
        """Look into the sinks, and note which findings stand, with their titles, in what is new there."""
        cards = [
            "\n".join(card.texts) for card in self._new("teams", self.sandbox.teams.cards) if not card.problem
        ]
        mails = [mail.text for mail in self._new("email", self.sandbox.mail.messages)]
        messages = {"teams": cards, "email": mails}
        for finding in self.findings():
            self.reached[finding.id] |= {
                sink for sink, texts in messages.items() if any(title(finding) in text for text in texts)
            }
        return {sink: len(texts) for sink, texts in messages.items()}

    def _new(self, log: str, items: Iterable[T]) -> list[T]:
        new = list(islice(items, self._places[log], None))
        self._places[log] += len(new)
        return new
