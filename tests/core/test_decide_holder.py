"""What a stimulus does to an identity holder's book."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from lami.core.decide_holder import decide_holder
from lami.core.ids import ResourceId
from lami.core.model import (
    Absent,
    Acceptance,
    Access,
    Attached,
    Book,
    Carried,
    Cause,
    Decision,
    FailedRuns,
    Finding,
    HolderState,
    OwedLook,
    RoleAssignment,
    Term,
)
from lami.core.persisting import TAKING
from lami.core.stimuli import Accepted, Again, Attaches, IdentityIs, Reconciled, Stimulus, Taken
from lami.errors import Permanent
from tests.core.builders import (
    CONTRIBUTOR,
    ELSEWHERE,
    GRACE,
    NOW,
    OWNER,
    P1,
    P2,
    P3,
    PATIENCE,
    at,
    cause,
    group,
    holder_step,
    identity,
    line_of,
    make_access,
    make_assignment,
    make_holder,
    make_identity_holder,
    make_principal,
    messages,
    only_finding,
    rules,
    says_grants,
    site,
    texts,
    told,
    workflow,
)

APP = make_identity_holder(system=P1, created=at(-1000), changed=at(-10))
AGAIN = make_identity_holder(system=P2, created=at(98), changed=at(99))
"""The app after it was deleted and made again 100 s from now."""
READS = Term(make_access(), "Reader")
CARRIES_P1, CARRIES_P2 = ("carries", P1), ("carries", P2)


def state_of(decision_or_book: Decision | Book) -> HolderState:
    """The holder's state in a book."""
    book = decision_or_book.book if isinstance(decision_or_book, Decision) else decision_or_book
    assert isinstance(book.state, HolderState)
    return book.state


def first_seen() -> Book:
    """The app's book after the app was seen for the first time, with P1."""
    return holder_step(make_holder(), told(workflow()), APP).book


def expecting(*grants: RoleAssignment) -> Book:
    """The app's book once P1 has said what it is granted, and that one access is expected."""
    return holder_step(first_seen(), says_grants(P1, 1, grants, [READS]), now=at(1)).book


def recreated(book: Book) -> Decision:
    """The app was deleted and made again, and only the write is told."""
    return holder_step(book, told(workflow(), time=at(100), id="event-2"), AGAIN, now=at(101))


def accepted(finding: Finding, seconds: float | None = None, id: str = "accept-1") -> Accepted:
    """Somebody accepts a finding, for good or for so many seconds."""
    until = None if seconds is None else at(seconds)
    return Accepted(finding.id, "Dana", "planned", until, cause(id))


def expected(state: HolderState) -> dict[Access, int]:
    """The terms by access, with their counts."""
    return {term.access: term.count for term in state.terms.values()}


# --- looks -----------------------------------------------------------------------------------------


def test_first_sight_is_the_baseline() -> None:
    """A holder first seen has an entry and no finding, and its principal is told."""
    decision = holder_step(make_holder(), told(workflow()), APP)
    state = state_of(decision)
    assert (state.baseline, state.observed, state.known) == (Carried(P1), Carried(P1), True)
    assert not decision.opened
    assert messages(decision) == {CARRIES_P1}
    assert "seen for the first time" in texts(decision)


def owning(stimulus: Stimulus) -> Decision:
    """An app is first seen with an identity, which then says that it owns a subscription."""
    app = make_identity_holder(system=P1, attached={identity(): P2}, created=at(-1000), changed=at(-10))
    first = holder_step(make_holder(HolderState()), stimulus, app).book
    wide = group().parent.parent
    owns = line_of(make_assignment("owns", P2, OWNER, wide, created=at(-2000)))
    return holder_step(first, IdentityIs(identity(), 1, P2, True, (owns,), stimulus.cause), now=at(5))


def test_what_an_app_comes_with_is_judged_once_its_identity_is_heard() -> None:
    """Whoever makes an app acts as its identities; accepted, it is not said again, and the rest stands."""
    decision = owning(told(workflow()))
    finding = only_finding(decision)
    assert (finding.rule, finding.severity, finding.cause.id) == ("identity-churn", "critical", "event-1")
    said = Accepted(finding.id, "Dana", "planned", None, cause("accept"))
    accepted = holder_step(decision.book, said, now=at(60))
    assert [one.status for one in accepted.resolved] == ["accepted"]
    assert state_of(accepted).baseline == state_of(decision).baseline
    assert holder_step(accepted.book, Again("due", cause("due")), now=at(900)).opened == ()


