"""What a logic app's redeploy leaves behind, told in whichever order and however often."""

from __future__ import annotations

import itertools
from datetime import timedelta

import pytest

from lami.core.ids import ResourceId
from lami.core.messages import holder_subject
from lami.core.model import Actor, IdentityHolder, Subject
from lami.errors import LamiError, Permanent
from lami.queries import FindingQuery
from lami.schedule import reconcile_if_due, take_baseline, take_baseline_if_none
from tests.simulation.azure import (
    CONTRIBUTOR,
    NARROW,
    OTHER_SUB,
    READER,
    SUB,
    UNREADABLE_OWNER,
    app_id,
    identity_id,
    queue_scope,
)
from tests.simulation.world import World

ME = Actor("user", "me", "Me")
APP = app_id("claims-intake")
SUBSCRIPTION = ResourceId(f"/subscriptions/{SUB}")
GROUP = ResourceId(f"/subscriptions/{SUB}/resourceGroups/rg")


def redeployable(grace: str = "0s", grants: int = 3) -> World:
    """An app whose identity holds narrow grants, all of it the baseline; nothing is told yet."""
    world = World(11, grace)
    principal = world.azure.put_app(APP)
    for number in range(grants):
        world.azure.grant(principal, NARROW, queue_scope(number))
    world.azure.events.clear()
    world.azure.sleep(3600)
    world.take()
    return world


def recreate(world: World) -> str:
    """Delete the app and create it again; answer the new principal."""
    world.azure.delete(APP)
    return world.azure.put_app(APP)


def end_state(world: World) -> object:
    """What of the end must not depend on how it was reached."""
    findings = sorted(
        (f.id, f.rule, f.status, f.severity, f.title, sorted(f.detail.items())) for f in world.findings()
    )
    held = world.holder(APP)
    told = sorted({finding for finding, _ in world.channels[0].told})
    return findings, held.observed, held.baseline, sorted(held.terms), told


def test_a_redeploy_is_churn_with_what_is_stranded_and_missing_in_one_alert() -> None:
    """All findings of one cause go out as one alert a channel, the churn first among its equals."""
    world = redeployable()
    recreate(world)
    world.deliver_all()
    assert world.rules() == {"identity-churn": 1, "orphaned-assignment": 3, "missing-grant": 3}
    for channel in world.channels:
        assert len(channel.alerts) == 1
        assert channel.alerts[0].findings[0].rule == "identity-churn"
        assert len(channel.alerts[0].findings) == 7
    churn = next(f for f in world.findings() if f.rule == "identity-churn")
    assert "3 role assignments stranded; 3 missing" in churn.title
    assert churn.detail["change"] == "recreated"
    assert churn.actor.name == "Robin Operator"
    assert [line.split()[3] for line in churn.remediation] == ["create"] * 3 + ["delete"] * 3
    assert world.violations() == []


def test_an_in_place_redeploy_says_nothing() -> None:
    """The identity stays, so there is an entry and no alert."""
    world = redeployable()
    world.azure.put_app(APP)
    world.deliver_all()
    assert not world.findings()
    assert world.channels[0].alerts == []
    assert "its identities are unchanged" in world.books().entries(holder_subject(APP))[0].text


def test_the_same_event_three_times_is_one_finding_and_one_alert() -> None:
    """Redelivery meets the gate."""
    world = redeployable()
    world.azure.grant(world.holder(APP).observed.system, CONTRIBUTOR, SUBSCRIPTION)
    event = world.azure.events[0]
    outcomes = [world.deliver(event) for _ in range(3)]
    assert [o.outcome for o in outcomes if o] == ["recorded", "duplicate", "duplicate"]
    assert world.rules() == {"broad-grant": 1}
    assert [len(channel.alerts) for channel in world.channels] == [1, 1]


def test_delete_and_create_in_any_order_each_doubled_end_alike() -> None:
    """Every order of the two events, each delivered twice, ends in the same state, told alike."""
    ends = set()
    for order in set(itertools.permutations((0, 0, 1, 1))):
        world = redeployable()
        recreate(world)
        events = list(world.azure.events)
        world.azure.events.clear()
        for number in order:
            assert world.deliver(events[number]) is not None
        world.settle()
        assert world.violations() == []
        ends.add(repr(end_state(world)))
    assert len(ends) == 1


