"""A lami in this process over a small counted estate, with a store in memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from lami.core.model import Actor
from lami.core.policy import parse
from lami.queries import FindingQuery
from lami.runs import Report
from lami.schedule import take_baseline
from lami.settings import Settings, packaged_policy
from lami.store.due import DueList
from lami.store.sqlite import SqliteTable
from lami.wiring import Lami, Watch, assemble
from tests.scale.estate import CountedEstate, Size

LITTLE = Size(subscriptions=3, apps=2, app_grants=2, groups=2, group_grants=3, wide=2, wide_grants=2, above=2)


@dataclass(frozen=True)
class Little:
    """The estate, the lami that watches it, and its `due` list."""

    estate: CountedEstate
    lami: Lami
    due: DueList

    def take(self) -> Report:
        """Take the baseline."""
        return take_baseline(self.lami, Actor("user", "tester", "Tester"))

    def leases(self) -> list[str]:
        """The subscriptions that somebody else would reconcile by now."""
        return [item.resource for item in self.due.by(self.estate.now) if item.why == "reconcile"]

    def rules(self) -> list[str]:
        """The rules of the open findings."""
        found = self.lami.queries.findings(FindingQuery(statuses=("open",)))
        return sorted(finding.rule for finding in found)


@contextmanager
def little() -> Iterator[Little]:
    """A small estate of which no baseline is taken yet."""
    estate, table = CountedEstate(LITTLE), SqliteTable(":memory:")
    policy = parse('[grace]\norphaned-assignment = "0s"\nmissing-grant = "0s"\n', packaged_policy())
    settings = Settings(frozenset(estate.subscriptions), policy=policy, auth="none")
    lami = assemble(settings, table, estate, (), Watch(), estate.clock, estate.sleep)
    try:
        yield Little(estate, lami, DueList(table))
    finally:
        lami.close()
