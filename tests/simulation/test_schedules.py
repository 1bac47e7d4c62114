"""Random schedules: changes in Azure, their events doubled, reordered and late, reads that lag, crashes.

After every schedule lami's state equals ARM, its findings are exactly those that hold, everything was told.
"""

from __future__ import annotations

from datetime import timedelta

import pytest

from lami.core.ids import ResourceId
from tests.simulation.azure import CONTRIBUTOR, NARROW, OTHER_SUB, app_id, identity_id, queue_scope
from tests.simulation.world import World

CHANGES = 4


def live(world: World, changes: int, wide: bool) -> None:
    """Something happens in Azure, and some of its events are delivered in between."""
    azure, random = world.azure, world.random
    apps = [app_id("a"), app_id("b", OTHER_SUB)] if wide else [app_id("a")]
    for _ in range(changes):
        app = random.choice(apps)
        holders, grants = azure.present.holders, sorted(azure.present.assignments, key=lambda i: i.key)
        what = random.randrange(9)
        principal = holders[app].system if app in holders else azure._guid()
        if what == 0:
            azure.put_app(app)
        elif what == 1 and app in holders:
            azure.delete(app)
        elif what in (2, 3) and app in holders:
            azure.delete(app)
            if random.random() < 0.7:
                azure.sleep(random.choice((0, 5, 100)))
                azure.put_app(app)
        elif what == 4:
            azure.grant(principal, NARROW, queue_scope(random.randrange(3), app.subscription))
        elif what == 5:
            azure.grant(principal, CONTRIBUTOR, ResourceId(f"/subscriptions/{app.subscription}"))
        elif what in (6, 7) and grants:
            gone = random.choice(grants)
            azure.revoke(gone)
            if what == 7:  # The name is used again, for whoever is there now.
                azure.grant(principal, NARROW, gone.scope, gone.name)
        elif what == 8 and wide:
            shared = identity_id("shared")
            if random.random() < 0.4 and shared in holders:
                azure.delete(shared)
            azure.put_identity(shared)
            azure.put_app(app, (shared,) if random.random() < 0.7 else ())
        azure.sleep(random.choice((0, 1, 20, 70, 400)))
        if random.random() < 0.5:
            world.deliver_all(random.choice((1, 2)), shuffle=True)
        if random.random() < 0.5:
            world.walk()


def prepared(seed: int, wide: bool, grace: str) -> World:
    """A world with an app that holds two narrow grants, and its baseline taken."""
    world = World(seed, grace)
    for app in (app_id("a"), app_id("b", OTHER_SUB)) if wide else (app_id("a"),):
        principal = world.azure.put_app(app)
        for number in range(2):
            world.azure.grant(principal, NARROW, queue_scope(number, app.subscription))
    world.azure.events.clear()
    world.azure.sleep(600)
    world.take()
    return world


def run(seed: int, wide: bool, faults: str) -> World:
    """One schedule to its end."""
    world = prepared(seed, wide, "0s" if seed % 3 == 0 else "5m")
    if "lag" in faults:
        world.azure.lag = timedelta(seconds=30)
    if "crash" in faults:
        world.table.crashes = 0.01
    if "fail" in faults:
        world.table.fails = 0.02
        world.azure.fail_reads = 0.05
        for channel in world.channels:
            channel.fails = 0.2
    live(world, 6 if wide else CHANGES, wide)
    world.deliver_all(2, shuffle=True)
    world.settle()
    return world


@pytest.mark.parametrize("faults", ["none", "lag", "crash", "fail", "lag crash fail"])
@pytest.mark.parametrize("wide", [False, True], ids=["narrow", "wide"])
def test_after_every_schedule_all_promises_hold(wide: bool, faults: str) -> None:
    """State equals ARM, findings are those that hold, all told, chains whole, nothing owed."""
    bad = {}
    for seed in range(SCHEDULES):
        violations = run(seed, wide, faults).violations()
        if violations:
            bad[seed] = violations
    assert not bad, f"{len(bad)} of {SCHEDULES} schedules, first: {next(iter(bad.items()))}"


SCHEDULES = 60
