"""One lami over the simulated Azure, with the faults that a schedule asks for."""

from __future__ import annotations

import random
from _thread import get_ident
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache

from lami.channels.channel import Alert
from lami.core.ids import ResourceId
from lami.core.model import (
    Access,
    Actor,
    Finding,
    HolderState,
    PrincipalState,
    RoleDefinition,
    Subject,
)
from lami.core.policy import Policy, parse
from lami.errors import LamiError, Temporary
from lami.pace import CALM, Calm
from lami.queries import FindingQuery
from lami.runs import Report
from lami.schedule import begin, reconcile_now, take_baseline, take_baseline_if_none
from lami.service import Outcome
from lami.settings import Settings, packaged_policy
from lami.store.books import Books
from lami.store.due import SHARDS
from lami.store.table import Operation, Row, StoreUnavailable, Table
from lami.wiring import Lami, Watch, assemble
from tests.simulation import promises
from tests.simulation.azure import CONTRIBUTOR, ONLY, OTHER_SUB, START, SUB, SimulatedAzure
from tests.simulation.baton import Baton
from tests.simulation.directory import SimulatedDirectory
from tests.simulation.memory_table import MemoryTable
from tests.simulation.trouble import Crash, Trouble

ROBIN = Actor("user", "robin", "Robin")
"""The operator."""
TIMER = timedelta(seconds=30)
SOON = timedelta(hours=6)
"""What is due later than this from now does not belong to a schedule: it has ended before."""


@dataclass(slots=True)
class FaultyTable:
    """A table whose calls fail or kill the process, before or after their effect, as a seed has it.

    A call that fails after its effect is a time-out: what was asked is done, and nobody was told.
    """

    inner: Table
    trouble: Trouble
    fails: float = 0.0
    calls: int = 0

    def get(self, partition: str, key: str) -> Row | None:
        self._maybe()
        return self.inner.get(partition, key)

    def query(
        self, partition: str, first: str = "", last: str | None = None, limit: int | None = None
    ) -> list[Row]:
        self._maybe()
        return self.inner.query(partition, first, last, limit)

    def behind(self, partition: str, last: str) -> str | None:
        self._maybe()
        return self.inner.behind(partition, last)

    def transact(self, partition: str, operations: Sequence[Operation]) -> Mapping[str, str]:
        self._maybe()
        etags = self.inner.transact(partition, operations)
        self._maybe()
        self.trouble.wrote = get_ident()
        return etags

    def flush(self) -> None:
        self.inner.flush()

    def close(self) -> None:
        self.inner.close()

    def _maybe(self) -> None:
        self.trouble.step()
        self.calls += 1
        if self.trouble.strikes(self.fails):
            raise StoreUnavailable("simulated failure")


@dataclass(frozen=True, slots=True)
class Telling:
    """A finding that a channel accepted: when, and how much had gone wrong by then."""

    finding: str
    at: datetime
    troubles: int


@dataclass
class Listener:
    """A channel that remembers what it was told. It may be down, refuse, or accept and then fail."""

    name: str
    trouble: Trouble
    clock: Callable[[], datetime]
    fails: float = 0.0
    failures: Sequence[LamiError] = (Temporary("simulated failure"),)
    times_out: float = 0.0
    told: list[tuple[str, str]] = field(default_factory=list)
    alerts: list[Alert] = field(default_factory=list)
    tellings: list[Telling] = field(default_factory=list)

    def send(self, alert: Alert) -> None:
        self.trouble.step()
        if self.trouble.strikes(self.fails):
            raise self.trouble.random.choice(self.failures)
        self.alerts.append(alert)
        self.told += [(finding.id, finding.telling) for finding in alert.findings]
        now, troubles = self.clock(), self.trouble.happened
        self.tellings += [Telling(finding.id, now, troubles) for finding in alert.findings]
        if self.trouble.strikes(self.times_out):
            raise Temporary("timed out, and yet it was heard")
        self.trouble.step()


@dataclass(slots=True)
class Operator:
    """What the operator accepted, as far as the operator was told."""

    accepted: set[str] = field(default_factory=set)
    """Findings whose acceptance was tried, whatever came of it."""
    sanctioned: set[str] = field(default_factory=set)
    """Keys of accesses that a broad grant may have been accepted of, by the baseline or the operator."""
    withdrawn: dict[tuple[str, str], datetime] = field(default_factory=dict)
    """By holder and access, when its absence was accepted for good."""
    perhaps_withdrawn: set[str] = field(default_factory=set)
    """Keys of accesses whose absence may have been accepted."""


