"""Event Grid: delivers what happens to the webhooks that subscribed; at least once and in no order.

One event a request. 200-204 is success; 400, 401, 403 and 413 are never retried; anything else is tried
again on Event Grid's schedule, shortened by `scale`, and dead-lettered when the attempts are used up.
Delivery goes to loopback addresses only.
"""

import heapq
import json
import random
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from http.client import HTTPConnection, HTTPException
from ipaddress import ip_address
from itertools import count
from threading import Condition, Thread
from time import monotonic
from urllib.parse import urlsplit
from uuid import NAMESPACE_URL, uuid5

from lami.sandbox.events import Schema, render
from lami.sandbox.model import Happening, JsonObject, Refused, timestamp

SCHEDULE = (10, 30, 60, 300, 600, 1800, 3600, 10800, 21600, 43200)  # seconds; the last one repeats
NEVER_RETRIED = frozenset({400, 401, 403, 413})
SPREAD = 0.25  # seconds within which reordered and doubled events are scattered


@dataclass(frozen=True, slots=True)
class Conditions:
    """How delivery misbehaves: shares (0 to 1) of events doubled and lost, order shuffled, all held back."""

    duplicates: float = 0.0
    loss: float = 0.0
    reorder: bool = False
    paused: bool = False


@dataclass(frozen=True, slots=True)
class Parcel:
    """One event on its way to one webhook; `attempt` counts from 1, `event` is its JSON object."""

    url: str
    schema: Schema
    event: JsonObject
    published: datetime
    attempt: int = 1


@dataclass(frozen=True, slots=True)
class Attempt:
    """What became of one attempt; `outcome` is delivered, retrying, deadLettered or lost."""

    event_id: str
    operation: str
    subject: str
    url: str
    attempt: int
    at: str
    status: int | None
    outcome: str


