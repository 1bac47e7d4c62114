"""What a stimulus does to a principal's book."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace

from lami.core.decide_principal import Sight, decide_principal
from lami.core.ids import ResourceId
from lami.core.model import (
    Absent,
    Acceptance,
    Access,
    Book,
    Decision,
    Finding,
    Grant,
    Permission,
    PrincipalState,
    Term,
)
from lami.core.persisting import TAKING
from lami.core.stimuli import Accepted, Again, Reconciled, Stimulus, Taken
from lami.errors import Permanent
from tests.core.builders import (
    CONTRIBUTOR,
    ELSEWHERE,
    GRACE,
    NOW,
    OWNER,
    P1,
    P2,
    PATIENCE,
    READER,
    SUB,
    assignment_id,
    at,
    cause,
    group,
    identity,
    make_access,
    make_assignment,
    make_grant,
    make_holder,
    make_principal,
    messages,
    only_finding,
    principal_step,
    rules,
    says_carries,
    texts,
    told,
    workflow,
)

A1 = assignment_id("a1")
GONE = (A1, Absent())
TO_APP = ("grants", workflow().key)
READS = Term(make_access(), "Reader")
AGAIN = Again("due-1", cause("due"))


def state_of(decision_or_book: Decision | Book) -> PrincipalState:
    """The principal's state in a book."""
    book = decision_or_book.book if isinstance(decision_or_book, Decision) else decision_or_book
    assert isinstance(book.state, PrincipalState)
    return book.state


def grant_of(decision_or_book: Decision | Book, name: str = "a1") -> Grant:
    """The grant that a book holds under an assignment's name."""
    return state_of(decision_or_book).grants[assignment_id(name).key]


def counts(decision_or_book: Decision | Book) -> dict[Access, int]:
    """The terms by access, with their counts."""
    return {term.access: term.count for term in state_of(decision_or_book).terms.values()}


def carried(book: Book | None = None) -> Book:
    """A principal's book after an app said that it carries it."""
    return principal_step(book or make_principal(), says_carries(), now=at(-500)).book


def with_grant(book: Book | None = None) -> Book:
    """A carried principal's book with a narrow grant, an hour old."""
    return principal_step(book or carried(), told(A1, time=at(-3599)), make_assignment(), now=at(-3598)).book


def shed(book: Book, seconds: float = 0) -> Decision:
    """The app says that it has shed the principal."""
    return principal_step(book, says_carries(2, carries=False), now=at(seconds))


def accepted(finding: Finding, seconds: float | None = None, id: str = "accept-1") -> Accepted:
    """Somebody accepts a finding, for good or for so many seconds."""
    return Accepted(finding.id, "Dana", "planned", None if seconds is None else at(seconds), cause(id))


def looks(decision: Decision) -> set[str]:
    """Why later looks are owed."""
    return {look.why for look in (decision.owed.looks if decision.owed else ())}


# --- looks -----------------------------------------------------------------------------------------


def test_a_narrow_grant_is_recorded_and_expected() -> None:
    """An entry says role, scope and principal; nothing opens, and the holder is told."""
    decision = principal_step(carried(), told(A1, time=at(-1)), make_assignment(created=at(-2)))
    assert decision.opened == ()
    assert counts(decision) == {READS.access: 1}
    assert messages(decision) == {TO_APP}
    (entry,) = decision.entries
    assert entry.text == "claims-intake was granted Reader at resource group rg-claims"
    assert (entry.after["roleName"], entry.after["scope"]) == ("Reader", group().text)
    assert (entry.after["principalId"], entry.after["assignmentId"]) == (P1, A1.text)
    assert entry.cause.actor.name == "Dana"


def test_a_broad_grant_is_found_and_not_expected() -> None:
    """It opens at once, and the baseline does not take it in."""
    broad = make_assignment(role=CONTRIBUTOR, scope=group().parent.parent, created=at(-2))
    decision = principal_step(carried(), told(broad.id, time=at(-1)), broad)
    assert only_finding(decision).rule == "broad-grant"
    assert counts(decision) == {}
    assert decision.owed is not None
    assert [alert.finding for alert in decision.owed.alerts] == list(decision.opened)


