"""A subscription goes by its name wherever somebody is told of it; what it is called changes nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from lami.core.ids import ResourceId
from lami.core.model import Finding, RoleDefinition, Subject
from lami.sandbox.faults import Fault
from tests import world as sandboxed
from tests.simulation.azure import CONTRIBUTOR, ONLY, SUB, TIDY, TIDY_ALL, app_id
from tests.simulation.world import World
from tests.web.support import everything

APP = app_id("claims-intake")
SUBSCRIPTION = ResourceId(f"/subscriptions/{SUB}")
UNNAMED = f"subscription {SUB[:8]}"


# --- through the real SDK, a real server and a card ------------------------------------------------


@pytest.fixture
def own(tmp_path: Path) -> Iterator[sandboxed.World]:
    """A logic app of a subscription that is called contoso-prod; its events are delivered."""
    with sandboxed.world(tmp_path) as world:
        world.subscribe()
        yield world


def grant_owner(own: sandboxed.World) -> str:
    """The app's identity becomes Owner of the subscription; the title of the one finding."""
    own.azure.estate.assign("Owner", f"/subscriptions/{own.azure.subscription}", of=own.app())
    own.settled()
    (finding,) = everything(own, "/api/v1/findings?status=open")
    assert (finding["rule"], finding["severity"]) == ("broad-grant", "critical")
    assert finding["detail"]["scope"] == f"/subscriptions/{own.azure.subscription}"
    return str(finding["title"])


def name_reads(own: sandboxed.World) -> int:
    """How often Azure was asked how the subscription is called."""
    return [read.path for read in own.azure.reads].count(f"/subscriptions/{own.azure.subscription}")


def test_a_title_says_in_which_subscription_and_the_detail_has_its_id(own: sandboxed.World) -> None:
    """On the API and on the card."""
    title = grant_owner(own)
    assert title == "claims-intake was granted Owner: can grant anyone access, at subscription contoso-prod"
    (card,) = own.azure.teams.cards
    assert any(title in text for text in card.texts)


def test_a_name_is_one_read_however_much_is_granted_there(own: sandboxed.World) -> None:
    """And none at all as long as nothing is granted at the subscription itself."""
    own.azure.estate.assign("Key Vault Secrets User", own.vault("kv-new"), of=own.app())
    own.settled()
    assert name_reads(own) == 0
    grant_owner(own)
    own.redeploy()
    assert name_reads(own) == 1


def test_a_name_that_cannot_be_read_is_nobodys_trouble(own: sandboxed.World) -> None:
    """The finding opens all the same, by the id; nothing is a gap and nothing is tried again for it."""
    own.azure.faults.add(Fault(path=f"/subscriptions/{own.azure.subscription}", status=403))
    assert grant_owner(own).endswith(f"at subscription {own.azure.subscription[:8]}")
    assert name_reads(own) == 1
    assert len(own.azure.teams.cards) == 1


def test_a_hostile_name_is_text(own: sandboxed.World) -> None:
    """Nothing of it is expanded, hidden or a line of its own on the card; it is shown as it was written."""
    own.azure.estate.names[own.azure.subscription] = (
        "{{DATE(2026-11-24T08:14:21Z)}} [a](https://evil.example)\r\n\u202e<b>x</b>" + "y" * 500
    )
    title = grant_owner(own)
    assert "[a](https://evil.example)<b>x</b>" in title
    assert len(title) < 200
    (card,) = own.azure.teams.cards
    assert card.problem == ""
    assert "{{" not in json.dumps(card.body)
    assert not any("\r" in text or "\n" in text or "\u202e" in text for text in card.texts)


# --- on a virtual clock ----------------------------------------------------------------------------


def begun(*names: str, role: RoleDefinition | None = None, condition: str = "") -> World:
    """An app in a subscription that is called so; all that its identity holds there is the baseline."""
    world = World(11, "0s")
    world.azure.names[SUB] = list(names)
    principal = world.azure.put_app(APP)
    if role is not None:
        world.azure.grant(principal, role, SUBSCRIPTION, condition=condition)
    world.azure.events.clear()
    world.azure.sleep(3600)
    world.take()
    return world


