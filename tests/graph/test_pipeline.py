"""The way out to Microsoft Graph: two questions and nothing else, and a token for nobody else."""

from __future__ import annotations

import subprocess
import sys
import time
from tempfile import TemporaryDirectory

import pytest
from azure.core.credentials import AccessToken
from azure.core.exceptions import ServiceRequestError
from azure.core.pipeline import PipelineRequest
from azure.core.rest import HttpRequest

from lami.errors import Permanent
from lami.graph.pipeline import DELETED, SHOWN, make_pipeline
from lami.rest.pipeline import Hook, Request
from lami.rest.unreadable import Unreadable
from tests.arm.scripted import Reply, Scripted
from tests.core.builders import P1, SUB


class Credential:
    """Gives a token, and remembers for what."""

    def __init__(self) -> None:
        self.scopes: list[str] = []

    def get_token(self, *scopes: str, **options: object) -> AccessToken:
        """A token for an hour."""
        self.scopes += scopes
        return AccessToken("secret", int(time.time()) + 3600)


def test_unset_it_is_not_even_imported() -> None:
    """Nothing of the edge is loaded but its protocol, which every lami knows."""
    code = (
        "import sys; from lami.settings import read; from lami.wiring import build\n"
        f"lami = build(read({{'LAMI_SUBSCRIPTIONS': '{SUB}', 'LAMI_LOOPBACK': '1', "
        "'LAMI_CREDENTIAL': 'none', 'LAMI_STORE': 'sqlite:///' + sys.argv[1]}))\n"
        "assert lami.directory is None; lami.close()\n"
        "print([name for name in sorted(sys.modules) if name.startswith('lami.graph')])"
    )
    with TemporaryDirectory() as folder:
        ran = subprocess.run(
            [sys.executable, "-c", code, f"{folder}/lami.db"], capture_output=True, text=True, check=True
        )
    assert ran.stdout.strip() == "['lami.graph', 'lami.graph.protocol']"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", SHOWN),
        ("PUT", SHOWN),
        ("PATCH", SHOWN),
        ("POST", SHOWN + "/x"),
        ("POST", SHOWN + "?$select=id"),
        ("POST", "/v1.0/users"),
        ("POST", "/beta/directoryObjects/getByIds"),
        ("DELETE", DELETED + P1),
        ("POST", DELETED + P1),
        ("POST", DELETED + P1 + "/restore"),
        ("GET", DELETED + "microsoft.graph.user"),
        ("GET", DELETED + P1 + "/../../users"),
        ("GET", "/v1.0/users"),
        ("GET", "/v1.0/servicePrincipals/" + P1),
    ],
)
def test_nothing_but_the_two_questions_is_sent(server: Scripted, method: str, path: str) -> None:
    """Refused before a token is fetched and before anything is sent."""
    credential = Credential()
    with make_pipeline(server.url, credential) as way, pytest.raises(Permanent):
        way.run(HttpRequest(method, f"{server.url}{path}"), stream=False)
    assert (server.asked, credential.scopes) == ([], [])


def test_another_host_is_not_asked(server: Scripted) -> None:
    """The token goes to the endpoint of the settings and nowhere else."""
    with make_pipeline(server.url, None) as way, pytest.raises(Unreadable):
        way.run(HttpRequest("POST", f"http://localhost:1{SHOWN}", json={}), stream=False)


def test_a_redirect_is_not_followed(server: Scripted) -> None:
    """It is an answer that is no success."""
    server.says[SHOWN.lower()] = Reply({}, 302, {"Location": f"{server.url}/elsewhere"})
    with make_pipeline(server.url, None) as way:
        reply = way.run(HttpRequest("POST", f"{server.url}{SHOWN}", json={}), stream=False)
    assert reply.http_response.status_code == 302
    assert server.paths() == [SHOWN]


def test_token_is_not_sent_without_tls(server: Scripted) -> None:
    """With a credential plain http is refused, and no token is fetched."""
    credential = Credential()
    with make_pipeline(server.url, credential) as way, pytest.raises(ServiceRequestError):
        way.run(HttpRequest("POST", f"{server.url}{SHOWN}", json={}), stream=False)
    assert (server.asked, credential.scopes) == ([], [])


def test_the_token_is_for_the_endpoint() -> None:
    """Its scope is the endpoint's own; nothing is sent here, since a hook ends it."""
    credential = Credential()

    class Enough(Exception):
        """What was to be seen was seen."""

    class Stop(Hook):
        def on_request(self, request: PipelineRequest[Request]) -> None:
            assert request.http_request.headers["Authorization"] == "Bearer secret"
            raise Enough

    address = "https://graph.microsoft.us"
    with make_pipeline(address, credential, [Stop()]) as way, pytest.raises(Enough):
        way.run(HttpRequest("POST", f"{address}{SHOWN}", json={}), stream=False)
    assert credential.scopes == ["https://graph.microsoft.us/.default"]
