"""Who may use API and page (`LAMI_AUTH`), and who may post events (`LAMI_EVENT_KEY`).

Headers that say who somebody is (`x-ms-client-principal-name` and the like) are never believed: anyone can
send them.
"""

from __future__ import annotations

from hmac import compare_digest
from urllib.parse import urlsplit

from flask import Request

from lami.channels.targets import is_loopback
from lami.core.model import Actor
from lami.settings import Settings
from lami.web.problems import PAGE, Problem

_ANYBODY = Actor("unknown", "", "somebody on this machine")
_KEY_HOLDER = Actor("application", "", "api key")


def admit(settings: Settings, request: Request) -> Actor:
    """Who asks, as far as is known; raises `Problem` where that is not somebody who may."""
    if settings.auth == "none":
        _from_here(request)
        return _ANYBODY
    if settings.auth == "key" and _same(_given_key(request), settings.api_key):
        return _KEY_HOLDER
    # A browser asks its user for name and password and needs to be told so; the password is the key.
    scheme = 'Basic realm="lami", charset="UTF-8"' if request.endpoint == PAGE else 'Bearer realm="lami"'
    wanted = "lami wants its key: in the header x-api-key, or as Authorization: Bearer"
    raise Problem(401, wanted, headers={"WWW-Authenticate": scheme})


def admit_event(settings: Settings, request: Request) -> None:
    """Refuse an event that comes without `?code=` and the right key, where one is set."""
    if settings.event_key and not _same(request.args.get("code", ""), settings.event_key):
        wanted = "the webhook wants its key, as ?code="
        raise Problem(401, wanted, headers={"WWW-Authenticate": 'Bearer realm="lami events"'})


def _from_here(request: Request) -> None:
    """Nobody signs in, so the name asked for must be this machine's own.

    Another name means a proxy that shows lami to others, or a web page elsewhere that had its name
    resolved to this machine so that a browser here may read the answer (DNS rebinding).
    """
    try:
        host = urlsplit(f"//{request.host}").hostname or ""
    except ValueError:
        host = ""
    if not is_loopback(host):
        raise Problem(
            403, "without sign-in (LAMI_AUTH=none) lami answers only as localhost; set LAMI_AUTH=key"
        )


def _given_key(request: Request) -> str:
    key = request.headers.get("x-api-key", "")
    given = request.authorization
    if key or given is None:
        return key
    if given.type == "basic":
        return given.password or ""
    return (given.token or "") if given.type == "bearer" else ""


def _same(given: str, key: str) -> bool:
    """Compared in constant time; an empty key opens nothing."""
    return bool(key) and compare_digest(given.encode("utf-8", "replace"), key.encode("utf-8", "replace"))
