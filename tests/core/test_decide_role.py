"""What a stimulus does to the book of a role definition."""

from __future__ import annotations

from datetime import datetime

import pytest
from msgspec.structs import replace

from lami.core.decide_role import decide_role
from lami.core.definitions import canonical
from lami.core.draft import Rules
from lami.core.ids import ResourceId
from lami.core.model import (
    Absent,
    Access,
    Book,
    Decision,
    Permission,
    Present,
    RoleDefinition,
    RoleState,
    Subject,
)
from lami.core.stimuli import Accepted, Again, Holds, Reconciled, Stimulus, Taken
from lami.errors import Permanent
from tests.core.builders import (
    CONTRIBUTOR,
    NOW,
    P1,
    P2,
    READER,
    SUB,
    at,
    cause,
    group,
    make_principal,
    only_finding,
    rules,
    told,
)

ROLE = RoleDefinition("d2222222-0000-0000-0000-000000000000", "Claims operator", READER.permissions, True)
WIDER = replace(ROLE, permissions=(Permission(("*",)),))
NARROWER = replace(ROLE, permissions=(Permission(("Microsoft.Storage/*/read",)),))
DEFINITION = ResourceId(f"/subscriptions/{SUB}/providers/Microsoft.Authorization/roleDefinitions/{ROLE.id}")
EVENT = told(DEFINITION)
AGAIN = Again("later", cause())


def step(
    book: Book,
    look: RoleDefinition | Absent | None,
    stimulus: Stimulus = EVENT,
    now: datetime = NOW,
    by: Rules | None = None,
) -> Decision:
    """What the role's book does; fails where the stimulus was ignored as old."""
    shown = Present(look) if isinstance(look, RoleDefinition) else look
    decision = decide_role(book, stimulus, shown, by or rules(), now)
    assert decision is not None
    return decision


def written(role: RoleDefinition, seconds: float) -> RoleDefinition:
    """The role as last written so many seconds after now."""
    return replace(role, changed=at(seconds))


def says_holds(
    principal: str = P1,
    name: str = "claims-intake",
    version: int = 1,
    held: bool = True,
    scope: ResourceId | None = None,
) -> Holds:
    """A principal's message to the role that it holds, or no longer does."""
    accesses = (Access(ROLE.id, scope or group()),) if held else ()
    return Holds(principal, name, True, version, accesses, cause("holds"))


def held() -> Book:
    """The role's book once it was heard that it is held, and seen."""
    return step(FRESH, written(ROLE, -3600), says_holds()).book


def state_of(decision: Decision) -> RoleState:
    """The role's state in the book after a decision."""
    assert isinstance(decision.book.state, RoleState)
    return decision.book.state


FRESH = Book(Subject("role", ROLE.id), RoleState())


def test_first_sight_and_a_write_that_changes_nothing() -> None:
    """What it can do is held, and each write is an entry."""
    first = step(FRESH, ROLE)
    assert (state_of(first).name, state_of(first).powers) == ("Claims operator", ("reads",))
    again = step(first.book, ROLE)
    assert [entry.text for entry in (*first.entries, *again.entries)] == [
        "role Claims operator was written"
    ] * 2
    assert again.entries[0].before == {}


def test_a_role_that_can_do_more_says_what() -> None:
    """The entry has the powers before and after."""
    (entry,) = step(step(FRESH, ROLE).book, WIDER).entries
    assert entry.text == "role Claims operator can do other things now"
    assert entry.before == {"powers": "reads"}
    assert "grants-access" in entry.after["powers"]


def test_a_role_that_is_gone_keeps_its_name() -> None:
    """The entry names it, as the event does not; it can do nothing any longer."""
    gone = step(step(FRESH, ROLE).book, Absent(), told(DEFINITION, "delete", at(5)))
    assert [entry.text for entry in gone.entries] == ["role Claims operator is gone"]
    assert (state_of(gone).name, state_of(gone).powers, state_of(gone).observed) == (
        "Claims operator",
        (),
        None,
    )
    unseen = step(FRESH, Absent(), told(DEFINITION, "delete"))
    assert unseen.entries[0].text == "role d2222222 is gone"


def test_a_role_that_tells_no_times_is_looked_at_again_after_an_event() -> None:
    """The look that an event brings may be of the past; what is no news then is not said."""
    told_of = step(FRESH, ROLE)
    assert told_of.owed is not None
    assert [(one.why, one.at > NOW) for one in told_of.owed.looks] == [("doubt", True)]
    assert step(told_of.book, ROLE, AGAIN).entries == ()
    wider = step(told_of.book, WIDER, AGAIN)
    assert [entry.text for entry in wider.entries] == ["role Claims operator can do other things now"]


def test_what_a_lagging_replica_shows_is_doubted() -> None:
    """A definition older than the one seen, a 404 after a write: nothing changes, it is looked at again."""
    book = step(held(), written(WIDER, 10), told(DEFINITION, time=at(11)), at(12)).book
    for stale in (written(ROLE, -3600), Absent()):
        late = step(book, stale, told(DEFINITION, time=at(13), id="event-3"), at(14))
        assert late.doubt
        assert only_finding(late).status == "open"
        assert state_of(late).observed == canonical(WIDER.permissions)


def test_a_grace_waits_for_the_look_at_its_end() -> None:
    """A message does not end it, as it says nothing of what the role allows; the re-check does."""
    patient = rules('[grace]\nrole-widened = "5m"')
    wider = step(held(), written(WIDER, 10), told(DEFINITION, time=at(11)), at(12), patient)
    assert (wider.opened, wider.owed is not None) == ((), True)
    due = next(look.at for look in wider.owed.looks if look.why == "grace") if wider.owed else NOW
    assert due >= at(12 + 300)
    heard = step(wider.book, None, says_holds(P2), due, patient)
    assert heard.opened == ()
    assert only_finding(step(heard.book, written(WIDER, 10), AGAIN, due, patient)).rule == "role-widened"
    mended = step(heard.book, written(ROLE, 20), AGAIN, due, patient)
    assert (mended.opened, mended.owed.looks if mended.owed else ()) == ((), ())


