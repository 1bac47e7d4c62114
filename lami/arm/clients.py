"""The SDK's clients on one shared pipeline, and plain JSON for the resource types that have none.

Paths are resource ids. The clients are thread-safe and hold one pool of connections.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeVar, cast
from urllib.parse import quote

from azure.core.configuration import Configuration
from azure.core.credentials import AccessToken, TokenCredential
from azure.core.exceptions import HttpResponseError
from azure.core.paging import ItemPaged, PageIterator
from azure.core.rest import HttpRequest, HttpResponse
from azure.mgmt.authorization.v2022_04_01 import AuthorizationManagementClient as AssignmentsClient
from azure.mgmt.authorization.v2022_05_01_preview import AuthorizationManagementClient as DefinitionsClient
from azure.mgmt.core import ARMPipelineClient

from lami.arm.pipeline import authentication, make_pipeline
from lami.arm.read import Json, page
from lami.core.ids import ResourceId
from lami.rest.pipeline import Policy
from lami.rest.unreadable import Unreadable

if TYPE_CHECKING:
    from azure.mgmt.authorization.v2022_04_01.models import RoleAssignment
    from azure.mgmt.authorization.v2022_05_01_preview.models import RoleDefinition
    from azure.mgmt.logic import LogicManagementClient
    from azure.mgmt.logic.models import Workflow, WorkflowRun

# The SDK pins the other versions: role assignments 2022-04-01, workflows 2019-05-01. Role definitions are
# read with 2022-05-01-preview, the only one whose model has the condition of a permission: without it, 25
# built-in roles would look as if they let their holder grant any role.
# Assumption: every Azure cloud serves that preview version, and its listings are complete.
SITES_VERSION = "2022-03-01"
IDENTITIES_VERSION = "2023-01-31"
SUBSCRIPTIONS_VERSION = "2022-12-01"

PAGE_OF_RUNS = 100

ONCE: Mapping[str, Any] = {"retry_total": 0, "read_timeout": 5.0}
"""Options of a read that is worth one short try: what it shows can be had another time."""

_BRIEFLY: Mapping[str, Any] = {"retry_total": 0, "connection_timeout": 2.0, "read_timeout": 3.0}
_NONE: Mapping[str, Any] = {}

_ADDRESS = re.compile(r"https?://[^\s{}]+")

Line = TypeVar("Line")


class Clients:
    """All that talks to one endpoint. Nothing connects until something is read."""

    def __init__(self, endpoint: str, credential: TokenCredential | None, hooks: Sequence[Policy]) -> None:
        self._endpoint = endpoint
        self._credential = credential or _Nobody()
        # The SDK's clients insist on a credential and would make their own policy of it; the shared
        # pipeline is the only one that is used.
        self._shared: dict[str, Any] = {
            "pipeline": make_pipeline(endpoint, credential, hooks),
            "authentication_policy": authentication(endpoint, credential),
        }
        self._plain: ARMPipelineClient[HttpRequest, HttpResponse] = ARMPipelineClient(
            endpoint, config=Configuration(), **self._shared
        )
        self._assignments = AssignmentsClient(
            self._credential, subscription_id="", base_url=endpoint, **self._shared
        )
        self._definitions = DefinitionsClient(
            self._credential, subscription_id="", base_url=endpoint, **self._shared
        )
        self._lock = Lock()
        self._logic: dict[str, LogicManagementClient] = {}

    def assignment(self, id: ResourceId) -> RoleAssignment:
        """One role assignment."""
        return self._assignments.role_assignments.get_by_id(_path(id))

    def assignments(self, scope: ResourceId, condition: str | None) -> Iterator[RoleAssignment]:
        """The role assignments at, above and below a scope, under an OData filter."""
        return _walk(
            self._assignments.role_assignments.list_for_scope(_path(scope), filter=condition, cls=_listed)
        )

    def definition(self, id: ResourceId) -> RoleDefinition:
        """One role definition."""
        return self._definitions.role_definitions.get_by_id(_path(id))

    def definitions(self, scope: ResourceId) -> Iterator[RoleDefinition]:
        """The role definitions that can be assigned at a scope."""
        return _walk(self._definitions.role_definitions.list(_path(scope), cls=_listed))

    def workflow(self, id: ResourceId) -> Workflow:
        """One Consumption logic app."""
        return self._logic_of(id.subscription).workflows.get(id.resource_group, id.name)

    def workflows(self, subscription: str) -> Iterator[Workflow]:
        """The Consumption logic apps of a subscription."""
        listing = self._logic_of(subscription).workflows.list_by_subscription(cls=_listed)
        return _walk(cast("Iterable[Workflow]", listing))  # the SDK's hint says that it lists pages

    def failed_runs(self, id: ResourceId, since: datetime, until: datetime) -> tuple[int, bool]:
        """How many runs of a workflow have failed, as one page tells, and whether there is another."""
        started = f"startTime ge {_stamp(since)} and startTime le {_stamp(until)}"
        _path(id)  # The SDK quotes the names itself; what is no id must not get that far.
        listing = self._logic_of(id.subscription).workflow_runs.list(
            id.resource_group,
            id.name,
            top=PAGE_OF_RUNS,
            filter=f"status eq 'Failed' and {started}",
            cls=_listed,
        )
        pages = cast("PageIterator[WorkflowRun]", cast("ItemPaged[WorkflowRun]", listing).by_page())
        return len(list(next(pages))), bool(pages.continuation_token)

    def resource(self, id: ResourceId, version: str, options: Mapping[str, Any] = _NONE) -> Json:
        """One resource as plain JSON; `options` are azure-core's of a single request."""
        return self._get("/" + _path(id), options, {"api-version": version})

    def resources(
        self, path: ResourceId, version: str, options: Mapping[str, Any] = _NONE
    ) -> Iterator[object]:
        """A listing as plain JSON, line by line."""

        def get_next(link: str | None) -> Json:
            return self._get(link, options) if link else self.resource(path, version, options)

        def extract(body: Json) -> tuple[str | None, Iterator[object]]:
            lines, link = page(body)
            return link, iter(lines)

        return _walk(ItemPaged(get_next, extract))

    def subscription(self, id: str) -> Json:
        """One subscription as plain JSON, asked for once and briefly: nothing hangs on its name."""
        return self.resource(ResourceId(f"/subscriptions/{id}"), SUBSCRIPTIONS_VERSION, _BRIEFLY)

    def close(self) -> None:
        """Let go of the connections, which all clients share."""
        self._plain.close()

    def _get(self, url: str, options: Mapping[str, Any], params: Mapping[str, str] | None = None) -> Json:
        request = HttpRequest("GET", self._plain.format_url(url), params=params)
        response = self._plain.send_request(request, **options)
        if response.status_code != 200:
            raise HttpResponseError(response=response)
        body: Json = response.json()
        return body

    def _logic_of(self, subscription: str) -> LogicManagementClient:
        """The client of one subscription; its package is imported on first need: it takes 0.2 s."""
        from azure.mgmt.logic import LogicManagementClient

        with self._lock:
            if subscription not in self._logic:
                self._logic[subscription] = LogicManagementClient(
                    self._credential, subscription, self._endpoint, **self._shared
                )
            return self._logic[subscription]


