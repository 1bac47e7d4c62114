"""condition-weakened: the condition of an expected assignment was removed or weakened in place."""

from __future__ import annotations

import json
import shlex

import pytest
from msgspec.structs import replace

from lami.core.ids import ResourceId
from lami.core.model import Book, Found, RoleDefinition, Severity, Term
from lami.detectors.condition_weakened import MOST_SHOWN, ConditionWeakened
from tests.core.builders import (
    CONTRIBUTOR,
    OWNER,
    P1,
    READER,
    SUB,
    at,
    cause,
    grants_only,
    group,
    make_access,
    make_carrier,
    make_grant,
    make_holder,
    make_principal,
    policy,
    workflow,
)

SUBSCRIPTION = ResourceId(f"/subscriptions/{SUB}")
ONE, BOTH = grants_only("one"), grants_only("one", "two")


def detect(book: Book, text: str = "") -> list[Found]:
    """What the detector objects to."""
    return list(ConditionWeakened().detect(book, policy(text)))


def changed(
    before: str,
    after: str,
    role: RoleDefinition = READER,
    scope: ResourceId | None = None,
    carried: bool = True,
    count: int = 1,
) -> Book:
    """The book of a principal whose one assignment was expected under one condition and has another now."""
    was = make_access(role, scope, before)
    grant = make_grant(role=role, scope=scope, condition=after, was=was)
    carriers = [make_carrier()] if carried else []
    return make_principal(grant, terms=[Term(was, role.name, count)], carriers=carriers)


@pytest.mark.parametrize(
    ("before", "after", "change"),
    [
        (ONE, "", "removed"),
        (ONE, BOTH, "widened"),
        (ONE, grants_only("two"), "changed"),
        (ONE, "does not parse", "changed"),
        ("does not parse", "", "removed"),
        (BOTH, ONE, None),
        (ONE, f"( {ONE} )", None),
        (ONE, f"({ONE}) AND ({BOTH})", None),
    ],
)
def test_what_weakens(before: str, after: str, change: str | None) -> None:
    """All but a known narrowing, or another way to write the same."""
    founds = detect(changed(before, after))
    assert [found.detail["change"] for found in founds] == ([change] if change else [])


def test_what_is_expected_gone_or_new_is_none() -> None:
    """Accepted, taken away, made again, or never expected as it was: none of it is a weakened condition."""
    book = changed(ONE, "")
    (found,) = detect(book)
    grant = make_grant(was=make_access(condition=ONE))
    expected = [Term(make_access(condition=ONE), "Reader"), Term(make_access(), "Reader")]
    assert detect(make_principal(grant, terms=expected)) == []
    assert detect(make_principal(replace(grant, present=False), terms=expected[:1])) == []
    assert detect(make_principal(make_grant(), terms=expected[:1])) == []
    assert detect(changed(ONE, "", count=2)) == []
    assert detect(make_holder()) == []
    assert found.holds == grant.access.key


@pytest.mark.parametrize(
    ("role", "scope", "after", "severity"),
    [
        (READER, SUBSCRIPTION, "", "medium"),
        (CONTRIBUTOR, SUBSCRIPTION, "", "high"),
        (OWNER, SUBSCRIPTION, "", "critical"),
        (OWNER, SUBSCRIPTION, BOTH, "critical"),
        (OWNER, group(), "", "high"),
    ],
)
def test_it_is_as_grave_as_what_the_condition_held_back(
    role: RoleDefinition, scope: ResourceId, after: str, severity: Severity
) -> None:
    """The rule's severity, or the reach's without any condition where that is higher: lami evaluates none."""
    (found,) = detect(changed(ONE, after, role, scope))
    assert found.severity == severity
    (lowered,) = detect(changed(ONE, "", READER), '[severity]\ncondition-weakened = "low"')
    assert lowered.severity == "low"


def test_a_finding_says_whose_grant_lost_which_condition() -> None:
    """Short names in the title, the conditions in the detail, and the command that restores the first."""
    (found,) = detect(changed(ONE, "", CONTRIBUTOR, SUBSCRIPTION))
    assert found.title == (
        f"the condition of Contributor at {SUBSCRIPTION.short} was removed from claims-intake's grant"
    )
    assert found.detail == {
        "principalId": P1,
        "assignmentId": make_grant(scope=SUBSCRIPTION).id.text,
        "roleName": "Contributor",
        "roleDefinitionId": CONTRIBUTOR.id,
        "scope": SUBSCRIPTION.text,
        "change": "removed",
        "conditionBefore": ONE,
        "holder": "claims-intake",
        "holderId": workflow().text,
    }
    (command,) = found.remediation
    words = shlex.split(command)
    assert words[:5] == ["az", "role", "assignment", "update", "--role-assignment"]
    whole = json.loads(words[5])
    assert (whole["condition"], whole["principalId"], whole["scope"]) == (ONE, P1, SUBSCRIPTION.text)
    (other,) = detect(changed(ONE, "no condition"))
    assert other.detail["conditionAfter"] == "no condition"
    assert any("does not parse" in note for note in other.notes)


def test_long_conditions_are_shown_in_part() -> None:
    """A finding holds so much of a hostile condition, and no more."""
    (found,) = detect(changed("x" * 9_000, "y" * 9_000))
    assert {len(found.detail[name]) for name in ("conditionBefore", "conditionAfter")} == {MOST_SHOWN + 1}


def test_the_same_assignment_is_one_finding_told_anew_when_it_changes_again() -> None:
    """The key names the assignment, not the condition; a second change, or another severity, is told."""
    first, second = detect(changed(ONE, BOTH)) + detect(changed(ONE, ""))
    assert (first.key, first.thread) == (second.key, second.thread)
    assert first.telling != second.telling
    was = make_access(condition=ONE)
    again = make_grant(was=was, created=at(-1))
    (third,) = detect(make_principal(again, terms=[Term(was, "Reader")]))
    assert third.key != first.key
    late = replace(again, newest=at(9), cause=cause("other"))
    (late_found,) = detect(make_principal(late, terms=[Term(was, "Reader")]))
    assert late_found.key == third.key


def test_only_watched_principals_are_judged() -> None:
    """Where the policy watches holders only, a principal that nobody carries is left out."""
    text = '[watch]\nprincipals = "holders"'
    assert detect(changed(ONE, "", carried=False), text) == []
    assert len(detect(changed(ONE, "", carried=False))) == 1
    assert len(detect(changed(ONE, ""), text)) == 1
