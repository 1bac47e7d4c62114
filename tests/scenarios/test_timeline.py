"""What the timeline finds of a scope and of a principal: what was seen there, concluded, told and decided."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pytest

from lami.core.ids import ResourceId
from lami.core.model import Actor, Finding
from lami.core.timeline import Query
from tests.simulation.azure import CONTRIBUTOR, NARROW, SUB, app_id, queue_scope
from tests.simulation.world import World

APP = app_id("billing")
CORE = ResourceId(f"/subscriptions/{SUB}/resourceGroups/rg-core")
OPERATOR = Actor("user", "olga", "Olga Operator")


@pytest.fixture
def world() -> World:
    """An app that was granted Contributor on a resource group since the baseline, and everybody was told."""
    made = World(11, "0s")
    principal = made.azure.put_app(APP)
    made.azure.grant(principal, NARROW, queue_scope(0))
    made.azure.events.clear()
    made.azure.sleep(3600)
    made.begin()
    made.take()
    made.azure.grant(principal, CONTRIBUTOR, CORE)
    made.deliver_all()
    made.settle()
    return made


def kinds(world: World, scope: str = "", principal: str = "") -> Counter[str]:
    """How many entries of each kind the question finds."""
    now = world.azure.now
    query = Query(now - timedelta(days=30), now + timedelta(minutes=1), "", principal, "", scope, limit=1000)
    return Counter(entry.kind for entry in world.lami.queries.timeline(query))


def only(world: World) -> Finding:
    """The one finding that is open."""
    (found,) = world.findings()
    return found


@pytest.mark.parametrize("end", ["accepted", "resolved"])
def test_a_scope_s_timeline_has_what_was_concluded_told_and_decided(world: World, end: str) -> None:
    """Asked at the scope itself or above it; and by whom it was granted to. Elsewhere it is not found."""
    finding = only(world)
    world.operator.accepted.add(finding.id)
    if end == "accepted":
        world.lami.service.accept(finding.id, OPERATOR, "it deploys")
    else:
        world.azure.revoke(ResourceId(finding.detail["assignmentId"]))
        world.deliver_all()
    world.settle()
    concluded = {"opened": 1, "told": 1, end: 1}
    assert kinds(world, scope=CORE.text) == {"observed": 2, **concluded}
    assert kinds(world, scope=f"{CORE.text}/providers/Microsoft.Storage/storageAccounts/st") == {}
    for whole in (
        kinds(world, scope=f"/subscriptions/{SUB}"),
        kinds(world, principal=world.holder(APP).observed.system),
    ):
        assert whole >= Counter(concluded)


def test_what_is_excepted_or_missing_is_found_at_its_scope(world: World) -> None:
    """A finding on the app, whose entries name neither scope nor principal as their subject."""
    world.operator.accepted.add(only(world).id)
    world.begin(
        f'[[exception]]\nrule = "missing-grant"\nsubject = "{APP.text}"\nscope = "{queue_scope(0).text}"\n'
        'role = "Storage Queue Data Message Sender"\nreason = "moves"\nowner = "ops"\nuntil = 2026-11-26\n'
    )
    held = world.azure.present.assignments.values()
    world.azure.revoke(next(one.id for one in held if one.access.scope == queue_scope(0)))
    world.deliver_all()
    world.settle()
    assert kinds(world, scope=queue_scope(0).text)["suppressed"] == 1
    assert kinds(world, principal=world.holder(APP).observed.system)["suppressed"] == 1


def test_both_principals_of_a_churn_are_found(world: World) -> None:
    """It is about the one that went as much as about the one that came."""
    old = world.holder(APP).observed.system
    world.azure.delete(APP)
    new = world.azure.put_app(APP)
    world.deliver_all()
    world.settle()
    (churn,) = [one for one in world.findings() if one.rule == "identity-churn"]
    assert churn.detail["previousPrincipalId"] == old
    now = world.azure.now
    for principal in (old, new):
        query = Query(now - timedelta(hours=2), now + timedelta(minutes=1), principal=principal, limit=1000)
        about = [one.kind for one in world.lami.queries.timeline(query) if one.finding == churn.id]
        assert {"opened", "told"} <= set(about)
