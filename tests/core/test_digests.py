"""Digests: equal for a book and a listing of the same, different for everything reconcile must notice."""

from __future__ import annotations

from datetime import datetime

import pytest
from msgspec.structs import replace

from lami.core import digests
from lami.core.ids import ResourceId
from lami.core.model import Absent, Access, Attached, Book, Definition, Part, RoleState, Subject
from tests.core.builders import (
    CONTRIBUTOR,
    ELSEWHERE,
    OWNER,
    P1,
    P2,
    SUB,
    assignment_id,
    at,
    group,
    holder_step,
    identity,
    make_access,
    make_assignment,
    make_holder,
    make_identity_holder,
    make_principal,
    principal_step,
    told,
    workflow,
)

Line = tuple[ResourceId, Access, datetime | None]
APP = make_identity_holder(system=P1, attached={identity("a"): P2, identity("b"): P1}, created=at(-9))
LINES: list[Line] = [
    (assignment_id("a"), make_access(), at(0)),
    (assignment_id("b"), make_access(CONTRIBUTOR), None),
]


def _of(lines: list[Line]) -> str:
    """The digest of these grants."""
    return digests.of_lines(digests.line(*line) for line in lines)


def test_a_holders_book_and_its_listing_agree() -> None:
    """A holder just seen is no difference to reconcile, in whatever order and casing ARM lists it."""
    book = holder_step(make_holder(), told(workflow()), APP).book
    upper = [Attached(ResourceId(a.identity.text.upper()), a.principal) for a in reversed(APP.attached)]
    assert digests.of_book(book, SUB) == digests.of_holder(APP.system, upper, APP.created, Definition())
    assert digests.agrees(digests.of_book(book, SUB), digests.of_holder(APP.system, upper, APP.created))


def test_a_definition_that_is_not_listed_says_nothing() -> None:
    """Whoever is listed without one is compared by the rest; one that is listed is compared, too."""
    same, other = (APP.system, APP.attached, APP.created), (P2, APP.attached, APP.created)
    secret = Definition((Part("secret", "action A", "a password (Basic)"),))
    held = digests.of_holder(*same, secret)
    assert digests.agrees(held, held)
    assert digests.agrees(held, digests.of_holder(*same))
    assert not digests.agrees(held, digests.of_holder(*other))
    assert not digests.agrees(held, digests.of_holder(*same, Definition()))
    assert not digests.agrees(digests.of_holder(*same), held)
    assert not digests.agrees(None, held)
    assert not digests.agrees(digests.NOTHING, digests.of_holder(*same))


def test_a_principals_book_and_its_listing_agree() -> None:
    """Grants just seen are no difference to reconcile; each subscription has its own digest."""
    here, above = make_assignment("a"), make_assignment("b", scope=ResourceId("/"))
    there = make_assignment("c", scope=group(subscription=ELSEWHERE))
    book = principal_step(make_principal(), told(here.id), there, above, here).book
    for line, where in ((here, SUB), (above, ""), (there, ELSEWHERE)):
        assert digests.of_book(book, where) == _of([(line.id, line.access, line.created)])


@pytest.mark.parametrize(
    "other",
    [
        ("", APP.attached, APP.created),
        (P2, APP.attached, APP.created),
        (P1, APP.attached[:1], APP.created),
        (P1, (APP.attached[0], replace(APP.attached[1], principal=P2)), APP.created),
        (P1, APP.attached, at(-8)),
        (P1, APP.attached, None),
    ],
)
def test_what_changes_a_holders_digest(other: tuple[str, tuple[Attached, ...], datetime | None]) -> None:
    """Any identity and the time of creation."""
    assert digests.of_holder(*other) != digests.of_holder(APP.system, APP.attached, APP.created)


@pytest.mark.parametrize(
    "others",
    [
        LINES[:1],
        [*LINES, (assignment_id("c"), make_access(), at(0))],
        [LINES[0], (assignment_id("b"), make_access(OWNER), None)],
        [LINES[0], (assignment_id("b"), make_access(CONTRIBUTOR, condition="@x"), None)],
        [LINES[0], (assignment_id("b"), make_access(CONTRIBUTOR, workflow()), None)],
        [(assignment_id("a"), make_access(), at(1)), LINES[1]],
    ],
)
def test_what_changes_a_principals_digest(others: list[Line]) -> None:
    """A grant more or less, another access, or the same name made anew; not the order of the lines."""
    assert _of(others) != _of(LINES)
    assert _of(LINES[::-1]) == _of(LINES)


def test_nothing_is_nothing() -> None:
    """What is gone, was never seen, or is no such subject has the empty digest."""
    app = holder_step(make_holder(), told(workflow()), APP).book
    gone = holder_step(app, told(workflow(), "delete", id="event-2"), Absent()).book
    assert digests.of_book(gone, SUB) == _of([]) == digests.NOTHING
    for book in (make_holder(), make_principal(), Book(Subject("role", P1), RoleState("x"))):
        assert digests.of_book(book, SUB) == digests.NOTHING
    assert digests.of_holder("", (), None) != digests.NOTHING
