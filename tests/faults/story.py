"""The longest story that lami tells, on a virtual clock, in steps some hours apart.

Each step is played as the world would have it: something happens in Azure, its events are delivered until
they are acknowledged, an operator or the schedule does something, and the walker does what falls due. A
process that dies is started again on the same table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from copy import copy
from dataclasses import dataclass
from datetime import datetime, timedelta

from lami.core.ids import ResourceId
from lami.core.model import Actor, Book, Finding, Subject
from lami.errors import LamiError, Permanent, Temporary
from lami.pace import Calm
from lami.queries import FindingQuery, Queries
from lami.schedule import reconcile_if_due, take_baseline_if_none
from lami.store.books import Books
from lami.store.due import DueList
from lami.store.index import Index
from lami.wiring import Lami, Watch, assemble
from tests.faults.outcome import Outcome, faults_within, outcome, subjects
from tests.faults.strike import Calls, StruckAzure, StruckListener, StruckTable
from tests.simulation.azure import (
    CONTRIBUTOR,
    NARROW,
    OTHER_SUB,
    START,
    SUB,
    app_id,
    identity_id,
    queue_scope,
)
from tests.simulation.trouble import Crash
from tests.simulation.world import World

INTAKE, ARCHIVE, SHARED = app_id("intake"), app_id("archive", OTHER_SUB), identity_id("shared")
SUBSCRIPTION = ResourceId(f"/subscriptions/{SUB}")
OPERATOR = Actor("user", "robin", "Robin")
REDELIVERY = 10.0
"""Seconds until what was not acknowledged comes again."""
CALM = Calm(changes=4, few=2)
"""A storm begins early, so that it need not be long."""
BETWEEN = timedelta(hours=7)
"""From one step to the next: longer than every lease and every grace, and than reconcile's interval."""


class Stage(World):
    """A world whose every call is counted, and whose process may die."""

    azure: StruckAzure
    channels: tuple[StruckListener, ...]

    def __init__(self) -> None:
        super().__init__(1)
        self.azure = StruckAzure(1)
        self._equip(Calls())

    def copy(self) -> Stage:
        """The same at this moment, to be played on apart from this one."""
        other = copy(self)
        other.memory = copy(self.memory)
        other.memory.partitions = dict(self.memory.partitions)
        other.azure = self.azure.copy()
        other._equip(Calls())
        for channel, heard in zip(other.channels, self.channels, strict=True):
            channel.told[:], channel.tellings[:] = heard.told, heard.tellings
        return other

    def _equip(self, calls: Calls) -> None:
        self.calls = self.azure.calls = calls
        self.struck = StruckTable(self.memory, calls)
        self.channels = tuple(
            StruckListener(name, self.trouble, self.azure.clock, calls=calls) for name in ("teams", "email")
        )
        self.lami = self.started()

    def started(self) -> Lami:
        """A lami as a new process has it: nothing survives but the table."""
        azure = self.azure
        return assemble(
            self.settings, self.struck, azure, self.channels, Watch(), azure.clock, azure.sleep, CALM
        )

    def outcome(self) -> Outcome:
        """What is held and was told by now."""
        tellings = [(channel.name, *telling) for channel in self.channels for telling in channel.told]
        return outcome(self.memory, self.subjects(), tellings, self.settings.subscriptions)

    def contradictions(self) -> list[str]:
        """What cannot be, whatever happened."""
        held = self.subjects()
        past_any_fault = Queries(Books(self.memory), Index(self.memory), DueList(self.memory))
        listed = past_any_fault.subjects(self.settings.subscriptions)
        found = [f"{subject.partition} is on no list" for subject in held if subject not in listed]
        return found + faults_within(self.memory, held, self.settings.subscriptions)

    def subjects(self) -> list[Subject]:
        """The subjects of all books."""
        return subjects(self.memory, self.memory.partitions)

    def held(self) -> Iterator[Book]:
        """All books, read past any fault."""
        return (self.books().load(subject).book for subject in self.subjects())

    # --- a step ---

    def play(self, step: Step, number: int) -> None:
        """One step to its end, when nothing is due until the next."""
        self.azure.now = START + number * BETWEEN
        self.azure.random.seed(number)  # What is drawn here must not depend on how much was read before.
        step.happens(self)
        queue = list(self.azure.events) if step.told else []
        self.azure.events.clear()
        while queue:
            event = queue.pop(0)

            def receive(lami: Lami, event: object = event) -> object:
                return lami.service.receive(event)

            if not self.tried(receive):
                queue.append(event)
        while not self.tried(lambda lami: step.done(self, lami)):
            pass
        self.walk_until(START + (number + 1) * BETWEEN)

    def meant(self, finding: Finding) -> None:
        """The operator is about to accept this: the simulation's checks know of it."""
        self.operator.accepted.add(finding.id)
        if finding.rule == "broad-grant":
            grant = self.azure.present.assignments[ResourceId(finding.detail["assignmentId"])]
            self.operator.sanctioned.add(grant.access.key)

    def tried(self, work: Callable[[Lami], object]) -> bool:
        """Do something; whether it was done. If not, time has passed, and a dead process is alive again."""
        self.calls.rival = lambda: self._rival(work)
        try:
            work(self.lami)
        except Temporary:
            pass
        except Crash:
            self.lami = self.started()
        else:
            return True
        self.azure.sleep(REDELIVERY)
        return False

    def _rival(self, work: Callable[[Lami], object]) -> None:
        """Another process does the same, just now."""
        try:
            work(self.started())
        except LamiError:
            return

    def walk_until(self, end: datetime) -> None:
        """Let the walker do what falls due before a time, as soon as it does."""
        due = DueList(self.memory)
        while True:
            self.tried(lambda lami: lami.service.walk())
            soonest = min((item.at for item in due.soonest()), default=None)
            if soonest is None or soonest >= end:
                return
            self.azure.now = max(self.azure.now + timedelta(seconds=1), soonest)