def test_a_deleted_assignment_says_which_role_at_which_scope_was_taken_from_whom() -> None:
    """The event names none of it; the book does."""
    world = redeployable()
    principal = world.holder(APP).observed.system
    gone = next(iter(world.azure.present.assignments))
    world.azure.revoke(gone)
    world.deliver_all()
    entry = next(e for e in world.books().entries(Subject("principal", principal)) if "taken from" in e.text)
    assert (
        entry.text
        == "Storage Queue Data Message Sender at st0 (storageAccounts) was taken from claims-intake"
    )
    assert entry.before["scope"] == queue_scope(0).text
    assert entry.before["principalId"] == principal
    assert entry.before["assignmentId"] == gone.text
    assert world.rules() == {"missing-grant": 1}


def test_grace_spares_a_redeploy_that_grants_a_minute_later() -> None:
    """Orphans that are cleaned up and grants that are made within the grace are never findings."""
    world = redeployable(grace="5m")
    old = list(world.azure.present.assignments)
    new = recreate(world)
    world.deliver_all()
    assert world.rules() == {"identity-churn": 1}
    world.azure.sleep(60)
    for number, id in enumerate(old):
        world.azure.revoke(id)
        world.azure.grant(new, NARROW, queue_scope(number))
    world.deliver_all()
    world.settle()
    assert world.rules() == {"identity-churn": 1}
    assert [len(channel.alerts) for channel in world.channels] == [1, 1]


def test_what_still_stands_after_the_grace_is_told_in_the_thread_of_the_churn() -> None:
    """Left behind and missing open together, and are told together."""
    world = redeployable(grace="5m")
    recreate(world)
    world.deliver_all()
    world.settle()
    assert world.rules() == {"identity-churn": 1, "orphaned-assignment": 3, "missing-grant": 3}
    first, *later = world.channels[0].alerts
    assert {alert.thread for alert in later} == {first.thread}
    assert sum(len(alert.findings) for alert in later) == 6


def test_unaccepted_churn_stays_one_finding_and_is_told_again() -> None:
    """P1 -> P2 -> P3: the same id, still from P1."""
    world = redeployable()
    first = world.holder(APP).observed.system
    recreate(world)
    world.deliver_all()
    id = next(f.id for f in world.findings() if f.rule == "identity-churn")
    world.azure.sleep(300)
    third = recreate(world)
    world.deliver_all()
    churn = next(f for f in world.findings() if f.rule == "identity-churn")
    assert (churn.id, churn.detail["previousPrincipalId"], churn.detail["principalId"]) == (id, first, third)
    assert [told[0] for told in world.channels[0].told].count(id) == 2
    assert world.violations() == []


def test_accepting_the_churn_moves_the_baseline_and_keeps_the_expected_access() -> None:
    """The finding is accepted with who and why; what is missing is still missing."""
    world = redeployable()
    new = recreate(world)
    world.deliver_all()
    churn = next(f for f in world.findings() if f.rule == "identity-churn")
    world.lami.service.accept(churn.id, ME, "release 42")
    accepted = world.lami.queries.finding(churn.id)
    assert accepted is not None
    assert accepted.status == "accepted"
    assert accepted.accepted is not None
    assert (accepted.accepted.by, accepted.accepted.reason) == ("Me", "release 42")
    assert world.holder(APP).baseline.system == new
    assert world.rules() == {"orphaned-assignment": 3, "missing-grant": 3}
    with pytest.raises(Permanent, match="not open"):
        world.lami.service.accept(churn.id, ME, "again")


def test_accepting_until_a_day_reopens_then() -> None:
    """The baseline does not move; when the day has come the finding is open and told again."""
    world = redeployable()
    recreate(world)
    world.deliver_all()
    churn = next(f for f in world.findings() if f.rule == "identity-churn")
    until = world.azure.now + timedelta(hours=1)
    world.lami.service.accept(churn.id, ME, "being mended", until)
    assert "identity-churn" not in world.rules()
    world.azure.sleep(3605)
    world.lami.service.walk()
    assert world.rules()["identity-churn"] == 1
    assert [told[0] for told in world.channels[0].told].count(churn.id) == 2


