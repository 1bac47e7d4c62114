"""The state of the little Azure, changing as Azure does; in memory, behind one lock.

How it behaves, after Microsoft's documents and recordings where nothing else is said:

- Deleting and creating again under the same name gives a new principal; so does switching the system
  identity off and on. A PUT in place keeps it, and keeps `createdTime`.
- Role assignments survive their principal. They can't be moved to another principal, role or scope: a PUT
  that tries fails with RoleAssignmentUpdateNotPermitted.
- An app that attaches a user-assigned identity goes on showing the principal it had when it was attached.
  # Assumption: so an identity deleted and created again reads differently on the app until the next PUT.
- Deleting something silently takes away the assignments made on it and below it.  # Assumption
- Deleting a resource group raises one event, none for what was in it.  # Assumption
- All subscriptions lie under one chain: root > every management group > every subscription.
"""

import json
import random
import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from importlib.resources import files
from itertools import count
from threading import RLock
from typing import Literal
from uuid import UUID

from lami.sandbox.definitions import PLAIN, PLAIN_FILES
from lami.sandbox.model import (
    ASSIGNMENTS,
    DEFINITIONS,
    GROUPS,
    IDENTITY,
    ROBIN,
    SITE,
    SLOT,
    WORKFLOW,
    Actor,
    Assignment,
    Happening,
    JsonObject,
    Principal,
    Refused,
    Resource,
    Role,
    Run,
    Wanted,
    is_within,
    resource_id,
    split_group,
    split_id,
)
from lami.sandbox.shelf import Shelf