def test_the_deletion_of_a_known_grant_says_what_was_removed() -> None:
    """The event names neither role nor principal; the entry has both, and the scope, from the book."""
    decision = principal_step(with_grant(), told(A1, "delete", at(-1), "event-2"), GONE)
    (entry,) = decision.entries
    assert entry.text == "Reader at resource group rg-claims was taken from claims-intake"
    assert entry.before == {
        "principalId": P1,
        "roleName": "Reader",
        "roleDefinitionId": READER.id,
        "scope": group().text,
        "assignmentId": A1.text,
        "createdBy": "somebody",
    }
    assert entry.cause.actor.name == "Dana"
    assert not grant_of(decision).present
    assert counts(decision) == {READS.access: 1}
    assert messages(decision) == {TO_APP}


def test_the_deletion_of_an_unknown_grant_is_nothing() -> None:
    """There is nothing to say and nothing to hold."""
    decision = principal_step(carried(), told(A1, "delete", at(-1), "event-2"), GONE)
    assert (decision.entries, dict(state_of(decision).grants)) == ((), {})


def test_a_deletion_resolves_what_was_found_of_the_grant() -> None:
    """The broad grant is gone, and with it its finding."""
    broad = make_assignment(role=OWNER, created=at(-60))
    book = principal_step(carried(), told(A1, time=at(-59)), broad, now=at(-58)).book
    decision = principal_step(book, told(A1, "delete", at(50), "event-2"), GONE, now=at(51))
    assert [finding.status for finding in decision.resolved] == ["resolved"]


def test_a_lagging_look_cannot_bring_a_dead_grant_back() -> None:
    """The absence is remembered: the same assignment, shown again, is doubted."""
    gone = principal_step(with_grant(), told(A1, "delete", at(-1), "event-2"), GONE).book
    decision = principal_step(gone, told(A1, time=at(-1), id="event-3"), make_assignment())
    assert not grant_of(decision).present
    assert decision.doubt
    assert looks(decision) == {"doubt"}


def test_an_assignment_made_again_under_its_name_is_a_new_grant() -> None:
    """It is newer than the absence, so it is believed, with its own cause."""
    gone = principal_step(with_grant(), told(A1, "delete", at(-50), "event-2"), GONE).book
    again = make_assignment(created=at(-40))
    decision = principal_step(gone, told(A1, time=at(-39), id="event-3"), again)
    assert grant_of(decision).present
    assert grant_of(decision).cause.id == "event-3"
    assert "was granted" in texts(decision)


def test_a_write_that_changed_nothing_leaves_a_line_and_no_message() -> None:
    """Who touched it is on the timeline."""
    touched = make_assignment(changed=at(-2))
    decision = principal_step(with_grant(), told(A1, time=at(-1), id="event-2"), touched)
    assert "was written again; nothing changed" in texts(decision)
    assert messages(decision) == set()
    assert grant_of(decision).cause.id == "event-1"


def test_a_late_delete_of_what_stands_is_not_called_a_write() -> None:
    """The assignment was deleted and made again, and the delete is told last: the line says so."""
    again = make_assignment(created=at(-40))
    book = principal_step(with_grant(), told(A1, time=at(-39), id="event-3"), again, now=at(-38)).book
    decision = principal_step(book, told(A1, "delete", at(-50), "event-2"), again)
    assert grant_of(decision).present
    assert "written" not in texts(decision)
    assert "was deleted before it was made again" in texts(decision)


def test_a_changed_condition_is_another_access_of_another_cause() -> None:
    """Whoever took the condition away answers for what the grant now allows, not whoever made it."""
    condition = "@Resource[x] StringEquals 'y'"
    narrow = make_assignment(role=OWNER, condition=condition)
    book = principal_step(carried(), told(A1, time=at(-3599)), narrow, now=at(-3598)).book
    wide = make_assignment(role=OWNER, changed=at(-2))
    decision = principal_step(book, told(A1, time=at(-1), id="event-2"), wide)
    (finding,) = (f for f in decision.book.findings.values() if f.id in decision.opened)
    assert finding.cause.id == "event-2"
    (entry, *_) = decision.entries
    assert entry.before["condition"] == condition
    assert "condition" not in entry.after


def test_a_complete_listing_shows_what_is_gone() -> None:
    """What is held in a listed subscription and not listed is gone; elsewhere nothing is concluded."""
    here, there = make_grant("a1"), make_grant("a2", scope=group(subscription=ELSEWHERE))
    book = carried(make_principal(here, there))
    decision = principal_step(book, AGAIN, complete=[SUB])
    assert not grant_of(decision).present
    assert state_of(decision).grants[there.id.key].present


