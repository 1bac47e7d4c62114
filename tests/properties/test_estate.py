"""Findings through the service's own doors: grants, revocations, acceptances and time, beside a model.

An app and a person get and lose broad and narrow access; operators accept; an exception ends. After every
step what is listed, told and resolved is what the documentation says of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from lami.core.ids import ResourceId
from lami.core.model import Finding, RoleDefinition, Status, Subject
from lami.queries import FindingQuery
from lami.store.books import Books
from lami.store.history import broken
from tests.properties.profiles import cases
from tests.properties.small_world import OPERATOR, SmallWorld
from tests.simulation.azure import CONTRIBUTOR, NARROW, START, SUB, app_id, queue_scope

GRACE = timedelta(minutes=5)
EXCEPTED_UNTIL = START + timedelta(hours=2)
GROUP = ResourceId(f"/subscriptions/{SUB}/resourceGroups/rg")
EXCEPTED = ResourceId(f"/subscriptions/{SUB}/resourceGroups/rg-excepted")
POLICY = f"""
[[exception]]
rule = "broad-grant"
all = true
scope = "{EXCEPTED}"
reason = "it deploys there"
owner = "platform"
until = {EXCEPTED_UNTIL.isoformat()}
"""
ACCESS: dict[str, tuple[RoleDefinition, ResourceId]] = {
    "wide": (CONTRIBUTOR, ResourceId(f"/subscriptions/{SUB}")),
    "group": (CONTRIBUTOR, GROUP),
    "excepted": (CONTRIBUTOR, EXCEPTED),
    "narrow": (NARROW, queue_scope(1)),
    "narrow too": (NARROW, queue_scope(2)),
}
BROAD = {"wide", "group", "excepted"}
SLACK = timedelta(seconds=60)
"""Within this of a deadline the model does not say on which side of it lami looked."""


@dataclass
class Held:
    """What the model holds of one principal: its assignments by access, and what is expected of it."""

    assignments: dict[str, ResourceId] = field(default_factory=dict)
    expected: set[str] = field(default_factory=set)
    missing_since: dict[str, datetime] = field(default_factory=dict)


@dataclass
class Drift:
    """Drift that stands: since when, and until when somebody accepted it."""

    rule: str
    since: datetime
    accepted_until: datetime | None = None
    listed: bool = False


def _served(access: str, given: Iterable[str]) -> bool:
    """Whether something given is the same role at the access's scope or above it."""
    role, scope = ACCESS[access]
    return any(ACCESS[one][0] is role and ACCESS[one][1].reaches(scope) for one in given)


accesses = st.sampled_from(sorted(ACCESS))
who = st.sampled_from(["app", "person"])
waits = st.sampled_from([0, 30, 400, 3_600, 7_200])
Place = tuple[str, str, str]
"""Rule, holder of the access, access: where there can be one finding."""


