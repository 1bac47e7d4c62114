"""broad-grant: a grant that is not expected and reaches far."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from lami.core.ids import ResourceId
from lami.core.model import Book, Found, Grant, RoleDefinition, Severity, Term
from lami.detectors.broad_grant import BroadGrant
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
CARRIED = [make_carrier()]


def detect(book: Book, text: str = "") -> list[Found]:
    """What the detector objects to."""
    return list(BroadGrant().detect(book, policy(text)))


@pytest.mark.parametrize(
    ("role", "scope", "severity"),
    [
        (OWNER, ResourceId("/"), "critical"),
        (OWNER, SUBSCRIPTION, "critical"),
        (OWNER, group(), "high"),
        (OWNER, workflow(), "medium"),
        (CONTRIBUTOR, SUBSCRIPTION, "high"),
        (CONTRIBUTOR, group(), "medium"),
        (CONTRIBUTOR, workflow(), None),
        (READER, SUBSCRIPTION, None),
    ],
)
def test_what_is_broad(role: RoleDefinition, scope: ResourceId, severity: Severity | None) -> None:
    """What the role can do at that scope decides, as the policy has it."""
    founds = detect(make_principal(make_grant(role=role, scope=scope)))
    assert [found.severity for found in founds] == ([severity] if severity else [])


RUNGS = [
    ("/", "critical", "the tenant root"),
    ("/providers/Microsoft.Management/managementGroups/contoso", "critical", "management group contoso"),
    ("/PROVIDERS/microsoft.management/MANAGEMENTGROUPS/contoso/", "critical", "management group contoso"),
    (f"/subscriptions/{SUB}", "critical", f"subscription {SUB[:8]}"),
    (f"/SUBSCRIPTIONS/{SUB}", "critical", f"subscription {SUB[:8]}"),
    (f"/subscriptions/{SUB}/resourceGroups/rg-orders", "high", "resource group rg-orders"),
    (f"/subscriptions/{SUB}/resourcegroups/rg-orders/", "high", "resource group rg-orders"),
    (f"/subscriptions/{SUB}/resourceGroups/subscriptions", "high", "resource group subscriptions"),
    (
        f"/subscriptions/{SUB}/resourceGroups/rg-orders/providers/Microsoft.KeyVault/vaults/kv-orders",
        "medium",
        "kv-orders (vaults)",
    ),
    (
        f"/subscriptions/{SUB}/resourceGroups/rg-orders/providers/Microsoft.Sql/servers/s/databases/orders",
        "medium",
        "orders (databases)",
    ),
    (
        "/providers/Microsoft.Management/managementGroups/contoso/providers/Microsoft.X/things/thing",
        "medium",
        "thing (things)",
    ),
]


@pytest.mark.parametrize(("scope", "severity", "called"), RUNGS)
def test_each_rung_of_the_ladder_is_called_by_its_own_name(
    scope: str, severity: Severity, called: str
) -> None:
    """Owner, on every rung: as grave as the rung is wide, and never said to reach further than it does."""
    (found,) = detect(make_principal(make_grant(role=OWNER, scope=ResourceId(scope))))
    assert found.severity == severity
    assert found.title.endswith(f"was granted Owner: can grant anyone access, at {called}")
    assert found.detail["scope"] == ResourceId(scope).text


def test_a_condition_takes_only_the_granting_away() -> None:
    """Owner that may assign a few roles only is as grave as what it can change, and shows the condition."""
    condition = (
        "((!(ActionMatches{'Microsoft.Authorization/roleAssignments/write'})) OR "
        "(@Request[Microsoft.Authorization/roleAssignments:RoleDefinitionId] "
        "ForAnyOfAnyValues:GuidEquals {4633458b-17de-408a-b874-0445c86b69e6}))"
    )
    (found,) = detect(make_principal(make_grant(role=OWNER, scope=SUBSCRIPTION, condition=condition)))
    assert found.severity == "high"
    assert "can change every resource" in found.title
    assert found.notes == (f"Only under the condition: {condition}",)


def test_a_condition_that_does_not_parse_counts_for_nothing_and_is_said_so() -> None:
    """What lami can't read narrows nothing: the finding is as grave as without it, and says why."""
    (found,) = detect(make_principal(make_grant(role=OWNER, scope=SUBSCRIPTION, condition="((( broken")))
    assert found.severity == "critical"
    assert found.notes[0] == "Only under the condition: ((( broken"
    assert found.notes[1].startswith("lami cannot read that condition (it ")
    assert found.notes[1].endswith("), and counts it as restricting nothing.")


