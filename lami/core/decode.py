"""Event Grid's two schemas into `Change`: what an event tells, and nothing that it merely claims.

An event is told apart three ways: a `Change` that lami handles, an `Ignored` that is a proper event of
something else, and a `BadEvent` that is none. Whoever sent it, its text is hostile until proven: an id
ends in the URL of a read, an actor's name in a card and a mail.

Only the standard library decodes here: `EventGridEvent.from_json` of azure-eventgrid raises on arrays, and
`CloudEvent.from_dict` of azure-core on extension attributes whose names aren't lower-case alphanumeric.
Keys that nobody asked for (a dead letter's `deadLetterReason`, extension attributes) are passed over.

Source: azure-rest-api-specs, Microsoft.Resources system events; CloudEvents 1.0; RFC 3339.
"""

from __future__ import annotations

import json
import math
import re
import unicodedata
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import NoReturn

from msgspec import Struct

from lami.core.ids import MAX_LENGTH, Level, ResourceId, guid
from lami.core.model import Actor, Change
from lami.errors import BadEvent

OPERATIONS: tuple[str, ...] = (
    "Microsoft.Authorization/roleAssignments/write",
    "Microsoft.Authorization/roleAssignments/delete",
    "Microsoft.Authorization/roleDefinitions/write",
    "Microsoft.Authorization/roleDefinitions/delete",
    "Microsoft.Logic/workflows/write",
    "Microsoft.Logic/workflows/delete",
    "Microsoft.Logic/workflows/enable/action",
    "Microsoft.Logic/workflows/disable/action",
    "Microsoft.Web/sites/write",
    "Microsoft.Web/sites/delete",
    "Microsoft.Web/sites/deployWorkflowArtifacts/action",
    "Microsoft.Web/sites/slotsswap/action",
    "Microsoft.Web/sites/slots/write",
    "Microsoft.Web/sites/slots/delete",
    "Microsoft.Web/sites/slots/deployWorkflowArtifacts/action",
    "Microsoft.Web/sites/slots/slotsswap/action",
    "Microsoft.ManagedIdentity/userAssignedIdentities/write",
    "Microsoft.ManagedIdentity/userAssignedIdentities/delete",
    "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials/write",
    "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials/delete",
    "Microsoft.Resources/subscriptions/resourceGroups/delete",
)
"""The operations lami handles, as Azure writes them: the values of the event subscription's filter too."""

MAX_BODY = 1_048_576
"""Bytes of a request that are still read; Event Grid sends no more in one. `split` itself doesn't ask."""
MAX_DEPTH = 64
_MAX_TEXT = 256
_HANDLED = frozenset(operation.lower() for operation in OPERATIONS)
_NOISE = frozenset({"microsoft.web/sites/config/write", "microsoft.web/sites/slots/config/write"})
_SUCCESS = frozenset(f"microsoft.resources.resource{verb}success" for verb in ("write", "delete", "action"))
_UNDONE = re.compile(r"microsoft\.resources\.resource(write|delete|action)(failure|cancel)")
_VALIDATION = "microsoft.eventgrid.subscriptionvalidationevent"
_TIME = re.compile(r"(\d{4}-\d\d-\d\d)[Tt](\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(?:[Zz]|([+-]\d\d:\d\d))", re.ASCII)
_NO_NAMES = frozenset({"", ".", ".."})
_READ_OTHERWISE = frozenset("\\?#%")
"""What in a URL would no longer be part of a path."""
_CLAIMS = "http://schemas.microsoft.com/identity/claims/"
_UPN = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn"


class Ignored(Struct, frozen=True):
    """A proper event that lami has no use for, and why."""

    event_id: str
    reason: str


def split(body: bytes) -> list[object]:
    """The raw events of a body: a JSON object, an array, or one of either on each line (NDJSON).

    Raises `BadEvent` for what is not JSON: also NaN, infinite numbers, and nesting beyond `MAX_DEPTH`.
    """
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadEvent("the body is not UTF-8") from error
    decoder = json.JSONDecoder(parse_constant=_refuse, parse_float=_finite)
    events: list[object] = []
    at = _skip(text, 0)
    while at < len(text):
        value, at = _value(decoder, text, at)
        events += value if isinstance(value, list) else [value]
    if not text.strip():
        raise BadEvent("the body is empty")
    return events