def test_accepting_a_change_says_nothing_of_what_the_app_came_with() -> None:
    """Each is accepted by itself."""
    came = owning(told(workflow()))
    (finding,) = came.book.findings.values()
    changed = make_identity_holder(system=P3, attached={identity(): P2}, created=at(-1000), changed=at(50))
    churned = holder_step(came.book, told(workflow(), time=at(51), id="event-2"), changed, now=at(52))
    other = next(one for one in churned.book.findings.values() if one.id != finding.id)
    done = holder_step(churned.book, Accepted(other.id, "Dana", "planned", None, cause("accept")), now=at(60))
    assert set(done.book.findings) == {finding.id}


@pytest.mark.parametrize(
    "stimulus",
    [Taken("run", cause()), Again("due", replace(cause(), operation=TAKING))],
    ids=["taken", "looked at again because of that"],
)
def test_what_stands_with_the_baseline_came_with_nothing(stimulus: Stimulus) -> None:
    """What an app has when the baseline is taken is expected, however far it reaches."""
    assert owning(stimulus).book.findings == {}


def test_a_redeploy_in_place_says_nothing() -> None:
    """A later write that kept the identity is one entry, that names who did it, and no more."""
    later = replace(APP, changed=at(50))
    decision = holder_step(first_seen(), told(workflow(), time=at(51), id="event-2"), later, now=at(52))
    assert (decision.opened, messages(decision), decision.doubt) == ((), set(), "")
    (entry,) = decision.entries
    assert entry.text == "claims-intake was written; its identities are unchanged"
    assert entry.cause.actor.name == "Dana"


def test_a_recreated_app_is_one_finding_and_both_principals_hear_of_it() -> None:
    """P1 is told that it was shed and P2 that it is carried; the baseline stays."""
    decision = recreated(first_seen())
    assert only_finding(decision).detail == {
        "change": "recreated",
        "principalId": P2,
        "previousPrincipalId": P1,
    }
    assert messages(decision) == {CARRIES_P1, CARRIES_P2}
    assert (state_of(decision).baseline, state_of(decision).observed) == (Carried(P1), Carried(P2))
    entry = decision.entries[0]
    assert (entry.before, entry.after) == ({"principalId": P1}, {"principalId": P2})


def test_a_deleted_app_sheds_its_principal_and_keeps_its_book() -> None:
    """The delete is seen, remembered and a churn; the expected access stays for who comes back."""
    decision = holder_step(expecting(), told(workflow(), "delete", at(100), "event-2"), Absent(), now=at(101))
    state = state_of(decision)
    assert (state.present, state.observed, state.deleted_since) == (False, Carried(), True)
    assert state.gone_at == at(100)
    assert messages(decision) == {CARRIES_P1}
    assert only_finding(decision).detail == {"change": "removed", "previousPrincipalId": P1}
    assert expected(state) == {READS.access: 1}


def test_an_app_that_comes_back_as_it_was_resolves_the_churn() -> None:
    """Once patience has passed even a principal that was shed is believed, and the drift is over."""
    gone = holder_step(first_seen(), told(workflow(), "delete", at(100), "event-2"), Absent(), now=at(101))
    back = holder_step(gone.book, Again("due-1", cause()), APP, now=at(100) + PATIENCE)
    assert [finding.status for finding in back.resolved] == ["resolved"]
    assert state_of(back).observed == Carried(P1)


def test_what_is_not_believed_changes_nothing_but_what_was_told() -> None:
    """The book remembers the event, says so on the timeline, and owes a look for when patience is over."""
    decision = holder_step(first_seen(), told(workflow(), "delete", at(100), "event-2"), APP, now=at(101))
    state = state_of(decision)
    assert decision.doubt == "Azure may show the past: claims-intake is still there"
    assert (state.observed, state.newest, state.deleted_since) == (Carried(P1), at(100), True)
    assert (decision.opened, messages(decision)) == ((), set())
    assert decision.owed is not None
    (look,) = decision.owed.looks
    assert (look.why, look.resource) == ("doubt", workflow().text)
    assert look.at > at(101) + PATIENCE
    assert "lami looks again" in texts(decision)


