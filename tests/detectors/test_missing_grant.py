"""missing-grant: expected access that the present identity is not granted."""

from __future__ import annotations

import shlex

import pytest
from msgspec.structs import replace

from lami.core.model import Attached, Carried, FailedRuns, Found, Granted, HolderState, Term
from lami.detectors.missing_grant import MissingGrant
from tests.core.builders import (
    HOSTILE,
    OWNER,
    P1,
    P2,
    READER,
    at,
    cause,
    group,
    identity,
    make_access,
    make_holder,
    make_principal,
    policy,
)

LACKS = Term(make_access(), "Reader", 1, missing_since=at(-60), missing_cause=cause("revoked"))


def holder(*terms: Term, observed: Carried | None = None) -> HolderState:
    """A holder that had P1, has P2, and knows these terms."""
    return HolderState(
        known=True,
        present=True,
        baseline=Carried(P1),
        observed=observed or Carried(P2),
        terms={term.access.key: term for term in terms},
    )


def detect(state: HolderState) -> list[Found]:
    """What the detector objects to."""
    return list(MissingGrant().detect(make_holder(state), policy()))


def test_what_is_marked_missing_is_found() -> None:
    """One finding an access, since and because of what the book remembers."""
    given = Term(make_access(OWNER), "Owner")
    (found,) = detect(holder(LACKS, given))
    assert found.title == "claims-intake lacks Reader at resource group rg-claims: expected, not granted"
    assert found.detail == {
        "principalId": P2,
        "previousPrincipalId": P1,
        "roleName": "Reader",
        "roleDefinitionId": READER.id,
        "scope": group().text,
    }
    assert (found.since, found.cause, found.severity) == (at(-60), cause("revoked"), "high")


def test_an_identity_that_is_expected_has_no_predecessor() -> None:
    """A plain revocation names one principal."""
    (found,) = detect(holder(LACKS, observed=Carried(P1)))
    assert found.detail["principalId"] == P1
    assert "previousPrincipalId" not in found.detail


def test_another_identity_or_another_acceptance_is_another_finding() -> None:
    """What P1 lacked says nothing of P2; what was withdrawn and accepted again may be missing again."""
    keys = {
        detect(state)[0].key
        for state in (
            holder(LACKS),
            holder(LACKS, observed=Carried(P1)),
            holder(replace(LACKS, count=3)),
        )
    }
    assert len(keys) == 3


def test_without_a_system_identity_the_attached_one_is_named() -> None:
    """The access is to be given to whom the app uses, if that is this app's own to expect."""
    mine = Attached(identity("z"), P1)
    shared = Attached(identity("a"), P2)
    state = holder(LACKS, observed=Carried("", (shared, mine)))
    (found,) = detect(replace(state, granted={P1: Granted(1)}))
    assert found.detail["principalId"] == P1


def test_the_remedy_survives_a_hostile_scope() -> None:
    """The command gives exactly the access that is missing."""
    for name in HOSTILE:
        access = make_access(scope=group(name), condition=name)
        (found,) = detect(holder(replace(LACKS, access=access)))
        (command,) = found.remediation
        words = shlex.split(command)
        assert words[words.index("--scope") + 1] == group(name).text
        # A space keeps az from reading a value that begins with @ as the name of a file.
        assert words[words.index("--condition") + 1].lstrip() == name.lstrip()
        assert not words[words.index("--condition") + 1].startswith("@")
        assert words[words.index("--assignee-object-id") + 1] == P2


def test_nothing_else_is_found() -> None:
    """A book without terms, and a principal's book."""
    assert detect(holder()) == []
    assert list(MissingGrant().detect(make_principal(), policy())) == []


@pytest.mark.parametrize(
    ("count", "more", "said"),
    [
        (0, False, "no runs of it have failed"),
        (1, False, "1 run of it has failed"),
        (7, False, "7 runs of it have failed"),
        (100, True, "at least 100 runs of it have failed"),
    ],
)
def test_it_says_how_many_runs_have_failed(count: int, more: bool, said: str) -> None:
    """Since when, and as of when; nothing where nobody counted."""
    runs = FailedRuns(at(-60), at(240), count, more)
    (found,) = detect(replace(holder(LACKS), failed_runs=runs))
    assert found.notes[1:] == (f"Since 2026-11-24 07:59 UTC, {said} (counted at 2026-11-24 08:04 UTC).",)
    assert len(detect(holder(LACKS))[0].notes) == 1
