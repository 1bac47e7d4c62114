"""Translation of replies, without any network."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from azure.mgmt.authorization.v2022_04_01.models import RoleAssignment as AssignmentModel
from azure.mgmt.authorization.v2022_05_01_preview.models import RoleDefinition as DefinitionModel
from azure.mgmt.logic.models import Workflow as WorkflowModel

from lami.arm import read
from lami.arm.protocol import NotAHolder
from lami.core.ids import ResourceId
from lami.core.model import Attached, IdentityHolder, Permission, RoleAssignment
from lami.rest.unreadable import Unreadable
from tests.arm import replies
from tests.arm.replies import DEFINITIONS, IDENTITY, OWNER, P1, P2, READER, ROOT, SITE
from tests.reach.roles import LISTED, built_in


def _assignment(**properties: object) -> RoleAssignment:
    model = AssignmentModel.deserialize(replies.assignment(replies.ASSIGNMENT, P1, READER, **properties))
    role = read.role(DefinitionModel.deserialize(replies.definition()))
    return read.assignment(model, role)


def _workflow(**more: object) -> IdentityHolder:
    body = replies.workflow(replies.WORKFLOW, **more)
    model: WorkflowModel = WorkflowModel.deserialize(body)  # type: ignore[no-untyped-call]
    return read.workflow(model)


def _attached(principal: object = P1, key: str = IDENTITY) -> dict[str, object]:
    return {key: {"principalId": principal, "clientId": P2}}


def test_assignment_is_read_whole() -> None:
    """Every field that lami judges by arrives, ids and GUIDs comparable, times aware."""
    seen = _assignment(principalId=P1.upper(), condition="@Resource[x]")
    assert (seen.principal, seen.principal_type, seen.created_by) == (P1, "ServicePrincipal", P2)
    assert (seen.access.role, seen.access.scope.key, seen.access.condition) == (READER, ROOT, "@Resource[x]")
    assert seen.created == datetime(2026, 1, 15, 21, 8, 45, 490431, tzinfo=UTC)
    assert seen.changed == datetime(2026, 1, 16, 21, 8, 45, 490431, tzinfo=UTC)


def test_assignment_without_optional_fields() -> None:
    """Where Azure leaves out type, condition and times, lami knows none and makes none up."""
    seen = _assignment(principalType=None, condition=None, createdOn=None, updatedOn=None, createdBy=None)
    assert (seen.principal_type, seen.access.condition, seen.created_by) == ("", "", "")
    assert seen.created is None
    assert seen.changed is None


@pytest.mark.parametrize(
    "broken", [{"principalId": None}, {"principalId": ""}, {"principalId": "{objectId1}"}, {"scope": None}]
)
def test_assignment_needs_principal_and_scope(broken: dict[str, object]) -> None:
    """An assignment that doesn't say whose or where it is cannot be read."""
    with pytest.raises(Unreadable):
        _assignment(**broken)


def test_assignment_needs_a_role() -> None:
    """An assignment that doesn't say of which role it is cannot be read."""
    with pytest.raises(Unreadable):
        read.definition_of(AssignmentModel.deserialize(replies.assignment(roleDefinitionId=None)))


def test_all_built_in_roles() -> None:
    """Every built-in role is read, with all that it may do, and with the conditions of those that grant."""
    for expected, raw in zip(built_in(), json.loads(LISTED.read_text("utf-8")), strict=True):
        listed = [{"actions": [], **block} for block in raw["permissions"]]
        properties = {"roleName": raw["name"], "type": "BuiltInRole", "permissions": listed}
        body = {"id": f"{DEFINITIONS}/{raw['id']}", "name": raw["id"], "properties": properties}
        assert read.role(DefinitionModel.deserialize(body)) == expected


@pytest.mark.parametrize(
    "block",
    [
        {"actions": None},
        {"actions": ["*/read", None]},
        {"notActions": [None]},
        {"dataActions": [5]},
        {"notDataActions": [True]},
        {"actions": [["*/write"]]},
        {"actions": [{"allow": "*/write"}]},
        {"actions": [""]},
    ],
)
def test_a_malformed_permission_is_no_narrower_one(block: dict[str, object]) -> None:
    """Where ARM would give operations and something else stands, the role could not be read."""
    model = DefinitionModel.deserialize(replies.definition(READER, "Reader", **block))
    with pytest.raises(Unreadable):
        read.role(model)