class _Nobody:
    """Stands where the SDK insists on a credential and none is used."""

    def get_token(self, *scopes: str, **options: object) -> AccessToken:
        """Give no token to anybody."""
        return AccessToken("", 0)


def _stamp(time: datetime) -> str:
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _path(id: ResourceId) -> str:
    """An id as the path of an address. Ids come from events, and may hold what an address reads otherwise."""
    if any(part in {".", ".."} for part in id.parts) or not id.parts:
        raise Unreadable("the id is no id of a resource")
    return "/".join(quote(part, safe="!$&'()*+,;=:@") for part in id.parts)


def _listed(lines: list[Line] | None) -> list[Line]:
    """What the SDK calls with each page's lines: it would choke on a page that has none, and so should we."""
    if lines is None or any(line is None for line in lines):
        raise Unreadable("the listing has no list of values, or an empty one among them")
    return lines


def _walk(listing: Iterable[Line]) -> Iterator[Line]:
    """All lines of all pages.

    A listing that comes back to a page it has been on would never end. Braces in a link are a template to
    the SDK, which fails on them in ways of its own.
    """
    # The SDK declares an iterable and documents that it is an ItemPaged of a PageIterator.
    pages = cast(PageIterator[Line], cast(ItemPaged[Line], listing).by_page())
    seen: set[str] = set()
    for lines in pages:
        yield from lines
        link = pages.continuation_token
        if link in seen or (link and _ADDRESS.fullmatch(link) is None):
            raise Unreadable("the link to the next page is no address, or goes in a circle")
        seen.update([link] if link else [])
