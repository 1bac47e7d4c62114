"""What one role definition allows that another did not."""

from __future__ import annotations

from itertools import product
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lami.core.definitions import EVERYTHING, MOST_CHARACTERS, canonical, gained
from lami.core.model import Permission
from lami.core.patterns import contains, matches

READ = "Microsoft.Storage/storageAccounts/read"
WRITE = "Microsoft.Storage/storageAccounts/write"
KEYS = "Microsoft.Storage/storageAccounts/listKeys/action"


def block(
    *actions: str, no: tuple[str, ...] = (), data: tuple[str, ...] = (), condition: str = ""
) -> Permission:
    """One block of permissions."""
    return Permission(actions, no, data, (), condition)


def news(
    before: Permission | tuple[Permission, ...], after: Permission | tuple[Permission, ...]
) -> list[str]:
    """What the one gained over the other."""
    one = canonical(before if isinstance(before, tuple) else (before,))
    other = canonical(after if isinstance(after, tuple) else (after,))
    assert one is not None
    assert other is not None
    return list(gained(one, other))


@pytest.mark.parametrize(
    ("before", "after", "found"),
    [
        (block(READ), block(READ), []),
        (block(READ, WRITE), block(WRITE.upper(), READ), []),
        (block(READ), block(READ, KEYS), [KEYS]),
        (block(READ), block("Microsoft.Storage/*"), ["Microsoft.Storage/*"]),
        (block("Microsoft.Storage/*"), block(READ, KEYS), []),
        (block("*/read"), block("Microsoft.Storage/*/read"), []),
        (block("Microsoft.Storage/*/read"), block("*/read"), ["*/read"]),
        (block("*", no=(WRITE,)), block("*"), [WRITE]),
        (block("*", no=("Microsoft.Storage/*",)), block("*", no=(WRITE,)), ["Microsoft.Storage/*"]),
        (block("*", no=(WRITE,)), block("*", no=("Microsoft.Storage/*",)), []),
        (block("*", no=(WRITE,)), block("*/read"), []),
        (block("*", no=(WRITE,)), block(READ), []),
        (block("*", no=(WRITE,)), block(WRITE), [WRITE]),
        (block(READ), block(READ, WRITE, no=("Microsoft.Storage/*/write", WRITE)), []),
        (block(data=("a/read",)), block(data=("a/*",)), ["data: a/*"]),
        (block(READ), block(READ, data=(READ,)), [f"data: {READ}"]),
        ((block(READ), block(WRITE)), block(READ, WRITE), []),
        (block("*", no=(WRITE,)), (block("*", no=(WRITE,)), block(WRITE)), [WRITE]),
        (block(WRITE), block(WRITE, condition="Exists @Request[x]"), []),
        (block(WRITE, condition="Exists @Request[x]"), block(WRITE), [WRITE]),
        (block(WRITE, condition="Exists @Request[x]"), block(WRITE, condition="Exists @Request[y]"), [WRITE]),
    ],
)
def test_what_is_gained(
    before: Permission | tuple[Permission, ...], after: Permission | tuple[Permission, ...], found: list[str]
) -> None:
    """Each new or wider action, and each notAction that no longer takes away; nothing for what was there."""
    assert news(before, after) == found


def test_what_is_too_long_counts_as_everything() -> None:
    """A role must not hide what it gained behind its length; what was not read is not known."""
    long = tuple(f"Microsoft.Hidden/{number}/read" for number in range(MOST_CHARACTERS // 20))
    assert canonical((block(*long),)) == EVERYTHING
    assert news(block(READ), block(*long)) == ["*", "data: *"]
    assert canonical(None) is None


def test_hostile_definitions_are_compared_in_bounded_time() -> None:
    """Thousands of patterns against thousands: what cannot be shown in time counts as gained."""
    many = block(*(f"a{number}*b/*/read" for number in range(6_000)))
    others = block(*(f"a{number}*c/*/read" for number in range(6_000)))
    started = process_time()
    assert len(news(many, others)) == 6_000
    assert process_time() - started < 20


WORDS = st.lists(st.sampled_from(("a", "b", "*")), min_size=1, max_size=4).map("/".join)
BLOCKS = st.lists(
    st.builds(
        lambda given, taken: Permission(tuple(given), tuple(taken)),
        st.lists(WORDS, max_size=3),
        st.lists(WORDS, max_size=2),
    ),
    max_size=3,
).map(tuple)
OPERATIONS = ["/".join(words) for n in (1, 2, 3, 4) for words in product("abc", repeat=n)]


def allows(blocks: tuple[Permission, ...], operation: str) -> bool:
    """Whether an operation is allowed, as the source has it."""
    return any(
        any(matches(one, operation) for one in b.actions)
        and not any(matches(one, operation) for one in b.not_actions)
        for b in blocks
    )


@given(BLOCKS, BLOCKS)
def test_whatever_is_allowed_anew_is_said(
    before: tuple[Permission, ...], after: tuple[Permission, ...]
) -> None:
    """Where nothing is said to be gained, every operation that is allowed was allowed before."""
    if not news(before, after):
        assert [one for one in OPERATIONS if allows(after, one) and not allows(before, one)] == []


@given(BLOCKS, WORDS)
def test_what_takes_away_gains_nothing(blocks: tuple[Permission, ...], taken: str) -> None:
    """Leaving out a block, or one more notAction in each, is never called wider; nor is the same again."""
    assert news(blocks, blocks) == []
    assert news(blocks, blocks[:-1]) == []
    less = tuple(Permission(b.actions, (*b.not_actions, taken), (), (), b.condition) for b in blocks)
    assert news(blocks, less) == []


@given(WORDS, WORDS)
def test_a_pattern_contains_what_covers_nothing_else(wider: str, narrower: str) -> None:
    """What one pattern is said to contain covers no operation that it does not."""
    covered = [one for one in OPERATIONS if matches(narrower, one)]
    if contains(wider, narrower):
        assert all(matches(wider, one) for one in covered)
    elif "*" not in narrower:
        assert not matches(wider, narrower)
