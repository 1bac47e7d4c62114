"""From the event to the card in Teams: a broad grant, told and looked at, committed, and told on.

The clock ends when the sandbox's webhook notes that it has the card; that is in another process, on the
same machine, so the time of day is the same for both.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from http.client import HTTPConnection
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit
from uuid import uuid4

from lami.bench.azure import ASSIGNMENT, BROAD, addresses, event, grant, newest_card, small_azure
from lami.bench.event import populate
from lami.bench.floors import bare_get, bare_transaction
from lami.bench.measure import Row, Say, Size, timed, timings
from lami.bench.noting import Noting, Trip
from lami.bench.stage import lami_on, record, settings_for
from lami.channels.teams import encode
from lami.schedule import take_baseline_if_none
from lami.store.sqlite import SqliteTable

_EVENTS = {"quick": 8, "full": 300}
_FLOOR = "two bare GETs, one SQLite transaction with all the event's rows, and one bare POST of the card"


def run(size: Size, say: Say) -> Iterator[Row]:
    """Broad grants to principals never seen, one after the other."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="lami-bench-")))
        azure = stack.enter_context(small_azure())
        populate(azure)
        where = azure.do(addresses)
        settings = settings_for(where, folder, tells=True)
        trips: list[Trip] = []
        table = Noting(SqliteTable(settings.sqlite_path), trips.append)
        lami = stack.enter_context(lami_on(settings, table))
        take_baseline_if_none(lami)
        say(f"{_EVENTS[size]} broad grants")
        scope = f"/subscriptions/{where.subscription}"
        arrived: list[float] = []
        for number in range(_EVENTS[size] + 1):
            made = azure.do(grant, BROAD, scope, principal=str(uuid4()))
            told = event(ASSIGNMENT, "write", made)
            trips.clear()
            begun = datetime.now(UTC)
            record(lami, told)
            card = azure.do(newest_card)
            if number:  # the first one fills caches
                arrived.append((datetime.fromisoformat(card.at) - begun).total_seconds())
        url = urlsplit(where.teams)
        post = stack.enter_context(closing(HTTPConnection(url.hostname or "", url.port)))
        get = stack.enter_context(bare_get(where.arm, made.id, "2022-04-01"))
        write = stack.enter_context(bare_transaction(folder / "floor.db", trips))
        body = encode(card.body)

        def least() -> None:
            get()
            get()
            write()
            post.request("POST", url.path, body, {"Content-Type": "application/json"})
            post.getresponse().read()

        floors = [timed(least) for _ in range(_EVENTS[size] + 1)][1:]
    yield from timings("teams", "event to card", arrived, floors, _FLOOR)
