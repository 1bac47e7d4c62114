"""The API's routes: findings, timeline, health. Each reads its parameters, asks, and answers in JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from itertools import islice
from typing import TypeVar, get_args

from flask import Blueprint, Response, jsonify, request
from msgspec.structs import replace

from lami.core.model import SEVERITIES, Entry, EntryKind, Finding, Status
from lami.core.moments import last_moment
from lami.core.policy import RULES
from lami.core.shapes import entry_json, finding_json, time_json
from lami.core.timeline import AHEAD, USUAL_SPAN, principal_asked, scope_asked
from lami.core.timeline import Query as TimelineQuery
from lami.queries import FindingQuery, Queries, recency
from lami.web.auth import admit
from lami.web.health import health_json
from lami.web.paging import LIMIT, MOST, Query, key_of, listed, token_of
from lami.web.parameters import Parameters
from lami.web.problems import Fault, Problem
from lami.wiring import Lami

STATUSES: tuple[Status, ...] = get_args(Status)
KINDS: tuple[EntryKind, ...] = get_args(EntryKind)
LONGEST_SPAN = timedelta(days=400)
"""How many days one question may span: each of them is read by itself, unless a resource's id is given."""
LONGEST_REASON = 1000
_TICK = timedelta(microseconds=1)

Key = TypeVar("Key")


def make_api(get: Callable[[], Lami]) -> Blueprint:
    """The routes of the API."""
    api = Blueprint("api", __name__)

    @api.get("/api/v1/findings")
    def findings() -> Response:
        return _findings(get())

    @api.get("/api/v1/findings/<id>")
    def finding(id: str) -> Response:
        Parameters(request.args).check()
        return jsonify(finding_json(_finding(get(), id)))

    @api.post("/api/v1/findings/<id>/accept")
    def accept(id: str) -> Response:
        return _accept(get(), id)

    @api.get("/api/v1/timeline")
    def timeline() -> Response:
        return _timeline(get())

    @api.get("/api/v1/health")
    def health() -> Response:
        Parameters(request.args).check()
        return jsonify(health_json(get()))

    return api


# --- findings --------------------------------------------------------------------------------------


def _findings(lami: Lami) -> Response:
    given = Parameters(request.args)
    query = FindingQuery(
        statuses=given.some_of("status", STATUSES),
        rules=given.some_of("rule", RULES),
        severities=given.some_of("severity", SEVERITIES),
        subject=given.text("subject"),
        since=given.since("from"),
        until=given.until("to"),
    )
    limit, token = given.number("limit", LIMIT, 1, MOST), given.text("token")
    asked: Query = [
        *(("status", status) for status in query.statuses),
        *(("rule", rule) for rule in query.rules),
        *(("severity", severity) for severity in query.severities),
        *_named(("subject", query.subject), ("from", query.since), ("to", query.until)),
    ]
    _in_order(given, query.since, query.until)
    after = _after(given, token, asked, tuple[int, str])
    given.check()
    found = sorted(lami.queries.findings(query), key=recency)
    left = [f for f in found if after is None or recency(f) > after]
    page = left[:limit]
    following = token_of(asked, recency(page[-1])) if len(left) > limit else ""
    return listed(request, [finding_json(f) for f in page], asked, limit, following)


def _accept(lami: Lami, id: str) -> Response:
    Parameters(request.args).check()
    reason, until = _acceptance(lami.clock())
    _finding(lami, id)
    done = lami.service.accept(id, admit(lami.settings, request), reason, until)
    return jsonify({"finding": finding_json(_finding(lami, id)), "changed": list(done.findings)})


def _acceptance(now: datetime) -> tuple[str, datetime | None]:
    """Reason and end out of the body.

    It must say that it is JSON: a web page elsewhere cannot, so it cannot accept in its reader's name.
    """
    if not request.is_json:
        raise Problem(415, "the body is JSON, with Content-Type: application/json")
    try:
        body: object = json.loads(request.get_data())
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, Mapping):
        raise Problem(400, 'the body is a JSON object such as {"reason": "…", "until": "2027-01-31"}')
    known = ("reason", "until")
    faults = [Fault(str(n)[:80], "there is no such member here", known) for n in body if n not in known]
    reason, text = body.get("reason"), body.get("until")
    if not isinstance(reason, str) or not reason.strip() or len(reason) > LONGEST_REASON:
        faults.append(
            Fault("reason", f"is a text of 1 to {LONGEST_REASON} characters: auditors will read it")
        )
    until: datetime | None = None
    if text is not None:
        try:
            until = last_moment(text if isinstance(text, str) else "")
            if until <= now:
                faults.append(Fault("until", "lies in the future"))
        except ValueError as error:
            faults.append(Fault("until", str(error)))
    if faults:
        said = "; ".join(f"{fault.parameter} {fault.detail}" for fault in faults)
        raise Problem(400, f"the acceptance is wrong: {said}", faults)
    return str(reason).strip(), until


