"""A run over whole subscriptions, reported: what was listed, what came of it, what could not be read."""

from __future__ import annotations

from collections.abc import Collection

from lami.cli.exits import FAILED, PARTIAL
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


def show_report(out: Output, report: Report, watched: Collection[str]) -> int:
    """Print the report; answer its exit code: 4 where it is partial, 3 where no subscription was listed."""
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
    nothing = report.unread.keys() >= set(watched)
    names = ", ".join(sorted(report.unread))
    if nothing:
        out.voice.say(f"No subscription could be listed in full: {names}. `lami doctor` says why.")
    elif report.unread:
        out.voice.say(f"Partial: nothing was concluded about what could not be listed in full: {names}.")
    if report.failed:
        out.voice.say(f"Partial: {len(report.failed)} could not be handled; run it again.")
    if report.directory:
        out.voice.say(f"Partial: nothing was concluded about who is gone from Entra ID: {report.directory}")
    if nothing:
        return FAILED
    return PARTIAL if report.partial else 0