_SCOPE = re.compile(r"(?i)/subscriptions/([^/]+)(/resourceGroups/[^/]+(/providers/[^/]+(/[^/]+/[^/]+)+)?)?")
_GUID = re.compile(r"(?i)[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Estate:
    """Subscriptions and what is in them. Changes are methods; each tells `on_change` what happened.

    Ids are drawn from `seed`, times from `now`: the same calls give the same estate. `on_change` is called
    with the lock held, so it hears of changes in their order and must not wait for anything.
    """

    def __init__(
        self,
        seed: int,
        now: Callable[[], datetime],
        on_change: Callable[[Happening], None],
        subscriptions: Sequence[str] = (),
    ) -> None:
        self.lock = RLock()
        self._random = random.Random(seed)  # noqa: S311 - reproducible ids, no secrets
        self._now = now
        self._on_change = on_change
        self._times: list[datetime] = []
        self.tenant = self.new_guid()
        self.subscriptions = list(subscriptions) or [self.new_guid()]
        lower = [each.lower() for each in self.subscriptions]
        self.names = dict(zip(lower, _names(), strict=False))  # display names of subscriptions
        self.resources: Shelf[Resource] = Shelf(self.lock)
        self.assignments: Shelf[Assignment] = Shelf(self.lock)
        self.roles: Shelf[Role] = Shelf(self.lock)
        self.runs: Shelf[Run] = Shelf(self.lock)
        self.directory = {ROBIN.object_id: ROBIN.name}  # display names of principals, the deleted too
        self.identities: set[str] = set()  # the principals that resources have, or had
        for role in _built_in():
            self.roles.put(role.name, role, 0)
        # What lets Robin work: and a listing at a subscription shows what it inherits, as a real one does.
        self.assign("Owner", GROUPS + "contoso", principal_id=ROBIN.object_id, principal_type="User")

    def new_guid(self) -> str:
        """The next GUID of the seed."""
        return str(UUID(int=self._random.getrandbits(128), version=4))

    @property
    def tick(self) -> int:
        """How many changes there have been."""
        with self.lock:
            return len(self._times)

    def tick_ago(self, seconds: float) -> int:
        """The tick that was current so many seconds ago."""
        with self.lock:
            return bisect_right(self._times, self._now() - timedelta(seconds=seconds))

    # Resources

    def put(
        self,
        identifier: str,
        *,
        identity: Wanted | None = None,
        user_assigned: Sequence[str] = (),
        tags: Mapping[str, str] | None = None,
        kind: str | None = None,
        definition: JsonObject | None = None,
        parameters: JsonObject | None = None,
        files: JsonObject | None = None,
        actor: Actor = ROBIN,
    ) -> Resource:
        """Write a resource. What is left out (None) stays as it is; a new app has a system identity.

        `user_assigned` holds the ids of the identities to attach, and goes with identity `user` or `both`.
        `definition` and `parameters` are a workflow's, `files` a Standard logic app's.
        """
        subscription, group, type_, names = split_id(identifier)
        self._known(subscription)
        if type_ != WORKFLOW and (definition is not None or parameters is not None):
            raise Refused("only a workflow has a definition and parameters")
        if type_ not in (SITE, SLOT) and files is not None:
            raise Refused("only a site or slot has files")
        with self.lock:
            old = self.resources.get(identifier)
            if type_ == SLOT and not self.resources.get(resource_id(subscription, group, SITE, names[0])):
                raise Refused(f"there is no site {names[0]!r} to have a slot", 404)
            system, attached = self._identity(old, type_, identity, user_assigned)
            at = self._advance()
            new = Resource(
                id=old.id if old else resource_id(subscription, group, type_, *names),
                type=type_,
                kind=kind
                or (old.kind if old else "functionapp,workflowapp" if type_ in (SITE, SLOT) else ""),
                created=old.created if old else at,
                changed=at,
                state=old.state if old else "Enabled",
                location="westeurope",
                tags=dict(tags) if tags is not None else old.tags if old else {},
                system=system,
                attached=attached,
                definition=definition or (old.definition if old else PLAIN if type_ == WORKFLOW else None),
                parameters=parameters if parameters is not None else old.parameters if old else {},
                files=files if files is not None else old.files if old else PLAIN_FILES,
            )
            if system:
                self.directory[system.principal_id] = new.name
                self.identities.add(system.principal_id)
            self.resources.put(new.id, new, self.tick)
            self._tell(f"{type_}/write", new.id, at, actor)
            return new

    def set_state(self, identifier: str, state: str, actor: Actor = ROBIN) -> Resource:
        """Enable or disable a workflow (`state` is Enabled or Disabled)."""
        verbs = {"Enabled": "enable", "Disabled": "disable"}
        if state not in verbs:
            raise Refused(f"a workflow's state is Enabled or Disabled, not {state!r}")
        if split_id(identifier)[2] != WORKFLOW:
            raise Refused("only a workflow can be enabled and disabled")
        with self.lock:
            new = replace(self._existing(identifier), state=state, changed=(at := self._advance()))
            self.resources.put(new.id, new, self.tick)
            self._tell(f"{new.type}/{verbs[state]}/action", new.id, at, actor, "POST")
            return new

    def deploy(self, identifier: str, files: JsonObject, actor: Actor = ROBIN) -> Resource:
        """Put other files into a Standard logic app, as the portal's designer saves them."""
        if split_id(identifier)[2] not in (SITE, SLOT):
            raise Refused("only a site or slot has files")
        with self.lock:
            at, new = self._advance(), replace(self._existing(identifier), files=files)
            self.resources.put(new.id, new, self.tick)
            self._tell(f"{new.type}/deployWorkflowArtifacts/action", new.id, at, actor, "POST")
            return new

    def run(self, identifier: str, status: Literal["Succeeded", "Failed"] = "Succeeded") -> Run:
        """Let a workflow have run, and end so. Azure tells no event of it."""
        if split_id(identifier)[2] != WORKFLOW:
            raise Refused("only a workflow has runs")
        with self.lock:
            name = f"{self.new_guid().replace('-', '')}CU00"
            run = Run(f"{self._existing(identifier).id}/runs/{name}", self._advance(), status)
            self.runs.put(run.id, run, self.tick)
            return run

    def delete(self, identifier: str, actor: Actor = ROBIN) -> None:
        """Delete a resource with its slots; its principal goes, assignments to that principal stay."""
        with self.lock:
            old, at = self._existing(identifier), self._advance()
            self._sweep(old.id)
            self._tell(f"{old.type}/delete", old.id, at, actor, "DELETE")

    def delete_group(self, identifier: str, actor: Actor = ROBIN) -> None:
        """Delete a resource group and all that is in it."""
        subscription, _ = split_group(identifier)
        self._known(subscription)
        with self.lock:
            if not any(is_within(each.id, identifier) for each in self.resources.all()):
                raise Refused(f"there is nothing in {identifier!r}", 404, "ResourceGroupNotFound")
            at = self._advance()
            self._sweep(identifier)
            self._tell(
                "Microsoft.Resources/subscriptions/resourceGroups/delete", identifier, at, actor, "DELETE"
            )

    def recreate(self, identifier: str, actor: Actor = ROBIN) -> Resource:
        """Delete a resource and create it again as it was: a redeploy that moves its identity."""
        with self.lock:
            old = self._existing(identifier)
            for attached in old.attached:
                self._existing(attached)  # refuses before anything is deleted
            self.delete(old.id, actor)
            own_choice = old.type != IDENTITY
            return self.put(
                old.id,
                identity=_WANTED[old.system is not None, bool(old.attached)] if own_choice else None,
                user_assigned=tuple(old.attached),
                tags=old.tags,
                kind=old.kind,
                definition=old.definition,
                parameters=old.parameters if old.type == WORKFLOW else None,
                files=old.files if old.type in (SITE, SLOT) else None,
                actor=actor,
            )

    # Roles and their assignments

    def assign(
        self,
        role: str,
        scope: str,
        *,
        principal_id: str | None = None,
        of: str | None = None,
        principal_type: str = "ServicePrincipal",
        name: str | None = None,
        condition: str | None = None,
        description: str | None = None,
        actor: Actor = ROBIN,
    ) -> Assignment:
        """Grant `role` (name or GUID) at `scope` to a principal, or to the identity `of` a resource."""
        with self.lock:
            scope = self._scope(scope)
            definition = self.find_role(role)
            grantee = self._grantee(principal_id, of)
            if name and not _GUID.fullmatch(name):
                raise Refused(f"{name!r} is no name of an assignment: it has to be a GUID")
            old = self.assignments.get(scope.rstrip("/") + ASSIGNMENTS + name) if name else None
            subject = (definition.name, grantee)
            if old and (old.role, old.principal_id) != subject:
                self._tell(
                    "Microsoft.Authorization/roleAssignments/write",
                    old.id,
                    self._advance(),
                    actor,
                    succeeded=False,
                )
                raise Refused(
                    f"assignment {old.name} belongs to principal {old.principal_id}: principal, role and "
                    "scope of an assignment can't be changed",
                    409,
                    "RoleAssignmentUpdateNotPermitted",
                )
            for other in self.assignments.all():
                same = (other.role, other.principal_id) == subject and other.scope.lower() == scope.lower()
                if same and other.name != name:
                    raise Refused(
                        f"the role assignment exists already: {other.id}", 409, "RoleAssignmentExists"
                    )
            at = self._advance()
            new = Assignment(
                name=old.name if old else name or self.new_guid(),
                scope=old.scope if old else scope,
                role=definition.name,
                principal_id=grantee,
                principal_type=old.principal_type if old else principal_type,
                condition=condition,
                description=description,
                created=old.created if old else at,
                updated=at,
                created_by=old.created_by if old else actor.object_id,
                updated_by=actor.object_id,
            )
            self.assignments.put(new.id, new, self.tick)
            self._tell("Microsoft.Authorization/roleAssignments/write", new.id, at, actor)
            return new

    def unassign(self, identifier: str, actor: Actor = ROBIN) -> None:
        """Delete the role assignment with that resource id."""
        with self.lock:
            old = self.assignments.get(identifier)
            if old is None:
                raise Refused(f"there is no role assignment {identifier!r}", 404, "RoleAssignmentNotFound")
            at = self._advance()
            self.assignments.put(old.id, None, self.tick)
            self._tell("Microsoft.Authorization/roleAssignments/delete", old.id, at, actor, "DELETE")

    def put_role(
        self,
        role_name: str,
        permissions: Sequence[JsonObject],
        *,
        name: str | None = None,
        description: str = "",
        assignable_scopes: Sequence[str] = (),
        actor: Actor = ROBIN,
    ) -> Role:
        """Create a custom role, or rewrite it in place: found by `name` (GUID), else by `role_name`."""
        with self.lock:
            scopes = tuple(self._scope(scope) for scope in assignable_scopes)
            old = next(
                (role for role in self.roles.all() if name == role.name or role_name == role.role_name), None
            )
            if old and old.built_in:
                raise Refused(f"{old.role_name} is a built-in role: it can't be changed", 409)
            at = self._advance()
            new = Role(
                name=old.name if old else name or self.new_guid(),
                role_name=role_name,
                description=description,
                built_in=False,
                permissions=tuple(permissions),
                assignable_scopes=scopes or (f"/subscriptions/{self.subscriptions[0]}",),
                created=old.created if old else at,
                updated=at,
            )
            self.roles.put(new.name, new, self.tick)
            self._tell_role("write", new, at, actor)
            return new

    def delete_role(self, role: str, actor: Actor = ROBIN) -> None:
        """Delete a custom role that nobody holds."""
        with self.lock:
            old = self.find_role(role)
            if old.built_in or any(given.role == old.name for given in self.assignments.all()):
                raise Refused(
                    f"{old.role_name} is built in or still assigned", 409, "RoleDefinitionHasAssignments"
                )
            at = self._advance()
            self.roles.put(old.name, None, self.tick)
            self._tell_role("delete", old, at, actor)

    def find_role(self, role: str, tick: int | None = None) -> Role:
        """The role of that GUID, definition id or role name; refuses with 404."""
        guid = role.rpartition("/")[2]
        found = self.roles.get(guid, tick)
        found = found or next(
            (each for each in self.roles.all(tick) if each.role_name.lower() == role.lower()), None
        )
        if found is None:
            raise Refused(f"there is no role definition {role!r}", 404, "RoleDefinitionDoesNotExist")
        return found

    # Within

    def _advance(self) -> datetime:
        last = self._times[-1] + timedelta(microseconds=1) if self._times else self._now()
        self._times.append(max(self._now(), last))
        return self._times[-1]

    def _known(self, subscription: str) -> None:
        if subscription.lower() not in (each.lower() for each in self.subscriptions):
            raise Refused(
                f"there is no subscription {subscription!r} here; there is {', '.join(self.subscriptions)}",
                404,
                "SubscriptionNotFound",
            )

    def _existing(self, identifier: str) -> Resource:
        split_id(identifier)
        found = self.resources.get(identifier)
        if found is None:
            raise Refused(f"there is no {identifier!r}", 404, "ResourceNotFound")
        return found

    def _scope(self, scope: str) -> str:
        scope = "/" + scope.strip("/")
        found = _SCOPE.fullmatch(scope)
        if found:
            self._known(found[1])
        elif scope != "/" and not (is_within(scope, GROUPS) and scope.count("/") == 4):
            raise Refused(
                f"{scope!r} is no scope: /, a management group, a subscription, or something in one"
            )
        return scope

    def _grantee(self, principal_id: str | None, of: str | None) -> str:
        if (principal_id is None) == (of is None):
            raise Refused("say to whom: either a principalId or the resource it is the identity 'of'")
        if of is not None:
            system = self._existing(of).system
            if system is None:
                raise Refused(f"{of!r} has no system identity; name the user-assigned identity itself")
            return system.principal_id
        if not _GUID.fullmatch(principal_id or ""):
            raise Refused(f"{principal_id!r} is no principal id: it has to be a GUID")
        return str(principal_id).lower()

    def _identity(
        self, old: Resource | None, type_: str, wanted: Wanted | None, user_assigned: Sequence[str]
    ) -> tuple[Principal | None, Mapping[str, Principal]]:
        """The principals a PUT leaves a resource with."""
        if wanted is None and user_assigned:
            raise Refused("userAssigned goes with identity 'user' or 'both'")
        if wanted is None and old:
            return old.system, old.attached
        if type_ == IDENTITY and wanted is not None:
            raise Refused("a user-assigned identity has no identity of its own to choose")
        if wanted in ("user", "both") and not user_assigned:
            raise Refused(f"identity {wanted!r} needs the ids of userAssigned identities")
        if wanted in ("none", "system") and user_assigned:
            raise Refused(f"identity {wanted!r} has no userAssigned identities")
        if type_ == WORKFLOW and (wanted == "both" or len(user_assigned) > 1):
            raise Refused(
                "a Consumption logic app has a system identity or one userAssigned identity, not both"
            )
        attached = {}
        for identifier in user_assigned:
            found = self._existing(identifier)
            if found.type != IDENTITY or found.system is None:
                raise Refused(f"{identifier!r} is no user-assigned identity")
            attached[found.id] = found.system
        if wanted in ("none", "user"):
            return None, attached
        return (old and old.system) or Principal(self.new_guid(), self.new_guid()), attached

    def _sweep(self, scope: str) -> None:
        for resource in self.resources.all():
            if is_within(resource.id, scope):
                self.resources.put(resource.id, None, self.tick)
        for assignment in self.assignments.all():
            if is_within(assignment.scope, scope):
                self.assignments.put(assignment.id, None, self.tick)

    def _tell_role(self, verb: str, role: Role, at: datetime, actor: Actor) -> None:
        subject = role.assignable_scopes[0].rstrip("/") + DEFINITIONS + role.name
        operation = f"Microsoft.Authorization/roleDefinitions/{verb}"
        self._tell(operation, subject, at, actor, "PUT" if verb == "write" else "DELETE")

    def _tell(
        self,
        operation: str,
        subject: str,
        at: datetime,
        actor: Actor,
        method: Literal["PUT", "DELETE", "POST"] = "PUT",
        *,
        succeeded: bool = True,
    ) -> None:
        self.directory.setdefault(actor.object_id, actor.name)
        if self._random.random() < 0.5:  # casing is not stable in real events either
            subject = subject.replace("/resourceGroups/", "/resourcegroups/", 1)
        event, correlation, request = self.new_guid(), self.new_guid(), self.new_guid()
        self._on_change(
            Happening(
                id=event,
                operation=operation,
                subject=subject,
                method=method,
                succeeded=succeeded,
                at=at,
                actor=actor,
                correlation_id=correlation,
                request_id=request,
                tenant=self.tenant,
            )
        )


_WANTED: Mapping[tuple[bool, bool], Wanted] = {
    (False, False): "none",
    (True, False): "system",
    (False, True): "user",
    (True, True): "both",
}


def _names() -> Iterator[str]:
    """Names for subscriptions: `contoso-prod`, `contoso-test`, then by number."""
    yield from ("contoso-prod", "contoso-test")
    yield from (f"contoso-{number}" for number in count(3))


def _built_in() -> list[Role]:
    """The built-in roles that come with the sandbox; roles.json names its source."""
    table = json.loads(files("lami.sandbox").joinpath("roles.json").read_text("utf-8"))
    return [
        Role(each["name"], each["roleName"], each["description"], True, tuple(each["permissions"]), ("/",))
        for each in table["roles"]
    ]
