"""How the demo looks: a calm page in the terminal, within its width, with or without colour.

All text that comes out of Azure is set as text, never as markup, and with nothing hidden in it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from lami.channels.text import shown
from lami.channels.wording import notes, title, who
from lami.cli.demo_record import SINKS, Happened
from lami.core import naming
from lami.core.ids import ResourceId, guid
from lami.core.model import SEVERITIES, Actor, Entry, Finding
from lami.sandbox.control import SIMULATION
from lami.sandbox.grid import Attempt
from lami.sandbox.parts import Read
from lami.sandbox.stories import Accept, Scene, Take

WIDEST = 120
"""Columns: longer lines are hard to read, however wide the terminal is."""
_MOST = 4  # notes, or kinds of reads, that a scene shows
_LINE = 400
_STYLES = {
    "critical": "bold red",
    "high": "bold red",
    "medium": "bold yellow",
    "resolved": "green",
    "accepted": "green",
    "open": "bold",
}
_LEGEND = {
    "told": "what Event Grid told lami: that something happened, not what came of it",
    "seen": "what lami then read of Azure, as it is now",
    "concluded": "what it made of that",
    "alerted": "where an alert arrived, counted in the sinks themselves",
}


def stage() -> Console:
    """The terminal that the demo is shown on."""
    console = Console(highlight=False, markup=False, emoji=False)
    console.width = min(console.width, WIDEST)
    return console


@dataclass(frozen=True, slots=True)
class View:
    """Writes the demo, part by part."""

    console: Console

    def opening(self, seed: int) -> None:
        """What this is, and how to read it."""
        self._heading("lami demo: a redeploy, and what it leaves behind")
        self._indented(Text(f"{SIMULATION} Seed {seed}; the clock is the story's own."))
        self.console.print()
        self._block((label, [Text(text, "dim")]) for label, text in _LEGEND.items())

    def scene(self, number: int, at: datetime, scene: Scene) -> None:
        """What is about to happen."""
        line = Table.grid(expand=True)
        line.add_column(width=4)
        line.add_column(ratio=1)
        line.add_column(justify="right")
        line.add_row(Text(f" {number}", "bold"), Text(scene.title, "bold"), Text(f"  {at:%H:%M}", "dim"))
        self.console.print("\n", line, sep="", end="")
        self._indented(Text(scene.text))

    def happened(self, scene: Scene, what: Happened, took: float) -> None:
        """What came of it, and within how many seconds."""
        self._block(
            (
                ("told", _told(scene, what)),
                ("seen", [_reads(what.seen)]),
                ("concluded", _concluded(what)),
                ("alerted", [_alerted(what, took)]),
            )
        )

    def timeline(self, entries: Sequence[Entry]) -> None:
        """The timeline, a line for each entry."""
        self._heading("The timeline")
        table = Table.grid(padding=(0, 2, 0, 0), expand=True)
        table.add_column(style="dim", width=5)
        table.add_column(style="dim", width=8)
        table.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
        for entry in entries:
            style = "bold" if entry.kind == "opened" else ""
            table.add_row(f"{entry.at:%H:%M}", entry.kind, Text(shown(entry.text, _LINE), style))
        self._indented(table)

    def findings(self, findings: Sequence[Finding], reached: Mapping[str, Collection[str]]) -> None:
        """What was found, how it stands, and which sinks hold it."""
        self._heading("What lami found")
        self._indented(_row(*(Text(name, "dim") for name in ("status", "severity", "rule", "told", "id"))))
        for finding in findings:
            told = ", ".join(sink for sink in SINKS if sink in reached.get(finding.id, ()))
            row = _row(
                Text(finding.status, _STYLES.get(finding.status, "")),
                Text(finding.severity, _STYLES.get(finding.severity, "")),
                Text(finding.rule, "bold"),
                Text(told or "nobody", "" if told else "bold red"),
                Text(finding.id, "dim"),
            )
            self._indented(Group(row, Padding(Text(title(finding), "dim"), (0, 0, 0, 10))))

    def verdict(self, rules: Sequence[str], counts: Mapping[str, int]) -> None:
        """That everything arrived."""
        self.console.print()
        self._indented(Text(f"All found, and each told to both sinks: {naming.listed(rules)}.", "bold green"))
        counted = naming.listed(
            f"{counts[sink]} {what}" for sink, what in (("teams", "cards"), ("email", "mails"))
        )
        self._indented(Text(f"Counted in the sinks: {counted}.", "dim"))

    def ending(self, *lines: str) -> None:
        """Where to go from here."""
        self.console.print()
        for line in lines:
            self._indented(Text(line))

    def _heading(self, text: str) -> None:
        self.console.print("\n", Rule(Text(text, "bold"), align="left", style="dim"), sep="", end="")

    def _indented(self, what: RenderableType) -> None:
        self.console.print(Padding(what, (0, 0, 0, 4)))

    def _block(self, parts: Iterable[tuple[str, Sequence[RenderableType]]]) -> None:
        block = Table.grid(padding=(0, 2, 0, 0))
        block.add_column(style="cyan", width=9)
        block.add_column(ratio=1)
        for label, lines in parts:
            block.add_row(label, Group(*lines))
        self._indented(block)


def _row(*cells: Text) -> Table:
    """A line of the findings; every one is as wide as any, so that they stand under each other."""
    row = Table.grid(padding=(0, 2, 0, 0))
    for width in (8, 8, 19, 12, 18):
        row.add_column(width=width, no_wrap=True)
    row.add_row(*cells)
    return row


def _told(scene: Scene, what: Happened) -> list[Text]:
    match scene.action:
        case Take():
            return [Text("by Robin: lami baseline take; lami serve")]
        case Accept(_, reason):
            ids = [finding.id for finding in what.changed if finding.accepted]
            return [Text(f'by Robin: lami accept {id} --reason "{reason}"') for id in ids]
    return [_event(one, what.actors.get(one.event_id)) for one in what.told] or [Text("nothing", "dim")]


def _event(attempt: Attempt, actor: Actor | None) -> Text:
    """One delivery: what was done to what, and by whom. Of an assignment an event tells only the id."""
    name = ResourceId(attempt.subject).name
    text = Text.assemble(attempt.operation.partition("/")[2], "  ", (_brief(name), "bold"))
    if actor:
        kind = "application " if actor.kind == "application" else ""
        text.append(f"  by {kind}{_brief(who(actor).name)}")
    if attempt.outcome != "delivered":
        text.append(f"  {attempt.outcome}", "bold yellow")
    return text


def _brief(name: str) -> str:
    return naming.short(name) if guid(name) == name.lower() else shown(name, _LINE)


def _reads(reads: Collection[Read]) -> Text:
    """What was read, each once with how often."""
    if not reads:
        return Text("nothing", "dim")
    counted = Counter(_read(one) for one in reads)
    names = [f"{name} ({times} times)" if times > 1 else name for name, times in counted.items()]
    more = f" and {len(names) - _MOST} more" if len(names) > _MOST else ""
    return Text(f"{naming.counted(len(reads), 'read')}: {', '.join(names[:_MOST])}{more}")


def _read(read: Read) -> str:
    kind, *names = read.path.rpartition("/providers/")[2].split("/")[1:]
    if kind == "roleAssignments" and "principalId" in read.query:
        what = f"grants of {naming.short(guid(read.query))}"
    elif kind == "roleAssignments" and names:
        what = f"assignment {naming.short(names[0])}"
    elif kind == "roleDefinitions":
        what = "role definition"
    elif kind == "subscriptions":
        what = "the subscription's name"
    else:
        what = shown("/".join(names[::2]), _LINE) if names else f"all {kind}"
    return what if read.status == 200 else f"{what}: {read.status}"


def _concluded(what: Happened) -> list[RenderableType]:
    """The findings, the gravest first; without any, what was noted."""
    lines: list[RenderableType] = []
    changed = sorted(what.changed, key=lambda finding: (SEVERITIES.index(finding.severity), finding.rule))
    for (word, rule), findings in groupby(changed, key=lambda finding: (_word(finding), finding.rule)):
        lines.append(Text.assemble((word.upper(), _STYLES.get(word, "")), "  ", (rule, "bold")))
        for finding in findings:
            lines.append(Padding(Text(title(finding)), (0, 0, 0, 2)))
            if finding.status == "open":
                lines += [Padding(Text(line, "dim"), (0, 0, 0, 4)) for line in _headed(finding)]
    return lines or _noted(what.noted)


def _noted(entries: Sequence[Entry]) -> list[RenderableType]:
    """What was noted, first of apps and identities; the timeline at the end has the whole of it."""
    if not entries:
        return [Text("nothing new", "dim")]
    first = sorted(entries, key=lambda entry: entry.subject.kind == "principal")[:_MOST]
    lines: list[RenderableType] = [Text(shown(entry.text, _LINE)) for entry in first]
    if len(first) < len(entries):
        lines.append(Text(f"and {len(entries) - len(first)} more, on the timeline", "dim"))
    return lines


def _word(finding: Finding) -> str:
    return finding.severity if finding.status == "open" else finding.status


def _headed(finding: Finding) -> list[str]:
    return [f"{group.heading}: {line}" for group in notes(finding) if group.heading for line in group.lines]


def _alerted(what: Happened, took: float) -> Text:
    told = [SINKS[sink] for sink, number in what.arrived.items() if number]
    if not told:
        return Text("nobody", "dim")
    after = f", within {took:.2f} s of the change" if what.told else ""
    return Text.assemble((naming.listed(told), "bold"), after)
