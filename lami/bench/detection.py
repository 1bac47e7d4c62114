"""Whether lami says what it should and nothing else: a month of ordinary life, then planted incidents.

A generated estate lives on a virtual clock, as lively as the size has it, and lami watches it with the real
core, service and drain; ARM answers from memory, and the table is SQLite's in memory. Who makes a change
writes down what is to be told of it; in the end that is compared with what the channel was told.

First 30 days of ordinary changes and some planned work, events doubled, late and reordered, some reads
failing. Then incidents of all kinds over ten more such days, with some events lost, for reconcile to find.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta

from lami.bench.incidents import plant
from lami.bench.life import Extent, live, populate
from lami.bench.measure import Row, Say, Size, at_most, timed
from lami.bench.play import Delivery, Drift, Play
from lami.core.policy import RULES

SEED = 20261124
"""What everything is drawn from: the same seed gives the same month."""
_EXTENTS = {"quick": Extent(2, 150, 1_000), "full": Extent(10, 2_000, 20_000)}
_DAYS = {"quick": 3, "full": 30}
_A_DAY = {"quick": 40, "full": 400}
_INCIDENTS = {"quick": 80, "full": 800}
_INCIDENT_DAYS = {"quick": 2, "full": 10}
_ORDINARY = Delivery(doubled=0.1, late=0.1)
_ROUGH = Delivery(doubled=0.2, late=0.2, lost=0.05, jitter=60)
_FAILS = 0.005
"""The share of single reads that Azure answers with 500."""
_NAMED = 3
"""How many of what should not be a row names."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was to be told and what was, each counted by what it is."""

    expected: Counter[Drift]
    told: Counter[Drift]
    titles: dict[Drift, str] = field(default_factory=dict)
    gaps: int = 0
    """How often it was told that events do not come, where some did not."""

    def unexpected(self, rule: str = "") -> Counter[Drift]:
        """What was told and should not have been."""
        return _of(self.told - self.expected, rule)

    def missed(self, rule: str = "") -> Counter[Drift]:
        """What should have been told and was not."""
        return _of(self.expected - self.told, rule)


def run(size: Size, say: Say) -> Iterator[Row]:
    """Unexpected alerts of a month of ordinary changes; misses and unexpected ones of planted incidents."""
    yield from played(Play(SEED, _EXTENTS[size].subscriptions), size, say)


def played(play: Play, size: Size, say: Say) -> Iterator[Row]:
    """Play all of it, under the policy that the play has."""
    extent, days, incidents = _EXTENTS[size], _DAYS[size], _INCIDENTS[size]
    yield Row("detection", "seed", play.seed)
    say(f"seed {play.seed}: an estate of {extent.apps:,} apps and {extent.assignments:,} role assignments")
    populate(play, extent)
    yield Row("detection", "estate: logic apps", len(play.cast.apps), "apps")
    yield Row("detection", "estate: role assignments", len(play.azure.assignments), "assignments")
    with play.watched():
        say("the baseline is taken")
        play.azure.fails, play.delivery = _FAILS, _ORDINARY
        took = timed(lambda: _live(play, days, _A_DAY[size], say))
        of = f"{days} days of ordinary changes"
        yield from _lived(play, of)
        ordinary = _verdict(play)
        yield from _rows(of, ordinary, "planned and told")
        yield Row("detection", f"{of}: took", took, "s")
        play.delivery = _ROUGH
        took = timed(lambda: _incidents(play, size, say))
        of = f"{incidents} planted incidents"
        verdict = _since(ordinary, _verdict(play))
        yield from _rows(of, verdict, "to be told")
        yield Row("detection", f"{of}: told that events are lost, where some were", verdict.gaps, "findings")
        yield Row("detection", f"{of}: took", took, "s")


def _live(play: Play, days: int, a_day: int, say: Say) -> None:
    begun = play.azure.now
    end = begun + timedelta(days=days)
    live(play, days, a_day)
    play.reconciles(end)
    for day in range(1, days + 1):
        play.run_until(begun + timedelta(days=day))
        say(f"day {day} of {days}: {play.events:,} events, {play.messages} messages to the channel")
    play.settle()


def _incidents(play: Play, size: Size, say: Say) -> None:
    days, begun = _INCIDENT_DAYS[size], play.azure.now
    plant(play, _INCIDENTS[size], days)
    live(play, days, _A_DAY[size])
    play.reconciles(begun + timedelta(days=days))
    for day in range(1, days + 1):
        play.run_until(begun + timedelta(days=day))
        say(f"incidents, day {day} of {days}: {play.events:,} events, {play.messages} messages")
    play.settle()


def _verdict(play: Play) -> Verdict:
    all_told = [(Drift.of(finding), finding.title) for finding in play.told()]
    told = [(drift, title) for drift, title in all_told if not play.may_be_told(drift)]
    return Verdict(
        Counter(play.expected), Counter(drift for drift, _ in told), dict(told), len(all_told) - len(told)
    )


def _since(before: Verdict, after: Verdict) -> Verdict:
    """What came after: what was to be told before is over, also where it was not told as it should."""
    return Verdict(after.expected - before.expected, after.told - before.told, after.titles, after.gaps)


def _of(drifts: Counter[Drift], rule: str) -> Counter[Drift]:
    return Counter({drift: many for drift, many in drifts.items() if rule in ("", drift.rule)})


def _lived(play: Play, of: str) -> Iterator[Row]:
    yield Row("detection", f"{of}: changes", play.changes, "changes")
    yield Row("detection", f"{of}: events", play.events, "events")
    yield Row("detection", f"{of}: messages to the channel", play.messages, "messages")


def _rows(of: str, verdict: Verdict, what: str) -> Iterator[Row]:
    """All rules together with what they should come to, then each rule."""
    yield Row("detection", f"{of}: {what}", verdict.expected.total(), "findings")
    for name, wrong in (("missed", verdict.missed()), ("unexpected", verdict.unexpected())):
        note = "; ".join(_named(drift, verdict) for drift in list(wrong)[:_NAMED])
        yield Row("detection", f"{of}: {name}", wrong.total(), "findings", aims=(at_most(0),), note=note)
    for rule in RULES:
        expected = _of(verdict.expected, rule).total()
        yield Row("detection", f"{of}: {rule}: {what}", expected, "findings")
        for name, wrong in (("missed", verdict.missed(rule)), ("unexpected", verdict.unexpected(rule))):
            yield Row("detection", f"{of}: {rule}: {name}", wrong.total(), "findings", aims=(at_most(0),))


def _named(drift: Drift, verdict: Verdict) -> str:
    return verdict.titles.get(drift, f"{drift.rule} of {drift.subject} {drift.change}{drift.access}")
