"""Forty subscriptions, 5,000 logic apps, 100,000 role assignments: each step in a process of its own.

What is judged is what is listed, which books are loaded, what is found, and how large the process ever was;
never how long it took.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path

import pytest

from lami.core.model import Subject
from lami.reconcile import ABOVE
from lami.store.due import DueList
from lami.store.sqlite import SqliteTable
from tests.scale.child import CHURNED, GRANTED, REVOKED, STRANGER, Outcome, Step, successor
from tests.scale.estate import MADE, CountedEstate, Size, app, group_of, principal_of

ESTATE = Size()
SMALL = Size(subscriptions=6, apps=40, groups=5)
MOST_MB = 250
FOUND = {
    "identity-churn": CHURNED,
    "orphaned-assignment": CHURNED * ESTATE.app_grants,
    "missing-grant": CHURNED * ESTATE.app_grants + REVOKED,
    "broad-grant": GRANTED + 1,
}
pytestmark = pytest.mark.timeout(900)


def start(store: Path, step: Step) -> subprocess.CompletedProcess[str]:
    """Do a step in a process of its own, to whatever end."""
    arguments = [sys.executable, "-m", "tests.scale.child", str(store), json.dumps(asdict(step))]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("LAMI_")}
    return subprocess.run(arguments, capture_output=True, text=True, env=environment, check=False)


def done(store: Path, step: Step) -> Outcome:
    """Do a step in a process of its own, to its end."""
    process = start(store, step)
    assert process.returncode == 0, process.stderr
    outcome = Outcome(**json.loads(process.stdout))
    assert not outcome.partial
    assert outcome.rss_mb < MOST_MB
    return outcome


def killed(store: Path, step: Step) -> None:
    """Do a step in a process that is killed on its way."""
    assert start(store, step).returncode == -signal.SIGKILL


@pytest.fixture(scope="module")
def taken(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Outcome]]:
    """The store after the baseline of the whole estate was taken, and what that did."""
    store = tmp_path_factory.mktemp("scale") / "lami.db"
    yield store, done(store, Step("take"))
    store.unlink()


@pytest.fixture
def store(taken: tuple[Path, Outcome], tmp_path: Path) -> Iterator[Path]:
    """A copy of that store; it weighs half a gigabyte, so it is not left behind."""
    copy = Path(shutil.copy(taken[0], tmp_path / "lami.db"))
    yield copy
    copy.unlink()


def test_the_baseline_costs_two_listings_and_a_look_at_whom_each_app_carries(
    taken: tuple[Path, Outcome],
) -> None:
    """No principal is listed to be taken; one that is carried is listed once, because it is carried now."""
    assert (ESTATE.assignments, ESTATE.holders) == (100_000, 5_000)
    _, outcome = taken
    assert outcome.differing == ESTATE.holders + ESTATE.principals
    assert outcome.findings == {}
    assert outcome.reads == {
        "holders_in": 2 * ESTATE.subscriptions,
        "assignments_in": 2 * ESTATE.subscriptions,
        "assignments_of": ESTATE.holders,
    }


def test_where_nothing_differs_no_book_is_loaded(store: Path) -> None:
    """A run lists each subscription once, and that is all."""
    outcome = done(store, Step("reconcile"))
    assert (outcome.differing, outcome.loaded, outcome.findings) == (0, [], {})
    assert outcome.reads == {"holders_in": ESTATE.subscriptions, "assignments_in": ESTATE.subscriptions}


def test_where_fifty_differ_they_are_loaded_and_whom_they_tell(store: Path) -> None:
    """Of 11,430 books those of the fifty are read, and of those that their messages reach; all is found."""
    outcome = done(store, Step("reconcile", planted=True))
    assert outcome.differing == 50
    assert outcome.findings == FOUND
    assert set(outcome.loaded) == {subject.partition for subject in touched()}
    again = done(store, Step("reconcile", planted=True, minutes=10))
    assert (again.differing, again.loaded, again.findings) == (0, [], FOUND)


def test_a_run_that_is_killed_goes_on_where_it_was(store: Path) -> None:
    """It dies at its 21st listing: what it had done stays done, the walker does the other twenty.

    What is granted above them all had been seen in twenty; it is listed again, and nothing else is.
    """
    killed(store, Step("reconcile", planted=True, dies=21))
    assert leases(store) == [ABOVE, *sorted(CountedEstate(ESTATE).subscriptions[20:])]
    resumed = done(store, Step("walk", planted=True, minutes=16))
    assert resumed.reads["holders_in"] == 20
    assert resumed.reads["assignments_in"] == 20 + ESTATE.subscriptions
    assert leases(store) == []
    assert resumed.findings == FOUND
    again = done(store, Step("reconcile", planted=True, minutes=17))
    assert (again.differing, again.findings) == (0, FOUND)


@pytest.mark.parametrize("dies", [1, 90])
def test_a_take_that_is_killed_is_taken_up_again(tmp_path: Path, dies: int) -> None:
    """It dies while holders are taken: the next one takes the rest, and reconcile finds nothing new."""
    store = tmp_path / "lami.db"
    killed(store, Step("take", size=SMALL, dies=dies, of="assignments_of"))
    again = done(store, Step("take", size=SMALL, minutes=1))
    # Principals are held by now: they are neither listed again nor handled.
    assert again.reads["assignments_in"] == SMALL.subscriptions
    assert again.differing <= SMALL.holders
    done(store, Step("walk", size=SMALL, minutes=20))
    after = done(store, Step("reconcile", size=SMALL, minutes=21))
    assert (after.differing, after.findings) == (0, {})


def test_a_take_that_is_killed_among_principals_is_taken_up_again(tmp_path: Path) -> None:
    """It dies before the second listing of the fourth subscription: those of three are held, and one is not
    that holds something in all of them."""
    store = tmp_path / "lami.db"
    killed(store, Step("take", size=SMALL, dies=SMALL.subscriptions + 4))
    again = done(store, Step("take", size=SMALL, minutes=1))
    assert again.differing == SMALL.holders + SMALL.principals - 3 * (SMALL.apps + SMALL.groups)
    done(store, Step("walk", size=SMALL, minutes=20))
    after = done(store, Step("reconcile", size=SMALL, minutes=21))
    assert (after.differing, after.findings) == (0, {})


def touched() -> list[Subject]:
    """The fifty that differ, and whom they tell: principals shed and taken up, holders of revoked grants."""
    everywhere = CountedEstate(ESTATE).subscriptions
    found = [Subject("principal", STRANGER)]
    for number in range(CHURNED + REVOKED):
        here = everywhere[number]
        found += [Subject("holder", app(here, number).text), Subject("principal", principal_of(here, number))]
    found += [Subject("principal", successor(number)) for number in range(CHURNED)]
    found += [Subject("principal", group_of(everywhere[-1 - number], number)) for number in range(GRANTED)]
    return found


def leases(store: Path) -> list[str]:
    """The subscriptions that are on the list to be reconciled."""
    table = SqliteTable(str(store))
    try:
        items = DueList(table).by(MADE + timedelta(days=1000))
    finally:
        table.close()
    return sorted(item.resource for item in items if item.why == "reconcile")
