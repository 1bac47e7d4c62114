"""role-widened: a custom role that somebody holds allows more than its baseline."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from lami.core import roles
from lami.core.definitions import canonical
from lami.core.ids import ResourceId
from lami.core.model import Access, Book, Found, Held, Permission, RoleState, Severity, Subject
from lami.detectors.role_widened import MOST_SHOWN, RoleWidened
from tests.core.builders import (
    HOSTILE,
    NOW,
    P1,
    P2,
    SUB,
    cause,
    grants_only,
    group,
    make_holder,
    make_principal,
    policy,
    workflow,
)

ROLE = "d2222222-0000-0000-0000-000000000000"
SUBSCRIPTION = ResourceId(f"/subscriptions/{SUB}")
READ, WRITE = "Microsoft.Storage/storageAccounts/read", "Microsoft.Storage/storageAccounts/write"
KEYS = "Microsoft.Storage/storageAccounts/listKeys/action"
ASSIGN = "Microsoft.Authorization/roleAssignments/write"


def detect(book: Book, text: str = "") -> list[Found]:
    """What the detector objects to."""
    return list(RoleWidened().detect(book, policy(text)))


def holds(
    *scopes: ResourceId, name: str = "claims-intake", carried: bool = True, condition: str = ""
) -> Held:
    """Somebody who holds the role at these scopes."""
    return Held(name, carried, 1, tuple(Access(ROLE, scope, condition) for scope in scopes))


def role(before: tuple[str, ...] = (READ,), after: tuple[str, ...] = (READ, KEYS), **held: Held) -> Book:
    """The book of a role that allowed some operations and allows others now; held by whoever is named."""
    was, now = canonical((Permission(before),)), canonical((Permission(after),))
    assert was is not None
    assert now is not None
    state = RoleState(
        name="Claims Operator",
        powers=roles.powers(now),
        custom=True,
        present=True,
        changed_at=NOW,
        change_cause=cause("widened"),
        allowed={"expected": was, "observed": now},
        held=held or {P1: holds(SUBSCRIPTION)},
    )
    return Book(Subject("role", ROLE), state, version=3)


def state_of(book: Book) -> RoleState:
    """The role's state."""
    assert isinstance(book.state, RoleState)
    return book.state


def test_a_finding_says_what_everyone_who_holds_the_role_gained() -> None:
    """Who and where in the title, the widest first; ids and all that was gained in the detail."""
    book = role(
        after=(READ, "Microsoft.Storage/*/listKeys/action", WRITE, "*/read"),
        a=holds(group("rg-claims"), SUBSCRIPTION),
        b=holds(group("rg-other"), name="other"),
        c=holds(name="gone"),
    )
    (found,) = detect(book)
    assert found.title == (
        "custom role Claims Operator can now */read (+2 more): "
        f"held by claims-intake at {SUBSCRIPTION.short} and 2 others"
    )
    assert found.detail == {
        "roleName": "Claims Operator",
        "roleDefinitionId": ROLE,
        "scope": SUBSCRIPTION.text,
        "gained": f"*/read, Microsoft.Storage/*/listKeys/action, {WRITE}",
        "holder": (
            f"claims-intake at {SUBSCRIPTION.short}, claims-intake at resource group rg-claims, "
            "other at resource group rg-other"
        ),
    }
    assert (found.subject.kind, found.subject.id, found.cause.id) == ("role", ROLE, "widened")
    assert found.remediation == (f"az role definition list --name {ROLE} --query '[0]' --output json",)
    assert f"Take out again: {WRITE}" in found.notes
    (alone,) = detect(role())
    assert alone.detail["principalId"] == P1
    assert alone.title.endswith(f"held by claims-intake at {SUBSCRIPTION.short}")


