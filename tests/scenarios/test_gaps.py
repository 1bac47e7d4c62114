"""What lami cannot see opens `lami-gap`, and what it sees again closes it; nothing else does."""

from __future__ import annotations

from datetime import timedelta

import pytest

from lami.core.ids import ResourceId
from lami.core.model import ITSELF, LAMI, Actor, Cause
from lami.core.timeline import Query
from lami.schedule import reconcile_now, take_baseline_if_none
from lami.store.history import broken
from tests.simulation.azure import CONTRIBUTOR, NARROW, OTHER_SUB, SUB, app_id, identity_id, queue_scope
from tests.simulation.world import World

APP = app_id("claims-intake")
SUBSCRIPTION = ResourceId(f"/subscriptions/{SUB}")
WHY = Cause("test-1", "lami/test", World(1).azure.now, actor=ITSELF)


@pytest.fixture
def world() -> World:
    """An app with a narrow grant, all of it the baseline; an hour has passed since."""
    made = World(11, "0s")
    made.azure.put_app(APP)
    made.azure.grant(made.azure.present.holders[APP].system, NARROW, queue_scope(0))
    made.azure.events.clear()
    made.azure.sleep(3600)
    made.take()
    made.azure.sleep(3600)
    return made


def gaps(world: World, *statuses: str) -> list[str]:
    """The kinds of the gaps that are open, or have these statuses."""
    return sorted(f.detail["gap"] for f in world.findings(*statuses) if f.rule == "lami-gap")


def entries(world: World) -> list[str]:
    """The kinds of lami's own entries, oldest first."""
    now = world.azure.now
    query = Query(now - timedelta(days=30), now + timedelta(minutes=1), resource="lami", limit=1000)
    return [entry.kind for entry in reversed(world.lami.queries.timeline(query))]


def lose(world: World) -> None:
    """Somebody is granted something, and the event of it is lost; a quarter of an hour passes."""
    principal = world.holder(APP).observed.system
    world.azure.grant(principal, NARROW, queue_scope(len(world.azure.present.assignments)))
    world.azure.events.clear()
    world.azure.sleep(900)


def world_identity(world: World, number: int) -> ResourceId:
    """A user-assigned identity that stands for long."""
    id = identity_id(f"id-{number}")
    world.azure.put_identity(id)
    world.deliver_all()
    world.azure.sleep(900)
    return id


# --- a subscription that cannot be read ------------------------------------------------------------


def test_a_subscription_that_is_denied_is_a_gap_at_once(world: World) -> None:
    """Told to every channel, listed by any query, resolved by the next whole listing."""
    world.azure.denied.add(SUB)
    report = reconcile_now(world.lami)
    (finding,) = world.findings()
    assert report.findings == (finding.id,)
    assert finding.title.startswith("lami cannot read all of subscription 11111111 and is blind")
    assert finding.notes == ("403: Microsoft.Logic/workflows/read is missing",)
    assert finding.detail == {"gap": "unreadable", "scope": SUBSCRIPTION.text}
    assert [[told for told, _ in channel.told] for channel in world.channels] == [[finding.id]] * 2
    reconcile_now(world.lami)
    assert len(world.channels[0].told) == 1
    world.azure.denied.clear()
    world.reconcile()
    assert gaps(world) == []
    assert gaps(world, "resolved") == ["unreadable"]
    assert entries(world) == ["gap", "opened", "told", "gap", "resolved"]
    assert broken(world.books().history(LAMI)) == ""
    assert LAMI in world.lami.queries.subjects([SUB, OTHER_SUB])
    assert world.violations() == []


def test_a_failure_that_passes_is_no_gap(world: World) -> None:
    """A 429 or 500 is one only when a run fails that is ten minutes later; a whole listing begins anew."""
    world.azure.fail_reads = 1.0
    for _ in range(3):
        reconcile_now(world.lami)
        world.azure.sleep(60)
    assert gaps(world) == []
    world.azure.fail_reads = 0.0
    world.reconcile()
    assert entries(world) == []
    world.azure.fail_reads = 1.0
    reconcile_now(world.lami)
    world.azure.sleep(600)
    assert gaps(world) == []
    reconcile_now(world.lami)
    assert gaps(world) == ["unreadable", "unreadable"]
    world.azure.fail_reads = 0.0
    world.reconcile()
    assert gaps(world) == []
    assert world.violations() == []


def test_a_baseline_that_cannot_be_taken_is_a_gap() -> None:
    """Reconcile does not run before there is a baseline: else nobody would be told."""
    world = World(11)
    world.azure.denied.add(OTHER_SUB)
    take_baseline_if_none(world.lami)
    assert gaps(world) == ["unreadable"]
    world.azure.denied.clear()
    take_baseline_if_none(world.lami)
    assert gaps(world) == []


