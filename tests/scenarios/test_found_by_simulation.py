"""What the simulation found wrong once, each as the shortest story that shows it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from lami.core.ids import ResourceId
from lami.core.model import Actor
from tests.simulation.azure import CONTRIBUTOR, SUB, TIDY, TIDY_ALL, app_id, identity_id
from tests.simulation.promises import Held
from tests.simulation.trouble import Crash
from tests.simulation.world import World

ME = Actor("user", "me", "Me")
SUBSCRIPTION = ResourceId(f"/subscriptions/{SUB}")


def test_a_lost_delete_of_an_identity_is_believed_in_the_end() -> None:
    """A user-assigned identity tells no times, and where no event did either patience never passed."""
    world = World(1, "0s")
    identity = identity_id("shared")
    world.azure.put_identity(identity)
    world.azure.events.clear()
    world.take()
    world.azure.delete(identity)
    world.azure.events.clear()
    world.azure.sleep(3600)
    world.reconcile()
    world.settle()
    assert world.rules() == {"identity-churn": 1}


def test_a_role_that_a_replica_showed_as_it_was_is_looked_at_again() -> None:
    """A role tells no time of its newest write, so one look at it may have been of the past."""
    world = World(1)
    world.azure.sleep(600)
    world.azure.define(TIDY)
    world.deliver_all()
    world.azure.sleep(600)
    world.azure.define(TIDY_ALL)
    world.azure.lag = timedelta(seconds=100)
    world.deliver_all()
    world.settle()
    assert world.violations() == []
    book = Held.of(world).roles[TIDY.id]
    assert "writes-all" in getattr(book.state, "powers", ())


@pytest.mark.parametrize("calls", range(1, 12))
def test_an_acceptance_that_the_process_did_not_survive_is_paid_by_the_walker(calls: int) -> None:
    """No event brings an acceptance again: what it owes must not depend on somebody trying again."""
    world = World(1, "0s")
    principal = world.azure.put_app(app_id("app"))
    world.azure.events.clear()
    world.azure.sleep(3600)
    world.take()
    world.azure.grant(principal, CONTRIBUTOR, SUBSCRIPTION)
    world.deliver_all()
    world.settle()
    finding = world.findings()[0].id
    left = [calls]

    def die() -> None:
        left[0] -= 1
        if not left[0]:
            raise Crash

    world.trouble.pause = die
    accepted = world.attempt(lambda: world.lami.service.accept(finding, ME, "on purpose"))
    world.trouble.pause = lambda: None
    world.operator.accepted.add(finding)
    world.settle()
    book = world.principal(principal)
    done = any(term.expected and term.role_name == "Contributor" for term in book.terms.values())
    world.operator.sanctioned |= set(book.terms)
    assert world.violations() == []
    assert done or not accepted
    assert world.rules() == ({} if done else {"broad-grant": 1})
