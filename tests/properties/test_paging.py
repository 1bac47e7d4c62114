"""Pages of the API while what they list changes: nothing comes twice, nothing that stood is missed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from msgspec.structs import replace

from lami.core.model import Actor, Cause, Entry, EntryKind, Finding, FindingSubject, Severity, Status, Subject
from lami.core.timeline import hashed
from lami.store.index import Index
from lami.web.app import make_app
from tests.core.builders import P1
from tests.properties.profiles import cases
from tests.properties.small_world import SmallWorld

SUBJECT = Subject("principal", P1)
WHO = FindingSubject("principal", P1, "claims-intake")
STATUSES: tuple[Status, ...] = ("open", "resolved", "accepted", "suppressed")
GRADES: tuple[Severity, ...] = ("critical", "high", "low")


class Paging(RuleBasedStateMachine):
    """A reader who follows `nextLink` at leisure, and a writer who does not wait for it."""

    def __init__(self) -> None:
        super().__init__()
        self.world = SmallWorld()
        self.index = Index(self.world.table)
        self.client = make_app(lambda: self.world.lami).test_client()
        self.link: str | None = None
        self.seen: list[str] = []
        self.constant: set[str] = set()
        """What has been there and has matched ever since the first page was asked for."""

    def matching(self) -> set[str]:
        """The ids that match the reader's question now."""
        raise NotImplementedError

    def changed(self) -> None:
        """What does not match at any moment of the reading need not be shown."""
        self.constant &= self.matching()

    def ask(self, link: str) -> None:
        """Read a page; at the end of the list, hold what was read against what stood all along."""
        answer = self.client.get(link)
        assert answer.status_code == 200, answer.get_json()
        page: dict[str, Any] = answer.get_json()
        ids = [item["id"] for item in page["value"]]
        assert not set(ids) & set(self.seen), "shown twice"
        assert len(ids) == len(set(ids))
        assert set(ids) <= self.matching()
        self.seen += ids
        self.link = page["nextLink"]
        if self.link is None:
            missed = self.constant - set(self.seen)
            assert not missed, f"missed {missed} of {self.seen}"
            self.seen = []

    def start(self, link: str) -> None:
        """Ask for the first page."""
        self.seen = []
        self.constant = self.matching()
        self.ask(link)

    @precondition(lambda self: self.link is not None)
    @rule()
    def read_on(self) -> None:
        """The next page."""
        assert self.link is not None
        self.ask(self.link)

    def teardown(self) -> None:
        """Whoever began to read comes to the end."""
        while self.link is not None:
            self.ask(self.link)


spans = st.sampled_from([0, 0, 1, 60, 86_400])


