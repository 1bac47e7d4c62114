"""A lami that watches a living estate: who lives in it, what is told when and how, and what was to be told.

What is expected is written down by whoever makes a change, from what they know of it. No detector is asked.
"""

from __future__ import annotations

import heapq
import logging
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from itertools import count
from typing import NamedTuple
from uuid import UUID

from lami.bench.living import START, Living
from lami.channels.channel import Alert
from lami.core.ids import ResourceId, guid
from lami.core.model import Actor, Finding, RoleAssignment, Status
from lami.core.policy import parse
from lami.errors import LamiError, Permanent
from lami.queries import FindingQuery
from lami.sandbox.model import Actor as Somebody
from lami.sandbox.model import JsonObject
from lami.schedule import reconcile_if_due, take_baseline_if_none
from lami.settings import Settings, packaged_policy
from lami.store.due import DueList
from lami.store.sqlite import SqliteTable
from lami.wiring import Lami, Watch, assemble

OPERATOR = Actor("user", "operator", "Operator")
RECONCILE = timedelta(hours=6)
_WALK = timedelta(seconds=30)
_AGAIN = timedelta(seconds=10)
"""How long after a failure Event Grid delivers again."""

_LOST_TO_BE_SEEN = 2
"""So many events have to be lost in a subscription before lami may say that it is told too little."""
_COMES_BACK = timedelta(hours=3)

Act = Callable[[], object]


class Drift(NamedTuple):
    """A finding as whoever makes the change knows it beforehand, and what has become of it in the end.

    `access` is a role's GUID and a scope; of a gap, only a scope.
    """

    rule: str
    subject: str
    severity: str
    change: str = ""
    access: str = ""
    status: Status = "open"

    @classmethod
    def of(cls, finding: Finding) -> Drift:
        """The same of what lami found."""
        detail = finding.detail
        role = guid(detail.get("roleDefinitionId", ""))
        access = " ".join(part for part in (role, detail.get("scope", "").lower()) if part)
        change = detail.get("change", detail.get("gap", ""))
        subject = finding.subject.id.lower()
        return cls(finding.rule, subject, finding.severity, change, access, finding.status)


def churn(holder: ResourceId, change: str, severity: str = "high") -> Drift:
    """The identity of a holder is another."""
    return Drift("identity-churn", holder.key, severity, change)


def of_grant(rule: str, subject: str, severity: str, made: RoleAssignment) -> Drift:
    """Something is the matter with a role assignment, or with its absence."""
    return Drift(rule, subject, severity, access=f"{made.access.role} {made.access.scope.key}")


@dataclass(frozen=True, slots=True)
class Delivery:
    """How events come: shares of 1 doubled, late (by up to so much) and lost; `jitter` are seconds."""

    doubled: float = 0.0
    late: float = 0.0
    by: timedelta = timedelta(minutes=20)
    lost: float = 0.0
    jitter: float = 5.0


@dataclass(slots=True)
class Listener:
    """The channel. It remembers which findings it was told."""

    name: str = "teams"
    told: dict[str, None] = field(default_factory=dict)
    messages: int = 0

    def send(self, alert: Alert) -> None:
        """Take an alert."""
        self.messages += 1
        self.told.update((finding.id, None) for finding in alert.findings)


@dataclass(slots=True)
class Cast:
    """Who lives in the estate: apps by kind, user-assigned identities, people, and who deploys."""

    consumption: list[ResourceId] = field(default_factory=list)
    standard: list[ResourceId] = field(default_factory=list)
    identities: list[ResourceId] = field(default_factory=list)
    guarded: list[tuple[ResourceId, RoleAssignment]] = field(default_factory=list)
    """Apps that hold something under a condition, with what they hold."""
    tidiers: list[tuple[ResourceId, RoleAssignment]] = field(default_factory=list)
    """Apps that hold a custom role of their own each, with what they hold."""
    people: list[str] = field(default_factory=list)
    operator: Somebody = field(default_factory=lambda: Somebody.named("Robin Operator"))
    deployer: Somebody = field(default_factory=lambda: Somebody.named("deployment", "application"))
    cluster: Somebody = field(default_factory=lambda: Somebody.named("aks-agentpool", "application"))
    elevation: Somebody = field(default_factory=lambda: Somebody.named("MS-PIM", "application"))

    @property
    def policy(self) -> str:
        """A policy that knows the cluster, and the activations through Privileged Identity Management."""
        listed = ((self.cluster, "record"), (self.elevation, "temporary"))
        return "".join(
            f'[[automation]]\nname = "{who.name}"\ncreated-by = ["{who.object_id}"]\n'
            f'reason = "as agreed"\ngrants = "{grants}"\n'
            for who, grants in listed
        )

    @property
    def apps(self) -> list[ResourceId]:
        """Every app."""
        return [*self.consumption, *self.standard]


