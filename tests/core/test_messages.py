"""Messages: what a book says is made from its state when it is said, so the later contains the earlier."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from lami.core import naming
from lami.core.messages import apps, carried, compose
from lami.core.model import (
    Attached,
    Book,
    Carried,
    Granted,
    GrantLine,
    HolderState,
    MessageKind,
    OwedMessage,
    RoleDefinition,
    RoleState,
    Subject,
    Term,
    User,
)
from lami.core.stimuli import Attaches, Carries, Grants, Holds, IdentityIs
from tests.core.builders import (
    ELSEWHERE,
    P1,
    P2,
    P3,
    READER,
    SUB,
    cause,
    group,
    identity,
    line_of,
    make_access,
    make_assignment,
    make_carrier,
    make_grant,
    make_holder,
    make_principal,
    site,
    workflow,
)

WATCHED = frozenset({SUB})
TERM = Term(make_access(), "Reader", 1, missing_since=cause().time, missing_cause=cause())


def owed(kind: MessageKind, to: Subject) -> OwedMessage:
    """A message that is owed."""
    return OwedMessage(kind, to)


def test_grants_says_what_is_present_and_everything_accepted() -> None:
    """A grant that is gone is not told, an access that was withdrawn is, with its count."""
    withdrawn = replace(TERM, count=2)
    book = make_principal(make_grant("a"), make_grant("b", present=False), terms=[withdrawn])
    said = compose(book, owed("grants", Subject("holder", workflow().text)), cause(), WATCHED)
    assert isinstance(said, Grants)
    grant = make_grant("a")
    assert said.grants == (GrantLine(grant.id.text, grant.access, "Reader", grant.powers, grant.created),)
    assert said.terms == {TERM.access.key: Term(TERM.access, "Reader", 2)}
    assert (said.principal, said.version) == (P1, book.version)


def test_carries_says_whom_it_carries_now() -> None:
    """The access that is expected goes to those carried, and nothing but the shedding to those shed."""
    state = HolderState(observed=Carried(P1), terms={TERM.access.key: TERM}, owner="team")
    for principal, carries in ((P1, True), (P2, False)):
        said = compose(make_holder(state), owed("carries", Subject("principal", principal)), cause(), WATCHED)
        assert isinstance(said, Carries)
        assert (said.carries, said.owner, said.holder) == (carries, "team", workflow())
        assert dict(said.terms) == ({TERM.access.key: Term(TERM.access, "Reader", 1)} if carries else {})


def test_attached_says_whether_it_is_attached_now() -> None:
    """Also in another casing of the identity's id."""
    state = HolderState(observed=Carried("", (Attached(identity("a"), P1),)))
    for one, attaches in ((identity("A"), True), (identity("b"), False)):
        said = compose(make_holder(state), owed("attached", Subject("holder", one.text)), cause(), WATCHED)
        assert said == Attaches(workflow(), 1, attaches, cause())


def test_identity_says_its_principal_and_what_that_one_is_granted() -> None:
    """Not what an earlier principal of the identity still holds."""
    grants = (line_of(make_assignment()),)
    state = HolderState(
        kind="userAssignedIdentity",
        observed=Carried(P2),
        granted={P1: Granted(3), P2: Granted(4, grants)},
    )
    book = make_holder(state, identity())
    said = compose(book, owed("identity", Subject("holder", workflow().text)), cause(), WATCHED)
    assert said == IdentityIs(identity(), 1, P2, True, grants, cause())


def test_holds_says_where_a_custom_role_is_held_now() -> None:
    """By name, and only of that role; what is gone, or built in, is not said."""
    own = RoleDefinition("d2222222-0000-0000-0000-000000000000", "Own", READER.permissions, custom=True)
    book = make_principal(
        make_grant("a1", role=own),
        make_grant("a2", role=own, scope=group("rg-other")),
        make_grant("a3", role=own, scope=group("rg-gone"), present=False),
        make_grant("a4"),
        carriers=[make_carrier()],
    )
    to = Subject("role", own.id)
    accesses = (make_access(own), make_access(own, group("rg-other")))
    assert compose(book, owed("holds", to), cause(), WATCHED) == Holds(
        P1, "claims-intake", True, 1, accesses, cause()
    )
    nothing = compose(make_principal(make_grant()), owed("holds", to), cause(), WATCHED)
    assert nothing == Holds(P1, "", False, 1, (), cause())


@pytest.mark.parametrize("kind", ["carries", "attached", "identity"])
def test_a_principal_sends_no_holders_message(kind: MessageKind) -> None:
    """A wiring fault is said at once."""
    with pytest.raises(TypeError):
        compose(make_principal(), owed(kind, Subject("holder", "x")), cause(), WATCHED)
    with pytest.raises(TypeError):
        compose(
            Book(Subject("role", P1), RoleState()), owed("grants", Subject("holder", "x")), cause(), WATCHED
        )


def test_whom_an_app_carries() -> None:
    """Its system principal, and of attached identities only those that have no book of their own."""
    attached = (
        Attached(identity("here"), P2),
        Attached(identity("there", ELSEWHERE), P3),
        Attached(identity("deleted", ELSEWHERE), ""),
    )
    assert carried(HolderState(observed=Carried(P1, attached)), WATCHED) == (P1, P3)
    assert carried(HolderState(observed=Carried("", attached[:1])), WATCHED) == ()


def test_the_apps_of_an_identity() -> None:
    """Those that attach it now, a slot with its app's name."""
    users = {
        id.key: User(id, 1, attaches)
        for id, attaches in ((workflow("b"), True), (site("a", "staging"), True), (workflow("c"), False))
    }
    assert apps(HolderState(users=users)) == ("a/staging", "b")
    assert naming.holder_name(site("a")) == "a"
