"""Ask Microsoft Graph as `lami.graph.protocol.Directory` has it: what it said, or why nothing is known.

Plain REST. Of a directory object nothing is read but its id and type: no name, and no address.
Sources: Microsoft Graph v1.0, directoryObject: getByIds, and Get deleted item.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from threading import Lock
from typing import cast

from azure.core import PipelineClient
from azure.core.credentials import TokenCredential
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError
from azure.core.pipeline import Pipeline
from azure.core.rest import HttpRequest, HttpResponse

from lami.core.ids import guid
from lami.core.model import Absent, Present, Unknown
from lami.graph.pipeline import DELETED, SHOWN, make_pipeline
from lami.graph.protocol import MOST
from lami.rest.failures import FAILURES, Ask, code_of, unknown
from lami.rest.pipeline import Policy
from lami.rest.unreadable import Unreadable

PERMISSION = "Directory.Read.All"
"""The least of Graph's application permissions that both questions take."""
_ODATA = "#microsoft.graph."
_TYPES = {"user": "User", "group": "Group", "serviceprincipal": "ServicePrincipal"}
# Assumption: Graph answers with this code, and no other, where an id is not among the deleted items.
_NOT_THERE = "request_resourcenotfound"
_TRIED = ("GET", "POST")
"""Both are questions: asking twice does no harm."""


class MicrosoftGraph:
    """Microsoft Graph at `endpoint`. Thread-safe.

    Nothing is made or connected before the first question; after `close` the next one connects anew.
    `credential` is None for a stand-in on loopback. `hooks` are azure-core policies that see every try.
    """

    def __init__(
        self, endpoint: str, credential: TokenCredential | None, *, hooks: Sequence[Policy] = ()
    ) -> None:
        self._endpoint = endpoint.rstrip("/")
        self._credential = credential
        self._hooks = tuple(hooks)
        self._lock = Lock()
        self._made: PipelineClient[HttpRequest, HttpResponse] | None = None

    def shown(self, principals: Sequence[str]) -> Mapping[str, str] | Unknown:
        """Which of these the directory shows, each with its type: one request."""
        if not principals:
            return {}
        if len(principals) > MOST or any(guid(one) != one for one in principals):
            return Unknown(f"Microsoft Graph was not asked: an id is no GUID, or there are more than {MOST}")
        ask = Ask("principals in the directory", PERMISSION, "Microsoft Graph")
        try:
            return dict(_objects(self._send("POST", SHOWN, {"ids": list(principals)}), frozenset(principals)))
        except FAILURES as error:
            return unknown(ask, error)

    def deleted(self, principal: str) -> Present[None] | Absent | Unknown:
        """Whether the directory keeps a principal among what was deleted: one request."""
        if guid(principal) != principal:
            return Unknown("Microsoft Graph was not asked: an id is no GUID")
        ask = Ask("what was deleted in the directory", PERMISSION, "Microsoft Graph")
        try:
            found = self._send("GET", DELETED + principal)
            if guid(str(found.get("id", ""))) != principal:
                raise Unreadable("the reply is about another object")
        except FAILURES as error:
            return Absent() if _says_absent(error) else unknown(ask, error)
        return Present(None)

    def close(self) -> None:
        """Let go of connections. Closing twice is harmless."""
        with self._lock:
            made, self._made = self._made, None
        if made is not None:
            made.close()

    def _send(self, method: str, path: str, body: object = None) -> Mapping[str, object]:
        request = HttpRequest(method, f"{self._endpoint}{path}", json=body)
        response = self._client().send_request(request, retry_on_methods=_TRIED)
        if response.status_code != 200:
            raise HttpResponseError(response=response)
        found: Mapping[str, object] = response.json()
        return found

    def _client(self) -> PipelineClient[HttpRequest, HttpResponse]:
        with self._lock:
            if self._made is None:
                pipeline = make_pipeline(self._endpoint, self._credential, self._hooks)
                # Typed by the newer of the two generations of classes that the SDK has.
                typed = cast("Pipeline[HttpRequest, HttpResponse]", pipeline)
                self._made = PipelineClient(self._endpoint, pipeline=typed)
            return self._made


def _objects(body: Mapping[str, object], asked: frozenset[str]) -> Iterator[tuple[str, str]]:
    """The objects of an answer, each with its type; of a part of an answer nothing is known."""
    objects = body.get("value")
    if not isinstance(objects, list):
        raise Unreadable("the reply has no list of values")
    # Assumption: an answer about as many as may be asked about is whole, on one page.
    if "@odata.nextLink" in body:
        raise Unreadable("the reply is only a part of the answer")
    for one in objects:
        id = guid(str(one.get("id", ""))) if isinstance(one, dict) else ""
        if id not in asked:
            raise Unreadable("the reply names what was not asked about")
        kind = str(one.get("@odata.type", "")).lower().removeprefix(_ODATA)
        yield id, _TYPES.get(kind, "")


def _says_absent(error: Exception) -> bool:
    """Whether Graph itself said that there is no such object: a 404 of a proxy says nothing."""
    if not isinstance(error, HttpResponseError) or isinstance(error, ClientAuthenticationError):
        return False
    return error.status_code == 404 and code_of(error).lower() == _NOT_THERE
