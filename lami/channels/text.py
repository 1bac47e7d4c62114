"""Making attacker-chosen text harmless to look at: names, tags and actors come from whoever deployed.

Nothing here knows a markup; each channel escapes for its own on top of this.
"""

from __future__ import annotations


def shown(text: str, limit: int) -> str:
    """The text on one line of at most `limit` characters, with nothing in it that hides or reorders.

    Control, bidirectional, zero-width, surrogate and unassigned characters, line breaks and odd spaces are
    shown as Python escapes (`\\n`, `\\u202e`): who put them there is seen to have done so.
    """
    cut = text[: limit + 1]
    if not cut.isprintable():
        cut = "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in cut)
    return cut if len(cut) <= limit else cut[: limit - 1] + "…"


def copyable(command: str, limit: int) -> bool:
    """Whether a command can be shown just as it is; if not, it is left out, never changed or cut."""
    return command.isprintable() and len(command) <= limit
