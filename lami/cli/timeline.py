"""`lami timeline`: what happened, to whom, by whom; newest first."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import get_args

import click

from lami.cli import times
from lami.cli.opening import answers_nothing, opened
from lami.cli.output import Columns, Output, output_options
from lami.core.model import EntryKind
from lami.core.shapes import entry_json
from lami.core.timeline import AHEAD, USUAL_SPAN, Query, principal_asked, scope_asked
from lami.wiring import now

_COLUMNS: Columns = {
    "AT": "at",
    "KIND": "kind",
    "SUBJECT": "subject.name",
    "ACTOR": "actor.name || actor.id",
    "TEXT": "text",
}


def _asked(read: Callable[[str], str]) -> Callable[[click.Context, click.Parameter, str], str]:
    """A callback that refuses what could match nothing: no answer must mean that nothing happened."""

    def callback(ctx: click.Context, param: click.Parameter, text: str) -> str:
        try:
            return read(text)
        except ValueError as error:
            raise click.BadParameter(f"it {error}") from None

    return callback


@click.command()
@click.option("--resource", default="", help="Name or id of a logic app or identity.")
@click.option(
    "--principal",
    default="",
    callback=_asked(principal_asked),
    help="Object id of a principal, or its first 8 digits, as titles have it.",
)
@click.option("--actor", default="", help="Name or object id of who did it.")
@click.option(
    "--scope",
    default="",
    callback=_asked(scope_asked),
    help="Entries about access at this scope or below it; an id, which begins with /.",
)
@click.option("--kind", type=click.Choice(get_args(EntryKind)))
@click.option(
    "--from",
    "since",
    metavar="DATE",
    callback=times.since,
    help="A date, a time, or how long ago; 7 days before --to if left out.",
)
@click.option(
    "--to",
    "until",
    metavar="DATE",
    callback=times.until,
    default="0s",
    help="A date (included), a time, or how long ago; now if left out.",
)
@click.option("--limit", type=click.IntRange(1, 1000), default=100, show_default=True)
@output_options
def timeline(
    out: Output,
    resource: str,
    principal: str,
    actor: str,
    scope: str,
    kind: EntryKind | None,
    since: datetime | None,
    until: datetime,
    limit: int,
) -> None:
    """Show the timeline, newest first.

    \b
    Example: who did what to one logic app in the last month
      lami timeline --resource claims-intake --from 30d
    """
    first, last = _span(since, until, now() + AHEAD)
    with opened() as lami:
        found = lami.queries.timeline(Query(first, last, resource, principal, actor, scope, kind, limit))
        said = "" if found else answers_nothing(lami, "Nothing on the timeline answers.")
    out.show([entry_json(entry) for entry in found], _COLUMNS)
    if said:
        out.voice.say(said)
    elif len(found) == limit:
        out.voice.say(f"There may be more than {limit}: see --limit.")


def _span(since: datetime | None, until: datetime, ahead: datetime) -> tuple[datetime, datetime]:
    """From when to when is read: nothing is written of the days ahead, and each costs reads."""
    last = min(until, ahead)
    first = since or last - USUAL_SPAN
    if first >= until:
        raise click.UsageError("--from has to lie before --to.")
    return first, last
