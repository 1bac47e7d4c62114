"""Teams cards: right, harmless and small enough; sent to the right place, with errors that say what to do."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from lami.channels.targets import LoopbackTargets, PublicTargets
from lami.channels.teams import MAX_BODY, Teams, encode, render
from lami.errors import Permanent, Temporary
from tests.channels import samples
from tests.channels.servers import Recorder, certificate, http

SNAPSHOT = Path(__file__).parent / "snapshots" / "redeploy.card.json"
SECRET = "/workflows/1/triggers/manual/paths/invoke?api-version=2016-06-01&sig=s3cret"


@pytest.fixture
def hook() -> Iterator[Recorder]:
    """A webhook on loopback."""
    with http() as recorder:
        yield recorder


def _attachment(message: dict[str, object]) -> dict[str, object]:
    attachments = message["attachments"]
    assert isinstance(attachments, list)
    [attachment] = attachments
    assert isinstance(attachment, dict)
    return attachment


def _card(message: dict[str, object]) -> dict[str, object]:
    content = _attachment(message)["content"]
    assert isinstance(content, dict)
    return content


def _walk(node: object) -> Iterator[dict[str, object]]:
    if isinstance(node, dict):
        yield node
        for child in node.values():
            yield from _walk(child)
    elif isinstance(node, list):
        for child in node:
            yield from _walk(child)


def _texts(message: object) -> list[str]:
    return [str(n["text"]) for n in _walk(message) if "text" in n]


def test_the_card_of_a_redeploy_is_as_it_was_looked_at() -> None:
    """The card is the one that was rendered with Microsoft's renderer and found good."""
    assert _card(render(samples.redeploy())) == json.loads(SNAPSHOT.read_text())


def test_the_message_is_what_a_workflows_webhook_takes() -> None:
    """One card of version 1.4 in the envelope that Workflows expects."""
    message = render(samples.several())
    assert message["type"] == "message"
    attachment = _attachment(message)
    assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
    assert attachment["contentUrl"] is None
    assert _card(message)["version"] == "1.4"


def test_the_gravest_leads_and_each_other_has_its_line() -> None:
    """Headline, other findings, commands once each, and the link are all on the card."""
    texts = _texts(render(samples.several()))
    assert texts[0] == "CRITICAL"
    assert texts[2] == samples.BROAD.title
    assert all(any(f.title in text for text in texts) for f in samples.several().findings)
    assert texts.count(samples.ORPHANS[0].remediation[0]) == 1
    assert "more" not in " ".join(texts)


def test_hostile_text_is_only_ever_text() -> None:
    """Nothing hostile stands where markdown is live, nothing expands, and no link is planted."""
    message = render(samples.hostile())
    assert not [n for n in _walk(message) if n.get("type") in ("TextBlock", "FactSet", "Image")]
    assert not [n for n in _walk(message) if "url" in n or "entities" in n]
    assert not [text for text in _texts(message) if "{{" in text or not text.isprintable()]
    assert "[sign in](https://evil.example)" in " ".join(_texts(message))
    assert json.loads(encode(message)) == message


def test_a_command_that_cannot_be_shown_exactly_is_counted_and_not_shown() -> None:
    """No command is ever shown changed: the hostile one of the two is missing, and said to be."""
    texts = _texts(render(samples.hostile()))
    assert "az role assignment delete --ids '[x](https://evil.example)'" in texts
    assert "+1 more command" in texts
    assert not [text for text in texts if text.startswith("az [sign in]")]


@pytest.mark.parametrize("letter", ["w", "支", "😀", "{", '"', "\\", "\u202e"])
def test_an_enormous_alert_fits_and_says_how_much_is_left_out(letter: str) -> None:
    """10,000 findings of 100 KB names stay under the cap, and shown plus left out are all there are."""
    message = render(samples.enormous(letter))
    assert len(encode(message)) <= MAX_BODY
    texts = _texts(message)
    [left] = [t for t in texts if t.startswith("+") and t.endswith(" more findings")]
    heading = texts.index("In the same change")
    shown = texts[heading:].count("HIGH")
    assert int(left[1:].split()[0].replace(",", "")) + shown == 9_999
    assert shown > 0