def test_accepting_a_missing_grant_withdraws_it_for_good() -> None:
    """Later messages of the old and the new principal do not bring it back."""
    world = redeployable()
    new = recreate(world)
    world.deliver_all()
    missing = next(f for f in world.findings() if f.rule == "missing-grant")
    world.lami.service.accept(missing.id, ME, "no longer needed")
    assert world.rules()["missing-grant"] == 2
    world.azure.grant(new, READER, GROUP)
    world.azure.revoke(next(iter(world.azure.present.assignments)))
    world.deliver_all()
    world.settle()
    assert world.rules()["missing-grant"] == 2
    assert world.violations() == []


def test_the_successors_own_grants_end_what_was_missing() -> None:
    """Compared by role and scope: the successor's assignments have other ids."""
    world = redeployable()
    new = recreate(world)
    world.deliver_all()
    for number in range(3):
        world.azure.grant(new, NARROW, queue_scope(number))
    world.deliver_all()
    assert world.rules() == {"identity-churn": 1, "orphaned-assignment": 3}


def test_an_accepted_broad_grant_is_expected_of_the_successor_too() -> None:
    """Accepted once, its like is no news for whoever comes after, and is missed there."""
    world = redeployable(grants=0)
    principal = world.holder(APP).observed.system
    world.azure.grant(principal, CONTRIBUTOR, SUBSCRIPTION)
    world.deliver_all()
    (broad,) = world.findings()
    world.lami.service.accept(broad.id, ME, "it deploys things")
    new = recreate(world)
    world.deliver_all()
    assert world.rules() == {"identity-churn": 1, "orphaned-assignment": 1, "missing-grant": 1}
    world.azure.grant(new, CONTRIBUTOR, SUBSCRIPTION)
    world.deliver_all()
    assert world.rules() == {"identity-churn": 1, "orphaned-assignment": 1}


def test_a_broad_grant_to_anybody_is_said() -> None:
    """Also to a principal that no logic app carries."""
    world = redeployable()
    world.azure.grant("99999999-9999-4999-8999-999999999999", CONTRIBUTOR, SUBSCRIPTION)
    world.deliver_all()
    (broad,) = world.findings()
    assert (broad.rule, broad.severity) == ("broad-grant", "high")
    said = "was granted Contributor: can change every resource, at subscription 11111111"
    assert broad.title == f"ServicePrincipal 99999999 {said}"


def test_a_role_that_cannot_be_read_is_judged_by_microsofts_list_and_says_so() -> None:
    """Owner is known by its id alone."""
    world = redeployable()
    world.azure.grant("99999999-9999-4999-8999-999999999999", UNREADABLE_OWNER, SUBSCRIPTION)
    world.deliver_all()
    (broad,) = world.findings()
    assert broad.severity == "critical"
    assert any("could not be read" in note for note in broad.notes)


def test_grants_above_subscriptions_are_found_by_reconcile() -> None:
    """No event tells of management-group or root scope; the entry says that none did."""
    world = redeployable()
    anybody = "99999999-9999-4999-8999-999999999999"
    world.azure.grant(anybody, CONTRIBUTOR, ResourceId("/providers/Microsoft.Management/managementGroups/mg"))
    world.azure.grant(anybody, CONTRIBUTOR, ResourceId("/"))
    assert world.azure.events == []
    world.reconcile()
    assert world.rules() == {"broad-grant": 2}
    kinds = {entry.kind for entry in world.books().entries(Subject("principal", anybody))}
    assert "reconciled" in kinds
    for id in list(world.azure.present.assignments):
        if not id.subscription:
            world.azure.revoke(id)
    world.azure.sleep(600)
    world.reconcile()
    assert world.rules() == {}


def test_lost_events_are_made_up_for_by_one_reconcile() -> None:
    """State equals ARM after it, and what should be found is."""
    world = redeployable()
    new = recreate(world)
    world.azure.grant(new, CONTRIBUTOR, SUBSCRIPTION)
    world.azure.events.clear()
    world.azure.sleep(600)
    world.reconcile()
    assert world.rules() == {
        "identity-churn": 1,
        "orphaned-assignment": 3,
        "missing-grant": 3,
        "broad-grant": 1,
    }
    assert world.violations() == []
    before = [len(channel.alerts) for channel in world.channels]
    world.reconcile()
    assert [len(channel.alerts) for channel in world.channels] == before