# --- who holds it, and what is expected -----------------------------------------------------------


def test_the_baseline_is_what_the_role_allowed_when_it_was_first_heard_of() -> None:
    """A principal says that it holds the role, and the role is looked at."""
    first = step(FRESH, ROLE, says_holds())
    assert state_of(first).expected == canonical(ROLE.permissions)
    assert [entry.text for entry in first.entries] == ["role Claims operator is seen for the first time"]
    assert not first.book.findings
    unread = step(FRESH, None, says_holds())
    assert unread.owed is not None
    assert [(one.why, one.resource) for one in unread.owed.looks] == [("doubt", DEFINITION.text)]


def test_a_wider_role_is_one_finding_for_all_who_hold_it() -> None:
    """It names them, by the newest word of each; the baseline waits for somebody to accept."""
    book = step(held(), None, says_holds(P2, "other", scope=group("rg-other"))).book
    wider = step(book, WIDER)
    finding = only_finding(wider)
    assert (finding.rule, finding.cause.id, finding.detail["gained"]) == ("role-widened", "event-1", "*")
    assert "and 1 other" in finding.title
    assert state_of(wider).expected == canonical(ROLE.permissions)
    less = step(wider.book, None, says_holds(P2, "other", 2, held=False))
    assert "other" not in only_finding(less).title
    assert less.owed is None or less.owed.alerts == ()


@pytest.mark.parametrize("version", [1, 2])
def test_an_older_or_doubled_word_is_nothing(version: int) -> None:
    """Each principal's newest word counts."""
    book = step(held(), None, says_holds(version=2, held=False)).book
    assert decide_role(book, says_holds(version=version), None, rules(), NOW) is None


def test_narrowed_again_it_resolves_and_what_is_narrower_is_expected() -> None:
    """What allows nothing more is taken into the baseline at once; to be as wide again is a widening."""
    wider = step(held(), WIDER)
    back = step(wider.book, ROLE, told(DEFINITION, time=at(20), id="event-2"), at(21))
    assert [left.status for left in back.resolved] == ["resolved"]
    narrower = step(back.book, NARROWER, told(DEFINITION, time=at(30), id="event-3"), at(31))
    assert state_of(narrower).expected == canonical(NARROWER.permissions)
    again = step(narrower.book, ROLE, told(DEFINITION, time=at(40), id="event-4"), at(41))
    assert only_finding(again).detail["gained"] == "*/read"


def test_a_role_that_nobody_holds_or_that_is_built_in_has_no_finding() -> None:
    """Its baseline goes along; whoever is granted it then is judged by its reach."""
    for book in (step(FRESH, ROLE).book, step(held(), None, says_holds(version=2, held=False)).book):
        assert not step(book, WIDER).book.findings
        assert state_of(step(book, WIDER)).expected == canonical(WIDER.permissions)
    widened = step(held(), WIDER).book
    assert [left.rule for left in step(widened, None, says_holds(version=2, held=False)).resolved] == [
        "role-widened"
    ]
    built_in = step(held(), replace(WIDER, custom=False))
    assert not built_in.book.findings


def test_accepting_it_moves_the_baseline() -> None:
    """With an end it does not."""
    wider = step(held(), WIDER)
    yes = Accepted(only_finding(wider).id, "Dana", "planned", None, cause("accept"))
    done = step(wider.book, None, yes)
    assert [left.status for left in done.resolved] == ["accepted"]
    assert state_of(done).expected == canonical(WIDER.permissions)
    later = step(wider.book, None, replace(yes, until=at(900)))
    assert only_finding(later).status == "accepted"
    with pytest.raises(Permanent, match="not open"):
        step(done.book, None, replace(yes, cause=cause("accept-2")))


def test_a_baseline_taken_anew_accepts_it() -> None:
    """With a reason only."""
    wider = step(held(), WIDER).book
    assert step(wider, WIDER, Taken("run", cause())).book.findings
    taken = step(wider, WIDER, Taken("run", cause(), "audited"))
    assert [left.status for left in taken.resolved] == ["accepted"]


def test_its_digest_is_owed_when_what_it_allows_or_whether_it_is_held_changes() -> None:
    """Reconcile compares it with what the listings show of the roles that are held."""
    for decision in (step(FRESH, ROLE), step(FRESH, ROLE, says_holds()), step(held(), WIDER)):
        assert decision.owed is not None
        assert decision.owed.index is not None
        assert decision.owed.index.digests == ("",)
    again = step(held(), ROLE, AGAIN)
    assert again.owed is None or again.owed.index is None


def test_a_role_that_cannot_be_read_is_judged_by_the_list() -> None:
    """What Microsoft calls privileged is known without asking, and the book says it was not read."""
    unread = state_of(step(FRESH, replace(CONTRIBUTOR, permissions=None)))
    assert "writes-all" in unread.powers
    assert not unread.readable


def test_drift_found_without_an_event_says_so() -> None:
    """What reconcile finds stands on the timeline as reconciled."""
    decision = step(FRESH, ROLE, Reconciled("run", cause()))
    assert [entry.kind for entry in decision.entries] == ["reconciled"]


def test_the_wrong_kind_of_book_is_refused() -> None:
    """A wiring fault is said at once."""
    with pytest.raises(TypeError):
        step(make_principal(), ROLE)