def test_a_grant_above_is_gone_only_where_no_watched_subscription_shows_it() -> None:
    """A management group is above some subscriptions and not above others; its id does not say which."""
    above = make_grant("a1", scope=ResourceId("/providers/Microsoft.Management/managementGroups/mg"))
    book, both = carried(make_principal(above)), rules(watched=(SUB, ELSEWHERE))
    elsewhere = principal_step(book, AGAIN, complete=[ELSEWHERE], by=both)
    assert state_of(elsewhere).grants[above.id.key].present
    everywhere = principal_step(book, AGAIN, complete=[SUB, ELSEWHERE], by=both)
    assert not state_of(everywhere).grants[above.id.key].present


def test_a_single_look_concludes_nothing_of_other_grants() -> None:
    """Only a listing is complete."""
    book = carried(make_principal(make_grant("a1"), make_grant("a2")))
    decision = principal_step(book, told(A1, "delete", at(-1), "event-2"), GONE)
    assert grant_of(decision, "a2").present


def test_a_listing_that_lags_retires_nobody() -> None:
    """A grant told of a moment ago and not listed is doubted."""
    fresh = make_assignment(created=at(-2))
    book = principal_step(carried(), told(A1, time=at(-1)), fresh).book
    decision = principal_step(book, AGAIN, complete=[SUB], now=at(1))
    assert grant_of(decision).present
    assert looks(decision) == {"doubt"}


# --- a name used again -----------------------------------------------------------------------------


def test_a_name_used_again_for_another_principal_takes_the_grant_away() -> None:
    """What ARM shows under the name is newer and another's: ours is gone, with an entry that says what."""
    theirs = make_assignment(principal=P2, created=at(-5))
    decision = principal_step(with_grant(), told(A1, time=at(-4), id="event-2"), theirs)
    assert not grant_of(decision).present
    assert decision.entries[0].before["roleName"] == "Reader"
    assert decision.doubt == ""
    late = principal_step(decision.book, told(A1, "delete", at(-6), "event-3"), theirs)
    assert (late.entries, late.doubt) == ((), "")


def test_a_name_that_was_used_before_ours_takes_nothing_away() -> None:
    """Another's assignment that is older than ours, which is new, is the past."""
    ours = make_assignment(created=at(-20))
    book = principal_step(carried(), told(A1, time=at(-19)), ours, now=at(-18)).book
    theirs = make_assignment(principal=P2, created=at(-90))
    decision = principal_step(book, told(A1, time=at(-4), id="event-2"), theirs)
    assert grant_of(decision).present
    assert looks(decision) == {"doubt"}


@pytest.mark.parametrize("book", [carried(), carried(make_principal(make_grant(present=False)))])
def test_the_write_of_anothers_assignment_keeps_nobody_waiting(book: Book) -> None:
    """What the event reports is not ours; where ours was never seen, one later look makes sure of it."""
    theirs = make_assignment(principal=P2, created=at(-5))
    decision = principal_step(book, told(A1, time=at(-4), id="event-2"), theirs)
    never_seen = isinstance(book.state, PrincipalState) and not book.state.grants
    assert (decision.doubt, decision.entries) == ("", ())
    assert looks(decision) == ({"doubt"} if never_seen else set())


def test_anothers_assignment_is_never_folded() -> None:
    """Neither its access nor its type becomes ours."""
    theirs = replace(make_assignment(principal=P2), principal_type="User")
    decision = principal_step(make_principal(), AGAIN, theirs)
    assert (dict(state_of(decision).grants), counts(decision)) == ({}, {})
    assert state_of(decision).type == "ServicePrincipal"


# --- holders ---------------------------------------------------------------------------------------


def test_what_a_holder_expects_is_accepted() -> None:
    """Its terms are merged, so that a grant it expects is no finding; the holder is answered."""
    term = Term(make_access(OWNER), "Owner")
    decision = principal_step(make_principal(), says_carries(terms=[term]))
    assert counts(decision) == {term.access: 1}
    assert messages(decision) == {TO_APP}
    granted = principal_step(
        decision.book, told(A1, time=at(-1)), make_assignment(role=OWNER, created=at(-2))
    )
    assert granted.opened == ()


