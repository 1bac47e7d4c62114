"""The rules on workflow definitions: what a finding says, how much of it, and which commands it carries."""

from __future__ import annotations

import shlex

import pytest

from lami.core import posture
from lami.core.findings import Detector
from lami.core.ids import ResourceId
from lami.core.model import Attached, Carried, Definition, Found, HolderState, Part, Posture
from lami.core.posture import place
from lami.detectors.audience_mismatch import AudienceMismatch
from lami.detectors.dangling_identity import DanglingIdentity
from lami.detectors.posture import LISTED
from lami.detectors.secret_authentication import SecretAuthentication
from lami.detectors.unsecured_secret import UnsecuredSecret
from tests.core.builders import (
    P1,
    P2,
    SUB,
    at,
    cause,
    identity,
    make_holder,
    make_principal,
    policy,
    workflow,
)

PASSWORD = Part("secret", "action Send", "a password (Basic), written in the definition")
LEAK = Part("unsecured", "action Get", "its outputs are not secured and show a secret of a key vault")
WRONG = Part("audience", "action Get", "a token for Azure Resource Manager, sent to Azure Key Vault")
OWN = Part("identity", "action Get and 1 other place", posture.SYSTEM)
THEIRS = Part("identity", "connection blob", identity().text)


def app(*parts: Part, observed: Carried | None = None, stood: frozenset[str] = frozenset()) -> HolderState:
    """An app that shows these parts since an event; it has P1 unless said otherwise."""
    held = Posture(Definition(parts, "action X has an unknown authentication type Y"), at(-60), cause("put"))
    return HolderState(
        known=True,
        present=True,
        observed=observed or Carried(P1),
        posture=Posture(held.shown, held.since, held.cause, stood),
    )


def detect(detector: Detector, state: HolderState) -> Found:
    """What a detector objects to; fails where that is not one finding."""
    (found,) = detector.detect(make_holder(state), policy())
    return found


@pytest.mark.parametrize(
    ("detector", "part", "title", "severity", "attack"),
    [
        (
            SecretAuthentication(),
            PASSWORD,
            "claims-intake authenticates with a secret: action Send",
            "medium",
            ("T1552.001",),
        ),
        (
            UnsecuredSecret(),
            LEAK,
            "claims-intake shows secrets in its run history: action Get",
            "medium",
            ("T1552",),
        ),
        (
            DanglingIdentity(),
            THEIRS,
            "claims-intake refers to an identity it does not have: id-claims",
            "medium",
            (),
        ),
        (
            AudienceMismatch(),
            WRONG,
            "claims-intake asks for a token that its target does not take: action Get",
            "low",
            (),
        ),
    ],
)
def test_a_finding(
    detector: Detector, part: Part, title: str, severity: str, attack: tuple[str, ...]
) -> None:
    """One an app, by the policy's severity, since and because of what changed the definition."""
    found = detect(detector, app(PASSWORD, LEAK, WRONG, THEIRS))
    assert (found.title, found.severity, found.attack) == (title, severity, attack)
    assert (found.since, found.cause) == (at(-60), cause("put"))
    assert found.detail == {"principalId": P1, "scope": workflow().text}
    assert found.places == (place(part),)
    assert found.notes[0] == posture.words(part)
    assert found.notes[-1] == "action X has an unknown authentication type Y"
    assert not found.standing


def test_none_without_a_part_of_the_rule() -> None:
    """A rule is silent about the others' parts, and about a principal."""
    others = app(LEAK, WRONG, THEIRS)
    assert list(SecretAuthentication().detect(make_holder(others), policy())) == []
    assert list(SecretAuthentication().detect(make_principal(), policy())) == []


def test_many_places() -> None:
    """They are counted in the title, and so many are listed."""
    parts = [Part("secret", f"action A{number:02}", "a password (Basic)") for number in range(LISTED + 3)]
    found = detect(SecretAuthentication(), app(*parts))
    assert found.title == f"claims-intake authenticates with a secret: {LISTED + 3} places"
    assert found.notes[LISTED] == "and 3 more"
    assert len(found.places) == LISTED + 3


def test_one_key_whatever_the_places() -> None:
    """The same finding as places come and go; what is told of it changes with them."""
    one = detect(SecretAuthentication(), app(PASSWORD))
    other = detect(SecretAuthentication(), app(Part("secret", "action B", "a password (Basic)")))
    assert one.key == other.key
    assert one.telling != other.telling


def test_standing_only_where_all_places_stood() -> None:
    """One more place than stood, and it is news."""
    stood = frozenset({place(PASSWORD)})
    more = Part("secret", "action B", "a password (Basic)")
    assert detect(SecretAuthentication(), app(PASSWORD, stood=stood)).standing
    assert not detect(SecretAuthentication(), app(PASSWORD, more, stood=stood)).standing


def test_a_bare_app_is_given_what_it_refers_to() -> None:
    """Where the app has no identity, the command attaches the one that is named, or switches its own on."""
    none = Carried()
    attach = detect(DanglingIdentity(), app(THEIRS, observed=none)).remediation
    switch = detect(DanglingIdentity(), app(OWN, observed=none)).remediation
    assert shlex.split(attach[0])[-2:] == ["--user-assigned", identity().text]
    assert shlex.split(switch[0])[-1] == "--system-assigned"
    assert {SUB, "rg-claims", "claims-intake"} <= set(shlex.split(attach[0]))


def test_no_command_would_take_an_identity_away() -> None:
    """A Consumption app has one identity: where it has another, or two are named, words must do."""
    has = Carried("", (Attached(identity("other"), P2),))
    for state in (app(THEIRS, observed=has), app(THEIRS), app(OWN, THEIRS, observed=Carried())):
        found = detect(DanglingIdentity(), state)
        assert found.remediation == ()
        assert any("one identity at a time" in note for note in found.notes)
    both = detect(DanglingIdentity(), app(OWN, THEIRS, observed=Carried()))
    assert both.title.endswith("not have: id-claims and its system identity")


@pytest.mark.parametrize("slot", [False, True])
def test_a_standard_app_takes_every_identity_it_refers_to(slot: bool) -> None:
    """It may have several: whatever it has, one command gives it each that is missing."""
    site = f"/subscriptions/{SUB}/resourceGroups/rg-claims/providers/Microsoft.Web/sites/std"
    state = app(OWN, THEIRS, observed=Carried("", (Attached(identity("other"), P2),)))
    book = make_holder(state, ResourceId(f"{site}/slots/staging" if slot else site))
    (found,) = DanglingIdentity().detect(book, policy())
    switch, attach = (shlex.split(command) for command in found.remediation)
    assert attach[:3] == ["az", "functionapp" if slot else "logicapp", "identity"]
    assert attach[-1] == identity().text
    assert switch[-1] == ("[system]" if slot else "--system-assigned")
    assert not any("one identity at a time" in note for note in found.notes)


def test_connectors_are_judged_by_what_the_app_has() -> None:
    """A connector is objected to only where there is an identity that it could use."""
    connector = Part("connector", "connection blob", "the connector azureblob without the managed identity")
    assert detect(SecretAuthentication(), app(connector)).places == (place(connector),)
    bare = make_holder(app(connector, observed=Carried()))
    assert list(SecretAuthentication().detect(bare, policy())) == []