def test_a_subscription_that_cannot_be_listed_is_left_alone() -> None:
    """Nothing opens or resolves there; the other one is compared."""
    world = redeployable()
    other = app_id("b", OTHER_SUB)
    world.azure.put_app(other)
    world.deliver_all()
    world.azure.delete(APP)
    world.azure.delete(other)
    world.azure.events.clear()
    world.azure.denied = {SUB}
    world.azure.sleep(600)
    report = world.lami.service.reconciler.run((SUB, OTHER_SUB), "r1")
    assert report.partial
    assert set(report.unread) == {SUB}
    assert [(f.subject.name, f.rule) for f in world.findings()] == [
        ("b", "identity-churn"),
        ("lami", "lami-gap"),
    ]


def test_a_holder_first_seen_is_its_own_baseline_but_its_grants_are_judged() -> None:
    """No churn for what is new; a broad grant to it is one all the same."""
    world = redeployable()
    new = app_id("newcomer")
    principal = world.azure.put_app(new)
    world.azure.grant(principal, CONTRIBUTOR, SUBSCRIPTION)
    world.azure.grant(principal, NARROW, queue_scope(7))
    world.deliver_all(shuffle=True)
    assert world.rules() == {"broad-grant": 1}
    assert [t.access.scope.name for t in world.holder(new).terms.values()] == ["st7"]


def test_taking_the_baseline_again_moves_nothing_without_a_reason() -> None:
    """With one it does, as accepts do."""
    world = redeployable()
    recreate(world)
    world.deliver_all()
    take_baseline(world.lami, ME)
    assert world.rules() == {"identity-churn": 1, "orphaned-assignment": 3, "missing-grant": 3}
    world.azure.sleep(60)
    take_baseline(world.lami, ME, "after the move to the new platform")
    assert world.rules() == {"orphaned-assignment": 3}
    accepted = world.lami.queries.findings(FindingQuery(statuses=("accepted",)))
    assert {f.rule for f in accepted} == {"identity-churn", "missing-grant"}


@pytest.mark.parametrize("what", ["arm", "store"])
def test_what_cannot_be_read_or_written_now_is_not_acknowledged(what: str) -> None:
    """The event is given back, nothing is half-written, and its redelivery does the job."""
    world = redeployable()
    recreate(world)
    before = dict(world.memory.partitions)
    world.azure.fail_reads, world.table.fails = (1.0, 0.0) if what == "arm" else (0.0, 1.0)
    for event in world.azure.events:
        with pytest.raises(LamiError):
            world.lami.service.receive(event)
    assert world.memory.partitions == before
    world.quiet()
    world.deliver_all()
    assert world.violations() == []


def test_a_channel_that_is_down_is_told_later_and_the_other_not_twice() -> None:
    """The debt waits in `due`; what was told is not told again."""
    world = redeployable()
    recreate(world)
    world.channels[0].fails = 1.0
    world.deliver_all()
    assert [len(channel.alerts) for channel in world.channels] == [0, 1]
    world.settle()
    assert [len(channel.alerts) for channel in world.channels] == [1, 1]
    assert world.channels[0].alerts[0].id == world.channels[1].alerts[0].id
    assert world.violations() == []


def test_an_event_from_the_future_does_not_make_lami_blind() -> None:
    """A forged time counts as now: what happens after it is still believed."""
    world = redeployable()
    world.azure.tell(APP, "Microsoft.Logic/workflows/write")
    world.azure.events[0]["eventTime"] = "2099-01-01T00:00:00Z"
    world.deliver_all()
    world.azure.sleep(1)
    recreate(world)
    world.deliver_all()
    world.settle()
    assert world.rules()["identity-churn"] == 1
    assert world.violations() == []


def test_foreign_events_write_nothing() -> None:
    """Another subscription's, another operation's and no events at all: refused with a reason."""
    world = redeployable()
    before = dict(world.memory.partitions)
    stranger = app_id("x", "33333333-3333-3333-3333-333333333333")
    world.azure.tell(stranger, "Microsoft.Logic/workflows/write")
    world.azure.tell(APP, "Microsoft.Logic/workflows/read")
    events: list[object] = [*world.azure.events, {"hello": "world"}, 7, None, "x" * 100]
    outcomes = [world.lami.service.receive(event) for event in events]
    assert [o.outcome for o in outcomes] == ["ignored", "ignored", *["rejected"] * 4]
    assert all(o.reason for o in outcomes)
    assert world.memory.partitions == before
    assert world.lami.service.counts == {"ignored": 2, "rejected": 4}


