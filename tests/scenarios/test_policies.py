"""Another policy applies to what stands already; exceptions are told; a wrong one leaves the last good."""

from __future__ import annotations

from datetime import timedelta

import pytest

from lami.core.ids import ResourceId
from lami.core.model import Entry, Finding
from lami.core.shapes import finding_json
from lami.core.timeline import Query
from tests.simulation.azure import CONTRIBUTOR, NARROW, SUB, app_id, queue_scope
from tests.simulation.world import World

APP = app_id("claims-intake")
SUBSCRIPTION = ResourceId(f"/subscriptions/{SUB}")
GRAVER = '[broad]\nwrites-all = { subscription = "critical" }\n'


@pytest.fixture
def world() -> World:
    """Somebody was granted Contributor on the subscription, and everybody was told."""
    made = World(11, "0s")
    made.azure.put_app(APP)
    made.azure.grant(made.azure.present.holders[APP].system, NARROW, queue_scope(0))
    made.azure.events.clear()
    made.azure.sleep(3600)
    made.begin()
    made.take()
    made.azure.grant(made.azure.new_guid(), CONTRIBUTOR, SUBSCRIPTION)
    made.deliver_all()
    made.settle()
    assert made.rules() == {"broad-grant": 1}
    return made


def grant(world: World) -> Finding:
    """The one finding of a broad grant."""
    (found,) = [f for f in world.findings("open", "suppressed", "accepted") if f.rule == "broad-grant"]
    return found


def exception(world: World, days: float = 1, reason: str = "it deploys") -> str:
    """An exception of exactly that."""
    detail = grant(world).detail
    until = (world.azure.now + timedelta(days=days)).isoformat()
    return (
        f'[[exception]]\nrule = "broad-grant"\nprincipal = "{detail["principalId"]}"\n'
        f'scope = "{detail["scope"]}"\nrole = "Contributor"\nreason = "{reason}"\nowner = "platform"\n'
        f"until = {until}\n"
    )


def entries(world: World, kind: str, resource: str = "") -> list[Entry]:
    """The entries of a kind, oldest first."""
    now = world.azure.now
    query = Query(now - timedelta(days=30), now + timedelta(minutes=1), resource=resource, limit=1000)
    return [entry for entry in reversed(world.lami.queries.timeline(query)) if entry.kind == kind]


def look(world: World) -> None:
    """A moment later the walker does what is due."""
    world.azure.sleep(1)
    world.walk()


def told(world: World) -> int:
    """How often the first channel was told something."""
    return len(world.channels[0].told)


def test_a_new_exception_suppresses_what_is_open_already(world: World) -> None:
    """Without an event; it stays listed with who answers for it; its end opens and tells it again."""
    before = told(world)
    world.begin(exception(world))
    look(world)
    found = grant(world)
    assert found.status == "suppressed"
    shown = finding_json(found)["suppressed"]
    assert isinstance(shown, dict)
    assert (shown["reason"], shown["owner"]) == ("it deploys", "platform")
    (entry,) = entries(world, "suppressed")
    assert entry.text.endswith("UTC: it deploys; platform)")
    assert told(world) == before
    world.azure.sleep(25 * 3600)
    look(world)
    assert (grant(world).status, grant(world).suppressed) == ("open", None)
    assert "its exception ended" in entries(world, "opened")[-1].text
    assert told(world) == before + 1
    assert world.violations() == []


def test_an_exception_that_is_withdrawn_opens_what_it_suppressed(world: World) -> None:
    """The timeline says why."""
    world.begin(exception(world))
    look(world)
    world.begin()
    look(world)
    assert grant(world).status == "open"
    assert entries(world, "opened")[-1].text.endswith("(its exception was withdrawn: it deploys; platform)")


def test_what_grows_graver_is_no_longer_excepted(world: World) -> None:
    """Until somebody who saw that says so again."""
    first = exception(world)
    world.begin(first)
    look(world)
    world.begin(GRAVER + first)
    look(world)
    assert (grant(world).status, grant(world).severity) == ("open", "critical")
    assert "it is no longer what was excepted" in entries(world, "opened")[-1].text
    world.begin(GRAVER + exception(world, reason="seen, and still planned"))
    look(world)
    assert grant(world).status == "suppressed"