def test_a_404_after_a_write_is_no_deletion() -> None:
    """An app that is not visible yet has no baseline, no churn, and will be looked at again."""
    decision = holder_step(make_holder(), told(workflow()), Absent())
    assert (state_of(decision).known, decision.opened) == (False, ())
    assert decision.owed is not None
    assert decision.owed.looks


def test_a_late_delete_does_not_undo_a_newer_sight() -> None:
    """The write came first; the delete before it, told late, changes no identity and opens nothing new."""
    new = recreated(first_seen())
    late = holder_step(new.book, told(workflow(), "delete", at(90), "event-3"), AGAIN, now=at(102))
    assert state_of(late).observed == Carried(P2)
    assert (late.opened, late.resolved, messages(late)) == ((), (), set())


def test_either_order_of_delete_and_write_ends_alike() -> None:
    """Delete then write, or write then delete: the same identities and the same finding."""
    delete = told(workflow(), "delete", at(90), "event-3")
    one = recreated(holder_step(first_seen(), delete, Absent(), now=at(91)).book).book
    other = holder_step(recreated(first_seen()).book, delete, AGAIN, now=at(102)).book
    assert one.findings.keys() == other.findings.keys()
    for book in (one, other):
        assert state_of(book).observed == Carried(P2)
        assert [f.detail["change"] for f in book.findings.values()] == ["recreated"]


def test_an_event_from_the_future_does_not_blind() -> None:
    """A forged or skewed time counts as now: what happens after it is believed."""
    forged = holder_step(first_seen(), told(workflow(), time=at(10**8), id="event-2"), APP, now=at(5))
    assert state_of(forged).newest == at(5)
    assert only_finding(recreated(forged.book)).rule == "identity-churn"


def test_drift_found_without_an_event_says_so() -> None:
    """What reconcile finds stands on the timeline as reconciled."""
    decision = holder_step(first_seen(), Reconciled("run", cause()), AGAIN, now=at(3600))
    assert {entry.kind for entry in decision.entries} == {"reconciled", "opened"}


def test_a_restored_app_that_no_event_told_of_is_a_line() -> None:
    """Deleted and made again with the identity that it had, between two runs: reconcile says so."""
    restored = replace(APP, created=at(98), changed=at(99))
    decision = holder_step(first_seen(), Reconciled("run", cause()), restored, now=at(3600))
    (entry,) = decision.entries
    assert (entry.kind, decision.opened) == ("reconciled", ())
    assert "created again, and has the identities that it had" in entry.text


def test_a_look_again_that_finds_nothing_new_says_nothing() -> None:
    """A timer leaves no line where nothing changed."""
    decision = holder_step(first_seen(), Again("due-1", cause()), APP, now=at(600))
    assert (decision.entries, decision.opened, messages(decision)) == ((), (), set())


def test_a_federated_credential_is_an_entry_that_says_what_it_means() -> None:
    """An event of a child is no write of the identity itself, and is told in words."""
    me = make_identity_holder(identity(), system=P1)
    book = holder_step(make_holder(id=identity()), told(identity()), me).book
    child = ResourceId(f"{identity()}/federatedIdentityCredentials/github")
    decision = holder_step(book, told(child, time=at(50), id="event-2"), me, now=at(51))
    assert "was given a federated credential: who holds it can act as it" in texts(decision)
    assert state_of(decision).newest == state_of(book).newest


def test_a_new_owner_is_told_to_the_principals_carried() -> None:
    """The owner tag is found in any casing."""
    tagged = replace(APP, tags={"OWNER": "claims-team"}, changed=at(50))
    decision = holder_step(first_seen(), told(workflow(), time=at(51), id="event-2"), tagged, now=at(52))
    assert state_of(decision).owner == "claims-team"
    assert messages(decision) == {CARRIES_P1}


