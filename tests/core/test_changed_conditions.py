"""What both books make of a condition that is changed in place."""

from __future__ import annotations

import pytest

from lami.core.ids import ResourceId
from lami.core.model import Absent, Access, Book, Decision, HolderState, PrincipalState, RoleAssignment, Term
from lami.core.stimuli import Accepted, Again, Taken
from lami.core.terms import Supply
from tests.core.builders import (
    CONTRIBUTOR,
    P1,
    SUB,
    assignment_id,
    at,
    cause,
    grants_only,
    holder_step,
    make_access,
    make_assignment,
    make_holder,
    make_identity_holder,
    make_principal,
    messages,
    only_finding,
    principal_step,
    rules,
    says_carries,
    says_grants,
    texts,
    told,
    workflow,
)

A1 = assignment_id("a1")
ONE, BOTH = grants_only("one"), grants_only("one", "two")
NARROW, WIDE, OPEN = (make_access(condition=condition) for condition in (ONE, BOTH, ""))
TO_APP = ("grants", workflow().key)


def under(condition: str, seconds: float, created: float = -3600) -> RoleAssignment:
    """The assignment with a condition, last written so many seconds after now."""
    return make_assignment(condition=condition, created=at(created), changed=at(seconds))


def conditional() -> Book:
    """A carried principal's book with a grant under the condition `ONE`, which is expected."""
    book = principal_step(make_principal(), says_carries(), now=at(-500)).book
    return principal_step(book, told(A1, time=at(-3599)), under(ONE, -3600), now=at(-400)).book


def look(book: Book, shown: RoleAssignment, seconds: float, id: str = "event-2") -> Decision:
    """An event says that the assignment was written, and this is what Azure shows."""
    return principal_step(book, told(A1, time=at(seconds), id=id), shown, now=at(seconds + 1))


def counts(decision: Decision) -> dict[Access, int]:
    """The terms by access, with their counts."""
    assert isinstance(decision.book.state, PrincipalState)
    return {term.access: term.count for term in decision.book.state.terms.values()}


def test_a_removed_condition_is_one_finding_and_not_expected() -> None:
    """The wider access waits for somebody to accept it; the holder hears of it; the line says what it was."""
    decision = look(conditional(), under("", 10), 11)
    finding = only_finding(decision)
    assert (finding.rule, finding.detail["change"], finding.cause.id) == (
        "condition-weakened",
        "removed",
        "event-2",
    )
    assert counts(decision) == {NARROW: 1}
    assert TO_APP in messages(decision)
    assert "its condition is another now" in texts(decision)
    assert decision.entries[0].before["condition"] == ONE


def test_a_narrowed_condition_is_expected_without_a_finding() -> None:
    """Of a broad role too: what is expected without a condition is expected under one."""
    book = look(conditional(), under(f"({ONE}) AND ({BOTH})", 10), 11)
    assert not book.book.findings
    broad = make_assignment(role=CONTRIBUTOR, created=at(-3600))
    taken = principal_step(make_principal(), Taken("run", cause(), "audited"), broad, complete=[SUB]).book
    narrowed = make_assignment(role=CONTRIBUTOR, condition=ONE, created=at(-3600), changed=at(10))
    after = look(taken, narrowed, 11)
    assert not after.book.findings
    assert counts(after) == {make_access(CONTRIBUTOR): 1, make_access(CONTRIBUTOR, condition=ONE): 1}


def test_a_restored_condition_resolves_it() -> None:
    """And a further change before that is the same finding, told again, still from what is expected."""
    weakened = look(conditional(), under(BOTH, 10), 11)
    removed = look(weakened.book, under("", 20), 21, "event-3")
    assert only_finding(removed).id == only_finding(weakened).id
    assert only_finding(removed).detail["conditionBefore"] == ONE
    assert only_finding(removed).telling != only_finding(weakened).telling
    restored = look(removed.book, under(ONE, 30), 31, "event-4")
    assert [left.status for left in restored.resolved] == ["resolved"]
    assert counts(restored) == {NARROW: 1}


def test_it_goes_with_the_assignment_and_a_new_one_is_a_new_grant() -> None:
    """Deleted it is resolved; made again without the condition it is judged as any grant."""
    weakened = look(conditional(), under("", 10), 11)
    gone = principal_step(weakened.book, told(A1, "delete", at(20), "event-3"), (A1, Absent()), now=at(21))
    assert [left.status for left in gone.resolved] == ["resolved"]
    again = look(gone.book, under("", 30, created=30), 31, "event-4")
    assert not again.book.findings
    assert counts(again) == {NARROW: 1, OPEN: 1}


