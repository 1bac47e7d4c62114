"""Policies and limits of every pipeline that lami reads Microsoft's REST through.

A reply that is not what its documentation describes is `Unreadable`, and never taken for an empty one.
"""

from __future__ import annotations

from math import isfinite
from typing import Any
from urllib.parse import urlsplit

from azure.core.exceptions import HttpResponseError
from azure.core.pipeline import PipelineContext, PipelineRequest, PipelineResponse
from azure.core.pipeline.policies import ContentDecodePolicy, HTTPPolicy, RetryPolicy, SansIOHTTPPolicy
from azure.core.pipeline.transport import HttpRequest as OlderRequest
from azure.core.pipeline.transport import HttpResponse as OlderResponse
from azure.core.rest import HttpRequest, HttpResponse

from lami.rest.unreadable import Unreadable

CONNECT = 5.0
READ = 10.0
"""Seconds to connect, and between two pieces of a reply."""
TRIES = 3
LAST_START = 8.0
"""No try begins later than this many seconds after the first, and connecting counts into it."""
LONGEST_WAIT = 4.0
"""Seconds between two tries at most: a longer Retry-After is not waited for but handed on."""
BACKOFF = 0.5
BUDGET = LAST_START + READ + LONGEST_WAIT
"""What one read can take: the last try starts in time, is read to its end, and is waited after in vain.

Event Grid waits 30 s for an answer.
"""

# The SDK is of two generations and sends the classes of both through one pipeline.
Request = HttpRequest | OlderRequest
Response = HttpResponse | OlderResponse
Hook = SansIOHTTPPolicy[Request, Response]
Policy = HTTPPolicy[Any, Any] | SansIOHTTPPolicy[Any, Any]


class OneHost(Hook):
    """Refuse every host but the endpoint's: a `nextLink` names its own, and our token would go there."""

    def __init__(self, endpoint: str) -> None:
        self._origin = _origin(endpoint)

    def on_request(self, request: PipelineRequest[Request]) -> None:
        """Raise Unreadable for an address elsewhere."""
        if _origin(request.http_request.url) != self._origin:
            raise Unreadable("the next page was said to be on another host, which lami does not follow")


class ObjectsOnly(Hook):
    """Refuse a successful reply that is no JSON object: the SDK would make an empty model of some."""

    def on_response(
        self, request: PipelineRequest[Request], response: PipelineResponse[Request, Response]
    ) -> None:
        """Raise Unreadable; replies that report a failure are left to those who read failures."""
        body = response.context.get(ContentDecodePolicy.CONTEXT_NAME)
        if response.http_response.status_code == 200 and not isinstance(body, dict):
            raise Unreadable("the reply was no JSON object")


class NoAuthentication(Hook):
    """Add nothing: for a stand-in of Azure on loopback, which asks for no token."""


class BriefRetry(RetryPolicy[Any, Any]):
    """Try a few times within seconds; leave a longer wait to whoever is told `retry_after`."""

    def __init__(self) -> None:
        super().__init__(
            retry_total=TRIES - 1,
            retry_backoff_factor=BACKOFF,
            retry_backoff_max=LONGEST_WAIT,
            timeout=LAST_START,
        )

    def is_retry(self, settings: dict[str, Any], response: PipelineResponse[Any, Any]) -> bool:
        """Whether to try again: not where the wait that was asked for doesn't fit."""
        wait = self.get_retry_after(response)
        return (wait is None or wait <= LONGEST_WAIT) and bool(super().is_retry(settings, response))

    def get_retry_after(self, response: PipelineResponse[Any, Any]) -> float | None:
        """Seconds to wait as the reply says, or None; the SDK's own reader raises for what it can't read."""
        try:
            wait = super().get_retry_after(response)
        except (ValueError, OverflowError):
            return None
        return wait if wait is not None and isfinite(wait) else None


def retry_after(error: HttpResponseError) -> float | None:
    """Seconds that a reply asked to be left alone for, where it did."""
    if error.response is None:
        return None
    reply: PipelineResponse[Any, Any] = PipelineResponse(
        error.response.request, error.response, PipelineContext(None)
    )
    return BriefRetry().get_retry_after(reply)


def _origin(url: str) -> tuple[str, str, int | None]:
    """Scheme, host and port of an address; none of them for one that parsers read in different ways."""
    try:
        parts = urlsplit(url)
        port = parts.port or {"https": 443, "http": 80}.get(parts.scheme)
    except ValueError:
        return "", "", None
    if "\\" in url or "@" in parts.netloc or not parts.hostname:
        return "", "", None
    return parts.scheme, parts.hostname, port
