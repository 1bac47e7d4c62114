"""Expected access as books exchange it: each access with how often it was accepted and withdrawn in turn.

A term is expected while its count is odd. Merging keeps the larger count of each access, so it makes no
difference in which order, or how often, two books tell each other what they know.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from lami.core.model import Access, Term


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


def bare(terms: Mapping[str, Term]) -> dict[str, Term]:
    """The terms without what only their own book needs: fit to be told to another."""
    return {key: Term(term.access, term.role_name, term.count) for key, term in terms.items()}
