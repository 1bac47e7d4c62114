"""The web app: API and page, and for `lami serve` the webhook beside them.

Nothing is read or connected until a request comes, so that it can be made at import under Azure Functions.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable

from flask import Flask, Response, g, request
from jinja2 import StrictUndefined

from lami.channels.text import shown
from lami.core.decode import MAX_BODY
from lami.web import problems, webhook
from lami.web.api import make_api
from lami.web.auth import admit
from lami.web.openapi import make_description
from lami.web.page import make_page
from lami.wiring import Lami

_LONGEST = 4_000


def make_app(get: Callable[[], Lami]) -> Flask:
    """API and page. `get` gives the lami to ask; where it raises `BadSettings` every answer is a 503."""
    # No static folder: everything the page needs is in it.
    app = Flask(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY
    app.json.sort_keys = False  # type: ignore[attr-defined]  # the order of the contract
    app.jinja_options = {"undefined": StrictUndefined, "finalize": _harmless}
    app.before_request(_guard(get))
    app.after_request(_closed)
    app.context_processor(lambda: {"nonce": _nonce()})
    problems.install(app)
    for part in (make_api(get), make_page(get), make_description(app)):
        app.register_blueprint(part)
    return app


def make_server_app(get: Callable[[], Lami]) -> Flask:
    """API, page and Event Grid's webhook."""
    app = make_app(get)
    app.register_blueprint(webhook.make_webhook(get))
    return app


def _guard(get: Callable[[], Lami]) -> Callable[[], None]:
    """Let nobody in who may not, whatever they ask for; only the webhook has a key of its own."""

    def guard() -> None:
        if request.endpoint != webhook.ENDPOINT:
            admit(get().settings, request)

    return guard


def _nonce() -> str:
    """The word by which the page's own style is told from what somebody slipped in; one a request."""
    if "nonce" not in g:
        g.nonce = secrets.token_urlsafe(16)
    return str(g.nonce)


def _closed(response: Response) -> Response:
    """The headers that keep an answer harmless, whatever is in it."""
    html = response.mimetype == "text/html"
    own = f"style-src 'nonce-{_nonce()}'; form-action 'self'" if html else "form-action 'none'"
    closed = f"default-src 'none'; base-uri 'none'; frame-ancestors 'none'; {own}"
    response.headers["Content-Security-Policy"] = closed
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["X-Frame-Options"] = "DENY"
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
    response.headers["Cache-Control"] = "no-store"
    return response


def _harmless(value: object) -> object:
    """Whatever a template prints is escaped by Jinja, and here it is kept from hiding or reordering."""
    return value if hasattr(value, "__html__") else shown(str(value), _LONGEST)
