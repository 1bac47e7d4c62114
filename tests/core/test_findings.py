"""Findings: drift opens one and the end of drift resolves it; grace, acceptance and exceptions in between."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from lami.core.findings import Settled, finding_id, settle
from lami.core.model import Acceptance, Book, Finding, FindingSubject, Found, PrincipalState, Subject
from lami.core.policy import Policy
from tests.core.builders import GRACE, NOW, P1, P2, at, cause, policy

SUBJECT = Subject("principal", P1)
DETAIL = {"principalId": P1, "scope": "/subscriptions/s1", "roleName": "Owner"}
EXCEPTED = policy(
    f"""
[[exception]]
rule = "broad-grant"
principal = "{P1}"
scope = "/subscriptions/s1"
role = "Owner"
reason = "it deploys"
owner = "platform"
until = 2026-12-31
"""
)


def found(key: str = "k", rule: str = "broad-grant", since: datetime = NOW, telling: str = "") -> Found:
    """Drift that a detector objects to."""
    who = FindingSubject("principal", P1, "claims-intake")
    return Found(rule, key, "high", who, f"title of {key}", DETAIL, cause(), since, telling)


def placed(*places: str, standing: bool = False) -> Found:
    """Drift that stands in these places."""
    return replace(found(telling=" ".join(places)), places=places, standing=standing)


def settled(
    *founds: Found,
    before: Mapping[str, Finding] | None = None,
    accepted: Mapping[str, Acceptance] | None = None,
    by: Policy | None = None,
    revision: int = 1,
    now: datetime = NOW,
) -> Settled:
    """What becomes of a book's findings."""
    book = Book(SUBJECT, PrincipalState(), findings=before or {})
    return settle(book, founds, accepted or {}, by or policy(), revision, now)


def acceptance(until: datetime | None = None) -> Acceptance:
    """Somebody's acceptance."""
    return Acceptance("Dana", "planned", NOW, until)


def ids(findings: tuple[Finding, ...]) -> set[str]:
    """The keys of findings."""
    return {finding.key for finding in findings}


KEYS = st.sets(st.sampled_from("abcdef"))


@given(KEYS, KEYS)
def test_set_algebra(was: set[str], now: set[str]) -> None:
    """What is new opens, what is gone resolves, what stays is not said again."""
    first = settled(*map(found, was))
    after = settled(*map(found, now), before=first.findings, revision=2, now=at(60))
    assert ids(first.opened) == was
    assert ids(after.opened) == now - was
    assert ids(after.resolved) == was - now
    assert ids(tuple(after.findings.values())) == now
    assert not after.retold
    assert {finding.status for finding in after.resolved} <= {"resolved"}


def test_what_stays_is_the_same_finding() -> None:
    """It keeps its id, its opening time and, where nothing of it changed, its revision."""
    first = settled(found())
    after = settled(found(), before=first.findings, revision=2, now=at(60))
    assert after.findings == first.findings
    changed = settled(replace(found(), title="new"), before=first.findings, revision=2, now=at(60))
    (finding,) = changed.findings.values()
    assert (finding.revision, finding.opened_at, finding.title) == (2, NOW, "new")
    assert not changed.opened + changed.retold


@given(st.permutations([found("a"), found("b"), found("c", "orphaned-assignment", since=at(-9999))]))
def test_ids_do_not_depend_on_order(order: list[Found]) -> None:
    """The same drift has the same id, learnt first or last, at once or one by one."""
    at_once = settled(*order).findings.keys()
    one_by_one: dict[str, Finding] = {}
    for number in range(len(order)):
        one_by_one = dict(settled(*order[: number + 1], before=one_by_one, revision=number).findings)
    assert at_once == one_by_one.keys() == {finding_id(SUBJECT, each) for each in order}


def test_ids_tell_rule_subject_and_drift_apart() -> None:
    """Another rule, subject or key is another finding; what was told and how grave it is are not."""
    here = finding_id(SUBJECT, found())
    assert len({here, finding_id(SUBJECT, found("l")), finding_id(SUBJECT, found(rule="x"))}) == 3
    assert finding_id(Subject("principal", P2), found()) != here
    assert finding_id(Subject("role", P1), found()) != here
    assert finding_id(SUBJECT, replace(found(telling="t"), severity="low", title="x")) == here


# --- grace -----------------------------------------------------------------------------------------


def test_what_has_a_grace_opens_only_by_a_look() -> None:
    """A message that comes when the grace is over waits for the re-check; what is open stays open."""
    book, left = Book(SUBJECT, PrincipalState()), found("a", "orphaned-assignment", since=at(-9999))
    told = settle(book, (left, found("b")), {}, policy(), 1, NOW, looked=False)
    assert (ids(told.opened), [waiting.key for waiting in told.waiting]) == ({"b"}, ["a"])
    seen = settle(book, (left,), {}, policy(), 1, NOW, looked=True)
    after = settle(
        Book(SUBJECT, PrincipalState(), findings=seen.findings), (left,), {}, policy(), 2, NOW, looked=False
    )
    assert ids(seen.opened) == ids(tuple(after.findings.values())) == {"a"}