def test_a_site_that_is_no_logic_app_has_no_book() -> None:
    """Its event is ignored with a reason and nothing is written."""
    world = redeployable()
    site = ResourceId(f"{GROUP}/providers/Microsoft.Web/sites/shop")
    world.azure.plain_sites.add(site)
    before = dict(world.memory.partitions)
    world.azure.tell(site, "Microsoft.Web/sites/write")
    (outcome,) = [world.lami.service.receive(event) for event in world.azure.events]
    assert (outcome.outcome, outcome.reason) == ("ignored", "shop is no logic app")
    assert world.memory.partitions == before


def test_a_workflow_without_identity_and_one_of_an_unknown_type_are_handled() -> None:
    """The one has nothing to lose, and gaining an identity is said gently; the other says what is odd."""
    world = redeployable()
    plain = app_id("plain")
    world.azure.put(IdentityHolder(plain, "logicApp"), "Microsoft.Logic/workflows/write")
    odd = IdentityHolder(app_id("odd"), "logicApp", oddity="identity type 'Quantum' is not known")
    world.azure.put(odd, "Microsoft.Logic/workflows/write")
    world.deliver_all()
    assert not world.findings()
    assert world.holder(odd.id).oddity == "identity type 'Quantum' is not known"
    given = IdentityHolder(plain, "logicApp", "88888888-8888-4888-8888-888888888888", created=world.azure.now)
    world.azure.put(given, "Microsoft.Logic/workflows/write")
    world.deliver_all()
    (churn,) = world.findings()
    assert (churn.detail["change"], churn.severity) == ("added", "low")


def test_a_user_assigned_identity_that_is_recreated_names_the_apps_that_use_it() -> None:
    """The identity carries its principal; its apps only attach it."""
    world = World(5, "0s")
    shared = identity_id("id-shared")
    old = world.azure.put_identity(shared)
    world.azure.put_app(APP, (shared,))
    world.azure.grant(old, NARROW, queue_scope(1))
    world.azure.grant(world.azure.present.holders[APP].system, NARROW, queue_scope(2))
    world.azure.events.clear()
    world.azure.sleep(3600)
    world.take()
    world.azure.delete(shared)
    new = world.azure.put_identity(shared)
    world.deliver_all(shuffle=True)
    world.settle()
    assert world.rules() == {"identity-churn": 1, "orphaned-assignment": 1, "missing-grant": 1}
    churn = next(f for f in world.findings() if f.rule == "identity-churn")
    assert churn.subject.name == "id-shared"
    assert (churn.detail["change"], churn.detail["principalId"]) == ("recreated", new)
    assert "Used by: claims-intake" in churn.notes
    assert world.violations() == []


def test_an_app_that_swaps_identities_is_told_what_the_new_one_lacks() -> None:
    """Neither identity is gone, so nothing is stranded; but the app may do less now."""
    world = World(5, "0s")
    one, other = identity_id("id-one"), identity_id("id-other")
    principal = world.azure.put_identity(one)
    world.azure.put_identity(other)
    world.azure.put_app(APP, (one,))
    world.azure.grant(principal, NARROW, queue_scope(1))
    world.azure.events.clear()
    world.azure.sleep(3600)
    world.take()
    world.azure.put_app(APP, (other,))
    world.deliver_all()
    (churn,) = world.findings()
    assert churn.detail["change"] == "replaced"
    assert "Missing: Storage Queue Data Message Sender at st1 (storageAccounts)" in churn.notes
    assert not any(note.startswith("Stranded") for note in churn.notes)
    world.settle()
    assert world.rules()["ungranted-identity"] >= 1, "the new one holds nothing, for longer than its grace"
    assert world.violations() == []


def test_an_app_in_a_deleted_resource_group_is_found_gone() -> None:
    """The group's one event makes lami look at the whole subscription."""
    world = redeployable()
    world.azure.delete(APP)
    world.azure.events.clear()
    world.azure.tell(GROUP, "Microsoft.Resources/subscriptions/resourceGroups/delete")
    world.azure.sleep(600)
    (outcome,) = [world.lami.service.receive(event) for event in world.azure.events]
    assert outcome.outcome == "deferred"
    world.settle()
    assert world.rules() == {"identity-churn": 1, "orphaned-assignment": 3}
    assert world.findings()[0].detail["change"] == "removed"