class EstateMachine(RuleBasedStateMachine):
    """A lami over a simulated Azure without faults."""

    def __init__(self) -> None:
        super().__init__()
        self.world = SmallWorld(POLICY)
        self.held = {"app": Held(), "person": Held()}
        self.drifts: dict[Place, Drift] = {}
        self.ids: dict[str, Finding] = {}
        self.places: dict[str, Place] = {}

    @initialize(before=st.sets(accesses))
    def begin(self, before: set[str]) -> None:
        """An app that holds some access already, all of it expected once the baseline is taken."""
        azure = self.world.azure
        self.principals = {"app": azure.put_app(app_id("claims")), "person": azure.new_guid()}
        for access in sorted(before):
            self.held["app"].assignments[access] = azure.grant(self.principals["app"], *ACCESS[access])
            self.held["app"].expected.add(access)
        azure.events.clear()
        azure.sleep(300)
        self.world.take()

    # --- what happens ---

    @rule(who=who, access=accesses)
    def is_granted(self, who: str, access: str) -> None:
        """Somebody is granted an access; what is broad and not expected is drift."""
        held = self.held[who]
        if access in held.assignments:
            return
        held.assignments[access] = self.world.azure.grant(self.principals[who], *ACCESS[access])
        self.world.deliver()
        if access not in held.expected:
            if access in BROAD:
                self.drifts["broad-grant", who, access] = Drift("broad-grant", self.world.azure.now)
            else:
                held.expected.add(access)
        self.compare()

    def compare(self) -> None:
        """Note what the app lacks from now on, and what it lacks no longer."""
        held, now = self.held["app"], self.world.azure.now
        for access in ACCESS:
            place = ("missing-grant", "app", access)
            if access not in held.expected or _served(access, held.assignments):
                self.drifts.pop(place, None)
            else:
                self.drifts.setdefault(place, Drift("missing-grant", now))

    @rule(who=who, access=accesses)
    def is_revoked(self, who: str, access: str) -> None:
        """Somebody loses an access; an app that was to have it lacks it."""
        held = self.held[who]
        if access not in held.assignments:
            return
        self.world.azure.revoke(held.assignments.pop(access))
        self.world.deliver()
        self.drifts.pop(("broad-grant", who, access), None)
        self.compare()

    @precondition(lambda self: self.held["app"].expected & self.held["app"].assignments.keys())
    @rule(data=st.data())
    def stays_revoked(self, data: st.DataObject) -> None:
        """The app loses what it should have, for longer than the grace."""
        held = self.held["app"]
        access = data.draw(st.sampled_from(sorted(held.expected & held.assignments.keys())))
        self.is_revoked("app", access)
        self.time_passes(400)

    @precondition(lambda self: self.found())
    @rule(data=st.data(), span=st.sampled_from([None, 600, 7_200]))
    def is_accepted(self, data: st.DataObject, span: int | None) -> None:
        """An operator accepts what is listed: for good, and the baseline moves to what is; or for a while."""
        place = data.draw(st.sampled_from(sorted(self.found())))
        finding = self.found()[place]
        now = self.world.azure.now
        until = None if span is None else now + timedelta(seconds=span)
        self.world.lami.service.accept(finding.id, OPERATOR, "planned", until)
        rule, who, access = place
        if until is not None:
            self.drifts[place].accepted_until = until
            return
        del self.drifts[place]
        if rule == "broad-grant":
            self.held[who].expected.add(access)
        else:
            self.held[who].expected.discard(access)
        left = self.world.lami.queries.finding(finding.id)
        assert left is not None
        assert (left.status, left.accepted is not None) == ("accepted", True)

    @rule(seconds=waits)
    def time_passes(self, seconds: int) -> None:
        """Time passes, and the walker with it."""
        for _ in range(max(1, seconds // 1_800)):
            self.world.pass_time(min(seconds, 1_800))
        self.world.pass_time(120)

    @precondition(lambda self: any(one.status == "suppressed" for one in self.found().values()))
    @rule()
    def the_exception_ends(self) -> None:
        """Time passes until what was excepted no longer is; nothing but time says so."""
        left = EXCEPTED_UNTIL - self.world.azure.now
        self.world.pass_time(max(0.0, left.total_seconds()) + 120)

    @rule(who=who)
    def an_event_comes_again(self, who: str) -> None:
        """An event about nothing new changes nothing."""
        for assignment in list(self.held[who].assignments.values())[:1]:
            self.world.azure.tell(assignment, "Microsoft.Authorization/roleAssignments/write")
        self.world.deliver()

    @rule()
    def the_baseline_is_taken_again(self) -> None:
        """Taking the baseline of what is held already changes nothing without a reason."""
        self.world.take()

    # --- what must be ---

    def found(self) -> dict[Place, Finding]:
        """What is listed of these two rules and not resolved, by rule, holder and access."""
        names = {principal: who for who, principal in self.principals.items()}
        keys = {(role.id, scope.key): access for access, (role, scope) in ACCESS.items()}
        listed = self.world.lami.queries.findings(FindingQuery(rules=("broad-grant", "missing-grant")))
        current = [f for f in listed if f.resolved_at is None]
        placed: dict[Place, Finding] = {}
        for finding in current:
            scope = ResourceId(finding.detail["scope"]).key
            access = keys[finding.detail["roleDefinitionId"], scope]
            place = (finding.rule, names[finding.detail["principalId"]], access)
            assert place not in placed, f"two findings of {place}"
            placed[place] = finding
        return placed

    def status(self, place: Place, drift: Drift) -> set[Status | None]:
        """The statuses that a drift's finding may have now; None where there may be none yet."""
        now = self.world.azure.now
        if drift.rule == "missing-grant" and not drift.listed and now < drift.since + GRACE + SLACK:
            return {None} if now < drift.since + GRACE - SLACK else {None, "open"}
        end = drift.accepted_until
        after: set[Status | None] = {"open"}
        if place[0] == "broad-grant" and place[2] == "excepted":
            if now < EXCEPTED_UNTIL - SLACK:
                after = {"suppressed"}
            elif now < EXCEPTED_UNTIL + SLACK:
                after = {"suppressed", "open"}
        if end is None or now >= end + SLACK:
            return after
        return {"accepted"} if now < end - SLACK else {"accepted", *after}

    @invariant()
    def findings_are_what_stands(self) -> None:
        """Listed is just the drift that stands, each in its status, under an id that never changes."""
        if not hasattr(self, "principals"):
            return
        found = self.found()
        assert not found.keys() - self.drifts.keys()
        for place, drift in self.drifts.items():
            finding = found.get(place)
            status = finding.status if finding else None
            assert status in self.status(place, drift), (place, status)
            drift.listed = drift.listed or finding is not None
            if finding is None:
                continue
            old = self.ids.get(finding.id)
            assert self.places.setdefault(finding.id, place) == place
            assert old is None or finding.revision >= old.revision
            if old is not None and old != finding:
                assert finding.revision > old.revision
            self.ids[finding.id] = finding
        self.told_is_what_opened()

    def told_is_what_opened(self) -> None:
        """Whatever is open was told, and no finding more often than it opened."""
        told = Counter(id for id, _ in self.world.ear.told)
        opened: Counter[str] = Counter()
        for who in self.principals:
            opened += self.opened_of(who)
        for finding in self.found().values():
            if finding.status == "open":
                assert told[finding.id] >= 1, finding.title
        for id in told:
            assert told[id] <= opened[id], id

    def opened_of(self, who: str) -> Counter[str]:
        """How often each finding opened, by the timeline of whose book it is in; the chain must hold."""
        subjects = [Subject("principal", self.principals[who])]
        if who == "app":
            subjects.append(Subject("holder", app_id("claims").text))
        books = Books(self.world.table)
        for subject in subjects:
            assert broken(books.history(subject)) == ""
        entries = [entry for subject in subjects for entry in books.entries(subject)]
        # What is open again after an acceptance or exception ended stands as `opened` too.
        return Counter(entry.finding for entry in entries if entry.kind == "opened")


EstateMachine.TestCase.settings = cases("estate")
TestEstate = EstateMachine.TestCase


def test_two_acceptances_at_one_moment_both_count() -> None:
    """An operator who accepts for good while another accepts for a while is not taken for a repetition."""
    world = SmallWorld()
    world.take()
    person = world.azure.new_guid()
    world.azure.grant(person, *ACCESS["wide"])
    world.deliver()
    [finding] = world.lami.queries.findings(FindingQuery(statuses=("open",)))
    world.lami.service.accept(finding.id, OPERATOR, "for now", world.azure.now + timedelta(hours=1))
    world.lami.service.accept(finding.id, OPERATOR, "for good")
    [left] = world.lami.queries.findings(FindingQuery())
    assert left.accepted is not None
    assert (left.status, left.accepted.reason, left.accepted.until) == ("accepted", "for good", None)
