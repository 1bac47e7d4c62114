"""Azurite, with its data on disk, is stopped and started while a lami that stores in it hears of changes."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from lami.schedule import reconcile_now
from lami.store.table import Put
from lami.wiring import make_channels, make_table
from tests.azurite import Azurite, NotInstalled
from tests.faults.serving import PATIENCE, Struck, lami_on, struck

pytestmark = [pytest.mark.azurite, pytest.mark.timeout(600)]


@pytest.fixture
def azurite(tmp_path: Path) -> Iterator[Azurite]:
    """An Azurite of this test's own, with its data on disk."""
    folder = tmp_path / "azurite"
    folder.mkdir()
    try:
        server = Azurite(folder)
    except NotInstalled as error:
        pytest.fail(str(error))
    server.start()
    yield server
    server.end(signal.SIGKILL)


@pytest.fixture
def world(azurite: Azurite, tmp_path: Path) -> Iterator[Struck]:
    """A lami that serves with this Azurite as its store."""
    with struck(tmp_path, azurite.connection_string, seed=1) as world:
        yield world


def stopped(azurite: Azurite, number: signal.Signals) -> None:
    """End Azurite by this signal, and start it again a second later."""
    azurite.end(number)
    time.sleep(1)
    azurite.start()


def saved(azurite: Azurite, world: Struck) -> list[str]:
    """Wait until all that was acknowledged so far is on disk too; which events that are."""
    acknowledged = list(world.deliveries.acknowledged)
    mark = f"mark-{len(acknowledged)}"
    with closing(make_table(world.settings, None)) as table:
        table.transact("mark", [Put(mark, {})])
    until = time.monotonic() + PATIENCE
    while not azurite.has_saved(mark):
        assert time.monotonic() < until, "Azurite does not save"
        time.sleep(0.1)
    return acknowledged


def test_a_store_that_is_stopped_and_started_loses_nothing(azurite: Azurite, world: Struck) -> None:
    """Meanwhile every event is answered with 503, and says when to try again; afterwards nothing is wrong."""
    left = world.events
    for _ in range(2):
        left = world.struck_while_posting(left, partial(stopped, azurite, signal.SIGINT), answers=4)
        assert left, "the store came back too soon to refuse anything"
        assert world.missing() == []
    world.deliveries.all(left)
    assert world.wrong(strikes=2) == []
    assert world.deliveries.statuses.keys() == {200, 503}
    for refusal in world.deliveries.refusals:
        assert int(refusal.headers["Retry-After"]) > 0
        assert json.loads(refusal.content)["status"] == 503
    # The log has a line for each, with what is the matter and what to do; and no trace.
    lines = [line for line in world.process.said.splitlines() if "not acknowledged" in line]
    assert len(lines) == world.deliveries.statuses[503]
    assert all("so Event Grid delivers it again" in line and "`lami doctor`" in line for line in lines)
    assert any("cannot be reached" in line and "firewall" in line for line in lines)
    assert "deliver this again" not in world.process.said
    assert "Traceback" not in world.process.said


def test_a_store_that_hangs_and_then_does_what_it_was_asked_loses_nothing(
    azurite: Azurite, world: Struck
) -> None:
    """Time-outs with effect: what lami gave up on has happened all the same."""
    left = world.struck_while_posting(world.events, lambda: azurite.hang(8), answers=4)
    assert left, "nothing timed out"
    assert world.missing() == []
    world.deliveries.all(left)
    assert world.wrong(strikes=1) == []


def test_a_store_that_loses_its_last_seconds_is_made_up_for_by_one_reconcile(
    azurite: Azurite, world: Struck
) -> None:
    """Azurite writes to disk every five seconds: but for SIGINT a signal sets it back, as a restored backup
    does. Each book is whole, and one reconcile finds what is lost."""
    left, lost = list(world.events), set[str]()
    for number in (signal.SIGTERM, signal.SIGKILL):
        first, left = left[:15], left[15:]
        world.deliveries.all(first)
        on_disk = saved(azurite, world)
        left = world.struck_while_posting(left, partial(stopped, azurite, number), answers=4)
        assert set(world.missing(on_disk)) <= lost
        lost |= set(world.missing())
    world.deliveries.all(left)
    with lami_on(world.settings, make_channels(world.settings, None)) as lami:
        assert not reconcile_now(lami).partial
    # That an app was deleted in between was said by an event alone, and may be lost with it.
    wrong = [one for one in world.wrong(strikes=2) if " deleted_since: " not in one]
    assert wrong == []
