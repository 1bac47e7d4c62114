"""lami-gap: what lami does not see is a finding as long as it stands."""

from __future__ import annotations

from lami.core.model import LAMI, Book, Gap, LamiState
from lami.detectors.lami_gap import LamiGap
from tests.core.builders import NOW, SUB, cause, make_principal, policy


def book(**gaps: Gap) -> Book:
    """lami's own book with these gaps."""
    return Book(LAMI, LamiState({key.replace("_", "/"): gap for key, gap in gaps.items()}))


GAP = Gap("lami cannot see", NOW, cause(), ("why",))


def test_each_gap_that_stands_is_a_finding() -> None:
    """By its kind; one that has not lasted yet is none."""
    waiting = Gap("not yet", NOW, cause(), stands=False)
    found = list(LamiGap().detect(book(graph=GAP, policy=GAP, unreadable_x=waiting), policy()))
    assert [(one.key, one.detail) for one in found] == [
        ("graph", {"gap": "graph"}),
        ("policy", {"gap": "policy"}),
    ]
    assert {(one.title, one.telling, one.notes, one.severity) for one in found} == {
        ("lami cannot see", "lami cannot see", ("why",), "medium")
    }
    assert len({one.thread for one in found}) == 2


def test_a_gap_of_a_subscription_names_it() -> None:
    """Its scope is what an exception may bind it by."""
    gaps = Book(LAMI, LamiState({f"unreadable/{SUB}": GAP}))
    (found,) = LamiGap().detect(gaps, policy('[severity]\nlami-gap = "critical"'))
    assert found.detail == {"gap": "unreadable", "scope": f"/subscriptions/{SUB}"}
    assert found.severity == "critical"


def test_other_books_have_no_gaps() -> None:
    """A principal's drift is not lami's."""
    assert list(LamiGap().detect(make_principal(), policy())) == []