def test_identities_attached_and_detached_are_told() -> None:
    """Each identity in a watched subscription hears of it once; one elsewhere has no book, so is carried."""
    ours, theirs = identity("ours"), identity("theirs", ELSEWHERE)
    both = make_identity_holder(site(), attached={ours: P1, theirs: P2}, changed=at(-10))
    first = holder_step(make_holder(id=site()), told(site()), both)
    assert messages(first) == {("attached", ours.key), CARRIES_P2}
    none = replace(both, attached=(), changed=at(50))
    shed = holder_step(first.book, told(site(), time=at(51), id="event-2"), none, now=at(52))
    assert messages(shed) == {("attached", ours.key), CARRIES_P2}
    moved = replace(both, attached=(Attached(ours, P3), Attached(theirs, P2)), changed=at(50))
    same = holder_step(first.book, told(site(), time=at(51), id="event-2"), moved, now=at(52))
    assert messages(same) == set()


# --- what principals say ---------------------------------------------------------------------------


def test_what_a_principal_accepted_is_expected() -> None:
    """It is an entry with the access, and the other principals carried are told."""
    decision = holder_step(first_seen(), says_grants(P1, 1, [make_assignment()], [READS]))
    assert expected(state_of(decision)) == {READS.access: 1}
    (entry,) = decision.entries
    assert "is expected to have Reader" in entry.text
    assert entry.after == {
        "roleName": "Reader",
        "roleDefinitionId": READS.access.role,
        "scope": READS.access.scope.text,
        "principalId": P1,
    }
    assert messages(decision) == set()


def test_a_shed_principal_still_teaches_what_is_expected() -> None:
    """What P1 accepted before it was shed is expected of P2, which is told."""
    book = recreated(first_seen()).book
    decision = holder_step(book, says_grants(P1, 1, terms=[READS]), now=at(102))
    assert expected(state_of(decision)) == {READS.access: 1}
    assert messages(decision) == {CARRIES_P2}


@pytest.mark.parametrize("version", [0, 1])
def test_an_older_or_doubled_message_is_nothing(version: int) -> None:
    """Only a newer version counts, and only of a principal this holder has carried."""
    book = expecting()
    assert decide_holder(book, says_grants(P1, version), None, rules(), NOW) is None
    assert decide_holder(book, says_grants(P3, 9), None, rules(), NOW) is None


def test_messages_in_any_order_end_alike() -> None:
    """The later message contains the earlier: with or without it the book holds the same."""
    early, late = says_grants(P1, 1, [], [READS]), says_grants(P1, 2, [make_assignment()], [READS])
    both = holder_step(holder_step(first_seen(), early).book, late)
    one = holder_step(first_seen(), late)
    assert state_of(both).granted == state_of(one).granted
    assert state_of(both).terms == state_of(one).terms


# --- what is missing -------------------------------------------------------------------------------


def test_a_revoked_access_is_missing_from_then_on_and_found_after_grace() -> None:
    """The revocation's own cause is remembered, a look is owed for the end of grace, and then it is found."""
    book = expecting(make_assignment())
    revoked = holder_step(book, says_grants(P1, 2, [], [READS]), now=at(60))
    (term,) = state_of(revoked).terms.values()
    assert (term.missing_since, term.missing_cause) == (at(60), cause("grants"))
    assert not revoked.opened
    assert revoked.owed is not None
    (look,) = revoked.owed.looks
    assert look.why == "grace"
    assert look.at > at(60) + GRACE
    found = holder_step(revoked.book, Again("due-1", cause()), APP, now=look.at)
    assert only_finding(found).rule == "missing-grant"


def test_an_access_given_back_within_grace_was_never_missing() -> None:
    """Nothing opens and nothing is resolved."""
    book = expecting(make_assignment())
    revoked = holder_step(book, says_grants(P1, 2, [], [READS]), now=at(60)).book
    back = holder_step(revoked, says_grants(P1, 3, [make_assignment()], [READS]), now=at(90))
    assert [term.missing_since for term in state_of(back).terms.values()] == [None]
    assert (back.opened, back.resolved) == ((), ())


def test_nothing_is_missing_while_a_successor_has_not_been_heard() -> None:
    """Not known is not absent; the moment P2 is heard, what it lacks is missing from then on."""
    book = recreated(expecting(make_assignment())).book
    assert [term.missing_since for term in state_of(book).terms.values()] == [None]
    heard = holder_step(book, says_grants(P2, 1), now=at(103))
    assert [term.missing_since for term in state_of(heard).terms.values()] == [at(103)]


