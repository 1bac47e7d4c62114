"""Recorded and documented replies read as the people who recorded them say they do."""

from __future__ import annotations

import pytest
from azure.mgmt.authorization.v2022_04_01.models import RoleAssignment as AssignmentModel

from lami.arm import read
from lami.arm.protocol import Arm
from lami.core.ids import ResourceId
from lami.core.model import IdentityHolder, Present, RoleDefinition
from lami.rest.unreadable import Unreadable
from tests.arm.scripted import Reply, Scripted
from tests.corpus import corpus_list, corpus_object

pytestmark = pytest.mark.corpus


def test_recorded_workflows(azure: Scripted, arm: Arm) -> None:
    """Every recorded state of a logic app's identity is read, from on to replaced to off."""
    recording = corpus_list("arm/real_logic_workflow_identity_recording.trimmed.json")
    seen = 0
    for each in recording:
        body = each["body"]
        azure.says[body["id"].lower()] = Reply(body)
        look = arm.holder(ResourceId(body["id"]))
        assert isinstance(look, Present), each["step"]
        holder: IdentityHolder = look.state
        said = body.get("identity", {}).get("type")
        if body["type"] == "Microsoft.Logic/workflows":
            seen += 1
            assert bool(holder.system) is (said == "SystemAssigned"), each["step"]
            assert bool(holder.attached) is (said == "UserAssigned"), each["step"]
            assert holder.created is not None
            assert holder.oddity == ""
        else:
            assert holder.system == body["properties"]["principalId"]
    assert seen > 5


def test_specified_assignment() -> None:
    """The specification's example has no times and is read all the same."""
    body = corpus_object("arm/restspecs_RoleAssignments_CreateForResource_201.json")
    model = AssignmentModel.deserialize(body)
    role = read.definition_of(model)
    seen = read.assignment(model, RoleDefinition(role.name, "", None))
    assert seen.principal == "ce2ce14e-85d7-4629-bdbc-454d0519d987"
    assert seen.access.scope.name == "test-db-account"
    assert seen.changed is None


def test_documented_placeholders_are_unreadable() -> None:
    """The documentation's `{objectId1}` is no principal, and lami says so and makes nothing of it."""
    body = corpus_object("arm/docs_roleAssignments_list_2022-04-01.json")
    model = AssignmentModel.deserialize(body["value"][0])
    with pytest.raises(Unreadable):
        read.assignment(model, RoleDefinition("", "", None))


def test_specified_identity() -> None:
    """The specification's example of a user-assigned identity."""
    examples = corpus_object("arm/restspecs_msi_examples.json")
    seen = read.user_assigned_identity(examples["IdentityGet"])
    assert (seen.system, seen.tags["key1"]) == ("25cc773c-7f05-40fc-a104-32d2300754ad", "value1")
