"""`lami accept`: a finding is as it should be, and the baseline moves to it."""

from __future__ import annotations

from datetime import datetime

import click

from lami.cli import times
from lami.cli.opening import opened, operator
from lami.cli.output import Output, output_options
from lami.core.shapes import finding_json
from lami.queries import Queries

_COLUMNS = {"ID": "id", "STATUS": "status", "RULE": "rule", "SUBJECT": "subject.name", "TITLE": "title"}


@click.command()
@click.argument("id")
@click.option("--reason", required=True, help="Why; auditors will read it.")
@click.option(
    "--until",
    metavar="DATE",
    callback=times.until,
    help="Accept only until the end of that day: the baseline stays, and the finding reopens after.",
)
@output_options
def accept(out: Output, id: str, reason: str, until: datetime | None) -> None:
    """Accept the finding ID: it is as it should be.

    The baseline moves to what is, so that it is expected from now on. Prints the finding, and those that were
    resolved with it.

    \b
    Example:
      lami accept f-3b0c9d1e --reason "redeployed on purpose, CHG-1234"
    """
    with opened() as lami:
        done = lami.service.accept(id, operator(), reason, until)
        ids = dict.fromkeys((done.finding, *done.findings))
        out.show(_found(lami.queries, ids), _COLUMNS)


def _found(queries: Queries, ids: dict[str, None]) -> list[dict[str, object]]:
    return [finding_json(found) for id in ids if (found := queries.finding(id)) is not None]
