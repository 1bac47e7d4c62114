"""Identities that are on for nothing, or shared: when they stand, since when, and what is no news."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from lami.core import persisting
from lami.core.ids import ResourceId
from lami.core.model import Book, Cause, Decision, HolderState, Persisting, RoleAssignment, Term
from lami.core.stimuli import Accepted, Again, Attaches, Grants, Taken
from tests.core.builders import (
    GRACE,
    NOW,
    P1,
    P2,
    SUB,
    at,
    cause,
    group,
    holder_step,
    identity,
    line_of,
    make_access,
    make_assignment,
    make_holder,
    make_identity_holder,
    only_finding,
    says_grants,
    site,
    told,
    workflow,
)

APP = make_identity_holder(system=P1, created=at(-1000), changed=at(-10))
TAKING = Cause("take-1", persisting.TAKING, NOW)
READS = Term(make_access(), "Reader")
LATER = at(61) + GRACE


def rules_of(decision: Decision) -> list[str]:
    """The rules of what stands after a decision."""
    return sorted(finding.rule for finding in decision.book.findings.values())


# --- what stands -----------------------------------------------------------------------------------

A, B, C = frozenset("a"), frozenset("ab"), frozenset("abc")


def test_what_stands_dates_from_its_newest_place() -> None:
    """A place more is news; a place less is none; nothing at all ends it."""
    first = persisting.seen(Persisting(), A, cause("one"), at(1))
    assert (first.since, first.cause) == (at(1), cause("one"))
    assert persisting.seen(first, A, cause("two"), at(2)) is first
    more = persisting.seen(first, B, cause("two"), at(2))
    assert (more.since, more.cause) == (at(2), cause("two"))
    less = persisting.seen(more, A, cause("three"), at(3))
    assert (less.since, less.cause) == (at(2), cause("two"))
    assert not persisting.seen(less, frozenset(), cause("four"), at(4)).places


def test_what_is_accepted_is_expected_until_it_is_gone() -> None:
    """Places that come later are objected to; one that went and came back is, too."""
    held = persisting.accept(persisting.seen(Persisting(), B, cause(), at(1)))
    assert persisting.objected(held) == ()
    assert persisting.objected(persisting.seen(held, C, cause(), at(2))) == ("c",)
    back = persisting.seen(persisting.seen(held, A, cause(), at(2)), B, cause(), at(3))
    assert persisting.objected(back) == ("b",)


def test_what_stood_when_the_baseline_was_taken_is_no_news() -> None:
    """Whatever comes up because of the taking; a place that comes up later is news."""
    held = persisting.seen(Persisting(), B, TAKING, at(1))
    assert held.stood == B
    assert persisting.seen(held, C, cause(), at(2)).stood == B
    assert persisting.seen(persisting.seen(held, A, cause(), at(2)), B, cause(), at(3)).stood == A


# --- on for nothing --------------------------------------------------------------------------------


def seen_app(first: Cause | None = None) -> Book:
    """The app's book after first sight, with P1."""
    stimulus = told(workflow()) if first is None else Taken("1", first)
    return holder_step(make_holder(), stimulus, APP).book


def says(principal: str, version: int, *grants: RoleAssignment, why: Cause | None = None) -> Grants:
    """A principal says what it is granted, and accepts it."""
    lines = tuple(map(line_of, grants))
    terms = {one.access.key: Term(one.access, one.role.name) for one in grants}
    return Grants(principal, version, lines, terms, why or cause("grants"))


def test_an_identity_that_is_granted_nothing_is_found_after_grace() -> None:
    """Not before its principal was heard, and not before the grace has passed."""
    book = seen_app()
    assert "ungranted-identity" not in rules_of(holder_step(book, Again("due-0", cause()), APP, now=LATER))
    heard = holder_step(book, says(P1, 1), now=at(60))
    assert not heard.opened
    assert heard.owed is not None
    (look,) = heard.owed.looks
    assert look.why == "grace"
    found = only_finding(holder_step(heard.book, Again("due-1", cause()), APP, now=look.at))
    assert (found.rule, found.severity) == ("ungranted-identity", "low")
    assert found.title == ("claims-intake has a managed identity that is granted nothing, nor expected to be")
    assert found.remediation[0].startswith("az logic workflow identity remove ")


def test_a_grant_within_grace_spares_the_finding_and_a_later_one_resolves_it() -> None:
    """It was granted what it is for."""
    heard = holder_step(seen_app(), says(P1, 1), now=at(60)).book
    granted = holder_step(heard, says(P1, 2, make_assignment()), now=at(90))
    assert rules_of(holder_step(granted.book, Again("due-1", cause()), APP, now=LATER)) == []
    found = holder_step(heard, Again("due-1", cause()), APP, now=LATER).book
    later = holder_step(found, says(P1, 2, make_assignment()), now=at(1000))
    assert [finding.rule for finding in later.resolved] == ["ungranted-identity"]