@pytest.mark.parametrize("permissions", [None, [], [None]])
def test_a_role_needs_permissions(permissions: object) -> None:
    """A role definition without permissions was not read; it is not one that allows nothing."""
    body = replies.definition()
    body["properties"]["permissions"] = permissions
    with pytest.raises(Unreadable):
        read.role(DefinitionModel.deserialize(body))


def test_a_permission_may_list_nothing() -> None:
    """A role that allows nothing is read as that, also where the lists of data are left out."""
    role = read.role(DefinitionModel.deserialize(replies.definition(actions=[], notActions=None)))
    assert role.permissions == (Permission(),)


def test_a_huge_role_is_read_whole() -> None:
    """A hundred thousand patterns are kept, each of them."""
    many = [f"Microsoft.X{number}/*/read" for number in range(100_000)]
    role = read.role(DefinitionModel.deserialize(replies.definition(actions=many)))
    assert role.permissions == (Permission(tuple(many)),)


def test_role_keeps_the_condition_of_a_permission() -> None:
    """A role that grants roles under a condition is told from one that grants any."""
    body = replies.definition(
        OWNER, "Owner", condition="@Request[y]", notActions=["a/write"], dataActions=["d/read"]
    )
    role = read.role(DefinitionModel.deserialize(body))
    assert role.permissions is not None
    assert (role.id, role.name, role.custom) == (OWNER, "Owner", False)
    assert role.permissions[0].condition == "@Request[y]"
    assert role.permissions[0].not_actions == ("a/write",)
    assert role.permissions[0].data_actions == ("d/read",)


@pytest.mark.parametrize(
    ("said", "custom"), [("CustomRole", True), ("customrole", True), ("BuiltInRole", False)]
)
def test_role_type(said: str, custom: bool) -> None:
    """Custom roles are known by their type, in any casing."""
    body = replies.definition()
    body["properties"]["type"] = said
    assert read.role(DefinitionModel.deserialize(body)).custom is custom


def test_role_tells_the_time_of_its_newest_write() -> None:
    """Where Azure tells it: looks at a role can then be put in order."""
    body = replies.definition()
    assert read.role(DefinitionModel.deserialize(body)).changed is None
    body["properties"]["updatedOn"] = "2026-11-24T08:14:21.5Z"
    changed = read.role(DefinitionModel.deserialize(body)).changed
    assert changed is not None
    assert changed.isoformat() == "2026-11-24T08:14:21.500000+00:00"


@pytest.mark.parametrize("permissions", [None, []])
def test_role_without_permissions_is_unreadable(permissions: object) -> None:
    """A role whose permissions are left out is not a role that can do nothing."""
    body = replies.definition()
    body["properties"]["permissions"] = permissions
    with pytest.raises(Unreadable):
        read.role(DefinitionModel.deserialize(body))


def test_workflow_without_identity() -> None:
    """A logic app whose identity is off has no identity key, and that is no oddity."""
    seen = _workflow()
    assert (seen.system, seen.attached, seen.oddity, seen.kind) == ("", (), "", "logicApp")
    assert seen.created == datetime(2026, 3, 29, 3, 34, 54, 718654, tzinfo=UTC)
    assert seen.changed == datetime(2026, 4, 29, 3, 34, 54, 703159, tzinfo=UTC)
    assert seen.tags == {"owner": "orders"}


def test_workflow_system_assigned() -> None:
    """The system-assigned identity of a Consumption logic app."""
    assert _workflow(identity=replies.system(P1.upper())).system == P1


def test_workflow_user_assigned() -> None:
    """The attached identity of a Consumption logic app, its id in the casing Azure chose."""
    odd = IDENTITY.replace("resourceGroups", "resourcegroups")
    seen = _workflow(identity={"type": "UserAssigned", "userAssignedIdentities": _attached(key=odd)})
    assert seen.attached == (Attached(ResourceId(IDENTITY), P1),)
    assert (seen.system, seen.oddity) == ("", "")


@pytest.mark.parametrize(
    "said", ["SystemAssigned, UserAssigned", "SystemAssigned,UserAssigned", "userassigned,SYSTEMASSIGNED"]
)
def test_both_identities(said: str) -> None:
    """A Standard logic app may have both; Azure writes the pair in several ways."""
    block = {"type": said, "principalId": P2, "userAssignedIdentities": _attached()}
    assert read.identity(block) == (P2, (Attached(ResourceId(IDENTITY), P1),), "")


