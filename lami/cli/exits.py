"""Exit codes, and how an error reads: one message on standard error with the next step, never a traceback."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, get_args

import click

from lami.channels.text import shown
from lami.core.model import SEVERITIES, Finding, Severity
from lami.errors import BadSettings, LamiError, Temporary
from lami.store.table import Conflict, LimitExceeded

DRIFT = 1
"""Drift at or above `--fail-on`, or a timeline that does not hold."""
WRONG = 2
"""Wrong usage or settings."""
FAILED = 3
"""Azure, the store or a channel failed."""
PARTIAL = 4
"""Some scope could not be read; what could be was handled."""
INTERRUPTED = 130
"""Ctrl-C."""
FailOn = Literal[Severity, "never"]
_LINE = 2_000


class Wrong(click.ClickException):
    """What somebody has to put right, as click shows it."""

    exit_code = WRONG

    def __init__(self, error: LamiError) -> None:
        super().__init__(
            "\n".join(shown(line, _LINE) for line in (*str(error).split("\n"), _next(error)) if line)
        )


class Failed(Wrong):
    """What failed and may go through another time."""

    exit_code = FAILED


def failure(error: LamiError) -> Wrong:
    """The error as click shows it and exits with it."""
    return Failed(error) if isinstance(error, Temporary | Conflict | LimitExceeded) else Wrong(error)


def _next(error: LamiError) -> str:
    if isinstance(error, BadSettings):
        return "Nothing was started. docs/reference.md has every setting."
    if isinstance(error, Temporary):
        after = f" in {error.retry_after:.0f} s" if error.retry_after else ""
        return f"Try again{after}; `lami doctor` says what lami can reach."
    return ""


def leave(*codes: int) -> None:
    """End the command by what goes first of several codes; where all are 0 it goes on to its end.

    Where nothing could be read nothing is said about drift; drift that is known is not mended by what is not.
    """
    for code in (FAILED, DRIFT, PARTIAL):
        if code in codes:
            click.get_current_context().exit(code)


fail_on = click.option(
    "--fail-on",
    type=click.Choice(get_args(FailOn)),
    default="medium",
    show_default=True,
    help="Exit 1 where a finding of this severity or a graver one is open.",
)


def drifted(findings: Iterable[Finding], least: FailOn) -> bool:
    """Whether an open finding among these is as grave as `least`."""
    if least == "never":
        return False
    return any(
        f.status == "open" and SEVERITIES.index(f.severity) <= SEVERITIES.index(least) for f in findings
    )