def test_what_the_predecessor_lacked_is_not_held_against_an_unheard_successor() -> None:
    """P1 lacked it; whether P2 does is not known: the finding of P1 ends and none of P2 opens."""
    lacking = expecting(make_assignment())
    lacking = holder_step(lacking, says_grants(P1, 2, [], [READS]), now=at(2)).book
    lacking = holder_step(lacking, Again("due-1", cause()), APP, now=at(90) + GRACE).book
    assert [finding.rule for finding in lacking.findings.values()] == ["missing-grant"]
    late = make_identity_holder(system=P2, created=at(498), changed=at(499))
    new = holder_step(lacking, told(workflow(), time=at(500), id="event-2"), late, now=at(501))
    assert only_finding(new).rule == "identity-churn"
    granted = holder_step(new.book, says_grants(P2, 1, [make_assignment(principal=P2)], [READS]), now=at(502))
    assert only_finding(granted).rule == "identity-churn"


def test_every_present_principal_must_have_been_heard() -> None:
    """An app with two principals lacks what neither is granted, and nothing while one is unheard."""
    two = make_identity_holder(
        site(), system=P1, attached={identity("theirs", ELSEWHERE): P2}, changed=at(-10)
    )
    book = holder_step(make_holder(id=site()), told(site()), two).book
    one = holder_step(book, says_grants(P1, 1, [], [READS]), now=at(1))
    assert [term.missing_since for term in state_of(one).terms.values()] == [None]
    given = holder_step(one.book, says_grants(P2, 1, [make_assignment(principal=P2)]), now=at(2))
    assert [term.missing_since for term in state_of(given).terms.values()] == [None]
    neither = holder_step(one.book, says_grants(P2, 1), now=at(2))
    assert [term.missing_since for term in state_of(neither).terms.values()] == [at(2)]


def test_a_successors_own_assignment_of_the_same_access_is_enough() -> None:
    """Access is compared by role, scope and condition, not by assignment id."""
    book = recreated(expecting(make_assignment("a1"))).book
    heard = holder_step(book, says_grants(P2, 1, [make_assignment("another", P2)]), now=at(103))
    assert [term.missing_since for term in state_of(heard).terms.values()] == [None]


@pytest.mark.parametrize(
    "other",
    [
        make_assignment(principal=P2, role=CONTRIBUTOR),
        make_assignment(principal=P2, scope=group("rg-other")),
        make_assignment(principal=P2, condition="@Resource[x] StringEquals 'y'"),
    ],
)
def test_another_role_scope_or_condition_is_another_access(other: RoleAssignment) -> None:
    """Something like it is not it."""
    book = recreated(expecting(make_assignment())).book
    heard = holder_step(book, says_grants(P2, 1, [other]), now=at(103))
    assert [term.missing_since for term in state_of(heard).terms.values()] == [at(103)]


def test_a_deleted_app_lacks_nothing() -> None:
    """Nobody is there to be refused."""
    book = holder_step(expecting(make_assignment()), says_grants(P1, 2, [], [READS]), now=at(60)).book
    gone = holder_step(book, told(workflow(), "delete", at(100), "event-2"), Absent(), now=at(101))
    assert [term.missing_since for term in state_of(gone).terms.values()] == [None]


# --- operators -------------------------------------------------------------------------------------


def test_accepting_a_churn_moves_the_baseline() -> None:
    """P2 is expected now; the finding leaves as accepted, with the reason on the timeline."""
    book = recreated(first_seen()).book
    (finding,) = book.findings.values()
    decision = holder_step(book, accepted(finding), now=at(200))
    assert state_of(decision).baseline == Carried(P2)
    (left,) = decision.resolved
    assert (left.status, left.accepted) == ("accepted", Acceptance("Dana", "planned", at(200)))
    assert "Dana accepted" in texts(decision)
    assert "Reason: planned" in texts(decision)


def test_accepting_until_a_day_leaves_the_baseline() -> None:
    """The finding stays, accepted, and a look is owed for that day, on which it is open again."""
    book = recreated(first_seen()).book
    (finding,) = book.findings.values()
    decision = holder_step(book, accepted(finding, 9000), now=at(200))
    assert state_of(decision).baseline == Carried(P1)
    assert only_finding(decision).status == "accepted"
    assert decision.owed is not None
    (look,) = decision.owed.looks
    assert (look.why, look.at >= at(9000)) == ("until", True)
    after = holder_step(decision.book, Again("due-1", cause()), AGAIN, now=look.at)
    assert (only_finding(after).status, after.opened) == ("open", (finding.id,))


