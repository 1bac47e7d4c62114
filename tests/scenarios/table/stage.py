"""Where a scenario is played: the sandbox's Azure, a lami with its real SDK clients, and a clock set by hand.

lami is put together as `lami serve` does it, on either store. The channel is the test's own; events come by
hand, so that a row says how often, in which order and when; what is refused comes again, as with Event Grid.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import NAMESPACE_URL, uuid5

from lami.arm.azure import AzureArm
from lami.channels.channel import Alert
from lami.core.ids import Level, ResourceId
from lami.core.model import Finding
from lami.errors import LamiError, Temporary
from lami.queries import FindingQuery
from lami.sandbox import Sandbox, resource_id
from lami.sandbox.events import render
from lami.sandbox.model import Happening, JsonObject, Resource
from lami.schedule import reconcile_now, take_baseline_if_none
from lami.settings import read
from lami.store.due import DueList
from lami.store.table import Table
from lami.wiring import Lami, Watch, assemble, make_directory

SUBSCRIPTION = "11111111-1111-4111-8111-111111111111"
OTHER = "22222222-2222-4222-8222-222222222222"
GROUP = "rg-claims"
START = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
WALK = timedelta(seconds=30)
"""How often the walker's timer rings."""
AGAIN = tuple(timedelta(seconds=s) for s in (10, 30, 60, 300, 600, 1800, 3600))
"""After how long Event Grid delivers again what was not acknowledged."""
_KINDS = {"kv-": "Microsoft.KeyVault/vaults", "st-": "Microsoft.Storage/storageAccounts"}
_PLACES = {
    "the subscription": f"/subscriptions/{SUBSCRIPTION}",
    "the other subscription": f"/subscriptions/{OTHER}",
    "the management group": "/providers/Microsoft.Management/managementGroups/contoso",
    "the tenant root": "/",
}


@dataclass
class Listener:
    """The channel: remembers what it was told, and refuses while it is down."""

    name: str = "teams"
    down: bool = False
    alerts: list[Alert] = field(default_factory=list)

    def send(self, alert: Alert) -> None:
        if self.down:
            raise Temporary("the channel is down")
        self.alerts.append(alert)


@dataclass(frozen=True, slots=True)
class Parcel:
    """An event on its way: when it comes, and how often it was refused before."""

    at: datetime
    event: JsonObject
    tries: int = 0


