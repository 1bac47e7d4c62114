"""A channel that was down for long is told everything in the end, however much one book owes."""

from __future__ import annotations

from lami.core.ids import ResourceId
from tests.simulation.azure import CONTRIBUTOR, SUB, app_id
from tests.simulation.world import World


def test_a_book_that_owes_more_than_a_transaction_holds_is_told_whole() -> None:
    """120 broad grants to one principal while Teams is down; then Teams is up again."""
    world = World(1, "0s")
    principal = world.azure.put_app(app_id("app"))
    world.azure.events.clear()
    world.azure.sleep(3600)
    world.take()
    for channel in world.channels:
        channel.fails = 1.0
    sub = app_id("app").subscription
    for number in range(120):
        world.azure.grant(
            principal, CONTRIBUTOR, ResourceId(f"/subscriptions/{sub}/resourceGroups/rg{number}")
        )
    world.deliver_all()
    world.settle(60)
    assert len({id for id, _ in world.channels[0].told}) == 120


def test_a_drain_that_fails_again_and_again_does_not_owe_more_each_time() -> None:
    """What is told twice, and changes nothing, makes nobody owe anything: retries do not snowball."""
    world = World(2, "0s")
    principal = world.azure.put_app(app_id("app"))
    world.azure.grant(principal, CONTRIBUTOR, ResourceId(f"/subscriptions/{SUB}"))
    world.azure.events.clear()
    world.azure.sleep(3600)
    world.take()
    world.azure.delete(app_id("app"))
    world.azure.put_app(app_id("app"))
    first, second = world.azure.events
    world.table.fails = 0.2
    for _ in range(200):
        world.deliver(first)
        world.deliver(second)
    owed = [key for rows in world.memory.partitions.values() for key in rows if key.startswith("d.owed")]
    assert len(owed) < 20
    world.quiet()
    world.deliver_all()
    world.settle()
    assert world.violations() == []
