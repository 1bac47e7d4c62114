"""Times on the command line: a date, a time, or how long ago; callbacks of click's options."""

from __future__ import annotations

from datetime import UTC, date, datetime, time

import click

from lami.core.policy import duration

_DATE = len("2026-11-24")


def since(ctx: click.Context, param: click.Parameter, text: str | None) -> datetime | None:
    """The time that a text names, in UTC; a date alone begins then."""
    return _moment(text, time.min)


def until(ctx: click.Context, param: click.Parameter, text: str | None) -> datetime | None:
    """The time that a text names, in UTC; a date alone includes its day, as `until` of the policy does."""
    return _moment(text, time.max)


def _moment(text: str | None, of_day: time) -> datetime | None:
    if text is None:
        return None
    try:
        if len(text) == _DATE:
            return datetime.combine(date.fromisoformat(text), of_day, UTC)
        if "-" not in text:
            return datetime.now(UTC) - duration(text)
        at = datetime.fromisoformat(text)
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        wanted = "a date (2026-11-24), a time (2026-11-24T08:00:00Z) or how long ago (7d)"
        raise click.BadParameter(f"{text!r} is not {wanted}") from None
