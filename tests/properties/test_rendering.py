"""Fuzzing what is told: whatever the text, card, mail, lines and events are whole, small and harmless."""

from __future__ import annotations

import email
import json
import re
import shlex
from collections.abc import Iterator
from email.message import EmailMessage
from email.policy import default
from html.parser import HTMLParser

from hypothesis import example, given
from hypothesis import strategies as st

from lami.channels import console, event_grid, teams, wording
from lami.channels.channel import Alert
from lami.channels.email import render as render_mail
from lami.channels.text import copyable, shown
from lami.core.remedy import delete_assignment
from tests.channels import samples
from tests.properties.alerts import LINK, alerts
from tests.properties.profiles import cases
from tests.properties.texts import hostile

TEAMS_TAKES = 28_672
SENDER, TO = "lami <lami@contoso.example>", ("oncall@contoso.example", "audit@contoso.example")
HEADERS = {
    "Subject",
    "From",
    "To",
    "Message-ID",
    "In-Reply-To",
    "References",
    "Auto-Submitted",
    "X-Auto-Response-Suppress",
    "MIME-Version",
    "Content-Type",
}
ENCODED = re.compile(r"=\?utf-8\?[bq]\?[!->@-~]+\?=")
"""An encoded word of RFC 2047, whole."""
MARKUP = {"html", "body", "div", "h1", "h2", "b", "table", "tr", "td", "ul", "li", "p", "a"}


def walk(node: object) -> Iterator[dict[str, object]]:
    """Every object within a JSON value."""
    if isinstance(node, dict):
        yield node
        for child in node.values():
            yield from walk(child)
    elif isinstance(node, list):
        for child in node:
            yield from walk(child)


@cases("cards")
@example(samples.hostile())
@given(alerts)
def test_a_card_is_whole_small_and_harmless(alert: Alert) -> None:
    """Valid JSON, under Teams' limit; untrusted text stands in text runs alone and nothing of it is live."""
    message = teams.render(alert)
    body = teams.encode(message)
    assert json.loads(body) == message
    assert len(body) <= teams.MAX_BODY < TEAMS_TAKES
    nodes = list(walk(message))
    assert not [n for n in nodes if n.get("type") in ("TextBlock", "FactSet", "Image", "Media", "Input.Text")]
    assert [n["url"] for n in nodes if "url" in n] in ([], [LINK])
    assert not [n for n in nodes if "selectAction" in n or "entities" in n]
    for node in nodes:
        text = node.get("text", "")
        assert isinstance(text, str)
        assert text.isprintable()
        assert "{{" not in text
        assert not text or node["type"] == "TextRun"
    texts = [str(n["text"]) for n in nodes if "text" in n]
    assert teams._BRACES.sub("{ ", wording.summary(alert).headline) in texts


class Page(HTMLParser):
    """What a mail reader makes of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.links: list[str | None] = []
        self.strange: list[str] = []
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.links += [value for name, value in attrs if name == "href"]

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_comment(self, data: str) -> None:
        self.strange.append(data)

    def handle_decl(self, decl: str) -> None:
        self.strange.append(decl)

    def handle_pi(self, data: str) -> None:
        self.strange.append(data)

    def unknown_decl(self, data: str) -> None:
        self.strange.append(data)


def parsed(raw: bytes) -> EmailMessage:
    """The mail as its receiver reads it."""
    mail = email.message_from_bytes(raw, policy=default)
    assert isinstance(mail, EmailMessage)
    return mail


def content(mail: EmailMessage, kind: str) -> str:
    """The text of one part."""
    part = mail.get_body((kind,))
    assert part is not None
    text = part.get_content()
    assert isinstance(text, str)
    return text


@cases("mails")
@example(samples.hostile())
@given(alerts)
def test_a_mail_is_whole_and_harmless(alert: Alert) -> None:
    """It parses back to just the headers lami set, each on one line; its page holds lami's markup alone."""
    raw = render_mail(alert, SENDER, TO).as_bytes()
    mail = parsed(raw)
    assert sorted(mail.keys()) == sorted(HEADERS)
    assert not mail.defects
    for name, value in mail.items():
        assert value.isprintable(), name
    assert mail["To"] == ", ".join(TO)
    # A long word goes to a line of its own, and the blank before it to the text.
    assert mail["Subject"].lstrip().startswith(f"[lami] {alert.findings[0].severity.upper()}: ")
    assert max(map(len, raw.split(b"\r\n"))) <= 998
    plain = content(mail, "plain")
    assert plain.replace("\r\n", "\n").rstrip("\n") == console.render(alert).rstrip("\n")
    page = Page(content(mail, "html"))
    assert page.tags <= MARKUP
    assert page.attributes <= {"style", "href"}
    assert page.links in ([], [alert.link])
    assert not page.strange
    assert page.text.rstrip("\r\n").isprintable()
    assert wording.summary(alert).headline in page.text