class Stage:
    """One estate and the lami that watches it, which is there once the baseline is taken."""

    def __init__(self, folder: Path, table: Table) -> None:
        self.now = START
        self.channel = Listener()
        self.policy = ""
        """What the operator's own policy file says, by the time that lami is put together."""
        self.asks_graph = False
        """Whether that lami may ask Microsoft Graph, which the sandbox answers as well."""
        self._folder = folder
        self._table = table
        self._lami: Lami | None = None
        self._ids: dict[str, str] = {}
        self._people: dict[str, str] = {}
        self._principals: dict[str, list[str]] = {}
        self._happenings: list[Happening] = []
        self._holding = 0
        self._on_their_way: list[Parcel] = []
        self.post: list[JsonObject] = []
        """Events that wait to be posted, by whoever holds them back."""
        self.azure = Sandbox(now=self.clock, subscriptions=(SUBSCRIPTION, OTHER), on_change=self._happened)

    # --- names ---

    def place(self, name: str) -> str:
        """A scope by its word in the table: `the subscription`, `rg-claims`, `kv-claims`."""
        if name in _PLACES:
            return _PLACES[name]
        if name.startswith("rg-"):
            return f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{name}"
        if name in self._ids:
            return self._ids[name]
        return resource_id(SUBSCRIPTION, GROUP, _KINDS[name[:3]], name)

    def name_of(self, scope: str) -> str:
        """The other way round."""
        id = ResourceId(scope)
        if id.level in (Level.RESOURCE_GROUP, Level.RESOURCE):
            return id.name
        return next(name for name, place in _PLACES.items() if ResourceId(place) == id)

    def called(self, name: str, id: str) -> None:
        """Name a resource."""
        self._ids[name] = id

    def id(self, name: str) -> str:
        """A named resource's id."""
        return self._ids[name]

    def resource(self, name: str) -> Resource:
        """A named resource as it is."""
        found = self.azure.estate.resources.get(self._ids[name])
        assert found is not None, f"there is no {name}"
        return found

    def principal(self, who: str) -> str:
        """The principal of a person or of a resource's identity; `old orders` is the one before."""
        name = who.removeprefix("old ")
        if name not in self._ids:
            self._people[who] = str(uuid5(NAMESPACE_URL, f"lami:person:{who}"))
            return self._people[who]
        return self._principals[name][-2 if who != name else -1]

    def type(self, who: str) -> str:
        """The type of principal that a name has: `Dana` is a user, `team-ops` a group, `pipeline` neither."""
        if who.startswith("team-"):
            return "Group"
        return "User" if who[0].isupper() else "ServicePrincipal"

    def subject(self, finding: Finding) -> str:
        """Whom a finding is about, as the table names it."""
        people = {principal: name for name, principal in self._people.items()}
        return people.get(finding.subject.id, finding.subject.name)

    # --- playing ---

    @contextmanager
    def playing(self) -> Iterator[Stage]:
        """Have the sandbox answer; end everything on leaving."""
        with self.azure:
            try:
                yield self
            finally:
                if self._lami is not None:
                    self._lami.close()

    @property
    def lami(self) -> Lami:
        """The lami that watches, from the moment the baseline is taken."""
        assert self._lami is not None, "the baseline is not taken yet"
        return self._lami

    def _assembled(self) -> Lami:
        policy = self._folder / "policy.toml"
        policy.write_text(self.policy, "utf-8")
        settings = read(
            {
                "LAMI_SUBSCRIPTIONS": f"{SUBSCRIPTION},{OTHER}",
                "LAMI_ARM_ENDPOINT": self.azure.url,
                "LAMI_GRAPH_ENDPOINT": self.azure.url if self.asks_graph else "",
                "LAMI_CREDENTIAL": "none",
                "LAMI_LOOPBACK": "1",
                "LAMI_POLICY": str(policy),
            }
        )
        assert not settings.policy_faults, settings.policy_faults
        arm = AzureArm(settings.arm_endpoint, None, clock=lambda: self.now.timestamp())
        return assemble(
            settings,
            self._table,
            arm,
            (self.channel,),
            Watch(),
            self.clock,
            self.sleep,
            directory=make_directory(settings, None),
        )

    def clock(self) -> datetime:
        """The time by the clock that is set by hand."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let time pass, and nothing else."""
        self.now += timedelta(seconds=seconds)

    def begin(self) -> None:
        """What happened so far stands: an hour later the baseline is taken."""
        self._happenings.clear()
        self.post.clear()
        self.sleep(3600)
        self._lami = self._assembled()
        report = take_baseline_if_none(self.lami)
        assert report is not None
        assert not report.partial
        self.sleep(3600)

    def changed(self) -> None:
        """After a change: its events are posted, unless somebody holds them back."""
        self.post += [render(one, "eventgrid") for one in self._happenings if _is_told(one)]
        self._happenings.clear()
        for name, id in self._ids.items():
            found, known = self.azure.estate.resources.get(id), self._principals.setdefault(name, [])
            if found and found.system and found.system.principal_id not in known[-1:]:
                known.append(found.system.principal_id)
        self.sleep(1)
        if self._lami is not None and not self._holding:
            self.posted()

    def posted(self, late: timedelta = timedelta()) -> None:
        """Send off what waits to be posted."""
        self._on_their_way += [Parcel(self.now + late, event) for event in self.post]
        self.post.clear()
        self.pass_until(self.now)

    @contextmanager
    def holding(self) -> Iterator[None]:
        """Hold back what is to be posted."""
        self._holding += 1
        try:
            yield
        finally:
            self._holding -= 1

    @property
    def held(self) -> bool:
        """Whether somebody holds back what is to be posted."""
        return self._holding > 0

    def pass_until(self, end: datetime) -> None:
        """Let time pass: events arrive, and the walker walks whenever something is due."""
        while (at := self._next(end)) is not None:
            self.now = max(self.now, at)
            arrived = [one for one in self._on_their_way if one.at <= self.now]
            if not arrived:
                self.lami.service.walk()
            for parcel in arrived:
                self._on_their_way.remove(parcel)
                self._deliver(parcel)
        self.now = max(self.now, end)

    def _next(self, end: datetime) -> datetime | None:
        """When the next thing happens by itself, if that is before the end."""
        times = [parcel.at for parcel in self._on_their_way]
        if end > self.now and (due := DueList(self._table).soonest()):
            rings = max(self.now, due[0].at)
            times.append(START + WALK * ((rings - START) // WALK + 1))
        return min((at for at in times if at <= end), default=None)

    def _deliver(self, parcel: Parcel) -> None:
        try:
            self.lami.service.receive(parcel.event)
        except LamiError:
            wait = AGAIN[min(parcel.tries, len(AGAIN) - 1)]
            self._on_their_way.append(Parcel(self.now + wait, parcel.event, parcel.tries + 1))

    def reconcile(self) -> None:
        """One run of reconcile, whatever comes of it."""
        reconcile_now(self.lami)

    def findings(self) -> list[Finding]:
        """Every finding that lami ever opened."""
        return self.lami.queries.findings(FindingQuery())

    def _happened(self, happening: Happening) -> None:
        self._happenings.append(happening)


def _is_told(happening: Happening) -> bool:
    """Whether Event Grid tells of it: nothing above a subscription raises events."""
    return happening.subject.lower().startswith("/subscriptions/")