def test_a_further_churn_voids_an_acceptance_until_a_day() -> None:
    """P1 to P2 was accepted for a while; P3 is another matter, told under the same id."""
    book = recreated(first_seen()).book
    (finding,) = book.findings.values()
    held = holder_step(book, accepted(finding, 9000), now=at(200)).book
    third = make_identity_holder(system=P3, created=at(298), changed=at(299))
    decision = holder_step(held, told(workflow(), time=at(300), id="event-3"), third, now=at(301))
    again = only_finding(decision)
    assert (again.id, again.status, again.accepted) == (finding.id, "open", None)
    assert again.detail["previousPrincipalId"] == P1
    assert decision.owed is not None
    assert [alert.finding for alert in decision.owed.alerts] == [finding.id]


def test_one_open_churn_a_holder() -> None:
    """P1 to P2 to P3, unaccepted, is one finding with one id, told twice."""
    one = recreated(first_seen())
    third = make_identity_holder(system=P3, created=at(298), changed=at(299))
    two = holder_step(one.book, told(workflow(), time=at(300), id="event-3"), third, now=at(301))
    assert two.book.findings.keys() == one.book.findings.keys()
    assert (two.opened, two.resolved) == ((), ())
    assert two.owed is not None
    assert len(two.owed.alerts) == 1


def test_accepting_a_missing_grant_withdraws_the_access_everywhere() -> None:
    """It is no longer expected here, and the principals carried are told with the higher count."""
    lacking = holder_step(expecting(make_assignment()), says_grants(P1, 2, [], [READS]), now=at(2)).book
    lacking = holder_step(lacking, Again("due-1", cause()), APP, now=at(90) + GRACE).book
    (finding,) = lacking.findings.values()
    decision = holder_step(lacking, accepted(finding), now=at(100) + GRACE)
    assert expected(state_of(decision)) == {READS.access: 2}
    assert [left.status for left in decision.resolved] == ["accepted"]
    assert messages(decision) == {CARRIES_P1}
    late = holder_step(decision.book, says_grants(P1, 3, [], [READS]), now=at(101) + GRACE)
    assert expected(state_of(late)) == {READS.access: 2}
    assert not late.book.findings


def test_accepting_what_is_not_open_is_refused() -> None:
    """It is said, and nothing is decided."""
    book = recreated(first_seen()).book
    (finding,) = book.findings.values()
    done = holder_step(book, accepted(finding), now=at(200)).book
    with pytest.raises(Permanent, match="not open"):
        holder_step(done, accepted(finding, id="accept-2"), now=at(300))


def test_a_baseline_taken_anew_accepts_everything() -> None:
    """With a reason: identities as they are, what is missing withdrawn, every finding accepted."""
    book = recreated(expecting(make_assignment())).book
    book = holder_step(book, says_grants(P2, 1), now=at(103)).book
    book = holder_step(book, Again("due-1", cause()), AGAIN, now=at(110) + GRACE).book
    assert len(book.findings) == 2
    taken = holder_step(book, Taken("run", cause(), "new owner"), AGAIN, now=at(500))
    assert not taken.book.findings
    assert {finding.status for finding in taken.resolved} == {"accepted"}
    assert state_of(taken).baseline == Carried(P2)
    assert expected(state_of(taken)) == {READS.access: 2}
    assert messages(taken) == {CARRIES_P2}


def test_a_baseline_taken_without_a_reason_moves_nothing_that_is_held() -> None:
    """It only adds what lami does not hold."""
    book = recreated(first_seen()).book
    taken = holder_step(book, Taken("run", cause()), AGAIN, now=at(500))
    assert state_of(taken).baseline == Carried(P1)
    assert taken.book.findings == book.findings


# --- shared identities -----------------------------------------------------------------------------


def identity_seen() -> Book:
    """A user-assigned identity's book."""
    me = make_identity_holder(identity(), system=P1)
    return holder_step(make_holder(id=identity()), told(identity()), me).book


def attaches(version: int, attached: bool = True) -> Attaches:
    """An app's message to an identity."""
    return Attaches(workflow(), version, attached, cause("attaches"))