def test_never_beside_a_missing_grant() -> None:
    """What is expected and taken away is missing; once that is accepted, the identity is on for nothing."""
    expecting = holder_step(seen_app(), says(P1, 1, make_assignment()), now=at(1)).book
    revoked = holder_step(expecting, says_grants(P1, 2, [], [READS]), now=at(60)).book
    found = holder_step(revoked, Again("due-1", cause()), APP, now=LATER)
    assert rules_of(found) == ["missing-grant"]
    (missing,) = found.book.findings
    accepted = Accepted(missing, "Dana", "no longer needed", None, cause("accept"))
    after = holder_step(found.book, accepted, now=at(2000)).book
    assert rules_of(holder_step(after, Again("due-2", cause()), APP, now=at(3000))) == ["ungranted-identity"]


def test_an_accepted_idle_identity_is_found_again_after_it_was_granted_something() -> None:
    """Acceptance is of an identity on for nothing; one that was used is another matter."""
    heard = holder_step(seen_app(), says(P1, 1), now=at(60)).book
    found = holder_step(heard, Again("due-1", cause()), APP, now=LATER).book
    (id,) = found.findings
    accepted = holder_step(found, Accepted(id, "Dana", "for later", None, cause("accept")), now=at(2000)).book
    assert rules_of(holder_step(accepted, Again("due-2", cause()), APP, now=at(3000))) == []
    used = holder_step(accepted, says(P1, 2, make_assignment()), now=at(4000)).book
    withdrawn = {READS.access.key: replace(READS, count=2)}
    bare = holder_step(used, Grants(P1, 3, (), withdrawn, cause("gone")), now=at(5000)).book
    assert rules_of(holder_step(bare, Again("due-3", cause()), APP, now=at(9000))) == ["ungranted-identity"]


def test_one_that_stood_with_the_baseline_is_listed_and_alerts_nobody() -> None:
    """Open, without an alert owed; the grace's own look tells nobody either."""
    heard = holder_step(seen_app(TAKING), says(P1, 1, why=TAKING), now=at(60)).book
    decision = holder_step(heard, Again("due-1", TAKING), APP, now=LATER)
    assert rules_of(decision) == ["ungranted-identity"]
    assert decision.owed is not None
    assert not decision.owed.alerts


def test_a_user_assigned_identity_counts_while_an_app_uses_it() -> None:
    """One that nobody uses can do nothing for anybody."""
    shown = make_identity_holder(identity(), system=P2)
    unused = holder_step(make_holder(id=identity()), told(identity()), shown).book
    heard = holder_step(unused, says(P2, 1), now=at(60)).book
    assert rules_of(holder_step(heard, Again("due-1", cause()), shown, now=LATER)) == []
    used = holder_step(heard, Attaches(workflow(), 1, True, cause("attach")), now=at(100)).book
    found = only_finding(holder_step(used, Again("due-2", cause()), shown, now=at(2000)))
    assert found.notes[0] == "Used by: claims-intake"
    assert found.remediation == ()


def test_an_app_that_is_gone_or_has_no_identity_has_none_on_for_nothing() -> None:
    """There is nothing to switch off."""
    bare = make_identity_holder(created=at(-1000), changed=at(-10))
    book = holder_step(make_holder(), told(workflow()), bare).book
    assert rules_of(holder_step(book, Again("due-1", cause()), bare, now=LATER)) == []


# --- shared ----------------------------------------------------------------------------------------


def app(name: str, where: str = "rg-claims", subscription: str = SUB) -> ResourceId:
    """An app in some group."""
    return ResourceId(f"{group(where, subscription)}/providers/Microsoft.Logic/workflows/{name}")


def shared(*users: tuple[ResourceId, str], why: Cause | None = None) -> Decision:
    """An identity that apps attach, one after the other."""
    shown = make_identity_holder(identity(), system=P2)
    decision = holder_step(make_holder(id=identity()), told(identity()), shown)
    for number, (user, environment) in enumerate(users, start=1):
        said = Attaches(user, number, True, why or cause(f"attach-{number}"), environment)
        decision = holder_step(decision.book, said, now=at(number))
    return decision


HERE, THERE = app("a"), app("b", "rg-other")
ELSEWHERE = app("c", "rg-claims", "22222222-2222-2222-2222-222222222222")