def test_a_baseline_taken_anew_accepts_a_deleted_app_too() -> None:
    """It is in no listing any more, but what is held of it belongs to the baseline that is moved."""
    world = redeployable()
    world.azure.delete(APP)
    world.deliver_all()
    assert world.rules()["identity-churn"] == 1
    world.azure.sleep(600)
    take_baseline(world.lami, ME, "retired")
    assert world.rules() == {"orphaned-assignment": 3}


def test_a_baseline_is_taken_of_each_subscription_once() -> None:
    """What could not be read is taken later; what came meanwhile elsewhere is judged and not taken in."""
    world = World(3, "0s")
    here, there = app_id("a"), app_id("b", OTHER_SUB)
    world.azure.grant(world.azure.put_app(here), NARROW, queue_scope(1))
    world.azure.grant(world.azure.put_app(there), CONTRIBUTOR, ResourceId(f"/subscriptions/{OTHER_SUB}"))
    world.azure.events.clear()
    world.azure.denied = {OTHER_SUB}
    first = take_baseline_if_none(world.lami)
    assert first is not None
    assert set(first.unread) == {OTHER_SUB}
    world.azure.grant("99999999-9999-4999-8999-999999999999", CONTRIBUTOR, SUBSCRIPTION)
    world.azure.events.clear()
    world.azure.denied = set()
    second = take_baseline_if_none(world.lami)
    assert second is not None
    assert not second.partial
    assert take_baseline_if_none(world.lami) is None
    assert world.rules() == {}
    world.azure.sleep(7 * 3600)
    assert reconcile_if_due(world.lami) is not None
    assert [f.subject.id[:8] for f in world.findings()] == ["99999999"]
    assert reconcile_if_due(world.lami) is None


def test_only_the_subscription_that_failed_is_reconciled_again() -> None:
    """One that stays denied costs one refused read a try, and not a listing of all the others."""
    world = redeployable()
    world.azure.sleep(7 * 3600)
    world.azure.denied = {OTHER_SUB}
    report = reconcile_if_due(world.lami)
    assert report is not None
    assert set(report.unread) == {OTHER_SUB}
    before = world.azure.reads
    again = reconcile_if_due(world.lami)
    assert again is not None
    assert set(again.unread) == {OTHER_SUB}
    assert world.azure.reads == before


def test_one_that_failed_once_is_reconciled_with_the_others_again() -> None:
    """Its try comes later, and what is granted above all subscriptions is nevertheless compared after it."""
    world = redeployable()
    world.azure.sleep(7 * 3600)
    world.azure.denied = {OTHER_SUB}
    assert reconcile_if_due(world.lami) is not None
    world.azure.denied = set()
    world.azure.sleep(3600)
    report = reconcile_if_due(world.lami)
    assert report is not None
    assert not report.partial
    world.azure.grant("99999999-9999-4999-8999-999999999999", CONTRIBUTOR, ResourceId("/"))
    world.azure.sleep(5 * 3600)
    assert reconcile_if_due(world.lami) is not None
    assert world.rules() == {"broad-grant": 1}


def test_a_deleted_group_is_looked_at_until_its_subscription_can_be_listed() -> None:
    """The listing that its event asks for is put off, not given up."""
    world = redeployable()
    world.azure.delete(APP)
    world.azure.events.clear()
    world.azure.tell(GROUP, "Microsoft.Resources/subscriptions/resourceGroups/delete")
    world.azure.denied = {SUB}
    world.deliver_all()
    world.azure.sleep(600)
    world.lami.service.walk()
    assert world.rules() == {"lami-gap": 1}
    world.azure.denied = set()
    world.settle()
    assert world.rules() == {"identity-churn": 1, "orphaned-assignment": 3}


def test_every_book_is_on_the_list_that_verify_reads() -> None:
    """Also that of an identity which was never granted anything, and of a role: else nobody would notice."""
    world = World(3, "0s")
    principal = world.azure.put_app(APP)
    world.azure.events.clear()
    world.azure.sleep(3600)
    world.take()
    world.azure.tell(
        ResourceId(f"{SUBSCRIPTION.text}/providers/Microsoft.Authorization/roleDefinitions/{READER.id}"),
        "Microsoft.Authorization/roleDefinitions/write",
    )
    world.deliver_all()
    held = set(world.lami.queries.subjects((SUB, OTHER_SUB)))
    assert held == {holder_subject(APP), Subject("principal", principal), Subject("role", READER.id)}