# --- events that do not arrive ---------------------------------------------------------------------


def test_events_that_are_lost_twice_within_a_day_are_a_gap(world: World) -> None:
    """Once may be anything. It ends when a day has passed without, by itself."""
    world.unreported = True
    lose(world)
    world.reconcile()
    assert gaps(world) == []
    lose(world)
    world.reconcile()
    assert gaps(world) == ["events"]
    (finding,) = [f for f in world.findings() if f.rule == "lami-gap"]
    assert finding.detail["scope"] == SUBSCRIPTION.text
    assert world.violations() == []
    world.azure.sleep(23 * 3600)
    world.walk()
    assert gaps(world) == ["events"]
    world.azure.sleep(3700)
    world.walk()
    assert gaps(world) == []
    assert world.violations() == []


def test_a_lost_event_now_and_then_is_no_gap(world: World) -> None:
    """More than a day lies between."""
    for _ in range(3):
        lose(world)
        world.reconcile()
        world.azure.sleep(25 * 3600)
    assert gaps(world) == []


def test_what_an_event_is_still_to_tell_is_no_gap(world: World) -> None:
    """Reconcile was quicker than the event, again and again."""
    for _ in range(3):
        principal = world.holder(APP).observed.system
        world.azure.grant(principal, NARROW, queue_scope(len(world.azure.present.assignments)))
        world.azure.sleep(300)
        world.reconcile()
        world.deliver_all()
    assert gaps(world) == []
    assert world.violations() == []


def test_what_no_event_tells_is_no_gap(world: World) -> None:
    """A grant above all subscriptions, and a deletion, whose time nobody knows."""
    group = ResourceId("/providers/Microsoft.Management/managementGroups/all")
    for number in range(3):
        principal = world.holder(APP).observed.system
        above = world.azure.grant(principal, CONTRIBUTOR, group)
        world.azure.events.clear()
        world.azure.sleep(3600)
        world.reconcile()
        world.azure.revoke(above)
        world.azure.events.clear()
        world.azure.sleep(3600 + number)
        world.reconcile()
    assert gaps(world) == []


def test_what_was_told_and_doubted_is_no_gap(world: World) -> None:
    """The event came; Azure showed the past for longer than a retry, and reconcile came first."""
    for number in range(3):
        world.azure.put_app(APP, (world_identity(world, number),))
        world.azure.lag = timedelta(seconds=600)
        world.deliver_all()
        world.azure.lag = timedelta()
        world.azure.sleep(900)
        before = world.holder(APP).observed
        world.reconcile()
        assert world.holder(APP).observed != before
    assert gaps(world) == []


# --- the door --------------------------------------------------------------------------------------


def test_saying_a_gap_twice_costs_one_read(world: World) -> None:
    """And telling it again is nobody's business."""
    world.lami.gaps.open("graph", "lami cannot ask Microsoft Graph", WHY)
    told = len(world.channels[0].told)
    before = world.table.calls
    assert world.lami.gaps.open("graph", "lami cannot ask Microsoft Graph", WHY) == ()
    assert world.table.calls - before == 1
    assert len(world.channels[0].told) == told == 1


def test_a_death_while_a_gap_opens_is_made_up_for(world: World) -> None:
    """Wherever the process died: the walker pays what was committed, and what was not is said again."""
    for step in range(1, 40):
        world.trouble.dies_in = step
        done = world.attempt(lambda: world.lami.gaps.open("graph", "lami cannot ask Graph", WHY))
        world.trouble.dies_in = 0
        world.settle(1)
        if not gaps(world):
            world.lami.gaps.open("graph", "lami cannot ask Graph", WHY)
        assert gaps(world) == ["graph"]
        assert world.violations() == ["lami cannot ask Graph: it can be read"]
        world.lami.gaps.close("graph", WHY)
        assert world.violations() == []
        if done:
            return
    raise AssertionError("it never comes to its end")


def test_it_is_accepted_as_any_finding(world: World) -> None:
    """There is no baseline to move: it counts as accepted until it ends or is told in other words."""
    world.lami.gaps.open("graph", "lami cannot ask Microsoft Graph", WHY)
    (finding,) = world.findings()
    world.operator.accepted.add(finding.id)
    world.lami.service.accept(finding.id, Actor("user", "robin", "Robin"), "known")
    assert gaps(world, "accepted") == ["graph"]
    world.lami.gaps.open("graph", "Microsoft Graph denies lami", WHY)
    assert gaps(world) == ["graph"]
    until = world.azure.now + timedelta(hours=1)
    world.lami.service.accept(finding.id, Actor("user", "robin", "Robin"), "known", until)
    assert gaps(world, "accepted") == ["graph"]
    world.azure.sleep(3700)
    world.walk()
    assert gaps(world) == ["graph"]
