"""Patterns of operations such as `Microsoft.Logic/*/read`: what one covers.

`*` stands for any run of characters, slashes included, anywhere in a pattern, and case means nothing.
Source: Microsoft Learn, "Understand Azure role definitions". All of it takes time in proportion to the two
lengths, however many wildcards there are.
"""

from __future__ import annotations

ANYTHING = "\0"
"""Persisting in an operation for what a `*` stands for. No pattern names it, so only a wildcard covers it."""


def matches(pattern: str, operation: str) -> bool:
    """Whether a pattern covers the operation, whatever the case."""
    return covers(pieces(pattern), operation.lower())


def contains(wider: str, narrower: str) -> bool:
    """Whether whatever the narrower pattern covers the wider one does, whatever the case."""
    return covers(pieces(wider), narrower.lower().replace("*", ANYTHING))


def pieces(pattern: str) -> tuple[str, ...]:
    """A pattern's parts between its wildcards, in lower case."""
    return tuple(pattern.lower().split("*"))


def covers(pieces: tuple[str, ...], operation: str) -> bool:
    """Whether the pattern of these pieces covers an operation in lower case.

    Each piece between wildcards is looked for once, from the left.
    """
    head, tail = pieces[0], pieces[-1]
    if len(pieces) == 1:
        return operation == head
    end = len(operation) - len(tail)
    if end < len(head) or not operation.startswith(head) or not operation.endswith(tail):
        return False
    at = len(head)
    for piece in pieces[1:-1]:
        found = operation.find(piece, at, end)
        if found < 0:
            return False
        at = found + len(piece)
    return True
