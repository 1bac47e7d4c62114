"""How data is printed: as a table, as JSON or as TSV, all of it or what a JMESPath query picks.

Data goes to standard output and nothing else does. The JSON of every command is `{"value": [...]}`; a query
is asked of that document. Names in it may be hostile: JSON escapes them itself, tables and TSV show control
and direction-changing characters as escapes (`lami.channels.text`).
"""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Concatenate, Literal, ParamSpec, Protocol

import click
import jmespath
from jmespath.exceptions import JMESPathError
from rich.console import Console
from rich.table import Table
from rich.text import Text

from lami.channels.text import shown
from lami.cli.voice import Voice, voice_options

P = ParamSpec("P")
Format = Literal["table", "json", "tsv"]
Item = Mapping[str, object]
Columns = Mapping[str, str]
"""Headings, each with the JMESPath of what stands under it in an item."""
_CELL = 1_000
_UNBOUNDED = 10_000  # columns of a table that no terminal shows
_COLOURED = frozenset({"SEVERITY", "STATUS", "STATE"})
_STYLES = {
    "critical": "bold red",
    "high": "red",
    "medium": "yellow",
    "open": "bold",
    "ok": "green",
    "warning": "yellow",
    "failed": "bold red",
    "missing": "red",
    "unknown": "yellow",
}


class Query(Protocol):
    """A compiled JMESPath expression."""

    def search(self, value: object) -> object:
        """What the expression picks of a value."""
        ...


@dataclass(frozen=True, slots=True)
class Output:
    """Prints a command's data as its options ask."""

    format: Format
    query: Query | None
    voice: Voice

    def show(self, items: Sequence[Item], columns: Columns) -> None:
        """Print items; tables and TSV have the columns named."""
        if self.query is not None:
            self._answer(_search(self.query, {"value": list(items)}))
        elif self.format == "json":
            _json({"value": list(items)})
        else:
            picks = [jmespath.compile(path) for path in columns.values()]
            self._lines(tuple(columns), [[pick.search(item) for pick in picks] for item in items])

    def tell(self, item: Item, columns: Columns, text: str) -> None:
        """Print one item, in words where a table was asked for."""
        self.tell_all([item], columns, text)

    def tell_all(self, items: Sequence[Item], columns: Columns, text: str) -> None:
        """Print items, all of them in words where a table was asked for."""
        if self.query is None and self.format == "table":
            click.echo(text)
        else:
            self.show(items, columns)

    def _answer(self, answer: object) -> None:
        """Print what a query picked: a list by lines, objects by their members."""
        if self.format == "json":
            _json(answer)
            return
        picked = answer if isinstance(answer, list) else [] if answer is None else [answer]
        objects = [one for one in picked if isinstance(one, dict)]
        headings: tuple[str, ...] = ()
        if len(objects) == len(picked):
            headings = tuple(dict.fromkeys(key for one in objects for key in one))
        self._lines(headings, [_cells(one, headings) for one in picked])

    def _lines(self, headings: Sequence[str], lines: Sequence[Sequence[object]]) -> None:
        if self.format == "tsv":
            for line in lines:
                click.echo("\t".join(_whole("; ".join(_texts(value))) for value in line))
        elif lines:
            _table(headings, lines)


def _search(query: Query, document: Item) -> object:
    try:
        return query.search(document)
    except JMESPathError as error:
        raise click.UsageError(f"the query does not fit the data: {error}") from None


def _cells(picked: object, headings: Sequence[str]) -> list[object]:
    if isinstance(picked, dict):
        return [picked.get(heading) for heading in headings]
    return picked if isinstance(picked, list) else [picked]


def _json(value: object) -> None:
    # ASCII, so that no terminal acts on what a name holds, and every encoding has it.
    click.echo(json.dumps(value, indent=2, ensure_ascii=True))


def _table(headings: Sequence[str], lines: Sequence[Sequence[object]]) -> None:
    table = Table(box=None, pad_edge=False, show_header=bool(headings), header_style="bold")
    for number in range(max(len(line) for line in lines)):
        heading = headings[number] if headings else ""
        table.add_column(Text(shown(heading, _CELL)), overflow="fold", no_wrap=heading == "ID")
    for line in lines:
        cells = [Text("\n".join(shown(text, _CELL) for text in _texts(value))) for value in line]
        for heading, cell in zip(headings, cells, strict=False):
            if heading in _COLOURED:
                cell.stylize(_STYLES.get(cell.plain, ""))
        table.add_row(*cells)
    width = None if sys.stdout.isatty() else _UNBOUNDED
    Console(width=width, highlight=False, emoji=False, markup=False).print(table)


def _texts(value: object) -> list[str]:
    """A value as the lines of a cell: a list has one each."""
    if isinstance(value, list):
        return [text for one in value for text in _texts(one)]
    if isinstance(value, str):
        return [value]
    return [""] if value is None else [json.dumps(value, ensure_ascii=False)]


def _whole(text: str) -> str:
    return shown(text, 10 * len(text) + 1)  # an escape has ten characters at most


def _compiled(ctx: click.Context, param: click.Parameter, text: str | None) -> Query | None:
    if text is None:
        return None
    try:
        compiled: Query = jmespath.compile(text)
    except JMESPathError as error:
        raise click.BadParameter(f"{text!r} is no JMESPath: {str(error).partition(chr(10))[0]}") from None
    return compiled


def output_options(command: Callable[Concatenate[Output, P], None]) -> Callable[P, None]:
    """The options -o, --query, -q and -v, which become the command's first argument."""

    @click.option(
        "-o",
        "--output",
        "format",
        type=click.Choice(("table", "json", "tsv")),
        default="table",
        show_default=True,
    )
    @click.option(
        "--query",
        metavar="JMESPATH",
        callback=_compiled,
        help="Print only what this picks of the JSON, such as 'value[].id'.",
    )
    @voice_options
    @functools.wraps(command)
    def run(voice: Voice, /, *args: P.args, **kwargs: P.kwargs) -> None:
        format, query = kwargs.pop("format"), kwargs.pop("query")
        command(Output(format, query, voice), *args, **kwargs)  # type: ignore[arg-type]

    return run
