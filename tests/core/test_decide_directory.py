"""What a principal's book does when the directory has said something of it."""

from __future__ import annotations

from datetime import datetime

import pytest

from lami.core import digests
from lami.core.decide_principal import Sight, decide_principal
from lami.core.model import Book, Decision, PrincipalState, RoleAssignment, Said, Standing
from lami.core.stimuli import Again, DirectorySaid
from tests.core.builders import (
    CONTRIBUTOR,
    NOW,
    P1,
    P2,
    SUB,
    at,
    cause,
    make_assignment,
    make_carrier,
    make_grant,
    make_principal,
    only_finding,
    principal_step,
    rules,
    says_carries,
    told,
    workflow,
)


def asked(book: Book, said: Said, when: datetime, now: datetime | None = None) -> Decision:
    """The decision after the directory said something at a time."""
    return principal_step(book, DirectorySaid({P1: said}, when, cause("asked")), now=now or when)


def state(book: Book) -> PrincipalState:
    """A principal's state."""
    assert isinstance(book.state, PrincipalState)
    return book.state


def denied_twice(book: Book, *shown: RoleAssignment) -> Decision:
    """Denied twice, and what the re-check then decides that lists its grants: only that one opens orphans."""
    said = asked(asked(book, "denied", NOW).book, "denied", at(3_600))
    assert said.owed is not None
    (due,) = [look.at for look in said.owed.looks if look.why == "grace"]
    return principal_step(said.book, Again("due-1", cause("asked")), *shown, complete=[SUB], now=due)


def gone() -> Book:
    """A principal that was denied twice, and holds something."""
    return denied_twice(make_principal(make_grant()), make_assignment()).book


def test_denied_twice_opens_an_orphan() -> None:
    """The first denial is a line of the timeline. The second has a look at once, which opens it and tells."""
    first = asked(make_principal(make_grant()), "denied", NOW)
    assert first.book.findings == {}
    assert "asked about once more" in first.entries[0].text
    assert [entry.kind for entry in asked(first.book, "denied", at(3_600)).entries] == ["reconciled"]
    second = denied_twice(make_principal(make_grant()), make_assignment())
    assert only_finding(second).rule == "orphaned-assignment"
    assert only_finding(second).status == "open"
    assert [entry.kind for entry in second.entries] == ["opened"]
    assert second.owed is not None
    assert [alert.finding for alert in second.owed.alerts] == list(second.book.findings)


def test_restored_resolves_it() -> None:
    """And what it holds is expected again where nobody objects."""
    decision = asked(gone(), "alive", at(7_200))
    assert [finding.status for finding in decision.resolved] == ["resolved"]
    assert state(decision.book).standing is not None
    assert all(term.expected for term in state(decision.book).terms.values())


def test_kept_among_the_deleted_resolves_it_too() -> None:
    """It can be restored: that is no orphan, however it came there."""
    decision = asked(gone(), "deleted", at(7_200))
    assert [finding.rule for finding in decision.resolved] == ["orphaned-assignment"]
    assert "can be restored" in decision.entries[0].text


def test_a_word_that_changes_nothing_is_no_line() -> None:
    """Denied again within the hour: that is remembered, and nobody has to read it."""
    once = asked(make_principal(make_grant()), "denied", NOW).book
    decision = asked(once, "denied", at(60))
    assert decision.entries == ()
    assert decision.owed is None


@pytest.mark.parametrize(("said", "when"), [({P2: "denied"}, NOW), ({P1: "alive"}, NOW), ({}, NOW)])
def test_what_is_not_about_it_is_ignored(said: dict[str, Said], when: datetime) -> None:
    """Others' answers, and that somebody lives of whom nothing else was ever said."""
    stimulus = DirectorySaid(said, when, cause("asked"))
    assert decide_principal(make_principal(make_grant()), stimulus, Sight(), rules(), when) is None


def test_what_it_is_granted_while_gone_is_not_folded() -> None:
    """What is left behind is never expected; a grant by event changes nothing of that."""
    assignment = make_assignment("a2", scope=workflow(), created=at(3_700))
    decision = principal_step(gone(), told(assignment.id, time=at(3_700)), assignment, now=at(3_700))
    assert assignment.access.key not in state(decision.book).terms
    assert decision.owed is not None
    assert [look.why for look in decision.owed.looks] == ["grace"]
    again = Again("due-2", cause())
    both = principal_step(decision.book, again, make_assignment(), assignment, complete=[SUB], now=at(3_702))
    assert len(both.book.findings) == 2


def test_who_carries_it_is_not_the_directorys_to_say() -> None:
    """A carried identity that is gone stays carried, and what is narrow stays folded."""
    book = make_principal(make_grant(), carriers=[make_carrier()])
    decision = denied_twice(book, make_assignment())
    after = state(decision.book)
    assert [carrier.carries for carrier in after.carriers.values()] == [True]
    assert all(term.expected for term in after.terms.values())
    assert "still has the identity" in only_finding(decision).title


def test_whoever_is_carried_anew_lives() -> None:
    """A restored identity comes back with its app: what was said of it before says nothing any longer."""
    shed = make_carrier(carries=False, since=at(-60))
    book = make_principal(make_grant(), carriers=[shed], standing=gone_standing())
    decision = principal_step(book, says_carries(version=2), make_assignment(), complete=[SUB], now=at(7_200))
    assert state(decision.book).standing is None
    assert decision.book.findings == {}
    assert decision.owed is not None
    assert decision.owed.index is not None
    assert digests.DIRECTORY in decision.owed.index.digests


def gone_standing() -> Standing:
    """That somebody is gone."""
    standing = state(gone()).standing
    assert standing is not None
    return standing


def test_a_broad_grant_of_a_principal_that_is_gone_is_both() -> None:
    """Both things are wrong with it; taking it away mends both."""
    book = make_principal(make_grant(role=CONTRIBUTOR))
    decision = denied_twice(book, make_assignment(role=CONTRIBUTOR))
    assert {finding.rule for finding in decision.book.findings.values()} == {
        "broad-grant",
        "orphaned-assignment",
    }


def test_the_digest_says_what_the_directory_said() -> None:
    """So that the next question finds out what is new without a book; alive is as never asked."""
    book = make_principal(make_grant())
    seen = [digests.of_book(book, digests.DIRECTORY)]
    answers: tuple[tuple[Said, float], ...] = (
        ("denied", 0),
        ("denied", 3_600),
        ("deleted", 7_200),
        ("alive", 9_000),
    )
    for said, when in answers:
        decision = asked(book, said, at(when))
        assert decision.owed is not None
        assert decision.owed.index is not None
        assert decision.owed.index.digests == (digests.DIRECTORY,)
        book = decision.book
        seen.append(digests.of_book(book, digests.DIRECTORY))
    assert seen == [digests.NOTHING, "denied", "gone", "deleted", digests.NOTHING]
