"""Expected access as books exchange it: each access with how often it was accepted and withdrawn in turn.

A term is expected while its count is odd. Merging keeps the larger count of each access, so it makes no
difference in which order, or how often, two books tell each other what they know.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property

from msgspec.structs import replace

from lami.core import conditions
from lami.core.ids import ResourceId
from lami.core.model import Access, Grant, Term


def merge(mine: Mapping[str, Term], theirs: Mapping[str, Term]) -> tuple[dict[str, Term], tuple[Term, ...]]:
    """All terms of both, and those of mine that are new or changed by it."""
    merged = dict(mine)
    changed = []
    for key, term in sorted(theirs.items()):
        held = merged.get(key)
        if held is None or term.count > held.count:
            merged[key] = Term(term.access, term.role_name, term.count)
            if held is not None and held.expected == term.expected:
                merged[key] = replace(held, count=term.count)
            changed.append(merged[key])
    return merged, tuple(changed)


def accept(mine: Mapping[str, Term], access: Access, role_name: str) -> dict[str, Term]:
    """The terms with this access expected."""
    held = mine.get(access.key)
    if held is not None and held.expected:
        return dict(mine)
    return {**mine, access.key: Term(access, role_name, 1 if held is None else held.count + 1)}


def withdraw(mine: Mapping[str, Term], key: str) -> dict[str, Term]:
    """The terms with the access of this key no longer expected."""
    held = mine.get(key)
    if held is None or not held.expected:
        return dict(mine)
    return {**mine, key: Term(held.access, held.role_name, held.count + 1)}


def expects(mine: Mapping[str, Term], access: Access) -> bool:
    """Whether just this access is expected."""
    held = mine.get(access.key)
    return held is not None and held.expected


def allow(mine: Mapping[str, Term], access: Access) -> bool:
    """Whether what is expected of the same role at the same scope allows at least as much as this access."""
    if expects(mine, access):
        return True
    # Without a condition it is the widest there is.
    return bool(access.condition) and any(
        term.expected
        and _one_place(term.access, access)
        and not conditions.weakens(term.access.condition, access.condition)
        for term in mine.values()
    )


def weakened(mine: Mapping[str, Term], grant: Grant) -> Access | None:
    """The expected access that this assignment gave before its condition was weakened; None where it was not.

    Weakened is a condition that was changed in place, and not by a known narrowing of what is expected. An
    assignment that was deleted and made again is another: it is judged as a new grant.
    """
    if not grant.present or grant.was is None or not expects(mine, grant.was) or allow(mine, grant.access):
        return None
    return grant.was


def move(mine: Mapping[str, Term], grant: Grant, held: Iterable[Access]) -> dict[str, Term]:
    """The terms with a grant's access expected in the place of others of that role and scope.

    What is `held` under another condition stays expected.
    """
    kept = {access.key for access in held}
    moved = accept(mine, grant.access, grant.role_name)
    for key, term in mine.items():
        if _one_place(term.access, grant.access) and key != grant.access.key and key not in kept:
            moved = withdraw(moved, key)
    return moved


class Supply:
    """What is given, to ask whether it serves for what is expected."""

    def __init__(self, given: Sequence[Access]) -> None:
        self._given = given
        self._keys = {access.key for access in given}

    def lacks(self, wanted: Mapping[str, Term]) -> set[str]:
        """The keys of those terms, by their accesses' keys, that are expected and served by nothing given."""
        return {
            key
            for key, term in wanted.items()
            if key not in self._keys and term.expected and not self._serves(term.access)
        }

    def has(self, wanted: Access) -> bool:
        """Whether it is given, or its role at its scope or above, under a condition not known to be narrower.

        Which management groups a subscription is under is not in its id: what is granted there is left out.
        """
        return wanted.key in self._keys or self._serves(wanted)

    def _serves(self, wanted: Access) -> bool:
        """Whether something else that is given does."""
        found = (self._conditions.get((wanted.role, at), ()) for at in _at_and_above(wanted.scope))
        return any(conditions.compare(wanted.condition, one) != "narrowed" for some in found for one in some)

    @cached_property
    def _conditions(self) -> Mapping[tuple[str, str], set[str]]:
        """Under which conditions each role is given at each scope."""
        conditions: dict[tuple[str, str], set[str]] = {}
        for access in self._given:
            conditions.setdefault((access.role, access.scope.key), set()).add(access.condition)
        return conditions


def _at_and_above(scope: ResourceId) -> Iterator[str]:
    """The keys of a scope and of those above it that its id tells, to its subscription and the root."""
    parts = scope.key.strip("/").split("/")
    yield scope.key
    if scope.subscription:
        yield from ("/" + "/".join(parts[:end]) for end in range(len(parts) - 2, 1, -2))
    yield "/"


def _one_place(one: Access, other: Access) -> bool:
    return one.role == other.role and one.scope == other.scope


def bare(terms: Mapping[str, Term]) -> dict[str, Term]:
    """The terms without what only their own book needs: fit to be told to another."""
    return {key: Term(term.access, term.role_name, term.count) for key, term in terms.items()}