def test_what_allows_no_more_or_is_not_judged_is_none() -> None:
    """The same, less, built in, held by nobody, gone, never seen otherwise, or another kind of book."""
    book = role()
    assert detect(role(after=(READ,))) == []
    assert detect(role((READ, KEYS), (READ,))) == []
    for other in (
        replace(state_of(book), custom=False),
        replace(state_of(book), held={P1: holds()}),
        replace(state_of(book), held={}),
        replace(state_of(book), allowed={"expected": state_of(book).allowed["expected"]}),
        replace(state_of(book), allowed={"observed": state_of(book).allowed["observed"]}),
        RoleState(),
    ):
        assert detect(replace(book, state=other)) == []
    assert detect(make_principal()) + detect(make_holder()) == []


@pytest.mark.parametrize(
    ("after", "scope", "severity"),
    [
        ((READ, WRITE), SUBSCRIPTION, "medium"),
        ((READ, KEYS), SUBSCRIPTION, "high"),
        ((READ, KEYS), workflow(), "medium"),
        ((READ, ASSIGN), SUBSCRIPTION, "critical"),
        ((READ, ASSIGN), group(), "high"),
        (("*",), ResourceId("/"), "critical"),
    ],
)
def test_it_is_as_grave_as_what_was_gained_where_it_is_held(
    after: tuple[str, ...], scope: ResourceId, severity: Severity
) -> None:
    """The rule's severity, or by `[broad]` that of the classes gained, if higher."""
    (found,) = detect(role(after=after, a=holds(scope)))
    assert found.severity == severity


def test_only_classes_that_are_new_raise_the_severity() -> None:
    """A role that could read secrets already and can write now has not gained what is grave."""
    (found,) = detect(role((READ, KEYS), (READ, KEYS, WRITE)))
    assert found.severity == "medium"
    (lowered,) = detect(role((READ, KEYS), (READ, KEYS, WRITE)), '[severity]\nrole-widened = "low"')
    assert lowered.severity == "low"


def test_the_widest_holder_decides_and_a_condition_may_hold_it_back() -> None:
    """Who may grant a few roles only has not gained to grant any."""
    several = role(after=(READ, ASSIGN), a=holds(group()), b=holds(SUBSCRIPTION, name="other"))
    assert [found.severity for found in detect(several)] == ["critical"]
    narrowed = role(after=(READ, ASSIGN), a=holds(SUBSCRIPTION, condition=grants_only("User")))
    assert [found.severity for found in detect(narrowed)] == ["medium"]


def test_the_same_widening_has_the_same_key_and_a_further_one_is_told() -> None:
    """The key names what the role is compared with; who holds it, and any order, is not told anew."""
    (first,) = detect(role())
    (other,) = detect(role((READ.upper(),), (KEYS, READ), a=holds(SUBSCRIPTION), b=holds(SUBSCRIPTION)))
    (further,) = detect(role(after=(READ, KEYS, WRITE)))
    assert (first.key, first.telling, first.thread) == (other.key, other.telling, other.thread)
    assert (first.key, first.thread) == (further.key, further.thread)
    assert first.telling != further.telling
    (elsewhere,) = detect(role((WRITE,)))
    assert elsewhere.key != first.key


def test_only_watched_principals_count() -> None:
    """Where the policy watches holders only, those that nobody carries are left out."""
    text = '[watch]\nprincipals = "holders"'
    book = role(a=holds(SUBSCRIPTION, name="pipeline", carried=False), b=holds(group()))
    (found,) = detect(book, text)
    assert "pipeline" not in found.title
    assert len(detect(book)) == 1
    assert detect(role(a=holds(SUBSCRIPTION, carried=False)), text) == []


def test_many_patterns_and_many_holders_are_shown_in_part() -> None:
    """A hostile definition does not make a finding that nobody can read."""
    gained = tuple(f"Microsoft.Storage/{number:04}/write" for number in range(500))
    many = {f"p{number}": holds(group(f"rg-{number:04}"), name=HOSTILE[0]) for number in range(500)}
    (found,) = detect(role((READ,), (READ, *gained), **many))
    assert "(+499 more)" in found.title
    assert "and 499 others" in found.title
    assert found.detail["gained"].endswith(f"and {500 - MOST_SHOWN} more")
    assert len(found.notes) == 2 * MOST_SHOWN
    assert P2 not in str(found.detail)