def _finding(lami: Lami, id: str) -> Finding:
    found = lami.queries.finding(id)
    if found is None:
        raise Problem(404, f"there is no finding {id[:80]}")
    return found


# --- timeline --------------------------------------------------------------------------------------


def _timeline(lami: Lami) -> Response:
    given = Parameters(request.args)
    ahead = lami.clock() + AHEAD
    until = given.until("to") or ahead
    query = TimelineQuery(
        since=given.since("from") or min(until, ahead) - USUAL_SPAN,
        until=until,
        resource=given.text("resource"),
        principal=given.asked("principal", principal_asked),
        actor=given.text("actor"),
        scope=given.asked("scope", scope_asked),
        kind=given.one_of("kind", KINDS),
        limit=given.number("limit", LIMIT, 1, MOST),
    )
    token = given.text("token")
    # The question is as asked, and its span is said in full: the next page is of the same one, however much
    # later it is asked for, and whatever the clock says of the instance that is asked.
    asked = _named(
        ("resource", query.resource),
        ("principal", query.principal),
        ("actor", query.actor),
        ("scope", query.scope),
        ("kind", query.kind or ""),
        ("from", query.since),
        ("to", query.until),
    )
    _in_order(given, query.since, query.until)
    after = _after(given, token, asked, tuple[datetime, str])
    if after is not None and not _within(after[0], query):
        given.fault("token", "is no token that lami gave out")
        after = None
    query = _as_far_as_written(query, after, ahead)
    if query.until - query.since > LONGEST_SPAN and not query.resource.startswith("/"):
        given.fault("from", f"to `to` are at most {LONGEST_SPAN.days} days, but for a resource by its id")
    given.check()
    found = entries_after(lami.queries, query, after)
    page = found[: query.limit]
    following = token_of(asked, (page[-1].at, page[-1].id)) if len(found) > len(page) else ""
    return listed(request, [entry_json(entry) for entry in page], asked, query.limit, following)


def _within(time: datetime, query: TimelineQuery) -> bool:
    return time.tzinfo is not None and query.since <= time < query.until


def _as_far_as_written(
    query: TimelineQuery, after: tuple[datetime, str] | None, ahead: datetime
) -> TimelineQuery:
    """The question without what lies ahead of the clock, where nothing is written and each day costs reads.

    Where a page before it ended, its last entry says how far, since that may lie ahead of this clock.
    """
    return replace(query, until=min(query.until, ahead if after is None else after[0] + _TICK))


def entries_after(queries: Queries, query: TimelineQuery, after: tuple[datetime, str] | None) -> list[Entry]:
    """The entries that answer and lie after a place, newest first: one more than `limit` if there are more.

    Entries of one commit have one time, so those shown already are read once more, and left out.
    """
    left = (entry for entry in queries.entries(query) if after is None or (entry.at, entry.id) < after)
    return list(islice(left, query.limit + 1))


# --- both ------------------------------------------------------------------------------------------


def _named(*pairs: tuple[str, str | datetime | None]) -> list[tuple[str, str]]:
    """Those that have a value, as a query string has them."""
    return [(n, time_json(v) if isinstance(v, datetime) else v) for n, v in pairs if v]


def _in_order(given: Parameters, since: datetime | None, until: datetime | None) -> None:
    if since is not None and until is not None and since >= until:
        given.fault("from", "lies before `to`")


def _after(given: Parameters, token: str, asked: Query, kind: type[Key]) -> Key | None:
    if not token:
        return None
    try:
        return key_of(token, asked, kind)
    except ValueError as error:
        given.fault("token", str(error))
        return None
