"""`lami verify`: recompute every subject's hash chain."""

from __future__ import annotations

import click

from lami.cli.exits import DRIFT
from lami.cli.opening import opened
from lami.cli.output import Columns, Item, Output, output_options
from lami.runs import Progress

_COLUMNS: Columns = {"KIND": "subject.kind", "SUBJECT": "subject.id", "BROKEN": "broken"}


@click.command()
@output_options
def verify(out: Output) -> None:
    """Check that no entry of the timeline was changed, removed or slipped in afterwards.

    Prints the subjects whose chain of hashes does not hold, and exits 1 where there is one.

    \b
    Example: a nightly check
      lami verify -q || echo "the timeline was tampered with"
    """
    broken: list[Item] = []
    with opened() as lami, out.voice.progress() as listen:
        subjects = lami.queries.subjects(sorted(lami.settings.subscriptions))
        for number, subject in enumerate(subjects, start=1):
            if why := lami.queries.verify(subject):
                broken.append({"subject": {"kind": subject.kind, "id": subject.id}, "broken": why})
            listen(Progress(number, len(subjects), subject.id))
    out.show(broken, _COLUMNS)
    out.voice.say(f"{len(subjects) - len(broken)} of {len(subjects)} timelines hold.")
    if broken:
        click.get_current_context().exit(DRIFT)
