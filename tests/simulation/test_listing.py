"""Whose an assignment is: in the index before the look that counts, and asked once more before a delete is
given up. Else the delete finds nobody, and what is gone is held for good.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext

import pytest

from lami import handling
from lami.core.ids import ResourceId
from lami.core.model import Look, Present, RoleAssignment, Unknown
from lami.routing import Router
from tests.simulation.azure import NARROW, app_id, queue_scope
from tests.simulation.mutants import Mutant
from tests.simulation.world import World

AFTER = Mutant(
    "index row written after the look",
    handling._list,
    (("    if unknown:\n        listed = _listed(tools, book, subscriptions)\n", ""),),
    "none",
)


def stalled_between_listing_and_index(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
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
        monkeypatch.setattr(azure, "assignments_of", listed)
        azure.revoke(grant)
        azure.sleep(180)
        for event in azure.events:
            other.service.receive(event)
        azure.events.clear()
        return found

    monkeypatch.setattr(azure, "assignments_of", then_still)
    for event in created:
        world.lami.service.receive(event)


ASKED_ONCE = Mutant(
    "whose an assignment is asked once only",
    Router.unknown,
    (("elif self._tools.index.principals_of(change.resource):", "elif False:"),),
    "none",
)


def stalled_between_index_and_look(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker is told of a delete, finds nobody in the index, and stands still for three minutes.

    Meanwhile another is told of the write, and a replica that lags still shows it what is gone.
    """
    azure, other = world.azure, world._start()
    grant = azure.grant(azure.new_guid(), NARROW, queue_scope(7))
    written = list(azure.events)
    azure.events.clear()
    before = azure.present
    azure.sleep(5)
    azure.revoke(grant)
    deleted = list(azure.events)
    azure.events.clear()
    looked = azure.assignment

    def past(id: ResourceId) -> Look[RoleAssignment]:
        return Present(before.assignments[id])

    def still_first(id: ResourceId) -> Look[RoleAssignment]:
        monkeypatch.setattr(azure, "assignment", past)
        for event in written:
            other.service.receive(event)
        monkeypatch.setattr(azure, "assignment", looked)
        azure.sleep(180)
        return looked(id)

    monkeypatch.setattr(azure, "assignment", still_first)
    for event in deleted:
        world.lami.service.receive(event)


@contextmanager
def left_out(rule: Mutant, leave_out: bool) -> Iterator[None]:
    """With the rule, or without."""
    with rule.alive() if leave_out else nullcontext():
        yield


Story = Callable[[World, pytest.MonkeyPatch], None]
STORIES = (
    pytest.param(AFTER, stalled_between_listing_and_index, id="a grant taken while it was listed"),
    pytest.param(
        ASKED_ONCE, stalled_between_index_and_look, id="a delete that found nobody, who was learnt of"
    ),
)


@pytest.mark.parametrize("leave_out", [False, True], ids=["the rule", "left out"])
@pytest.mark.parametrize(("rule", "story"), STORIES)
def test_what_is_gone_is_not_held(
    rule: Mutant, story: Story, leave_out: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though a worker stood still meanwhile; without the rule it would be held for good."""
    world = World(1)
    world.azure.sleep(600)
    world.take()
    with left_out(rule, leave_out):
        story(world, monkeypatch)
        world.settle()
    assert bool(world.violations()) == leave_out
