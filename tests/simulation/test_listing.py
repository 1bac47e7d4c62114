"""Whose an assignment is stands in the index before the look that counts, else its delete finds nobody."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import pytest

from lami import handling
from lami.core.model import RoleAssignment, Unknown
from tests.simulation.azure import NARROW, app_id, queue_scope
from tests.simulation.mutants import Mutant
from tests.simulation.world import World

AFTER = Mutant(
    "index row written after the look",
    handling._list,
    (("    if unknown:\n        listed = _listed(tools, book, subscriptions)\n", ""),),
    "none",
)


def stalled_between_listing_and_index(world: World) -> None:
    """A worker lists what a new app's identity is granted, and stands still for three minutes.

    Meanwhile the grant is taken away, and another worker is told so, late.
    """
    azure, other = world.azure, world._start()
    app = app_id("late")
    grant = azure.grant(azure.put_app(app), NARROW, queue_scope(7))
    created = [event for event in azure.events if event["subject"] == app.text]
    azure.events.clear()
    listed = azure.assignments_of

    def then_still(principal: str, subscriptions: tuple[str, ...]) -> tuple[RoleAssignment, ...] | Unknown:
        found = listed(principal, subscriptions)
        azure.assignments_of = listed  # type: ignore[method-assign]
        azure.revoke(grant)
        azure.sleep(180)
        for event in azure.events:
            other.service.receive(event)
        azure.events.clear()
        return found

    azure.assignments_of = then_still  # type: ignore[method-assign]
    for event in created:
        world.lami.service.receive(event)


@contextmanager
def left_out(leave_out: bool) -> Iterator[None]:
    """With the rule, or without."""
    with AFTER.alive() if leave_out else nullcontext():
        yield


@pytest.mark.parametrize("leave_out", [False, True], ids=["the rule", "left out"])
def test_a_grant_taken_while_it_was_listed_is_not_held(leave_out: bool) -> None:
    """The second listing, after the index row, no longer shows it; without that it would be held for good."""
    world = World(1)
    world.azure.sleep(600)
    world.take()
    with left_out(leave_out):
        stalled_between_listing_and_index(world)
        world.settle()
    assert bool(world.violations()) == leave_out
