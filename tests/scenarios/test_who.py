"""Alerts and timeline name whoever did what a finding is about, whoever else touched the same app since."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from lami.channels import console, email, teams
from lami.channels.channel import Alert
from lami.core.ids import ResourceId
from lami.core.model import ITSELF, Actor, Entry, EntryKind
from lami.core.timeline import Query
from tests.simulation.azure import CONTRIBUTOR, NARROW, SUB, app_id, queue_scope
from tests.simulation.world import World

APP = app_id("hr")
SUBSCRIPTION = ResourceId(f"/subscriptions/{SUB}")
OPERATOR = Actor("user", "olga", "Olga Operator")


@pytest.fixture
def world() -> World:
    """An app that holds two narrow grants, all of it the baseline."""
    made = World(11)
    principal = made.azure.put_app(APP)
    for number in range(2):
        made.azure.grant(principal, NARROW, queue_scope(number))
    made.azure.events.clear()
    made.azure.sleep(3600)
    made.begin()
    made.take()
    return made


def by(world: World, name: str) -> list[str]:
    """Deliver what just happened as somebody's doing; the ids of its events."""
    for event in world.azure.events:
        event["data"]["claims"]["name"] = name  # type: ignore[index]
    ids = [str(event["id"]) for event in world.azure.events]
    world.deliver_all()
    world.azure.sleep(4)
    return ids


def revoke(world: World, number: int = 0) -> None:
    """Delete the assignment that the app has at one of its scopes."""
    held = world.azure.present.assignments.values()
    world.azure.revoke(next(one.id for one in held if one.access.scope == queue_scope(number)))


def entries(world: World, *kinds: EntryKind, actor: str = "") -> list[Entry]:
    """The entries of these kinds, oldest first."""
    now = world.azure.now
    query = Query(now - timedelta(days=30), now + timedelta(minutes=1), actor=actor, limit=1000)
    return [one for one in reversed(world.lami.queries.timeline(query)) if not kinds or one.kind in kinds]


def actors(found: list[Entry]) -> set[str]:
    """By whom entries are."""
    return {one.cause.actor.name for one in found}


def test_whoever_touches_the_app_within_the_grace_is_not_who_did_it(world: World) -> None:
    """Mallory deletes the assignment, Bob sets a tag: alert and timeline name Mallory."""
    revoke(world)
    (deleted,) = by(world, "Mallory")
    world.azure.put_app(APP)
    (tagged,) = by(world, "Bob")
    world.settle()
    (finding,) = world.findings()
    assert (finding.rule, finding.actor.name) == ("missing-grant", "Mallory")
    for channel in world.channels:
        (alert,) = channel.alerts
        assert alert.cause == finding.cause
        for said in (console.render(alert), json.dumps(teams.render(alert))):
            assert "Mallory" in said
            assert finding.cause.correlation_id in said
            assert "Bob" not in said
    about = [one for one in entries(world) if one.finding == finding.id]
    assert [one.kind for one in about] == ["opened", "told"]
    assert {one.cause for one in about} == {finding.cause}
    assert about == entries(world, "opened", "told", actor="mallory")
    # What Bob did is there as his, and no more than that.
    assert {deleted, tagged} <= {one.cause.id for one in entries(world)}
    assert [one.kind for one in entries(world, actor="bob")] == ["observed"]
    assert world.violations() == []


def test_what_reconcile_reads_within_the_grace_is_not_who_did_it(world: World) -> None:
    """The app is created again, and a run of reconcile comes by: it is still the redeploy's doing."""
    world.ask_directory()
    world.azure.delete(APP)
    world.azure.put_app(APP)
    by(world, "Robin")
    world.azure.sleep(30)
    world.reconcile()
    world.settle()
    _, alert = world.channels[0].alerts
    assert {one.rule for one in alert.findings} == {"missing-grant", "orphaned-assignment"}
    assert alert.cause.operation.startswith("microsoft.logic/workflows/")
    assert "by Robin" in console.render(alert)
    assert "lami itself" not in console.render(alert)
    assert actors(entries(world, "opened", "told")) == {"Robin"}


def test_others_in_an_alert_are_named_beside_what_they_did(world: World) -> None:
    """Two people took something from one app: one alert, and each is named."""
    revoke(world, 0)
    by(world, "Mallory")
    revoke(world, 1)
    by(world, "Trent")
    world.settle()
    (alert,) = world.channels[0].alerts
    first, second = alert.findings
    assert {first.actor.name, second.actor.name} == {"Mallory", "Trent"}
    for said in (console.render(alert), _texts(teams.render(alert)), _mailed(alert)):
        assert f"by {first.actor.name}" in said
        assert f"{second.title} (by {second.actor.name})" in said
        assert "In the same change" not in said


