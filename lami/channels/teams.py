"""Teams: an alert as an Adaptive Card, posted to a Workflows webhook.

Text that comes from Azure stands in `RichTextBlock` only: in `TextBlock` and `Fact` a markdown link within
a resource's name would be live. `{{DATE(…)}}` expands there too, so that `{{` is broken up. The card is
version 1.4, since Teams refuses 1.5. Sources: Microsoft, "Create incoming webhooks with Workflows"; the
injections were tried with Microsoft's own renderer.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from lami.channels.channel import Alert
from lami.channels.post import post_json
from lami.channels.targets import Targets
from lami.channels.wording import Fact, Listed, Summary, commands, more, summary
from lami.core.model import Severity

MAX_BODY = 22_000
"""Bytes of a message. Teams takes 28,672 and counts some 1.18 for each byte sent (msteams-docs#11274)."""
_LINK = 1_000
_MENDING = "mending"
_DOT = "   ·   "
_BRACES = re.compile(r"\{(?=\{)")

Element = dict[str, object]

_EXACT: Element = {"fontType": "Monospace", "size": "Small"}

_STYLES: Mapping[Severity, str] = {
    "critical": "attention",
    "high": "attention",
    "medium": "warning",
    "low": "accent",
    "info": "emphasis",
}
_COLOURS: Mapping[Severity, str] = {
    "critical": "Attention",
    "high": "Attention",
    "medium": "Warning",
    "low": "Accent",
    "info": "Default",
}


@dataclass(frozen=True, slots=True)
class Teams:
    """Posts cards to one Workflows webhook. Its `url` bears a signature and is never shown."""

    url: str = field(repr=False)
    targets: Targets
    name: ClassVar[str] = "teams"

    def send(self, alert: Alert) -> None:
        """Post the card. Accepted (202) is all that Teams ever says: not that the card was shown."""
        post_json(self.url, encode(render(alert)), self.targets)


def encode(message: Element) -> bytes:
    """The message as it goes over the wire."""
    return json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode()


def render(alert: Alert) -> Element:
    """The message that a Workflows webhook takes: one card, whatever the alert holds, in `MAX_BODY` bytes.

    The gravest finding leads, in full; the others follow in a line each. What has no room is counted.
    """
    said, mend = summary(alert), commands(alert)
    top, foot = [_header(said), *_cause(said)], _footer(said)
    fixed = _message(_card(alert, [*top, *foot, _mending([])], mend.count))
    room = _Room(MAX_BODY - len(encode(fixed)))
    middle = _section("", map(_fact, said.facts), len(said.facts), "fact", room, 3)
    for group in said.notes:
        middle += _section(group.heading, map(_bullet, group.lines), len(group.lines), "line", room, 3)
    middle += _section(said.heading, map(_other, said.listed), len(said.listed), "finding", room, 2)
    # A command that the renderer would expand cannot be shown as it is, so it is only counted.
    exact = (_command(line) for line in mend.lines if "{{" not in line)
    hidden = _section("How to mend it", exact, mend.count, "command", room, 1)
    return _message(_card(alert, [*top, *middle, *foot, *([_mending(hidden)] if hidden else [])], mend.count))


class _Room:
    """How many bytes are left for what could be left out."""

    def __init__(self, left: int) -> None:
        self.left = left

    def share(self, elements: Iterable[Element], divisor: int) -> list[Element]:
        """As many of the elements, in order, as go into the share `1/divisor` of what is left."""
        limit, taken = self.left // divisor, list[Element]()
        for element in elements:
            size = len(encode(element)) + 1
            if size > limit:
                break
            limit -= size
            self.left -= size
            taken.append(element)
        return taken


def _section(
    heading: str, elements: Iterable[Element], of: int, what: str, room: _Room, divisor: int
) -> list[Element]:
    """A part of the card: heading, the elements that go into its share, and how many of all `of` did not."""
    if of == 0:
        return []
    start = [_heading(heading)] if heading else []
    room.left -= len(encode({"": [*start, _small(more(of, what))]}))
    taken = room.share(elements, divisor)
    if taken and not heading:
        taken[0] = {**taken[0], "spacing": "Medium"}
    return [*start, *taken, *([_small(more(of - len(taken), what))] if len(taken) < of else [])]


def _message(card: Element) -> Element:
    return {
        "type": "message",
        "attachments": [
            {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
        ],
    }


def _card(alert: Alert, body: Sequence[Element], commands: int) -> Element:
    actions: list[Element] = []
    if alert.link.startswith(("https://", "http://")) and len(alert.link) <= _LINK:
        actions.append({"type": "Action.OpenUrl", "title": "Open in lami", "url": alert.link})
    if commands:
        shows = f"How to mend it ({commands:,} command{'' if commands == 1 else 's'})"
        actions.append({"type": "Action.ToggleVisibility", "title": shows, "targetElements": [_MENDING]})
    return {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "fallbackText": "lami has an alert that this client cannot show.",
        "msteams": {"width": "Full"},
        "body": list(body),
        "actions": actions,
    }


def _header(said: Summary) -> Element:
    severity = _run(said.severity.upper(), weight="Bolder", color=_COLOURS[said.severity])
    return {
        "type": "Container",
        "style": _STYLES[said.severity],
        "bleed": True,
        "items": [
            _text(severity, _run("   " + _DOT.join(said.labels))),
            {**_text(_run(said.headline, size="Large", weight="Bolder")), "spacing": "Small"},
        ],
    }


def _cause(said: Summary) -> list[Element]:
    actor = said.who
    by = _text(_run("by "), _run(actor.name, weight="Bolder"), *([_run(actor.rest)] if actor.rest else []))
    return [{**by, "spacing": "Medium"}, {**_small(_DOT.join(said.setting)), "spacing": "None"}]


def _footer(said: Summary) -> list[Element]:
    return [
        {**_small(said.next), "spacing": "Medium", "separator": True},
        {**_small(_DOT.join(said.reading)), "spacing": "None"},
    ]


def _fact(fact: Fact) -> Element:
    shape = _EXACT if fact.exact else {}
    return {
        "type": "ColumnSet",
        "spacing": "Small",
        "columns": [
            {"type": "Column", "width": "96px", "items": [_text(_run(fact.label, isSubtle=True))]},
            {"type": "Column", "width": "stretch", "items": [_text(_run(fact.value, **shape))]},
        ],
    }


def _bullet(line: str) -> Element:
    return {**_text(_run(f"•  {line}")), "spacing": "None"}


def _other(one: Listed) -> Element:
    severity = _run(one.severity.upper(), weight="Bolder", color=_COLOURS[one.severity], size="Small")
    return {**_text(severity, _run(f"  {one.line}")), "spacing": "Small"}


def _mending(elements: Sequence[Element]) -> Element:
    """The commands, which take much room and are wanted later than the news: shown by a button."""
    return {"type": "Container", "id": _MENDING, "isVisible": False, "items": list(elements)}


def _command(command: str) -> Element:
    box = {"type": "Container", "style": "emphasis", "spacing": "Small"}
    return {**box, "items": [_text(_run(command, **_EXACT))]}


def _heading(text: str) -> Element:
    return {**_text(_run(text, weight="Bolder")), "spacing": "Medium", "separator": True}


def _small(text: str) -> Element:
    return {**_text(_run(text, isSubtle=True, size="Small")), "spacing": "Small"}


def _text(*runs: Element) -> Element:
    return {"type": "RichTextBlock", "inlines": list(runs)}


def _run(text: str, **shape: object) -> Element:
    """Text that shows as itself: what the renderer would expand is broken up."""
    return {"type": "TextRun", "text": _BRACES.sub("{ ", text), **shape}
