"""`lami reconcile`: compare Azure with what was last seen of it, for what no event told."""

from __future__ import annotations

import click

from lami.cli.exits import DRIFT, FailOn, drifted, fail_on
from lami.cli.opening import opened
from lami.cli.output import Output, output_options
from lami.cli.reports import show_report
from lami.queries import FindingQuery
from lami.schedule import begin, reconcile_now


@click.command()
@fail_on
@output_options
def reconcile(out: Output, fail_on: FailOn) -> None:
    """Compare every watched subscription with what lami last saw, and handle what differs.

    Finds what no event tells: grants above the subscriptions, lost events. A subscription that cannot be
    listed in full is left alone (exit 4). Exits 1 where a finding as grave as --fail-on is open afterwards,
    whichever run opened it.

    \b
    Example:
      lami reconcile --fail-on high
    """
    with opened() as lami:
        if lami.settings.subscriptions - lami.index.notes("baseline").keys():
            out.voice.say("No whole baseline was taken yet: `lami baseline take` makes what stands expected.")
        with out.voice.progress() as listen:
            begin(lami)
            report = reconcile_now(lami, listen)
        still_open = lami.queries.findings(FindingQuery(statuses=("open",)))
    show_report(out, report)
    if drifted(still_open, fail_on):
        click.get_current_context().exit(DRIFT)
