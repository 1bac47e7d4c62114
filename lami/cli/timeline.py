"""`lami timeline`: what happened, to whom, by whom; newest first."""

from __future__ import annotations

from datetime import datetime
from typing import get_args

import click

from lami.cli import times
from lami.cli.opening import opened
from lami.cli.output import Columns, Output, output_options
from lami.core.model import EntryKind
from lami.core.shapes import entry_json
from lami.core.timeline import AHEAD, Query

_COLUMNS: Columns = {
    "AT": "at",
    "KIND": "kind",
    "SUBJECT": "subject.name",
    "ACTOR": "actor.name || actor.id",
    "TEXT": "text",
}


@click.command()
@click.option("--resource", default="", help="Name or id of a logic app or identity.")
@click.option("--principal", default="", help="Object id of a principal.")
@click.option("--actor", default="", help="Name or object id of who did it.")
@click.option("--scope", default="", help="Entries about access at this scope or below it.")
@click.option("--kind", type=click.Choice(get_args(EntryKind)))
@click.option(
    "--from",
    "since",
    metavar="DATE",
    callback=times.since,
    default="7d",
    show_default=True,
    help="A date, a time, or how long ago.",
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
    since: datetime,
    until: datetime,
    limit: int,
) -> None:
    """Show the timeline, newest first.

    \b
    Example: who did what to one logic app in the last month
      lami timeline --resource claims-intake --from 30d
    """
    with opened() as lami:
        # Each day is read by itself: those to come hold nothing.
        until = min(until, lami.clock() + AHEAD)
        found = lami.queries.timeline(Query(since, until, resource, principal, actor, scope, kind, limit))
    out.show([entry_json(entry) for entry in found], _COLUMNS)
    if not found:
        out.voice.say("Nothing on the timeline answers.")
    elif len(found) == limit:
        out.voice.say(f"There may be more than {limit}: see --limit.")
