"""`lami verify`: recompute every subject's hash chain, and compare the copies that the timeline reads."""

from __future__ import annotations

import click

from lami.cli.exits import DRIFT
from lami.cli.opening import opened
from lami.cli.output import Columns, Item, Output, output_options
from lami.core.naming import counted

_COLUMNS: Columns = {"KIND": "subject.kind", "SUBJECT": "subject.id", "BROKEN": "broken"}


@click.command()
@output_options
def verify(out: Output) -> None:
    """Check that no entry of the timeline was changed, removed or slipped in afterwards.

    Recomputes the hash chain of every subject's book, and compares with it the copies by day that `lami
    timeline` and the page read. Prints what does not hold, books that are gone too, and exits 1 where there
    is anything. It cannot tell where somebody who can write the whole table, and knows lami, made all of
    that anew so that it fits together.

    \b
    Example: a nightly check
      lami verify -q; [ $? -eq 1 ] && echo "the timeline was tampered with"
    """
    with opened() as lami, out.voice.progress() as listen:
        audit = lami.queries.audit(listen)
    broken: list[Item] = [
        {"subject": {"kind": fault.kind, "id": fault.id}, "broken": fault.why} for fault in audit.faults
    ]
    out.show(broken, _COLUMNS)
    days = len(broken) - (audit.timelines - audit.holding)
    strange = f" Copies of nobody's entries stand in {counted(days, 'place')}." if days else ""
    out.voice.say(f"{audit.holding} of {audit.timelines} timelines hold.{strange}")
    if broken:
        click.get_current_context().exit(DRIFT)