def test_a_finding_says_who_was_granted_what_where_and_why_it_matters() -> None:
    """Short names in the title, whole ids in the detail, a command that takes it away."""
    grant = make_grant(role=CONTRIBUTOR, scope=SUBSCRIPTION)
    (found,) = detect(make_principal(grant, carriers=CARRIED))
    assert found.title == (
        "claims-intake was granted Contributor: can change every resource, at subscription 11111111"
    )
    assert found.detail == {
        "principalId": P1,
        "assignmentId": grant.id.text,
        "roleName": "Contributor",
        "roleDefinitionId": CONTRIBUTOR.id,
        "scope": SUBSCRIPTION.text,
        "holder": "claims-intake",
        "holderId": workflow().text,
    }
    assert found.remediation == (f"az role assignment delete --ids {grant.id.text}",)
    assert (found.cause, found.subject.kind, found.holds) == (cause(), "principal", grant.access.key)


def test_what_is_expected_or_gone_is_none() -> None:
    """Access that the baseline expects, a grant that is gone; but one that was withdrawn counts again."""
    grant = make_grant(role=OWNER)
    term = Term(grant.access, "Owner")
    assert detect(make_principal(grant, terms=[term])) == []
    assert detect(make_principal(make_grant(role=OWNER, present=False))) == []
    assert len(detect(make_principal(grant, terms=[replace(term, count=2)]))) == 1


def test_another_scope_role_or_condition_is_not_what_was_accepted() -> None:
    """The baseline names an access whole."""
    term = Term(make_access(CONTRIBUTOR), "Contributor")
    others = (
        make_grant(role=CONTRIBUTOR, scope=SUBSCRIPTION),
        make_grant(role=OWNER),
    )
    for grant in others:
        assert len(detect(make_principal(grant, terms=[term]))) == 1


def test_a_condition_only_takes_away_from_what_was_accepted() -> None:
    """Under a narrower condition than expected it is none; without the condition, or under another, it is."""
    one, both = grants_only("one"), grants_only("one", "two")
    for expected, now, many in [
        ("", one, 0),
        ("", "does not parse", 0),
        (both, one, 0),
        (one, both, 1),
        (one, "", 1),
    ]:
        term = Term(make_access(CONTRIBUTOR, condition=expected), "Contributor")
        grant = make_grant(role=CONTRIBUTOR, condition=now)
        assert len(detect(make_principal(grant, terms=[term]))) == many


def test_a_weakened_condition_is_told_by_its_own_rule() -> None:
    """Of an expected assignment whose condition was taken off in place there are not two findings."""
    was = make_access(CONTRIBUTOR, condition=grants_only("one"))
    grant = make_grant(role=CONTRIBUTOR, was=was)
    assert detect(make_principal(grant, terms=[Term(was, "Contributor")])) == []
    assert len(detect(make_principal(grant))) == 1


def keys(*grants: Grant) -> set[str]:
    """The keys of what is found of each of these grants alone."""
    return {found.key for grant in grants for found in detect(make_principal(grant))}


def test_each_grant_is_a_finding_of_its_own() -> None:
    """Another assignment, the same name made again, and another access under it."""
    grant = make_grant(role=OWNER)
    assert len(keys(grant, make_grant("a2", role=OWNER), make_grant(role=OWNER, created=at(-1)))) == 3
    assert len(keys(grant, replace(grant, access=make_access(CONTRIBUTOR)))) == 2
    assert len(keys(grant, replace(grant, newest=at(0), cause=cause("other")))) == 1


def test_only_holders_may_be_watched() -> None:
    """With `principals = "holders"` a person's grant is none, an app's is."""
    text = '[watch]\nprincipals = "holders"'
    assert detect(make_principal(make_grant(role=OWNER)), text) == []
    assert len(detect(make_principal(make_grant(role=OWNER), carriers=CARRIED), text)) == 1


def test_every_new_grant_may_be_alerted() -> None:
    """With `new-grants = "alert"` a narrow grant to an app is a light finding, to a person none."""
    text = '[watch]\nnew-grants = "alert"'
    assert detect(make_principal(make_grant()), text) == []
    (found,) = detect(make_principal(make_grant(), carriers=CARRIED), text)
    assert found.severity == "low"
    assert "a new grant" in found.title
    broad = detect(make_principal(make_grant(role=OWNER), carriers=CARRIED), text)
    assert [found.severity for found in broad] == ["high"]


def test_what_could_not_be_read_and_what_is_conditional_is_said() -> None:
    """A reader must know what the judgement rests on."""
    unread = make_grant(role=replace(OWNER, permissions=None), condition="@x")
    (found,) = detect(make_principal(unread))
    assert found.notes == (
        "The role could not be read; judged by Microsoft's list of privileged roles.",
        "Only under the condition: @x",
        "lami cannot read that condition (it holds what no condition holds, at character 1), "
        "and counts it as restricting nothing.",
    )


def test_findings_of_one_holder_are_one_story() -> None:
    """The thread is the holder's, the same as its churn's."""
    one, two = (make_principal(make_grant(role=OWNER), carriers=CARRIED, principal=p) for p in (P1, "p2"))
    assert detect(one)[0].thread == detect(two)[0].thread
    assert detect(make_principal(make_grant(role=OWNER)))[0].thread != detect(one)[0].thread


def test_a_holder_has_none() -> None:
    """Only principals are granted anything."""
    assert detect(make_holder()) == []
