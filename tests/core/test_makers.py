"""Who is proposed for the automation list, and who is not."""

from __future__ import annotations

from msgspec.structs import replace

from lami.core.makers import MANY, SEVERAL, Maker, propose
from lami.core.model import Book, PrincipalState
from tests.core.builders import (
    CONTRIBUTOR,
    NOW,
    OWNER,
    P1,
    P2,
    at,
    group,
    make_carrier,
    make_grant,
    make_principal,
)

BY = "dddddddd-0000-0000-0000-00000000000d"


def made(count: int, principals: int = SEVERAL, by: str = BY, present: bool = True) -> list[Book]:
    """Books of principals that were granted so much in all, by one creator."""
    grants = [
        make_grant(f"a{number}", created_by=by, present=present, created=at(number))
        for number in range(count)
    ]
    return [
        make_principal(*grants[number::principals], principal=f"{number:08d}-0000-0000-0000-000000000000")
        for number in range(principals)
    ]


def ids(books: list[Book], *listed: str) -> list[str]:
    """The object ids proposed."""
    return [one.id for one in propose(books, listed)]


def test_many_grants_to_several_principals() -> None:
    """Neither few grants nor many to one principal: an administrator makes those by hand."""
    assert ids(made(MANY)) == [BY]
    assert ids(made(MANY - 1)) == []
    assert ids(made(MANY, principals=SEVERAL - 1)) == []


def test_grants_that_went_again() -> None:
    """Activations come and go, also of one principal."""
    (found,) = propose(made(SEVERAL, principals=1, present=False))
    assert found.passing
    assert ids(made(SEVERAL - 1, principals=1, present=False)) == []
    assert [one.passing for one in propose([*made(MANY), *made(SEVERAL, 1, present=False)])] == [False]


def test_the_figures() -> None:
    """What a person judges by; ids are counted in any casing."""
    more = make_principal(
        make_grant("b1", role=OWNER, scope=group("rg-2"), created_by=BY.upper(), created=None, newest=at(99)),
        make_grant("b2", role=replace(CONTRIBUTOR, name=""), created_by=BY, present=False),
    )
    (found,) = propose([*made(MANY), more])
    assert found == Maker(
        id=BY,
        kind="",
        present=MANY + 1,
        gone=1,
        granting=1,
        principals=SEVERAL + 1,
        roles=("Owner", "Reader", CONTRIBUTOR.id),
        scopes=(group("rg-2").text, group().text),
        since=at(-3600),
        latest=at(99),
    )
    assert found.since < NOW


def test_people_and_the_identities_of_apps_are_not_proposed() -> None:
    """What Azure calls a user is none; who may edit a logic app would make grants unheard of."""
    books = made(MANY, by=P1)

    def proposed(book: Book) -> list[tuple[str, str]]:
        return [(one.id, one.kind) for one in propose([*books, book])]

    assert proposed(make_principal(principal=P1)) == [(P1, "ServicePrincipal")]
    assert proposed(make_principal(principal=P2)) == [(P1, "")]
    user = make_principal(principal=P1)
    assert isinstance(user.state, PrincipalState)
    assert proposed(replace(user, state=replace(user.state, type="User"))) == []
    assert proposed(make_principal(principal=P1, carriers=[make_carrier()])) == []


def test_neither_what_is_listed_nor_what_is_no_object_id() -> None:
    """The list holds GUIDs only, and each once."""
    assert ids(made(MANY), BY.upper()) == []
    for by in ("", "MS-PIM", f"/x/{BY}"):
        assert ids(made(MANY, by=by)) == []
