"""What stands, is accepted and is new of a workflow definition, through the decision on a holder."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from lami.core import posture
from lami.core.digests import of_book, of_holder
from lami.core.ids import ResourceId
from lami.core.model import Absent, Book, Cause, Decision, Definition, HolderState, IdentityHolder, Part
from lami.core.persisting import TAKING
from lami.core.stimuli import Accepted, Reconciled, Taken
from lami.detectors import DETECTORS
from tests.core.builders import (
    P1,
    P2,
    SUB,
    at,
    cause,
    holder_step,
    identity,
    make_holder,
    make_identity_holder,
    policy,
    site,
    texts,
    told,
    workflow,
)

A, B, C = (Part("secret", f"action {name}", "a password (Basic)") for name in "ABC")
CONNECTOR = Part("connector", "connection blob", "the connector azureblob without the managed identity")
LEAK = Part("unsecured", "action A", "its outputs are not secured and show a secret of a key vault")
WRONG = Part("audience", "action A", "a token for Azure Storage, sent to Azure Key Vault")
OWN = Part("identity", "action A", posture.SYSTEM)
THEIRS = Part("identity", "action A", identity().text)


def app(*parts: Part, system: str = P1, minute: float = 0, definition: bool = True) -> IdentityHolder:
    """A logic app that shows these parts, as of some minute."""
    shown = make_identity_holder(system=system, created=at(-60), changed=at(minute * 60))
    return replace(shown, definition=Definition(parts) if definition else None)


def seen(
    *parts: Part, book: Book | None = None, minute: float = 0, system: str = P1, definition: bool = True
) -> Book:
    """A book after an event and a look at the app."""
    return step(book, app(*parts, system=system, minute=minute, definition=definition), minute)


def step(book: Book | None, look: IdentityHolder | Absent, minute: float = 0) -> Book:
    """A book after an event and what it made lami look at."""
    verb = "delete" if isinstance(look, Absent) else "write"
    event = told(workflow(), verb, at(minute * 60), id=f"event-{minute}")
    decision = holder_step(book or make_holder(), event, look, at(minute * 60))
    return decision.book


def told_of(before: Book, look: IdentityHolder, minute: float) -> set[str]:
    """The rules of the findings that a look owes alerts of."""
    event = told(workflow(), time=at(minute * 60), id=f"event-{minute}")
    decision = holder_step(before, event, look, at(minute * 60))
    owed = decision.owed.alerts if decision.owed else ()
    return {decision.book.findings[alert.finding].rule for alert in owed}


def alerts(before: Book, *parts: Part, minute: float = 1) -> int:
    """Of how many rules a look at these parts owes alerts."""
    return len(told_of(before, app(*parts, minute=minute), minute))


def kinds(decision: Decision) -> set[str]:
    """The kinds of the messages that a decision owes."""
    return {message.kind for message in decision.owed.messages} if decision.owed else set()


def _accept(book: Book) -> Accepted:
    (finding,) = book.findings.values()
    return Accepted(finding.id, "Dana", "planned", None, cause("accept"))


def rules(book: Book) -> set[str]:
    """The rules that have a finding."""
    return {finding.rule for finding in book.findings.values()}


@pytest.mark.parametrize(
    ("part", "rule"),
    [
        (A, "secret-authentication"),
        (CONNECTOR, "secret-authentication"),
        (LEAK, "unsecured-secret"),
        (WRONG, "audience-mismatch"),
        (THEIRS, "dangling-identity"),
    ],
)
def test_each_part_has_its_rule(part: Part, rule: str) -> None:
    """A part that comes up is a finding of its rule, because of the event that brought it, and is told."""
    before = seen()
    after = seen(part, book=before, minute=1)
    (finding,) = after.findings.values()
    assert rules(after) == {rule}
    assert finding.cause.id == "event-1"
    assert alerts(before, part) == 1
    assert posture.words(part) in finding.notes


def test_identities_that_are_there_are_no_finding() -> None:
    """A definition may refer to what the app has: its own identity, and one attached, in any casing."""
    loud = replace(THEIRS, what=identity().text.upper())
    both = replace(app(OWN, loud), attached=make_identity_holder(attached={identity(): P2}).attached)
    assert step(None, both).findings == {}
    assert rules(step(None, app(OWN, system=""))) == {"dangling-identity"}


def test_a_connector_without_an_identity_to_use_is_no_finding() -> None:
    """A connector is told to use the managed identity only where the app has one."""
    assert seen(CONNECTOR, system="").findings == {}


def test_what_stands_at_first_is_listed() -> None:
    """With the baseline findings open, nobody is owed an alert, and the timeline says why."""
    taking = Taken("1", Cause("take-1", TAKING, at(0)))
    decision = holder_step(make_holder(), taking, app(A, LEAK))
    assert {finding.status for finding in decision.book.findings.values()} == {"open"}
    assert decision.owed is not None
    assert decision.owed.alerts == ()
    assert texts(decision).count("listed, nobody is alerted") == 2


def test_what_an_app_brings_that_came_after_the_baseline_is_told() -> None:
    """Somebody made it so, just now."""
    decision = holder_step(make_holder(), told(workflow()), app(A, LEAK))
    assert decision.owed is not None
    assert len(decision.owed.alerts) == 2


def test_a_new_place_is_told_and_one_less_is_not() -> None:
    """The same finding: told when a place is added, with its own cause; silent when one is mended."""
    before = seen(A, B)
    assert alerts(before, A, B) == alerts(before, A) == 0
    assert alerts(before, A, B, C) == 1
    fewer = seen(A, book=before, minute=1)
    (was,), (now,) = before.findings.values(), fewer.findings.values()
    assert (now.id, now.telling, now.cause) == (was.id, was.telling, was.cause)
    assert alerts(fewer, A, B, minute=2) == 1


def test_a_look_without_a_definition_keeps_what_is_held() -> None:
    """Not shown is not gone."""
    before = seen(A)
    after = seen(book=before, minute=1, definition=False)
    assert after.findings.keys() == before.findings.keys()
    assert seen(definition=False).findings == {}


def test_a_definition_first_seen_later_is_first_sight() -> None:
    """The baseline could not read it, or was taken before lami did: what it shows stood, and is listed."""
    taking = Taken("1", Cause("take-1", TAKING, at(0)))
    held = holder_step(make_holder(), taking, app(definition=False)).book
    assert alerts(held, A) == 0


def test_an_app_that_came_unread_is_told_of_what_it_shows_later() -> None:
    """One made after the baseline, whose runtime was not up yet: all that it shows then is its own news."""
    assert alerts(seen(definition=False), A) == 1
    assert alerts(seen(definition=False)) == 0


def test_what_goes_and_comes_back_is_new() -> None:
    """A place that was mended and is there again is told, whether it stood or was accepted."""
    mended = seen(book=seen(A), minute=1)
    assert mended.findings == {}
    assert alerts(mended, A, minute=2) == 1


def test_a_recreated_app_brings_no_news() -> None:
    """What an app had when it was deleted is listed again when it comes back, and what is more is told."""
    before = seen(A, book=seen(), minute=1)
    gone = step(before, Absent(), minute=2)
    assert "secret-authentication" not in rules(gone)
    again = holder_step(
        gone, told(workflow(), time=at(180), id="again"), app(A, system=P2, minute=3), at(180)
    )
    assert "secret-authentication" in rules(again.book)
    assert again.owed is not None
    assert {again.book.findings[alert.finding].rule for alert in again.owed.alerts} == {"identity-churn"}
    assert told_of(again.book, app(A, B, system=P2, minute=4), 4) == {"secret-authentication"}


def test_accepting_moves_the_baseline_to_the_places() -> None:
    """What was accepted is expected, over a recreation too; another place is a finding of its own."""
    before = seen(A, book=seen(), minute=1)
    decision = holder_step(before, _accept(before), now=at(90))
    assert decision.resolved[0].status == "accepted"
    assert decision.book.findings == {}
    again = step(step(decision.book, Absent(), minute=2), app(A, system=P2, minute=3), minute=3)
    assert rules(again) == {"identity-churn"}
    more = app(A, B, system=P2, minute=4)
    assert told_of(again, more, 4) == {"secret-authentication"}
    (finding,) = (f for f in step(again, more, 4).findings.values() if f.rule == "secret-authentication")
    assert finding.notes[0] == posture.words(B)


def test_accepting_until_keeps_the_finding() -> None:
    """With an end the finding stays accepted while it only shrinks; a further place opens it again."""
    before = seen(A, B, book=seen(), minute=1)
    (finding,) = before.findings.values()
    until = Accepted(finding.id, "Dana", "planned", at(86_400), cause("accept"))
    book = holder_step(before, until, now=at(90)).book
    assert [f.status for f in seen(A, book=book, minute=2).findings.values()] == ["accepted"]
    assert alerts(book, A, B, C, minute=2) == 1


def test_an_identity_that_goes_is_the_cause() -> None:
    """Where the app lost what its definition refers to, that is what the finding is because of."""
    before = seen(OWN)
    event = told(workflow(), time=at(60), id="switched-off")
    decision = holder_step(before, event, app(OWN, system="", minute=1), at(60))
    dangling = next(f for f in decision.book.findings.values() if f.rule == "dangling-identity")
    assert dangling.cause.id == "switched-off"


def test_the_same_definition_says_nothing() -> None:
    """A deployment in place leaves its usual line and no other."""
    before = seen(A)
    event = told(workflow(), time=at(60), id="event-1")
    decision = holder_step(before, event, app(A, minute=1), at(60))
    assert [entry.text for entry in decision.entries] == [
        "claims-intake was written; its identities are unchanged"
    ]


def test_the_timeline_says_what_came_and_went() -> None:
    """By place, at most five."""
    decision = holder_step(seen(A), told(workflow(), time=at(60), id="event-1"), app(B, C, minute=1), at(60))
    assert "shows now action B: a password (Basic) and action C: a password (Basic)" in texts(decision)
    assert "no longer shows action A: a password (Basic)" in texts(decision)


def test_a_change_that_no_event_told_leaves_a_line_where_no_rule_minds_it() -> None:
    """Reconcile counts it as missed by events, so the timeline says what was; an event has its own line."""
    look = app(A, OWN, minute=1)
    found = holder_step(seen(A), Reconciled("run", cause("reconcile")), look, at(1200))
    assert [(entry.kind, entry.text) for entry in found.entries] == [
        ("reconciled", "the definition of claims-intake changed, and no rule minds what is new")
    ]
    again = holder_step(found.book, Reconciled("run-2", cause("reconcile-2")), look, at(1300))
    assert again.entries == ()
    announced = holder_step(seen(A), told(workflow(), time=at(60), id="event-1"), look, at(60))
    assert "no rule minds" not in texts(announced)


@pytest.mark.parametrize("id", [site(), site(slot="staging"), workflow()])
def test_files_of_a_site_need_no_event(id: ResourceId) -> None:
    """That no event told of another workflow file is no gap in the events; of anything else it is one."""
    run = Reconciled("run", cause("reconcile"))
    held = holder_step(make_holder(id=id), told(id), replace(app(A), id=id)).book
    files = holder_step(held, run, replace(app(A, B, minute=3), id=id), at(3600))
    identity = holder_step(held, run, replace(app(A, system=P2, minute=3), id=id), at(3600))
    assert "the definition of" in texts(files)
    assert ("unannounced" in kinds(files)) == (id == workflow())
    assert "unannounced" in kinds(identity)


def test_an_event_of_files_is_looked_at_once_more_later() -> None:
    """The app's own time of change says nothing of them, and its runtime may not show them yet."""
    book = holder_step(make_holder(id=site()), told(site()), replace(app(A), id=site())).book
    event = told(site(), "deployworkflowartifacts/action", at(900), id="event-2")
    decision = holder_step(book, event, replace(app(A), id=site()), at(900))
    assert decision.doubt == ""
    assert "claims-standard was given workflows; its identities are unchanged" in texts(decision)
    assert decision.owed is not None
    (look,) = decision.owed.looks
    assert (look.why, look.resource) == ("doubt", site().text)
    assert look.at > at(900)


