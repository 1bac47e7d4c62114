"""`lami bench`: what lami costs on this machine, beside the least that it could."""

from __future__ import annotations

import click

from lami.bench import BENCHES
from lami.bench.measure import Row, Size
from lami.cli.output import Columns, Item, Output, output_options

_COLUMNS: Columns = {
    "BENCH": "bench",
    "WHAT": "name",
    "VALUE": "value",
    "UNIT": "unit",
    "FLOOR": "floor.value",
    "RATIO": "ratio",
    "AIM": "aim",
    "MET": "met",
    "NOTE": "note",
}
_DIGITS = 4


@click.command(epilog=f"Measurements: {', '.join(bench.name for bench in BENCHES)}.")
@click.argument("name", nargs=-1, type=click.Choice([bench.name for bench in BENCHES]), metavar="[NAME]...")
@click.option("--quick", is_flag=True, help="Small sizes, for the tests: the figures say little.")
@output_options
def bench(out: Output, name: tuple[str, ...], quick: bool) -> None:
    """Measure what lami costs here; all of it, or what is named.

    Each figure stands beside a floor, the least that the same effect costs, measured in the same run: only
    the ratio says something about another machine. Nothing leaves this machine; all of it takes a quarter
    of an hour, if nothing else runs. Exits 0 whenever it could measure: an aim that is not met is shown, and
    is no error.

    \b
    Example:
      lami bench core event
    """
    size: Size = "quick" if quick else "full"
    rows: list[Row] = []
    for one in BENCHES:
        if not name or one.name in name or one.name == "machine":
            out.voice.say(f"{one.name}: {one.about}")
            found = list(one.run(size, lambda step: out.voice.say(f"  {step}")))
            for what in dict.fromkeys(row.floor.what for row in found if row.floor):
                out.voice.say(f"  floor: {what}")
            rows += found
    out.show([_item(row) for row in rows], _COLUMNS)


def _item(row: Row) -> Item:
    floor = row.floor
    return {
        "bench": row.bench,
        "name": row.name,
        "value": _short(row.value),
        "unit": row.unit,
        "floor": {"value": _short(floor.value), "what": floor.what} if floor else None,
        "ratio": _short(row.ratio),
        "aim": " and ".join(str(aim) for aim in row.aims) or None,
        "met": row.met,
        "note": row.note,
    }


def _short(value: float | str | None) -> float | str | None:
    """A figure without the digits that mean nothing."""
    if not isinstance(value, int | float) or value == int(value):
        return int(value) if isinstance(value, float) else value
    return float(f"{value:.{_DIGITS}g}") if abs(value) < 10**_DIGITS else round(value)
