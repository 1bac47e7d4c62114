"""What is said of conditions, against a brute-force evaluation of every case there is."""

from __future__ import annotations

import itertools
from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from lami.core.conditions import Comparison, Unreadable, compare, read, unread
from tests.properties.profiles import cases

Tree = str | tuple[str, "Tree"] | tuple[str, "Tree", "Tree"]
"""A condition to be: an atom, a negation, or two joined."""
Truth = Callable[[bool, str], bool]

ATTRIBUTE = "@Resource[a:b]"
LISTS = [values for n in (1, 2, 3) for values in itertools.combinations("xyz", n)]


def _among(values: tuple[str, ...]) -> Truth:
    return lambda action, value: value in values


def _unlike(values: tuple[str, ...]) -> Truth:
    return lambda action, value: value != "" and value not in values


def _listed(values: tuple[str, ...]) -> str:
    return f"{{{', '.join(map(repr, values))}}}"


ATOMS: dict[str, Truth] = {
    "ActionMatches{'A/read'}": lambda action, value: action,
    f"Exists {ATTRIBUTE}": lambda action, value: value != "",
    **{f"{ATTRIBUTE} ForAnyOfAnyValues:StringEquals {_listed(v)}": _among(v) for v in LISTS},
    **{f"{ATTRIBUTE} ForAnyOfAllValues:StringNotEquals {_listed(v)}": _unlike(v) for v in LISTS},
}
"""By how it is written, what an atom is in a case: of an action and of the attribute's value."""
CASES = list(itertools.product((True, False), ("", "x", "y", "z", "w")))

trees = st.recursive(
    st.sampled_from(sorted(ATOMS)),
    lambda inner: st.one_of(
        st.tuples(st.sampled_from(("NOT", "!")), inner),
        st.tuples(st.sampled_from(("AND", "OR", "&&", "||", "and", "Or")), inner, inner),
    ),
    max_leaves=6,
)


def written(tree: Tree) -> str:
    """The tree as a condition, with parentheses around everything."""
    if isinstance(tree, str):
        return tree
    if len(tree) == 2:
        return f"{tree[0]}({written(tree[1])})"
    return f"({written(tree[1])}) {tree[0]} ({written(tree[2])})"


def holds(tree: Tree, action: bool, value: str) -> bool:
    """What the condition is in one case."""
    if isinstance(tree, str):
        return ATOMS[tree](action, value)
    if len(tree) == 2:
        return not holds(tree[1], action, value)
    one, other = holds(tree[1], action, value), holds(tree[2], action, value)
    return (one and other) if tree[0].lower() in ("and", "&&") else (one or other)


def lets_through(tree: Tree) -> set[tuple[bool, str]]:
    """The cases in which it holds."""
    return {case for case in CASES if holds(tree, *case)}


def sound(change: Comparison, before: set[tuple[bool, str]], after: set[tuple[bool, str]]) -> bool:
    """Whether what was said of a change is so."""
    return {
        "same": before == after,
        "narrowed": before >= after,
        "widened": before <= after,
        "changed": True,
        "removed": False,
    }[change]


@cases("conditions")
@given(trees, trees)
def test_what_is_said_of_a_change_is_so(one: Tree, other: Tree) -> None:
    """No change is called narrowed, widened or none that is not so in every case."""
    change = compare(written(one), written(other))
    assert sound(change, lets_through(one), lets_through(other)), change


@cases("conditions")
@given(trees, trees)
def test_what_is_added_to_a_condition_narrows_it(one: Tree, more: Tree) -> None:
    """A AND B is never weaker than A, and A OR B never narrower, however they are written."""
    assert compare(written(one), f"({written(more)}) AND ({written(one)})") in ("narrowed", "same")
    assert compare(written(one), f"({written(more)}) OR ({written(one)})") in ("widened", "same")


@cases("conditions")
@given(trees, st.sampled_from(("\n", "  ", "\t")))
def test_how_it_is_written_makes_no_difference(tree: Tree, space: str) -> None:
    """White space and parentheses that change nothing are no change; what is written is read."""
    text = written(tree)
    assert unread(text) == ""
    assert compare(text, f"(({text.replace(' ', space)}))") == "same"


@cases("conditions")
@given(st.text(max_size=60) | st.text("()!{}'@[]AND OR NOT Exists,&|\\", max_size=60))
def test_any_text_is_read_or_not_without_fail(text: str) -> None:
    """Whatever the text, it is read or it is said why not."""
    found = read(text)
    assert not isinstance(found, Unreadable) or found.reason
