"""`lami replay`: events from files through the same door as Event Grid's own."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import click

from lami.cli.opening import opened
from lami.cli.output import Columns, Output, output_options
from lami.core.decode import split
from lami.errors import BadEvent, Permanent, Temporary
from lami.runs import Progress
from lami.service import Outcome
from lami.web.webhook import outcome_json
from lami.wiring import Lami

_COLUMNS: Columns = {"EVENT": "eventId", "OUTCOME": "outcome", "FINDINGS": "findings", "REASON": "reason"}


@dataclass(frozen=True, slots=True)
class _Event:
    """One raw event, and where it stands, for messages."""

    place: str
    raw: object


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(allow_dash=True), metavar="FILE...")
@output_options
def replay(out: Output, files: tuple[str, ...]) -> None:
    """Handle the Event Grid events in each FILE (- is standard input), one after another.

    Either schema, as a JSON object, an array, or one a line. Every file is read before the first event is
    handled. Prints for each event: recorded, duplicate, ignored, deferred or rejected. Very many changes of
    one subscription are deferred and answered together before the command ends. Handling an event twice
    changes nothing, so after a failure (exit 3) the same files can be given again.

    \b
    Example: dead letters
      lami replay deadletters/*.json
    """
    events = [event for file in files for event in _read(file)]
    outcomes: list[Outcome] = []
    with opened() as lami:
        try:
            _handle(lami, events, outcomes, out)
            _sweep(lami, out)
        finally:
            out.show([outcome_json(outcome) for outcome in outcomes], _COLUMNS)
    counts = Counter(outcome.outcome for outcome in outcomes)
    out.voice.say(", ".join(f"{count} {name}" for name, count in counts.most_common()))


def _handle(lami: Lami, events: Sequence[_Event], outcomes: list[Outcome], out: Output) -> None:
    with out.voice.progress() as listen:
        for number, event in enumerate(events, start=1):
            try:
                outcomes.append(lami.service.receive(event.raw))
            except Temporary as failure:
                said = f"{event.place} ({_id(event.raw)}) was not handled: {failure}"
                done = f"{number - 1} before it are done."
                raise Temporary(f"{said}\n{done}", failure.retry_after) from failure
            listen(Progress(number, len(events), event.place))


def _sweep(lami: Lami, out: Output) -> None:
    """Answer what was put aside: no `lami serve` may be running that would."""
    while end := lami.service.gathered_until():
        wait = max(0.0, (end - lami.clock()).total_seconds())
        out.voice.say(f"More changes than Azure may be asked about one by one: swept in {wait:.0f} s")
        time.sleep(wait)
        while lami.service.walk():
            pass


def _read(file: str) -> list[_Event]:
    try:
        with click.open_file(file, "rb") as stream:
            body: bytes = stream.read()
    except OSError as error:
        raise Permanent(f"{file} cannot be read: {error.strerror}") from None
    try:
        raw = split(body)
    except BadEvent as error:
        raise Permanent(f"{file} holds no JSON events: {error}; nothing was handled") from None
    return [_Event(f"event {number} of {file}", one) for number, one in enumerate(raw, start=1)]


def _id(raw: object) -> str:
    return str(raw.get("id", "without an id")) if isinstance(raw, dict) else "no object"
