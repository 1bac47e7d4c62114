"""What a role definition allows, compared exactly: what one allows that another did not.

Blocks add up, and notActions take away within their block (`lami.core.roles` has the source). A role reaches
further than before unless it can be shown that it does not: each action must lie within an action that was
there, under a condition that is no wider, and each notAction of that one must still be taken away, or not
touch it. What is spread over several patterns anew may so be called wider though it is not; nothing wider is
missed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache

from msgspec import Struct

from lami.core import conditions, patterns
from lami.core.model import Permission

MOST_CHARACTERS = 200_000
"""What is longer in all is neither held nor compared."""
# Assumption: no role definition that Azure takes is that long; see docs/assumptions.md.
EVERYTHING = (Permission(actions=("*",), data_actions=("*",)),)
MOST_STEPS = 200_000
"""How many pairs of patterns are compared before what is left counts as wider."""


def canonical(permissions: tuple[Permission, ...] | None) -> tuple[Permission, ...] | None:
    """Permissions in the one form in which they are held: sorted, each once; None where they were not read.

    What is too long counts as allowing everything: a role must not hide behind its length.
    """
    if permissions is None:
        return None
    if sum(map(_weight, permissions)) > MOST_CHARACTERS:
        return EVERYTHING
    blocks = {
        Permission(
            _sorted(block.actions),
            _sorted(block.not_actions),
            _sorted(block.data_actions),
            _sorted(block.not_data_actions),
            block.condition.strip(),
        )
        for block in permissions
    }
    return tuple(sorted(blocks, key=_order))


@lru_cache(maxsize=256)
def gained(before: tuple[Permission, ...], after: tuple[Permission, ...]) -> tuple[str, ...]:
    """What is allowed after and was not before, as patterns, sorted; `data: …` where it is of data.

    A pattern is an action that is new or wider, or a notAction that no longer takes away. Both in the form of
    `canonical`.
    """
    if before == after:
        return ()
    steps = _Steps()
    control = sorted(set(_gained(_sides(before, data=False), _sides(after, data=False), steps)))
    data = sorted(set(_gained(_sides(before, data=True), _sides(after, data=True), steps)))
    written = {pattern.lower(): pattern for block in (*before, *after) for pattern in _all(block)}
    return (*(written[one] for one in control), *(f"data: {written[one]}" for one in data))


class _Side(Struct, frozen=True):
    """One side of a block, management or data, in lower case."""

    given: tuple[str, ...]
    taken: tuple[str, ...]
    condition: str


class _Steps:
    """Counts comparisons; when they are used up, nothing is shown any longer."""

    def __init__(self) -> None:
        self._left = MOST_STEPS

    def contains(self, wider: str, narrower: str) -> bool:
        """Whether the one pattern is known to cover all that the other does."""
        if wider == narrower:
            return True
        if "*" not in wider:
            return False
        self._left -= 1
        return self._left >= 0 and patterns.contains(wider, narrower)

    def any_contains(self, wider: Iterable[str], narrower: str) -> bool:
        """Whether any of these is."""
        return any(self.contains(one, narrower) for one in wider)


def _gained(before: tuple[_Side, ...], after: tuple[_Side, ...], steps: _Steps) -> Iterator[str]:
    for side in after:
        for action in side.given:
            if not steps.any_contains(side.taken, action):
                yield from _news(before, side, action, steps)


def _news(before: tuple[_Side, ...], side: _Side, action: str, steps: _Steps) -> tuple[str, ...]:
    """What of an action was not allowed before: nothing, notActions that took of it, or all of it."""
    least: tuple[str, ...] | None = None
    for old in before:
        if conditions.weakens(old.condition, side.condition):
            continue
        if action not in old.given and not steps.any_contains(old.given, action):
            continue
        given_back = tuple(
            one
            for one in old.taken
            if _may_meet(one, action) and one not in side.taken and not steps.any_contains(side.taken, one)
        )
        if least is None or len(given_back) < len(least):
            least = given_back
        if not least:
            return ()
    return (action,) if least is None else least


def _may_meet(one: str, other: str) -> bool:
    """Whether two patterns may cover a common operation: not where their beginnings or ends differ."""
    if "*" not in one or "*" not in other:
        return patterns.contains(one, other) or patterns.contains(other, one)
    (mine, *_, my_end), (theirs, *_, their_end) = _ends(one), _ends(other)
    if not (mine.startswith(theirs) or theirs.startswith(mine)):
        return False
    return my_end.endswith(their_end) or their_end.endswith(my_end)


def _ends(pattern: str) -> tuple[str, str]:
    parts = patterns.pieces(pattern)
    return parts[0], parts[-1]


def _sides(permissions: tuple[Permission, ...], data: bool) -> tuple[_Side, ...]:
    return tuple(
        _Side(_lower(block.data_actions), _lower(block.not_data_actions), block.condition)
        if data
        else _Side(_lower(block.actions), _lower(block.not_actions), block.condition)
        for block in permissions
    )


def _weight(block: Permission) -> int:
    return len(block.condition) + sum(len(pattern) + 1 for pattern in _all(block))


def _all(block: Permission) -> tuple[str, ...]:
    return (*block.actions, *block.not_actions, *block.data_actions, *block.not_data_actions)


def _sorted(found: tuple[str, ...]) -> tuple[str, ...]:
    each = {pattern.strip().lower(): pattern.strip() for pattern in sorted(found)}
    return tuple(each[key] for key in sorted(each))


def _lower(found: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(pattern.lower() for pattern in found)


def _order(block: Permission) -> tuple[object, ...]:
    return (block.actions, block.not_actions, block.data_actions, block.not_data_actions, block.condition)
