"""One step over a counted estate, in a process that does nothing else: what it did, and what it weighed.

`python -m tests.scale.child STORE STEP` with the step as JSON prints the outcome as JSON.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import timedelta

from lami.bench.measure import memory
from lami.core.ids import ResourceId
from lami.core.model import Actor
from lami.core.policy import parse
from lami.queries import FindingQuery
from lami.runs import Report
from lami.schedule import reconcile_now, take_baseline
from lami.settings import Settings, packaged_policy
from lami.store.sqlite import SqliteTable
from lami.store.table import Operation, Row, Table
from lami.wiring import Lami, Watch, assemble
from tests.scale.estate import MANAGEMENT_GROUP, CountedEstate, Size, app, group_of, principal_of
from tests.simulation.azure import CONTRIBUTOR

POLICY = '[grace]\norphaned-assignment = "0s"\nmissing-grant = "0s"\n'
CHURNED, REVOKED, GRANTED = 20, 20, 9
"""How many apps are recreated, app principals lose a grant, groups gain a broad one. One gains one above."""
STRANGER = "c0ffee00-ffff-4000-8000-000000000002"
"""Who gains it."""


@dataclass(frozen=True)
class Step:
    """What to do: `take`, `reconcile` or `walk`; whether the changes are planted, and how much later it is.

    The process is killed by the `dies`-th read of the kind `of`; 0: by none.
    """

    what: str
    size: Size = field(default_factory=Size)
    planted: bool = False
    minutes: int = 0
    dies: int = 0
    of: str = "assignments_in"


@dataclass(frozen=True)
class Outcome:
    """What came of it. `loaded` are the partitions of the books read, `reads` those of Azure by kind."""

    listed: int = 0
    differing: int = 0
    partial: bool = False
    loaded: list[str] = field(default_factory=list)
    reads: Mapping[str, int] = field(default_factory=dict)
    findings: Mapping[str, int] = field(default_factory=dict)
    rss_mb: float = 0.0


@dataclass
class CountingTable:
    """Notes which books are loaded."""

    inner: Table
    loaded: set[str] = field(default_factory=set)

    def get(self, partition: str, key: str) -> Row | None:
        return self.inner.get(partition, key)

    def query(
        self, partition: str, first: str = "", last: str | None = None, limit: int | None = None
    ) -> list[Row]:
        if partition.startswith(("holder|", "principal|")):
            self.loaded.add(partition)
        return self.inner.query(partition, first, last, limit)

    def behind(self, partition: str, last: str) -> str | None:
        return self.inner.behind(partition, last)

    def transact(self, partition: str, operations: Sequence[Operation]) -> Mapping[str, str]:
        return self.inner.transact(partition, operations)

    def flush(self) -> None:
        self.inner.flush()

    def close(self) -> None:
        self.inner.close()


def plant(estate: CountedEstate) -> None:
    """Let fifty subjects differ, in one subscription after the other."""
    everywhere = estate.subscriptions
    for number in range(CHURNED):
        here = everywhere[number % len(everywhere)]
        estate.recreate(app(here, number), successor(number))
    for number in range(CHURNED, CHURNED + REVOKED):
        here = everywhere[number % len(everywhere)]
        estate.revoke(principal_of(here, number), here)
    for number in range(GRANTED):
        here = everywhere[-1 - number % len(everywhere)]
        name = f"b0b0b0b0-{number:04x}-4000-8000-000000000001"
        estate.grant(group_of(here, number), CONTRIBUTOR, ResourceId(f"/subscriptions/{here}"), name)
    name = "b0b0b0b0-ffff-4000-8000-000000000001"
    estate.grant(STRANGER, CONTRIBUTOR, ResourceId(MANAGEMENT_GROUP), name)


def successor(number: int) -> str:
    """The principal with which a recreated app comes back."""
    return f"c0ffee00-{number:04x}-4000-8000-000000000001"


def run(store: str, step: Step) -> Outcome:
    """Do one step on a store."""
    estate = CountedEstate(step.size)
    if step.planted:
        estate.now += timedelta(days=1)
        plant(estate)
    estate.now += timedelta(minutes=step.minutes)

    def die(kind: str, where: str) -> None:
        if step.dies and kind == step.of and estate.asked[kind] + 1 == step.dies:
            os.kill(os.getpid(), signal.SIGKILL)

    estate.before_read = die
    table = CountingTable(SqliteTable(store))
    policy = parse(POLICY, packaged_policy())
    settings = Settings(frozenset(estate.subscriptions), policy=policy, auth="none")
    lami = assemble(settings, table, estate, (), Watch(), estate.clock, estate.sleep)
    report = _do(lami, step.what)
    held = memory()
    assert held is not None, "this kernel does not say what a process holds"
    loaded = sorted(table.loaded)
    found = lami.queries.findings(FindingQuery(statuses=("open",)))
    outcome = Outcome(
        report.listed,
        report.differing,
        report.partial,
        loaded,
        dict(estate.asked),
        dict(Counter(finding.rule for finding in found)),
        held.peak,
    )
    lami.close()
    return outcome


def _do(lami: Lami, what: str) -> Report:
    if what == "take":
        return take_baseline(lami, Actor("user", "tester", "Tester"))
    if what == "reconcile":
        return reconcile_now(lami)
    while lami.service.walk():
        pass
    return Report()


if __name__ == "__main__":
    asked = json.loads(sys.argv[2])
    size = Size(**asked.pop("size"))
    print(json.dumps(asdict(run(sys.argv[1], Step(size=size, **asked)))))