def test_the_post_is_the_card(hook: Recorder) -> None:
    """What arrives is the rendered message as JSON, at the very path and query of the URL."""
    Teams(hook.url + SECRET, LoopbackTargets()).send(samples.redeploy())
    [(path, headers, body)] = hook.posts
    assert path == SECRET
    assert headers["content-type"] == "application/json"
    assert json.loads(body) == render(samples.redeploy())


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        *((status, Permanent) for status in (307, 400, 401, 404, 413)),
        *((status, Temporary) for status in (408, 429, 500, 503)),
    ],
)
def test_answers_say_whether_to_try_again(hook: Recorder, status: int, kind: type[Exception]) -> None:
    """4xx and redirects are final, 429 and 5xx are not; there is one post and never the secret."""
    hook.status, hook.headers = status, {"Location": hook.url + "/elsewhere"}
    with pytest.raises(kind) as caught:
        Teams(hook.url + SECRET, LoopbackTargets()).send(samples.redeploy())
    assert len(hook.posts) == 1
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("header", "low", "high"),
    [
        ("17", 17, 17),
        (format_datetime(datetime.now(UTC) + timedelta(minutes=50), usegmt=True), 1, 3000),
        ("Sat, 01 Jan 2000 00:00:00 GMT", 0, 0),
        ("31536000", 3600, 3600),
        ("9" * 400, 3600, 3600),
        ("Fri, 01 Jan 2100 00:00:00 GMT", 3600, 3600),
    ],
)
def test_retry_after_is_handed_on(hook: Recorder, header: str, low: float, high: float) -> None:
    """Seconds and dates are both understood; a date gone by means at once, a year an hour."""
    hook.status, hook.headers = 429, {"Retry-After": header}
    with pytest.raises(Temporary) as caught:
        Teams(hook.url, LoopbackTargets()).send(samples.redeploy())
    assert caught.value.retry_after is not None
    assert low <= caught.value.retry_after <= high


def test_an_unreadable_retry_after_is_none(hook: Recorder) -> None:
    """Nonsense in the header is no reason to fail otherwise."""
    hook.status, hook.headers = 429, {"Retry-After": "soon"}
    with pytest.raises(Temporary) as caught:
        Teams(hook.url, LoopbackTargets()).send(samples.redeploy())
    assert caught.value.retry_after is None


def test_nobody_listening_is_temporary() -> None:
    """A webhook that is down may come back."""
    with http() as gone:
        pass
    with pytest.raises(Temporary):
        Teams(gone.url, LoopbackTargets()).send(samples.redeploy())


def test_the_secret_is_in_no_log_and_no_repr(hook: Recorder, caplog: pytest.LogCaptureFixture) -> None:
    """Even at debug level nothing writes the URL, and the channel's repr leaves it out."""
    caplog.set_level(logging.DEBUG)
    teams = Teams(hook.url + SECRET, LoopbackTargets())
    teams.send(samples.redeploy())
    assert "s3cret" not in caplog.text + repr(teams)


def test_a_listed_host_at_a_loopback_address_gets_nothing(tmp_path: Path) -> None:
    """The address is checked when sending: a name on the list that leads inside is refused unasked."""
    context, _ = certificate(tmp_path)
    with http(context) as inside:
        with pytest.raises(Permanent, match="may not go to"):
            Teams(inside.url, PublicTargets(("localhost",))).send(samples.redeploy())
        assert inside.posts == []


def test_plain_http_is_refused_without_leave(hook: Recorder) -> None:
    """The public rule sends nothing in plain text."""
    with pytest.raises(Permanent, match="https"):
        Teams(hook.url, PublicTargets()).send(samples.redeploy())
    assert hook.posts == []


def test_tls_is_verified_for_the_name_though_the_address_is_dialled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A certificate nobody trusts is refused; the same one, trusted, is taken."""
    context, trusted = certificate(tmp_path)
    with http(context) as hook:
        teams = Teams(hook.url, LoopbackTargets())
        with pytest.raises(Temporary, match="no answer from localhost"):
            teams.send(samples.redeploy())
        assert hook.posts == []
        monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
        teams.send(samples.redeploy())
        assert len(hook.posts) == 1


def test_proxies_of_the_environment_are_not_asked(hook: Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    """The checked address is the one dialled, whatever the environment says of proxies."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    Teams(hook.url, LoopbackTargets()).send(samples.redeploy())
    assert len(hook.posts) == 1
