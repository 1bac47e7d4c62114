"""Digests: very many findings as one message that counts truly, and names the gravest."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from msgspec.structs import replace

from lami.channels import console, email, teams
from lami.channels.channel import Alert
from lami.channels.wording import summary
from lami.core.model import Actor, Cause
from tests.channels import samples


def _by(name: str) -> Cause:
    return replace(samples.CAUSE, actor=Actor("user", name, name))


def digest(text: str = "") -> Alert:
    """400 broad grants (two critical) by one, three churns by others, of 403 changes."""
    broad = [
        replace(
            samples.BROAD, id=f"f-{n}", severity="critical" if n < 2 else "high", cause=_by("Dana" + text)
        )
        for n in range(400)
    ]
    churns = [replace(samples.CHURN, id=f"f-c{n}", cause=_by(f"Robin {n}{text}")) for n in range(3)]
    findings = (*broad[:2], *churns, *broad[2:])
    return Alert("a-digest", "a-digest", findings, samples.LINK, 403)


@pytest.fixture(params=["teams", "email", "console"])
def told(request: pytest.FixtureRequest) -> str:
    """The text that each layout tells."""
    if request.param == "teams":
        return "\n".join(_texts(teams.render(digest())))
    if request.param == "email":
        body = email.render(digest(), "a@b.example", ["c@d.example"]).get_body(("html",))
        assert body is not None
        return str(body.get_content())
    return console.render(digest())


def _texts(node: object) -> Iterator[str]:
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "text":
                yield str(value)
            else:
                yield from _texts(value)
    elif isinstance(node, list):
        for one in node:
            yield from _texts(one)


def test_it_counts_truly_and_says_who_did_most_of_it(told: str) -> None:
    """How many findings of how many changes, of which rule and severity, and by whom."""
    for said in (
        "403 findings of 403 changes at once",
        "broad-grant (2 critical, 398 high)",
        "identity-churn (high)",
        "3 more actors",
        samples.BROAD.title,
    ):
        assert said in told


def test_its_subject_is_the_count() -> None:
    """A mail's subject doesn't pass for that of one finding."""
    subject = email.render(digest(), "a@b.example", ["c@d.example"])["Subject"]
    assert subject == "[lami] CRITICAL: 403 findings of 403 changes at once"


def test_what_has_no_room_is_counted() -> None:
    """Lines shown and lines counted make up all findings."""
    lines = console.render(digest()).splitlines()
    shown = [line for line in lines if line.startswith(("    CRITICAL", "    HIGH"))]
    assert f"+{403 - len(shown)} more findings" in console.render(digest())
    message = teams.render(digest("x" * 500))
    assert len(teams.encode(message)) <= teams.MAX_BODY
    assert "more findings" in json.dumps(message)


def test_hostile_actors_stay_text() -> None:
    """Names that an attacker chose are one line that hides nothing, in digests too."""
    said = summary(digest(samples.HOSTILE))
    assert "\n" not in said.who.name
    assert "\u202e" not in said.who.name
    assert "<img" not in str(email.render(digest(samples.HOSTILE), "a@b.example", ["c@d.example"]).as_bytes())


def test_the_same_alert_alone_is_no_digest() -> None:
    """One story is told as a story, however many findings it has."""
    assert not samples.several().is_digest
    assert summary(samples.several()).headline == samples.BROAD.title
