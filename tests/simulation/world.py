"""One lami over the simulated Azure, the faults that a schedule asks for, and what must hold at its end."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from lami.channels.channel import Alert
from lami.core.ids import ResourceId
from lami.core.messages import carried
from lami.core.model import Actor, Entry, Finding, HolderState, PrincipalState, Subject, Term
from lami.core.policy import parse
from lami.errors import LamiError, Temporary
from lami.queries import FindingQuery
from lami.schedule import reconcile_now, take_baseline
from lami.service import Outcome
from lami.settings import Settings, packaged_policy
from lami.store.books import Books
from lami.store.table import Operation, Row, StoreUnavailable, Table
from lami.wiring import Lami, Watch, assemble
from tests.simulation.azure import OTHER_SUB, SUB, SimulatedAzure
from tests.simulation.baton import Baton
from tests.simulation.memory_table import MemoryTable


class Crash(BaseException):
    """The process died here: nothing may catch it."""


@dataclass
class FaultyTable:
    """A table whose calls fail or kill the process, before or after their effect, as a seed has it."""

    inner: Table
    random: random.Random
    fails: float = 0.0
    crashes: float = 0.0
    calls: int = 0
    before_call: Callable[[], None] = lambda: None

    def get(self, partition: str, key: str) -> Row | None:
        self._maybe()
        return self.inner.get(partition, key)

    def query(
        self, partition: str, first: str = "", last: str | None = None, limit: int | None = None
    ) -> list[Row]:
        self._maybe()
        return self.inner.query(partition, first, last, limit)

    def transact(self, partition: str, operations: Sequence[Operation]) -> Mapping[str, str]:
        self._maybe()
        etags = self.inner.transact(partition, operations)
        self._maybe()
        return etags

    def flush(self) -> None:
        self.inner.flush()

    def close(self) -> None:
        self.inner.close()

    def _maybe(self) -> None:
        self.before_call()
        self.calls += 1
        if self.random.random() < self.crashes:
            raise Crash
        if self.random.random() < self.fails:
            raise StoreUnavailable("simulated failure")


@dataclass
class Listener:
    """A channel that remembers what it was told, and may be down."""

    name: str
    random: random.Random
    fails: float = 0.0
    told: list[tuple[str, str]] = field(default_factory=list)
    alerts: list[Alert] = field(default_factory=list)
    before_send: Callable[[], None] = lambda: None

    def send(self, alert: Alert) -> None:
        self.before_send()
        if self.random.random() < self.fails:
            raise Temporary("simulated failure")
        self.alerts.append(alert)
        self.told += [(finding.id, finding.telling) for finding in alert.findings]


class World:
    """A lami, its Azure and its channels, all from one seed."""

    def __init__(self, seed: int, grace: str = "5m") -> None:
        self.azure = SimulatedAzure(seed)
        self.random = random.Random(seed + 1)
        self.memory = MemoryTable()
        self.table = FaultyTable(self.memory, self.random)
        self.channels = (Listener("teams", self.random), Listener("email", self.random))
        policy = f'[grace]\norphaned-assignment = "{grace}"\nmissing-grant = "{grace}"\n'
        self.settings = Settings(
            frozenset({SUB, OTHER_SUB}), policy=parse(policy, packaged_policy()), auth="none"
        )
        self.crashed = 0
        self.unsure = False
        """Whether a failure may have stood between a channel's acceptance and lami's record of it."""
        self.baton = Baton(self.random)
        self.azure.before_read = self.table.before_call = self.baton.pause
        for channel in self.channels:
            channel.before_send = self.baton.pause
        self.lami = self._start()

    def _start(self) -> Lami:
        azure = self.azure
        return assemble(self.settings, self.table, azure, self.channels, Watch(), azure.clock, azure.sleep)

    def take(self) -> None:
        """Take the baseline."""
        assert not take_baseline(self.lami, Actor("user", "tester", "Tester")).partial

    def deliver(self, event: object) -> Outcome | None:
        """Deliver one event once; None where it was not acknowledged."""
        try:
            return self.lami.service.receive(event)
        except LamiError:
            return None
        except Crash:
            self.crashed += 1
            self.lami = self._start()
            return None

    def deliver_all(self, duplicates: int = 1, shuffle: bool = False) -> None:
        """Deliver all events raised so far until each is acknowledged `duplicates` times."""
        queue = [event for event in self.azure.events for _ in range(duplicates)]
        self.azure.events.clear()
        if shuffle:
            self.random.shuffle(queue)
        for _ in range(10_000):
            if not queue:
                return
            event = queue.pop(0)
            if self.deliver(event) is None:
                queue.insert(self.random.randint(0, len(queue)), event)
                self.azure.sleep(1)
        raise AssertionError("events are refused for ever")

    def walk(self) -> None:
        """One turn of the walker."""
        try:
            self.lami.service.walk()
        except LamiError:
            pass
        except Crash:
            self.crashed += 1
            self.lami = self._start()

    def settle(self, minutes: int = 20) -> None:
        """Let time pass without faults until nothing is due."""
        self.quiet()
        for _ in range(minutes * 2):
            self.azure.sleep(30)
            self.lami.service.walk()

    def quiet(self) -> None:
        """No further faults."""
        self.table.fails = self.table.crashes = self.azure.fail_reads = 0.0
        self.azure.lag = timedelta()
        for channel in self.channels:
            channel.fails = 0.0

    def reconcile(self) -> None:
        """One whole run of reconcile."""
        assert not reconcile_now(self.lami).partial

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

    # --- what must hold ---

    def violations(self) -> list[str]:
        """What does not hold after everything has settled; empty where all is well."""
        checks = (self._unequal, self._findings, self._disagreeing, self._untold, self._doubled)
        return [wrong for check in (*checks, self._chains, self._debts) for wrong in check()]

    def _unequal(self) -> list[str]:
        wrong = []
        for id in self._holder_ids():
            now, held = self.azure.present.holders.get(id), self.holder(id)
            if held.known and held.observed.system != (now.system if now else ""):
                wrong.append(
                    f"{id.name}: holds {held.observed.system[:8]}, ARM {now.system[:8] if now else None}"
                )
        for principal in self._principal_ids():
            held_grants = {k for k, g in self.principal(principal).grants.items() if g.present}
            real = {i.key for i, a in self.azure.present.assignments.items() if a.principal == principal}
            if held_grants != real:
                wrong.append(f"principal {principal[:8]}: holds {len(held_grants)} grants, ARM {len(real)}")
        return wrong

    def _findings(self) -> list[str]:
        expected: Counter[tuple[str, str]] = Counter()
        for id in self._holder_ids():
            state = self.holder(id)
            if state.known and state.baseline != state.observed:
                expected["identity-churn", id.key] += 1
            given = {
                a.access.key
                for a in self.azure.present.assignments.values()
                if a.principal in carried(state, self.settings.subscriptions)
            }
            if carried(state, self.settings.subscriptions):
                missing = sum(t.expected and k not in given for k, t in state.terms.items())
                expected["missing-grant", id.key] += missing
        for principal in self._principal_ids():
            held = self.principal(principal)
            for one in self.azure.present.assignments.values():
                if one.principal != principal:
                    continue
                term = held.terms.get(one.access.key)
                if one.role.name == "Contributor" and not (term and term.expected):
                    expected["broad-grant", principal] += 1
                carried_by = [carrier.carries for carrier in held.carriers.values()]
                expected["orphaned-assignment", principal] += bool(carried_by) and not any(carried_by)
        found = Counter((f.rule, f.subject.id.lower()) for f in self.findings())
        wrong = [f"finding {key}: {found[key]} open, {expected[key]} hold" for key in found | expected]
        return [
            line for line, key in zip(wrong, found | expected, strict=True) if found[key] != expected[key]
        ]

    def _disagreeing(self) -> list[str]:
        """What a principal accepts is expected by all that ever carried it, and the other way round by those
        that do; and a holder knows what its principals are granted."""
        wrong = []
        for principal in self._principal_ids():
            held = self.principal(principal)
            grants = sorted(g.id.key for g in held.grants.values() if g.present)
            for key, carrier in held.carriers.items():
                holder = self.holder(carrier.holder)
                said = holder.granted.get(principal)
                heard = sorted(ResourceId(id).key for id, _, _ in said.grants) if said else []
                if heard != grants:
                    wrong.append(
                        f"{key} heard of {len(heard)} grants of {principal[:8]}, which has {len(grants)}"
                    )
                if not _covers(holder.terms, held.terms):
                    wrong.append(f"{key} does not expect all that {principal[:8]} accepts")
                if carrier.carries and not _covers(held.terms, holder.terms):
                    wrong.append(f"{principal[:8]} does not accept all that {key} expects")
        return wrong

    def _doubled(self) -> list[str]:
        """The line of an event that changed nothing stands once, however often the event came."""
        lines: Counter[tuple[object, ...]] = Counter(
            (entry.subject.id, entry.cause.id, entry.text, *entry.before.items(), *entry.after.items())
            for entry in self._entries()
            if entry.kind == "observed" and "; " in entry.text
        )
        return [f"{line[2]} stands {times} times" for line, times in lines.items() if times > 1]

    def _untold(self) -> list[str]:
        wrong = []
        opened = Counter(e.finding for e in self._entries() if e.kind == "opened")
        for channel in self.channels:
            told = Counter(channel.told)
            for finding in self.findings():
                if not told[finding.id, finding.telling]:
                    wrong.append(f"{finding.rule} {finding.title}: {channel.name} was never told")
            if not self.unsure:
                times = Counter(id for id, _ in channel.told)
                wrong += [f"{id} told more often than opened" for id in times if times[id] > opened[id]]
        return wrong

    def _entries(self) -> list[Entry]:
        subjects = [Subject("holder", id.text) for id in self._holder_ids()]
        subjects += [Subject("principal", id) for id in self._principal_ids()]
        return [entry for subject in subjects for entry in self.books().entries(subject)]

    def _chains(self) -> list[str]:
        broken = []
        for id in self._holder_ids():
            broken.append(self.lami.queries.verify(Subject("holder", id.text)))
        for principal in self._principal_ids():
            broken.append(self.lami.queries.verify(Subject("principal", principal)))
        return [why for why in broken if why]

    def _debts(self) -> list[str]:
        left = [p for p, rows in self.memory.partitions.items() if any(k.startswith("d.owed") for k in rows)]
        return [f"{partition} still owes" for partition in left]

    def _holder_ids(self) -> list[ResourceId]:
        subjects = self.lami.queries.subjects((SUB, OTHER_SUB))
        return [ResourceId(subject.id) for subject in subjects if subject.kind == "holder"]

    def _principal_ids(self) -> list[str]:
        return [p.split("|")[1] for p in self.memory.partitions if p.startswith("principal|")]


def _covers(mine: Mapping[str, Term], theirs: Mapping[str, Term]) -> bool:
    return all(key in mine and mine[key].count >= term.count for key, term in theirs.items())