def test_a_listing_shows_what_changed() -> None:
    """Reconcile notices another definition; one that shows the same is none."""
    book = seen(A, THEIRS)
    held = of_book(book, SUB)
    listed = app(A, replace(THEIRS, where="action Z", what=identity().text.upper()))
    assert of_holder(listed.system, listed.attached, listed.created, listed.definition) == held
    for other in (Definition((A,)), Definition((A, B, THEIRS)), None):
        assert of_holder(listed.system, listed.attached, listed.created, other) != held


def test_another_definition_is_another_digest() -> None:
    """Reconcile compares what was last seen: it is written anew with another definition."""
    before = seen(A)
    for parts, owed in (((A,), ()), ((B,), (SUB,)), ((), (SUB,))):
        event = told(workflow(), time=at(60), id="event-1")
        decision = holder_step(before, event, app(*parts, minute=1), at(60))
        assert decision.owed is not None
        assert decision.owed.index is not None
        assert decision.owed.index.digests == owed


def test_only_apps_have_a_posture() -> None:
    """A principal's book, and a holder that was never seen, have none."""
    book = make_holder(HolderState())
    assert not [found for one in DETECTORS for found in one.detect(book, policy())]


def test_an_older_look_does_not_bring_a_definition_back() -> None:
    """A replica that lags shows the past: what it shows of the definition is not believed."""
    before = seen(book=seen(A), minute=5)
    event = told(workflow(), time=at(310), id="late")
    decision = holder_step(before, event, app(A, minute=4.5), at(310))
    assert decision.doubt
    assert decision.book.findings == {}
