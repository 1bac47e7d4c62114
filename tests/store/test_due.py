"""What is due: in the order of its time, once, and put off whole."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from lami.core.model import Cause, Subject
from lami.store.azure_tables import from_connection_string
from lami.store.due import Due, DueList
from lami.store.sqlite import SqliteTable
from lami.store.table import Table
from tests.core.builders import HOSTILE, NOW, P1, P2, SUB, assignment_id, at, cause, told, workflow

CAUSE = cause()
EVENT = told(assignment_id()).change


@pytest.fixture(params=["sqlite", pytest.param("azurite", marks=pytest.mark.azurite)])
def due(request: pytest.FixtureRequest) -> Iterator[DueList]:
    """An empty list, on each back end."""
    opened: Table = SqliteTable(":memory:")
    if request.param == "azurite":
        opened = from_connection_string(request.getfixturevalue("azurite"), f"t{uuid4().hex}")
    yield DueList(opened)
    opened.close()


def drain(principal: str = P1, time: datetime = NOW) -> Due:
    """A principal's debts that are to be paid."""
    return Due(time, "drain", CAUSE, Subject("principal", principal))


def test_everything_of_an_item_comes_back(due: DueList) -> None:
    """A re-check, a change nobody could be found for, a run of reconcile: each as it was put there."""
    items = [
        replace(drain(time=at(1)), why="doubt", resource=assignment_id().text, tries=3),
        Due(at(2), "route", CAUSE, resource=EVENT.resource.text, change=EVENT),
        Due(at(3), "reconcile", CAUSE, resource=SUB),
        Due(at(4), "grace", CAUSE, Subject("holder", workflow().text)),
    ]
    due.add(reversed(items))
    assert due.soonest() == items


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_kept(text: str) -> None:
    """Names that an attacker chose are in no key and come back as they were."""
    due = DueList(SqliteTable(":memory:"))
    item = Due(NOW, "doubt", Cause(text, text, NOW), Subject("holder", f"/{text}"), text)
    due.add([item])
    assert due.soonest() == [item]


def test_only_what_has_come_is_due_oldest_first(due: DueList) -> None:
    """Up to now and without it, over all shards in one order."""
    items = [drain(f"{number:032d}", at(number)) for number in range(20)]
    due.add(reversed(items))
    assert due.by(at(12)) == items[:12]
    assert due.by(at(12) + timedelta(milliseconds=1)) == items[:13]
    assert due.by(at(0)) == []


def test_the_limit_is_each_shards(due: DueList) -> None:
    """The oldest of every shard come first, and the rest with the next turn."""
    items = [drain(f"{number:032d}", at(number)) for number in range(60)]
    due.add(items)
    seen: list[Due] = []
    while turn := due.by(at(99), limit=2):
        assert len(turn) <= 8
        for item in turn:
            due.done(item)
        seen += turn
    assert sorted(seen, key=lambda item: item.at) == items
    assert due.soonest() == []


def test_the_same_thing_at_the_same_time_is_one_row(due: DueList) -> None:
    """In one call and in several; what differs in anything that counts is a row of its own."""
    item = drain()
    due.add([item, item])
    due.add([item])
    assert due.soonest() == [item]
    others = [
        drain(P2),
        drain(time=at(1)),
        replace(item, why="grace"),
        replace(item, resource="/x"),
        replace(item, change=EVENT),
        replace(item, tries=1),
    ]
    assert len({one.id for one in (item, *others)}) == 7


def test_an_item_is_found_in_any_casing_of_its_subject() -> None:
    """Azure writes one id in several casings: the debts of one book are one row."""
    one, other = (Due(NOW, "drain", CAUSE, Subject("holder", id)) for id in ("/a/B", "/A/b"))
    assert (one.id, one.partition) == (other.id, other.partition)


@given(st.datetimes(datetime(2020, 1, 1), datetime(2200, 1, 1)))
def test_rows_stand_in_the_order_of_their_time(time: datetime) -> None:
    """Key order is the order of time, to the millisecond, whatever the item."""
    time = time.replace(tzinfo=NOW.tzinfo)
    assert drain(time=time).id < drain(P2, time + timedelta(milliseconds=1)).id
    assert drain(time=time).partition == drain(time=time + timedelta(days=1)).partition


def test_an_item_is_done_once(due: DueList) -> None:
    """Another walker that was first does no harm."""
    due.add([drain(), drain(P2)])
    due.done(drain())
    due.done(drain())
    assert due.soonest() == [drain(P2)]


def test_an_item_is_put_off_by_one_walker_only(due: DueList) -> None:
    """It stands at its later time, once; who comes too late changes nothing."""
    item = drain()
    due.add([item])
    later = replace(item, at=at(60), tries=1)
    due.postpone(item, later)
    due.postpone(item, replace(item, at=at(90), tries=1))
    assert due.soonest() == [later]
    due.done(later)
    due.postpone(later, replace(later, at=at(99), tries=2))
    assert due.soonest() == []


def test_many_items_of_one_subject(due: DueList) -> None:
    """A listing may leave more doubts than one transaction can hold."""
    items = [replace(drain(), why="doubt", resource=f"/{number}") for number in range(250)]
    due.add(items)
    assert len(due.soonest()) == 250