def test_severities_and_thresholds_apply_to_what_is_open_already(world: World) -> None:
    """Graver is told again; below the threshold it is none."""
    before = told(world)
    world.begin(GRAVER)
    look(world)
    assert (grant(world).severity, told(world)) == ("critical", before + 1)
    world.begin("[broad]\nwrites-all = {}\ntakes-identity = {}\nreads-secrets = {}\nwrites-provider = {}\n")
    look(world)
    assert world.rules() == {}


def test_the_watch_list_applies_to_what_is_open_already(world: World) -> None:
    """Only identities that logic apps carry: a stranger's grant is judged no longer."""
    world.begin('[watch]\nprincipals = "holders"\n')
    look(world)
    assert world.rules() == {}
    world.azure.grant(world.holder(APP).observed.system, CONTRIBUTOR, SUBSCRIPTION)
    world.azure.grant(world.azure.new_guid(), CONTRIBUTOR, SUBSCRIPTION)
    world.deliver_all()
    assert [f.subject.name for f in world.findings()] == ["claims-intake"]


def test_beginning_again_by_the_same_policy_changes_nothing(world: World) -> None:
    """A restart writes nothing and has nobody looked at again."""
    text = exception(world)
    world.begin(text)
    look(world)
    rows = {key: dict(found) for key, found in world.memory.partitions.items()}
    world.begin(f"# said in other words\n{text}")
    assert {key: dict(found) for key, found in world.memory.partitions.items()} == rows


def test_a_death_while_a_policy_begins_is_made_up_for(world: World) -> None:
    """Wherever the process died, the next start has it applied to what stands, and said once."""
    text = exception(world)
    for step in range(1, 60):
        world.trouble.dies_in = step
        done = world.attempt(lambda: world.begin(text))
        world.trouble.dies_in = 0
        world.begin(text)
        look(world)
        assert grant(world).status == "suppressed", step
        world.begin()
        look(world)
        assert grant(world).status == "open"
        if done:
            break
    else:
        raise AssertionError("it never comes to its end")
    assert world.violations() == []


def test_exceptions_that_match_nothing_are_noted_once(world: World) -> None:
    """After a whole reconcile, once a policy; one that matches, or is over, is none."""
    unused = exception(world).replace("Contributor", "Owner")
    world.begin(exception(world) + unused)
    world.azure.denied.add(SUB)
    world.reconcile_once()
    assert entries(world, "note", "lami")[1:] == []
    world.azure.denied.clear()
    for _ in range(2):
        world.reconcile()
    (note,) = [e for e in entries(world, "note", "lami") if "matches nothing" in e.text]
    assert note.text.startswith("an exception matches nothing: broad-grant of principal ")
    assert "role Owner (it deploys; platform)" in note.text
    world.begin(exception(world, days=2) + unused)
    world.reconcile()
    assert len([e for e in entries(world, "note", "lami") if "matches nothing" in e.text]) == 2


def test_an_exception_that_ended_is_noted_once(world: World) -> None:
    """At a start, or by the next reconcile where it ends while lami runs. It is no fault."""
    text = exception(world, days=-1)
    for _ in range(2):
        world.begin(text)
    (note,) = [e for e in entries(world, "note", "lami") if "ended" in e.text]
    assert note.text.startswith("an exception ended 2026-11-")
    assert grant(world).status == "open"
    world.begin(exception(world, days=0.5, reason="for half a day"))
    world.azure.sleep(13 * 3600)
    for _ in range(2):
        world.reconcile()
    assert ["for half a day" in e.text for e in entries(world, "note", "lami") if "ended" in e.text] == [
        False,
        True,
    ]


def test_a_wrong_policy_is_a_gap_until_a_good_one_is_read(world: World) -> None:
    """Every fault in its notes; told again where there are more or fewer of them."""
    world.begin(faults=("[grace] x: unknown", "[watch] y: unknown"))
    (gap,) = [f for f in world.findings() if f.rule == "lami-gap"]
    assert (gap.detail, gap.notes) == ({"gap": "policy"}, ("[grace] x: unknown", "[watch] y: unknown"))
    assert "last good policy: the policy file has 2 faults" in gap.title
    before = told(world)
    world.begin(faults=("[grace] x: unknown", "[watch] z: unknown"))
    assert told(world) == before
    world.begin(faults=("[grace] x: unknown",))
    assert told(world) == before + 1
    world.begin()
    assert world.rules() == {"broad-grant": 1}
    assert world.violations() == []
