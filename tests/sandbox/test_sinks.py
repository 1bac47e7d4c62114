"""The Teams, Event Grid and mail sinks, written to as lami's channels write, and the page that shows them."""

import smtplib
from email.message import EmailMessage

import pytest
import requests
from azure.core.credentials import AzureKeyCredential
from azure.core.exceptions import HttpResponseError
from azure.core.messaging import CloudEvent
from azure.eventgrid import EventGridPublisherClient

from lami.sandbox import Actor, Sandbox
from lami.sandbox.faults import Fault
from tests.jsons import JsonValue
from tests.sandbox.support import control, vault, workflow

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>"


def card(*texts: str) -> JsonValue:
    content: JsonValue = {
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": [{"type": "TextBlock", "text": text} for text in texts]
        + [{"type": "FactSet", "facts": [{"title": "Role", "value": "Owner"}]}],
    }
    kind = "application/vnd.microsoft.card.adaptive"
    return {
        "type": "message",
        "attachments": [{"contentType": kind, "contentUrl": None, "content": content}],
    }


def mail(azure: Sandbox, subject: str, text: str) -> None:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "lami@x.example", "robin@x.example", subject
    message.set_content(text)
    host, _, port = azure.mail_url.removeprefix("smtp://").partition(":")
    with smtplib.SMTP(host, int(port), timeout=5) as client:
        client.send_message(message)


def publisher(azure: Sandbox) -> EventGridPublisherClient:
    return EventGridPublisherClient(azure.topic_url, AzureKeyCredential("unused"))


def test_teams(azure: Sandbox) -> None:
    """A card is accepted with 202 and kept with its texts; what Teams would not show says why."""
    answer = requests.post(azure.teams_url, json=card("claims-intake was recreated"), timeout=5)
    assert (answer.status_code, answer.content) == (202, b"")
    requests.post(azure.teams_url, json={"text": "no card"}, timeout=5)
    requests.post(azure.teams_url, json=card("x" * 30000), timeout=5)
    shown, bare, large = control(azure, "GET", "/sandbox/teams").json()["value"]
    assert shown["texts"] == ["claims-intake was recreated", "Role: Owner"]
    assert shown["problem"] == ""
    assert "no attachment" in bare["problem"]
    assert "28672" in large["problem"]
    assert requests.post(azure.teams_url, data=b"[", timeout=5).status_code == 400
    control(azure, "DELETE", "/sandbox/teams")
    assert control(azure, "GET", "/sandbox/teams").json()["value"] == []


def test_teams_faults(azure: Sandbox) -> None:
    """The webhook throttles and fails on demand, keeps nothing then, and recovers."""
    control(
        azure,
        "POST",
        "/sandbox/faults",
        {"path": "/sandbox/teams/*", "status": 429, "retryAfter": 1, "count": 1},
    )
    throttled = requests.post(azure.teams_url, json=card("a"), timeout=5)
    assert (throttled.status_code, throttled.headers["Retry-After"]) == (429, "1")
    assert not azure.teams.cards
    assert requests.post(azure.teams_url, json=card("a"), timeout=5).status_code == 202


def test_mail(azure: Sandbox) -> None:
    """Mail is kept with its text and shown; a fault refuses it for now or for good."""
    mail(azure, "claims-intake was recreated", "P1 → P2\n")
    (kept,) = control(azure, "GET", "/sandbox/mail").json()["value"]
    assert (kept["subject"], kept["text"]) == ("claims-intake was recreated", "P1 → P2\n")
    assert kept["recipients"] == ["robin@x.example"]
    for status, code in ((500, 451), (403, 550)):
        azure.faults.add(Fault(path="/sandbox/mail", status=status, count=1))
        with pytest.raises(smtplib.SMTPDataError) as refused:
            mail(azure, "x", "y")
        assert refused.value.smtp_code == code
    assert len(azure.mail.messages) == 1


def test_topic(azure: Sandbox) -> None:
    """CloudEvents that the SDK publishes are kept; what is no event is refused; faults are told."""
    event = CloudEvent(source="lami", type="lami.finding.opened", data={"id": "f-1"}, subject="claims-intake")
    publisher(azure).send([event])
    (kept,) = control(azure, "GET", "/sandbox/topic").json()["value"]
    assert (kept["id"], kept["type"], kept["data"]) == (event.id, "lami.finding.opened", {"id": "f-1"})
    assert requests.post(azure.topic_url, json=["x"], timeout=5).status_code == 400
    azure.faults.add(Fault(path="/sandbox/topic*", status=503))
    with pytest.raises(HttpResponseError):
        # azure-eventgrid 4.22 drops the constructor's retry options, but heeds the call's.
        publisher(azure).send([event], retry_total=0)
    assert len(azure.topic.events) == 1


def test_page_escapes_everything(azure: Sandbox) -> None:
    """Hostile names, tags, actors, cards, mails and events stay text on a page that allows no script."""
    text = HOSTILE.replace("/", "")
    azure.estate.put(workflow(azure, text), tags={HOSTILE: HOSTILE}, actor=Actor.named(HOSTILE))
    made = azure.estate.put_role(HOSTILE, [])
    azure.estate.assign(made.name, vault(azure), of=workflow(azure, text), condition=HOSTILE)
    requests.post(azure.teams_url, json=card(HOSTILE), timeout=5)
    requests.post(
        azure.topic_url, json={"id": "1", "type": HOSTILE, "subject": HOSTILE, "d": HOSTILE}, timeout=5
    )
    mail(azure, HOSTILE, HOSTILE)
    azure.faults.add(Fault(path=HOSTILE, slow=1))
    page = requests.get(azure.url + "/", timeout=5)
    assert "<script" not in page.text
    assert "<img" not in page.text
    assert page.text.count("&lt;img src=x onerror=alert(2)&gt;") > 8
    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src" not in policy
    assert "unsafe-inline" not in policy
    assert "a simulation" in page.text