def test_grace_is_over_exactly_when_it_is_over() -> None:
    """Drift waits until it has stood for the whole grace, from when it began."""
    drift = found(rule="orphaned-assignment", since=at(-100))
    early = settled(drift, now=at(-100) + GRACE - timedelta(microseconds=1))
    assert (early.findings, early.waiting) == ({}, (drift,))
    over = settled(drift, now=at(-100) + GRACE)
    assert (ids(over.opened), over.waiting) == ({"k"}, ())


def test_drift_that_ends_within_grace_says_nothing() -> None:
    """What was never opened is not resolved either."""
    assert settled() == Settled({}, (), (), (), ())


def test_an_open_finding_does_not_wait_again() -> None:
    """Where the drift's beginning moves, the finding stays open."""
    first = settled(found(rule="orphaned-assignment", since=at(-9999)))
    after = settled(found(rule="orphaned-assignment", since=NOW), before=first.findings)
    assert {finding.status for finding in after.findings.values()} == {"open"}
    assert not after.waiting


# --- telling ---------------------------------------------------------------------------------------


def test_something_new_to_tell_is_told_again() -> None:
    """The same finding with another telling is retold, not opened anew."""
    first = settled(found(telling="P2"))
    after = settled(found(telling="P3"), before=first.findings, revision=2)
    assert (ids(after.retold), after.opened, after.resolved) == ({"k"}, (), ())
    assert [finding.telling for finding in after.told] == ["P3"]


# --- acceptance ------------------------------------------------------------------------------------


def test_an_acceptance_with_an_end_holds_until_then() -> None:
    """It is accepted up to the moment, and open again from it, as the same finding."""
    first = settled(found())
    (id,) = first.findings
    until = at(3600)
    held = settled(found(), before=first.findings, accepted={id: acceptance(until)}, revision=2)
    assert held.findings[id].accepted == acceptance(until)
    assert (held.findings[id].status, held.told) == ("accepted", ())

    before = settled(found(), before=held.findings, revision=3, now=until - timedelta(microseconds=1))
    assert before.findings == held.findings
    after = settled(found(), before=held.findings, revision=3, now=until)
    assert (after.findings[id].status, after.findings[id].accepted) == ("open", None)
    assert [finding.id for finding in after.told] == [id]
    assert after.findings[id].opened_at == NOW


def test_an_acceptance_does_not_hide_a_later_problem() -> None:
    """When what there is to tell changes, an acceptance until some day is void: the finding is open again."""
    first = settled(found(telling="P2"))
    (id,) = first.findings
    held = settled(
        found(telling="P2"), before=first.findings, accepted={id: acceptance(at(3600))}, revision=2
    )
    after = settled(found(telling="P3"), before=held.findings, revision=3, now=at(60))
    assert (after.findings[id].status, after.findings[id].accepted) == ("open", None)
    assert [finding.telling for finding in after.told] == ["P3"]


def test_drift_accepted_into_the_baseline_leaves_as_accepted() -> None:
    """Where accepting ends the drift, the finding leaves with who accepted it; nobody is told of it."""
    first = settled(found())
    (id,) = first.findings
    after = settled(before=first.findings, accepted={id: acceptance()}, revision=2, now=at(60))
    (left,) = after.resolved
    assert (left.status, left.accepted, left.resolved_at, left.revision) == (
        "accepted",
        acceptance(),
        at(60),
        2,
    )


def test_drift_that_ends_while_accepted_is_resolved() -> None:
    """An acceptance until some day ends with the drift: what comes back is a new finding."""
    first = settled(found())
    (id,) = first.findings
    held = settled(found(), before=first.findings, accepted={id: acceptance(at(3600))}, revision=2)
    gone = settled(before=held.findings, revision=3)
    assert [finding.status for finding in gone.resolved] == ["resolved"]
    assert [finding.status for finding in settled(found(), revision=4).opened] == ["open"]


# --- exceptions ------------------------------------------------------------------------------------


def test_an_exception_suppresses_and_stays_listed() -> None:
    """The finding is there, suppressed, and nobody is told."""
    excepted = settled(found(), by=EXCEPTED)
    assert [finding.status for finding in excepted.findings.values()] == ["suppressed"]
    assert (ids(excepted.opened), ids(excepted.suppressed), excepted.told) == ({"k"}, {"k"}, ())
    (one,) = excepted.suppressed
    assert one.suppressed is not None
    assert (one.suppressed.reason, one.suppressed.owner) == ("it deploys", "platform")


