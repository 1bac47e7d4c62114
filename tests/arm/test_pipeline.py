"""The way out: what is refused, how often and how long lami tries, and as whom."""

from __future__ import annotations

import time

import pytest
from azure.core.credentials import AccessToken
from azure.core.exceptions import HttpResponseError, ServiceRequestError
from azure.core.pipeline import PipelineContext, PipelineRequest
from azure.core.pipeline.transport import RequestsTransport
from azure.core.rest import HttpRequest
from azure.mgmt.authorization.v2022_04_01 import AuthorizationManagementClient

from lami import __version__
from lami.arm.pipeline import make_pipeline
from lami.errors import Permanent
from lami.rest import pipeline as way_out
from lami.rest.pipeline import NoAuthentication, Policy
from lami.rest.unreadable import Unreadable
from tests.arm.replies import ASSIGNMENT, SUBSCRIPTION
from tests.arm.scripted import Reply, Scripted, error


class Credential:
    """Gives a token and counts how often it was asked."""

    asked = 0

    def get_token(self, *scopes: str, **options: object) -> AccessToken:
        """A token for an hour."""
        self.asked += 1
        return AccessToken("secret", int(time.time()) + 3600)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "post"])
def test_only_reads_are_sent(azure: Scripted, method: str) -> None:
    """What is no read is refused before a token is fetched and before anything is sent."""
    credential = Credential()
    with make_pipeline(azure.url, credential) as way, pytest.raises(Permanent):
        way.run(HttpRequest(method, f"{azure.url}/x"), stream=False)
    assert (azure.asked, credential.asked) == ([], 0)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_reads_are_sent(azure: Scripted, method: str) -> None:
    """GET and HEAD pass, under lami's own name and, on loopback, without any token."""
    azure.says["/x"] = Reply({})
    with make_pipeline(azure.url, None) as way:
        if method == "GET":
            assert (
                way.run(HttpRequest(method, f"{azure.url}/x"), stream=False).http_response.status_code == 200
            )
        else:
            with pytest.raises(Unreadable):  # sent, and no object came back
                way.run(HttpRequest(method, f"{azure.url}/x"), stream=False)
    assert azure.asked[0].headers["User-Agent"] == f"lami/{__version__}"
    assert "Authorization" not in azure.asked[0].headers


def test_sdk_cannot_write(azure: Scripted) -> None:
    """The SDK's own writing methods are refused on this pipeline."""
    client = AuthorizationManagementClient(
        Credential(),
        SUBSCRIPTION,
        azure.url,
        pipeline=make_pipeline(azure.url, None),
        authentication_policy=NoAuthentication(),
    )
    with client, pytest.raises(Permanent):
        client.role_assignments.delete_by_id(ASSIGNMENT.lstrip("/"))
    assert azure.asked == []


def test_token_is_not_sent_without_tls(azure: Scripted) -> None:
    """With a credential plain http is refused, and no token is fetched."""
    credential = Credential()
    with make_pipeline(azure.url, credential) as way, pytest.raises(ServiceRequestError):
        way.run(HttpRequest("GET", f"{azure.url}/x"), stream=False)
    assert (azure.asked, credential.asked) == ([], 0)


@pytest.mark.parametrize(
    "elsewhere",
    [
        "https://127.0.0.1:1/x",
        "http://127.0.0.1:1/x",
        "http://localhost/x",
        "http://evil.test\\@127.0.0.1/x",
        "http://user@127.0.0.1/x",
        "http://127.0.0.1:x/",
    ],
)
def test_no_other_host(azure: Scripted, elsewhere: str) -> None:
    """An address on another host, port or scheme is refused, and so is one that can be read in two ways."""
    with make_pipeline(azure.url, None) as way, pytest.raises(Unreadable):
        way.run(HttpRequest("GET", elsewhere), stream=False)


def test_the_same_host_in_other_words() -> None:
    """Azure's next links name the default port, and casing doesn't matter."""
    here = way_out.OneHost("https://management.azure.com")
    request = HttpRequest("GET", "https://Management.Azure.com:443/subscriptions")
    here.on_request(PipelineRequest(request, PipelineContext(None)))


