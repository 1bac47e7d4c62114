"""What `lami doctor --automation` prints: tables of the policy to paste, each under its figures."""

from __future__ import annotations

from collections.abc import Sequence

from lami.channels.text import shown
from lami.cli.output import Columns, Item
from lami.core.makers import Maker
from lami.core.naming import counted
from lami.core.shapes import time_json

COLUMNS: Columns = {
    "CREATED BY": "createdBy",
    "KIND": "kind",
    "STAND": "present",
    "WENT AGAIN": "gone",
    "PRINCIPALS": "principals",
    "ROLES": "roles",
    "SCOPES": "scopes",
    "SINCE": "since",
}
_NAMED = 5
_LINE = 300


def item(maker: Maker) -> Item:
    """A proposal as JSON has it; `toml` is what is to be pasted."""
    return {
        "createdBy": maker.id,
        "kind": maker.kind or None,
        "present": maker.present,
        "gone": maker.gone,
        "grantingAccess": maker.granting,
        "principals": maker.principals,
        "roles": list(maker.roles),
        "scopes": list(maker.scopes),
        "since": time_json(maker.since),
        "latest": time_json(maker.latest),
        "toml": toml(maker),
    }


def toml(maker: Maker) -> str:
    """A table of the policy. Its name and reason are empty, so it is refused until somebody has judged it."""
    grants = "temporary" if maker.passing else "record"
    lines = (
        *(f"# {shown(line, _LINE)}" for line in _figures(maker)),
        "[[automation]]",
        'name = ""  # what it is, for people',
        f'created-by = ["{maker.id}"]',
        'reason = ""  # why nobody need hear of what it grants',
        f'grants = "{grants}"',
    )
    return "\n".join(lines)


def _figures(maker: Maker) -> Sequence[str]:
    made = maker.present + maker.gone
    kind = (
        f"Kind: {maker.kind}, as Azure says where it holds role assignments itself."
        if maker.kind
        else "Kind: not known. lami has seen no role assignment of its own, and does not guess."
    )
    return (
        f"{counted(made, 'role assignment')}: {maker.present} stand, {maker.gone} went again;"
        f" to {counted(maker.principals, 'principal')}.",
        f"From {time_json(maker.since)} to {time_json(maker.latest)}.",
        f"Roles: {_some(maker.roles)}.",
        f"Scopes: {_some(maker.scopes)}.",
        *(
            (f"{maker.granting} of them can grant access: such are told all the same.",)
            if maker.granting
            else ()
        ),
        kind,
        f"Who is it, and who can act as it? az ad sp show --id {maker.id}",
    )


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
