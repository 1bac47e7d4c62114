"""Conditions of role assignments (ABAC): reading one, and what became of it when it is another.

A condition is a Boolean expression over what is asked for (`ActionMatches`, `SubOperationMatches`) and over
attributes (`@Resource[…] StringEquals '…'`, `Exists @Request[…]`). It can only take away from what the
role allows. Source: Microsoft Learn, "Azure role assignment condition format and syntax".

lami evaluates none. It reads a condition into a *normal form*: negations stand before atoms only, nested ANDs
and ORs are flat and are sets. So white space, the case of keywords, parentheses that change nothing, order
and repetition make no difference. Of two normal forms it can say, soundly and not completely, that one
implies the other (`compare`): where neither can be shown, the condition is *changed*, for worse as far as
anybody knows.

Reading takes linear time and bounded depth. What is not as the source has it does not parse: a condition
that lami does not understand narrows nothing, and is said to be so.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Literal

from msgspec import Struct

from lami.core.patterns import matches

MOST_CHARACTERS = 20_000
"""Longer texts are not read."""
# Assumption: Azure takes no condition of that length (its own limit is 8 KB); see docs/assumptions.md.
MOST_DEEP = 50
"""How deep parentheses and negations may be nested."""
MOST_STEPS = 20_000
"""How many pairs of parts are compared before two conditions count as neither implying the other."""

Comparison = Literal["same", "removed", "narrowed", "widened", "changed"]
"""What became of a condition: `changed` where it is neither known to allow less nor to allow more.