def test_other_holders_hear_what_one_expects() -> None:
    """A second carrier learns it, and the one that said it is not told its own words."""
    other = workflow("other")
    book = principal_step(carried(), says_carries(holder=other)).book
    decision = principal_step(book, says_carries(2, terms=[READS]))
    assert messages(decision) == {("grants", other.key)}


@pytest.mark.parametrize("version", [0, 1])
def test_an_older_or_doubled_word_of_a_holder_is_nothing(version: int) -> None:
    """Versions are each holder's own."""
    assert decide_principal(carried(), says_carries(version), Sight(), rules(), NOW) is None
    assert principal_step(carried(), says_carries(version, holder=workflow("other"))).entries


def test_a_withdrawal_reaches_the_principal_and_what_it_holds_is_judged_anew() -> None:
    """Accepting a missing grant elsewhere withdraws it here: broad and held, it is a finding again."""
    term = Term(make_access(OWNER), "Owner")
    book = principal_step(make_principal(make_grant(role=OWNER)), says_carries(terms=[term])).book
    assert not book.findings
    decision = principal_step(book, says_carries(2, terms=[replace(term, count=2)]))
    assert only_finding(decision).rule == "broad-grant"


def test_what_is_left_behind_waits_for_grace_and_is_then_found() -> None:
    """Shed by its last holder: a look is owed for the end of grace, and then each grant is a finding."""
    book = with_grant()
    decision = shed(book)
    assert "was shed by claims-intake" in texts(decision)
    assert (decision.opened, looks(decision)) == ((), {"grace"})
    assert decision.owed is not None
    (look,) = decision.owed.looks
    found = principal_step(decision.book, AGAIN, make_assignment(), complete=[SUB], now=look.at)
    assert only_finding(found).rule == "orphaned-assignment"
    assert look.at > NOW + GRACE


def test_nothing_is_left_behind_while_somebody_carries_it() -> None:
    """A second holder keeps it alive; taken up again, the finding is resolved."""
    book = principal_step(with_grant(), says_carries(holder=identity())).book
    assert looks(shed(book)) == set()
    alone = shed(with_grant()).book
    found = principal_step(alone, AGAIN, make_assignment(), complete=[SUB], now=at(400)).book
    assert found.findings
    back = principal_step(found, says_carries(3), now=at(500))
    assert [finding.status for finding in back.resolved] == ["resolved"]


def test_grace_that_began_anew_is_waited_for() -> None:
    """A second holder that has shed it too is heard of later: a look is owed for the end of its grace."""
    first = shed(with_grant()).book
    second = principal_step(first, says_carries(1, carries=False, holder=identity()), now=at(120))
    assert second.owed is not None
    early = principal_step(second.book, AGAIN, make_assignment(), complete=[SUB], now=at(301))
    assert not early.opened
    assert early.owed is not None
    (look,) = early.owed.looks
    found = principal_step(early.book, AGAIN, make_assignment(), complete=[SUB], now=look.at)
    assert only_finding(found).rule == "orphaned-assignment"


def test_a_grant_made_to_a_shed_principal_is_not_expected() -> None:
    """Nothing is folded while it is shed."""
    book = shed(carried()).book
    decision = principal_step(
        book, told(A1, time=at(1), id="event-2"), make_assignment(created=NOW), now=at(2)
    )
    assert counts(decision) == {}


def test_holders_are_told_where_a_role_can_do_more() -> None:
    """The assignment is as it was, and its role was changed; seen as it is known, it is told to nobody."""
    tidier, wider = (replace(READER, permissions=(Permission((one,)),)) for one in ("a/read", "*"))
    book = principal_step(carried(), AGAIN, make_assignment(role=tidier), complete=[SUB]).book
    same = principal_step(book, AGAIN, make_assignment(role=tidier), complete=[SUB], now=at(5))
    assert messages(same) == set()
    more = principal_step(book, AGAIN, make_assignment(role=wider), complete=[SUB], now=at(5))
    assert messages(more) == {("grants", workflow().key)}


def test_holders_that_have_shed_it_are_still_told() -> None:
    """What a shed principal is granted, and what it accepted, is news for whoever comes after it."""
    book = shed(with_grant()).book
    decision = principal_step(book, told(A1, "delete", at(50), "event-2"), GONE, now=at(51))
    assert messages(decision) == {TO_APP}


