"""Look at Azure as `lami.arm.protocol.Arm` has it: what was read, or in words why nothing is known.

A listing yields one `Unknown` for each line it can't understand, and one where it broke off.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from threading import Lock
from typing import TYPE_CHECKING, TypeVar

from azure.core.credentials import TokenCredential
from msgspec.structs import replace

from lami.arm import read, standard
from lami.arm.clients import IDENTITIES_VERSION, SITES_VERSION, Clients
from lami.arm.failures import look
from lami.arm.protocol import NotAHolder
from lami.arm.roles import RoleCache
from lami.arm.subscriptions import SubscriptionNames
from lami.core.ids import Level, ResourceId, guid
from lami.core.model import (
    Definition,
    FailedRuns,
    IdentityHolder,
    Look,
    Present,
    RoleAssignment,
    RoleDefinition,
    Unknown,
)
from lami.rest.failures import FAILURES, Ask, unknown
from lami.rest.pipeline import Policy
from lami.rest.unreadable import Unreadable

if TYPE_CHECKING:
    from azure.mgmt.authorization.v2022_04_01.models import RoleAssignment as AssignmentModel

log = logging.getLogger(__name__)

ASSIGNMENTS = "Microsoft.Authorization/roleAssignments"
DEFINITIONS = "Microsoft.Authorization/roleDefinitions"
WORKFLOWS = "Microsoft.Logic/workflows"
SITES = "Microsoft.Web/sites"
SLOTS = "Microsoft.Web/sites/slots"
IDENTITIES = "Microsoft.ManagedIdentity/userAssignedIdentities"
HOLDERS = {kind.lower(): kind for kind in (WORKFLOWS, SITES, SLOTS, IDENTITIES)}
_STANDARD = (SITES, SLOTS)
IN_PASSING = 12.0
"""Seconds after which a look at an app begins no read of its workflows any longer: an event waits for it."""
AT_LEISURE = 60.0
"""Likewise where nothing waits but the workflows themselves."""

Raw = TypeVar("Raw")
State = TypeVar("State")


class AzureArm:
    """Azure Resource Manager at `endpoint`. Thread-safe.

    Nothing is made or connected before the first look; after `close` the next look connects anew.
    `credential` is None for a stand-in on loopback. `hooks` are azure-core policies that see every try;
    `clock` is in seconds and never goes back.
    """

    def __init__(
        self,
        endpoint: str,
        credential: TokenCredential | None,
        *,
        hooks: Sequence[Policy] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._endpoint = endpoint.rstrip("/")
        self._credential = credential
        self._hooks = tuple(hooks)
        self._lock = Lock()
        self._made: Clients | None = None
        self._clock = clock
        self._roles = RoleCache(self._definitions_in, self._definition, clock)
        self._names = SubscriptionNames(self._name, clock)

    def assignment(self, id: ResourceId) -> Look[RoleAssignment]:
        """Look at one role assignment: one read (its role and a subscription's name come from caches)."""

        def get() -> RoleAssignment:
            seen = self._granted(self._clients().assignment(id), id.subscription)
            if seen.id.name.lower() != id.name.lower():
                raise Unreadable("the reply is about another role assignment")
            return seen

        return look(_ask(ASSIGNMENTS, f"role assignment {id.name}"), get)

    def assignments_of(
        self, principal: str, subscriptions: tuple[str, ...]
    ) -> tuple[RoleAssignment, ...] | Unknown:
        """List what a principal is granted at, above or below each subscription, each assignment once.

        Without a subscription to ask in, that is Unknown: nothing was asked, so nothing is known.
        """
        if not subscriptions or not principal or guid(principal) != principal:
            return Unknown("lami could not list a principal's grants: no GUID, or no subscription to ask in")
        found: dict[str, RoleAssignment] = {}
        for subscription in subscriptions:
            for seen in self._assignments(subscription, f"principalId eq '{principal}'"):
                if isinstance(seen, Unknown):
                    return seen
                if seen.principal == principal:
                    found[seen.id.key] = seen
        return tuple(found.values())

    def holder(self, id: ResourceId) -> Look[IdentityHolder] | NotAHolder:
        """Look at one logic app, slot or user-assigned identity: one read, and those of its workflows.

        That these cannot be read takes nothing from what the app itself shows.
        """
        until = standard.Until(self._clock() + IN_PASSING, self._clock)
        kind = HOLDERS.get(id.type)
        if kind is None or not id.subscription or not id.resource_group:
            return Unknown(f"{id.name} is no resource that can carry an identity lami watches")

        def get() -> IdentityHolder | NotAHolder:
            seen = self._holder(kind, id)
            if seen.id != id:
                raise Unreadable("the reply is about another resource")
            return seen

        seen = look(_ask(kind, f"{id.name} ({kind})"), get)
        if not isinstance(seen, Present):
            return seen
        if isinstance(seen.state, NotAHolder):
            return seen.state
        if kind not in _STANDARD:
            return Present(seen.state)
        shown = self._workflows_of(kind, id, until)
        if isinstance(shown, Unknown):
            log.info("%s; nothing is concluded of its definitions", shown.reason)
            return Present(seen.state)
        return Present(replace(seen.state, definition=shown))

    def workflows_of(self, app: ResourceId) -> Definition | Unknown:
        """Read the workflows of a Standard logic app or slot: a listing, and one read each."""
        kind = HOLDERS.get(app.type)
        if kind not in _STANDARD or not app.subscription or not app.resource_group:
            return Unknown(f"{app.name} is no Standard logic app")
        return self._workflows_of(kind, app, standard.Until(self._clock() + AT_LEISURE, self._clock))

    def role(self, id: ResourceId) -> Look[RoleDefinition]:
        """Look at one role definition afresh, and let the cache hold what is seen."""
        return self._roles.fresh(id)

    def failed_runs(self, app: ResourceId, since: datetime, until: datetime) -> FailedRuns | Unknown:
        """Count the failed runs of a Consumption logic app: one page, so of very many only the newest."""
        if app.type != WORKFLOWS.lower() or not app.subscription or not app.resource_group:
            return Unknown(f"the runs of {app.name} are not kept by Azure Resource Manager")
        ask = _ask(f"{WORKFLOWS}/runs", f"the runs of {app.name}")
        try:
            count, more = self._clients().failed_runs(app, since, until)
        except FAILURES as error:
            return unknown(ask, error)
        return FailedRuns(since, until, count, more)

    def holders_in(self, subscription: str) -> Iterator[IdentityHolder | Unknown]:
        """List a subscription's workflows, Standard logic apps, their slots, user-assigned identities.

        Standard logic apps come without definitions: these are files of each one, see `workflows_of`.
        """
        # Assumption: a listing shows `identity` just as a GET of the single resource does.
        here = ResourceId(f"/subscriptions/{subscription}")
        yield from _lines(
            _ask(WORKFLOWS, f"the workflows of subscription {subscription}"),
            lambda: self._clients().workflows(subscription),
            read.workflow,
        )
        yield from self._sites(here)
        yield from _lines(
            _ask(IDENTITIES, f"the user-assigned identities of subscription {subscription}"),
            lambda: self._clients().resources(_under(here, IDENTITIES), IDENTITIES_VERSION),
            lambda line: read.user_assigned_identity(read.line(line)),
        )

    def assignments_in(self, subscription: str) -> Iterator[RoleAssignment | Unknown]:
        """List the role assignments in force in a subscription (those from above it too), page by page."""
        return self._assignments(subscription, None)

    def close(self) -> None:
        """Let go of connections. Closing twice is harmless."""
        with self._lock:
            made, self._made = self._made, None
        if made is not None:
            made.close()

    def _clients(self) -> Clients:
        with self._lock:
            if self._made is None:
                self._made = Clients(self._endpoint, self._credential, self._hooks)
            return self._made

    def _granted(self, model: AssignmentModel, subscription: str) -> RoleAssignment:
        definition = read.definition_of(model)
        seen = read.assignment(model, self._roles.get(definition, subscription or definition.subscription))
        scope = seen.access.scope
        if scope.level is not Level.SUBSCRIPTION:
            return seen
        called = ResourceId(scope.text, self._names.get(scope.subscription))
        return replace(seen, access=replace(seen.access, scope=called))

    def _assignments(self, subscription: str, condition: str | None) -> Iterator[RoleAssignment | Unknown]:
        return _lines(
            _ask(ASSIGNMENTS, f"the role assignments of subscription {subscription}"),
            lambda: self._clients().assignments(ResourceId(f"/subscriptions/{subscription}"), condition),
            lambda model: self._granted(model, subscription),
        )

    def _definition(self, id: ResourceId) -> Look[RoleDefinition]:
        def get() -> RoleDefinition:
            seen = read.role(self._clients().definition(id))
            if seen.id != guid(id.text):
                raise Unreadable("the reply is about another role definition")
            return seen

        return look(_ask(DEFINITIONS, f"role definition {id.name}"), get)

    def _name(self, subscription: str) -> str:
        """A subscription's display name; empty where it can't be read: that is nobody's gap."""
        # Assumption: Reader, or `Microsoft.Resources/subscriptions/read`, is enough to read it.
        try:
            return read.subscription_name(self._clients().subscription(subscription), subscription)
        except FAILURES:
            return ""

    def _definitions_in(self, subscription: str) -> Iterator[RoleDefinition | Unknown]:
        return _lines(
            _ask(DEFINITIONS, f"the role definitions of subscription {subscription}"),
            lambda: self._clients().definitions(ResourceId(f"/subscriptions/{subscription}")),
            read.role,
        )

    def _holder(self, kind: str, id: ResourceId) -> IdentityHolder | NotAHolder:
        if kind == WORKFLOWS:
            return read.workflow(self._clients().workflow(id))
        if kind == IDENTITIES:
            return read.user_assigned_identity(self._clients().resource(id, IDENTITIES_VERSION))
        return read.site(self._clients().resource(id, SITES_VERSION))

    def _workflows_of(self, kind: str, app: ResourceId, until: standard.Until) -> Definition | Unknown:
        ask = _ask(f"{kind}/workflows", f"the workflows of {app.name} ({kind})")
        try:
            return standard.read(self._clients(), app, until)
        except FAILURES as error:
            return unknown(ask, error)

    def _sites(self, scope: ResourceId) -> Iterator[IdentityHolder | Unknown]:
        """The Standard logic apps of a subscription, each followed by its slots."""
        for app in self._sites_at(_under(scope, SITES), f"the sites of {scope.short}"):
            if not isinstance(app, NotAHolder):
                yield app
            if isinstance(app, IdentityHolder):
                slots = self._sites_at(ResourceId(f"{app.id}/slots"), f"the slots of {app.id.name}")
                yield from (slot for slot in slots if not isinstance(slot, NotAHolder))

    def _sites_at(self, path: ResourceId, what: str) -> Iterator[IdentityHolder | NotAHolder | Unknown]:
        return _lines(
            _ask(SLOTS if path.key.endswith("/slots") else SITES, what),
            lambda: self._clients().resources(path, SITES_VERSION),
            lambda line: read.site(read.line(line)),
        )


def _ask(kind: str, what: str) -> Ask:
    return Ask(what, f"{kind}/read")


def _under(scope: ResourceId, kind: str) -> ResourceId:
    return ResourceId(f"{scope}/providers/{kind}")


def _lines(
    ask: Ask, listing: Callable[[], Iterable[Raw]], translate: Callable[[Raw], State]
) -> Iterator[State | Unknown]:
    """Read a listing to its end, or until it fails. A line that can't be understood is Unknown by itself."""
    try:
        for raw in listing():
            try:
                seen: State | Unknown = translate(raw)
            except Unreadable as error:
                seen = unknown(ask, error)
            yield seen
    except FAILURES as error:
        yield unknown(ask, error)