One that does not parse narrows nothing: in the place of none it is the same.
"""

# --- the normal form -------------------------------------------------------------------------------


class Matches(Struct, frozen=True):
    """`ActionMatches{'…'}` or `SubOperationMatches{'…'}`, in lower case."""

    function: Literal["actionmatches", "suboperationmatches"]
    patterns: frozenset[str]


class Exists(Struct, frozen=True):
    """`Exists @Request[…]`."""

    attribute: str


class Compared(Struct, frozen=True):
    """`left operator right`. Operands are an attribute as it stands, or a set of values.

    The operator is in lower case, and so are values where it compares without case.
    """

    left: str | frozenset[str]
    operator: str
    right: str | frozenset[str]


Atom = Matches | Exists | Compared


class Literally(Struct, frozen=True):
    """An atom, or that it does not hold."""

    atom: Atom
    holds: bool


class Every(Struct, frozen=True):
    """All of these hold; two or more, and no `Every` among them."""

    parts: frozenset[Node]


class Some(Struct, frozen=True):
    """At least one of these holds; two or more, and no `Some` among them."""

    parts: frozenset[Node]


Node = Literally | Every | Some


class Unreadable(Struct, frozen=True):
    """A condition that does not parse, and why in words."""

    reason: str


# --- questions -------------------------------------------------------------------------------------


@lru_cache(maxsize=1024)
def read(condition: str) -> Node | Unreadable:
    """The normal form of a condition, or why there is none. An empty text is no condition."""
    if len(condition) > MOST_CHARACTERS:
        return Unreadable(f"is longer than {MOST_CHARACTERS} characters")
    try:
        return _Parser(list(_tokens(condition))).whole()
    except _Wrong as wrong:
        return Unreadable(str(wrong))


def narrows(condition: str) -> bool:
    """Whether a condition restricts which role assignments may be made.

    One that speaks only of removing assignments, or of data, doesn't; nor does one that does not parse.
    """
    # Assumption: a condition on the request to make a role assignment does narrow it; lami evaluates none.
    node = read(condition)
    return not isinstance(node, Unreadable) and not _lets_through(node)


def unread(condition: str) -> str:
    """Why a condition does not parse, in words; empty where it does, and where there is none."""
    node = read(condition) if condition else None
    return node.reason if isinstance(node, Unreadable) else ""


def compare(before: str, after: str) -> Comparison:
    """What became of a condition, by what it lets through; an empty text is no condition."""
    if before == after:
        return "same"
    if not after:
        return "removed"
    new = read(after)
    if not before:
        return "same" if isinstance(new, Unreadable) else "narrowed"
    old = read(before)
    if isinstance(old, Unreadable) or isinstance(new, Unreadable):
        return "changed"
    steps = _Steps()
    narrower, wider = steps.implies(new, old), steps.implies(old, new)
    if narrower and wider:
        return "same"
    return "narrowed" if narrower else "widened" if wider else "changed"


def weakens(before: str, after: str) -> bool:
    """Whether a condition that is replaced by another may let more through: it is no known narrowing."""
    return compare(before, after) in ("removed", "widened", "changed")


# --- what narrows ----------------------------------------------------------------------------------

_GRANT = "microsoft.authorization/roleassignments/write"
_REQUEST = "@request[microsoft.authorization/roleassignments"


def _lets_through(node: Node) -> bool:
    """Whether some role assignment of every kind passes, as far as is known: what is asked of the request
    may fail, all else may be arranged."""
    if isinstance(node, Every):
        return all(_lets_through(part) for part in node.parts)
    if isinstance(node, Some):
        return any(_lets_through(part) for part in node.parts)
    atom = node.atom
    if isinstance(atom, Matches):
        if atom.function == "suboperationmatches":
            return True
        return any(matches(pattern, _GRANT) for pattern in atom.patterns) == node.holds
    operands = (atom.attribute,) if isinstance(atom, Exists) else (atom.left, atom.right)
    return not any(isinstance(one, str) and one.lower().startswith(_REQUEST) for one in operands)


# --- what implies what -----------------------------------------------------------------------------


class _Steps(Struct):
    """Shows implications, sparingly: after so many steps nothing more is shown."""

    left: int = MOST_STEPS

    def implies(self, one: Node, other: Node) -> bool:
        """Whether it can be shown that the other holds wherever the one does."""
        self.left -= 1
        if self.left < 0:
            return False
        if one == other:
            return True
        if isinstance(other, Every):
            return all(self.implies(one, part) for part in other.parts)
        if isinstance(one, Some):
            return all(self.implies(part, other) for part in one.parts)
        if isinstance(one, Every) and self._any_of(one, other):
            return True
        if isinstance(other, Some):
            return one in other.parts or any(self.implies(one, part) for part in other.parts)
        return isinstance(one, Literally) and isinstance(other, Literally) and _literally(one, other)

    def _any_of(self, one: Every, other: Node) -> bool:
        return other in one.parts or any(self.implies(part, other) for part in one.parts)


def _literally(one: Literally, other: Literally) -> bool:
    """Whether one list of values lies within the other, on the side on which it must."""
    mine, theirs = one.atom, other.atom
    if not isinstance(mine, Compared) or not isinstance(theirs, Compared) or one.holds != other.holds:
        return False
    if (mine.left, mine.operator) != (theirs.left, theirs.operator):
        return False
    if isinstance(mine.right, str) or isinstance(theirs.right, str):
        return False
    few, many = (mine.right, theirs.right) if one.holds else (theirs.right, mine.right)
    if mine.operator.startswith(("foranyofanyvalues:", "forallofanyvalues:")):
        return few <= many
    if mine.operator.startswith(("foranyofallvalues:", "forallofallvalues:")):
        return few >= many
    return False


# --- reading ---------------------------------------------------------------------------------------


class _Wrong(Exception):
    """What of a text is not as a condition is written. Never leaves this module."""


_TOKEN = re.compile(
    r"""\s+
    | (?P<text>'(?:[^'\\]|\\[^'])*')          # \' is said nowhere to be a quote, nor not to be one
    | (?P<attribute>@[A-Za-z]+\[[^\[\]'{}]*\])
    | (?P<word>[A-Za-z0-9_][A-Za-z0-9_.:+-]*|-[0-9]+)
    | (?P<sign>&&|\|\||[(){},!])
    """,
    re.VERBOSE,
)
_SIGNS = {"&&": "and", "||": "or", "!": "not"}
_OPERATOR = re.compile(
    r"(?:for(?:any|all)of(?:any|all)values:)?"
    r"(?:string(?:not)?(?:equals|startswith|like)(?:ignorecase)?"
    r"|(?:numeric|datetime)(?:equals|notequals|lessthan|lessthanequals|greaterthan|greaterthanequals)"
    r"|(?:guid|bool)(?:not)?equals)"
)
_CASELESS = re.compile(r".*ignorecase|(?:.*:)?(?:guid|bool).*")
_FUNCTIONS: tuple[Literal["actionmatches"], Literal["suboperationmatches"]] = (
    "actionmatches",
    "suboperationmatches",
)
_KEYWORDS = frozenset({"and", "or", "not", "exists", *_FUNCTIONS})


class _Token(Struct, frozen=True):
    kind: Literal["text", "attribute", "word", "sign", "end"]
    text: str

    @property
    def key(self) -> str:
        """What it is as a keyword or sign, whichever way that was written; empty for values."""
        if self.kind == "sign":
            return _SIGNS.get(self.text, self.text)
        return self.text.lower() if self.kind == "word" else ""


def _tokens(condition: str) -> Iterator[_Token]:
    at = 0
    while at < len(condition):
        found = _TOKEN.match(condition, at)
        if found is None:
            raise _Wrong(f"holds what no condition holds, at character {at + 1}")
        at = found.end()
        if found["text"] is not None:
            yield _Token("text", found["text"][1:-1])
        elif found["attribute"] is not None:
            source, _, name = found["attribute"][:-1].partition("[")
            yield _Token("attribute", f"{source.lower()}[{name.strip()}]")
        elif found["word"] is not None:
            yield _Token("word", found["word"])
        elif found["sign"] is not None:
            yield _Token("sign", found["sign"])


class _Parser(Struct):
    """Reads tokens from left to right; `whole` is asked once."""

    tokens: list[_Token]
    at: int = 0

    def whole(self) -> Node:
        node = self._expression(holds=True, deep=0)
        if self._next().kind != "end":
            raise _Wrong(f"goes on where it should end, at {self._next().text[:40]!r}")
        return node

    def _next(self) -> _Token:
        return self.tokens[self.at] if self.at < len(self.tokens) else _Token("end", "")

    def _take(self, key: str = "") -> _Token:
        token = self._next()
        if token.kind == "end":
            raise _Wrong("ends too soon")
        if key and token.key != key:
            raise _Wrong(f"has {token.text[:40]!r} where {key} should stand")
        self.at += 1
        return token

    def _expression(self, holds: bool, deep: int) -> Node:
        """Terms joined by AND or by OR. With `holds` false, the normal form of its negation."""
        parts = [self._term(holds, deep)]
        join = self._next().key
        while self._next().key in ("and", "or"):
            if self._take().key != join:
                # Which goes first is ambiguous, says the source: parentheses must tell.
                raise _Wrong("mixes AND and OR without parentheses")
            parts.append(self._term(holds, deep))
        if len(parts) == 1:
            return parts[0]
        return _joined(parts, Every if (join == "and") == holds else Some)

    def _term(self, holds: bool, deep: int) -> Node:
        if deep > MOST_DEEP:
            raise _Wrong(f"is nested more than {MOST_DEEP} deep")
        if self._next().key == "not":
            self._take()
            return self._term(not holds, deep + 1)
        if self._next().key == "(":
            self._take()
            node = self._expression(holds, deep + 1)
            self._take(")")
            return node
        return Literally(self._atom(), holds)

    def _atom(self) -> Atom:
        for function in _FUNCTIONS:
            if self._next().key == function:
                self._take()
                return Matches(function, frozenset(one.lower() for one in self._values(quoted=True)))
        if self._next().key == "exists":
            self._take()
            if self._next().kind != "attribute":
                raise _Wrong("asks whether something exists that is no attribute")
            return Exists(self._take().text)
        left = self._operand()
        operator = self._take().key
        if not _OPERATOR.fullmatch(operator):
            raise _Wrong(f"compares by {operator[:40]!r}, which is no operator")
        right = self._operand()
        if _CASELESS.fullmatch(operator):
            left, right = _lower(left), _lower(right)
        return Compared(left, operator, right)

    def _operand(self) -> str | frozenset[str]:
        token = self._next()
        if token.key == "{":
            return frozenset(self._values(quoted=False))
        if token.kind == "attribute":
            return self._take().text
        return frozenset({self._value(quoted=False)})

    def _values(self, quoted: bool) -> Iterator[str]:
        self._take("{")
        yield self._value(quoted)
        while self._next().key == ",":
            self._take()
            yield self._value(quoted)
        self._take("}")

    def _value(self, quoted: bool) -> str:
        token = self._take()
        if token.kind == "text" or (token.kind == "word" and not quoted and token.key not in _KEYWORDS):
            return token.text
        raise _Wrong(f"has {token.text[:40]!r} where a value should stand")


def _joined(parts: list[Node], join: type[Every] | type[Some]) -> Node:
    flat: set[Node] = set()
    for part in parts:
        flat.update(part.parts if isinstance(part, Every | Some) and isinstance(part, join) else (part,))
    return flat.pop() if len(flat) == 1 else join(frozenset(flat))


def _lower(operand: str | frozenset[str]) -> str | frozenset[str]:
    return operand if isinstance(operand, str) else frozenset(value.lower() for value in operand)
