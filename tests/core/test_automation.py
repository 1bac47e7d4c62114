"""Grants that automation made: how they are named, told, and taken into the baseline or not."""

from __future__ import annotations

import pytest

from lami.core.model import Absent, Access, Book, Decision, PrincipalState, RoleDefinition
from lami.core.stimuli import Accepted, Taken
from tests.core.builders import (
    CONTRIBUTOR,
    OWNER,
    READER,
    SUB,
    at,
    cause,
    group,
    make_access,
    make_assignment,
    make_principal,
    only_finding,
    principal_step,
    rules,
    says_carries,
    texts,
    told,
)

PIM = "dddddddd-0000-0000-0000-00000000000d"
CONSTRAINED = "@Request[Microsoft.Authorization/roleAssignments:PrincipalType] StringEquals 'x'"


def listed(grants: str = "record", more: str = "") -> str:
    """A policy that has PIM on its automation list."""
    return (
        f'{more}\n[[automation]]\nname = "PIM"\nreason = "approved there"\ngrants = "{grants}"\n'
        f'created-by = ["{PIM.upper()}"]'
    )


def granted(
    role: RoleDefinition = CONTRIBUTOR,
    text: str = "",
    name: str = "a1",
    book: Book | None = None,
    by: str = PIM,
    condition: str = "",
) -> Decision:
    """What an identity's book does when it is told of a grant made at its resource group."""
    one = make_assignment(name, role=role, created_by=by, condition=condition, created=at(-10))
    before = book or principal_step(make_principal(), says_carries(), now=at(-500)).book
    return principal_step(
        before, told(one.id, time=at(-9), id=f"event-{name}"), one, now=at(0), by=rules(text)
    )


def expected(decision: Decision) -> set[Access]:
    """The access that the book expects."""
    state = decision.book.state
    assert isinstance(state, PrincipalState)
    return {term.access for term in state.terms.values() if term.expected}


@pytest.mark.parametrize("grants", ["record", "temporary"])
def test_a_broad_grant_is_on_the_timeline_and_no_finding(grants: str) -> None:
    """The entry names who made it; nobody is alerted, and it does not become expected by that."""
    decision = granted(text=listed(grants))
    assert "Contributor at resource group rg-claims, made by PIM (on the automation list)" in texts(decision)
    assert decision.entries[-1].after["automation"] == "PIM"
    assert decision.entries[-1].after["createdBy"] == PIM
    assert not decision.book.findings
    assert expected(decision) == set()


def test_who_is_not_listed_is_told() -> None:
    """An object id that is not on the list, or none, is anybody's; so is one whose actor calls itself PIM."""
    for by in ("", "MS-PIM", PIM[:-1] + "e"):
        assert only_finding(granted(text=listed(), by=by)).rule == "broad-grant"


@pytest.mark.parametrize("grants", ["record", "temporary", "alert"])
def test_what_grants_access_is_always_told(grants: str) -> None:
    """Whoever made it; and the finding says who did."""
    finding = only_finding(granted(OWNER, listed(grants)))
    assert finding.status == "open"
    assert finding.detail["automation"] == "PIM"
    assert finding.notes[0].startswith("Made by PIM, which is on the automation list; ")


def test_a_condition_does_not_mute_what_grants_access() -> None:
    """lami evaluates no condition, and whoever makes the assignment writes it."""
    finding = only_finding(granted(OWNER, listed(), condition=CONSTRAINED))
    assert "can change every resource" in finding.title


def test_alert_only_shows_who_made_it() -> None:
    """Judged as anybody's, with the name on the finding."""
    finding = only_finding(granted(text=listed("alert")))
    assert finding.detail["automation"] == "PIM"
    assert "its grants are told" in finding.notes[0]
    assert expected(granted(READER, listed("alert"))) == {make_access()}


def test_narrow_grants_are_expected_unless_they_are_temporary() -> None:
    """A deployment's narrow grant is missed when it goes; the end of an activation is not."""
    assert expected(granted(READER, listed("record"))) == {make_access()}
    assert expected(granted(READER, listed("temporary"))) == set()


def test_every_new_grant_may_be_alerted_but_not_those_of_automation() -> None:
    """With `new-grants = "alert"` the list still keeps quiet, and what is narrow is expected all the same."""
    alert = '[watch]\nnew-grants = "alert"'
    decision = granted(READER, listed("record", alert))
    assert not decision.book.findings
    assert expected(decision) == {make_access()}
    assert only_finding(granted(READER, alert)).severity == "low"


def test_off_the_list_it_is_told() -> None:
    """The list let it pass, and no person did: without it the grant is as unexpected as ever."""
    before = granted(text=listed()).book
    assert only_finding(granted(READER, "", "a2", before)).detail["roleName"] == "Contributor"


def test_on_the_list_it_resolves() -> None:
    """A finding that stands ends when its creator is put on the list."""
    decision = granted(READER, listed(), "a2", granted().book)
    assert [finding.rule for finding in decision.resolved] == ["broad-grant"]


@pytest.mark.parametrize(("grants", "kept"), [("record", True), ("temporary", False)])
def test_a_baseline_takes_in_what_stands_but_not_what_ends_by_itself(grants: str, kept: bool) -> None:
    """What PIM activated while the baseline was taken would be missed an hour later."""
    one = make_assignment(role=CONTRIBUTOR, created_by=PIM, created=at(-10))
    taken = Taken("take-1", cause("take"))
    decision = principal_step(make_new(), taken, one, complete=(SUB,), by=rules(listed(grants)))
    assert expected(decision) == ({make_access(CONTRIBUTOR, group())} if kept else set())
    assert not decision.book.findings


def make_new() -> Book:
    """A book that nobody has written."""
    book = make_principal()
    return Book(book.subject, PrincipalState())


def test_activations_that_are_not_listed_are_one_finding_each_in_one_thread() -> None:
    """Each activation is told and resolves when it ends; all of them are one story."""
    first = granted()
    gone = make_assignment("a1").id
    ended = principal_step(first.book, told(gone, "delete", at(60), "gone"), (gone, Absent()), now=at(61))
    assert [finding.status for finding in ended.resolved] == ["resolved"]
    second = granted(name="a2", book=ended.book)
    one, two = only_finding(first), only_finding(second)
    assert one.id != two.id
    assert (one.thread, one.key.split("|")[-1]) == (two.thread, two.key.split("|")[-1])


def test_accepted_once_the_next_activation_is_expected() -> None:
    """Who would rather not list PIM accepts one activation for good: the access is expected from then on."""
    first = granted()
    accepted = Accepted(only_finding(first).id, "Dana", "on call", None, cause("accept"))
    after = principal_step(first.book, accepted, now=at(1))
    assert not granted(name="a2", book=after.book).book.findings
