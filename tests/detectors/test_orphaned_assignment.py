"""orphaned-assignment: what a principal is still granted that nobody carries any longer."""

from __future__ import annotations

import shlex
from typing import Literal

import pytest

from lami.core.ids import ResourceId
from lami.core.model import Book, Carrier, Found, RoleDefinition, Severity, Standing
from lami.detectors.orphaned_assignment import OrphanedAssignment
from tests.core.builders import (
    HOSTILE,
    OWNER,
    P1,
    READER,
    SUB,
    at,
    cause,
    group,
    identity,
    make_carrier,
    make_grant,
    make_holder,
    make_principal,
    policy,
    workflow,
)

SHED = make_carrier(carries=False, since=at(-60))


def detect(book: Book) -> list[Found]:
    """What the detector objects to."""
    return list(OrphanedAssignment().detect(book, policy()))


def test_each_present_grant_of_a_shed_principal_is_left_behind() -> None:
    """The finding names the app that had it, and the command takes the assignment away."""
    grant = make_grant()
    (found,) = detect(make_principal(grant, make_grant("a2", present=False), carriers=[SHED]))
    assert found.title == (
        "Reader at resource group rg-claims is left behind: claims-intake no longer has the identity aaaaaaaa"
    )
    assert found.detail == {
        "principalId": P1,
        "assignmentId": grant.id.text,
        "roleName": "Reader",
        "roleDefinitionId": READER.id,
        "scope": group().text,
        "holder": "claims-intake",
        "holderId": workflow().text,
    }
    assert found.remediation == (f"az role assignment delete --ids {grant.id.text}",)
    assert (found.since, found.cause) == (SHED.since, SHED.cause)


@pytest.mark.parametrize(
    "carriers",
    [
        [],
        [make_carrier()],
        [SHED, make_carrier(identity())],
    ],
    ids=["nobody ever", "one", "one of two"],
)
def test_a_principal_that_is_carried_or_never_was_has_none(carriers: list[Carrier]) -> None:
    """A person's grants are no orphans, nor is anything of a principal that somebody carries."""
    assert detect(make_principal(make_grant(), carriers=carriers)) == []


def test_the_last_to_shed_it_is_the_cause() -> None:
    """Orphaned since the last of several holders let it go."""
    last = make_carrier(identity(), carries=False, since=at(-10))
    (found,) = detect(make_principal(make_grant(), carriers=[last, SHED]))
    assert found.since == at(-10)
    assert found.detail["holder"] == "claims-intake and id-claims"
    assert found.detail["holderId"] == f"{workflow().text}, {identity().text}"


GONE = Standing("gone", at(-3700), at(-60), cause("asked"))


def test_what_a_principal_is_granted_that_is_gone_is_left_behind() -> None:
    """Nobody ever carried it: it is named by its type, and orphaned since it was first denied."""
    grant = make_grant()
    (found,) = detect(make_principal(grant, standing=GONE))
    assert found.title == (
        "Reader at resource group rg-claims is left behind: "
        "ServicePrincipal aaaaaaaa no longer exists in Entra ID"
    )
    assert not {"holder", "holderId"} & found.detail.keys()
    assert found.remediation == (f"az role assignment delete --ids {grant.id.text}",)
    assert (found.since, found.cause, found.notes) == (GONE.since, GONE.cause, ())


@pytest.mark.parametrize("said", ["alive", "deleted", "denied"])
@pytest.mark.parametrize("carriers", [[], [make_carrier()]], ids=["nobody", "carried"])
def test_nothing_short_of_gone_is_an_orphan(
    said: Literal["alive", "deleted", "denied"], carriers: list[Carrier]
) -> None:
    """One denial is none, and what is kept among the deleted may be restored with all that it holds."""
    standing = Standing(said, at(-90_000), at(-60), cause())
    assert detect(make_principal(make_grant(), carriers=carriers, standing=standing)) == []


def test_an_identity_that_died_under_its_app_says_so() -> None:
    """The app still names it: the assignment is left behind, and the app can sign in nowhere."""
    (found,) = detect(make_principal(make_grant(), carriers=[make_carrier()], standing=GONE))
    assert found.title.endswith(
        "claims-intake still has the identity aaaaaaaa, which no longer exists in Entra ID"
    )
    assert found.detail["holder"] == "claims-intake"
    assert "can sign in nowhere" in found.notes[0]


@pytest.mark.parametrize("said", ["alive", "deleted", "denied", "gone"])
def test_who_shed_it_is_asked_first(said: Literal["alive", "deleted", "denied", "gone"]) -> None:
    """That it lives on in the directory makes what was left behind no less so; nor is the finding another."""
    plain = detect(make_principal(make_grant(), carriers=[SHED]))
    standing = Standing(said, at(-90_000), at(-60), cause("asked"))
    assert detect(make_principal(make_grant(), carriers=[SHED], standing=standing)) == plain


def test_what_is_tolerated_is_none() -> None:
    """That one assignment; another is still found."""
    book = make_principal(make_grant(tolerated=True), make_grant("a2"), carriers=[SHED])
    assert [found.detail["assignmentId"] for found in detect(book)] == [make_grant("a2").id.text]


@pytest.mark.parametrize(
    ("role", "scope", "severity"),
    [
        (READER, group(), "medium"),
        (OWNER, workflow(), "medium"),
        (OWNER, group(), "high"),
        (OWNER, ResourceId(f"/subscriptions/{SUB}"), "critical"),
    ],
)
def test_it_is_as_grave_as_its_reach(role: RoleDefinition, scope: ResourceId, severity: Severity) -> None:
    """The policy's severity is the least; a grant that reaches further counts as broad does."""
    (found,) = detect(make_principal(make_grant(role=role, scope=scope), carriers=[SHED]))
    assert found.severity == severity


def test_the_same_name_made_again_is_another_finding() -> None:
    """But a second look at the same assignment is not."""
    keys = [
        detect(make_principal(grant, carriers=[SHED]))[0].key
        for grant in (make_grant(), make_grant(newest=at(0)), make_grant(created=at(-1)))
    ]
    assert keys[0] == keys[1] != keys[2]


def test_the_remedy_survives_a_hostile_name() -> None:
    """The command names exactly this assignment."""
    for name in HOSTILE:
        (found,) = detect(make_principal(make_grant(scope=group(name)), carriers=[SHED]))
        (command,) = found.remediation
        assert shlex.split(command)[-1] == found.detail["assignmentId"]


def test_a_holder_has_none() -> None:
    """Only principals are granted anything."""
    assert detect(make_holder()) == []
