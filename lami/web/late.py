"""The web app for a process that mostly handles events: imported and made when the first request comes.

Flask and what it brings take a third of all that the event path imports, and an event needs none of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    from lami.wiring import Lami


def make_late_app(get: Callable[[], Lami]) -> WSGIApplication:
    """API and page, as `lami.web.app.make_app` makes them; two first requests at once may make two alike."""

    @cache
    def made() -> WSGIApplication:
        from lami.web.app import make_app

        return make_app(get).wsgi_app

    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        return made()(environ, start_response)

    return answer
