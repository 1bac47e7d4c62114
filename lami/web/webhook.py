"""The Event Grid webhook of `lami serve`: both schemas, both handshakes, one answer for a whole request.

Event Grid delivers again what isn't answered with 200 to 204, except after 400, 401, 403 and 413. So those
say "never again" and are for what is no event; whatever may go better next time is a 503.
Source: Azure Event Grid, "Webhook event delivery" and "Message delivery and retry"; CloudEvents 1.0,
"HTTP 1.1 Web Hooks".
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Sequence

from flask import Blueprint, Response, jsonify, make_response, request
from werkzeug.exceptions import RequestEntityTooLarge

from lami.core.decode import MAX_BODY, split, validation_code
from lami.errors import BadEvent, Permanent, Temporary
from lami.service import Outcome, Service
from lami.web.auth import admit_event
from lami.web.problems import Problem, retry
from lami.wiring import Lami

log = logging.getLogger(__name__)

PATH = "/api/events"
ENDPOINT = "webhook.events"
_ENOUGH = 20.0
"""Seconds after which no further event of an array is begun: Event Grid waits 30 for the answer."""
_ORIGIN = re.compile(r"[A-Za-z0-9.-]{1,253}(:\d{1,5})?")


def make_webhook(get: Callable[[], Lami]) -> Blueprint:
    """The webhook's route."""
    webhook = Blueprint("webhook", __name__)

    @webhook.route(PATH, methods=["POST", "OPTIONS"], provide_automatic_options=False)
    def events() -> Response:
        lami = get()
        admit_event(lami.settings, request)
        return _shake_hands() if request.method == "OPTIONS" else _receive(lami.service)

    return webhook


def outcome_json(outcome: Outcome) -> dict[str, object]:
    """What became of one event, as the contract has it."""
    return {
        "eventId": outcome.event_id,
        "outcome": outcome.outcome,
        "reason": outcome.reason,
        "findings": list(outcome.findings),
    }


def _shake_hands() -> Response:
    """CloudEvents' handshake. A `WebHook-Request-Callback` is never called: it is a stranger's URL."""
    origin = request.headers.get("WebHook-Request-Origin", "")
    if not _ORIGIN.fullmatch(origin):
        raise Problem(400, "WebHook-Request-Origin is missing or no host name")
    response = make_response("", 200)
    response.headers["Allow"] = "POST, OPTIONS"
    response.headers["WebHook-Allowed-Origin"] = origin
    response.headers["WebHook-Allowed-Rate"] = "*"
    return response


def _receive(service: Service) -> Response:
    events = _events(service)
    code = validation_code(events[0]) if len(events) == 1 else None
    if code is not None:
        log.info("answered Event Grid's handshake")
        return jsonify({"validationResponse": code})
    outcomes = _handle_all(service, events)
    if all(outcome.outcome == "rejected" for outcome in outcomes):
        raise Problem(400, "; ".join(dict.fromkeys(o.reason for o in outcomes)) or "there is no event")
    return jsonify([outcome_json(outcome) for outcome in outcomes])


def _events(service: Service) -> list[object]:
    """The raw events of the body, whatever its content type says it is."""
    try:
        events = split(request.get_data(cache=False))
    except RequestEntityTooLarge:
        service.reject(f"a body of more than {MAX_BODY} bytes")
        raise
    except BadEvent as error:
        service.reject(str(error))
        raise Problem(400, str(error)) from error
    if not events:
        service.reject("an empty array")
    return events


def _handle_all(service: Service, events: Sequence[object]) -> list[Outcome]:
    """Handle each event, also those after one that failed; raises if one did, so that all come again.

    Those that were handled are duplicates then, and do no harm.
    """
    outcomes: list[Outcome] = []
    waits: list[float | None] = []
    faults: list[Permanent] = []
    begun = time.monotonic()
    for number, event in enumerate(events):
        if time.monotonic() - begun > _ENOUGH:
            log.warning(
                "%d of %d events were not begun in time; they come again", len(events) - number, number
            )
            waits.append(None)
            break
        try:
            outcomes.append(service.receive(event))
        except Temporary as failure:
            log.warning(
                "an event is not acknowledged, so Event Grid delivers it again: %s; `lami doctor` says what "
                "lami can reach",
                failure,
            )
            waits.append(failure.retry_after)
        except Permanent as fault:
            # An event that cannot be handled is not acknowledged either: it must reach the dead letters.
            log.exception("an event cannot be handled")
            faults.append(fault)
    if faults:
        raise Problem(500, str(faults[0])) from faults[0]
    if waits:
        seconds = max((wait for wait in waits if wait is not None), default=None)
        raise Problem(
            503, "Azure or the store could not be reached; deliver this again", headers=retry(seconds)
        )
    return outcomes
