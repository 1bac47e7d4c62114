"""What is granted is widened in place: by its condition, or by its role."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from lami.core.ids import ResourceId
from lami.core.model import Actor, Subject
from lami.schedule import take_baseline
from tests import world as sandboxed
from tests.simulation.azure import CONTRIBUTOR, NARROW, ONLY, SUB, TIDY, TIDY_ALL, app_id, queue_scope
from tests.simulation.world import World
from tests.web.support import get

APP, OTHER = app_id("claims-intake"), app_id("other")
SUBSCRIPTION = ResourceId(f"/subscriptions/{SUB}")
GROUP = ResourceId(f"/subscriptions/{SUB}/resourceGroups/rg")
ONE, TWO, BOTH, ANY = ONLY
"""Conditions: one container, another, both, and none at all."""


def conditional(scope: ResourceId | None = None, grace: str = "0s") -> tuple[World, ResourceId]:
    """An app whose identity holds a role under a condition, which the baseline expects."""
    world = World(3, grace)
    principal = world.azure.put_app(APP)
    role = CONTRIBUTOR if scope else NARROW
    id = world.azure.grant(principal, role, scope or queue_scope(0), condition=ONE)
    world.azure.events.clear()
    world.azure.sleep(3600)
    world.take()
    return world, id


def held_role(*apps: ResourceId) -> World:
    """Apps whose identities hold a custom role, which is the baseline."""
    world = World(5)
    for app in apps:
        world.azure.grant(world.azure.put_app(app), TIDY, GROUP if app == OTHER else SUBSCRIPTION)
    world.azure.events.clear()
    world.azure.sleep(3600)
    world.take()
    return world


def happen(world: World) -> World:
    """Everything is delivered, and time passes."""
    world.deliver_all()
    world.settle(10)
    assert world.violations() == []
    return world


# --- conditions ------------------------------------------------------------------------------------


def test_a_condition_taken_off_is_one_alert_and_nothing_is_missing() -> None:
    """The workflow still has its access: only the principal's book speaks, once."""
    world, id = conditional()
    world.azure.recondition(id, ANY)
    happen(world)
    assert world.rules() == {"condition-weakened": 1}
    assert [len(alert.findings) for alert in world.channels[0].alerts] == [1]
    (finding,) = world.findings()
    assert finding.title == (
        "the condition of Storage Queue Data Message Sender at st0 (storageAccounts) was removed "
        "from claims-intake's grant"
    )
    world.azure.recondition(id, ONE)
    happen(world)
    assert world.rules() == {}


def test_a_broad_role_without_its_condition_is_no_second_finding() -> None:
    """`broad-grant` would say the same; the severity is that of the reach."""
    world, id = conditional(SUBSCRIPTION)
    world.azure.recondition(id, ANY)
    happen(world)
    assert [(one.rule, one.severity) for one in world.findings()] == [("condition-weakened", "high")]


def test_accepting_it_moves_what_the_holder_expects() -> None:
    """The narrower access is no longer expected; to be put under its condition again is a loss."""
    world, id = conditional()
    world.azure.recondition(id, BOTH)
    happen(world)
    (finding,) = world.findings()
    world.lami.service.accept(finding.id, Actor("user", "me", "Me"), "planned")
    expected = {t.access.condition for t in world.holder(APP).terms.values() if t.expected}
    assert (expected, world.rules()) == ({BOTH}, {})
    world.azure.recondition(id, ONE)
    happen(world)
    assert world.rules() == {"missing-grant": 1}


def test_an_assignment_made_again_without_its_condition_is_a_new_grant() -> None:
    """Narrow it is recorded; nothing is missing, since more is granted than is expected."""
    world, id = conditional()
    principal = world.holder(APP).observed.system
    world.azure.revoke(id)
    world.azure.sleep(1)
    world.azure.grant(principal, NARROW, queue_scope(0), id.name)
    happen(world)
    assert world.rules() == {}


def test_a_redeployed_app_whose_new_grant_has_no_condition_lacks_nothing() -> None:
    """The churn does not list the conditional access as missing either."""
    world, _ = conditional()
    world.azure.delete(APP)
    principal = world.azure.put_app(APP)
    world.azure.grant(principal, NARROW, queue_scope(0))
    happen(world)
    assert world.rules() == {"identity-churn": 1, "orphaned-assignment": 1}
    churn = next(one for one in world.findings() if one.rule == "identity-churn")
    assert not any("Missing" in note for note in churn.notes)


@pytest.mark.parametrize("again", [ONE, ANY])
def test_a_condition_changed_and_changed_back_ends_alike_in_any_order(again: str) -> None:
    """Both events are delivered when both has happened, the later one first."""
    world, id = conditional()
    world.azure.recondition(id, BOTH)
    world.azure.recondition(id, again)
    world.azure.events.reverse()
    happen(world)
    assert world.rules() == ({} if again == ONE else {"condition-weakened": 1})


