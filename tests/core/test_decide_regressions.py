"""Faults that a critical reader found in what holders and principals conclude."""

from __future__ import annotations

from msgspec.structs import replace

from lami.core.messages import compose
from lami.core.model import Absent, OwedMessage, Subject, Term
from lami.core.stimuli import Accepted, Again, Attaches, Taken
from tests.core.builders import (
    CONTRIBUTOR,
    ELSEWHERE,
    OWNER,
    P1,
    P2,
    SUB,
    at,
    cause,
    holder_step,
    identity,
    make_access,
    make_assignment,
    make_holder,
    make_identity_holder,
    make_principal,
    only_finding,
    principal_step,
    says_grants,
    site,
    told,
    workflow,
)


def test_an_identity_that_has_not_heard_its_principal_says_nothing_of_grants() -> None:
    """An app swaps A for B, whose grants are not known yet: nothing is said to be lacking."""
    a, b = identity("a"), identity("b")
    app = holder_step(
        make_holder(id=site()), told(site()), make_identity_holder(site(), attached={a: P1}, changed=at(-10))
    ).book
    ident_a = holder_step(
        make_holder(id=a), Attaches(site(), 1, True, cause()), make_identity_holder(a, system=P1)
    ).book
    ident_a = holder_step(ident_a, says_grants(P1, 1, [make_assignment()])).book
    to_app = OwedMessage("identity", Subject("holder", site().text))
    watched = frozenset({SUB})
    app = holder_step(app, compose(ident_a, to_app, cause(), watched)).book
    app = holder_step(
        app,
        told(site(), time=at(100), id="e2"),
        make_identity_holder(site(), attached={b: P2}, changed=at(99)),
        now=at(101),
    ).book
    ident_b = holder_step(
        make_holder(id=b), Attaches(site(), 2, True, cause()), make_identity_holder(b, system=P2), now=at(102)
    ).book
    after = holder_step(app, compose(ident_b, to_app, cause(), watched), now=at(103))
    assert only_finding(after).notes == ()


def test_an_unwatched_identity_that_lacks_something_is_said_to() -> None:
    """System P1 is replaced by an identity of an unwatched subscription that is granted nothing."""
    reads = Term(make_access(), "Reader")
    book = holder_step(
        make_holder(id=site()), told(site()), make_identity_holder(site(), system=P1, changed=at(-10))
    ).book
    book = holder_step(book, says_grants(P1, 1, [make_assignment()], [reads])).book
    other = make_identity_holder(site(), attached={identity("x", ELSEWHERE): P2}, changed=at(99))
    book = holder_step(book, told(site(), time=at(100), id="e2"), other, now=at(101)).book
    after = holder_step(book, says_grants(P2, 1), now=at(102))
    assert any(n.startswith("Missing") for n in only_finding(after).notes)


def test_a_baseline_taken_anew_accepts_a_deleted_app() -> None:
    """With a reason, the churn of a holder that is gone is accepted too."""
    book = holder_step(make_holder(), told(workflow()), make_identity_holder(system=P1, created=at(-99))).book
    book = holder_step(book, told(workflow(), "delete", at(100), "e2"), Absent(), now=at(101)).book
    taken = holder_step(book, Taken("run", cause(), "retired"), Absent(), now=at(500))
    assert not taken.book.findings


def test_an_acceptance_does_not_hide_that_a_grant_became_graver() -> None:
    """Accepted until a day as a medium finding; the role is widened to Owner's powers: told anew."""
    wide = make_assignment(role=CONTRIBUTOR, created=at(-60))
    book = principal_step(make_principal(), told(wide.id, time=at(-59)), wide, now=at(-58)).book
    (finding,) = book.findings.values()
    held = principal_step(book, Accepted(finding.id, "D", "r", at(9999), cause("acc"))).book
    wider = replace(wide, role=replace(CONTRIBUTOR, permissions=OWNER.permissions))
    after = principal_step(held, Again("d", cause()), wider, complete=[SUB], now=at(200))
    assert only_finding(after).severity == "high"
    assert only_finding(after).status == "open"
