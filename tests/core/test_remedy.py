"""Remediation commands: whatever things are called, a shell takes the words apart as they were meant."""

from __future__ import annotations

import shlex
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lami.core import remedy
from lami.core.ids import ResourceId
from lami.core.model import Access
from tests.core.builders import CONTRIBUTOR, HOSTILE, P1, SUB, group

IDENTITIES = "Microsoft.ManagedIdentity/userAssignedIdentities"
PRINTABLE = st.text().filter(str.isprintable)


@given(PRINTABLE)
def test_a_delete_is_five_words_and_the_id(name: str) -> None:
    """A hostile assignment id stays one word."""
    line = remedy.delete_assignment(f"/{name}")
    assert shlex.split(line) == ["az", "role", "assignment", "delete", "--ids", f"/{name}"]


@given(PRINTABLE, PRINTABLE.filter(bool))
def test_a_create_keeps_scope_and_condition_whole(name: str, condition: str) -> None:
    """A hostile scope and condition stay one word each, and the condition keeps its version."""
    access = Access(CONTRIBUTOR.id, ResourceId(f"/x{name}y"), condition)
    words = shlex.split(remedy.create_assignment(P1, access))
    assert dict(zip(words[4::2], words[5::2], strict=True)) == {
        "--assignee-object-id": P1,
        "--assignee-principal-type": "ServicePrincipal",
        "--role": CONTRIBUTOR.id,
        "--scope": f"/x{name}y",
        # az would read what begins with @ as the name of a file.
        "--condition": f" {condition}" if condition.startswith("@") else condition,
        "--condition-version": "2.0",
    }


@pytest.mark.parametrize("kind", ["Microsoft.Logic/workflows", "Microsoft.Web/sites"])
@pytest.mark.parametrize("name", [name for name in HOSTILE if "/" not in name])
def test_an_identitys_commands_keep_hostile_names_whole(kind: str, name: str) -> None:
    """Group, app and identity stay one word each, whatever they are called."""
    there = f"/subscriptions/{SUB}/resourceGroups/{name}/providers"
    app, own = ResourceId(f"{there}/{kind}/{name}"), ResourceId(f"{there}/{IDENTITIES}/{name}")
    at = ["--subscription", SUB, "--resource-group", name, "--name", name]
    if name.startswith("-"):  # A word of its own would be taken for another option.
        at = ["--subscription", SUB, f"--resource-group={name}", f"--name={name}"]
    assert shlex.split(remedy.create_identity(own)) == ["az", "identity", "create", *at]
    head = ["az", *(["logicapp"] if "Web" in kind else ["logic", "workflow"]), "identity", "assign", *at]
    assert shlex.split(remedy.attach_identity(app, own)) == [*head, "--user-assigned", own.text]
    assert shlex.split(remedy.assign_system_identity(app)) == [*head, "--system-assigned"]
    head[head.index("assign")] = "remove"
    assert shlex.split(remedy.detach_identity(app, own)) == [*head, "--user-assigned", own.text]


def test_without_a_condition_none_is_given() -> None:
    """`--condition ''` would be refused by az."""
    assert "--condition" not in remedy.create_assignment(P1, Access(CONTRIBUTOR.id, group()))


@pytest.mark.parametrize("name", [*HOSTILE, "'", "''", "\\'", "$IFS", "!!", "%PATH%"])
def test_a_real_shell_takes_it_apart_as_meant(name: str) -> None:
    """`sh` itself sees the words that were meant, and runs nothing."""
    line = remedy.delete_assignment(f"/{name}").removeprefix("az ")
    shown = subprocess.run(
        ["sh", "-c", f"printf '%s\\n' {line}"], capture_output=True, text=True, check=True, encoding="utf-8"
    ).stdout
    assert shown.splitlines() == ["role", "assignment", "delete", "--ids", f"/{name}"]


@given(st.text(), st.sampled_from(["\n", "\r", "\x00", "\x1b", "\u2028", "\u202e", "\ud800"]), st.text())
def test_no_control_character_is_left(before: str, control: str, after: str) -> None:
    """Line breaks, escape sequences and reversed text never reach a terminal: one line, still six words."""
    line = remedy.delete_assignment(f"/{before}{control}{after}")
    assert line.isprintable()
    assert len(shlex.split(line)) == 6


def test_a_condition_of_several_lines_keeps_its_words_apart() -> None:
    """Azure's own conditions stand on several lines: what was apart there is apart here."""
    condition = "@Resource[a] StringEquals 'b'\nOR\n@Resource[a] StringEquals 'c'"
    words = shlex.split(remedy.create_assignment(P1, Access(CONTRIBUTOR.id, group(), condition)))
    assert " " + condition.replace("\n", " ") in words
