"""Azure's built-in roles, as they were listed (`tests/data`), and the classes of each as agreed on."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TypedDict

from msgspec.structs import replace

from lami.core.model import Permission, RoleDefinition
from lami.core.roles import POWERS, Power, powers

LISTED = Path(__file__).parent.parent / "data" / "built-in-roles.json"
GOLDEN = Path(__file__).parent / "golden.tsv"
HEAD = """\
# What each of Azure's built-in roles can do: classes (gravest first), mark, name, id; `-` stands for none.
# `conditional`: may assign roles too, but only those that a condition on its permissions names.
# The tests compare lami with this file. A line that is wrong is corrected here, and then lami is mended;
# `make golden` writes what lami says, to be read as a diff. docs/reach.md is made of it: `make reach`.
"""


class Block(TypedDict, total=False):
    """One block of a role's permissions, as Azure listed it."""

    actions: list[str]
    notActions: list[str]
    dataActions: list[str]
    notDataActions: list[str]
    condition: str


@dataclass(frozen=True)
class Line:
    """A role in the golden file."""

    classes: tuple[Power, ...]
    conditional: bool
    name: str
    id: str

    def __str__(self) -> str:
        """As it stands in the file."""
        return "\t".join((said(self), self.name, self.id))


def said(line: Line) -> str:
    """What is said of a role: its classes and its mark."""
    return "\t".join((" ".join(line.classes) or "-", "conditional" if line.conditional else "-"))


def built_in() -> list[RoleDefinition]:
    """The roles as Azure listed them, by id."""
    return [
        RoleDefinition(row["id"], row["name"], tuple(_permission(block) for block in row["permissions"]))
        for row in json.loads(LISTED.read_text("utf-8"))
    ]


def _permission(block: Block) -> Permission:
    return Permission(
        tuple(block.get("actions", ())),
        tuple(block.get("notActions", ())),
        tuple(block.get("dataActions", ())),
        tuple(block.get("notDataActions", ())),
        block.get("condition", ""),
    )


def judged(role: RoleDefinition) -> Line:
    """What lami says of a role."""
    blocks = role.permissions or ()
    free = powers(tuple(replace(block, condition="") for block in blocks))
    held = powers(blocks)
    return Line(held, "grants-access" in free and "grants-access" not in held, role.name, role.id)


def golden() -> list[Line]:
    """The golden file; an unknown class or a line of another shape raises ValueError."""
    lines = GOLDEN.read_text("utf-8").splitlines()
    return [_line(line) for line in lines if line and not line.startswith("#")]


def _line(text: str) -> Line:
    classes, mark, name, id = text.split("\t")
    named = () if classes == "-" else tuple(POWERS[POWERS.index(word)] for word in classes.split())
    return Line(named, {"-": False, "conditional": True}[mark], name, id)


def differences(agreed: Iterable[Line], judged: Iterable[Line]) -> list[str]:
    """Each role of which the golden file and lami don't say the same, and what each says."""
    expected, came = ({line.id: line for line in lines} for lines in (agreed, judged))
    return [
        f"{(expected.get(id) or came[id]).name} ({id}): golden.tsv says "
        f"{_shown(expected.get(id))}, lami says {_shown(came.get(id))}"
        for id in sorted({*expected, *came})
        if _shown(expected.get(id)) != _shown(came.get(id))
    ]


def _shown(line: Line | None) -> str:
    return "nothing" if line is None else said(line).removesuffix("\t-").replace("\t", " ")


def written(lines: Iterable[Line]) -> str:
    """The golden file of these lines: grouped by their classes, the gravest first, by name within."""
    ordered = sorted(lines, key=lambda line: (*gravity(line.classes), line.name.lower()))
    groups = groupby(ordered, key=lambda line: line.classes)
    return HEAD + "".join("\n" + "".join(f"{line}\n" for line in group) for _, group in groups)


def gravity(classes: tuple[Power, ...]) -> tuple[tuple[int, ...]]:
    """What to sort by, so that the gravest come first and none last."""
    return (tuple(POWERS.index(each) for each in classes) or (len(POWERS),),)
