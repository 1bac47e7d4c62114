"""A run over whole subscriptions, reported: what was listed, what came of it, what could not be read."""

from __future__ import annotations

import click

from lami.cli.exits import PARTIAL
from lami.cli.output import Columns, Output
from lami.runs import Report

_COLUMNS: Columns = {
    "LISTED": "listed",
    "DIFFERING": "differing",
    "FINDINGS": "findings",
    "UNREAD": "unread[].reason",
    "FAILED": "failed[].reason",
    "DIRECTORY": "directory",
}


def show_report(out: Output, report: Report) -> None:
    """Print the report; exit 4 where it is partial."""
    unread = [{"subscription": id, "reason": why} for id, why in sorted(report.unread.items())]
    failed = [{"subject": id, "reason": why} for id, why in sorted(report.failed.items())]
    item = {
        "listed": report.listed,
        "differing": report.differing,
        "findings": list(report.findings),
        "unread": unread,
        "failed": failed,
        "directory": report.directory,
    }
    out.show([item], _COLUMNS)
    if report.unread:
        names = ", ".join(sorted(report.unread))
        out.voice.say(f"Partial: nothing was concluded about what could not be listed in full: {names}.")
    if report.failed:
        out.voice.say(f"Partial: {len(report.failed)} could not be handled; run it again.")
    if report.directory:
        out.voice.say(f"Partial: nothing was concluded about who is gone from Entra ID: {report.directory}")
    if report.partial:
        click.get_current_context().exit(PARTIAL)
