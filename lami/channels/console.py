"""The console: an alert as lines of text on a stream."""

from __future__ import annotations

from typing import ClassVar, TextIO

from msgspec import Struct

from lami.channels.channel import Alert
from lami.channels.text import shown
from lami.channels.wording import commands, more, summary
from lami.errors import Temporary

MAX_ITEMS = 50
"""Lines of one kind (notes of a heading, other findings, commands) that are shown; the rest is counted."""
_LINK = 1_000


class Console(Struct, frozen=True):
    """Writes alerts to a stream, usually standard error: data has standard output to itself."""

    stream: TextIO
    name: ClassVar[str] = "console"

    def send(self, alert: Alert) -> None:
        """Write the alert; letters that the stream's encoding lacks are written as escapes."""
        encoding = self.stream.encoding or "utf-8"
        try:
            self.stream.write(render(alert).encode(encoding, "backslashreplace").decode(encoding))
            self.stream.flush()
        except (OSError, ValueError) as error:
            raise Temporary(f"the console does not take the alert ({type(error).__name__})") from error


def render(alert: Alert) -> str:
    """The alert as lines and an empty one. No control character but the line feed is in them."""
    said, mend = summary(alert), commands(alert)
    lines = [f"by {said.who.name}{said.who.rest}", ", ".join(said.setting)]
    lines += [f"{fact.label + ':':<13} {fact.value}" for fact in said.facts]
    for group in said.notes:
        lines += _part(group.heading, group.lines, len(group.lines), "line")
    told = [f"{one.severity.upper():<8} {one.rule}: {one.line}" for one in said.listed[:MAX_ITEMS]]
    lines += _part(said.heading, told, len(said.listed), "finding")
    lines += _part("How to mend it", mend.lines, mend.count, "command")
    lines += [said.next, ", ".join(said.reading)]
    if alert.link:
        lines.append(shown(alert.link, _LINK))
    indented = "".join(f"  {line}\n" for line in lines)
    return f"{said.severity.upper()}  {said.labels[0]}: {said.headline}\n{indented}\n"


def _part(heading: str, items: tuple[str, ...] | list[str], of: int, what: str) -> list[str]:
    if of == 0:
        return []
    taken = list(items[:MAX_ITEMS])
    left = [more(of - len(taken), what)] if len(taken) < of else []
    if not heading:
        return [*taken, *left]
    return [f"{heading}:", *(f"  {line}" for line in [*taken, *left])]
