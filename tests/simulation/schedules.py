"""Schedules: what happens in Azure, which of its events arrive how, and what fails, all from one seed."""

from __future__ import annotations

from _thread import get_ident
from dataclasses import dataclass
from datetime import timedelta

from lami.errors import Permanent, Temporary
from lami.pace import CALM, Calm
from tests.simulation import promises
from tests.simulation.azure import TIDY
from tests.simulation.changes import Changes
from tests.simulation.directory import DIRECTORY_LAG, Departures
from tests.simulation.world import World


@dataclass(frozen=True, slots=True)
class Faults:
    """What goes wrong in a schedule. Shares are per call of the store, of ARM or of a channel.

    `lag` is how many seconds ARM may be behind, `skew` how many an event may be stamped too late. `loss` is
    the share of events that never come, `gives_up` of failed deliveries after which one never comes again.
    With `once` no event comes again after it was acknowledged: what redelivery would mend stays wrong.
    With `alone` an event is in one worker's hands at a time, as Event Grid sees to as long as it is answered.
    `operates` is the share of steps at which the operator accepts something, `reconciles` that of those at
    which reconcile runs. `stalls`: somewhere in a race a worker stands still for longer than patience, and
    shorter than a lease. `storm`: more than one change in ten seconds is more than lami reads one by one.
    With `from_the_start` it goes wrong already while the baseline is taken. `directory` is the share of the
    directory's questions that fail; without one lami asks none. `governed`: what changes are conditions and
    role definitions, more than anything else.
    """

    name: str
    lag: float = 0.0
    skew: int = 0
    crashes: float = 0.0
    store: float = 0.0
    reads: float = 0.0
    listings: float = 0.0
    channels: float = 0.0
    loss: float = 0.0
    gives_up: float = 0.0
    workers: int = 1
    once: bool = False
    alone: bool = False
    operates: float = 0.0
    reconciles: float = 0.0
    from_the_start: bool = False
    stalls: bool = False
    storm: bool = False
    directory: float = 0.0
    governed: bool = False

    def __str__(self) -> str:
        """The name, for a test's id."""
        return self.name

    @property
    def needs_reconcile(self) -> bool:
        """Whether events alone do not promise that state equals ARM: one run of reconcile must mend it."""
        mended = self.loss or self.gives_up or self.reconciles or self.directory
        return bool(mended or self.lag > PATIENCE)


PATIENCE = 120
NONE = Faults("none")
LAG = Faults("lag", lag=30)
LONG_LAG = Faults("long lag", lag=100)
SKEW = Faults("skew", lag=30, skew=59)
STALE = Faults("lag beyond patience", lag=400)
CRASH = Faults("crash", crashes=0.01)
FAIL = Faults("fail", store=0.02, reads=0.05, channels=0.2)
LOSS = Faults("loss", loss=0.3)
GIVEN_UP = Faults("given up", crashes=0.02, store=0.02, gives_up=0.7)
OPERATOR = Faults("operator", operates=0.7)
OPERATOR_CRASH = Faults("operator and crashes", crashes=0.02, store=0.01, operates=0.7)
RECONCILE = Faults(
    "reconcile", 30, crashes=0.02, reads=0.02, listings=0.3, channels=0.1, loss=0.5, reconciles=0.7
)
TAKE = Faults("take", crashes=0.01, store=0.01, reads=0.05, listings=0.2, from_the_start=True)
WORKERS = Faults("workers", workers=3)
WORKERS_CRASH = Faults("workers that crash", crashes=0.01, channels=0.2, workers=3)
STALL = Faults("a worker stalls", workers=3, once=True, alone=True, stalls=True)
STALL_LAG = Faults("a worker stalls, with lag", lag=20, workers=3, once=True, alone=True, stalls=True)
WORKERS_OPERATOR = Faults("workers and operator", workers=2, operates=0.7, reconciles=0.3)
STORM = Faults("storm", lag=30, crashes=0.005, reads=0.03, storm=True)
STORM_WORKERS = Faults("storm and workers", workers=2, storm=True)
ONCE = Faults("once", lag=30, workers=2, once=True, alone=True)
DIRECTORY = Faults("directory", crashes=0.005, store=0.005, reconciles=0.8, directory=0.15)
ALL = Faults("all", 30, 20, 0.01, 0.02, 0.05, 0.1, 0.2, 0.2, operates=0.3, reconciles=0.2)
GOVERNED = (
    Faults("governed", governed=True),
    Faults("governed, with lag", lag=30, governed=True),
    Faults("governed, with crashes", crashes=0.01, store=0.01, reads=0.03, channels=0.1, governed=True),
    Faults("governed, operator", operates=0.7, governed=True),
    Faults("governed, workers", workers=3, governed=True),
    Faults("governed, a worker stalls", workers=3, once=True, alone=True, stalls=True, governed=True),
    Faults("governed, reconcile", loss=0.4, reconciles=0.5, operates=0.2, governed=True),
    Faults("governed, storm", lag=30, storm=True, governed=True),
)
"""Schedules in which what is granted is changed in place."""
EVERY = (
    NONE,
    LAG,
    LONG_LAG,
    SKEW,
    STALE,
    CRASH,
    FAIL,
    LOSS,
    GIVEN_UP,
    OPERATOR,
    OPERATOR_CRASH,
    RECONCILE,
    TAKE,
    WORKERS,
    WORKERS_CRASH,
    STALL,
    STALL_LAG,
    WORKERS_OPERATOR,
    STORM,
    STORM_WORKERS,
    ONCE,
    ALL,
    DIRECTORY,
    *GOVERNED,
)
BY_NAME = {faults.name: faults for faults in EVERY}

