"""A real `lami serve` in a process of its own, the load on it, and what must hold when it was struck.

The sandbox is Azure and where alerts arrive. Beside the struck lami another one hears of the same events in
peace, one after the other, with a store of its own: in the end both must hold the same.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

import requests

from lami.arm.azure import AzureArm
from lami.channels.channel import Alert, Channel
from lami.core.model import Subject
from lami.sandbox import IDENTITY, WORKFLOW, Sandbox, resource_id
from lami.sandbox.faults import Fault
from lami.schedule import begin, take_baseline_if_none
from lami.settings import Settings, read
from lami.store.books import Books
from lami.store.due import DueList
from lami.store.history import broken
from lami.wiring import Lami, Watch, assemble, make_channels, make_table, now
from tests.azurite import free_port
from tests.faults.outcome import Outcome, differences, faults_within, outcome
from tests.jsons import JsonValue
from tests.sandbox.support import listening

APPS = 9
POSTERS = 6
GROUP = "rg-claims"
ROLE = "Key Vault Secrets User"
POLICY = '[grace]\norphaned-assignment = "1m"\nmissing-grant = "1m"\n'
LATER = timedelta(minutes=10)
"""By then every lease has run out and every grace has passed."""
PATIENCE = 60.0
Event = Mapping[str, JsonValue]


# --- the process -----------------------------------------------------------------------------------


class Process:
    """`lami serve` with these settings, always on the same port. What it says is kept in a file."""

    def __init__(self, environment: Mapping[str, str], log: Path) -> None:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("LAMI_")}
        self._environment = {**clean, "PYTHONUNBUFFERED": "1", **environment}
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()

    @property
    def url(self) -> str:
        """The webhook."""
        return f"http://127.0.0.1:{self.port}/api/events"

    @property
    def said(self) -> str:
        """All that its processes said so far."""
        return self._log.read_text("utf-8")

    def start(self) -> None:
        """Start it, and wait until it answers."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "lami.cli", "serve", "--port", str(self.port)],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until and self._process.poll() is None:
            try:
                requests.get(f"http://127.0.0.1:{self.port}/api/v1/health", timeout=PATIENCE)
            except requests.RequestException:
                time.sleep(0.02)
            else:
                return
        raise AssertionError(f"lami does not answer: {self.said}")

    def kill(self) -> None:
        """End it as a power cut does."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """Tell it to end, and wait until it has."""
        self._end(signal.SIGTERM)

    def _end(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(PATIENCE)
            self._process = None


# --- the load --------------------------------------------------------------------------------------


@dataclass
class Deliveries:
    """Event Grid, as far as this needs it: several threads; what is not answered with 200 comes again."""

    url: str
    acknowledged: list[str] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    """Answers by their status; 0 where there was none."""
    refusals: list[requests.Response] = field(default_factory=list)
    _answered: threading.Condition = field(default_factory=threading.Condition)

    def post(self, events: Sequence[Event]) -> list[Event]:
        """Deliver each event once; those that must come again."""
        with ThreadPoolExecutor(POSTERS) as pool:
            done = list(pool.map(self._post, events))
        return [event for event, acknowledged in zip(events, done, strict=True) if not acknowledged]

    def all(self, events: Sequence[Event]) -> None:
        """Deliver until everything is acknowledged."""
        until = time.monotonic() + PATIENCE
        left = list(events)
        while left := self.post(left):
            assert time.monotonic() < until, f"{len(left)} events are refused for ever: {self.statuses}"
            time.sleep(0.2)

    def wait(self, answers: int) -> None:
        """Wait until so many more were answered with 200, or 30 s have passed."""
        with self._answered:
            wanted = len(self.acknowledged) + answers
            self._answered.wait_for(lambda: len(self.acknowledged) >= wanted, 30)

    def _post(self, event: Event) -> bool:
        status = 0
        try:
            answer = requests.post(self.url, json=[event], timeout=40)
            status = answer.status_code
        except requests.RequestException:  # also cut off within the answer: not acknowledged
            pass
        with self._answered:
            self.statuses[status] += 1
            if status == 200:
                self.acknowledged.append(str(event["id"]))
            elif status:
                self.refusals.append(answer)
            self._answered.notify_all()
        return status == 200


# --- the world -------------------------------------------------------------------------------------


@dataclass
class Ear:
    """The channel of the lami that is left in peace."""

    name: str = "event-grid"
    told: set[str] = field(default_factory=set)

    def send(self, alert: Alert) -> None:
        self.told |= {finding.id for finding in alert.findings}


@dataclass(frozen=True)
class Struck:
    """A lami that will be struck, the Azure that it watches, and what happened there meanwhile."""

    azure: Sandbox
    process: Process
    settings: Settings
    peaceful: Settings
    events: Sequence[Event]
    deliveries: Deliveries

    def struck_while_posting(
        self, events: Sequence[Event], strike: Callable[[], object], answers: int, seconds: float = 0.0
    ) -> list[Event]:
        """Post these, and strike so long after so many answers; those that were not acknowledged."""

        def wait_and_strike() -> None:
            self.deliveries.wait(min(answers, len(events) // 2))
            time.sleep(seconds)
            strike()

        striker = threading.Thread(target=wait_and_strike)
        striker.start()
        left = self.deliveries.post(events)
        striker.join()
        return left

    def missing(self, acknowledged: Collection[str] | None = None) -> list[str]:
        """Right after a strike: what was acknowledged (or these) and is lost; broken chains.

        It is in a timeline, or among what a storm put aside.
        """
        wanted = self.deliveries.acknowledged if acknowledged is None else acknowledged
        with lami_on(self.settings) as lami:
            books = Books(lami.table)
            held = lami.queries.subjects(lami.settings.subscriptions)
            causes = {entry.cause.id for subject in held for entry in books.entries(subject)}
            causes |= {item.change.event_id for item in DueList(lami.table).soonest() if item.change}
            lost = [f"event {id} is lost" for id in wanted if id not in causes]
            return [*lost, *filter(None, (broken(books.history(subject)) for subject in held))]

    def wrong(self, strikes: int) -> list[str]:
        """When all is delivered and time has passed: where it differs from the lami left in peace.

        What was told may have come again once a strike, which stood between its arrival and the record.
        """
        ear = Ear()
        _pass_time(self.settings)
        with lami_on(self.peaceful, (ear,)) as lami:
            for event in self.events:
                lami.service.receive(event)
        _pass_time(self.peaceful, (ear,))
        with lami_on(self.settings) as lami, lami_on(self.peaceful) as other:
            peaceful, struck = _outcome(other), _outcome(lami)
            passing = _passing(peaceful, struck) | _passing(struck, peaceful)
            found = differences(_without(peaceful, passing), _without(struck, passing), frozenset())
            found += faults_within(lami.table, _books(lami), lami.settings.subscriptions)
        times = Counter(str(event["id"]) for event in self.azure.topic.events)
        told = {id.partition(".")[0] for id in times}
        found += [f"{id} was never told" for id in ear.told - told - passing]
        return found + [f"{id} was told {n} times" for id, n in times.items() if n > 1 + strikes]


def _passing(one: Outcome, other: Outcome) -> frozenset[str]:
    """The findings that opened and were resolved on the way in one lami, and never opened in the other.

    Events that several threads post, and post again, arrive in another order each time: what was drift in
    between was drift in between.
    """
    return frozenset(
        id
        for id, finding in one.findings.items()
        if id not in other.findings and isinstance(finding, dict) and finding["status"] == "resolved"
    )


def _without(outcome: Outcome, findings: frozenset[str]) -> Outcome:
    """The outcome without these findings."""
    return replace(
        outcome,
        findings={id: finding for id, finding in outcome.findings.items() if id not in findings},
        history={
            where: frozenset(fact for fact in facts if fact.rpartition(" ")[2] not in findings)
            for where, facts in outcome.history.items()
        },
    )


@contextmanager
def struck(folder: Path, store: str, seed: int) -> Iterator[Struck]:
    """A lami that serves with this store: its baseline is taken, and a whole estate was redeployed since.

    Nothing of that was told to it yet: `events` tell of it, in an order that the seed gives.
    """
    (folder / "policy.toml").write_text(POLICY, "utf-8")
    with Sandbox(seed=seed) as azure, listening() as webhook:
        azure.faults.add(Fault(slow=0.005))
        _estate(azure)
        environment = {
            "LAMI_STORE": store,
            "LAMI_SUBSCRIPTIONS": azure.subscription,
            "LAMI_ARM_ENDPOINT": azure.url,
            "LAMI_CREDENTIAL": "none",
            "LAMI_LOOPBACK": "1",
            "LAMI_POLICY": str(folder / "policy.toml"),
            "LAMI_EVENTGRID_TOPIC_ENDPOINT": azure.topic_url,
        }
        settings = read(environment)
        peaceful = replace(settings, store=f"sqlite:///{folder / 'peaceful.db'}")
        with lami_on(peaceful) as lami:
            begin(lami)
            assert take_baseline_if_none(lami) is not None
        process = Process(environment, folder / "serve.log")
        process.start()
        try:
            azure.subscribe(webhook.url)
            _redeploy(azure)
            assert azure.settled(PATIENCE)
            events = list(webhook.events)
            random.Random(seed).shuffle(events)
            yield Struck(azure, process, settings, peaceful, events, Deliveries(process.url))
        finally:
            process.kill()


@contextmanager
def lami_on(
    settings: Settings, channels: Sequence[Channel] = (), clock: Callable[[], datetime] = now
) -> Iterator[Lami]:
    """A lami of these settings in this process."""
    table, arm = make_table(settings, None), AzureArm(settings.arm_endpoint, None)
    with closing(assemble(settings, table, arm, channels, Watch(), clock)) as lami:
        yield lami


def _estate(azure: Sandbox) -> None:
    """Apps with narrow grants of their own, and two that share an identity."""
    for number in range(APPS):
        azure.estate.put(_app(azure, number))
        for vault in ("one", "two"):
            azure.estate.assign(ROLE, _vault(azure, f"{vault}-{number}"), of=_app(azure, number))
    shared = azure.estate.put(resource_id(azure.subscription, GROUP, IDENTITY, "shared")).id
    azure.estate.assign(ROLE, _vault(azure, "shared"), of=shared)
    for number in (APPS, APPS + 1):
        azure.estate.put(_app(azure, number), identity="user", user_assigned=[shared])


def _redeploy(azure: Sandbox) -> None:
    """Each app is recreated and gets too much; one of two grants is mended, one stale one is removed."""
    for number in range(APPS):
        app = _app(azure, number)
        stale = [one for one in azure.estate.assignments.all() if one.scope.endswith(f"-{number}")]
        azure.estate.recreate(app)
        azure.estate.assign("Contributor", f"/subscriptions/{azure.subscription}", of=app)
        azure.estate.assign(ROLE, _vault(azure, f"one-{number}"), of=app)
        azure.estate.unassign(stale[0].id)
    shared = resource_id(azure.subscription, GROUP, IDENTITY, "shared")
    azure.estate.assign("Contributor", f"/subscriptions/{azure.subscription}", of=shared)


def _app(azure: Sandbox, number: int) -> str:
    return resource_id(azure.subscription, GROUP, WORKFLOW, f"app-{number}")


def _vault(azure: Sandbox, name: str) -> str:
    return resource_id(azure.subscription, GROUP, "Microsoft.KeyVault/vaults", f"kv-{name}")


def _pass_time(settings: Settings, channels: Sequence[Channel] | None = None) -> None:
    """Do what falls due later, without waiting for it: it is some minutes later at each turn."""
    heard = make_channels(settings, None) if channels is None else channels
    turn = 1
    with lami_on(settings, heard, lambda: now() + turn * LATER) as lami:
        while DueList(lami.table).soonest():
            assert turn < 20, "something stays due"
            lami.service.walk()
            turn += 1


def _books(lami: Lami) -> list[Subject]:
    return lami.queries.subjects(lami.settings.subscriptions)


def _outcome(lami: Lami) -> Outcome:
    return outcome(lami.table, _books(lami), (), lami.settings.subscriptions)
