"""Many patterns of operations at once: whether any of them covers an operation.

A role may list a hundred thousand patterns on either side, and each that it gives is asked for among those
that it takes back. So patterns are not tried one by one: those with wildcards stand in a tree by their
beginnings, then their ends, then piece after piece of what is between. An operation is led down it by what
stands in it, and meets only patterns that agree with it so far.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec import Struct, field

from lami.core.patterns import ANYTHING, pieces


class _Node(Struct):
    """The pieces that may come next, and whether a pattern ends here. `lengths` are those of the pieces."""

    ends: bool = False
    next: dict[str, _Node] = field(default_factory=dict)
    lengths: tuple[int, ...] = ()

    def at(self, piece: str) -> _Node:
        """The node after a piece, made where there is none. Only while the tree is built."""
        found = self.next.get(piece)
        if found is None:
            found = self.next[piece] = _Node()
            if len(piece) not in self.lengths:
                self.lengths = tuple(sorted((*self.lengths, len(piece))))
        return found

    def after(self, operation: str, at: int, end: int) -> Iterator[tuple[_Node, int]]:
        """Each next node whose piece stands in `operation[at:end]`, and where its leftmost one ends."""
        if len(self.next) <= (end - at) * len(self.lengths):
            found = ((piece, operation.find(piece, at, end)) for piece in self.next)
            yield from ((self.next[piece], start + len(piece)) for piece, start in found if start >= 0)
            return
        seen = set()
        for length in self.lengths:
            for start in range(at, end - length + 1):
                piece = operation[start : start + length]
                if piece in self.next and piece not in seen:
                    seen.add(piece)
                    yield self.next[piece], start + length


class Patterns(Struct, frozen=True):
    """A list of patterns, made ready: plain ones in a set, those with wildcards in pieces and in a tree."""

    plain: frozenset[str]
    wild: tuple[tuple[str, ...], ...]
    tree: _Node

    @classmethod
    def of(cls, patterns: Iterable[str]) -> Patterns:
        """The patterns of one list of a role; white space around one means nothing, as case does."""
        texts = {pattern.strip().lower() for pattern in patterns}
        wild = tuple(pieces(text) for text in sorted(texts) if "*" in text)
        tree = _Node()
        for head, *middle, tail in wild:
            node = tree.at(head).at(tail)
            for piece in filter(None, middle):
                node = node.at(piece)
            node.ends = True
        return cls(frozenset(text for text in texts if "*" not in text), wild, tree)

    def cover(self, operation: str) -> bool:
        """Whether any pattern covers an operation in lower case."""
        return operation in self.plain or any(
            _leads(tails.next[operation[end:]], operation, at, end)
            for at in self.tree.lengths
            if (tails := self.tree.next.get(operation[:at])) is not None
            for end in (len(operation) - length for length in tails.lengths)
            if end >= at and operation[end:] in tails.next
        )

    def witnesses(self) -> Iterator[str]:
        """Each pattern as an operation that it covers and, where it has a wildcard, nobody names."""
        yield from self.plain
        yield from (ANYTHING.join(pieces) for pieces in self.wild)


def _leads(node: _Node, operation: str, at: int, end: int) -> bool:
    """Whether some pattern below `node` ends with what stands in `operation[at:end]`.

    The leftmost of each piece is the best: what can follow a later one can follow it too.
    """
    open_ends = [(node, at)]
    while open_ends:
        node, at = open_ends.pop()
        if node.ends:
            return True
        open_ends.extend(node.after(operation, at, end))
    return False