def test_an_identity_learns_who_uses_it() -> None:
    """The app is answered, and the principal hears whose identity it is; an older message is nothing."""
    used = holder_step(identity_seen(), attaches(2))
    assert messages(used) == {("identity", workflow().key), CARRIES_P1}
    assert "claims-intake uses id-claims" in texts(used)
    assert decide_holder(used.book, attaches(2, False), None, rules(), NOW) is None
    left = holder_step(used.book, attaches(3, False))
    assert "claims-intake no longer uses id-claims" in texts(left)
    repeated = holder_step(left.book, attaches(4, False))
    assert (repeated.entries, messages(repeated)) == ((), set())


def test_an_identity_first_heard_of_through_an_app_is_looked_at() -> None:
    """Its first sight and its first user are one commit."""
    me = make_identity_holder(identity(), system=P1)
    decision = holder_step(make_holder(id=identity()), attaches(1), me)
    assert state_of(decision).known
    assert messages(decision) == {("identity", workflow().key), CARRIES_P1}


def test_the_users_of_an_identity_hear_what_it_is_granted() -> None:
    """Whenever its principal or that one's grants change; not when nothing did."""
    used = holder_step(identity_seen(), attaches(1)).book
    granted = holder_step(used, says_grants(P1, 1, [make_assignment()]))
    assert messages(granted) == {("identity", workflow().key)}
    same = holder_step(granted.book, says_grants(P1, 2, [make_assignment()]))
    assert messages(same) == set()
    other = make_identity_holder(identity(), system=P2)
    new = holder_step(granted.book, told(identity(), time=at(50), id="event-2"), other, now=at(51))
    assert messages(new) == {CARRIES_P1, CARRIES_P2, ("identity", workflow().key)}


def test_an_app_keeps_the_newest_word_of_an_identity() -> None:
    """An older one is nothing."""
    news = IdentityIs(identity(), 2, P1, True, (line_of(make_assignment()),), cause())
    book = holder_step(first_seen(), news).book
    (held,) = state_of(book).identities.values()
    assert (held.version, held.principal, held.grants) == (2, P1, news.grants)
    assert decide_holder(book, replace(news, version=1), None, rules(), NOW) is None


def test_an_identity_that_turns_out_to_reach_far_is_told_once_more() -> None:
    """Attached, it is low; once it says what it is granted it is as grave as that, and said twice it is told
    once."""
    there = replace(APP, attached=(Attached(identity(), P2),))
    book = holder_step(first_seen(), told(workflow(), time=at(10), id="event-2"), there, now=at(11)).book
    assert [finding.severity for finding in book.findings.values()] == ["low"]
    owns = line_of(make_assignment(principal=P2, role=OWNER))
    news = IdentityIs(identity(), 1, P2, True, (owns,), cause())
    decision = holder_step(book, news, now=at(12))
    finding = only_finding(decision)
    assert (finding.severity, finding.detail["change"]) == ("high", "added")
    assert decision.owed is not None
    assert [alert.finding for alert in decision.owed.alerts] == [finding.id]
    again = holder_step(decision.book, replace(news, version=2), now=at(13))
    assert again.owed is None or not again.owed.alerts
    later = replace(news, version=3, grants=(replace(owns, made=at(12)),))
    lowered = holder_step(again.book, later, now=at(14))
    assert only_finding(lowered).severity == "low"
    assert lowered.owed is None or not lowered.owed.alerts


# --- the decision as a whole -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "stimulus",
    [told(workflow(), id="event-2"), Again("due-1", cause()), Reconciled("run", cause()), says_grants()],
)
def test_every_decision_bumps_the_version_and_keeps_the_chain(stimulus: Stimulus) -> None:
    """Even one that changes nothing: a redelivery must find its gate, another writer a newer head."""
    book = first_seen()
    look = None if stimulus == says_grants() else APP
    decision = holder_step(book, stimulus, look)
    assert decision.book.version == book.version + 1
    assert decision.book.entries == book.entries + len(decision.entries)
    if decision.entries:
        assert decision.entries[0].previous_hash == book.chain
        assert decision.entries[-1].hash == decision.book.chain


