"""Many patterns at once: as each of them by itself, and in time that grows with their number only."""

from __future__ import annotations

import gc
import re
import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lami.core.model import Permission
from lami.core.pattern_sets import Patterns
from lami.core.roles import powers


def naive(pattern: str, operation: str) -> bool:
    """What a pattern means, by a regular expression."""
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), operation, re.DOTALL) is not None


@given(st.lists(st.text("ab*/", max_size=8), max_size=12), st.text("ab/", max_size=10))
def test_a_set_covers_what_one_of_its_patterns_does(patterns: list[str], operation: str) -> None:
    """The tree agrees with trying them one by one."""
    assert Patterns.of(patterns).cover(operation) == any(naive(each, operation) for each in patterns)


@given(st.integers(1, 9), st.text("abcdefgh", max_size=30))
def test_many_patterns_with_one_beginning_and_end(length: int, operation: str) -> None:
    """Where a node has more branches than the operation has places, it is asked the other way round."""
    letters = "abcdefgh"
    patterns = [
        f"*{a}{'*' * (length % 3)}{b}{c}*" for a in letters for b in letters for c in letters[:length]
    ]
    assert Patterns.of(patterns).cover(operation) == any(naive(each, operation) for each in patterns)


@given(st.lists(st.text("aB*/ ", max_size=6), max_size=6))
def test_witnesses_are_covered(patterns: list[str]) -> None:
    """Each pattern stands for an operation that it covers."""
    made = Patterns.of(patterns)
    assert all(made.cover(operation) for operation in made.witnesses())


def test_a_pattern_of_very_many_wildcards_is_held_and_let_go() -> None:
    """Depth is no danger: no recursion while it is built, asked or freed."""
    made = Patterns.of(["*a" * 200_000 + "b"])
    assert not made.cover("a" * 300_000)
    assert made.cover("a" * 200_001 + "b")


def numbered(given: str, taken: str) -> Callable[[int], Permission]:
    """A block that gives and takes back as many patterns as one says."""

    def block(count: int) -> Permission:
        numbers = range(count)
        return Permission(
            tuple(given.format(number) for number in numbers),
            tuple(taken.format(number) for number in numbers),
        )

    return block


def data(count: int) -> Permission:
    """A block of data actions over many providers, all taken back."""
    numbers = range(count)
    return Permission(
        (),
        (),
        tuple(f"Microsoft.X{number}/*" for number in numbers),
        tuple(f"Microsoft.*{number}/*" for number in numbers),
    )


def stars(count: int) -> Permission:
    """One pattern made to blow up a matcher that goes back, on either side."""
    many = 10 * count
    return Permission(("*a" * many + "b/read",), ("*a" * (many + 1) + "*/read", "*/read"))


@pytest.mark.parametrize(
    "block",
    [
        pytest.param(
            numbered("Microsoft.X/y{}/read", "Microsoft.X/y{}/*"), id="named and taken by wildcards"
        ),
        pytest.param(numbered("Microsoft.X{}/*/listKeys/action", "Microsoft.X{}/*/action"), id="providers"),
        pytest.param(numbered("Microsoft.X/*/y{}/read", "*/y{}/*"), id="one beginning and end"),
        pytest.param(numbered("Microsoft.X/*/y{}/read", "*a*y{}/*"), id="one first piece"),
        pytest.param(numbered("*a{0}*a{0}*/read", "*a*{0}*/*"), id="wildcards all over"),
        pytest.param(data, id="data"),
        pytest.param(stars, id="stars"),
    ],
)
def test_a_role_is_judged_in_linear_time(block: Callable[[int], Permission]) -> None:
    """Four times the patterns take some four times the time: were it quadratic, sixteen times."""
    assert _seconds(block(8_000)) / _seconds(block(2_000)) < 10


def _seconds(block: Permission) -> float:
    """The least processor time of five, past the cache and without the collector's."""

    def once() -> float:
        started = time.process_time()
        powers.__wrapped__((block,))
        return time.process_time() - started

    gc.collect()
    gc.disable()
    try:
        return min(once() for _ in range(5))
    finally:
        gc.enable()


def test_a_role_of_a_hundred_thousand_patterns_is_judged() -> None:
    """Right, whether all is taken back or all but one."""
    numbers = range(100_000)
    given = tuple(f"Microsoft.X{number}/*/read" for number in numbers)
    taken = tuple(f"Microsoft.X{number}/*" for number in numbers)
    assert powers((Permission(given, taken),)) == ()
    assert powers((Permission(given, taken[1:]),)) == ("reads",)