def decode(event: object, watched: frozenset[str]) -> Change | Ignored:
    """The change that an event tells of, or why it is ignored; raises `BadEvent` for what is no event.

    `watched` are the ids of the watched subscriptions, in lower case. Which subscription a change is in,
    its resource's own id says: a topic or source that says otherwise is not believed either.
    """
    if not isinstance(event, Mapping):
        raise BadEvent(f"an event is a JSON object, not {type(event).__name__}")
    event_id, event_type, time, origin = _envelope(event)
    if _UNDONE.fullmatch(event_type.lower()):
        return Ignored(event_id, f"nothing was changed: {event_type}")
    if event_type.lower() not in _SUCCESS:
        return Ignored(event_id, f"not an event type lami handles: {event_type}")
    data = event.get("data")
    if not isinstance(data, Mapping):
        raise BadEvent("data is missing or no object")
    operation = _required(data, "operationName", _MAX_TEXT).lower()
    resource = _resource(event, data)
    subscription = resource.subscription
    if not subscription or subscription not in watched:
        return Ignored(event_id, f"not in a watched subscription: {subscription or resource.text[:100]}")
    if origin and origin != subscription:
        return Ignored(event_id, f"its topic is another subscription's than its resource: {origin}")
    if operation in _NOISE:
        return Ignored(event_id, "noise: app settings hold no identity")
    if operation not in _HANDLED:
        return Ignored(event_id, f"not an operation lami handles: {operation}")
    _agree(operation, resource)
    correlation = clean(data.get("correlationId"))
    return Change(event_id, resource, operation, time, subscription, _actor(data), correlation)


def validation_code(event: object) -> str | None:
    """The code to answer a webhook's handshake with, or None where the event is no handshake."""
    if not isinstance(event, Mapping) or str(event.get("eventType", "")).lower() != _VALIDATION:
        return None
    data = event.get("data")
    code = data.get("validationCode") if isinstance(data, Mapping) else None
    return code if isinstance(code, str) and 0 < len(code) <= _MAX_TEXT and _is_plain(code) else None


def clean(value: object, length: int = _MAX_TEXT) -> str:
    """Text fit to be shown: no control, direction or other invisible characters, cut to `length`.

    The empty string for what is no text.
    """
    if not isinstance(value, str):
        return ""
    start = value[: 4 * length]
    plain = start if _is_plain(start) else "".join(char for char in start if _is_plain(char))
    return plain.strip()[:length]


# --- the envelope ----------------------------------------------------------------------------------


def _envelope(event: Mapping[str, object]) -> tuple[str, str, datetime, str]:
    """Id, type, time and the subscription of origin, by whichever schema; origin may be empty."""
    if "specversion" in event:
        if event["specversion"] != "1.0":
            raise BadEvent(f"CloudEvents of another version than 1.0: {clean(event['specversion'], 20)}")
        names = ("type", "time", "source")
    elif "eventType" in event or "eventTime" in event:
        names = ("eventType", "eventTime", "topic")
    else:
        raise BadEvent("neither an Event Grid event nor a CloudEvent: no eventType and no specversion")
    event_id = _required(event, "id", _MAX_TEXT)
    event_type = _required(event, names[0], _MAX_TEXT)
    time = _time(_required(event, names[1], 64))
    origin = event.get(names[2])
    if origin is None or origin == "":
        return event_id, event_type, time, ""
    place = ResourceId(_required(event, names[2], MAX_LENGTH))
    return event_id, event_type, time, place.subscription or place.text[:100]


def _required(of: Mapping[str, object], name: str, length: int) -> str:
    value = of.get(name)
    if value is None or value == "":
        raise BadEvent(f"{name} is missing")
    if not isinstance(value, str):
        raise BadEvent(f"{name} is no text but {type(value).__name__}")
    if len(value) > length:
        raise BadEvent(f"{name} is longer than {length} characters")
    if not _is_plain(value) or not value.strip():
        raise BadEvent(f"{name} holds control or invisible characters")
    return value


def _time(text: str) -> datetime:
    """An RFC 3339 time in UTC. Azure writes seven fractional digits; beyond the sixth they are cut."""
    found = _TIME.fullmatch(text)
    if not found:
        raise BadEvent(f"not an RFC 3339 time: {text}")
    day, clock, fraction, offset = found.groups()
    try:
        local = datetime.fromisoformat(
            f"{day}T{clock}.{(fraction or '')[:6].ljust(6, '0')}{offset or '+00:00'}"
        )
        return local.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise BadEvent(f"not a time that can be: {text}") from error