def test_a_drift_that_waits_is_looked_at_again_also_after_its_beginning_moved() -> None:
    """Grace was made longer while drift waited: the look at its old end owes one for its new end."""
    book = expecting(make_assignment())
    revoked = holder_step(book, says_grants(P1, 2, [], [READS]), now=at(60))
    assert revoked.owed is not None
    (look,) = revoked.owed.looks
    longer = rules('[grace]\nmissing-grant = "1h"')
    early = holder_step(revoked.book, Again("due-1", cause()), APP, now=look.at, by=longer)
    assert not early.opened
    assert early.owed is not None
    (later,) = early.owed.looks
    assert isinstance(later, OwedLook)
    found = holder_step(early.book, Again("due-2", cause()), APP, now=later.at, by=longer)
    assert only_finding(found).rule == "missing-grant"


def test_a_suppressed_finding_is_looked_at_when_its_exception_ends() -> None:
    """An exception ends without any event: a look is owed for then, and the finding opens."""
    excepted = rules(
        f"""
[[exception]]
rule = "identity-churn"
subject = "{workflow()}"
what = "recreated"
principal = "{P2}"
reason = "a planned move"
owner = "platform"
until = 2026-11-24T09:00:00Z
"""
    )
    decision = holder_step(
        first_seen(), told(workflow(), time=at(100), id="event-2"), AGAIN, now=at(101), by=excepted
    )
    assert only_finding(decision).status == "suppressed"
    assert decision.owed is not None
    assert not decision.owed.alerts
    (look,) = decision.owed.looks
    assert (look.why, look.at >= at(3600)) == ("until", True)
    after = holder_step(decision.book, Again("due-1", cause()), AGAIN, now=look.at, by=excepted)
    assert only_finding(after).status == "open"


def test_the_wrong_kind_of_book_is_refused() -> None:
    """A wiring fault is said at once."""
    with pytest.raises(TypeError):
        decide_holder(make_principal(), Again("due-1", cause()), None, rules(), NOW)


def test_a_cause_is_kept_with_everything_that_follows_from_it() -> None:
    """Entries, findings and debts of one commit name the same cause."""
    decision = recreated(first_seen())
    why = told(workflow(), time=at(100), id="event-2").cause
    assert isinstance(why, Cause)
    assert {entry.cause for entry in decision.entries} == {why}
    assert decision.owed is not None
    assert (decision.owed.cause, only_finding(decision).cause) == (why, why)


# --- how often it was made anew, and what missing access has done ----------------------------------


def test_a_second_recreation_advises_an_identity_that_survives() -> None:
    """The first does not: one redeploy is no habit."""
    assert state_of(first_seen()).systems == 1
    once = recreated(first_seen())
    assert not any("survives redeploys" in note for note in only_finding(once).notes)
    third = make_identity_holder(system=P3, created=at(198), changed=at(199))
    twice = holder_step(once.book, told(workflow(), time=at(200), id="event-3"), third, now=at(201))
    assert any("survives redeploys" in note for note in only_finding(twice).notes)


def test_each_system_identity_counts_once() -> None:
    """However often it is seen, whatever is told late, and also where it is there again."""
    once = recreated(first_seen()).book
    late = holder_step(once, told(workflow(), "delete", at(50), id="event-3"), AGAIN, now=at(102))
    back = holder_step(late.book, Again("due-1", cause()), replace(APP, changed=at(150)), now=at(151))
    assert [state_of(book).systems for book in (once, late, back)] == [2, 2, 2]


def missing() -> Book:
    """The app's book after its one expected access was revoked."""
    return holder_step(expecting(make_assignment()), says_grants(P1, 2, [], [READS]), now=at(60)).book


def test_failed_runs_are_kept_while_something_is_missing() -> None:
    """As they were last counted: where nobody could count, they stand; where nothing is missing, they go."""
    runs = FailedRuns(at(60), at(400), 3)
    found = holder_step(missing(), Again("due-1", cause()), APP, now=at(400), failed_runs=runs)
    assert only_finding(found).notes[-1] == (
        "Since 2026-11-24 08:01 UTC, 3 runs of it have failed (counted at 2026-11-24 08:06 UTC)."
    )
    uncounted = holder_step(found.book, Again("due-2", cause()), APP, now=at(500))
    assert state_of(uncounted).failed_runs == runs
    back = holder_step(uncounted.book, says_grants(P1, 3, [make_assignment()], [READS]), now=at(600))
    assert state_of(back).failed_runs is None
    late = holder_step(back.book, Again("due-3", cause()), APP, now=at(700), failed_runs=runs)
    assert state_of(late).failed_runs is None