def test_an_exception_applies_to_findings_that_are_open() -> None:
    """A new exception suppresses what stands, and what it no longer covers opens, under the same id."""
    first = settled(found())
    excepted = settled(found(), before=first.findings, by=EXCEPTED, revision=2)
    assert [finding.status for finding in excepted.findings.values()] == ["suppressed"]
    over = settled(found(), before=excepted.findings, by=EXCEPTED, revision=3, now=at(40 * 86400))
    assert [finding.status for finding in over.told] == ["open"]
    assert over.findings.keys() == first.findings.keys()
    assert [finding.suppressed for finding in over.findings.values()] == [None]
    assert over.uncovered == excepted.findings


def test_what_grew_graver_since_it_was_excepted_is_open_again() -> None:
    """An exception is of what was told when it met the finding; back as it was, it is suppressed again."""
    first = settled(found(telling="medium"), by=EXCEPTED)
    graver = settled(found(telling="critical"), before=first.findings, by=EXCEPTED, revision=2)
    assert [finding.status for finding in graver.told] == ["open"]
    still = settled(found(telling="critical"), before=graver.findings, by=EXCEPTED, revision=3)
    assert [finding.status for finding in still.findings.values()] == ["open"]
    again = settled(found(telling="medium"), before=still.findings, by=EXCEPTED, revision=4)
    assert ids(again.suppressed) == {"k"}


def test_an_exception_that_was_changed_excepts_what_is_told_now() -> None:
    """Who changes a word of it has seen what became of the finding; one met earlier is not revived."""
    first = settled(found(telling="medium"), by=EXCEPTED)
    graver = settled(found(telling="critical"), before=first.findings, by=EXCEPTED, revision=2)
    (old,) = EXCEPTED.exceptions
    both = replace(EXCEPTED, exceptions=(old, replace(old, reason="seen, and still planned")))
    seen = settled(found(telling="critical"), before=graver.findings, by=both, revision=3)
    assert [one.suppressed.reason for one in seen.suppressed if one.suppressed] == ["seen, and still planned"]
    other = settled(found(telling="high"), before=seen.findings, by=both, revision=4)
    assert [finding.status for finding in other.told] == ["open"]


def test_a_wide_exception_is_of_whatever_is_told() -> None:
    """`all = true` says that it is meant to hide what comes later, too."""
    (old,) = EXCEPTED.exceptions
    wide = replace(EXCEPTED, exceptions=(replace(old, scope="", all=True),))
    first = settled(found(telling="medium"), by=wide)
    graver = settled(found(telling="critical"), before=first.findings, by=wide, revision=2)
    assert [finding.status for finding in graver.findings.values()] == ["suppressed"]


@pytest.mark.parametrize("until", [None, at(3600)])
def test_an_acceptance_goes_before_an_exception(until: datetime | None) -> None:
    """What somebody accepted by hand is shown as accepted, also where an exception covers it."""
    first = settled(found(), by=EXCEPTED)
    (id,) = first.findings
    after = settled(found(), before=first.findings, accepted={id: acceptance(until)}, by=EXCEPTED, revision=2)
    assert after.findings[id].status == "accepted"


def test_standing_drift_is_listed_and_not_told() -> None:
    """It opens, and nobody is told; whoever accepted it until a time is told when that has passed."""
    first = settled(placed("a", standing=True))
    assert ids(first.opened) == {"k"}
    assert first.told == ()
    id = first.opened[0].id
    accepted = settled(
        placed("a", standing=True), before=first.findings, accepted={id: acceptance(at(60))}, revision=2
    )
    again = settled(placed("a", standing=True), before=accepted.findings, revision=3, now=at(61))
    assert ids(again.told) == {"k"}


@given(st.lists(st.sets(st.sampled_from("abc"), min_size=1), min_size=2, max_size=6))
def test_places_are_told_when_one_is_added(steps: list[set[str]]) -> None:
    """Told once at first, then whenever there is a place that the last look had not; never for one less."""
    now = settled(placed(*sorted(steps[0])))
    assert ids(now.told) == {"k"}
    for number, (was, places) in enumerate(pairwise(steps), 2):
        before = now.findings
        now = settled(placed(*sorted(places)), before=before, revision=number, now=at(number))
        assert ids(now.told) == ({"k"} if places - was else set())
        tellings = {one.telling for all in (before, now.findings) for one in all.values()}
        assert len(tellings) == (2 if places - was else 1)


def test_an_acceptance_covers_the_places_it_was_of() -> None:
    """Fewer places stay accepted; one more opens the finding again."""
    first = settled(placed("a", "b"))
    id = first.opened[0].id
    kept = settled(placed("a"), before=first.findings, accepted={id: acceptance(at(600))}, revision=2)
    assert [f.status for f in kept.findings.values()] == ["accepted"]
    more = settled(placed("a", "c"), before=kept.findings, revision=3)
    assert [f.status for f in more.told] == ["open"]
