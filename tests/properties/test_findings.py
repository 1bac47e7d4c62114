"""The life of findings: a machine lets drift come, change and go, accepts, excepts and lets time pass.

A detector that objects to just the drift that the machine has is among the rules, so that every step goes
through the real draft, and every decision through a real book in a table.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from msgspec.structs import replace

from lami.core.draft import MARGIN, Draft, Rules
from lami.core.findings import finding_id
from lami.core.model import (
    Acceptance,
    Book,
    Decision,
    Entry,
    Finding,
    FindingSubject,
    Found,
    PrincipalState,
    Severity,
    Subject,
    SubjectKind,
)
from lami.core.policy import Policy, PolicyException
from lami.core.timeline import broken
from lami.store.books import Books
from tests.core.builders import P1, cause
from tests.properties.profiles import cases
from tests.simulation.memory_table import MemoryTable

START = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
GRACE = timedelta(minutes=5)
EXCEPTED_UNTIL = START + timedelta(hours=2)
LAST = datetime.max.replace(tzinfo=UTC)
SUBJECT = Subject("principal", P1)
WHO = FindingSubject("principal", P1, "claims-intake")
POLICY = Policy(
    grace={"orphaned-assignment": GRACE},
    exceptions=tuple(
        PolicyException("broad-grant", "planned", "platform", until, role=role)
        for role, until in (("Excepted for a while", EXCEPTED_UNTIL), ("Excepted for ever", LAST))
    ),
)
RULES = ("broad-grant", "orphaned-assignment")
ROLES = ("Contributor", "Excepted for a while", "Excepted for ever")


@dataclass
class Drifting:
    """A detector that objects to what it was given."""

    rule: str = "broad-grant"
    judges: SubjectKind = SUBJECT.kind
    drift: dict[str, Found] = field(default_factory=dict)

    def detect(self, book: Book, policy: Policy) -> Iterator[Found]:
        """All drift there is."""
        yield from self.drift.values()


@dataclass
class Known:
    """What the model knows of a finding that is listed. `met` is what its exception met, while it covers."""

    opened_at: datetime
    telling: str
    accepted: Acceptance | None = None
    met: str | None = None


keys = st.sampled_from("abcd")
spans = st.one_of(
    st.sampled_from([GRACE, GRACE - timedelta(microseconds=1), timedelta(hours=1), timedelta(hours=2)]),
    st.integers(0, 600).map(lambda seconds: timedelta(seconds=seconds)),
)


class FindingsMachine(RuleBasedStateMachine):
    """Drift beside a model of the findings that it must make."""

    def __init__(self) -> None:
        super().__init__()
        self.now = START
        self.detector = Drifting()
        self.judged_by = Rules(POLICY, (self.detector,), frozenset(), timedelta(minutes=2))
        self.books = Books(MemoryTable())
        self.known: dict[str, Known] = {}
        self.statuses: dict[str, str] = {}
        self.ids: dict[tuple[str, str], str] = {}
        self.entries: list[Entry] = []
        self.steps = 0

    @initialize()
    def begin(self) -> None:
        """A book that was written once."""
        self.step({})

    # --- what happens ---

    @rule(key=keys, rule=st.sampled_from(RULES), role=st.sampled_from(ROLES), telling=st.sampled_from("xy"))
    def drift_comes(self, key: str, rule: str, role: str, telling: str) -> None:
        """Drift comes, or what there is changes its telling."""
        old = self.detector.drift.get(key)
        if old is None:
            title = f"{role} was granted"
            new = Found(rule, key, "high", WHO, title, {"roleName": role}, cause(), self.now, telling)
        else:
            new = replace(old, telling=telling)
        self.detector.drift[key] = new
        self.step({})

    @precondition(lambda self: self.detector.drift)
    @rule(data=st.data(), severity=st.sampled_from(["high", "low"]), title=st.sampled_from(["one", "two"]))
    def drift_looks_different(self, data: st.DataObject, severity: Severity, title: str) -> None:
        """What is shown of drift changes, and where it is listed its beginning; nothing to tell anew."""
        key = data.draw(st.sampled_from(sorted(self.detector.drift)))
        old = self.detector.drift[key]
        since = self.now if finding_id(SUBJECT, old) in self.known else old.since
        self.detector.drift[key] = replace(old, severity=severity, title=title, since=since)
        self.step({})

    @precondition(lambda self: self.detector.drift)
    @rule(data=st.data())
    def drift_goes(self, data: st.DataObject) -> None:
        """Drift goes by itself."""
        del self.detector.drift[data.draw(st.sampled_from(sorted(self.detector.drift)))]
        self.step({})

    @rule(span=spans)
    def time_passes(self, span: timedelta) -> None:
        """Time passes, and somebody looks."""
        self.now += span
        self.step({})

    @precondition(lambda self: self.deadlines())
    @rule(before=st.booleans())
    def time_passes_to_a_deadline(self, before: bool) -> None:
        """Time passes to the very moment at which something changes by itself, or to just before it."""
        self.now = min(self.deadlines()) - before * timedelta(microseconds=1)
        self.step({})

    def deadlines(self) -> list[datetime]:
        """When acceptances, graces and exceptions end."""
        ends = [known.accepted.until for known in self.known.values() if known.accepted]
        ends += [found.since + GRACE for found in self.detector.drift.values()]
        return [end for end in (*ends, EXCEPTED_UNTIL) if end is not None and self.now < end < LAST]

    @precondition(lambda self: self.known)
    @rule(
        data=st.data(),
        span=st.one_of(st.none(), spans.filter(bool), st.just(LAST - START)),
        moves=st.booleans(),
    )
    def somebody_accepts(self, data: st.DataObject, span: timedelta | None, moves: bool) -> None:
        """An operator accepts a finding: for good (the drift then ends with it, mostly), or for a while."""
        id = data.draw(st.sampled_from(sorted(self.known)))
        until = None if span is None else min(self.now, LAST - span) + span
        if until is None and moves:
            self.detector.drift = {
                k: f for k, f in self.detector.drift.items() if finding_id(SUBJECT, f) != id
            }
        self.step({id: Acceptance("Robin", "planned", self.now, until)})

    # --- one step, and what must come of it ---

    def step(self, acceptances: dict[str, Acceptance]) -> None:
        """Decide and commit; then compare all that came of it with the model."""
        self.steps += 1
        loaded = self.books.load(SUBJECT)
        before = loaded.book
        draft = Draft(before, cause(f"step-{self.steps}"), self.judged_by, self.now, looked=True)
        for id, acceptance in acceptances.items():
            draft.accept(before.findings[id], acceptance)
        decision = draft.seal(PrincipalState())
        self.books.commit(loaded, decision)
        after = decision.book
        self.entries += decision.entries
        assert after.version == before.version + 1
        expected = self.expected(acceptances)
        told = self.compare(before, decision, expected)
        owed = {alert.finding: alert.telling for alert in (decision.owed.alerts if decision.owed else ())}
        assert owed == told
        self.check_left(before, decision, acceptances)
        self.check_looks(decision, acceptances)
        self.statuses = {id: finding.status for id, finding in after.findings.items()}

    def expected(self, acceptances: dict[str, Acceptance]) -> dict[str, tuple[Found, Known]]:
        """What must be listed now: all drift that is out of its grace, or was listed before."""
        expected = {}
        for found in self.detector.drift.values():
            id = finding_id(SUBJECT, found)
            assert self.ids.setdefault((found.rule, found.key), id) == id
            known = self.known.get(id)
            grace = GRACE if found.rule == "orphaned-assignment" else timedelta()
            if known is None and self.now < found.since + grace:
                continue
            accepted = known.accepted if known and known.telling == found.telling else None
            accepted = acceptances.get(id, accepted)
            if accepted and accepted.until and accepted.until <= self.now:
                accepted = None
            opened_at = known.opened_at if known else self.now
            met = known.met if known else None
            if not self.covered(found):
                met = None
            elif met is None:
                met = found.telling
            expected[id] = (found, Known(opened_at, found.telling, accepted, met))
        return expected

    def status(self, found: Found, known: Known) -> str:
        """The status that a finding must have now."""
        if known.accepted:
            return "accepted"
        return "suppressed" if known.met == found.telling else "open"

    def covered(self, found: Found) -> bool:
        """Whether an exception covers it now."""
        role = found.detail["roleName"]
        until = {"Excepted for a while": EXCEPTED_UNTIL, "Excepted for ever": LAST}.get(role)
        return found.rule == "broad-grant" and until is not None and self.now < until

    def compare(
        self, before: Book, decision: Decision, expected: dict[str, tuple[Found, Known]]
    ) -> dict[str, str]:
        """Each finding is as it must be; answer what must be told: ids with their telling."""
        after = decision.book
        assert after.findings.keys() == expected.keys()
        told, changed = {}, set()
        for id, (found, known) in expected.items():
            finding, old = after.findings[id], before.findings.get(id)
            assert finding.status == self.status(found, known)
            assert (finding.opened_at, finding.accepted) == (known.opened_at, known.accepted)
            assert (finding.telling, finding.title, finding.severity) == (
                found.telling,
                found.title,
                found.severity,
            )
            if old is not None and replace(finding, revision=old.revision) == old:
                assert finding.revision == old.revision
            else:
                assert finding.revision == after.version
                changed.add(id)
            was = "" if old is None else old.status
            lines = {(entry.kind, entry.text) for entry in decision.entries if entry.finding == id}
            excepted = {text for kind, text in lines if kind == "suppressed"}
            assert bool(excepted) == (finding.status == "suppressed" != was)
            assert all("planned; platform" in text for text in excepted)
            over = {text for kind, text in lines if kind == "opened" and "planned; platform" in text}
            assert bool(over) == (finding.status == "open" and was == "suppressed")
            anew = old is None or old.status != "open" or old.telling != finding.telling
            if finding.status == "open" and anew:
                told[id] = finding.telling
        left = {finding.id for finding in decision.resolved}
        indexed = decision.owed.index.findings if decision.owed and decision.owed.index else ()
        assert set(indexed) == changed | left
        self.known = {id: known for id, (_, known) in expected.items()}
        return told

    def check_left(self, before: Book, decision: Decision, acceptances: dict[str, Acceptance]) -> None:
        """What is listed no longer left as resolved, or as accepted where that is why."""
        left = {finding.id: finding for finding in decision.resolved}
        assert left.keys() == before.findings.keys() - decision.book.findings.keys()
        for id, finding in left.items():
            assert finding.status == ("accepted" if id in acceptances else "resolved")
            assert (finding.resolved_at, finding.revision) == (self.now, decision.book.version)
            assert finding.opened_at == before.findings[id].opened_at
        lines = {(entry.kind, entry.finding) for entry in decision.entries}
        assert {("resolved", id) for id in left.keys() - acceptances.keys()} <= lines
        assert {("accepted", id) for id in acceptances} <= lines

    def check_looks(self, decision: Decision, acceptances: dict[str, Acceptance]) -> None:
        """Whatever changes by time alone has a look owed then, and not before."""
        looks = {look.at for look in (decision.owed.looks if decision.owed else ())}
        waiting = [
            found.since + GRACE
            for found in self.detector.drift.values()
            if finding_id(SUBJECT, found) not in decision.book.findings
        ]
        ends = [acceptance.until for acceptance in acceptances.values() if acceptance.until]
        roles = {f.detail["roleName"] for f in decision.book.findings.values() if f.status == "suppressed"}
        if "Excepted for a while" in roles:
            ends.append(EXCEPTED_UNTIL)
        elif roles:
            ends.append(LAST)
        for end in ([min(waiting)] if waiting else []) + ends:
            assert min(end, LAST - MARGIN) + MARGIN in looks

    # --- what always holds ---

    @invariant()
    def book_is_whole(self) -> None:
        """What is in the table is what was decided, and its timeline is unbroken."""
        book = self.books.load(SUBJECT).book
        assert {id: finding.status for id, finding in book.findings.items()} == self.statuses
        assert broken(self.entries, book.chain, book.entries) == ""
        if book.version:
            assert list(reversed(self.books.entries(SUBJECT))) == self.entries
        revisions = [finding.revision for finding in book.findings.values()]
        assert all(1 <= revision <= book.version for revision in revisions)
        assert all(isinstance(finding, Finding) for finding in book.findings.values())


FindingsMachine.TestCase.settings = cases("findings")
TestFindings = FindingsMachine.TestCase
