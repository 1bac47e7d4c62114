"""Errors as RFC 9457 problem documents, `application/problem+json`; as a small page where a person asked.

What a problem says is written for whoever asks. Faults in the settings and in lami go to the log alone.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus

from flask import Flask, Response, make_response, render_template, request
from werkzeug.exceptions import HTTPException

from lami.errors import BadSettings, Permanent, Temporary

log = logging.getLogger(__name__)

PAGE = "page.show"
"""The endpoint that a person looks at."""
RETRY = 10.0
"""Seconds after which to try again, where nobody said."""
_SETTINGS = "lami's settings are wrong, so it answers nothing; its log names every fault"
_FAILED = "lami failed at this; its log says why"


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with one parameter of a request; `known` are the names it might have had."""

    parameter: str
    detail: str
    known: tuple[str, ...] = ()


class Problem(Permanent):
    """A request that is answered with an error of this HTTP status."""

    def __init__(
        self,
        status: int,
        detail: str,
        faults: Sequence[Fault] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.faults = tuple(faults)
        self.headers = dict(headers or {})


def install(app: Flask) -> None:
    """Have the app answer every error so."""
    app.register_error_handler(Problem, _answer)
    app.register_error_handler(BadSettings, _settings)
    app.register_error_handler(Temporary, _temporary)
    app.register_error_handler(Permanent, _permanent)
    app.register_error_handler(HTTPException, _http)


def _answer(problem: Problem) -> Response:
    title = HTTPStatus(problem.status).phrase
    if request.endpoint == PAGE:
        html = render_template("problem.html", status=problem.status, title=title, problem=problem)
        response = make_response(html, problem.status)
    else:
        document: dict[str, object] = {
            "type": "about:blank",
            "title": title,
            "status": problem.status,
            "detail": str(problem),
        }
        if problem.faults:
            document["errors"] = [_member(fault) for fault in problem.faults]
        response = make_response(document, problem.status)
        response.content_type = "application/problem+json"
    response.headers.update(problem.headers)
    return response


def _member(fault: Fault) -> dict[str, object]:
    known: dict[str, object] = {"known": list(fault.known)} if fault.known else {}
    return {"parameter": fault.parameter, "detail": fault.detail} | known


def _settings(error: BadSettings) -> Response:
    log.error("%s", error)
    return _answer(Problem(503, _SETTINGS, headers=retry(60)))


def _temporary(error: Temporary) -> Response:
    log.warning("%s %s: %s", request.method, request.path, error)
    return _answer(Problem(503, str(error), headers=retry(error.retry_after)))


def _permanent(error: Permanent) -> Response:
    return _answer(Problem(409, str(error)))


def _http(error: HTTPException) -> Response:
    status = error.code or 500
    # An exception that nobody foresaw comes as a 500 here, and Flask has logged it with its trace.
    detail = _FAILED if status == 500 else (error.description or HTTPStatus(status).phrase)
    headers = {name: value for name, value in error.get_headers() if name.lower() == "allow"}
    return _answer(Problem(status, detail, headers=headers))


def retry(seconds: float | None) -> dict[str, str]:
    """The header that says after how many seconds to try again."""
    return {"Retry-After": str(max(1, math.ceil(RETRY if seconds is None else seconds)))}
