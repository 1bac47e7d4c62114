"""The console: readable lines, and nothing that plays with the terminal."""

from __future__ import annotations

import io

import pytest

from lami.channels.console import Console, render
from lami.errors import Temporary
from tests.channels import samples


def test_the_lines_say_all_of_it() -> None:
    """Severity, rule, title, actor, principals, notes, other findings, commands and link are there."""
    text = render(samples.several())
    assert text.startswith("CRITICAL  broad-grant: claims-intake was granted Owner")
    for said in ("Dana Fischer", samples.NEW, "In the same change", samples.CHURN.title, samples.LINK):
        assert said in text
    assert f"{samples.OLD} → {samples.NEW}" in render(samples.redeploy())


def test_hostile_text_moves_no_cursor() -> None:
    """No control character but the line feed is written, and no line is smuggled in."""
    lines = render(samples.hostile()).split("\n")
    assert all(line.isprintable() for line in lines)
    assert not [line for line in lines if line.startswith("Bcc")]


def test_a_stream_that_knows_ascii_only_gets_escapes() -> None:
    """Letters that the stream lacks are no error."""
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    Console(stream).send(samples.redeploy())
    stream.seek(0)
    assert "\\u2192" in stream.read()


def test_a_closed_stream_is_temporary() -> None:
    """A console that went away is an error like any other channel's."""
    stream = io.StringIO()
    stream.close()
    with pytest.raises(Temporary):
        Console(stream).send(samples.redeploy())