SLOW = (0, 1, 20, 70, 400)
HOURLY = (0, 60, 1_800, 3_700)
QUICK = (0, 1, 5)
"""Seconds between changes; hourly where denials are to lie apart, quick where workers race, so that no lease
runs out while its holder waits."""
HECTIC = Calm(changes=1, looks=2, few=1)
STALLED = 150
"""Seconds that a worker stands still: longer than patience, shorter than a lease."""
PUT_DOWN = 6
"""How many calls a run of reconcile takes to put down that it runs, at most: three shards, twice each. Where
it asks the directory there may be a fourth."""
NARROW_CHANGES, WIDE_CHANGES = 3, 6


def run(seed: int, faults: Faults, wide: bool) -> World:
    """One schedule to its end: everything delivered (or lost, and reconciled), and time has passed."""
    world = World(seed, "0s" if seed % 3 == 0 else "5m", HECTIC if faults.storm else CALM)
    longest = max(QUICK if faults.workers > 1 else SLOW)
    dies = bool(faults.reconciles and faults.crashes and seed % 2)
    unannounced = faults.needs_reconcile
    changes = Changes(world.azure, world.random, wide, unannounced, longest, faults.governed)
    departures = Departures(world.ask_directory()) if faults.directory else None
    if departures is not None:
        departures.begin()
    _begin(world, changes, faults)
    _go_wrong(world, faults)
    left = WIDE_CHANGES if wide else NARROW_CHANGES
    if departures is not None:
        changes.kinds.extend(departures.kinds(len(changes.kinds)))
        left *= 2
    if faults.workers > 1:
        _race(world, changes, left, faults)
    else:
        _live(world, changes, left, faults)
    copies = 1 if faults.once else world.random.choice((1, 2))
    world.deliver_all(copies, shuffle=True, gives_up=faults.gives_up)
    world.settle(10)
    if faults.needs_reconcile:
        _reconcile(world, dies)
        world.settle()
    _compare(world, faults)
    return world


def _reconcile(world: World, dies: bool) -> None:
    """One run; it may die on the way, and then the walker goes on with it.

    What a run does first is to put down that it runs: a death before that is as if it never began.
    """
    if dies:
        put_down = PUT_DOWN + (2 if world.directory is not None else 0)
        world.trouble.dies_in = world.random.randint(put_down + 1, 150)
        world.attempt(world.reconcile_once)
        world.trouble.dies_in = 0
    else:
        world.reconcile()


def _compare(world: World, faults: Faults) -> None:
    """Reconcile finds nothing (more), and changes nothing.

    Where workers race, a digest may be overwritten by an older one, and reconcile looks once in vain.
    """
    wrong = promises.broken(world, promises.DIGESTS)
    if wrong and faults.workers > 1:
        if any(not _of_changed_role(world, id) for id in world.reconcile().findings):
            world.wrong.append("reconcile found something that events had told")
        world.settle()
        wrong = promises.broken(world, promises.DIGESTS)
    world.wrong += wrong


def _of_changed_role(world: World, finding: str) -> bool:
    """Whether a finding is of a grant whose role was changed: its reach is judged anew with each look."""
    found = promises.index(world.memory).finding(finding)
    return found is not None and found.finding.detail.get("roleDefinitionId") == TIDY.id


