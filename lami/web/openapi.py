"""The API described as OpenAPI 3.1, by hand and close to the code; a test holds the two together.

Where the webhook is mounted (`lami serve`), it is described too.
"""

from __future__ import annotations

from collections.abc import Mapping

from flask import Blueprint, Flask, Response, jsonify, request

from lami import __version__
from lami.core.model import SEVERITIES
from lami.core.policy import RULES
from lami.web import webhook
from lami.web.api import KINDS, LONGEST_REASON, STATUSES
from lami.web.health import OUTCOMES
from lami.web.page import SPANS, USUAL
from lami.web.paging import LIMIT, MOST
from lami.web.parameters import Parameters

PATH = "/api/openapi.json"
Json = dict[str, object]


def make_description(app: Flask) -> Blueprint:
    """The route that gives the description of what the app has mounted."""
    description = Blueprint("openapi", __name__)

    @description.get(PATH)
    def openapi() -> Response:
        Parameters(request.args).check()
        with_webhook = webhook.ENDPOINT in app.view_functions
        return jsonify(document(_PATHS | _WEBHOOK if with_webhook else _PATHS))

    return description


def document(paths: Mapping[str, object]) -> Json:
    """The whole document."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "lami",
            "version": __version__,
            "description": "What lami concluded about the managed identities of logic apps, and what it saw."
            " Times are RFC 3339 in UTC. Errors are RFC 9457 problem documents.",
        },
        "servers": [{"url": "/"}],
        "security": [{"header": []}, {"bearer": []}, {"basic": []}, {}],
        "paths": dict(paths),
        "components": {
            "securitySchemes": {
                "header": {"type": "apiKey", "in": "header", "name": "x-api-key"},
                "bearer": {"type": "http", "scheme": "bearer"},
                "basic": {"type": "http", "scheme": "basic", "description": "Any name, the key as password"},
            },
            "responses": {
                name: {
                    "description": what,
                    "content": {"application/problem+json": {"schema": _ref("Problem")}},
                }
                for name, what in _ERRORS.items()
            },
            "schemas": _SCHEMAS,
        },
    }


def _ref(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


def _object(**members: object) -> Json:
    """An object that has all of these members and no others."""
    return {
        "type": "object",
        "properties": members,
        "required": list(members),
        "additionalProperties": False,
    }


def _nullable(kind: Json) -> Json:
    return {"oneOf": [kind, {"type": "null"}]}


def _words(*words: str) -> Json:
    return {"type": "string", "enum": list(words)}


def _query(name: str, schema: Json, what: str) -> Json:
    return {"name": name, "in": "query", "schema": schema, "description": what}


def _answer(what: str, schema: Json, *errors: str, links: bool = False) -> Json:
    ok: Json = {"description": what, "content": {"application/json": {"schema": schema}}}
    if links:
        ok["headers"] = {"Link": {"schema": _TEXT, "description": 'The next page, rel="next"'}}
    responses = {error.partition(" ")[0]: error for error in ("401", "403", "503", *errors)}
    return {
        "200": ok,
        **{status: {"$ref": f"#/components/responses/{status}"} for status in sorted(responses)},
    }


def _some(what: Json) -> Json:
    return {"type": "array", "items": what}


_TEXT: Json = {"type": "string"}
_TIME: Json = {"type": "string", "format": "date-time"}
_MOMENT: Json = {"type": "string", "anyOf": [{"format": "date-time"}, {"format": "date"}]}
_NUMBER: Json = {"type": "integer", "minimum": 0}
_MAP: Json = {"type": "object", "additionalProperties": _TEXT}
_ERRORS = {
    "400": "A parameter, or the body, is wrong; `errors` names each",
    "401": "The key is missing or wrong",
    "403": "Without sign-in lami answers only as localhost",
    "404": "There is no such finding",
    "409": "The finding is not open any longer",
    "413": "The body is larger than 1 MB",
    "415": "The body does not say that it is JSON",
    "500": "lami failed; its log says why",
    "503": "Azure or the store cannot be reached, or the settings are wrong; try again after `Retry-After`",
}
_PAGE = [
    _query("limit", {"type": "integer", "minimum": 1, "maximum": MOST, "default": LIMIT}, "Items on a page"),
    _query("token", _TEXT, "Where the last page ended; comes in `nextLink`"),
]
_ID = {"name": "id", "in": "path", "required": True, "schema": _TEXT}
_FROM = _query("from", _MOMENT, "From this time on (a date stands for its first moment in UTC)")
_TO = _query("to", _MOMENT, "Before this time (a date is included: it stands for its last moment in UTC)")

_PATHS: Json = {
    "/": {
        "get": {
            "operationId": "page",
            "summary": "The page, for people",
            "parameters": [
                _query("status", _words(*STATUSES, "any"), "Findings of this status; open ones if left out"),
                _query("rule", _words(*RULES), "Findings of this rule"),
                _query("severity", _words(*SEVERITIES), "Findings of this severity"),
                _query("subject", _TEXT, "What names this text"),
                _query("days", {"type": "integer", "enum": list(SPANS), "default": USUAL}, "Of the timeline"),
            ],
            "responses": {
                status: {"description": what, "content": {"text/html": {"schema": _TEXT}}}
                for status, what in {"200": "The page", **_ERRORS}.items()
                if status in ("200", "400", "401", "403", "503")
            },
        }
    },
    "/api/v1/findings": {
        "get": {
            "operationId": "listFindings",
            "summary": "Findings, those that opened last first",
            "parameters": [
                _query("status", _some(_words(*STATUSES)), "Any of these; the parameter may be repeated"),
                _query("rule", _some(_words(*RULES)), "Any of these rules"),
                _query("severity", _some(_words(*SEVERITIES)), "Any of these severities"),
                _query("subject", _TEXT, "The id or the name of the subject or of its holder, case-blind"),
                _FROM,
                _TO,
                *_PAGE,
            ],
            "responses": _answer("A page of findings", _ref("Findings"), "400", links=True),
        }
    },
    "/api/v1/findings/{id}": {
        "get": {
            "operationId": "getFinding",
            "summary": "One finding, whatever its status",
            "parameters": [_ID],
            "responses": _answer("The finding", _ref("Finding"), "400", "404"),
        }
    },
    "/api/v1/findings/{id}/accept": {
        "post": {
            "operationId": "acceptFinding",
            "summary": "Accept a finding: the baseline moves to what is; with `until` it counts till then",
            "parameters": [_ID],
            "requestBody": {
                "required": True,
                "content": {"application/json": {"schema": _ref("Acceptance")}},
            },
            "responses": _answer(
                "The finding as it is now, and the ids of those that were opened or resolved with it",
                _ref("Accepted"),
                *("400", "404", "409", "413", "415"),
            ),
        }
    },
    "/api/v1/timeline": {
        "get": {
            "operationId": "listEntries",
            "summary": "The timeline, newest first; the last 7 days if no time is given",
            "parameters": [
                _query("resource", _TEXT, "A resource's id or a subject's name"),
                _query("principal", _TEXT, "A principal's id (a GUID), or its first 8 digits"),
                _query("actor", _TEXT, "Who did it: id or name"),
                _query(
                    "scope",
                    _TEXT,
                    "What was granted, found, told and decided at this scope or below it: an id",
                ),
                _query("kind", _words(*KINDS), "Entries of this kind"),
                _FROM,
                _TO,
                *_PAGE,
            ],
            "responses": _answer("A page of entries", _ref("Entries"), "400", links=True),
        }
    },
    "/api/v1/health": {
        "get": {
            "operationId": "getHealth",
            "summary": "What lami can and cannot see",
            "responses": _answer("Health", _ref("Health"), "400"),
        }
    },
    PATH: {
        "get": {
            "operationId": "getOpenApi",
            "summary": "This document",
            "responses": _answer("OpenAPI 3.1", {"type": "object"}, "400"),
        }
    },
}

_EVENT_KEY = _query("code", _TEXT, "The key of the webhook (`LAMI_EVENT_KEY`), where one is set")
_WEBHOOK: Json = {
    webhook.PATH: {
        "post": {
            "operationId": "postEvents",
            "summary": "Event Grid's webhook: one event or an array, in either schema; and its handshake",
            "security": [],
            "parameters": [_EVENT_KEY],
            "requestBody": {
                "required": True,
                "content": {"application/json": {"schema": {"type": ["object", "array"]}}},
            },
            "responses": _answer(
                "What became of each event, or the answer to the handshake",
                {"oneOf": [_some(_ref("Outcome")), _ref("Handshake")]},
                *("400", "413", "500"),
            ),
        },
        "options": {
            "operationId": "allowEvents",
            "summary": "The handshake of CloudEvents",
            "security": [],
            "parameters": [
                _EVENT_KEY,
                {"name": "WebHook-Request-Origin", "in": "header", "required": True, "schema": _TEXT},
            ],
            "responses": {
                "200": {
                    "description": "Allowed",
                    "headers": {
                        name: {"schema": _TEXT} for name in ("WebHook-Allowed-Origin", "WebHook-Allowed-Rate")
                    },
                },
                "400": {"$ref": "#/components/responses/400"},
                "401": {"$ref": "#/components/responses/401"},
            },
        },
    }
}

_SCHEMAS: Json = {
    "Finding": _object(
        id=_TEXT,
        rule=_words(*RULES),
        severity=_words(*SEVERITIES),
        status=_words(*STATUSES),
        subject=_ref("Subject"),
        title=_TEXT,
        detail=_MAP,
        notes=_some(_TEXT),
        actor=_ref("Actor"),
        cause=_ref("Cause"),
        openedAt=_TIME,
        resolvedAt=_nullable(_TIME),
        accepted=_nullable(
            _object(by=_TEXT, reason=_TEXT, at=_TIME, until=_nullable(_TIME)),
        ),
        suppressed=_nullable(_object(reason=_TEXT, owner=_TEXT, until=_TIME)),
        attack=_some(_TEXT),
        runbook=_TEXT,
        remediation=_some(_TEXT),
    ),
    "Entry": _object(
        id=_TEXT,
        at=_TIME,
        kind=_words(*KINDS),
        subject=_ref("Subject"),
        text=_TEXT,
        before=_MAP,
        after=_MAP,
        actor=_ref("Actor"),
        cause=_ref("Cause"),
        finding=_nullable(_TEXT),
        hash=_TEXT,
        previousHash=_TEXT,
    ),
    "Subject": _object(
        kind=_words("logicApp", "userAssignedIdentity", "principal", "role", "lami"),
        id=_TEXT,
        name=_TEXT,
        owner=_TEXT,
    ),
    "Actor": _object(kind=_words("user", "application", "lami", "unknown"), id=_TEXT, name=_TEXT, ip=_TEXT),
    "Cause": _object(id=_TEXT, operation=_TEXT, correlationId=_TEXT, time=_TIME),
    "Findings": _object(value=_some(_ref("Finding")), nextLink=_nullable(_TEXT)),
    "Entries": _object(value=_some(_ref("Entry")), nextLink=_nullable(_TEXT)),
    "Acceptance": {
        "type": "object",
        "properties": {
            "reason": {"type": "string", "minLength": 1, "maxLength": LONGEST_REASON},
            "until": _nullable(_MOMENT),
        },
        "required": ["reason"],
        "additionalProperties": False,
    },
    "Accepted": _object(finding=_ref("Finding"), changed=_some(_TEXT)),
    "Health": _object(
        version=_TEXT,
        time=_TIME,
        watches=_object(subscriptions=_some(_TEXT)),
        channels=_some(_TEXT),
        baselineAt=_nullable(_TIME),
        reconciledAt=_nullable(_TIME),
        open=_object(**dict.fromkeys(SEVERITIES, _NUMBER)),
        due=_object(waiting=_NUMBER, overdue=_NUMBER),
        events=_object(**dict.fromkeys(OUTCOMES, _NUMBER)),
        graph=_words("asked", "not configured"),
        graphAnsweredAt=_nullable(_TIME),
        concerns=_some(_TEXT),
    ),
    "Outcome": _object(eventId=_TEXT, outcome=_words(*OUTCOMES), reason=_TEXT, findings=_some(_TEXT)),
    "Handshake": _object(validationResponse=_TEXT),
    "Problem": {
        "type": "object",
        "properties": {
            "type": _TEXT,
            "title": _TEXT,
            "status": {"type": "integer"},
            "detail": _TEXT,
            "errors": _some(
                {
                    "type": "object",
                    "properties": {"parameter": _TEXT, "detail": _TEXT, "known": _some(_TEXT)},
                    "required": ["parameter", "detail"],
                    "additionalProperties": False,
                }
            ),
        },
        "required": ["type", "title", "status", "detail"],
        "additionalProperties": False,
    },
}
