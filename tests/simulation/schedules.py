"""Schedules: what happens in Azure, which of its events arrive how, and what fails, all from one seed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from lami.core.ids import ResourceId
from tests.simulation.azure import CONTRIBUTOR, NARROW, OTHER_SUB, app_id, identity_id, queue_scope
from tests.simulation.world import World


@dataclass(frozen=True)
class Faults:
    """What goes wrong in a schedule. Shares are per call; `loss` is per event.

    With `once` no event comes again after it was acknowledged: what redelivery would mend stays wrong.
    """

    name: str
    lag: float = 0.0
    crashes: float = 0.0
    store: float = 0.0
    reads: float = 0.0
    channels: float = 0.0
    loss: float = 0.0
    workers: int = 1
    once: bool = False

    def __str__(self) -> str:
        """The name, for a test's id."""
        return self.name


NONE = Faults("none")
LAG = Faults("lag", lag=30)
CRASH = Faults("crash", crashes=0.01)
FAIL = Faults("fail", store=0.02, reads=0.05, channels=0.2)
LOSS = Faults("loss", loss=0.3)
WORKERS = Faults("workers", workers=3)
ALL = Faults("all", 30, 0.01, 0.02, 0.05, 0.2, 0.2)
WORKERS_CRASH = Faults("workers that crash", crashes=0.01, channels=0.2, workers=3)
ONCE = Faults("once", lag=30, workers=3, once=True)
EVERY = (NONE, LAG, CRASH, FAIL, LOSS, WORKERS, WORKERS_CRASH, ONCE, ALL)

SLOW = (0, 1, 20, 70, 400)
QUICK = (0, 1, 5)
"""Seconds between changes; quick where workers race, so that no lease runs out while its holder waits."""


def run(seed: int, faults: Faults, wide: bool) -> World:
    """One schedule to its end: everything delivered (or lost, and reconciled), and time has passed."""
    world = _prepared(seed, wide, "0s" if seed % 3 == 0 else "5m")
    world.azure.lag = timedelta(seconds=faults.lag)
    world.azure.fail_reads = faults.reads
    world.table.crashes, world.table.fails = faults.crashes, faults.store
    world.unsure = bool(faults.crashes or faults.store)
    for channel in world.channels:
        channel.fails = faults.channels
    changes = 6 if wide else 4
    if faults.workers > 1:
        _race(world, changes, wide, faults)
    else:
        _live(world, changes, wide, faults)
    world.deliver_all(1 if faults.once else world.random.choice((1, 2)), shuffle=True)
    world.settle()
    if faults.loss:
        world.reconcile()
        world.settle()
    return world


def _prepared(seed: int, wide: bool, grace: str) -> World:
    """A world with one app (or two, in two subscriptions) that hold narrow grants; the baseline is taken."""
    world = World(seed, grace)
    for app in _apps(wide):
        principal = world.azure.put_app(app)
        for number in range(2):
            world.azure.grant(principal, NARROW, queue_scope(number, app.subscription))
    world.azure.events.clear()
    world.azure.sleep(600)
    world.take()
    return world


def _live(world: World, changes: int, wide: bool, faults: Faults) -> None:
    """Changes one after the other, with some of their events delivered in between."""
    for _ in range(changes):
        _change(world, wide)
        _lose(world, faults)
        world.azure.sleep(world.random.choice(SLOW))
        if world.random.random() < 0.5:
            world.deliver_all(world.random.choice((1, 1, 2)), shuffle=True)
        if world.random.random() < 0.5:
            world.walk()


def _race(world: World, changes: int, wide: bool, faults: Faults) -> None:
    """Changes while workers handle the events of those before, each event by several of them."""
    left = [changes]

    def azure() -> None:
        while left[0]:
            _change(world, wide)
            world.azure.sleep(world.random.choice(QUICK))
            left[0] -= 1
            for _ in range(world.random.randrange(30)):
                world.baton.pause()

    def worker() -> None:
        for _ in range(3_000):
            if not world.azure.events and not left[0]:
                return
            if world.azure.events:
                event = world.random.choice(world.azure.events)
                if world.deliver(event) is not None and (faults.once or world.random.random() < 0.8):
                    world.azure.events[:] = [one for one in world.azure.events if one is not event]
            world.baton.pause()
        raise AssertionError("events are refused for ever")

    def walker() -> None:
        while left[0]:
            world.walk()
            world.baton.pause()

    world.baton.run([azure, walker, *[worker] * faults.workers])


def _change(world: World, wide: bool) -> None:
    """Something happens in Azure."""
    azure, random = world.azure, world.random
    app = random.choice(_apps(wide))
    holders, grants = azure.present.holders, sorted(azure.present.assignments, key=lambda id: id.key)
    what = random.randrange(9)
    principal = holders[app].system if app in holders else azure.new_guid()
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


def _lose(world: World, faults: Faults) -> None:
    world.azure.events[:] = [one for one in world.azure.events if world.random.random() >= faults.loss]


def _apps(wide: bool) -> list[ResourceId]:
    return [app_id("a"), app_id("b", OTHER_SUB)] if wide else [app_id("a")]
