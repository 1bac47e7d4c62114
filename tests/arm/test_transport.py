"""The connections to Azure: what of the environment counts, and what is never added to a request."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from azure.core.exceptions import ServiceRequestError
from azure.core.pipeline.transport import HttpRequest

from lami.rest.transport import make_transport
from tests.arm.scripted import Reply, Scripted

NOWHERE = "http://azure.invalid"


@pytest.fixture
def environment(azure: Scripted, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A proxy (which is the scripted server), and a password for it and for Azure."""
    for name in ("no_proxy", "NO_PROXY", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", azure.url)
    netrc = tmp_path / "netrc"
    host = urlsplit(azure.url).hostname
    netrc.write_text(f"machine azure.invalid login a password b\nmachine {host} login a password b\n")
    monkeypatch.setenv("NETRC", str(netrc))


@pytest.mark.usefixtures("environment")
def test_a_proxy_of_the_environment_is_used(azure: Scripted) -> None:
    """Behind a company's proxy lami works; the token stays the one that was set, whatever `.netrc` holds."""
    azure.says["/x"] = Reply({})
    request = HttpRequest("GET", f"{NOWHERE}/x", headers={"Authorization": "Bearer token"})
    with make_transport(NOWHERE, 5, 5, environment=True) as transport:
        assert transport.send(request).status_code == 200
    (asked,) = azure.asked
    assert (asked.path, asked.headers["Authorization"]) == ("/x", "Bearer token")
    assert asked.headers["Host"] == "azure.invalid"


@pytest.mark.usefixtures("environment")
def test_on_loopback_the_environment_does_not_count(azure: Scripted) -> None:
    """A stand-in is asked directly, and without a password."""
    azure.says["/x"] = Reply({})
    with make_transport(azure.url, 5, 5, environment=False) as transport:
        assert transport.send(HttpRequest("GET", f"{azure.url}/x")).status_code == 200
    assert "Authorization" not in azure.asked[0].headers
    with make_transport(NOWHERE, 5, 5, environment=False) as transport, pytest.raises(ServiceRequestError):
        transport.send(HttpRequest("GET", f"{NOWHERE}/x"))
    assert len(azure.asked) == 1


def test_a_connection_is_kept(azure: Scripted) -> None:
    """The second read goes over the first one's connection; cookies are not kept."""
    azure.says["/x"] = Reply({}, headers={"Set-Cookie": "a=b"})
    with make_transport(azure.url, 5, 5, environment=False) as transport:
        for _ in range(2):
            transport.send(HttpRequest("GET", f"{azure.url}/x"))
        adapter = transport.session._session.get_adapter(azure.url)
        (pool,) = (adapter.poolmanager.pools[key] for key in adapter.poolmanager.pools.keys())  # noqa: SIM118
        assert pool.num_connections == 1
    assert "Cookie" not in azure.asked[1].headers


@pytest.mark.parametrize(
    ("said", "read"),
    [
        (rb'{"a": "x\ud83dy", "\udc00": ["\ude00\ud83d"]}', {"a": "x\ufffdy", "\ufffd": ["\ufffd\ufffd"]}),
        (rb'{"a": "\ud83d\ude00 \\ud83d"}', {"a": "\U0001f600 \\ud83d"}),
    ],
    ids=["half", "whole"],
)
def test_half_a_character_is_replaced(azure: Scripted, said: bytes, read: object) -> None:
    """What JSON can say and no store can hold does not reach whoever reads the reply; all else does."""
    azure.says["/x"] = Reply(said)
    with make_transport(azure.url, 5, 5, environment=False) as transport:
        answer = transport.send(HttpRequest("GET", f"{azure.url}/x"))
    assert json.loads(answer.text()) == read
    assert answer.headers["content-type"] == "application/json"
