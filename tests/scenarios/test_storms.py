"""Storms: more changes than Azure can be asked about one by one. Each keeps its own line; ARM is spared."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count

import pytest

from lami.core.decode import decode
from lami.core.ids import ResourceId
from lami.core.model import Change, Look, RoleAssignment, Subject, Unknown
from tests.simulation.azure import CONTRIBUTOR, NARROW, OTHER_SUB, SUB, app_id, queue_scope
from tests.simulation.world import World

SUBSCRIPTION = ResourceId(f"/subscriptions/{SUB}")


@dataclass
class Reads:
    """Every read of ARM, by its time on the virtual clock."""

    world: World
    times: deque[datetime] = field(default_factory=deque)

    def __post_init__(self) -> None:
        self.world.azure.before_read = self.note

    def note(self) -> None:
        """One read, now."""
        self.times.append(self.world.azure.now)

    def most_within(self, span: timedelta) -> int:
        """The most reads in any such span."""
        most, begin = 0, 0
        for end, time in enumerate(self.times):
            while self.times[begin] <= time - span:
                begin += 1
            most = max(most, end - begin + 1)
        return most


def quiet(seed: int = 3) -> World:
    """An app in each subscription; its baseline is taken and nothing is told yet."""
    world = World(seed, "5m")
    for sub in (SUB, OTHER_SUB):
        world.azure.put_app(app_id("app", sub))
    world.azure.events.clear()
    world.azure.sleep(3600)
    world.take()
    return world


def by(events: list[dict[str, object]]) -> None:
    """Give each event an actor of its own."""
    for number, event in enumerate(events):
        data = event["data"]
        assert isinstance(data, dict)
        data["claims"] = {"idtyp": "user", "name": f"operator {number}"}


def burst(world: World, each: timedelta = timedelta(milliseconds=5)) -> Counter[str]:
    """Deliver all events so far, one every 5 ms, the walker walking every second; then let it finish."""
    outcomes: Counter[str] = Counter()
    events, walked = list(world.azure.events), world.azure.now
    world.azure.events.clear()
    for event in events:
        outcomes[world.lami.service.receive(event).outcome] += 1
        world.azure.sleep(each.total_seconds())
        if world.azure.now - walked >= timedelta(seconds=1):
            world.lami.service.walk()
            walked = world.azure.now
    for _ in range(60):
        world.azure.sleep(1)
        while world.lami.service.walk():
            pass
    return outcomes


def test_a_thousand_role_assignments_at_once_cost_few_reads_and_each_keeps_its_actor() -> None:
    """At most 0.1 reads an event, and never more than 200 in ten seconds."""
    world = quiet()
    people = [world.azure.new_guid() for _ in range(100)]
    for number in range(1000):
        world.azure.grant(people[number % 100], NARROW, queue_scope(number))
    world.azure.sleep(5)
    by(world.azure.events)
    reads = Reads(world)
    outcomes = burst(world)
    assert outcomes == {"recorded": 20, "deferred": 980}
    assert len(reads.times) <= 100
    assert reads.most_within(timedelta(seconds=10)) <= 200
    lines = [entry for person in people for entry in world.books().entries(Subject("principal", person))]
    granted = [entry.cause.actor.name for entry in lines if "was granted" in entry.text]
    assert sorted(granted) == sorted(f"operator {number}" for number in range(1000))
    assert world.violations() == []


def test_the_rechecks_that_a_storm_leaves_are_swept_as_well() -> None:
    """A thousand deletes doubted, or waiting for their grace, do not come back as a thousand reads."""
    world = quiet()
    principals = [world.azure.put_app(app_id(f"app{number}")) for number in range(20)]
    for principal in principals:
        for number in range(50):
            world.azure.grant(principal, NARROW, queue_scope(number))
    world.azure.sleep(5)
    burst(world)
    world.settle()
    for id, held in list(world.azure.present.assignments.items()):
        if held.principal in principals:
            world.azure.revoke(id)
    reads = Reads(world)
    burst(world)
    for _ in range(600):
        world.azure.sleep(1)
        world.lami.service.walk()
    assert len(reads.times) <= 200
    assert reads.most_within(timedelta(seconds=10)) <= 200
    assert world.rules()["missing-grant"] == 1000
    assert world.violations() == []


def test_ordinary_traffic_is_answered_as_it_comes() -> None:
    """A change every second is never put aside."""
    world = quiet()
    for number in range(60):
        world.azure.grant(world.azure.new_guid(), NARROW, queue_scope(number))
        [event] = world.azure.events
        world.azure.events.clear()
        assert world.lami.service.receive(event).outcome == "recorded"


def test_a_storm_in_one_subscription_does_not_delay_another() -> None:
    """The other's change is handled at once."""
    world = quiet()
    for number in range(50):
        world.azure.grant(world.azure.new_guid(), NARROW, queue_scope(number))
    storm = list(world.azure.events)
    world.azure.events.clear()
    world.azure.grant(world.azure.new_guid(), NARROW, queue_scope(1, OTHER_SUB))
    [other] = world.azure.events
    outcomes = [world.lami.service.receive(event).outcome for event in (*storm, other)]
    assert outcomes.count("deferred") == 30
    assert outcomes[-1] == "recorded"


