"""Taking the baseline of several subscriptions from their listings."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

import lami.take
from lami.core.ids import ResourceId
from lami.core.model import Actor, RoleAssignment
from lami.runs import Progress
from lami.schedule import reconcile_now, take_baseline
from tests.scale.estate import group_of
from tests.scale.little import LITTLE, Little, little
from tests.simulation.azure import CONTRIBUTOR, NARROW

CARRIED = LITTLE.subscriptions * LITTLE.apps


@pytest.fixture
def world() -> Iterator[Little]:
    """A small estate of which no baseline is taken yet."""
    with little() as made:
        yield made


def test_what_stands_is_expected_wherever_a_principal_holds_it(world: Little) -> None:
    """Broad grants too, those in several subscriptions, and those above them."""
    for here in world.estate.subscriptions:
        listed = [one for one in world.estate.assignments_in(here) if isinstance(one, RoleAssignment)]
        wide = next(one for one in listed if not one.access.scope.subscription)
        scope = ResourceId(f"/subscriptions/{here}")
        world.estate.grant(wide.principal, CONTRIBUTOR, scope, f"b0b0b0b0-0000-4000-8000-{here[-12:]}")
    world.estate.asked.clear()
    report = world.take()
    assert (report.partial, report.differing) == (False, LITTLE.holders + LITTLE.principals)
    assert world.estate.asked == {
        "holders_in": 2 * LITTLE.subscriptions,
        "assignments_in": 2 * LITTLE.subscriptions,
        "assignments_of": CARRIED,
    }
    assert world.rules() == []
    assert reconcile_now(world.lami).differing == 0


def test_taken_again_only_what_differs_is_handled(world: Little) -> None:
    """What is held as it is listed costs a listing; what came since is judged as new."""
    world.take()
    here = world.estate.subscriptions[0]
    scope = ResourceId(f"/subscriptions/{here}")
    world.estate.grant(group_of(here, 0), CONTRIBUTOR, scope, "b0b0b0b0-0000-4000-8000-000000000001")
    world.estate.asked.clear()
    world.estate.now += timedelta(minutes=1)
    assert world.take().differing == 1
    assert world.estate.asked["assignments_in"] == LITTLE.subscriptions
    assert world.rules() == ["broad-grant"]


def test_a_principal_that_the_second_listing_shows_otherwise_is_looked_at_by_itself(world: Little) -> None:
    """Whose its new assignment is was not indexed before that listing, so it cannot count."""
    here = world.estate.subscriptions[0]
    scope = ResourceId(f"/subscriptions/{here}/resourceGroups/rg")

    def meanwhile(kind: str, where: str) -> None:
        if kind == "assignments_in" and world.estate.asked[kind] == LITTLE.subscriptions:
            world.estate.grant(group_of(here, 0), NARROW, scope, "b0b0b0b0-0000-4000-8000-000000000001")

    world.estate.before_read = meanwhile
    assert not world.take().partial
    assert world.estate.asked["assignments_of"] == CARRIED + 2
    (made,) = world.estate.added.values()
    assert world.lami.index.principals_of(made.id) == (group_of(here, 0),)
    assert reconcile_now(world.lami).differing == 0


@pytest.mark.parametrize("most", [0, 3, 5])
def test_what_is_kept_in_memory_is_bounded(world: Little, most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Principals beyond the bound are looked at by themselves, and taken as the others are."""
    monkeypatch.setattr(lami.take, "MOST_KEPT", most)
    assert not world.take().partial
    assert world.estate.asked["assignments_of"] > CARRIED
    assert world.rules() == []
    assert reconcile_now(world.lami).differing == 0


def test_progress_goes_to_its_end(world: Little) -> None:
    """At last as many are done as there are, and it never goes back."""
    said: list[Progress] = []
    take_baseline(world.lami, Actor("user", "tester", "Tester"), progress=said.append)
    done = [one.done for one in said]
    assert done == sorted(done)
    assert (said[-1].done, said[-1].total) == (LITTLE.holders + LITTLE.principals,) * 2