class FindingsPages(Paging):
    """Findings open, change and end between the pages."""

    def __init__(self) -> None:
        super().__init__()
        self.held: dict[str, Finding] = {}
        self.filter: tuple[tuple[Status, ...], tuple[Severity, ...]] = ((), ())

    def matching(self) -> set[str]:
        statuses, severities = self.filter
        return {
            id
            for id, finding in self.held.items()
            if finding.status in (statuses or STATUSES) and finding.severity in (severities or GRADES)
        }

    def write(self, finding: Finding) -> None:
        """Write a finding as a commit that changed it does."""
        self.held[finding.id] = finding
        self.index.put_finding(finding, SUBJECT)
        self.changed()

    @initialize(number=st.integers(0, 9), grades=st.lists(st.sampled_from(GRADES), min_size=9, max_size=9))
    def some_are_there(self, number: int, grades: Sequence[Severity]) -> None:
        """Some findings are open before anybody reads; some opened by one cause at one time."""
        for severity in grades[:number]:
            self.opens(severity, 0)

    @rule(severity=st.sampled_from(GRADES), seconds=spans)
    def opens(self, severity: Severity, seconds: int) -> None:
        """A new finding opens."""
        self.world.azure.sleep(seconds)
        now = self.world.azure.now
        id = f"f-{(len(self.held) * 0x9E3779B97F4A7C15) % 2**64:016x}"
        cause = Cause("c", "microsoft.logic/workflows/write", now, "", Actor())
        self.write(
            Finding(
                id, "broad-grant", severity, "open", WHO, "title", {}, cause, now, "t", "thread", revision=1
            )
        )

    @precondition(lambda self: self.held)
    @rule(data=st.data(), status=st.sampled_from(STATUSES), severity=st.sampled_from(GRADES), seconds=spans)
    def changes(self, data: st.DataObject, status: Status, severity: Severity, seconds: int) -> None:
        """A finding's status and severity change; one that was resolved opens anew, later than before."""
        self.world.azure.sleep(seconds)
        now = self.world.azure.now
        old = self.held[data.draw(st.sampled_from(sorted(self.held)))]
        again = old.status == "resolved" and status != "resolved"
        if again:
            # It ended and began once more: what was listed is not there any longer.
            self.constant.discard(old.id)
        self.write(
            replace(
                old,
                status=status,
                severity=severity,
                opened_at=now if again else old.opened_at,
                resolved_at=now if status == "resolved" else None,
                revision=old.revision + 1,
            )
        )

    @rule(
        limit=st.integers(1, 4),
        statuses=st.lists(st.sampled_from(STATUSES), max_size=2, unique=True),
        severities=st.lists(st.sampled_from(GRADES), max_size=1),
    )
    def read(self, limit: int, statuses: list[Status], severities: list[Severity]) -> None:
        """Somebody begins to read."""
        self.filter = (tuple(statuses), tuple(severities))
        asked = [f"limit={limit}", *(f"status={s}" for s in statuses), *(f"severity={s}" for s in severities)]
        self.start("/api/v1/findings?" + "&".join(asked))


class TimelinePages(Paging):
    """Entries are added between the pages."""

    def __init__(self) -> None:
        super().__init__()
        self.entries: list[Entry] = []
        self.kind = ""
        self.span = (datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))

    def matching(self) -> set[str]:
        since, until = self.span
        return {
            entry.id for entry in self.entries if since <= entry.at < until and self.kind in ("", entry.kind)
        }

    @initialize(number=st.integers(0, 6))
    def some_are_there(self, number: int) -> None:
        """Something happened before anybody reads."""
        for many in range(number):
            self.happens(1 + many % 3, 3_600, 0)

    @rule(many=st.integers(1, 4), seconds=spans, late=st.sampled_from([0, 0, 0, 5, 90_000]))
    def happens(self, many: int, seconds: int, late: int) -> None:
        """A commit adds entries, all at one time; sometimes its copies reach the index late."""
        self.world.azure.sleep(seconds)
        at = self.world.azure.now - timedelta(seconds=late)
        cause = Cause(f"c-{len(self.entries)}", "microsoft.logic/workflows/write", at, "", Actor())
        added = []
        for number in range(len(self.entries) + 1, len(self.entries) + many + 1):
            kind: EntryKind = "opened" if number % 3 == 0 else "observed"
            entry = Entry(f"e-{number * 7919 % 1009:04d}-{number:06d}", at, kind, WHO, "text", {}, {}, cause)
            added.append(hashed(entry, self.entries[-1].hash if self.entries else ""))
            self.entries.append(added[-1])
        self.index.add_entries([tuple(added)])

    @rule(limit=st.integers(1, 5), kind=st.sampled_from(["", "opened"]), days=st.sampled_from([None, 1, 3]))
    def read(self, limit: int, kind: str, days: int | None) -> None:
        """Somebody begins to read, from now back."""
        self.kind = kind
        now = self.world.azure.now
        until = now + timedelta(minutes=1)
        self.span = (until - timedelta(days=days or 7), until)
        asked = [f"limit={limit}"] + ([f"kind={kind}"] if kind else [])
        if days:
            asked.append("from=" + self.span[0].isoformat().replace("+00:00", "Z"))
        self.start("/api/v1/timeline?" + "&".join(asked))


FindingsPages.TestCase.settings = cases("findings pages")
TestFindingsPages = FindingsPages.TestCase
TimelinePages.TestCase.settings = cases("timeline pages")
TestTimelinePages = TimelinePages.TestCase
