"""Translate ARM's replies to lami's nouns: SDK models where the SDK has them, plain JSON where it has not.

Pure. A reply that leaves out what lami judges by is `Unreadable`, never read as an empty one.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from lami.arm import definition
from lami.arm.protocol import NotAHolder
from lami.core.decode import clean
from lami.core.ids import ResourceId, guid
from lami.core.model import Access, Attached, IdentityHolder, Permission, RoleAssignment, RoleDefinition
from lami.rest.unreadable import Unreadable

if TYPE_CHECKING:
    from azure.mgmt.authorization.v2022_04_01.models import RoleAssignment as AssignmentModel
    from azure.mgmt.authorization.v2022_05_01_preview.models import Permission as PermissionModel
    from azure.mgmt.authorization.v2022_05_01_preview.models import RoleDefinition as DefinitionModel
    from azure.mgmt.logic.models import Workflow as WorkflowModel

Json = Mapping[str, object]

LONGEST_NAME = 64
"""Characters of a display name that are kept."""

_IDENTITY_TYPES = frozenset({"systemassigned", "userassigned", "none"})


def definition_of(model: AssignmentModel) -> ResourceId:
    """The id of the role definition that a role assignment gives."""
    if not model.role_definition_id:
        raise Unreadable("the role assignment names no role")
    return ResourceId(model.role_definition_id)


def assignment(model: AssignmentModel, role: RoleDefinition) -> RoleAssignment:
    """A role assignment with its role.

    The principal type is empty where it is missing, and where the identity is delegated by another tenant:
    that principal may be in the other one's directory, and is not to be looked for in this one's.
    """
    # Assumption: an assignment to another tenant's identity that has a type of ours names its delegate.
    if not model.id or not model.scope or not model.principal_id:
        raise Unreadable("the role assignment lacks its id, principal or scope")
    return RoleAssignment(
        id=ResourceId(model.id),
        principal=_principal(model.principal_id),
        principal_type="" if model.delegated_managed_identity_resource_id else model.principal_type or "",
        access=Access(role.id, ResourceId(model.scope), (model.condition or "").strip()),
        role=role,
        created=_utc(model.created_on),
        changed=_utc(model.updated_on),
        created_by=model.created_by or "",
    )


def role(model: DefinitionModel) -> RoleDefinition:
    """A role definition with its permissions, each with the condition it stands under."""
    name = guid(model.name or model.id or "")
    if not name or not model.permissions or None in model.permissions:
        raise Unreadable("the role definition lacks its id or permissions")
    return RoleDefinition(
        id=name,
        name=model.role_name or "",
        permissions=tuple(_permission(block) for block in model.permissions),
        custom=(model.role_type or "").lower() == "customrole",
        changed=_utc(model.updated_on),
    )


def _permission(block: PermissionModel) -> Permission:
    if block.actions is None and block.data_actions is None:
        raise Unreadable("a permission of the role definition lacks its actions")
    return Permission(
        actions=_patterns(block.actions),
        not_actions=_patterns(block.not_actions),
        data_actions=_patterns(block.data_actions),
        not_data_actions=_patterns(block.not_data_actions),
        condition=block.condition or "",
    )


def _patterns(values: list[str] | None) -> tuple[str, ...]:
    """The patterns of one list. The SDK makes text of whatever stands in it, and leaves a null alone."""
    for value in values or ():
        if not isinstance(value, str) or value[:1] in ("[", "{") or not ("/" in value or "*" in value):
            raise Unreadable("a permission of the role definition holds what is no operation")
    return tuple(values or ())


def workflow(model: WorkflowModel) -> IdentityHolder:
    """A Consumption logic app. Without an identity the reply has no `identity` at all.

    Only a GET tells the true `createdTime`; the reply to a PUT has the time of the PUT.
    """
    block: Json | None = None
    if model.identity is not None:
        block = {
            "type": model.identity.type,
            "principalId": model.identity.principal_id,
            "userAssignedIdentities": {
                key: None if each is None else {"principalId": each.principal_id}
                for key, each in (model.identity.user_assigned_identities or {}).items()
            },
        }
    system, attached, oddity = identity(block)
    given = {name: each.value for name, each in (model.parameters or {}).items() if each is not None}
    return IdentityHolder(
        id=ResourceId(_text(model.id, "id")),
        kind="logicApp",
        system=system,
        attached=attached,
        created=_utc(model.created_time),
        changed=_utc(model.changed_time),
        tags=_tags(model.tags),
        oddity=oddity,
        # Assumption: a listing shows `definition` and `parameters` just as a GET of the single workflow does.
        definition=definition.read(model.definition, given),
    )


def site(body: Json) -> IdentityHolder | NotAHolder:
    """A Standard logic app or one of its slots; a site of another kind is no holder.

    A site tells no time of creation.
    """
    id = ResourceId(_text(body.get("id"), "id"))
    if "workflowapp" not in str(body.get("kind") or "").lower().split(","):
        return NotAHolder(id)
    changed = _object(body.get("properties"), "properties").get("lastModifiedTimeUtc")
    system, attached, oddity = identity(body.get("identity"))
    return IdentityHolder(
        id=id,
        kind="logicApp",
        system=system,
        attached=attached,
        changed=None if changed is None else _moment(changed),
        tags=_tags(body.get("tags")),
        oddity=oddity,
    )


def user_assigned_identity(body: Json) -> IdentityHolder:
    """A user-assigned identity; its own principal is its `system`. It tells no times."""
    properties = _object(body.get("properties"), "properties")
    return IdentityHolder(
        id=ResourceId(_text(body.get("id"), "id")),
        kind="userAssignedIdentity",
        system=_principal(properties.get("principalId")),
        tags=_tags(body.get("tags")),
    )


def identity(block: object) -> tuple[str, tuple[Attached, ...], str]:
    """System principal, attached identities and oddity, of an `identity` block or its absence.

    A block that says an identity is there and does not name it is `Unreadable`: to read it as none would
    be a change nobody made. Of an unknown type what is named is taken, and the oddity says so. An attached
    identity without a principal is one that has been deleted.
    """
    if block is None:
        return "", (), ""
    body = _object(block, "identity")
    said = str(body.get("type") or "None")
    types = {word.strip().lower() for word in said.split(",")}
    system = "" if body.get("principalId") in (None, "") else _principal(body.get("principalId"))
    attached = _attached(body.get("userAssignedIdentities"))
    if "systemassigned" in types and not system:
        raise Unreadable("the system-assigned identity is on and its principal is not named")
    if "userassigned" in types and not attached:
        raise Unreadable("an identity is said to be attached and none is named")
    oddities = []
    if not types <= _IDENTITY_TYPES:
        oddities.append(f"lami does not know the identity type {said[:60]!r}")
    elif (system and "systemassigned" not in types) or (attached and "userassigned" not in types):
        oddities.append(f"the identity type is {said[:60]!r} and other identities are named")
    # Assumption: an attached identity that was deleted stays attached, with no principal.
    nameless = [each.identity.name for each in attached if not each.principal]
    if nameless:
        oddities.append(f"no principal is named for the attached {', '.join(nameless)}")
    return system, attached, "; ".join(oddities)


def subscription_name(body: Json, subscription: str) -> str:
    """The display name of a subscription, fit to be shown.

    Whoever may write the subscription chooses it: hidden characters are left out, and what is long is cut.
    """
    if _text(body.get("subscriptionId"), "subscription's id").lower() != subscription:
        raise Unreadable("the reply is about another subscription")
    return clean(body.get("displayName"), LONGEST_NAME)


def page(body: Json) -> tuple[list[Json], str | None]:
    """The lines of one page of a listing, and the address of the next page."""
    lines, link = body.get("value"), body.get("nextLink")
    if not isinstance(lines, list) or not isinstance(link, str | None):
        raise Unreadable("the listing has no list of values")
    return lines, link or None


def line(body: object) -> Json:
    """One line of a plain JSON listing."""
    return _object(body, "line of the listing")


def _attached(block: object) -> tuple[Attached, ...]:
    """The attached identities, in the order of their ids; Azure may write one id in two casings."""
    found: dict[str, Attached] = {}
    for key, value in ({} if block is None else _object(block, "userAssignedIdentities")).items():
        principal = {} if value is None else _object(value, "attached identity")
        named = principal.get("principalId")
        each = Attached(ResourceId(key), "" if named in (None, "") else _principal(named))
        found[each.identity.key] = each
    return tuple(found[key] for key in sorted(found))


def _principal(value: object) -> str:
    """A principal's id in lower case; whatever else stands there is Unreadable."""
    text = _text(value, "principal").strip().lower()
    if guid(text) != text:
        raise Unreadable("the principal is no GUID")
    return text


def _object(value: object, what: str) -> Json:
    if not isinstance(value, dict):
        raise Unreadable(f"the {what} is no JSON object")
    return value


def _text(value: object, what: str) -> str:
    if not isinstance(value, str) or not value:
        raise Unreadable(f"the {what} is missing")
    return value


def _tags(value: object) -> dict[str, str]:
    tags = {} if value is None else _object(value, "tags")
    return {key: "" if text is None else str(text) for key, text in tags.items()}


def _moment(value: object) -> datetime:
    """A time that is written without its zone, which is UTC (`2026-11-24T08:14:21.1234567`)."""
    try:
        return _aware(datetime.fromisoformat(_text(value, "time")))
    except ValueError as error:
        raise Unreadable("a time cannot be read") from error


def _utc(time: datetime | None) -> datetime | None:
    return None if time is None else _aware(time)


def _aware(time: datetime) -> datetime:
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
