"""The root: help, start-up, and what an error looks like."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from lami.cli.root import COMMANDS, lami
from tests.cli.conftest import HERE, Cli


def _commands(
    group: click.Group, names: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    with click.Context(group) as context:
        for name in group.list_commands(context):
            command = group.get_command(context, name)
            assert command is not None
            yield (*names, name), command
            if isinstance(command, click.Group):
                yield from _commands(command, (*names, name))


def test_every_command_teaches_with_an_example() -> None:
    """The help of every command says what it does and shows one use of it."""
    for names, command in _commands(lami):
        result = CliRunner().invoke(lami, [*names, "--help"], prog_name="lami")
        assert result.exit_code == 0, names
        assert "Example" in result.output, names
        assert f"lami {' '.join(names)}" in result.output.partition("Example")[2], names
        assert command.help


def test_help_names_every_command() -> None:
    """`lami --help` lists all commands with their summaries."""
    result = CliRunner().invoke(lami, ["--help"])
    for name, lazy in COMMANDS.items():
        assert name in result.output
        assert lazy.summary in " ".join(result.output.split())


def test_help_imports_no_azure() -> None:
    """A help text costs neither Azure's libraries nor lami's own edges."""
    program = (
        "import sys\n"
        "sys.argv = ['lami', '--help']\n"
        "from lami.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "heavy = [m for m in sys.modules if m.split('.')[0] in ('azure', 'flask', 'urllib3')]\n"
        "sys.exit(str(heavy) if heavy else 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_unknown_command_is_wrong_usage() -> None:
    """A command that isn't there exits 2."""
    assert CliRunner().invoke(lami, ["reconsile"]).exit_code == 2


@pytest.mark.parametrize(
    "command",
    [
        ["serve"],
        ["doctor"],
        ["baseline", "take"],
        ["findings", "list"],
        ["notify", "test", "teams"],
        ["verify"],
    ],
)
def test_wrong_settings_start_nothing(cli: Cli, command: list[str]) -> None:
    """Wrong settings are all named in one message, exit 2, and nothing is created."""
    wrong = {"LAMI_SUBSCRIPTIONS": "mine", "LAMI_RECONCILE": "often", "LAMI_LOOPBACK": "yes"}
    result = cli(*command, **wrong)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.count("Error:") == 1
    for name in wrong:
        assert name in result.stderr
    assert "Traceback" not in result.stderr
    assert not (cli.folder / "lami.db").exists()


def test_wrong_settings_as_a_process(cli: Cli) -> None:
    """The same, seen from a shell: exit code, and nothing on standard output."""
    process = cli.start("serve", LAMI_STORE="nowhere", LAMI_ARM_ENDPOINT="ftp://x")
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (2, "")
    assert "LAMI_STORE" in err
    assert "LAMI_ARM_ENDPOINT" in err


def test_interrupted_exits_130(cli: Cli) -> None:
    """Ctrl-C ends a command with 130 and without a traceback."""
    pipe = cli.folder / "events"
    os.mkfifo(pipe)
    process = cli.start("replay", str(pipe))
    with pipe.open("wb"):  # opens once the command has begun to read
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in err


def test_store_that_fails_exits_3(cli: Cli, tmp_path: Path) -> None:
    """A store that cannot be opened is one message with the next step."""
    result = cli("findings", "list", LAMI_STORE=f"sqlite:///{tmp_path / 'no' / 'folder' / 'lami.db'}")
    assert result.exit_code == 3
    assert "SQLite at" in result.stderr
    assert "lami doctor" in result.stderr


def test_azure_that_fails_exits_3(cli: Cli) -> None:
    """An Azure that cannot be reached leaves everything unread: exit 3, nothing concluded."""
    result = cli("reconcile", LAMI_ARM_ENDPOINT="http://127.0.0.1:9")
    assert result.exit_code == 3
    assert HERE in result.stderr
