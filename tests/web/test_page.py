"""The page: what it shows, that it needs no script, and that hostile text stays text."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from lami.sandbox.model import Actor
from tests.web.support import get
from tests.world import World, world

VOID = {"meta", "input", "link", "br"}


class Reader(HTMLParser):
    """What of a page matters here: its text, its tags with attributes, and that they are nested well."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.feed(html)
        self.close()
        assert not self.open, f"left open: {self.open}"

    @property
    def text(self) -> str:
        """All text outside the style, its spaces single."""
        return " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID and tag != "option":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag != "option":
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.words.append(data)


def page(of: World, query: str = "") -> Reader:
    """The page as a reader sees it."""
    response = get(of, "/" + query)
    assert response.status_code == 200, response.text
    assert response.headers["Content-Type"] == "text/html; charset=utf-8"
    return Reader(response.text)


def test_the_page_tells_the_redeploy(story: World) -> None:
    """Findings with who did it, what is stranded and missing, the commands and the runbook; the timeline."""
    text = page(story).text
    churn = next(f for f in get(story, "/api/v1/findings").json()["value"] if f["rule"] == "identity-churn")
    for expected in (
        churn["title"],
        "Robin Operator (user) from 203.0.113.10",
        "Stranded",
        "Missing",
        "docs/runbooks/identity-churn.md",
        churn["cause"]["correlationId"],
        *churn["remediation"],
        f"lami accept {churn['id']}",
        "claims-intake is seen for the first time: its baseline",
        "Open findings 6",
    ):
        assert expected in text
    assert "concern" not in text


def test_an_alert_leads_to_its_finding_on_the_page(tmp_path: Path) -> None:
    """Each card's link ends in the place of its gravest finding, which the page has."""
    with world(tmp_path, {"LAMI_PUBLIC_URL": "https://lami.example/"}) as own:
        own.subscribe()
        own.redeploy()
        said = "".join(json.dumps(card.body) for card in own.azure.teams.cards)
        places = re.findall(r'"url": "https://lami.example#(f-[0-9a-f]{16})"', said)
        assert len(places) == len(own.azure.teams.cards) > 0
        html = get(own, "/").text
        for place in places:
            assert f'id="{place}"' in html


def test_the_page_needs_no_script_and_loads_nothing(story: World) -> None:
    """No script, no handler, no address elsewhere; its one style bears the nonce of the policy."""
    response = get(story, "/")
    tags = Reader(response.text).tags
    assert not {"script", "iframe", "object", "img", "link"} & {tag for tag, _ in tags}
    for _, attributes in tags:
        assert not any(name.startswith("on") or name == "style" for name in attributes)
        for name in ("href", "src", "action"):
            assert (attributes.get(name) or "/").startswith("/")
    nonces = [attributes["nonce"] for tag, attributes in tags if tag == "style"]
    policy = response.headers["Content-Security-Policy"]
    assert f"style-src 'nonce-{nonces[0]}'" in policy
    assert len(nonces) == 1
    assert f"'nonce-{nonces[0]}'" not in get(story, "/").headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    ("query", "shown", "hidden"),
    [
        ("?rule=broad-grant", "Open findings 1", "Stranded"),
        ("?severity=medium", "Open findings 2", "Stranded"),
        ("?subject=CLAIMS", "Open findings 6", "No finding is so."),
        ("?subject=team-claims", "Open findings 6", "No finding is so."),
        ("?subject=nobody", "No finding is so.", "was recreated"),
        ("?status=resolved", "No finding is so.", "Stranded"),
        ("?status=any", "Findings 6", "Open findings"),
        ("?status=open&severity=&rule=&subject=&days=90", "the last 90 days", "No finding is so."),
    ],
)
def test_the_form_filters(story: World, query: str, shown: str, hidden: str) -> None:
    """Each field narrows what is shown, and the form sends them all whether they are filled or not."""
    text = page(story, query).text
    assert shown in text
    assert hidden not in text


def test_a_bad_filter_is_refused_as_a_page(story: World) -> None:
    """A person gets a page that names what is wrong."""
    response = get(story, "/?status=<b>&colour=red&days=8")
    assert response.status_code == 400
    text = Reader(response.text).text
    assert all(name in text for name in ("status", "colour", "days"))


def test_hostile_names_stay_text_and_hide_nothing(fresh: World) -> None:
    """Markup in a name is shown as such; what would reorder or hide is shown as its escape."""
    actor = Actor(
        '<script>alert("x")</script>\u202e\x00{{7*7}}',
        "00000000-0000-0000-0000-00000000000a",
        "user",
        "00000000-0000-0000-0000-00000000000b",
        "m@x",
        "203.0.113.9",
    )
    fresh.subscribe()
    tags = {"owner": '"><img src=x onerror=alert(1)>\u202eevil'}
    fresh.azure.estate.put(fresh.app(), tags=tags, actor=actor)
    fresh.azure.estate.recreate(fresh.app(), actor=actor)
    fresh.settled()
    html = get(fresh, "/").text
    reader = Reader(html)
    assert "script" not in {tag for tag, _ in reader.tags}
    assert "img" not in {tag for tag, _ in reader.tags}
    assert '<script>alert("x")</script>' in reader.text
    assert "{{7*7}}" in reader.text
    assert "img src=x" in reader.text
    assert not re.search("[\u202a-\u202e\u2066-\u2069\u200b-\u200f\x00-\x08\x0e-\x1f]", html)
    assert "\\u202eevil" in reader.text
    echoed = get(fresh, "/", params={"subject": '"><script>\u202e'}).text
    assert "<script" not in echoed
    assert "\u202e" not in echoed


def test_empty_states_say_what_to_do(tmp_path: Path) -> None:
    """With nothing open, with no baseline, and with nothing on the timeline, the next step is named."""
    with world(tmp_path) as own:
        text = page(own).text
        assert "Everything stands as expected." in text
        assert "lami reconcile" in text
    (tmp_path / "two").mkdir()
    with world(tmp_path / "two", {"LAMI_SUBSCRIPTIONS": "00000000-0000-0000-0000-000000000002"}) as own:
        text = page(own).text
        assert "No baseline yet." in text
        assert "lami baseline take" in text
        assert "Nothing is written of these days." in text


def test_contrast_is_readable() -> None:
    """Every colour that carries text has at least 4.5:1 against every ground it stands on, dark and light."""
    style = (Path(__file__).parents[2] / "lami" / "web" / "templates" / "style.html").read_text("utf-8")
    light, dark = re.findall(r":root \{(.*?)\}", style, re.DOTALL)
    for theme in (light, dark):
        colours = dict(re.findall(r"--([a-z]+): (#[0-9a-f]{6})", theme))
        assert len(colours) >= 13
        for ground in ("page", "panel", "sunk"):
            for text in ("ink", "quiet", "accent", "critical", "high", "medium", "low", "info", "good"):
                assert contrast(colours[text], colours[ground]) >= 4.5, (text, ground)
        assert contrast(colours["panel"], colours["accent"]) >= 4.5


def contrast(one: str, other: str) -> float:
    """The ratio of WCAG 2."""
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def luminance(colour: str) -> float:
    """The relative luminance of WCAG 2."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