class Grid:
    """Subscribed webhooks and the events on their way to them; `start` and `stop` its worker thread."""

    def __init__(
        self, seed: int, now: Callable[[], datetime], *, scale: float = 0.01, max_attempts: int = 10
    ) -> None:
        self._random = random.Random(seed)  # noqa: S311 - reproducible, no secrets
        self._now = now
        self._scale = scale
        self._max_attempts = max_attempts
        self._webhooks: dict[str, Schema] = {}
        self._queue: list[tuple[float, float, int, Parcel]] = []  # due, rank, number (no two alike), what
        self._numbers = count()
        self._busy = 0
        self._stopped = False
        self._changed = Condition()
        self._thread: Thread | None = None
        self.conditions = Conditions()
        self.attempts: deque[Attempt] = deque(maxlen=5000)
        self.dead_letters: deque[JsonObject] = deque(maxlen=5000)

    def start(self) -> None:
        """Begin to deliver."""
        self._thread = Thread(target=self._work, name="sandbox-event-grid", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop delivering; what is still on its way stays undelivered."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        if self._thread:
            self._thread.join(timeout=35)

    def subscribe(self, url: str, schema: Schema) -> None:
        """Have events sent to `url`, after the handshake of the schema; refuses when that fails."""
        (_shake_eventgrid if schema == "eventgrid" else _shake_cloudevents)(url, self._now())
        with self._changed:
            self._webhooks[url] = schema

    def unsubscribe(self, url: str) -> None:
        """Send nothing more to `url`."""
        with self._changed:
            self._webhooks.pop(url, None)

    def webhooks(self) -> dict[str, Schema]:
        """Who is subscribed, with the schema."""
        with self._changed:
            return dict(self._webhooks)

    def publish(self, happening: Happening) -> None:
        """Send an event to every webhook. Nothing above a subscription raises events."""
        if not happening.subject.lower().startswith("/subscriptions/"):
            return
        with self._changed:
            for url, schema in self._webhooks.items():
                parcel = Parcel(url, schema, render(happening, schema), self._now())
                if self._random.random() < self.conditions.loss:
                    self._log(parcel, None, "lost")
                    continue
                self._put(parcel, self._scatter())
                if self._random.random() < self.conditions.duplicates:
                    self._put(parcel, self._random.random() * SPREAD)

    def configure(self, conditions: Conditions) -> None:
        """Change how delivery misbehaves; `reorder` also shuffles what is already waiting."""
        with self._changed:
            self.conditions = conditions
            if conditions.reorder:
                waiting = sorted(self._queue)
                self._random.shuffle(waiting)
                self._queue = []
                for due, _, _, parcel in waiting:
                    self._put(parcel, 0.0 if parcel.attempt == 1 else max(0.0, due - monotonic()))
            self._changed.notify_all()

    def pending(self) -> int:
        """How many events are still on their way."""
        with self._changed:
            return len(self._queue) + self._busy

    def settled(self, timeout: float) -> bool:
        """Wait until nothing is on its way; False when `timeout` seconds did not suffice."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._queue and not self._busy, timeout)

    def _scatter(self) -> float:
        return self._random.random() * SPREAD if self.conditions.reorder else 0.0

    def _put(self, parcel: Parcel, delay: float) -> None:
        number = next(self._numbers)
        heapq.heappush(self._queue, (monotonic() + delay, number, number, parcel))
        self._changed.notify_all()

    def _work(self) -> None:
        while True:
            with self._changed:
                while not self._stopped and (wait := self._until_next()) != 0:
                    self._changed.wait(wait)
                if self._stopped:
                    return
                parcel = heapq.heappop(self._queue)[-1]
                self._busy += 1
            status = _post(parcel)
            with self._changed:
                self._busy -= 1
                self._conclude(parcel, status)
                self._changed.notify_all()

    def _until_next(self) -> float | None:
        """Seconds until something is due: 0 now, None nothing in sight."""
        if self.conditions.paused or not self._queue:
            return None
        return max(0.0, self._queue[0][0] - monotonic())

    def _conclude(self, parcel: Parcel, status: int | None) -> None:
        if status is not None and 200 <= status <= 204:
            self._log(parcel, status, "delivered")
        elif status in NEVER_RETRIED or parcel.attempt >= self._max_attempts:
            reason = (
                "UndeliverableDueToClientError" if status in NEVER_RETRIED else "MaxDeliveryAttemptsExceeded"
            )
            self._log(parcel, status, "deadLettered")
            self.dead_letters.append(
                parcel.event
                | {
                    "deadLetterReason": reason,
                    "deliveryAttempts": parcel.attempt,
                    "lastDeliveryOutcome": str(status or "NoAnswer"),
                    "publishTime": timestamp(parcel.published),
                    "lastDeliveryAttemptTime": timestamp(self._now()),
                }
            )
        else:
            self._log(parcel, status, "retrying")
            delay = SCHEDULE[min(parcel.attempt, len(SCHEDULE)) - 1] * self._scale
            self._put(replace(parcel, attempt=parcel.attempt + 1), delay)

    def _log(self, parcel: Parcel, status: int | None, outcome: str) -> None:
        data = parcel.event["data"]
        operation = data["operationName"] if isinstance(data, dict) else ""
        self.attempts.append(
            Attempt(
                event_id=str(parcel.event["id"]),
                operation=operation,
                subject=str(parcel.event["subject"]),
                url=parcel.url,
                attempt=parcel.attempt,
                at=timestamp(self._now()),
                status=status,
                outcome=outcome,
            )
        )

    def report(self) -> JsonObject:
        """Everything to show of delivery."""
        with self._changed:
            return {
                "webhooks": [{"url": url, "schema": schema} for url, schema in self._webhooks.items()],
                "conditions": asdict(self.conditions),
                "pending": len(self._queue) + self._busy,
                "deliveries": [asdict(attempt) for attempt in self.attempts],
                "deadLetters": list(self.dead_letters),
            }


def _post(parcel: Parcel) -> int | None:
    """Deliver once; the status of the answer, None when there was none."""
    if parcel.schema == "cloudevents":
        body, headers = (
            json.dumps(parcel.event),
            {"Content-Type": "application/cloudevents+json; charset=utf-8"},
        )
    else:
        body, headers = json.dumps([parcel.event]), {"Content-Type": "application/json; charset=utf-8"}
    headers |= {"aeg-event-type": "Notification", "aeg-delivery-count": str(parcel.attempt - 1)}
    try:
        return _exchange("POST", parcel.url, body.encode(), headers)[0]
    except (OSError, HTTPException):
        return None


def _shake_eventgrid(url: str, now: datetime) -> None:
    code = str(uuid5(NAMESPACE_URL, url))
    event = {
        "id": str(uuid5(NAMESPACE_URL, f"validation:{url}")),
        "topic": "/subscriptions/sandbox",
        "subject": "",
        "data": {"validationCode": code},
        "eventType": "Microsoft.EventGrid.SubscriptionValidationEvent",
        "eventTime": timestamp(now),
        "metadataVersion": "1",
        "dataVersion": "2",
    }
    headers = {"Content-Type": "application/json; charset=utf-8", "aeg-event-type": "SubscriptionValidation"}
    status, _, body = _try_exchange("POST", url, json.dumps([event]).encode(), headers)
    try:
        answer = json.loads(body)
    except ValueError:
        answer = None
    if status != 200 or not isinstance(answer, dict) or answer.get("validationResponse") != code:
        raise Refused(f"{url} failed the handshake: it answered {status} without our validationResponse", 409)


def _shake_cloudevents(url: str, now: datetime) -> None:
    origin = "eventgrid.azure.net"
    status, allowed, _ = _try_exchange("OPTIONS", url, b"", {"WebHook-Request-Origin": origin})
    if status != 200 or allowed not in ("*", origin):
        raise Refused(
            f"{url} failed the handshake: it answered {status}, WebHook-Allowed-Origin {allowed!r}", 409
        )


def _try_exchange(method: str, url: str, body: bytes, headers: dict[str, str]) -> tuple[int, str, bytes]:
    try:
        return _exchange(method, url, body, headers)
    except (OSError, HTTPException) as broken:
        raise Refused(f"{url} failed the handshake: no answer ({broken})", 409) from broken


def _exchange(method: str, url: str, body: bytes, headers: dict[str, str]) -> tuple[int, str, bytes]:
    """One request; the answer's status, WebHook-Allowed-Origin and body."""
    host, port, target = _loopback(url)
    connection = HTTPConnection(host, port, timeout=30)  # Event Grid waits 30 s for an answer
    try:
        connection.request(method, target, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.getheader("WebHook-Allowed-Origin", ""), answer.read(65536)
    finally:
        connection.close()


def _loopback(url: str) -> tuple[str, int, str]:
    """Host, port and target of a webhook; refuses all but plain http to this machine."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or 80
        local = host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        local = False
    if not local or parts.scheme != "http":
        raise Refused(f"{url!r} is no webhook of the sandbox: it delivers to http://127.0.0.1 only")
    return host, port, (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