class Play:
    """What happens, in the order of the virtual clock. The same seed plays the same.

    `policy` is laid over the packaged one, beside a list of the automation that lives in the estate.
    """

    def __init__(self, seed: int, subscriptions: int, policy: str = "") -> None:
        self.seed = seed
        self.chance = random.Random(seed)  # noqa: S311 - reproducible, no secrets
        names = [str(UUID(int=number + 1, version=4)) for number in range(subscriptions)]
        self.azure = Living(self.chance, names, self._tell)
        self.cast = Cast()
        self.delivery = Delivery()
        self.expected: Counter[Drift] = Counter()
        """What is to be told, by whoever made it so."""
        self.changes = self.events = 0
        self.lost: Counter[str] = Counter()
        """By subscription, how many events never came."""
        self._listener = Listener()
        self._table = SqliteTable(":memory:")
        self._lami: Lami | None = None
        self._policy = parse(self.cast.policy + policy, packaged_policy())
        self._numbers = count()
        self._queue: list[tuple[datetime, int, Act]] = []

    # --- lami ---

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Take the baseline of what stands, and have lami watch from then on."""
        azure = self.azure
        watched = frozenset(azure.subscriptions)
        settings = Settings(watched, policy=self._policy, reconcile=RECONCILE, auth="none")
        log = logging.getLogger("lami")
        level, log.level = log.level, logging.CRITICAL  # a read that fails on demand is nothing to warn of
        self._lami = assemble(
            settings, self._table, azure, (self._listener,), Watch(), azure.clock, azure.sleep
        )
        try:
            azure.now += timedelta(days=1)
            report = take_baseline_if_none(self._lami)
            if report is None or report.partial:
                raise Permanent("the baseline of the estate could not be taken")
            azure.now += timedelta(hours=1)
            yield
        finally:
            self._lami.close()
            log.setLevel(level)

    @property
    def lami(self) -> Lami:
        """The lami that watches."""
        if self._lami is None:
            raise Permanent("nobody watches the estate yet")
        return self._lami

    @property
    def messages(self) -> int:
        """How many messages the channel got."""
        return self._listener.messages

    def told(self) -> list[Finding]:
        """Every finding that the channel was ever told, as it is now."""
        held = {one.id: one for one in self.lami.queries.findings(FindingQuery())}
        return [held[id] for id in self._listener.told]

    def may_be_told(self, drift: Drift) -> bool:
        """Whether something may be told and need not: that events do not come, where some did not."""
        gap = drift.rule == "lami-gap" and drift.change == "events"
        return gap and self.lost[drift.access] >= _LOST_TO_BE_SEEN

    def accept(self, drift: Drift, tries: int = 16) -> None:
        """The operator accepts what was planned, and comes back for it where it is not told yet.

        What is not told in two days is a miss.
        """
        for finding in self.told():
            if Drift.of(finding) == drift:
                self.lami.service.accept(finding.id, OPERATOR, "planned")
                return
        if tries:
            self.after(_COMES_BACK.total_seconds(), partial(self.accept, drift, tries - 1))

    # --- time ---

    def after(self, seconds: float, act: Act) -> None:
        """Have something happen so much later."""
        self.at(self.azure.now + timedelta(seconds=seconds), act)

    def at(self, when: datetime, act: Act) -> None:
        """Have something happen at a time."""
        heapq.heappush(self._queue, (when, next(self._numbers), act))

    def run_until(self, end: datetime) -> None:
        """Let all happen that is to happen by then; the walker walks when its timer rings for something."""
        while self._queue and self._queue[0][0] <= end:
            when, _, act = heapq.heappop(self._queue)
            self._walk_until(when)
            self.azure.now = max(self.azure.now, when)
            act()
        self._walk_until(end)
        self.azure.now = max(self.azure.now, end)

    def settle(self) -> None:
        """Let everything come that is on its way, reconciling as ever and once more, and all be done."""
        while True:
            self.run_until(self.azure.now + RECONCILE)
            self._reconcile()
            if not self._queue:
                break
        self.run_until(self.azure.now + timedelta(hours=2))

    def reconciles(self, until: datetime) -> None:
        """Have lami reconcile when it is time, as its timer does."""
        when = self.azure.now
        while (when := when + RECONCILE) < until:
            self.at(when, self._reconcile)

    def _reconcile(self) -> None:
        reconcile_if_due(self.lami)

    def _walk_until(self, end: datetime) -> None:
        due = DueList(self._table)
        while items := due.soonest(limit=1):
            at = max(items[0].at, self.azure.now)
            ring = START + _WALK * ((at - START) // _WALK + 1)
            if ring > end:
                return
            self.azure.now = max(self.azure.now, ring)
            self.lami.service.walk()

    # --- events ---

    def _tell(self, event: JsonObject) -> None:
        """Have an event delivered as the delivery has it; before lami watches, nothing is."""
        if self._lami is None:
            return
        self.events += 1
        how, chance = self.delivery, self.chance
        if chance.random() < how.lost:
            self.lost[str(event["topic"]).lower()] += 1
            return
        times = 2 if chance.random() < how.doubled else 1
        for _ in range(times):
            wait = chance.random() * how.jitter
            if chance.random() < how.late:
                wait += chance.random() * how.by.total_seconds()
            self.after(wait, lambda: self._deliver(event))

    def _deliver(self, event: JsonObject) -> None:
        try:
            self.lami.service.receive(event)
        except LamiError:
            self.after(_AGAIN.total_seconds(), lambda: self._deliver(event))

    # --- choosing ---

    def one_of(self, things: Sequence[ResourceId]) -> ResourceId:
        """Any of them."""
        return self.chance.choice(things)
