"""A storm: many changes of one subscription at once, posted to a `lami serve` as Event Grid would.

lami is served in one process, the sandbox is another, and this one posts, with as many connections as
`Event Grid` might have. What is not acknowledged is posted again. A storm is over when each event's entry is
on the timeline, with the actor that the event named. ARM's reads are counted by the sandbox.

The long run tells known assignments written again and again: it shows whether memory is kept.
"""

from __future__ import annotations

import json
import logging
import time
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from threading import Event, Lock, Thread
from urllib.parse import urlsplit
from uuid import UUID

from lami.bench.apart import Apart, apart
from lami.bench.azure import (
    ASSIGNMENT,
    NARROW,
    Addresses,
    Written,
    addresses,
    count_reads,
    event,
    forget_reads,
    grant,
    small_azure,
    vault,
)
from lami.bench.measure import Memory, NotMeasured, Row, Say, Size, at_most, memory, timed
from lami.bench.stage import environment_for
from lami.sandbox import Sandbox
from lami.sandbox.model import Actor, JsonObject
from lami.settings import read
from lami.store.due import DueList
from lami.web.server import Server
from lami.web.webhook import PATH
from lami.wiring import Lami, build

READS_AN_EVENT = 0.1
READS_IN_A_WINDOW = 200
WINDOW = 10.0
KEPT = 1.1
_BURST = {"quick": 200, "full": 1_000}
_LONG = {"quick": 100, "full": 100_000}
_PRINCIPALS = 200
_ACTORS = 40
_POSTERS = 32
_AGAIN = 1.0
"""Seconds until an event that was not acknowledged is posted again; Event Grid waits 10."""
_PATIENCE = 180.0
"""Seconds that a burst may take until all of it is on the timeline."""
_SLOWEST = 5
"""Events a second; a lami slower than that is taken to hang."""
_EVERY = 0.25
"""Seconds between two looks at the count of reads."""
_SELDOM = 1.0
"""Seconds between two looks at what is put aside, which cost the lami that is asked."""


@dataclass(frozen=True, slots=True)
class Served:
    """A lami that listens, in the process in which it does."""

    lami: Lami
    server: Server


@contextmanager
def served(environment: dict[str, str]) -> Iterator[Served]:
    """Serve a lami as `lami serve -q` does, on any free port."""
    logging.basicConfig(level=logging.ERROR)
    with closing(build(read(environment))) as lami, Server(lami, port=0) as server:
        yield Served(lami, server)


def address_of(served: Served) -> str:
    """Where it listens."""
    return served.server.url


def memory_of(served: Served) -> Memory | None:
    """What its process has in memory."""
    return memory()


def actors_told(served: Served, since: datetime) -> dict[str, str]:
    """The actor that the timeline names for each event since a time."""
    entries = served.lami.index.entries(since, datetime.now(UTC))
    return {entry.cause.id: entry.cause.actor.id for entry in entries}


def gathered(served: Served) -> int:
    """How many changes are put aside and not handled yet, of those whose turn comes next."""
    return sum(item.why == "route" for item in DueList(served.lami.table).soonest())


