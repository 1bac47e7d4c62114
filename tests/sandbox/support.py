"""The SDK clients pointed at the sandbox, a webhook that listens, and a clock that tests move."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, NoReturn, TypeVar, cast

import requests
from azure.core.paging import ItemPaged
from azure.core.pipeline.policies import SansIOHTTPPolicy
from azure.core.rest import HttpRequest, HttpResponse
from azure.mgmt.authorization.v2022_04_01 import AuthorizationManagementClient
from azure.mgmt.core import ARMPipelineClient
from azure.mgmt.logic import LogicManagementClient
from azure.mgmt.logic.models import ManagedServiceIdentity, Workflow

from lami.sandbox import WORKFLOW, Sandbox, resource_id
from lami.sandbox.model import Resource
from tests.jsons import JsonValue

T = TypeVar("T")
VAULT = "/resourceGroups/rg-claims/providers/Microsoft.KeyVault/vaults/kv-claims"


class NoCredential:
    """A credential that nobody asks: the authentication policy below adds nothing."""

    def get_token(self, *scopes: str, **options: object) -> NoReturn:
        raise AssertionError("the sandbox needs no token")


class NoAuthentication(SansIOHTTPPolicy[HttpRequest, HttpResponse]):
    """Stands where the bearer policy would, which refuses plain http."""


def authorization(azure: Sandbox, retry_total: int = 0) -> AuthorizationManagementClient:
    return AuthorizationManagementClient(
        NoCredential(),
        azure.subscription,
        base_url=azure.url,
        authentication_policy=NoAuthentication(),
        retry_total=retry_total,
    )


def logic(azure: Sandbox, retry_total: int = 0) -> LogicManagementClient:
    return LogicManagementClient(
        NoCredential(),
        azure.subscription,
        base_url=azure.url,
        authentication_policy=NoAuthentication(),
        retry_total=retry_total,
    )


def get(azure: Sandbox, path: str, version: str = "2022-04-01") -> HttpResponse:
    """One GET through ARM's generic client, with no retries."""
    client: ARMPipelineClient[HttpRequest, HttpResponse]
    client = ARMPipelineClient(azure.url, policies=[NoAuthentication()])
    with client:
        response = client.send_request(HttpRequest("GET", azure.url + path, params={"api-version": version}))
        response.read()
        return response


def workflows(azure: Sandbox) -> ItemPaged[Workflow]:
    """The listing of all workflows; the SDK's hint says that it is one of listings."""
    return cast("ItemPaged[Workflow]", logic(azure).workflows.list_by_subscription())


def known(value: object, kind: type[T]) -> T:
    """What the SDK read, which it has to have: its hints say None of all that is never sent."""
    assert isinstance(value, kind)
    return value


def shown_principal(app: Workflow) -> str:
    """The principal that a workflow shows as its system identity's."""
    return known(known(app.identity, ManagedServiceIdentity).principal_id, str)


def control(azure: Sandbox, method: str, path: str, body: JsonValue = None) -> requests.Response:
    return requests.request(method, azure.url + path, json=body, timeout=10)


def workflow(azure: Sandbox, name: str = "claims-intake") -> str:
    return resource_id(azure.subscription, "rg-claims", WORKFLOW, name)


def principal_of(resource: Resource) -> str:
    """The principal of its system identity, which it has to have."""
    assert resource.system is not None
    return resource.system.principal_id


def vault(azure: Sandbox) -> str:
    return f"/subscriptions/{azure.subscription}{VAULT}"


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.time = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.time

    def move(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)


class Webhook:
    """What a webhook received; `statuses` are its next answers to notifications, 200 when used up."""

    def __init__(self) -> None:
        self.url = ""
        self.bodies: list[Any] = []
        self.headers: list[dict[str, str]] = []
        self.statuses: list[int] = []
        self.shakes_hands = True

    @property
    def events(self) -> list[dict[str, Any]]:
        return [event for body in self.bodies for event in (body if isinstance(body, list) else [body])]


@contextmanager
def listening() -> Iterator[Webhook]:
    """A webhook on a free port that knows both handshakes."""
    webhook = Webhook()

    class Handler(BaseHTTPRequestHandler):
        def do_OPTIONS(self) -> None:
            self.send_response(200)
            if webhook.shakes_hands:
                self.send_header("WebHook-Allowed-Origin", self.headers["WebHook-Request-Origin"])
            self.end_headers()

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if self.headers.get("aeg-event-type") == "SubscriptionValidation":
                code = body[0]["data"]["validationCode"] if webhook.shakes_hands else "wrong"
                answer = json.dumps({"validationResponse": code}).encode()
                self.send_response(200)
                self.end_headers()
                self.wfile.write(answer)
                return
            webhook.bodies.append(body)
            webhook.headers.append({name.lower(): value for name, value in self.headers.items()})
            self.send_response(webhook.statuses.pop(0) if webhook.statuses else 200)
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    webhook.url = f"http://127.0.0.1:{server.server_port}/api/events"
    try:
        yield webhook
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