@pytest.mark.parametrize("block", [None, {"type": "None"}, {"type": "none", "principalId": None}, {}])
def test_no_identity(block: object) -> None:
    """An identity that is off reads as none, however Azure says it."""
    assert read.identity(block) == ("", (), "")


def test_unknown_identity_type_is_read_as_far_as_it_goes() -> None:
    """Of an identity type that Azure may invent lami takes what is named, and says so."""
    principal, attached, oddity = read.identity(
        {"type": "Galactic", "principalId": P2, "userAssignedIdentities": _attached()}
    )
    assert (principal, len(attached)) == (P2, 1)
    assert "Galactic" in oddity


def test_deleted_identity_stays_attached_as_an_oddity() -> None:
    """An attached identity without a principal is kept, and said."""
    _, attached, oddity = read.identity({"type": "UserAssigned", "userAssignedIdentities": _attached(None)})
    assert attached == (Attached(ResourceId(IDENTITY), ""),)
    assert "id-orders" in oddity


def test_identity_beside_its_type_is_an_oddity() -> None:
    """A principal that the type doesn't speak of is taken, and said."""
    assert read.identity({"type": "None", "principalId": P1})[2]


def test_attached_twice_in_two_casings_is_once() -> None:
    """One identity under two casings of its id is one identity; the order is that of the ids."""
    both = {**_attached(), **_attached(key=IDENTITY.upper()), **_attached(P2, IDENTITY[:-1] + "a")}
    _, attached, _ = read.identity({"type": "UserAssigned", "userAssignedIdentities": both})
    assert [each.principal for each in attached] == [P2, P1]


@pytest.mark.parametrize(
    "block",
    [
        {"type": "SystemAssigned"},
        {"type": "SystemAssigned", "principalId": ""},
        {"type": "SystemAssigned", "principalId": "nobody"},
        {"type": "SystemAssigned", "principalId": 7},
        {"type": "UserAssigned"},
        {"type": "UserAssigned", "userAssignedIdentities": {}},
        {"type": "UserAssigned", "userAssignedIdentities": []},
        {"type": "UserAssigned", "userAssignedIdentities": {IDENTITY: "x"}},
        "SystemAssigned",
    ],
)
def test_half_an_identity_is_unreadable(block: object) -> None:
    """A reply that says an identity is there and doesn't name it is not read as none."""
    with pytest.raises(Unreadable):
        read.identity(block)


def test_site_tells_when_it_changed_and_not_when_it_began() -> None:
    """A site's time comes without a zone and is UTC."""
    seen = read.site(replies.site(identity=replies.system()))
    assert isinstance(seen, IdentityHolder)
    assert (seen.created, seen.changed) == (None, datetime(2026, 5, 1, 10, 0, 0, 123456, tzinfo=UTC))
    assert (seen.system, seen.kind, seen.tags) == (P1, "logicApp", {})


@pytest.mark.parametrize("kind", ["app", "functionapp,linux", "notworkflowapp", "", None])
def test_other_sites_are_no_holders(kind: str | None) -> None:
    """A web app or function app is told from a logic app by its kind."""
    assert read.site(replies.site(kind=kind)) == NotAHolder(ResourceId(SITE))


@pytest.mark.parametrize("kind", ["workflowapp", "functionapp,workflowapp,linux", "FunctionApp,WorkflowApp"])
def test_logic_app_kinds(kind: str) -> None:
    """The kinds of a Standard logic app, in any casing."""
    assert isinstance(read.site(replies.site(kind=kind)), IdentityHolder)


@pytest.mark.parametrize(
    "broken",
    [{"id": None}, {"properties": None}, {"properties": {"lastModifiedTimeUtc": "soon"}}, {"tags": 3}],
)
def test_broken_site_is_unreadable(broken: dict[str, object]) -> None:
    """A site without what every site has cannot be read."""
    with pytest.raises(Unreadable):
        read.site({**replies.site(), **broken})


def test_user_assigned_identity_is_its_own_principal() -> None:
    """A user-assigned identity's principal is its own, and it tells no times."""
    seen = read.user_assigned_identity(replies.identity(principal=P1.upper()))
    assert (seen.system, seen.kind, seen.created, seen.changed) == (P1, "userAssignedIdentity", None, None)


@pytest.mark.parametrize("properties", [{}, {"principalId": None}, None, "x"])
def test_identity_without_principal_is_unreadable(properties: object) -> None:
    """A user-assigned identity without its principal cannot be read."""
    with pytest.raises(Unreadable):
        read.user_assigned_identity(replies.identity(properties=properties))
