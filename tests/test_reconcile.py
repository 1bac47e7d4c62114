"""A run of reconcile over several subscriptions: what it leaves behind while it goes, and where it dies."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta

import pytest

from lami.core import digests
from lami.core.ids import ResourceId
from lami.core.model import Cause, RoleAssignment, Subject, Unknown
from lami.runs import RUN_LEASE, Progress
from lami.schedule import reconcile_if_due, reconcile_now
from lami.store.due import Due, Why
from lami.store.table import LimitExceeded, Operation
from tests.scale.estate import MANAGEMENT_GROUP, app, group_of
from tests.scale.little import LITTLE, Little, little
from tests.simulation.azure import CONTRIBUTOR, NARROW, SUB, app_id, queue_scope
from tests.simulation.world import World

WAYS: tuple[Why, ...] = ("drain", "grace", "doubt")


class Killed(BaseException):
    """The process died here: nothing may catch it."""


@pytest.fixture
def world() -> Iterator[Little]:
    """A small estate whose baseline is taken; a day has passed since."""
    with little() as made:
        assert not made.take().partial
        made.estate.now += timedelta(days=1)
        made.estate.asked.clear()
        yield made


def recreate_all(world: Little) -> None:
    """An app in each subscription comes back with another principal, and no event tells of it."""
    for number, here in enumerate(world.estate.subscriptions):
        world.estate.recreate(app(here, 0), f"c0ffee00-000{number}-4000-8000-000000000001")


def dies_at(world: Little, listing: int) -> None:
    """The process dies at this listing of a subscription."""

    def die(kind: str, where: str) -> None:
        if kind == "holders_in" and world.estate.asked[kind] + 1 == listing:
            raise Killed

    world.estate.before_read = die
    with pytest.raises(Killed):
        reconcile_now(world.lami)
    world.estate.before_read = lambda kind, where: None


def walk_till_death(world: Little) -> None:
    """A worker walks, and dies as soon as it lists a subscription."""

    def die(kind: str, where: str) -> None:
        if kind == "holders_in":
            raise Killed

    world.estate.before_read = die
    with suppress(Killed):
        world.lami.service.walk()
    world.estate.before_read = lambda kind, where: None


def test_a_run_that_takes_long_is_not_begun_by_another_too(world: Little) -> None:
    """However long its listings and subjects take, what it has yet to do is nobody else's while it lives."""
    recreate_all(world)
    seen: list[list[str]] = []

    def slow(kind: str, where: str) -> None:
        seen.append(world.leases())
        world.estate.now += RUN_LEASE / 3

    world.estate.before_read = slow
    started = world.estate.now
    assert not reconcile_now(world.lami).partial
    assert world.estate.now - started > 3 * RUN_LEASE
    assert seen
    assert not any(seen)
    world.estate.now += 2 * RUN_LEASE
    assert world.leases() == []


def test_a_run_that_dies_is_continued_by_the_walker(world: Little) -> None:
    """What it had not finished is on the list, and nothing else; what the run would have found is found."""
    recreate_all(world)
    stranger = group_of(world.estate.subscriptions[0], 0)
    above = ResourceId(MANAGEMENT_GROUP)
    world.estate.grant(stranger, CONTRIBUTOR, above, "b0b0b0b0-0000-4000-8000-000000000001")
    dies_at(world, listing=2)
    assert world.rules().count("identity-churn") == 1
    assert world.leases() == []
    world.estate.now += RUN_LEASE + timedelta(seconds=1)
    assert sorted(world.leases()) == ["", *sorted(world.estate.subscriptions[1:])]
    world.estate.asked.clear()
    while world.lami.service.walk():
        pass
    assert world.estate.asked["holders_in"] == 2
    assert world.rules().count("identity-churn") == 3
    assert world.rules().count("broad-grant") == 1
    assert world.leases() == []


def test_a_run_that_died_is_taken_up_by_the_schedule(world: Little) -> None:
    """When each subscription was reconciled is noted as soon as it is."""
    recreate_all(world)
    dies_at(world, listing=3)
    world.estate.asked.clear()
    assert reconcile_if_due(world.lami) is not None
    assert world.estate.asked["holders_in"] == 1
    assert reconcile_if_due(world.lami) is None
    assert world.rules().count("identity-churn") == 3


