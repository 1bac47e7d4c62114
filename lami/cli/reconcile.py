"""`lami reconcile`: compare Azure with what was last seen of it, for what no event told."""

from __future__ import annotations

import click

from lami.cli.exits import DRIFT, FailOn, drifted, fail_on, leave
from lami.cli.opening import opened
from lami.cli.output import Output, output_options
from lami.cli.reports import show_report
from lami.queries import FindingQuery
from lami.schedule import begin, reconcile_now

_UNREAD = ("unreadable", "directory")
"""The gaps that exit 4 stands for: they come of the run that could not read, and would make each a 1."""


@click.command()
@fail_on
@output_options
def reconcile(out: Output, fail_on: FailOn) -> None:
    """Compare every watched subscription with what lami last saw, and handle what differs.

    Finds what no event tells: grants above the subscriptions, lost events. A subscription that cannot be
    listed in full is left alone.

    Exits 3 where none could be listed in full; 1 where a finding as grave as --fail-on is open afterwards,
    whichever run opened it; 4 where nothing is but the gap that something could not be read.

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
        watched = lami.settings.subscriptions
    code = show_report(out, report, watched)
    drift = [one for one in still_open if not (code and one.detail.get("gap") in _UNREAD)]
    leave(code, DRIFT if drifted(drift, fail_on) else 0)
