"""The root of the command line: which commands there are, and what becomes of an error.

A command's module is imported when the command is used and not before, so that `lami --help` costs no more
than click. That is why the one-line summaries stand here.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass

import click

from lami import __version__
from lami.cli.exits import INTERRUPTED, failure
from lami.errors import LamiError


@dataclass(frozen=True, slots=True)
class Lazy:
    """A command that is not imported yet: its module, the command's name there, and what it is for."""

    module: str
    attribute: str
    summary: str


COMMANDS: Mapping[str, Lazy] = {
    "demo": Lazy("lami.cli.demo", "demo", "Play a redeploy on a small Azure on this machine, and watch."),
    "serve": Lazy("lami.cli.serve", "serve", "Run lami here: webhook, API and page on one port."),
    "sandbox": Lazy("lami.cli.sandbox", "sandbox", "Run a small Azure on this machine; a simulation."),
    "baseline": Lazy("lami.cli.baseline", "baseline", "Take, or show, what is expected."),
    "replay": Lazy("lami.cli.replay", "replay", "Handle Event Grid events from files."),
    "reconcile": Lazy("lami.cli.reconcile", "reconcile", "Compare Azure with what lami last saw of it."),
    "findings": Lazy("lami.cli.findings", "findings", "List findings, or show one."),
    "check": Lazy("lami.cli.check", "check", "Check, in a pipeline, that an app has what it needs now."),
    "accept": Lazy("lami.cli.accept", "accept", "Accept a finding: it is as it should be."),
    "timeline": Lazy("lami.cli.timeline", "timeline", "Show what happened, to whom, by whom."),
    "notify": Lazy("lami.cli.notify", "notify", "Try a channel with an alert that is marked as a test."),
    "verify": Lazy("lami.cli.verify", "verify", "Check that nobody changed the timeline."),
    "doctor": Lazy("lami.cli.doctor", "doctor", "Say what lami can see, and what it cannot."),
    "bench": Lazy("lami.cli.bench", "bench", "Measure what lami costs on this machine."),
}
"""Every command, in the order in which `lami --help` names them."""


class Root(click.Group):
    """Finds commands by name and imports them; turns lami's errors into one message and an exit code."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of all commands."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of this name, imported now."""
        lazy = COMMANDS.get(cmd_name)
        if lazy is None:
            return None
        command = getattr(importlib.import_module(lazy.module), lazy.attribute)
        if not isinstance(command, click.Command):
            raise TypeError(f"{lazy.module}.{lazy.attribute} is no command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands with their summaries, importing none."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, lazy.summary) for name, lazy in COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> object:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except LamiError as error:
            raise failure(error) from error
        except KeyboardInterrupt:
            raise click.exceptions.Exit(INTERRUPTED) from None


@click.group(cls=Root, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="lami")
def lami() -> None:
    """Watch the managed identities of Azure logic apps.

    lami is told by Event Grid that something happened, looks at Azure, compares with its baseline and alerts:
    identity churn, broad grants, orphaned assignments, missing grants. It never writes to Azure.

    \b
    Settings are environment variables (LAMI_...): see docs/reference.md.
    Exit codes: 0 fine, 1 drift or a timeline that does not hold, 2 wrong usage
    or settings, 3 Azure or the store failed, 4 partial: some scope could not be read.
    Of several, 3 goes before 1, and 1 before 4.

    \b
    Example: see the whole of it on this machine, without Azure
      lami demo
    """
