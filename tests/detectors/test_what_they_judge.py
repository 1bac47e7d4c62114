"""Whose books detectors are asked of: each says so, and is asked of no others."""

from __future__ import annotations

from collections.abc import Iterator
from typing import get_args

from msgspec import Struct

from lami.core.draft import Rules
from lami.core.model import LAMI, Book, FindingSubject, Found, LamiState, RoleState, Subject, SubjectKind
from lami.core.policy import Policy
from lami.detectors import DETECTORS
from tests.core.builders import NOW, PATIENCE, cause, make_holder, make_principal, policy

BOOKS = {
    book.subject.kind: book
    for book in (
        make_holder(),
        make_principal(),
        Book(Subject("role", "r"), RoleState()),
        Book(LAMI, LamiState()),
    )
}


class Objecting(Struct, frozen=True):
    """Objects to whatever book it is asked of."""

    judges: SubjectKind
    rule: str = "broad-grant"

    def detect(self, book: Book, policy: Policy) -> Iterator[Found]:
        """One finding a book."""
        yield Found(
            self.rule, self.judges, "high", FindingSubject("principal", "p", "x"), "x", {}, cause(), NOW
        )


def test_a_detector_is_asked_of_the_books_that_it_judges_alone() -> None:
    """Of each kind of book only those are asked that say they judge it, and all of them."""
    kinds: tuple[SubjectKind, ...] = get_args(SubjectKind)
    everything = Rules(policy(), (*map(Objecting, kinds), *map(Objecting, kinds)), frozenset(), PATIENCE)
    for kind, book in BOOKS.items():
        assert [found.key for found in everything.drift(book, policy())] == [kind, kind]


def test_no_detector_finds_anything_in_a_book_that_it_does_not_judge() -> None:
    """Whoever asks a detector itself of such a book is told nothing, and gets no error."""
    for detector in DETECTORS:
        for kind, book in BOOKS.items():
            assert kind == detector.judges or not list(detector.detect(book, policy()))
    assert {detector.judges for detector in DETECTORS} == set(BOOKS)