def test_what_else_is_due_does_not_wait_for_a_run_that_kills_its_worker(world: Little) -> None:
    """A run that takes longer than a worker lives comes after all else that is due, and not at each walk."""
    recreate_all(world)
    dies_at(world, listing=1)
    world.estate.now += RUN_LEASE + timedelta(seconds=1)
    known = next(iter(world.lami.queries.subjects(world.estate.subscriptions)))
    due = world.estate.now - timedelta(seconds=1)
    world.due.add([Due(due, "until", Cause("later", "lami/test", due), known)])
    walk_till_death(world)
    assert {item.why for item in world.due.by(world.estate.now)} == {"reconcile"}
    for _ in world.estate.subscriptions:
        walk_till_death(world)
    assert world.leases() == []
    world.estate.now += 2 * RUN_LEASE
    while world.lami.service.walk():
        pass
    assert world.rules().count("identity-churn") == 3
    assert world.leases() == []


def test_many_that_ask_for_a_subscription_are_answered_by_one_run(world: Little) -> None:
    """Forty resource groups that were deleted are one listing; in the end none of them is left."""
    here, now = world.estate.subscriptions[0], world.estate.now - timedelta(seconds=1)
    causes = [Cause(f"event-{number}", "delete", now) for number in range(40)]
    world.due.add([Due(now, "reconcile", cause, resource=here) for cause in causes])
    world.estate.recreate(app(here, 0), "c0ffee00-0000-4000-8000-000000000001")
    assert world.lami.service.walk() == 40
    assert world.estate.asked["holders_in"] == 1
    assert world.rules().count("identity-churn") == 1
    assert world.leases() == []
    world.estate.now += 2 * RUN_LEASE
    assert world.leases() == []


def test_a_book_that_cannot_be_written_holds_up_no_other(
    world: Little, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither a run of reconcile nor the walker; of a run it is said who could not be handled."""
    here = world.estate.subscriptions[0]
    sick = Subject("holder", app(here, 0).text)
    write = world.lami.table.transact

    def refuses(partition: str, operations: Sequence[Operation]) -> Mapping[str, str]:
        if partition == sick.partition:
            raise LimitExceeded("row 'a.head' is too large")
        return write(partition, operations)

    monkeypatch.setattr(world.lami.table, "transact", refuses)
    recreate_all(world)
    report = reconcile_now(world.lami)
    assert list(report.failed) == [sick.id]
    assert world.rules().count("identity-churn") == 2
    healthy = Subject("holder", app(here, 1).text)
    due = world.estate.now - timedelta(seconds=1)
    cause = Cause("later", "lami/test", due)
    world.due.add([Due(due, why, cause, one) for why in WAYS for one in (sick, healthy)])
    world.lami.service.walk()
    assert [item.why for item in world.due.by(world.estate.now)] == []


def test_a_principal_that_differs_in_several_subscriptions_is_handled_in_each(world: Little) -> None:
    """One run is as many stimuli as there are subscriptions in which it differs."""
    stranger = group_of(world.estate.subscriptions[0], 0)
    for number, here in enumerate(world.estate.subscriptions):
        scope = ResourceId(f"/subscriptions/{here}")
        world.estate.grant(stranger, CONTRIBUTOR, scope, f"b0b0b0b0-000{number}-4000-8000-000000000001")
    assert reconcile_now(world.lami).differing == 1
    assert world.rules() == ["broad-grant"] * 3
    assert reconcile_now(world.lami).differing == 0


def test_progress_tells_subscriptions_and_subjects(world: Little) -> None:
    """Which subscription of how many, and in it how many subjects of those that differ."""
    recreate_all(world)
    said: list[Progress] = []
    reconcile_now(world.lami, said.append)
    assert [(one.part, one.parts, one.done, one.total) for one in said] == [
        (part, LITTLE.subscriptions, done, done) for part in (1, 2, 3) for done in (0, 1)
    ]


def test_the_digest_of_what_a_message_had_looked_at_anew_is_the_newer_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A book of the batch that another's message has list its grants once more is digested as it is then."""
    world = World(1, "5m")
    azure, queue = world.azure, queue_scope(1)
    azure.put_app(app_id("a"))
    azure.sleep(600)
    world.take()
    azure.delete(app_id("a"))
    principal = azure.put_app(app_id("a"))
    grant = azure.grant(principal, NARROW, queue)
    azure.events.clear()
    azure.sleep(600)
    listed = azure.assignments_of
    times: list[str] = []

    def gone_at_the_third(of: str, subscriptions: tuple[str, ...]) -> tuple[RoleAssignment, ...] | Unknown:
        # Twice to handle it, since nobody knew the grant; then because the app's message says: I carry you.
        times.append(of)
        if times.count(principal) == 3 and grant in azure.present.assignments:
            azure.revoke(grant)
        return listed(of, subscriptions)

    monkeypatch.setattr(azure, "assignments_of", gone_at_the_third)
    world.reconcile()
    assert times.count(principal) == 3
    azure.events.clear()
    held = world.books().load(Subject("principal", principal)).book
    assert world.lami.index.digests(SUB)[held.subject] == digests.of_book(held, SUB)
