"""Faults that strike at one exact call: every call of the store, of ARM and of a channel is counted.

The parts wrap what tests/simulation has, and count together in one `Calls`: the same story counts alike.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Literal, NoReturn, TypeVar

from lami.arm.protocol import NotAHolder
from lami.channels.channel import Alert
from lami.core.ids import ResourceId
from lami.core.model import FailedRuns, IdentityHolder, Look, RoleAssignment, RoleDefinition, Unknown
from lami.errors import Temporary
from lami.store import rows
from lami.store.table import Create, Operation, Put, Replace, Row, StoreUnavailable, Table
from tests.simulation.azure import SimulatedAzure
from tests.simulation.trouble import Crash
from tests.simulation.world import Listener

T = TypeVar("T")
Door = Literal["read", "write", "arm", "channel"]
Telling = tuple[str, str, str]
"""A channel, a finding, and what was told of it."""


class Fault(Enum):
    """What happens at the call. A crash kills the process; `RIVAL` is no fault of the call itself: another
    worker does, just before it, all that this one is about to do."""

    CRASH_BEFORE = "crash before effect"
    CRASH_AFTER = "crash after effect"
    TIMEOUT = "time-out with effect"
    THROTTLED = "429"
    BROKEN = "500"
    CONFLICT = "conflict"
    RIVAL = "rival"


RETRY_AFTER = 5.0


@dataclass(frozen=True, slots=True)
class Call:
    """One call of the story as it goes without faults. `contested`: it demands a row that others write."""

    door: Door
    what: str
    contested: bool = False


def faults_of(call: Call) -> tuple[Fault, ...]:
    """What can happen at a call. A read has no effect: died after it is died before the next call."""
    everywhere = (Fault.CRASH_BEFORE, Fault.THROTTLED, Fault.BROKEN, Fault.RIVAL)
    if call.door in ("read", "arm"):
        return everywhere
    contested = (Fault.CONFLICT,) if call.contested else ()
    return (*everywhere, Fault.CRASH_AFTER, Fault.TIMEOUT, *contested)


@dataclass
class Calls:
    """Counts the calls of a lami; at number `at` the fault strikes, once."""

    at: int = -1
    fault: Fault | None = None
    rival: Callable[[], None] = lambda: None
    made: list[Call] = field(default_factory=list)
    struck: bool = False
    uncounted: bool = False
    accepted: set[Telling] = field(default_factory=set)
    """Accepted by a channel, and not yet on record in lami."""
    excused: frozenset[Telling] = frozenset()
    """What stood in between when the fault struck: this, and nothing else, may be told twice."""

    def __call__(
        self,
        call: Call,
        effect: Callable[[], T],
        refuse: Callable[[float | None], T],
        contest: Callable[[], None] = lambda: None,
    ) -> T:
        """Make a call: with its effect, with the fault that was ordered for it, or with both."""
        if self.uncounted:
            return effect()
        self.made.append(call)
        if len(self.made) - 1 != self.at:
            return effect()
        self.struck = True
        return self._struck(effect, refuse, contest)

    def _struck(
        self, effect: Callable[[], T], refuse: Callable[[float | None], T], contest: Callable[[], None]
    ) -> T:
        if self.fault in (Fault.THROTTLED, Fault.BROKEN):
            self.excused = frozenset(self.accepted)
            return refuse(RETRY_AFTER if self.fault is Fault.THROTTLED else None)
        if self.fault is Fault.CRASH_BEFORE:
            self.excused = frozenset(self.accepted)
            raise Crash
        if self.fault is Fault.CONFLICT:
            contest()
            return effect()
        if self.fault is Fault.RIVAL:
            self.uncounted = True
            self.rival()
            self.uncounted = False
            return effect()
        effect()
        self.excused = frozenset(self.accepted)
        if self.fault is Fault.CRASH_AFTER:
            raise Crash
        return refuse(None)


class StruckTable:
    """A table whose calls are counted."""

    def __init__(self, inner: Table, calls: Calls) -> None:
        self._inner = inner
        self._calls = calls

    def get(self, partition: str, key: str) -> Row | None:
        return self._calls(
            Call("read", f"get {partition} {key}"), lambda: self._inner.get(partition, key), _unavailable
        )

    def query(
        self, partition: str, first: str = "", last: str | None = None, limit: int | None = None
    ) -> list[Row]:
        return self._calls(
            Call("read", f"query {partition}"),
            lambda: self._inner.query(partition, first, last, limit),
            _unavailable,
        )

    def behind(self, partition: str, last: str) -> str | None:
        return self._inner.behind(partition, last)

    def transact(self, partition: str, operations: Sequence[Operation]) -> Mapping[str, str]:
        def effect() -> Mapping[str, str]:
            etags = self._inner.transact(partition, operations)
            if self._calls.accepted:
                recorded = _recorded(operations)
                self._calls.accepted -= {one for one in self._calls.accepted if one[:2] in recorded}
            return etags

        demanded = [
            one for one in operations if isinstance(one, Replace) and not one.key.startswith(rows.OWED)
        ]

        def contest() -> None:
            """Another worker writes a row that this transaction demands as it was; it says the same."""
            for one in demanded[:1]:
                if row := self._inner.get(partition, one.key):
                    self._inner.transact(partition, [Put(row.key, row.values)])

        call = Call("write", f"transact {partition} {operations[0].key}", bool(demanded))
        return self._calls(call, effect, _unavailable, contest)

    def flush(self) -> None:
        self._inner.flush()

    def close(self) -> None:
        self._inner.close()


class StruckAzure(SimulatedAzure):
    """A simulated Azure whose reads are counted; a refused one is `Unknown`, as `lami.arm` says it."""

    calls: Calls

    def copy(self) -> StruckAzure:
        """The same at this moment, to go on apart from this one; seed its `random` before use."""
        other = copy(self)
        other.random = random.Random()
        other.events, other._past = list(self.events), list(self._past)
        return other

    def assignment(self, id: ResourceId) -> Look[RoleAssignment]:
        return self._asked("assignment", lambda: super(StruckAzure, self).assignment(id))

    def assignments_of(
        self, principal: str, subscriptions: tuple[str, ...]
    ) -> tuple[RoleAssignment, ...] | Unknown:
        return self._asked(
            "assignments of", lambda: super(StruckAzure, self).assignments_of(principal, subscriptions)
        )

    def holder(self, id: ResourceId) -> Look[IdentityHolder] | NotAHolder:
        return self._asked("holder", lambda: super(StruckAzure, self).holder(id))

    def role(self, id: ResourceId) -> Look[RoleDefinition]:
        return self._asked("role", lambda: super(StruckAzure, self).role(id))

    def failed_runs(self, app: ResourceId, since: datetime, until: datetime) -> FailedRuns | Unknown:
        return self._asked("failed runs", lambda: super(StruckAzure, self).failed_runs(app, since, until))

    def holders_in(self, subscription: str) -> Iterator[IdentityHolder | Unknown]:
        return self._listed("holders", super().holders_in(subscription))

    def assignments_in(self, subscription: str) -> Iterator[RoleAssignment | Unknown]:
        return self._listed("assignments", super().assignments_in(subscription))

    def _asked(self, what: str, effect: Callable[[], T | Unknown]) -> T | Unknown:
        return self.calls(Call("arm", what), effect, _unknown)

    def _listed(self, what: str, lines: Iterator[T | Unknown]) -> Iterator[T | Unknown]:
        """A listing can break off at once, and after its last line; each is a call."""
        begun = self._asked(f"{what}, the beginning", lambda: None)
        yield from lines if begun is None else [begun]
        if isinstance(end := self._asked(f"{what}, the end", lambda: None), Unknown):
            yield end


@dataclass
class StruckListener(Listener):
    """A channel whose calls are counted, and that remembers what it accepted."""

    calls: Calls = field(kw_only=True)

    def send(self, alert: Alert) -> None:
        def effect() -> None:
            # Which tellings the strike excuses is in `excused`; to the simulation's checks it explains all.
            self.trouble.happened += self.calls.struck
            super(StruckListener, self).send(alert)
            self.calls.accepted |= {(self.name, finding.id, finding.telling) for finding in alert.findings}

        self.calls(Call("channel", f"send to {self.name}"), effect, _temporary)


def _recorded(operations: Sequence[Operation]) -> set[tuple[str, str]]:
    """The channels and findings of which these operations put on record that they were told."""
    found: set[tuple[str, str]] = set()
    for one in operations:
        if one.key.startswith(rows.ENTRY) and isinstance(one, Create):
            for entry in rows.unpack_entries(Row("", one.key, one.values)):
                if entry.kind == "told":
                    names = entry.text.partition(":")[0].removeprefix("told ").split(", ")
                    found |= {(name, entry.finding) for name in names}
    return found


def _unavailable(retry_after: float | None) -> NoReturn:
    error = StoreUnavailable("simulated failure")
    error.retry_after = retry_after
    raise error


def _unknown(retry_after: float | None) -> Unknown:
    return Unknown("simulated failure", retry_after=retry_after)


def _temporary(retry_after: float | None) -> NoReturn:
    raise Temporary("simulated failure", retry_after)
