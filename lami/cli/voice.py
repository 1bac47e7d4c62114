"""What a command says beside its data, all of it on standard error: sentences, progress, the log."""

from __future__ import annotations

import functools
import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Concatenate, ParamSpec

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn

from lami import runs
from lami.channels.text import shown

P = ParamSpec("P")
Listener = Callable[[runs.Progress], None]
_LINE = 2_000
_STEP = 100


@dataclass(frozen=True, slots=True)
class Voice:
    """Speaks on standard error; `quiet` leaves only errors."""

    quiet: bool = False

    def say(self, text: str) -> None:
        """Say some lines."""
        if not self.quiet:
            click.echo("\n".join(shown(line, _LINE) for line in text.split("\n")), err=True)

    @contextmanager
    def progress(self) -> Iterator[Listener]:
        """Show how far something is: a bar on a terminal, nothing anywhere else."""
        if self.quiet or not sys.stderr.isatty():
            yield lambda progress: None
            return
        columns = (SpinnerColumn(), BarColumn(), MofNCompleteColumn(), _What())
        with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task("", total=None)
            parts = bar.add_task("subscriptions", total=None, visible=False)

            def listen(now: runs.Progress) -> None:
                # A listing is one long step: said at once, and not at the bar's next turn.
                said = shown(now.what, _STEP)
                bar.update(parts, completed=now.part, total=now.parts or None, visible=now.parts > 0)
                bar.update(
                    task, completed=now.done, total=now.total or None, description=said, refresh=not now.total
                )

            yield listen


class _What(TextColumn):
    """What is being done, as text and never as markup: it may name what an attacker named."""

    def __init__(self) -> None:
        super().__init__("{task.description}", markup=False)


class _Log(logging.Handler):
    """Writes log records to whatever standard error is now, each on one line; a traceback follows it."""

    def emit(self, record: logging.LogRecord) -> None:
        lines = [shown(f"{record.levelname.lower()}: {record.getMessage()}", _LINE)]
        if record.exc_info:
            lines += [
                shown(line, _LINE)
                for line in logging.Formatter().formatException(record.exc_info).split("\n")
            ]
        click.echo("\n".join(lines), err=True)


def listen(level: int) -> None:
    """Have the log written to standard error, from this level on.

    Azure's own from `WARNING` on at least. That a request waits a moment for a thread is no warning, though
    waitress calls it one.
    """
    logging.basicConfig(handlers=[_Log()], level=level)
    logging.getLogger("azure").setLevel(level if level <= logging.DEBUG else max(level, logging.WARNING))
    logging.getLogger("waitress.queue").setLevel(level if level < logging.WARNING else logging.ERROR)


def voice_options(command: Callable[Concatenate[Voice, P], None]) -> Callable[P, None]:
    """The options -q and -v, which become the command's first argument."""

    @click.option("-q", "--quiet", is_flag=True, help="Say nothing but errors.")
    @click.option("-v", "--verbose", count=True, help="Say more; twice: everything.")
    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        quiet, verbose = bool(kwargs.pop("quiet")), kwargs.pop("verbose")
        levels = (logging.ERROR,) if quiet else (logging.WARNING, logging.INFO, logging.DEBUG)
        listen(levels[min(verbose if isinstance(verbose, int) else 0, len(levels) - 1)])
        command(Voice(quiet), *args, **kwargs)

    return run
