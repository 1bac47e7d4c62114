"""What a stimulus does to the book of a role definition."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from lami.core.decide_role import decide_role
from lami.core.model import Absent, Book, Decision, Permission, Present, RoleDefinition, RoleState, Subject
from lami.core.stimuli import Again, Reconciled
from tests.core.builders import CONTRIBUTOR, NOW, READER, cause, group, make_principal, rules, told

ROLE = RoleDefinition("d2222222-0000-0000-0000-000000000000", "Claims operator", READER.permissions, True)
WIDER = replace(ROLE, permissions=(Permission(("*",)),))
EVENT = told(group())


def step(book: Book, look: RoleDefinition | Absent) -> Decision:
    """The role's definition was written or deleted."""
    shown = look if isinstance(look, Absent) else Present(look)
    return decide_role(book, EVENT, shown, rules(), NOW)


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
    gone = step(step(FRESH, ROLE).book, Absent())
    assert [entry.text for entry in gone.entries] == ["role Claims operator is gone"]
    assert state_of(gone) == RoleState("Claims operator", (), True, NOW)
    assert step(FRESH, Absent()).entries[0].text == "role d2222222 is gone"


def test_after_an_event_a_role_is_looked_at_again_and_what_is_no_news_is_not_said() -> None:
    """A role tells no time of its writes: the look that an event brings may be of the past."""
    for look in (Present(ROLE), Absent()):
        told_of = decide_role(FRESH, EVENT, look, rules(), NOW)
        assert told_of.owed is not None
        assert [(one.why, one.at > NOW) for one in told_of.owed.looks] == [("doubt", True)]
        again = decide_role(told_of.book, Again("later", cause()), look, rules(), NOW)
        assert again.entries == ()
    wider = decide_role(told_of.book, Again("later", cause()), Present(WIDER), rules(), NOW)
    assert [entry.text for entry in wider.entries] == ["role Claims operator can do other things now"]


def test_a_role_that_cannot_be_read_is_judged_by_the_list() -> None:
    """What Microsoft calls privileged is known without asking, and the book says it was not read."""
    unread = state_of(step(FRESH, replace(CONTRIBUTOR, permissions=None)))
    assert "writes-all" in unread.powers
    assert not unread.readable


def test_drift_found_without_an_event_says_so() -> None:
    """What reconcile finds stands on the timeline as reconciled."""
    decision = decide_role(FRESH, Reconciled("run", cause()), Present(ROLE), rules(), NOW)
    assert [entry.kind for entry in decision.entries] == ["reconciled"]


def test_the_wrong_kind_of_book_is_refused() -> None:
    """A wiring fault is said at once."""
    with pytest.raises(TypeError):
        step(make_principal(), ROLE)