def test_a_storm_of_findings_becomes_digests_with_true_counts() -> None:
    """300 broad grants to 300 principals: few messages, and every finding is in exactly one of them."""
    world = quiet()
    for _ in range(300):
        world.azure.grant(world.azure.new_guid(), CONTRIBUTOR, SUBSCRIPTION)
    world.azure.sleep(5)
    burst(world)
    world.settle()
    assert world.rules()["broad-grant"] == 300
    for channel in world.channels:
        digests = [alert for alert in channel.alerts if alert.is_digest]
        assert len(channel.alerts) <= 20 + 5
        assert sum(len(alert.findings) for alert in digests) == 280
        assert sum(alert.stories for alert in digests) == 280
        assert len({finding for finding, _ in channel.told}) == len(channel.told) == 300
    assert world.violations() == []


def test_a_digest_that_a_channel_refuses_is_told_later() -> None:
    """Nothing of it is lost, and the other channel isn't told twice."""
    world = quiet()
    world.channels[0].fails = 1.0
    for _ in range(60):
        world.azure.grant(world.azure.new_guid(), CONTRIBUTOR, SUBSCRIPTION)
    world.azure.sleep(5)
    burst(world)
    assert not world.channels[0].told
    world.settle()
    for channel in world.channels:
        assert len({finding for finding, _ in channel.told}) == len(channel.told) == 60
    assert world.violations() == []


def test_what_no_listing_shows_is_looked_at_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """A subscription that cannot be listed in full is still answered, though not as fast."""
    world = quiet()

    def broken(subscription: str) -> Iterator[RoleAssignment | Unknown]:
        yield Unknown("a line that nobody understands")

    monkeypatch.setattr(world.azure, "assignments_in", broken)
    for number in range(100):
        world.azure.grant(world.azure.new_guid(), NARROW, queue_scope(number))
    world.azure.sleep(5)
    reads = Reads(world)
    burst(world)
    assert reads.most_within(timedelta(seconds=10)) <= 200
    world.settle()
    monkeypatch.undo()
    assert world.violations() == []


def test_what_only_the_second_listing_shows_is_not_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A replica that lags leaves a line out of the first; the change is too old to wait, and is told."""
    world = quiet()
    for _ in range(45):
        world.azure.grant(world.azure.new_guid(), CONTRIBUTOR, SUBSCRIPTION)
    events = list(world.azure.events)
    world.azure.events.clear()
    world.azure.sleep(600)
    last = decode(events[-1], world.settings.subscriptions)
    assert isinstance(last, Change)
    whole, listings = world.azure.assignments_in, count(1)

    def lags(subscription: str) -> Iterator[RoleAssignment | Unknown]:
        hides = next(listings) == 1
        for one in whole(subscription):
            if not (hides and isinstance(one, RoleAssignment) and one.id == last.resource):
                yield one

    monkeypatch.setattr(world.azure, "assignments_in", lags)
    for event in events:
        world.lami.service.receive(event)
    world.azure.sleep(10)
    world.lami.service.walk()
    assert next(listings) == 3
    assert world.rules()["broad-grant"] == 45


def test_a_throttled_read_puts_the_change_aside_and_azure_is_asked_when_it_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Not raised to be redelivered: Event Grid delays new events too after a failure."""
    world = quiet()
    asked = Reads(world)

    def throttled(id: ResourceId) -> Look[RoleAssignment]:
        return Unknown("429 too many requests", retry_after=17)

    monkeypatch.setattr(world.azure, "assignment", throttled)
    world.azure.grant(world.azure.new_guid(), CONTRIBUTOR, SUBSCRIPTION)
    [event] = world.azure.events
    world.azure.events.clear()
    assert world.lami.service.receive(event).outcome == "deferred"
    monkeypatch.undo()
    world.azure.sleep(16)
    world.lami.service.walk()
    assert not asked.times
    world.azure.sleep(15)
    world.lami.service.walk()
    assert world.rules() == {"broad-grant": 1}


@pytest.mark.parametrize("seed", range(3))
def test_one_that_fails_does_not_hold_up_the_others(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A principal whose messages cannot be delivered is put off alone; the other findings are told."""
    world = quiet(seed)
    sick = app_id("sick")
    world.azure.put_app(sick)
    for _ in range(30):
        world.azure.grant(world.azure.new_guid(), CONTRIBUTOR, SUBSCRIPTION)
    holder = world.azure.present.holders[sick].system
    whole = world.azure.assignments_of

    def fails_for_one(principal: str, subscriptions: tuple[str, ...]) -> tuple[RoleAssignment, ...] | Unknown:
        return Unknown("500") if principal == holder else whole(principal, subscriptions)

    monkeypatch.setattr(world.azure, "assignments_of", fails_for_one)
    world.random.shuffle(world.azure.events)
    for event in world.azure.events * 2:
        world.deliver(event)
    world.azure.events.clear()
    for _ in range(60):
        world.azure.sleep(1)
        world.walk()
    assert len({finding for finding, _ in world.channels[0].told}) == 30
    monkeypatch.undo()
    world.settle(60)
    world.reconcile()
    assert world.violations() == []


def test_what_reconcile_finds_at_once_is_told_in_digests() -> None:
    """A hundred broad grants that no event told of are few messages, each finding in one of them."""
    world = quiet()
    for _ in range(100):
        world.azure.grant(world.azure.new_guid(), CONTRIBUTOR, SUBSCRIPTION)
    world.azure.events.clear()
    world.azure.sleep(600)
    world.reconcile()
    world.settle()
    for channel in world.channels:
        assert len(channel.alerts) <= 4
        assert sum(len(alert.findings) for alert in channel.alerts) == 100
    assert world.violations() == []
