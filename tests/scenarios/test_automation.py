"""Noise, through the real doors: what automation does again and again, and what is written twice."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lami.core.timeline import Query
from lami.queries import FindingQuery
from lami.sandbox.model import Actor
from tests.world import POLICY, World, world

PIM = Actor.named("MS-PIM", "application")
IMPOSTOR = Actor("MS-PIM", "99999999-0000-4000-8000-000000000009", "application", PIM.app_id)
NAME = "77777777-0000-4000-8000-000000000007"
LIST = f"""
[[automation]]
name = "PIM"
reason = "approved there, and ends by itself"
grants = "temporary"
created-by = ["{PIM.object_id}"]
"""


@pytest.fixture
def listing(tmp_path: Path) -> Iterator[World]:
    """A world whose policy has PIM on its automation list."""
    policy = tmp_path / "own.toml"
    policy.write_text(POLICY + LIST, "utf-8")
    with world(tmp_path, {"LAMI_POLICY": str(policy)}) as here:
        here.subscribe()
        here.settled()
        yield here


@pytest.fixture
def plain(tmp_path: Path) -> Iterator[World]:
    """A world whose policy lists nobody."""
    with world(tmp_path) as here:
        here.subscribe()
        here.settled()
        yield here


def activate(here: World, role: str = "Contributor", by: Actor = PIM) -> str:
    """An activation: a new assignment of the role at the subscription, for the app's identity; its id."""
    scope = f"/subscriptions/{here.azure.subscription}"
    made = here.azure.estate.assign(role, scope, of=here.app(), actor=by)
    here.settled()
    return made.id


def end(here: World, assignment: str) -> None:
    """The activation ends."""
    here.azure.estate.unassign(assignment, actor=PIM)
    here.settled()


def findings(here: World, *statuses: str) -> list[tuple[str, str]]:
    """Rule and status of what lami found."""
    return [(one.rule, one.status) for one in here.lami.queries.findings(FindingQuery(statuses=statuses))]


def told(here: World) -> list[str]:
    """The timeline of the app's identity on the grants made to it, the oldest first."""
    app = here.azure.estate.resources.get(here.app())
    assert app is not None
    assert app.system is not None
    now = datetime.now(UTC)
    query = Query(now - timedelta(days=1), now + timedelta(days=1), principal=app.system.principal_id)
    entries = [entry for entry in here.lami.queries.timeline(query) if not entry.finding]
    return [entry.text for entry in reversed(entries) if "Contributor" in entry.text or "Owner" in entry.text]


def test_activations_of_a_listed_creator_are_silent(listing: World) -> None:
    """Three activations and their ends: six lines on the timeline, no finding, no alert, nothing missing."""
    for _ in range(3):
        end(listing, activate(listing))
    assert findings(listing) == []
    assert list(listing.azure.teams.cards) == []
    what = "Contributor at subscription contoso-prod, made by PIM (on the automation list)"
    granted, taken = f"claims-intake was granted {what}", f"{what}, was taken from claims-intake"
    assert told(listing) == [granted, taken] * 3


def test_what_grants_access_is_told_whoever_made_it(listing: World) -> None:
    """An activation of Owner alerts, by the automation's name, and resolves when it ends."""
    owner = activate(listing, "Owner")
    (finding,) = listing.lami.queries.findings(FindingQuery())
    assert (finding.rule, finding.severity, finding.detail["automation"]) == (
        "broad-grant",
        "critical",
        "PIM",
    )
    (card,) = listing.azure.teams.cards
    assert any("Made by PIM, which is on the automation list" in text for text in card.texts)
    end(listing, owner)
    assert findings(listing) == [("broad-grant", "resolved")]


def test_a_name_is_not_recognised(listing: World) -> None:
    """Who has PIM's name and application id in every claim, and another object id, is told."""
    activate(listing, by=IMPOSTOR)
    (finding,) = listing.lami.queries.findings(FindingQuery())
    assert (finding.actor.name, "automation" in finding.detail) == (PIM.app_id, False)


def test_activations_that_are_not_listed_are_one_finding_each(plain: World) -> None:
    """Each is told once and resolves when it ends; all are one story."""
    for _ in range(3):
        end(plain, activate(plain))
    assert findings(plain) == [("broad-grant", "resolved")] * 3
    threads = {one.thread for one in plain.lami.queries.findings(FindingQuery())}
    assert (len(threads), len(plain.azure.teams.cards)) == (1, 3)


def test_the_same_assignment_written_again_is_one_finding_told_once(plain: World) -> None:
    """A template that is deployed three times writes its assignment three times."""
    scope = f"/subscriptions/{plain.azure.subscription}"
    for _ in range(3):
        plain.azure.estate.assign("Contributor", scope, of=plain.app(), name=NAME)
        plain.settled()
    assert findings(plain) == [("broad-grant", "open")]
    assert len(plain.azure.teams.cards) == 1
    assert [text.rpartition("; ")[2] for text in told(plain)[1:]] == ["nothing changed"] * 2