@pytest.mark.parametrize("text", ['[watch]\nprincipals = "holders"', '[watch]\nnew-grants = "alert"'])
def test_a_grant_told_before_its_carrier_is_judged_as_one_told_after(text: str) -> None:
    """Where only logic apps' identities are judged, the order in which lami learns of both is no matter."""
    by = rules(text)
    role = OWNER if "holders" in text else READER
    grant = make_assignment(role=role, created=at(-2))
    event = told(A1, time=at(-1))
    first = principal_step(make_principal(), event, grant, by=by)
    assert not first.book.findings
    one = principal_step(first.book, says_carries(), by=by).book
    carried_first = principal_step(make_principal(), says_carries(), by=by).book
    other = principal_step(carried_first, event, grant, by=by).book
    assert one.findings.keys() == other.findings.keys() != set()
    assert counts(one) == counts(other)


# --- operators -------------------------------------------------------------------------------------


def broad() -> Book:
    """A carried principal's book with a broad grant that is found."""
    wide = make_assignment(role=OWNER, created=at(-60))
    return principal_step(carried(), told(A1, time=at(-59)), wide, now=at(-58)).book


def orphaned() -> Book:
    """A shed principal's book with a grant that is found left behind."""
    book = shed(with_grant()).book
    return principal_step(book, AGAIN, make_assignment(), complete=[SUB], now=at(400)).book


def test_accepting_a_broad_grant_makes_its_access_expected() -> None:
    """The finding leaves as accepted, and the holder hears what is accepted now."""
    (finding,) = broad().findings.values()
    decision = principal_step(broad(), accepted(finding))
    assert counts(decision) == {make_access(OWNER): 1}
    assert [(left.status, left.accepted) for left in decision.resolved] == [
        ("accepted", Acceptance("Dana", "planned", NOW))
    ]
    assert messages(decision) == {TO_APP}


def test_accepting_until_a_day_moves_nothing() -> None:
    """The finding stays, accepted until then, and a look is owed for that day."""
    (finding,) = broad().findings.values()
    decision = principal_step(broad(), accepted(finding, 3600))
    assert counts(decision) == {}
    assert only_finding(decision).status == "accepted"
    assert looks(decision) == {"until"}
    after = principal_step(
        decision.book, AGAIN, make_assignment(role=OWNER, created=at(-60)), complete=[SUB], now=at(3600)
    )
    assert (only_finding(after).status, after.opened) == ("open", (finding.id,))


def test_accepting_an_orphan_tolerates_that_assignment_and_no_later_one() -> None:
    """The same name, made again, is a finding of its own."""
    (finding,) = orphaned().findings.values()
    decision = principal_step(orphaned(), accepted(finding), now=at(401))
    assert grant_of(decision).tolerated
    assert not decision.book.findings
    again = make_assignment(created=at(450))
    book = principal_step(decision.book, told(A1, "delete", at(440), "event-2"), again, now=at(452)).book
    made = principal_step(book, told(A1, time=at(451), id="event-3"), again, now=at(452))
    assert not made.book.findings
    assert made.owed is not None
    due = next(look.at for look in made.owed.looks if look.why == "grace")
    (other,) = principal_step(made.book, AGAIN, again, complete=[SUB], now=due).book.findings.values()
    assert other.id != finding.id


def test_writing_a_grant_again_does_not_begin_its_grace_anew() -> None:
    """Whoever holds Owner could put off being told for ever by writing its description every few minutes."""
    patient, book = rules('[grace]\nbroad-grant = "10m"'), make_principal()
    for minute in (0, 6, 12):
        made = make_assignment(role=OWNER, created=at(0), changed=at(60 * minute))
        what = told(A1, time=at(60 * minute), id=f"event-{minute}")
        book = principal_step(book, what, made, now=at(60 * minute + 1), by=patient).book
    assert not book.findings
    looked = principal_step(book, AGAIN, made, complete=[SUB], now=at(60 * 12 + 2), by=patient)
    assert only_finding(looked).rule == "broad-grant"


def test_accepting_what_is_not_open_is_refused() -> None:
    """It is said, and nothing is decided."""
    (finding,) = broad().findings.values()
    done = principal_step(broad(), accepted(finding)).book
    with pytest.raises(Permanent, match="not open"):
        principal_step(done, accepted(finding, id="accept-2"))


