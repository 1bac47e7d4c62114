"""Writing policies as TOML, every table inline; and strategies for the values that TOML can hold."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta, timezone

from hypothesis import strategies as st

from tests.properties.texts import hostile

Toml = object
"""A string, number, boolean, date, time, list or mapping of them."""


def document(tables: Mapping[str, Toml]) -> str:
    """A whole file."""
    return "\n".join(f"{_text(key)} = {value(it)}" for key, it in tables.items())


def value(it: Toml) -> str:
    """One value as TOML writes it."""
    if isinstance(it, str):
        return _text(it)
    if isinstance(it, bool):
        return "true" if it else "false"
    if isinstance(it, int):
        return str(it) if abs(it) < 10**4000 else hex(abs(it))
    if isinstance(it, list):
        return f"[{', '.join(map(value, it))}]"
    if isinstance(it, Mapping):
        return "{" + ", ".join(f"{_text(key)} = {value(inner)}" for key, inner in it.items()) + "}"
    if isinstance(it, date | time):
        return it.isoformat()
    return repr(it)  # a float, inf and nan among them


def _text(it: str) -> str:
    return json.dumps(it, ensure_ascii=False).replace("\x7f", "\\u007f")


OFFSETS = [UTC, timezone(timedelta(hours=14)), timezone(timedelta(hours=-12))]
texts = hostile.map(lambda text: text.encode("utf-8", "replace").decode())
"""Text that a file in UTF-8 can hold."""
moments = st.datetimes(timezones=st.sampled_from(OFFSETS), allow_imaginary=False)
values = st.recursive(
    st.one_of(
        texts,
        st.booleans(),
        st.integers(),
        st.integers(5_000, 20_000).map(lambda digits: 16**digits),
        st.floats(),
        st.dates(),
        st.datetimes(),
        moments,
        st.sampled_from([datetime.max.replace(tzinfo=OFFSETS[2]), datetime.min.replace(tzinfo=OFFSETS[1])]),
        st.times(),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(texts, inner, max_size=3)),
    max_leaves=6,
)
"""Any value of TOML."""