# --- the resource ----------------------------------------------------------------------------------


def _resource(event: Mapping[str, object], data: Mapping[str, object]) -> ResourceId:
    """The resource that changed. Never `authorization.scope`: that is where the caller's authority lies."""
    given = [
        _resource_id(_required(of, name, MAX_LENGTH), name)
        for of, name in ((event, "subject"), (data, "resourceUri"))
        if of.get(name) not in (None, "")
    ]
    if not given:
        raise BadEvent("subject is missing, and so is data.resourceUri")
    if given[0] != given[-1]:
        raise BadEvent("subject and data.resourceUri name two resources")
    return given[0]


def _resource_id(text: str, name: str) -> ResourceId:
    """A well-formed id: one that, put into a URL, is read as this resource and as nothing else."""
    parts = text.strip("/").split("/")
    if (
        not text.startswith("/")
        or len(parts) % 2
        or not _NO_NAMES.isdisjoint(map(str.strip, parts))
        or not _READ_OTHERWISE.isdisjoint(text)
        # The Kelvin sign, in lower case, is a plain k: such an id would equal another resource's.
        or not unicodedata.is_normalized("NFC", text)
    ):
        raise BadEvent(f"{name} is no resource id: {text[:100]}")
    if parts[0].lower() == "subscriptions" and guid(parts[1]) != parts[1].lower():
        raise BadEvent(f"{name} names no subscription: {parts[1][:40]}")
    return ResourceId(text)


def _agree(operation: str, resource: ResourceId) -> None:
    """Refuse an operation on a resource of another type: looking at it would tell nothing of either."""
    # Assumption: the subject of an event is the very resource that its operation names, as the contract
    # says; no recorded event of Microsoft.Authorization, Logic or ManagedIdentity was to be found.
    if operation == "microsoft.resources/subscriptions/resourcegroups/delete":
        agree = resource.level is Level.RESOURCE_GROUP
    else:
        kind = operation.removesuffix("/action").rpartition("/")[0]
        agree = resource.type == kind
    if not agree:
        raise BadEvent(f"{operation} does not happen to a {resource.type or resource.level.words}")


# --- the actor -------------------------------------------------------------------------------------


def _actor(data: Mapping[str, object]) -> Actor:
    """Who did it. A user's token carries a upn or a delegated scope, an application's neither."""
    given, request = data.get("claims"), data.get("httpRequest")
    claims: Mapping[str, object] = given if isinstance(given, Mapping) else {}
    address = request.get("clientIpAddress") if isinstance(request, Mapping) else None
    upn, app = clean(claims.get(_UPN)), clean(claims.get("appid"))
    kind = clean(claims.get("idtyp")).lower()
    is_user = kind == "user" or (kind != "app" and bool(upn or claims.get(f"{_CLAIMS}scope")))
    is_app = kind == "app" or (bool(app) and not is_user)
    identity = clean(claims.get(f"{_CLAIMS}objectidentifier")) or (app if is_app else "")
    name = clean(claims.get("name")) or upn or app
    ip = clean(claims.get("ipaddr")) or clean(address)
    return Actor("user" if is_user else "application" if is_app else "unknown", identity.lower(), name, ip)


def _is_plain(text: str) -> bool:
    """Whether no character is control, format (direction, zero width), surrogate, or a line separator."""
    # What is printable is plain; so are, of the rest, wide spaces and characters not assigned yet.
    return text.isprintable() or not any(
        unicodedata.category(char) in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp") for char in text
    )


# --- JSON ------------------------------------------------------------------------------------------


def _value(decoder: json.JSONDecoder, text: str, at: int) -> tuple[object, int]:
    """One JSON value of a text, and where the next one begins."""
    value: object
    try:
        value, end = decoder.raw_decode(text, at)
    except (ValueError, RecursionError) as error:
        raise BadEvent(f"the body is not JSON: {str(error)[:100]}") from error
    level = [value]
    for _ in range(MAX_DEPTH):
        nested = [outer for outer in level if isinstance(outer, dict | list)]
        level = [inner for it in nested for inner in (it.values() if isinstance(it, dict) else it)]
        if not level:
            return value, _skip(text, end)
    raise BadEvent(f"the body is nested deeper than {MAX_DEPTH}")


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at] in " \t\r\n":
        at += 1
    return at


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        _refuse(text[:20])
    return number


def _refuse(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number of JSON")