def _begin(world: World, changes: Changes, faults: Faults) -> None:
    """The estate as it stands, of which the baseline is taken."""
    changes.begin()
    world.azure.events.clear()
    world.azure.sleep(600)
    if faults.from_the_start:
        _go_wrong(world, faults)
    world.take_at_last()
    if faults.from_the_start:
        world.quiet()
        world.settle()
    grants = world.azure.present.assignments.values()
    for id, holder in world.azure.present.holders.items():
        world.at_first[id] = {one.access.key for one in grants if one.principal == holder.system}
    world.wrong += [f"at first: {wrong}" for wrong in promises.broken(world)]
    world.wrong += [
        f"{finding.title}: it stood before"
        for finding in world.findings()
        if not finding.places  # what a definition shows is listed
    ]


def _go_wrong(world: World, faults: Faults) -> None:
    azure = world.azure
    azure.lag, azure.skew = timedelta(seconds=faults.lag), faults.skew
    world.memory_of_azure = azure.lag
    world.unreported = faults.needs_reconcile
    azure.fail_reads, azure.break_off = faults.reads, faults.listings
    world.trouble.crashes, world.table.fails = faults.crashes, faults.store
    for channel in world.channels:
        channel.fails = channel.times_out = faults.channels / 2
        channel.failures = (Temporary("simulated failure"), Temporary("429", 40), Permanent("refused"))
    if world.directory is not None:
        world.directory.fails, world.directory.lag = faults.directory, DIRECTORY_LAG


def _live(world: World, changes: Changes, left: int, faults: Faults) -> None:
    """Changes one after the other, with some of their events delivered in between."""
    for _ in range(left):
        changes.happen()
        _lose(world, faults)
        world.azure.sleep(world.random.choice(HOURLY if faults.directory else SLOW))
        if world.random.random() < 0.5:
            copies = 1 if faults.once else world.random.choice((1, 1, 2))
            world.deliver_all(copies, shuffle=True, gives_up=faults.gives_up)
        if world.random.random() < 0.5:
            world.walk()
        _meanwhile(world, faults)


def _meanwhile(world: World, faults: Faults) -> None:
    if world.random.random() < faults.operates:
        world.accept(world.random.choice((None, None, timedelta(minutes=7), timedelta(days=30))))
    if world.random.random() < faults.reconciles:
        world.attempt(world.reconcile_once)


def _race(world: World, changes: Changes, left: int, faults: Faults) -> None:
    """Changes while workers handle the events of those before, each event by several of them."""
    going, handed = [True], set[object]()
    # Mostly right after a look or a commit: that is where a race is lost.
    where = world.random.choice(("looked", "looked", "wrote", "wrote", "anywhere"))
    left_to_stall = [world.random.randint(1, 120 if where == "anywhere" else 12)] if faults.stalls else []

    def pause() -> None:
        """Somebody else's turn; once, one stands still meanwhile, until all others are done."""
        world.baton.pause()
        me, trouble = get_ident(), world.trouble
        here = me in {"looked": (trouble.looked,), "wrote": (trouble.wrote,)}.get(where, (me,))
        if left_to_stall and here:
            trouble.looked = trouble.wrote = 0
            left_to_stall[0] -= 1
            if not left_to_stall[0]:
                left_to_stall.clear()
                world.baton.park()

    def woken() -> None:
        """What a process that stood still does not see: time passes, and the walker walks."""
        world.azure.sleep(STALLED)
        world.walk()

    world.baton.woken = woken
    world.trouble.pause = pause

    def azure() -> None:
        for _ in range(left):
            changes.happen()
            world.azure.sleep(world.random.choice(QUICK))
            for _ in range(world.random.choice((0, 5, 20, 40))):
                world.baton.pause()
        going[0] = False

    def worker() -> None:
        for _ in range(3_000):
            free = [one for one in world.azure.events if one["id"] not in handed]
            if not world.azure.events and not going[0]:
                return
            if free:
                event = world.random.choice(free)
                handed.update({event["id"]} if faults.alone else ())
                acknowledged = world.deliver(event) is not None
                handed.discard(event["id"])
                if acknowledged and (faults.once or world.random.random() < 0.8):
                    world.azure.events[:] = [one for one in world.azure.events if one is not event]
            elif not going[0]:
                return  # What is left is being handled by others.
            world.baton.pause()
        raise AssertionError("events are refused for ever")

    def walker() -> None:
        while going[0]:
            world.walk()
            world.baton.pause()
            _meanwhile(world, faults)

    world.baton.run([azure, walker, *[worker] * faults.workers])
    world.trouble.pause = lambda: None


def _lose(world: World, faults: Faults) -> None:
    world.azure.events[:] = [one for one in world.azure.events if world.random.random() >= faults.loss]