# --- roles -----------------------------------------------------------------------------------------


def test_a_widened_role_is_one_finding_that_names_all_who_hold_it() -> None:
    """No assignment is written, and no principal's book says anything."""
    world = held_role(APP, OTHER)
    world.azure.define(TIDY_ALL)
    happen(world)
    (finding,) = world.findings()
    assert (finding.rule, finding.severity, finding.subject.kind) == ("role-widened", "critical", "role")
    assert finding.title == (
        f"custom role Tidier can now *: held by claims-intake at {SUBSCRIPTION.short} and 1 other"
    )
    world.azure.define(TIDY)
    happen(world)
    assert world.rules() == {}


def test_a_role_that_was_widened_unnoticed_is_found_by_reconcile() -> None:
    """The definitions come with the assignments: nothing more is listed. Then nothing is left to find."""
    world = held_role(APP)
    reads = world.azure.reads
    assert world.reconcile().differing == 0
    calm = world.azure.reads - reads
    world.azure.define(TIDY_ALL)
    world.azure.events.clear()
    world.azure.sleep(600)
    world.reconcile()
    world.settle()
    assert world.rules() == {"role-widened": 1}
    reads = world.azure.reads
    assert world.reconcile().differing == 0
    assert world.azure.reads - reads == calm


def test_who_is_granted_a_role_that_is_wide_by_then_is_judged_by_its_reach() -> None:
    """While nobody held it its baseline went along."""
    world = held_role()
    principal = world.azure.put_app(APP)
    world.azure.define(TIDY_ALL)
    world.deliver_all()
    world.azure.grant(principal, world.azure.present.roles[TIDY.id], SUBSCRIPTION)
    happen(world)
    assert world.rules() == {"broad-grant": 1}


def test_taking_the_baseline_with_a_reason_accepts_a_widened_role() -> None:
    """Without one it leaves it open."""
    world = held_role(APP)
    world.azure.define(TIDY_ALL)
    happen(world)
    take_baseline(world.lami, Actor("user", "me", "Me"))
    assert world.rules() == {"role-widened": 1}
    take_baseline(world.lami, Actor("user", "me", "Me"), "audited")
    assert world.rules() == {}
    book = world.books().load(Subject("role", TIDY.id)).book
    assert book.findings == {}


# --- through the public door -----------------------------------------------------------------------


CONDITION = "@Resource[Microsoft.Storage/storageAccounts/blobServices/containers:name] StringEquals 'claims'"
NAME = "33333333-0000-4000-8000-000000000003"


def read_blobs(world: sandboxed.World, condition: str | None = None) -> None:
    """Write the app's one assignment of Storage Blob Data Reader, under a condition or none."""
    world.azure.estate.assign(
        "Storage Blob Data Reader", world.vault("st"), of=world.app(), name=NAME, condition=condition
    )


@pytest.fixture
def story(tmp_path: Path) -> Iterator[sandboxed.World]:
    """The sandbox's Azure and a lami that watches it; a custom role is held, and the baseline is taken."""
    with sandboxed.world(tmp_path) as world:
        estate, scope = world.azure.estate, f"/subscriptions/{world.azure.subscription}"
        estate.put_role("Claims Operator", [{"actions": ["Microsoft.Logic/workflows/read"]}])
        estate.assign("Claims Operator", scope, of=world.app())
        read_blobs(world, CONDITION)
        take_baseline(world.lami, Actor("user", "me", "Me"))
        world.subscribe()
        yield world


def found(world: sandboxed.World) -> list[dict[str, Any]]:
    """The open findings as the API shows them."""
    value: list[dict[str, Any]] = get(world, "/api/v1/findings?status=open").json()["value"]
    return value


def test_both_are_told_and_accepted_over_http(story: sandboxed.World) -> None:
    """From Event Grid's delivery to the API, and accepted there."""
    story.azure.estate.put_role("Claims Operator", [{"actions": ["Microsoft.Logic/workflows/*"]}])
    read_blobs(story)
    story.settled()
    shown = {one["rule"]: one for one in found(story)}
    assert shown.keys() == {"role-widened", "condition-weakened"}
    assert shown["role-widened"]["detail"]["gained"] == "Microsoft.Logic/workflows/*"
    assert shown["role-widened"]["severity"] == "high"
    assert shown["condition-weakened"]["detail"]["conditionBefore"] == CONDITION
    for one in shown.values():
        url = f"{story.server.url}/api/v1/findings/{one['id']}/accept"
        assert requests.post(url, json={"reason": "reviewed"}, timeout=20).status_code == 200
    assert found(story) == []
