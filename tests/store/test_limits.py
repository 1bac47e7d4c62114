"""The cheap bound on what a transaction sends is a bound."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lami.store import limits
from lami.store.table import Value

NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,80}", fullmatch=True)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
VALUES: st.SearchStrategy[Value] = TEXTS | st.integers(-(2**31), 2**31 - 1) | st.booleans()


@given(st.text("abc|-", max_size=40), st.dictionaries(NAMES, VALUES, max_size=8))
def test_what_is_sent_is_never_more_than_the_bound(keys: str, values: dict[str, Value]) -> None:
    """Whatever names and values: so the JSON need only be made near the limit."""
    assert limits._sent(keys, values) <= limits._sent_at_most(keys, values)
