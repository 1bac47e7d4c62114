"""Where alerts arrive: a Teams webhook, an Event Grid topic and a mailbox; they keep what they get."""

import json
from asyncio.base_events import Server
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from email import message_from_bytes
from email.policy import default

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from lami.sandbox.faults import Faults, status_of
from lami.sandbox.model import JsonObject, Refused, timestamp

KEPT = 1000
TEAMS_LIMIT = 28672  # bytes of a message that Teams takes
MAIL_PATH = "/sandbox/mail"  # what a fault names to have mail refused


@dataclass(frozen=True, slots=True)
class Card:
    """One message to the Teams webhook; `problem` says why Teams would not show it, empty if it would."""

    at: str
    body: JsonObject
    texts: tuple[str, ...]
    problem: str


@dataclass(frozen=True, slots=True)
class Mail:
    """One message the mailbox took."""

    at: str
    sender: str
    recipients: tuple[str, ...]
    subject: str
    text: str
    raw: str


class TeamsSink:
    """A Workflows webhook: takes a card and answers 202, which means accepted, not posted."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self.cards: deque[Card] = deque(maxlen=KEPT)

    def take(self, raw: bytes) -> None:
        """Keep a message; refuses what is no JSON object."""
        body = _json(raw)
        if not isinstance(body, dict):
            raise Refused("the webhook takes a JSON object")
        cards = _cards(body)
        problem = ""
        if not cards:
            problem = "no attachment of type application/vnd.microsoft.card.adaptive"
        elif len(raw) > TEAMS_LIMIT:
            problem = f"{len(raw)} bytes: Teams takes {TEAMS_LIMIT}"
        texts = tuple(text for card in cards for text in texts_of(card))
        self.cards.append(Card(timestamp(self._now()), body, texts, problem))


class TopicSink:
    """A custom Event Grid topic: keeps the events published to it, CloudEvents or EventGridSchema."""

    def __init__(self) -> None:
        self.events: deque[JsonObject] = deque(maxlen=KEPT)

    def take(self, raw: bytes) -> None:
        """Keep what was published, one event or an array; refuses what holds something else."""
        body = _json(raw)
        events: list[JsonObject] = []
        for event in body if isinstance(body, list) else [body]:
            if (
                not isinstance(event, dict)
                or not event.get("id")
                or not (event.get("type") or event.get("eventType"))
            ):
                raise Refused("a topic takes events: JSON objects with an id and a type")
            events.append(event)
        self.events.extend(events)


class MailSink:
    """A mail server on loopback that delivers nothing and keeps everything."""

    def __init__(self, now: Callable[[], datetime], faults: Faults, port: int = 0) -> None:
        self._now = now
        self._faults = faults
        self._port = port
        self._controller: _AnyPort | None = None
        self.messages: deque[Mail] = deque(maxlen=KEPT)

    def start(self) -> int:
        """Begin to listen; returns the port."""
        self._controller = _AnyPort(self, hostname="127.0.0.1", port=self._port)
        self._controller.start()
        return int(self._controller.port)

    def stop(self) -> None:
        """Stop listening."""
        if self._controller:
            self._controller.stop(no_assert=True)
            self._controller = None

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        """Take one message (the name is aiosmtpd's)."""
        fault = status_of(self._faults.strike(MAIL_PATH))
        if fault is not None and fault.status is not None:
            temporary = fault.status == 429 or fault.status >= 500
            return "451 4.3.0 try again later" if temporary else "550 5.7.1 refused"
        raw = envelope.original_content or b""
        message = message_from_bytes(raw, policy=default)
        part = message.get_body(("plain", "html"))
        self.messages.append(
            Mail(
                at=timestamp(self._now()),
                sender=envelope.mail_from or "",
                recipients=tuple(envelope.rcpt_tos),
                subject=str(message["subject"] or ""),
                text=str(part.get_content()).replace("\r\n", "\n") if part else "",
                raw=raw.decode("utf-8", "replace"),
            )
        )
        return "250 2.0.0 kept by the sandbox"


class _AnyPort(Controller):
    """A controller that can be asked for port 0: it learns the real one before it knocks on it."""

    def _trigger_server(self) -> None:
        if isinstance(self.server, Server):
            self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()  # type: ignore[no-untyped-call]


def texts_of(element: object) -> Iterator[str]:
    """Every text a card shows, in its order: text blocks, rich text runs, facts, button titles."""
    if isinstance(element, list):
        for each in element:
            yield from texts_of(each)
    elif isinstance(element, dict):
        shown = [str(element[key]) for key in ("title", "text", "value") if isinstance(element.get(key), str)]
        if shown:
            yield ": ".join(shown)
        for value in element.values():
            yield from texts_of(value)


def _cards(body: JsonObject) -> list[object]:
    attachments = body.get("attachments")
    return [
        each.get("content")
        for each in (attachments if isinstance(attachments, list) else [])
        if isinstance(each, dict) and each.get("contentType") == "application/vnd.microsoft.card.adaptive"
    ]


def _json(raw: bytes) -> object:
    try:
        return json.loads(raw)
    except ValueError as broken:
        raise Refused(f"not JSON: {broken}") from broken