def run(size: Size, say: Say) -> Iterator[Row]:
    """A burst of new grants in one subscription; then very many events."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="lami-bench-")))
        azure = stack.enter_context(small_azure())
        where = azure.do(addresses)
        environment = environment_for(where, folder)
        lami = stack.enter_context(apart(served, environment))
        url = lami.do(address_of)
        _post(url, [_known(azure, where, number) for number in range(3)])  # connections, roles, code
        yield from _burst(azure, where, lami, url, _BURST[size], say)
        yield from _long(azure, where, lami, url, _LONG[size], say)


def _burst(
    azure: Apart[Sandbox], where: Addresses, lami: Apart[Served], url: str, events: int, say: Say
) -> Iterator[Row]:
    say(f"a burst of {events:,} new role assignments in one subscription")
    told = [_new(azure, where, number) for number in range(events)]
    azure.do(forget_reads)
    wanted = {str(one["id"]): _actor_of(one) for one in told}
    since, begun = datetime.now(UTC), time.monotonic()
    with _sampled(azure) as reads:
        posted = _post(url, told)
        acknowledged = time.monotonic() - begun
        found: dict[str, str] = {}
        while time.monotonic() - begun < _PATIENCE:
            found = lami.do(actors_told, since)
            if wanted.keys() <= found.keys():
                break
            time.sleep(_EVERY)
        over = time.monotonic() - begun
        time.sleep(2 * _EVERY)
    of = f"a burst of {events:,}"
    total = azure.do(count_reads)
    right = sum(found.get(id) == actor for id, actor in wanted.items())
    yield Row("storm", f"{of}: ARM, each", total / events, "reads/event", aims=(at_most(READS_AN_EVENT),))
    yield Row(
        "storm",
        f"{of}: ARM, the most within {WINDOW:g} s",
        most_within(reads),
        "reads",
        aims=(at_most(READS_IN_A_WINDOW),),
    )
    yield Row("storm", f"{of}: all acknowledged after", acknowledged, "s")
    yield Row("storm", f"{of}: all on the timeline after", over, "s")
    yield Row(
        "storm",
        f"{of}: without an entry that names its own actor",
        events - right,
        "events",
        aims=(at_most(0),),
    )
    yield Row("storm", f"{of}: posted again", posted.total() - events, "events")


def _long(
    azure: Apart[Sandbox], where: Addresses, lami: Apart[Served], url: str, events: int, say: Say
) -> Iterator[Row]:
    """Events of known assignments; memory is compared once a tenth has warmed everything up."""
    say(f"{events:,} events")
    azure.do(forget_reads)
    held: list[float] = []
    spent = 0.0
    chunk = max(1, events // 20)
    for done in range(0, events, chunk):
        told = [_known(azure, where, number) for number in range(done, min(done + chunk, events))]
        spent += timed(lambda: _post(url, told))  # noqa: B023 - called at once
        say(f"{min(done + chunk, events):,} of {events:,}")
        if now := lami.do(memory_of):
            held.append(now.now)
    say("until all of them are handled")
    spent += timed(lambda: _wait(lami, events))
    if now := lami.do(memory_of):
        held.append(now.now)
    yield Row("storm", f"{events:,} events of known assignments: rate", events / spent, "events/s")
    yield Row(
        "storm", f"{events:,} events of known assignments: ARM", azure.do(count_reads) / events, "reads/event"
    )
    if not held:
        yield Row("storm", f"{events:,} events: memory", None, "MB", note="this system does not say")
        return
    early, late = median(held[1:4]), median(held[-3:])
    yield Row(
        "storm",
        f"{events:,} events of known assignments: memory at the end, to that after a tenth",
        late / early,
        "times",
        aims=(at_most(KEPT),),
        note=f"{early:.1f} MB, then {late:.1f} MB",
    )


def _wait(lami: Apart[Served], events: int) -> None:
    end = time.monotonic() + _PATIENCE + events / _SLOWEST
    while lami.do(gathered):
        if time.monotonic() > end:
            raise NotMeasured(f"{lami.do(gathered)} changes were not handled in time")
        time.sleep(_SELDOM)


def _new(azure: Apart[Sandbox], where: Addresses, number: int) -> JsonObject:
    """A narrow grant that nobody has seen, made by one of many actors."""
    scope = vault(where.subscription, 1_000 + number)
    return _told(azure.do(grant, NARROW, scope, principal=_principal(number)), number)


def _known(azure: Apart[Sandbox], where: Addresses, number: int) -> JsonObject:
    """One of a few assignments, written again."""
    number %= _PRINCIPALS
    name = str(UUID(int=number + 1, version=4))
    scope = vault(where.subscription, number)
    return _told(azure.do(grant, NARROW, scope, principal=_principal(number), name=name), number)


def _principal(number: int) -> str:
    return str(UUID(int=(number % _PRINCIPALS) + 2**64, version=4))


def _told(made: Written, number: int) -> JsonObject:
    return event(ASSIGNMENT, "write", made, Actor.named(f"deployer-{number % _ACTORS}", "application"))


def _actor_of(told: JsonObject) -> str:
    data = told["data"]
    claims = data["claims"] if isinstance(data, dict) else {}
    return str(claims["http://schemas.microsoft.com/identity/claims/objectidentifier"])


def _post(url: str, events: Sequence[JsonObject]) -> Counter[int]:
    """Post each event until it is acknowledged, over several connections; how often which status came.

    0 stands for no answer. Raises where it takes so long that something must be wrong.
    """
    left, statuses, lock = deque(events), Counter[int](), Lock()
    end = time.monotonic() + _PATIENCE + len(events) / _SLOWEST

    def work() -> None:
        with closing(_connection(url)) as connection:
            while left and time.monotonic() < end:
                with lock:
                    if not left:
                        return
                    one = left.popleft()
                status = _posted(connection, one)
                with lock:
                    statuses[status] += 1
                    if not 200 <= status <= 204:
                        left.append(one)
                if not 200 <= status <= 204:
                    time.sleep(_AGAIN)

    threads = [Thread(target=work, daemon=True) for _ in range(min(_POSTERS, len(events)))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if left:
        raise NotMeasured(f"{len(left)} events were not acknowledged; statuses: {dict(statuses)}")
    return statuses


def _connection(url: str) -> HTTPConnection:
    parts = urlsplit(url)
    return HTTPConnection(parts.hostname or "", parts.port, timeout=60)


def _posted(connection: HTTPConnection, one: JsonObject) -> int:
    """The status of the answer; 0 where there was none, and then the connection is made anew."""
    try:
        connection.request("POST", PATH, json.dumps([one]), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        answer.read()
    except (OSError, HTTPException):
        connection.close()
        return 0
    return answer.status


@contextmanager
def _sampled(azure: Apart[Sandbox]) -> Iterator[list[tuple[float, int]]]:
    """How many reads there were by when, looked at every so often."""
    samples, stop = [(time.monotonic(), 0)], Event()

    def look() -> None:
        while not stop.wait(_EVERY):
            samples.append((time.monotonic(), azure.do(count_reads)))

    thread = Thread(target=look, daemon=True)
    thread.start()
    try:
        yield samples
    finally:
        stop.set()
        thread.join()


def most_within(samples: Sequence[tuple[float, int]]) -> int:
    """The most reads within a window of time."""
    most = 0
    for number, (begun, before) in enumerate(samples):
        within = [reads for at, reads in samples[number:] if at - begun <= WINDOW]
        most = max(most, within[-1] - before)
    return most