@cases("subjects")
@example("=?utf-8?q?a=0D=0ABcc:_all@evil.example?=")
@example(
    "{{DATE(2026-11-24T08:14:21Z)}}{{DATE(2026-11-24T08:14:21Z)}}"
    "[sign in](https://evil.example)0\x1f¡[sign in](https://evil.example)¡"
)
@example(
    "actualités-digitales was granted Contributor by Geneviève Dubœuf-Lefèvre: d’abonnement à la résumée,"
    " Tribune de Genève et tous les titres"
)
@given(hostile)
def test_a_subject_says_what_it_was_given(title: str) -> None:
    """A receiver reads the title as lami shows it, blanks aside, also where it looks like an encoded word.

    Whoever relays it finds each encoded word by itself, between blanks.
    """
    first = samples.CHURN
    told = Alert("a", "t", (samples._finding("f", first.rule, title=title),))
    sent = render_mail(told, SENDER, TO).as_bytes()
    lines = sent.partition(b"Subject: ")[2].partition(b"\r\nFrom: ")[0].decode("ascii").split("\r\n ")
    assert all(len(line) <= 78 or " " not in line for line in lines)
    words = " ".join(lines).split()
    assert all(ENCODED.fullmatch(word) for word in words if "=?" in word)
    subject = parsed(sent)["Subject"]
    expected = f"[lami] HIGH: {shown(title, 150)}"
    assert "".join(subject.split()) == "".join(expected.split())


@cases("consoles")
@example(samples.hostile())
@given(alerts)
def test_lines_hide_nothing(alert: Alert) -> None:
    """The console's lines hold no control character but the line feed, and say whom and what."""
    text = console.render(alert)
    assert text.endswith("\n\n")
    assert text.replace("\n", "").isprintable()
    assert wording.summary(alert).headline in text.split("\n")[0]
    assert len(text) < 1_000_000


@cases("grid events")
@example(samples.hostile())
@given(alerts)
def test_events_are_json(alert: Alert) -> None:
    """One event a finding, each of valid JSON that says what the finding says; no batch is too large."""
    events = event_grid.render(alert)
    assert len(events) == len(alert.findings)
    for event, finding in zip(events, alert.findings, strict=True):
        body = json.loads(json.dumps(event.data))
        # Two halves of a character that stand side by side are the character, once they were JSON.
        assert [body["id"], body["title"]] == json.loads(json.dumps([finding.id, finding.title]))
    batches = list(event_grid._batches(events))
    assert [event for batch in batches for event in batch] == list(events)


@cases("wording")
@given(hostile, st.integers(2, 400))
def test_shown_text_is_one_bounded_line(text: str, limit: int) -> None:
    """Whatever is shown is printable, within its limit, and itself where nothing of it hides."""
    line = shown(text, limit)
    assert line.isprintable()
    assert len(line) <= limit
    if text.isprintable() and len(text) <= limit:
        assert line == text


@cases("commands")
@given(hostile)
def test_a_command_stays_one_command(name: str) -> None:
    """Whatever an assignment is called, the command that removes it is words of one line for a shell."""
    command = delete_assignment(f"/{name}")
    assert "\n" not in command
    assert shlex.split(command)[:5] == ["az", "role", "assignment", "delete", "--ids"]
    assert len(shlex.split(command)) == 6
    assert copyable(command, 10**6)
