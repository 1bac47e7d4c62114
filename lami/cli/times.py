"""Times on the command line: a date, a time, or how long ago; callbacks of click's options."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import click

from lami.core.moments import first_moment, last_moment
from lami.core.policy import duration


def since(ctx: click.Context, param: click.Parameter, text: str | None) -> datetime | None:
    """The time that a text names, in UTC; a date alone begins then."""
    return None if text is None else _read(text, first_moment)


def until(ctx: click.Context, param: click.Parameter, text: str | None) -> datetime | None:
    """The time that a text names, in UTC; a date alone includes its day, as `until` of the policy does."""
    return None if text is None else _read(text, last_moment)


def _read(text: str, moment: Callable[[str], datetime]) -> datetime:
    try:
        return datetime.now(UTC) - duration(text)
    except ValueError:
        pass
    try:
        return moment(text)
    except ValueError as error:
        raise click.BadParameter(f"{text!r} {error}; how long ago is written 7d") from None