def test_a_stale_look_neither_opens_nor_closes_it() -> None:
    """A replica that shows the condition before is doubted, whoever looks."""
    weakened = look(conditional(), under("", 10), 11)
    stale = look(weakened.book, under(ONE, -3600), 11, "event-3")
    assert stale.doubt
    assert only_finding(stale).status == "open"
    restored = look(weakened.book, under(ONE, 20), 21, "event-4")
    late = principal_step(restored.book, Again("due", cause()), under("", 10), complete=[SUB], now=at(22))
    assert not late.book.findings


def test_accepting_it_moves_the_baseline() -> None:
    """The new access is expected in the place of the old one, and the holder hears it."""
    weakened = look(conditional(), under("", 10), 11)
    yes = Accepted(only_finding(weakened).id, "Dana", "planned", None, cause("accept"))
    decision = principal_step(weakened.book, yes, now=at(20))
    assert [left.status for left in decision.resolved] == ["accepted"]
    assert counts(decision) == {NARROW: 2, OPEN: 1}
    assert TO_APP in messages(decision)


def test_what_another_assignment_still_gives_stays_expected() -> None:
    """Accepting the weakened one withdraws nothing that is granted."""
    other = make_assignment("a2", condition=BOTH, created=at(-300))
    book = look(conditional(), under("", 10), 11).book
    book = principal_step(book, told(other.id, time=at(12), id="event-3"), other, now=at(13)).book
    finding = next(one for one in book.findings.values() if one.rule == "condition-weakened")
    decision = principal_step(book, Accepted(finding.id, "D", "so", None, cause("accept")), now=at(20))
    assert counts(decision) == {NARROW: 2, WIDE: 1, OPEN: 1}


def test_a_baseline_taken_anew_accepts_it() -> None:
    """With a reason what stands is expected, and what the assignment gave before is no longer."""
    weakened = look(conditional(), under("", 10), 11).book
    taken = principal_step(
        weakened, Taken("run", cause(), "audited"), under("", 10), complete=[SUB], now=at(20)
    )
    assert [left.status for left in taken.resolved] == ["accepted"]
    assert counts(taken) == {NARROW: 2, OPEN: 1}


@pytest.mark.parametrize(("now", "missing"), [("", False), (BOTH, False), ("unread", False), (None, True)])
def test_a_holder_lacks_nothing_where_the_condition_is_no_narrower(now: str | None, missing: bool) -> None:
    """The workflow is refused where the role is gone, not where its condition was weakened."""
    term = Term(NARROW, "Reader")
    seen = make_identity_holder(system=P1, created=at(-3600), changed=at(-3600))
    book = holder_step(make_holder(), told(workflow()), seen).book
    book = holder_step(book, says_grants(P1, 1, [under(ONE, -3600)], [term]), now=at(1)).book
    grants = [] if now is None else [under(now, 10)]
    state = holder_step(book, says_grants(P1, 2, grants), now=at(20)).book.state
    assert isinstance(state, HolderState)
    assert [one.missing_since is not None for one in state.terms.values()] == [missing]


def test_what_serves() -> None:
    """The access itself, or its role at its scope under a condition that is not known to be narrower."""
    elsewhere = Access(NARROW.role, ResourceId("/subscriptions/elsewhere"), BOTH)
    assert Supply([NARROW]).has(NARROW)
    assert Supply([OPEN]).has(NARROW)
    assert Supply([make_access(condition="unread")]).has(NARROW)
    assert not Supply([NARROW]).has(OPEN)
    assert not Supply([NARROW]).has(WIDE)
    assert not Supply([elsewhere, make_access(CONTRIBUTOR)]).has(NARROW)


def test_under_the_alerting_policy_a_narrowed_condition_is_no_new_grant() -> None:
    """`new-grants = "alert"` tells new access, and there is none."""
    by = rules('[watch]\nnew-grants = "alert"')
    narrowed = under(f"({ONE}) AND ({BOTH})", 10)
    after = principal_step(conditional(), told(A1, time=at(11), id="event-2"), narrowed, now=at(12), by=by)
    assert not after.book.findings