class World:
    """A lami, its Azure and its channels, all from one seed."""

    def __init__(self, seed: int, grace: str = "5m", calm: Calm = CALM) -> None:
        self.directory: SimulatedDirectory | None = None
        """Whom lami asks about principals, once there is one."""
        self.random = random.Random(seed + 1)
        self.trouble = Trouble(self.random)
        self.azure = SimulatedAzure(seed, self.trouble)
        self.memory = MemoryTable()
        self.table = FaultyTable(self.memory, self.trouble)
        self.channels = tuple(Listener(name, self.trouble, self.azure.clock) for name in ("teams", "email"))
        self.settings = Settings(frozenset({SUB, OTHER_SUB}), policy=_policy(grace), auth="none")
        self.calm = calm
        self.operator = Operator()
        self.at_first: dict[ResourceId, set[str]] = {}
        """By holder, the keys of the access that stood when the baseline was taken."""
        self.roles_at_first: dict[str, RoleDefinition] = {}
        """The role definitions when the baseline was taken."""
        self.held_at_first: dict[str, set[ResourceId]] = {}
        """By role, the assignments that stood then."""
        self.memory_of_azure = timedelta()
        """How far back a look may show the past."""
        self.unreported = False
        """Whether something may have happened that no event told lami of, or none in the end."""
        self.given_up = False
        """Whether an event was given up by Event Grid, perhaps after lami had begun with it."""
        self.crashed = 0
        self.wrong: list[str] = []
        """What did not hold while the schedule ran."""
        self.baton = Baton(self.random)
        self.trouble.pause = self.baton.pause
        self.lami = self._start()

    def _start(self) -> Lami:
        azure, clock, sleep = self.azure, self.azure.clock, self.azure.sleep
        return assemble(
            self.settings,
            self.table,
            azure,
            self.channels,
            Watch(),
            clock,
            sleep,
            calm=self.calm,
            directory=self.directory,
        )

    def begin(self, policy: str = "", faults: tuple[str, ...] = ()) -> None:
        """Start lami anew by a policy; with `faults` it is the last good one, and the file is wrong."""
        good = parse(policy, packaged_policy())
        self.settings = replace(self.settings, policy=good, policy_text=policy, policy_faults=faults)
        self.lami = self._start()
        begin(self.lami)

    def ask_directory(self) -> SimulatedDirectory:
        """From now on lami may ask the directory."""
        self.directory = SimulatedDirectory(self.azure)
        self.lami = self._start()
        return self.directory

    # --- what lami is made to do ---

    def attempt(self, what: Callable[[], object]) -> bool:
        """Have lami do something; whether it came to its end. A crash starts lami anew."""
        try:
            what()
        except LamiError:
            return False
        except Crash:
            self.crashed += 1
            self.lami = self._start()
            return False
        return True

    def take(self) -> None:
        """Take the baseline."""
        assert not take_baseline(self.lami, Actor("user", "tester", "Tester")).partial
        self._sanction()

    def take_at_last(self) -> None:
        """Take the baseline as `lami serve` does at its start, again and again until there is one.

        Which it does before it takes an event.
        """
        for _ in range(200):
            if self.attempt(self._take_if_none) and self._taken():
                return self._sanction()
            self.azure.sleep(60)
        raise AssertionError("the baseline is never taken")

    def _sanction(self) -> None:
        """What stands when the baseline is taken is expected, however broad."""
        self.roles_at_first = dict(self.azure.present.roles)
        for one in self.azure.present.assignments.values():
            self.held_at_first.setdefault(one.role.id, set()).add(one.id)
            if one.role.id == CONTRIBUTOR.id:
                self.operator.sanctioned.add(one.access.key)

    def _take_if_none(self) -> None:
        take_baseline_if_none(self.lami)

    def _taken(self) -> bool:
        left = self.trouble.crashes, self.table.fails
        self.trouble.crashes = self.table.fails = 0.0
        taken = self.lami.index.notes("baseline").keys() >= self.settings.subscriptions
        self.trouble.crashes, self.table.fails = left
        return taken

    def deliver(self, event: object) -> Outcome | None:
        """Deliver one event once; None where it was not acknowledged."""
        outcomes: list[Outcome] = []
        with_before = [len(channel.alerts) for channel in self.channels], self.trouble.happened
        self.attempt(lambda: outcomes.append(self.lami.service.receive(event)))
        if not self.baton.running:
            self._grouped(*with_before)
        return outcomes[0] if outcomes else None

    def _grouped(self, before: Sequence[int], troubles: int) -> None:
        """All findings of one story that one event brings are one alert a channel, where nothing fails."""
        if troubles == self.trouble.happened:
            for channel, heard in zip(self.channels, before, strict=True):
                alerts = channel.alerts[heard:]
                stories = Counter(t for alert in alerts for t in {one.thread for one in alert.findings})
                parts = max(stories.values(), default=1)
                if parts > 1:
                    self.wrong.append(f"{channel.name} was told one story in {parts} alerts")

    def deliver_all(self, duplicates: int = 1, shuffle: bool = False, gives_up: float = 0.0) -> None:
        """Deliver all events raised so far until each is acknowledged `duplicates` times.

        `gives_up` is the share of failed deliveries after which an event never comes again: one event only.
        Where the process dies between a commit and its debts, and neither that event comes again nor the
        one that reverts what it told of, the digest is of the state before both, and reconcile sees nothing.
        """
        queue = [event for event in self.azure.events for _ in range(duplicates)]
        self.azure.events.clear()
        if shuffle:
            self.random.shuffle(queue)
        for _ in range(10_000):
            if not queue:
                return
            event = queue.pop(0)
            if self.deliver(event) is None:
                if self.given_up or self.random.random() >= gives_up:
                    queue.insert(self.random.randint(0, len(queue)), event)
                else:
                    self.given_up = True
                self.azure.sleep(1)
        raise AssertionError("events are refused for ever")

    def walk(self) -> None:
        """One turn of the walker."""
        self.attempt(lambda: self.lami.service.walk())

    def accept(self, until: timedelta | None = None) -> None:
        """The operator accepts one of the open findings, once, and does not look whether it worked."""
        finding = next(iter(self.random.sample(found, 1) if (found := self._seen_open()) else []), None)
        if finding is None:
            return
        now = self.azure.now
        end = now + until if until is not None else None
        operator = self.operator
        operator.accepted.add(finding.id)
        key = finding.key.split("|")[0] if finding.rule == "missing-grant" else finding.key.split("|")[-1]
        if end is None and finding.rule == "broad-grant":
            operator.sanctioned.add(key)
        if end is None and finding.rule == "condition-weakened":
            # It expects what is now, in the place of whatever else was expected there.
            there = finding.detail["roleDefinitionId"], ResourceId(finding.detail["scope"])
            operator.sanctioned.add(finding.telling.split("|")[1])
            operator.perhaps_withdrawn |= {Access(*there, condition).key for condition in ONLY}
        if end is None and finding.rule == "missing-grant":
            operator.perhaps_withdrawn.add(key)
        if not self.attempt(lambda: self.lami.service.accept(finding.id, ROBIN, "because", end)):
            return
        if end is None and finding.rule == "missing-grant":
            operator.withdrawn[finding.subject.id.lower(), key] = now

    def _seen_open(self) -> list[Finding]:
        """The open findings as the page shows them, past any fault: the operator may look at it for long."""
        found = [one.finding for one in promises.index(self.memory).findings()]
        return sorted((one for one in found if one.status == "open"), key=lambda one: one.id)

    def settle(self, minutes: int = 0) -> None:
        """Without faults: until nothing is due any longer, and at least so many minutes."""
        self.quiet()
        end, last = self.azure.now + timedelta(minutes=minutes), self.azure.now + SOON
        for _ in range(500):
            at = self._soonest()
            if at is None or at > last:
                break
            # The walker's timer runs every 30 seconds.
            start = max(self.azure.now, at)
            self.azure.now = START + TIMER * ((start - START) // TIMER + 1)
            self.lami.service.walk()
        else:
            raise AssertionError("something is due for ever")
        self.azure.now = max(self.azure.now, end)

    def _soonest(self) -> datetime | None:
        """When the next item is due. A row's key begins with its time, in milliseconds."""
        keys = [min(self.memory.partitions.get(f"due|{shard}") or [""]) for shard in SHARDS]
        times = [int(key.split("|")[0]) for key in keys if key]
        return datetime.fromtimestamp(min(times) / 1000, UTC) if times else None

    def quiet(self) -> None:
        """No further faults."""
        self.table.fails = self.trouble.crashes = 0.0
        self.azure.fail_reads = self.azure.break_off = 0.0
        self.azure.lag = timedelta()
        for channel in self.channels:
            channel.fails = channel.times_out = 0.0
        if self.directory is not None:
            self.directory.fails, self.directory.lag, self.directory.blind = 0.0, timedelta(), False

    def reconcile(self) -> Report:
        """One whole run of reconcile. Whom to ask the directory about there may be nobody left to tell."""
        report = reconcile_now(self.lami)
        assert not report.unread
        assert not report.failed
        return report

    def reconcile_once(self) -> None:
        """One run of reconcile, whatever comes of it."""
        reconcile_now(self.lami)

    # --- what is held ---

    def books(self) -> Books:
        """The books, read past any fault."""
        return Books(self.memory)

    def holder(self, id: ResourceId) -> HolderState:
        """What is held of a holder."""
        state = self.books().load(Subject("holder", id.text)).book.state
        assert isinstance(state, HolderState)
        return state

    def principal(self, id: str) -> PrincipalState:
        """What is held of a principal."""
        state = self.books().load(Subject("principal", id)).book.state
        assert isinstance(state, PrincipalState)
        return state

    def findings(self, *statuses: str) -> list[Finding]:
        """The findings of the index with these statuses (open where none is named)."""
        return self.lami.queries.findings(FindingQuery(statuses=statuses or ("open",)))

    def rules(self) -> Counter[str]:
        """The open findings, counted by rule."""
        return Counter(finding.rule for finding in self.findings())

    def violations(self) -> list[str]:
        """What does not hold after everything has settled; empty where all is well."""
        return [*self.wrong, *promises.broken(self)]


@cache
def _policy(grace: str) -> Policy:
    text = f'[grace]\norphaned-assignment = "{grace}"\nmissing-grant = "{grace}"\n'
    return parse(text, packaged_policy())
