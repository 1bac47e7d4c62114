"""What a stimulus does to lami's own book."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from msgspec.structs import replace

from lami.core.decide_lami import DAY, decide_lami
from lami.core.model import LAMI, Book, Cause, Decision, LamiState
from lami.core.stimuli import Accepted, Again, Blinded, Sighted, Stimulus, Unannounced
from lami.errors import Permanent
from tests.core.builders import NOW, SUB, at, cause, make_principal, rules

FRESH = Book(LAMI, LamiState())
BLIND = Blinded("graph", "lami cannot ask Microsoft Graph", cause(), ("429",))


def step(book: Book, stimulus: Stimulus, now: datetime = NOW) -> Decision:
    """A decision that changes something."""
    decision = decide_lami(book, stimulus, rules(), now)
    assert decision is not None
    return decision


def missed(run: datetime) -> Unannounced:
    """A run of reconcile, begun at a time, found what no event had told."""
    return Unannounced(SUB, Cause(f"reconcile-{run}", "lami/reconcile", run))


def gaps(decision: Decision) -> dict[str, str]:
    """The kind and status of each finding of the book."""
    return {f.detail["gap"]: f.status for f in decision.book.findings.values()}


def test_a_gap_opens_and_closes_with_its_finding() -> None:
    """Told in words on the timeline, told to channels once, resolved when lami sees again."""
    opened = step(FRESH, BLIND)
    (finding,) = opened.book.findings.values()
    assert (finding.rule, finding.severity, finding.subject.kind) == ("lami-gap", "medium", "lami")
    assert (finding.title, finding.notes) == ("lami cannot ask Microsoft Graph", ("429",))
    assert [entry.kind for entry in opened.entries] == ["gap", "opened"]
    assert opened.owed is not None
    assert [alert.finding for alert in opened.owed.alerts] == [finding.id]
    closed = step(opened.book, Sighted("graph", cause("event-2")))
    assert [entry.kind for entry in closed.entries] == ["gap", "resolved"]
    assert [one.id for one in closed.resolved] == [finding.id]
    assert closed.book.state == LamiState()


def test_a_grace_is_over_with_the_look_at_its_end() -> None:
    """A policy may wait with a gap as with anything else."""
    patient = rules('[grace]\nlami-gap = "10m"')
    said = decide_lami(FRESH, BLIND, patient, NOW)
    assert said is not None
    assert said.owed is not None
    assert said.opened == ()
    (due,) = [look.at for look in said.owed.looks if look.why == "grace"]
    later = decide_lami(said.book, Again("later", cause()), patient, due)
    assert later is not None
    assert [one.rule for one in later.book.findings.values()] == ["lami-gap"]


def test_what_is_said_twice_changes_nothing() -> None:
    """Neither a gap that is known nor an end of none is written."""
    assert decide_lami(step(FRESH, BLIND).book, BLIND, rules(), at(60)) is None
    assert decide_lami(FRESH, Sighted("graph", cause()), rules(), NOW) is None


def test_another_reason_is_noted_and_other_words_are_told_again() -> None:
    """`notes` may change from run to run; `what` is what an alert said."""
    book = step(FRESH, BLIND).book
    noted = step(book, replace(BLIND, notes=("503",)), at(60))
    assert noted.entries == ()
    assert noted.owed is not None
    assert not noted.owed.alerts
    assert [finding.notes for finding in noted.book.findings.values()] == [("503",)]
    told = step(noted.book, replace(BLIND, what="Microsoft Graph denies lami"), at(120))
    assert [entry.kind for entry in told.entries] == ["gap", "opened"]
    assert told.owed is not None
    assert len(told.owed.alerts) == 1
    assert told.book.findings.keys() == book.findings.keys()


def test_what_must_last_becomes_a_gap_when_it_is_said_again() -> None:
    """Before that nothing stands on the timeline, nor when it passes."""
    lasting = replace(BLIND, lasting=timedelta(minutes=10))
    first = step(FRESH, lasting)
    assert (first.entries, dict(first.book.findings)) == ((), {})
    assert decide_lami(first.book, lasting, rules(), at(599)) is None
    over = step(first.book, Sighted("graph", cause()), at(60))
    assert over.entries == ()
    assert gaps(step(first.book, lasting, at(600))) == {"graph": "open"}


def test_events_are_missed_when_two_runs_within_a_day_say_so() -> None:
    """One run, however often it says so, is none; the gap ends a day after the last of them."""
    once = step(FRESH, missed(NOW))
    assert not once.book.findings
    assert decide_lami(once.book, missed(NOW), rules(), NOW) is None
    assert decide_lami(once.book, missed(at(-60)), rules(), NOW) is None
    assert not step(once.book, missed(NOW + DAY + timedelta(seconds=1))).book.findings
    twice = step(once.book, missed(NOW + DAY), NOW + DAY)
    assert gaps(twice) == {"events": "open"}
    (finding,) = twice.book.findings.values()
    assert finding.detail["scope"] == f"/subscriptions/{SUB}"
    assert twice.owed is not None
    (look,) = twice.owed.looks
    again = step(twice.book, missed(at(100_000)), at(100_000))
    assert again.entries == ()
    early = step(again.book, Again("due-1", cause()), look.at)
    assert gaps(early) == {"events": "open"}
    assert again.owed is not None
    late = step(early.book, Again("due-2", cause()), again.owed.looks[0].at)
    assert gaps(late) == {}
    assert [entry.kind for entry in late.entries] == ["gap", "resolved"]


def test_an_accepted_gap_counts_until_it_is_told_in_other_words() -> None:
    """There is no baseline to move: it stays listed as accepted, and what is different opens again."""
    book = step(FRESH, BLIND).book
    (id,) = book.findings
    accepted = step(book, Accepted(id, "Robin", "known outage", None, cause("accept-1")), at(60))
    assert gaps(accepted) == {"graph": "accepted"}
    assert gaps(step(accepted.book, replace(BLIND, notes=("503",)), at(120))) == {"graph": "accepted"}
    assert gaps(step(accepted.book, replace(BLIND, what="denied"), at(180))) == {"graph": "open"}
    with pytest.raises(Permanent, match="f-0 is not open"):
        step(book, Accepted("f-0", "Robin", "because", None, cause("accept-2")))


def test_another_book_is_refused() -> None:
    """A slip in the wiring must not write a principal's book."""
    with pytest.raises(TypeError):
        decide_lami(make_principal(), BLIND, rules(), NOW)
