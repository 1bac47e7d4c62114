"""How data is printed."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys

import pytest

from lami.sandbox import Sandbox
from tests.cli.conftest import HERE, Cli, app

HOSTILE = "mail\x1b[2J\u202etxt.exe"


@pytest.fixture
def watched(cli: Cli, azure: Sandbox) -> Cli:
    """A lami that holds one logic app with a broad grant made after the baseline."""
    azure.estate.put(app(HERE), tags={"owner": f"[red]Zoë {HOSTILE}"})
    assert cli("baseline", "take").exit_code == 0
    azure.estate.assign("Contributor", f"/subscriptions/{HERE}", of=app(HERE))
    assert cli("reconcile").exit_code == 1
    return cli


def test_json_is_a_value(watched: Cli) -> None:
    """JSON is one document with the member `value`, and the only thing on standard output."""
    result = watched("findings", "list", "-o", "json")
    document = json.loads(result.stdout)
    assert list(document) == ["value"]
    assert document["value"][0]["rule"] == "broad-grant"


def test_table_has_headings(watched: Cli) -> None:
    """A table has a heading a column and a line a finding."""
    lines = watched("findings", "list").stdout.splitlines()
    assert lines[0].split()[:4] == ["ID", "SEVERITY", "STATUS", "RULE"]
    assert len(lines) == 2
    assert "broad-grant" in lines[1]


def test_tsv_has_values_only(watched: Cli) -> None:
    """TSV has the table's columns, without headings, whole and split by tabs."""
    fields = watched("findings", "list", "-o", "tsv").stdout.rstrip("\n").split("\t")
    assert fields[1:4] == ["high", "open", "broad-grant"]


@pytest.mark.parametrize(
    ("query", "format", "printed"),
    [
        ("value[].rule", "tsv", "broad-grant\n"),
        ("value[].[severity, rule]", "tsv", "high\tbroad-grant\n"),
        ("value[0].rule", "json", '"broad-grant"\n'),
        ("value[].{sev: severity}", "table", "sev \nhigh\n"),
        ("value[?severity=='low'].id", "tsv", ""),
    ],
)
def test_query_picks(watched: Cli, query: str, format: str, printed: str) -> None:
    """A query is asked of the JSON document, in every format."""
    assert watched("findings", "list", "--query", query, "-o", format).stdout == printed


@pytest.mark.parametrize("query", ["value[", "length(`3`)"])
def test_query_that_is_none_is_wrong_usage(watched: Cli, query: str) -> None:
    """What is no JMESPath, or does not fit the data, exits 2 without a traceback."""
    result = watched("findings", "list", "--query", query)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "Error:" in result.stderr


@pytest.mark.parametrize("format", ["table", "tsv", "json"])
def test_hostile_names_do_nothing_to_a_terminal(watched: Cli, format: str) -> None:
    """No control or direction-changing character of a name reaches the terminal."""
    for command in (["baseline", "show"], ["timeline"], ["findings", "list"]):
        result = watched(*command, "-o", format, "--query", "value[].[subject.owner, title, text]")
        assert not set(result.stdout) & {"\x1b", "\u202e"}
        shown = json.loads(result.stdout) if format == "json" else result.stdout
        assert "txt.exe" in str(shown), command


def test_markup_in_a_name_is_text(watched: Cli) -> None:
    """What looks like markup of the table's library is shown as it is."""
    assert "[red]Zoë mail" in watched("findings", "list", "--query", "value[].subject").stdout


def test_quiet_says_nothing(watched: Cli) -> None:
    """`-q` leaves the data."""
    result = watched("verify", "-q", "-o", "json")
    assert (json.loads(result.stdout), result.stderr) == ({"value": []}, "")


def _on_a_terminal(cli: Cli, *arguments: str, stream: str = "stdout", **settings: str) -> str:
    """What a command writes to a stream that is a terminal."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", **cli.environment, **settings}
    stdout, stderr = (theirs if stream == one else subprocess.DEVNULL for one in ("stdout", "stderr"))
    command = [sys.executable, "-m", "lami.cli", *arguments]
    subprocess.run(command, env=environment, timeout=60, check=False, stdout=stdout, stderr=stderr)
    # Read before the other end is closed, for then it may be gone; the mark is something to read.
    os.write(theirs, b"~")
    written = os.read(ours, 100_000).decode().removesuffix("~")
    os.close(theirs)
    os.close(ours)
    return written


def test_no_color_is_honoured(watched: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal gets colours, unless NO_COLOR asks for none."""
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    assert "\x1b[31m" in _on_a_terminal(watched, "findings", "list")
    assert "\x1b[31m" not in _on_a_terminal(watched, "findings", "list", NO_COLOR="1")


def test_progress_on_a_terminal_only(watched: Cli) -> None:
    """A bar shows how far a run is, on a terminal; a pipe gets nothing of it."""
    assert "listing subscription" in _on_a_terminal(watched, "baseline", "take", stream="stderr")
    assert watched("baseline", "take").stderr == ""
    assert _on_a_terminal(watched, "baseline", "take", "-q", stream="stderr") == ""


def test_any_encoding_will_do(watched: Cli) -> None:
    """Where the output's encoding lacks a letter it is shown as an escape."""
    query = ("--query", "value[].[subject.owner]")
    process = watched.start("timeline", *query, PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert "[red]Zo\\xeb" in out
