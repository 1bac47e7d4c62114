"""What is concluded of what the directory says: gone only where that is proven, and nothing of silence."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lami.core.directory import APART, TYPES, absent, said_of, stands
from lami.core.model import Absent, Present, Said, Standing, Unknown
from tests.core.builders import NOW, P1, P2, P3, at, cause

SAID = st.sampled_from(["alive", "deleted", "denied", None])
"""What one question says; None where it was refused, throttled, or answered in part."""
STEPS = st.lists(st.tuples(SAID, st.integers(1, 7_200)), max_size=12)
"""What is said, and how many seconds pass before it."""


def played(steps: Sequence[tuple[Said | None, int]]) -> Standing | None:
    """How a principal stands after all that was said of it."""
    held, now = None, NOW
    for said, seconds in steps:
        now += timedelta(seconds=seconds)
        if said is not None:
            held = stands(held, said, now, cause()) or held
    return held


@given(STEPS)
def test_gone_is_denied_twice_apart_and_nothing_else_since(steps: list[tuple[Said | None, int]]) -> None:
    """Whatever else was said, or could not be: the last denials without another word lie an hour apart."""
    now, denials = 0, list[int]()
    for said, seconds in steps:
        now += seconds
        if said == "denied":
            denials.append(now)
        elif said is not None:
            denials.clear()
    held = played(steps)
    proven = bool(denials) and denials[-1] - denials[0] >= APART.total_seconds()
    assert (held is not None and held.said == "gone") == proven


@given(st.lists(st.tuples(st.sampled_from(["alive", "deleted", None]), st.integers(1, 7_200))))
def test_silence_never_makes_anybody_gone(steps: list[tuple[Said | None, int]]) -> None:
    """Where nobody was denied nobody is gone, however often the directory said nothing."""
    held = played(steps)
    assert held is None or held.said in ("alive", "deleted")


@given(STEPS, st.integers(0, 3_599))
def test_two_denials_close_together_are_one(steps: list[tuple[Said | None, int]], seconds: int) -> None:
    """Asked again at once, the same replica may say the same."""
    held = played([*steps, ("alive", 1), ("denied", 1), ("denied", seconds)] if seconds else steps)
    assert not seconds or (held is not None and held.said == "denied")


def test_an_older_answer_is_not_believed() -> None:
    """Two workers may ask: whoever asked first does not take back what the other learnt."""
    held = Standing("denied", at(0), at(10), cause())
    assert stands(held, "alive", at(10), cause()) is None
    assert stands(held, "alive", at(11), cause()) == Standing("alive", at(11), at(11), cause())


def test_of_whom_nothing_is_held_that_is_alive_nothing_has_to_be() -> None:
    """Nearly everybody is alive, and no book is written for that."""
    assert stands(None, "alive", NOW, cause()) is None


def test_restored_and_deleted_again_starts_anew() -> None:
    """A denial counts from when it began after the last other word."""
    held = played([("denied", 1), ("deleted", 3_600), ("denied", 3_600)])
    assert held is not None
    assert (held.said, held.since) == ("denied", NOW + timedelta(seconds=7_201))


def test_gone_stays_gone_until_it_is_seen() -> None:
    """A further denial changes nothing; shown again, or kept to be restored, it is gone no longer."""
    further: tuple[tuple[Said, str], ...] = (("denied", "gone"), ("alive", "alive"), ("deleted", "deleted"))
    for said, after in further:
        held = played([("denied", 1), ("denied", 3_600), (said, 1)])
        assert held is not None
        assert held.said == after


# --- absence ---------------------------------------------------------------------------------------

TYPE = st.sampled_from([*sorted(TYPES), "ForeignGroup", ""])
ID = st.sampled_from([P1, P2, P3, "d", "e", "f"])


@given(st.dictionaries(ID, TYPE), st.dictionaries(ID, TYPE), st.frozensets(ID))
def test_absent_is_only_who_is_left_out_beside_witnesses(
    shown: dict[str, str], left_out: dict[str, str], alive: frozenset[str]
) -> None:
    """Somebody that must be alive is shown, and another of the same type; nobody shown is absent."""
    found = absent(shown, left_out, alive)
    assert not found & shown.keys()
    assert found <= left_out.keys()
    for one in found:
        assert alive & shown.keys()
        assert left_out[one] in TYPES & set(shown.values())


@pytest.mark.parametrize(
    ("shown", "type", "is_absent"),
    [
        ({P2: "ServicePrincipal"}, "ServicePrincipal", True),
        ({P2: "ServicePrincipal", P3: "User"}, "User", True),
        ({P2: "ServicePrincipal"}, "User", False),
        ({P2: "ServicePrincipal"}, "Group", False),
        ({P3: "ServicePrincipal"}, "ServicePrincipal", False),
        ({}, "ServicePrincipal", False),
        ({P2: "ServicePrincipal", P3: "ForeignGroup"}, "ForeignGroup", False),
        ({P2: ""}, "", False),
    ],
)
def test_who_is_left_out_is_absent_where_its_like_is_shown(
    shown: dict[str, str], type: str, is_absent: bool
) -> None:
    """P2 must be alive. A user is not missed where no user can be seen, nor anybody of another tenant."""
    assert absent(shown, {P1: type}, {P2}) == ({P1} if is_absent else set())


def test_what_an_absent_principal_is() -> None:
    """Kept to be restored, or denied; or nothing, where that could not be asked."""
    assert said_of(Present(None)) == "deleted"
    assert said_of(Absent()) == "denied"
    assert said_of(Unknown("403", denied=True)) is None