def test_what_an_exception_keeps_back_is_by_whoever_did_it(world: World) -> None:
    """It is concluded after the grace, too."""
    world.begin(
        f'[[exception]]\nrule = "missing-grant"\nsubject = "{APP.text}"\nscope = "{queue_scope(0).text}"\n'
        'role = "Storage Queue Data Message Sender"\nreason = "moves"\nowner = "ops"\nuntil = 2026-11-26\n'
    )
    revoke(world)
    by(world, "Mallory")
    world.azure.put_app(APP)
    by(world, "Bob")
    world.settle()
    (kept,) = entries(world, "suppressed")
    assert kept.cause.actor.name == "Mallory"
    world.azure.sleep(3 * 24 * 3600)
    world.walk()
    (opened,) = entries(world, "opened")
    assert "its exception ended" in opened.text
    assert actors([opened, *entries(world, "told")]) == {"Mallory"}


def test_what_was_accepted_for_a_time_opens_again_as_whose_it_was(world: World) -> None:
    """Whoever accepted it did that, and no more."""
    revoke(world)
    by(world, "Mallory")
    world.settle()
    (finding,) = world.findings()
    world.operator.accepted.add(finding.id)
    day = world.azure.now + timedelta(days=1)
    world.lami.service.accept(finding.id, OPERATOR, "on its way", day)
    world.azure.sleep(3600)
    world.azure.put_app(APP)
    by(world, "Bob")
    world.azure.sleep(24 * 3600)
    world.settle()
    assert actors(entries(world, "accepted")) == {OPERATOR.name}
    assert [one.cause.actor.name for one in entries(world, "opened")] == ["Mallory", "Mallory"]
    assert world.channels[0].alerts[-1].cause.actor.name == "Mallory"


def test_what_ends_a_finding_is_whose_deed_that_was(world: World) -> None:
    """Mallory took it, Carol gave it back."""
    revoke(world)
    by(world, "Mallory")
    world.settle()
    world.azure.grant(world.holder(APP).observed.system, NARROW, queue_scope(0))
    by(world, "Carol")
    world.settle()
    assert actors(entries(world, "resolved")) == {"Carol"}
    assert world.violations() == []


def test_what_lami_comes_upon_when_a_grace_ends_is_nobody_s_who_is_known(world: World) -> None:
    """Eve's grant is seen before its event comes: it was not Mallory's, nor Bob's, and then Eve is named."""
    revoke(world)
    by(world, "Mallory")
    world.azure.put_app(APP)
    by(world, "Bob")
    world.azure.grant(world.holder(APP).observed.system, CONTRIBUTOR, SUBSCRIPTION)
    late = list(world.azure.events)
    world.azure.events.clear()
    world.settle()
    broad = next(one for one in world.findings() if one.rule == "broad-grant")
    assert broad.cause.operation == "lami/look"
    seen = [one for one in entries(world) if "was granted Contributor" in one.text]
    assert [one.kind for one in seen] == ["observed", "opened", "told"]
    assert {one.cause.actor for one in seen} == {ITSELF}
    world.azure.events[:] = late
    (granted,) = by(world, "Eve")
    assert granted in {one.cause.id for one in entries(world, "observed", actor="eve")}
    assert world.violations() == []


def test_a_delete_that_was_seen_before_its_event_came_has_its_line_all_the_same(world: World) -> None:
    """Reconcile found it and could not say whose it was; the event can."""
    revoke(world)
    late = list(world.azure.events)
    world.azure.events.clear()
    world.azure.sleep(60)
    world.reconcile()
    world.azure.events[:] = [*late, *late]
    deleted, _ = by(world, "Mallory")
    (line,) = entries(world, actor="mallory")
    assert (line.kind, line.cause.id) == ("observed", deleted)
    assert "was told; it was gone" in line.text
    world.settle()
    assert world.violations() == []


def _texts(node: object) -> str:
    """The texts of a card."""
    if isinstance(node, dict):
        runs = "".join(str(run["text"]) for run in node.get("inlines", ()))
        return "\n".join([runs, *(_texts(value) for value in node.values())])
    return "\n".join(map(_texts, node)) if isinstance(node, list) else ""


def _mailed(alert: Alert) -> str:
    body = email.render(alert, "a@b.example", ["c@d.example"]).get_body(("html",))
    assert body is not None
    return str(body.get_content()).replace("<b>", "").replace("</b>", "")