def test_the_first_baseline_expects_what_stands() -> None:
    """Broad grants too, for a principal that lami has not seen before; later ones are judged."""
    fresh = replace(make_principal(), version=0)
    decision = principal_step(fresh, Taken("run", cause()), make_assignment(role=OWNER), complete=[SUB])
    assert (decision.opened, counts(decision)) == ((), {make_access(OWNER): 1})
    later = make_assignment("a2", role=CONTRIBUTOR, created=at(8))
    assert principal_step(decision.book, told(later.id, time=at(9)), later, now=at(10)).opened


def test_what_a_holder_that_is_taken_tells_of_belongs_to_the_baseline_too() -> None:
    """The principal itself could not be read when its turn was: what stands is no news for that."""
    fresh = replace(make_principal(), version=0)
    takes = replace(says_carries(), cause=replace(cause("take-1"), operation=TAKING))
    wide = make_assignment(role=OWNER)
    decision = principal_step(fresh, takes, wide, complete=[SUB])
    assert decision.opened == ()
    assert counts(decision) == {wide.access: 1}
    later = principal_step(carried(), replace(takes, version=2, terms={}), wide, complete=[SUB])
    assert only_finding(later).rule == "broad-grant", "a book that was written before is no part of it"
    told_later = principal_step(fresh, says_carries(), wide, complete=[SUB])
    assert only_finding(told_later).rule == "broad-grant"


def test_a_baseline_taken_again_moves_only_with_a_reason() -> None:
    """Without one the finding stands; with one it is accepted with the baseline."""
    wide = make_assignment(role=OWNER, created=at(-60))
    stands = principal_step(broad(), Taken("run", cause()), wide, complete=[SUB])
    assert stands.book.findings.keys() == broad().findings.keys()
    moved = principal_step(broad(), Taken("run", cause(), "audited"), wide, complete=[SUB])
    assert [left.status for left in moved.resolved] == ["accepted"]
    assert counts(moved) == {make_access(OWNER): 1}


def test_what_is_orphaned_never_belongs_to_a_baseline() -> None:
    """Taking the baseline anew leaves it open."""
    decision = principal_step(
        orphaned(), Taken("run", cause(), "audited"), make_assignment(), complete=[SUB], now=at(500)
    )
    assert only_finding(decision).status == "open"


# --- the decision as a whole -----------------------------------------------------------------------


@pytest.mark.parametrize("stimulus", [AGAIN, Reconciled("run", cause()), Taken("run", cause())])
def test_what_changes_nothing_says_nothing(stimulus: Stimulus) -> None:
    """The version goes up, and that is all."""
    book = with_grant()
    decision = principal_step(book, stimulus, make_assignment(), complete=[SUB])
    assert (decision.entries, decision.opened, messages(decision)) == ((), (), set())
    assert decision.book.version == book.version + 1


def test_learning_it_twice_changes_nothing() -> None:
    """The same event, told under another id after patience: same state but for what was told."""
    book = with_grant()
    late = book
    decision = principal_step(
        late, told(A1, time=at(-3599), id="event-9"), make_assignment(), now=NOW + timedelta(days=1)
    )
    assert state_of(decision) == state_of(book)
    assert (decision.opened, messages(decision)) == ((), set())


def test_an_event_from_the_future_does_not_blind() -> None:
    """A forged or skewed time counts as now, so the real deletion is believed afterwards."""
    forged = principal_step(with_grant(), told(A1, time=at(10**8), id="event-2"), make_assignment())
    assert grant_of(forged).newest == NOW
    gone = principal_step(forged.book, told(A1, "delete", at(30), "event-3"), GONE, now=at(31))
    assert not grant_of(gone).present


def test_patience_ends_the_doubt_of_a_missing_grant() -> None:
    """A 404 that stays is believed in the end, without any delete event."""
    fresh = make_assignment(created=at(-2))
    book = principal_step(carried(), told(A1, time=at(-1)), fresh).book
    doubted = principal_step(book, AGAIN, GONE, now=at(1))
    assert grant_of(doubted).present
    gone = principal_step(doubted.book, Again("due-2", cause()), GONE, now=at(1) + PATIENCE)
    assert not grant_of(gone).present


def test_the_wrong_kind_of_book_is_refused() -> None:
    """A wiring fault is said at once."""
    with pytest.raises(TypeError):
        decide_principal(make_holder(), AGAIN, Sight(), rules(), NOW)