@pytest.mark.parametrize(
    ("users", "across"),
    [
        (((HERE, ""), (THERE, "")), "2 resource groups"),
        (((HERE, ""), (ELSEWHERE, "")), "2 subscriptions and 2 resource groups"),
        (((HERE, "prod"), (app("d"), "test")), "2 environments"),
        (((HERE, "prod"), (THERE, "test"), (app("d"), "dev")), "2 resource groups and 3 environments"),
    ],
)
def test_an_identity_carried_across_a_border_is_shared(
    users: tuple[tuple[ResourceId, str], ...], across: str
) -> None:
    """Of resource group, subscription or environment; said at once, with the apps."""
    found = only_finding(shared(*users))
    assert found.title == f"id-claims is shared by {len(users)} apps across {across}"
    assert len(found.notes) == len(users) + 1
    assert (found.rule, found.severity) == ("shared-identity", "low")


@pytest.mark.parametrize(
    "users",
    [
        ((HERE, ""),),
        ((HERE, "prod"), (app("d"), "PROD")),
        ((HERE, "prod"), (app("d"), "")),
        ((app("a", "RG-Claims"), ""), (app("d", "rg-claims"), "")),
    ],
    ids=["one app", "one environment in two casings", "an app of no environment", "a group in two casings"],
)
def test_what_is_no_sharing(users: tuple[tuple[ResourceId, str], ...]) -> None:
    """Within one group and environment, however they are written."""
    assert rules_of(shared(*users)) == []


def test_another_place_is_told_again_and_the_last_one_left_resolves_it() -> None:
    """The same finding, with something new to tell; and none when one place is left."""
    two = shared((HERE, ""), (THERE, ""))
    third = Attaches(app("e", "rg-third"), 9, True, cause("third"))
    three = holder_step(two.book, third, now=at(100))
    assert three.owed is not None
    assert [alert.finding for alert in three.owed.alerts] == [only_finding(two).id]
    left = holder_step(three.book, Attaches(THERE, 20, False, cause("left")), now=at(200))
    assert rules_of(left) == ["shared-identity"]
    assert left.owed is not None
    assert not left.owed.alerts
    last = holder_step(left.book, Attaches(app("e", "rg-third"), 30, False, cause("last")), now=at(300))
    assert [finding.rule for finding in last.resolved] == ["shared-identity"]


def test_an_accepted_sharing_is_found_again_with_another_place() -> None:
    """A later, different problem is not hidden."""
    two = shared((HERE, ""), (THERE, ""))
    accept = Accepted(only_finding(two).id, "Dana", "one team", None, cause("accept"))
    accepted = holder_step(two.book, accept, now=at(50))
    assert rules_of(accepted) == []
    again = holder_step(accepted.book, Attaches(app("d"), 5, True, cause("same place")), now=at(60))
    assert rules_of(again) == []
    third = holder_step(again.book, Attaches(app("e", "rg-third"), 9, True, cause("third")), now=at(100))
    assert rules_of(third) == ["shared-identity"]


def test_a_sharing_that_stood_with_the_baseline_is_listed_and_alerts_nobody() -> None:
    """Until another place comes to it."""
    two = shared((HERE, ""), (THERE, ""), why=TAKING)
    assert rules_of(two) == ["shared-identity"]
    assert two.owed is not None
    assert not two.owed.alerts
    third = holder_step(two.book, Attaches(app("e", "rg-third"), 9, True, cause("third")), now=at(100))
    assert third.owed is not None
    assert len(third.owed.alerts) == 1


def test_apps_outside_the_identitys_group_are_given_one_of_their_own() -> None:
    """Made beside the app, and attached: of a Standard app's slot by the slot's own command."""
    slot = ResourceId(site("orders", "staging").text.replace("rg-claims", "rg-other"))
    found = only_finding(shared((HERE, ""), (slot, "")))
    create, attach = found.remediation
    assert create.endswith("--resource-group rg-other --name id-orders-staging")
    assert attach.startswith("az functionapp identity assign ")
    assert "/userAssignedIdentities/id-orders-staging" in attach


def test_an_apps_environment_is_told_to_the_identities_it_attaches() -> None:
    """And told again when its tag changes, in whatever case the tag's name is written."""
    attached = {identity(): P2}
    shown = make_identity_holder(system=P1, attached=attached, changed=at(-10))
    book = holder_step(make_holder(), told(workflow()), replace(shown, tags={"Environment": "test"})).book
    moved = replace(shown, tags={"environment": "prod"}, changed=at(50))
    decision = holder_step(book, told(workflow(), time=at(51), id="event-2"), moved, now=at(52))
    assert isinstance(decision.book.state, HolderState)
    assert decision.book.state.environment == "prod"
    assert decision.owed is not None
    assert {(m.kind, m.to.key) for m in decision.owed.messages} == {("attached", identity().key)}
