"""Attacker-chosen text shows as what it is."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lami.channels.text import copyable, shown


@given(st.text(st.characters(codec=None), max_size=200), st.integers(1, 80))
def test_shown_text_is_one_printable_line_within_its_limit(text: str, limit: int) -> None:
    """Whatever comes in, what goes out is printable, encodable and no longer than asked."""
    out = shown(text, limit)
    assert out.isprintable()
    assert len(out) <= limit
    assert out.encode().decode() == out


def test_hiding_characters_are_named() -> None:
    """Line breaks, overrides and escapes are shown by their names, and letters of any script stay."""
    assert shown("a\r\nb\u202ec\x1b\u200b\ud800", 80) == "a\\r\\nb\\u202ec\\x1b\\u200b\\ud800"
    assert shown("Überweisung 支払い", 80) == "Überweisung 支払い"


def test_a_long_text_is_cut_visibly() -> None:
    """A cut ends in an ellipsis."""
    assert shown("x" * 100_000, 10) == "x" * 9 + "…"


def test_a_command_is_exact_or_not_copyable() -> None:
    """A command with a hiding character, or a longer one than there is room for, is not to be copied."""
    assert copyable("az role assignment delete --ids x", 100)
    assert not copyable("az a\u202eb", 100)
    assert not copyable("a" * 101, 100)