@dataclass(frozen=True)
class Step:
    """`happens` is Azure's part, with events if `told`; `done` is the operator's or the schedule's."""

    name: str
    happens: Callable[[Stage], None] = lambda stage: None
    done: Callable[[Stage, Lami], None] = lambda stage, lami: None
    told: bool = True


def _estate(stage: Stage) -> None:
    """Two apps in two subscriptions that share an identity; each principal holds narrow grants."""
    azure = stage.azure
    shared = azure.put_identity(SHARED)
    intake, archive = azure.put_app(INTAKE, (SHARED,)), azure.put_app(ARCHIVE, (SHARED,))
    azure.grant(shared, NARROW, queue_scope(1))
    azure.grant(intake, NARROW, queue_scope(2))
    azure.grant(intake, NARROW, queue_scope(3))
    azure.grant(archive, NARROW, queue_scope(4, OTHER_SUB))
    azure.sleep(600)


def _schedule(stage: Stage, lami: Lami) -> None:
    """What `lami serve` does once a minute, until there is nothing to do."""
    report = take_baseline_if_none(lami) or reconcile_if_due(lami)
    if report is not None and report.partial:
        raise Temporary("it is tried again in a minute")


def _recreated(stage: Stage) -> None:
    principal = stage.azure.put_app(INTAKE, (SHARED,))
    stage.azure.sleep(20)
    stage.azure.grant(principal, CONTRIBUTOR, SUBSCRIPTION)


def _mended(stage: Stage) -> None:
    """The successor gets what it lacks, and one of two stale assignments goes."""
    principal = stage.azure.present.holders[INTAKE].system
    stale = [
        one.id
        for one in stage.azure.present.assignments.values()
        if one.access.scope in (queue_scope(2), queue_scope(3))
    ]
    for number in (2, 3):
        stage.azure.grant(principal, NARROW, queue_scope(number))
    stage.azure.revoke(stale[0])


def _accepted(stage: Stage, lami: Lami) -> None:
    """The operator accepts that the app was recreated, and what it was granted."""
    for finding in lami.queries.findings(FindingQuery(statuses=("open",))):
        if finding.rule in ("identity-churn", "broad-grant"):
            stage.meant(finding)
            try:
                lami.service.accept(finding.id, OPERATOR, "as agreed")
            except Permanent:
                # It went through before, though its process died or the answer was lost; or a rival did it.
                held = [
                    one for book in stage.held() for one in book.findings.values() if one.status == "open"
                ]
                assert finding.id not in {one.id for one in held}


def _storm(stage: Stage) -> None:
    """More grants than are looked at one by one: the last of them wait for one listing."""
    azure = stage.azure
    principal = azure.present.holders[INTAKE].system
    for number in range(5, 9):
        azure.grant(principal, NARROW, queue_scope(number))
    stranger = azure.new_guid()
    for group in ("rg-a", "rg-b"):
        azure.grant(stranger, CONTRIBUTOR, ResourceId(f"{SUBSCRIPTION.text}/resourceGroups/{group}"))
    azure.grant(azure.present.holders[SHARED].system, CONTRIBUTOR, SUBSCRIPTION)


def _shared_recreated(stage: Stage) -> None:
    stage.azure.delete(SHARED)
    stage.azure.put_identity(SHARED)


def _unheard(stage: Stage) -> None:
    """Of all this no event comes: a redeploy, a grant gone, one given at last, and one that is too broad."""
    azure = stage.azure
    azure.delete(ARCHIVE)
    azure.put_app(ARCHIVE, ())
    gone = [one.id for one in azure.present.assignments.values() if one.access.scope == queue_scope(2)]
    azure.revoke(gone[0])
    azure.grant(azure.present.holders[SHARED].system, NARROW, queue_scope(1))
    azure.grant(azure.new_guid(), CONTRIBUTOR, ResourceId(f"{SUBSCRIPTION.text}/resourceGroups/rg-c"))
    azure.sleep(600)


STORY: Sequence[Step] = (
    Step("baseline", _estate, _schedule, told=False),
    Step("deleted", lambda stage: stage.azure.delete(INTAKE)),
    Step("recreated", _recreated),
    Step("mended", _mended),
    Step("accepted", done=_accepted),
    Step("storm", _storm),
    Step("shared identity", _shared_recreated),
    Step("reconciled", _unheard, _schedule, told=False),
)