def test_redirects_are_not_followed(azure: Scripted) -> None:
    """A redirect is an answer that is no success, and nobody goes there."""
    azure.says["/x"] = Reply({}, 302, {"Location": f"{azure.url}/y"})
    with make_pipeline(azure.url, None) as way:
        assert way.run(HttpRequest("GET", f"{azure.url}/x"), stream=False).http_response.status_code == 302
    assert azure.paths() == ["/x"]


def test_budget_fits_event_grid() -> None:
    """All tries of one read, the waits between and the last wait in vain, stay below Event Grid's 30 s."""
    retry = way_out.BriefRetry()
    assert retry.timeout == way_out.LAST_START
    assert retry.total_retries + 1 == way_out.TRIES
    assert retry.backoff_max == way_out.LONGEST_WAIT
    assert way_out.BUDGET == way_out.LAST_START + way_out.READ + way_out.LONGEST_WAIT
    assert way_out.BUDGET < 25
    assert way_out.CONNECT <= way_out.LAST_START


def test_timeouts_reach_the_transport(azure: Scripted) -> None:
    """Connecting and reading are bounded as declared."""
    azure.says["/x"] = Reply({})
    seen: list[tuple[float, float]] = []

    class Watch(way_out.Hook):
        def on_request(self, request: PipelineRequest[way_out.Request]) -> None:
            transport = request.context.transport
            assert isinstance(transport, RequestsTransport)
            config = transport.connection_config
            seen.append((config.timeout, config.read_timeout))

    hooks: list[Policy] = [Watch()]
    with make_pipeline(azure.url, None, hooks) as way:
        way.run(HttpRequest("GET", f"{azure.url}/x"), stream=False)
    assert seen == [(way_out.CONNECT, way_out.READ)]


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_a_passing_failure_is_tried_again(azure: Scripted, waits: list[float], status: int) -> None:
    """What goes through at the second try has gone through."""
    azure.says["/x"] = [error(status, "Busy"), Reply({})]
    with make_pipeline(azure.url, None) as way:
        assert way.run(HttpRequest("GET", f"{azure.url}/x"), stream=False).http_response.status_code == 200
    assert len(azure.asked) == 2


def test_a_lasting_failure_is_tried_three_times(azure: Scripted, waits: list[float]) -> None:
    """Tries are few, and the waits between grow."""
    azure.says["/x"] = error(500, "Broken")
    with make_pipeline(azure.url, None) as way:
        way.run(HttpRequest("GET", f"{azure.url}/x"), stream=False)
    assert len(azure.asked) == way_out.TRIES
    assert sum(waits) <= way_out.LONGEST_WAIT


def test_retry_after_is_honoured(azure: Scripted, waits: list[float]) -> None:
    """A wait that fits is waited."""
    azure.says["/x"] = [error(429, "Busy", Retry_After="3"), Reply({})]
    with make_pipeline(azure.url, None) as way:
        way.run(HttpRequest("GET", f"{azure.url}/x"), stream=False)
    assert waits == [3]


@pytest.mark.parametrize("wait", ["5", "3600", "Fri, 01 Jan 2100 00:00:00 GMT"])
def test_a_long_retry_after_is_not_waited(azure: Scripted, waits: list[float], wait: str) -> None:
    """A wait that doesn't fit is handed on: one try, no wait."""
    azure.says["/x"] = error(429, "Busy", Retry_After=wait)
    with make_pipeline(azure.url, None) as way:
        reply = way.run(HttpRequest("GET", f"{azure.url}/x"), stream=False).http_response
    asked = way_out.retry_after(HttpResponseError(response=reply))
    assert (len(azure.asked), waits) == (1, [])
    assert asked is not None
    assert asked > way_out.LONGEST_WAIT


@pytest.mark.parametrize("wait", ["soon", "nan", "inf", "-1"])
def test_a_senseless_retry_after_is_no_wait(azure: Scripted, waits: list[float], wait: str) -> None:
    """A header that nobody can read costs nothing but the usual tries."""
    azure.says["/x"] = [error(503, "Busy", Retry_After=wait), Reply({})]
    with make_pipeline(azure.url, None) as way:
        assert way.run(HttpRequest("GET", f"{azure.url}/x"), stream=False).http_response.status_code == 200
    assert sum(waits) == 0