def broad(*names: str) -> tuple[World, ResourceId]:
    """The same with a broad grant that is found; its assignment."""
    world = begun(*names)
    id = world.azure.grant(world.holder(APP).observed.system, CONTRIBUTOR, SUBSCRIPTION)
    world.deliver_all()
    return world, id


def only(world: World) -> Finding:
    """The one open finding."""
    (finding,) = world.findings()
    return finding


def lines(world: World) -> list[str]:
    """What the timeline of the app's principal says, oldest first."""
    principal = Subject("principal", world.holder(APP).observed.system)
    return [entry.text for entry in reversed(world.books().entries(principal))]


def look_again(world: World, id: ResourceId) -> None:
    """The assignment is written as it was, and its event delivered."""
    world.azure.sleep(60)
    world.azure.recondition(id, "")
    world.deliver_all()


def test_a_rename_is_no_news_and_reaches_the_title_with_the_next_look() -> None:
    """The same finding says the new name, in the book and in the lists; nobody is told, no line says so."""
    world, id = broad("contoso-prod")
    before, told, said = only(world), list(world.channels[0].told), lines(world)
    assert before.title.endswith("at subscription contoso-prod")
    world.azure.names[SUB].append("contoso-live")
    look_again(world, id)
    after = only(world)
    assert after.title.endswith("at subscription contoso-live")
    assert (after.id, after.key, after.telling) == (before.id, before.key, before.telling)
    assert world.channels[0].told == told
    (new,) = lines(world)[len(said) :]
    assert new.endswith("Contributor at subscription contoso-live was written again; nothing changed")
    held = world.principal(after.subject.id).grants[id.key]
    assert held.access.scope.called == "contoso-live"
    assert held.cause == before.cause
    assert world.violations() == []


def test_a_rename_is_nothing_that_reconcile_would_find() -> None:
    """What is called otherwise is not otherwise: no subject differs."""
    world, _ = broad("contoso-prod")
    said = lines(world)
    world.azure.names[SUB].append("contoso-live")
    world.azure.sleep(3600)
    report = world.reconcile()
    assert (report.findings, lines(world)) == ((), said)


def test_a_name_that_was_read_stays_while_it_cannot_be_read() -> None:
    """Also for a process that begins anew and was refused it: the book knows it."""
    world, id = broad("contoso-prod")
    world.azure.names[SUB].append("")
    look_again(world, id)
    assert only(world).title.endswith("at subscription contoso-prod")


def test_a_name_that_is_read_at_last_is_said() -> None:
    """What was found while it could not be read goes by the id until then."""
    world, id = broad()
    assert only(world).title.endswith(f"at {UNNAMED}")
    world.azure.names[SUB].append("contoso-prod")
    look_again(world, id)
    assert only(world).title.endswith("at subscription contoso-prod")


def test_what_a_recreated_app_leaves_and_lacks_goes_by_the_name() -> None:
    """Orphan, missing grant and the churn's notes, each in a book of its own."""
    world = begun("contoso-prod", role=CONTRIBUTOR)
    world.azure.delete(APP)
    world.azure.put_app(APP)
    world.deliver_all()
    found = {finding.rule: finding for finding in world.findings()}
    assert set(found) == {"identity-churn", "orphaned-assignment", "missing-grant"}
    assert "Contributor at subscription contoso-prod" in found["orphaned-assignment"].title
    assert "Contributor at subscription contoso-prod" in found["missing-grant"].title
    notes = found["identity-churn"].notes
    assert sum("at subscription contoso-prod" in note for note in notes) == 2
    assert world.violations() == []


def test_a_widened_role_names_where_it_is_held() -> None:
    """The book of the role is told the name with the access."""
    world = begun("contoso-prod", role=TIDY)
    world.azure.define(TIDY_ALL)
    world.deliver_all()
    (finding,) = (one for one in world.findings() if one.rule == "role-widened")
    assert finding.title.endswith("held by claims-intake at subscription contoso-prod")


def test_a_weakened_condition_names_where_it_was() -> None:
    """As the grant does that it is of."""
    world = begun("contoso-prod", role=CONTRIBUTOR, condition=next(iter(ONLY)))
    (id,) = world.azure.present.assignments
    look_again(world, id)
    assert only(world).rule == "condition-weakened"
    assert "Contributor at subscription contoso-prod" in only(world).title
