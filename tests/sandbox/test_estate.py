"""How the estate changes: what keeps a principal, what replaces it, and what stays behind."""

from datetime import datetime

import pytest

from lami.sandbox import IDENTITY, SITE, SLOT, Actor, Refused, Sandbox, resource_id
from tests.sandbox.support import known, logic, principal_of, shown_principal, vault, workflow


def test_same_seed_same_ids() -> None:
    """The same calls on the same seed give the same ids; another seed gives others."""

    def principal(seed: int) -> tuple[str, str]:
        azure = Sandbox(seed=seed)
        return azure.subscription, principal_of(azure.estate.put(workflow(azure)))

    assert principal(7) == principal(7)
    assert principal(7) != principal(8)


def test_in_place_put_keeps(azure: Sandbox) -> None:
    """Deploying in place keeps principal and createdTime, and moves changedTime."""
    azure.estate.put(workflow(azure))
    before = logic(azure).workflows.get("rg-claims", "claims-intake")
    azure.estate.put(workflow(azure).lower(), identity="system", tags={"v": "2"})
    after = logic(azure).workflows.get("rg-claims", "claims-intake")
    assert after.id == before.id
    assert shown_principal(after) == shown_principal(before)
    assert after.created_time == before.created_time
    assert known(after.changed_time, datetime) > known(before.changed_time, datetime)


@pytest.mark.parametrize("kind", ["workflow", "identity", "site", "slot"])
def test_recreate_gives_a_new_principal(azure: Sandbox, kind: str) -> None:
    """Delete and create under the same name gives another principal, whatever carries it."""
    sub = azure.subscription
    azure.estate.put(resource_id(sub, "rg", SITE, "shop"))
    target = {
        "workflow": workflow(azure),
        "identity": resource_id(sub, "rg", IDENTITY, "id-claims"),
        "site": resource_id(sub, "rg", SITE, "shop"),
        "slot": resource_id(sub, "rg", SLOT, "shop", "staging"),
    }[kind]
    before = azure.estate.put(target)
    after = azure.estate.recreate(target)
    assert after.id == before.id
    assert principal_of(after) != principal_of(before)
    assert after.created > before.created


def test_identity_off_and_on(azure: Sandbox) -> None:
    """Switching the system identity off and on again gives another principal."""
    first = principal_of(azure.estate.put(workflow(azure)))
    assert azure.estate.put(workflow(azure), identity="none").system is None
    assert principal_of(azure.estate.put(workflow(azure), identity="system")) != first


def test_refused_recreate_deletes_nothing(azure: Sandbox) -> None:
    """An app whose attached identity is gone can't be created again as it was, so it is not deleted."""
    identity = azure.estate.put(resource_id(azure.subscription, "rg", IDENTITY, "id-claims"))
    app = azure.estate.put(workflow(azure), identity="user", user_assigned=[identity.id])
    azure.estate.delete(identity.id)
    with pytest.raises(Refused, match="there is no"):
        azure.estate.recreate(app.id)
    assert azure.estate.resources.get(app.id) == app


def test_assignments_survive_their_principal(azure: Sandbox) -> None:
    """An assignment stays, unchanged, when the identity it was made to is gone."""
    azure.estate.put(workflow(azure))
    made = azure.estate.assign("Reader", vault(azure), of=workflow(azure))
    azure.estate.delete(workflow(azure))
    assert azure.estate.assignments.get(made.id) == made


def test_deleting_a_group_takes_all_in_it(azure: Sandbox) -> None:
    """A deleted resource group takes resources and the assignments made in it, and nothing else."""
    azure.estate.put(workflow(azure))
    elsewhere = azure.estate.put(resource_id(azure.subscription, "rg-claims-2", SITE, "shop"))
    made = azure.estate.assign("Reader", vault(azure), of=workflow(azure))
    azure.estate.delete_group(f"/subscriptions/{azure.subscription}/resourcegroups/RG-CLAIMS")
    assert azure.estate.resources.all() == [elsewhere]
    assert azure.estate.assignments.get(made.id) is None


def test_attached_identity_shows_who_it_was(azure: Sandbox) -> None:
    """An app goes on showing the principal an identity had when attached, until it is written again."""
    identity = azure.estate.put(resource_id(azure.subscription, "rg", IDENTITY, "id-claims"))
    before = azure.estate.put(workflow(azure), identity="user", user_assigned=[identity.id])
    azure.estate.recreate(identity.id)
    assert azure.estate.resources.get(before.id) == before
    after = azure.estate.put(workflow(azure), identity="user", user_assigned=[identity.id])
    assert after.attached != before.attached


def test_assignment_rules(azure: Sandbox) -> None:
    """An assignment can't be doubled or moved to another principal; its condition can change."""
    one, other = (principal_of(azure.estate.put(workflow(azure, name))) for name in ("one", "other"))
    made = azure.estate.assign("Reader", vault(azure), principal_id=one)
    with pytest.raises(Refused, match="exists already"):
        azure.estate.assign("Reader", vault(azure), principal_id=one)
    with pytest.raises(Refused, match="can't be changed") as refused:
        azure.estate.assign("Reader", vault(azure), principal_id=other, name=made.name)
    assert refused.value.code == "RoleAssignmentUpdateNotPermitted"
    changed = azure.estate.assign("Reader", vault(azure), principal_id=one, name=made.name, condition="@x")
    assert (changed.created, changed.condition) == (made.created, "@x")
    assert changed.updated > made.updated
    azure.estate.unassign(made.id)
    assert azure.estate.assign("Reader", vault(azure), principal_id=other, name=made.name).id == made.id


def test_custom_roles(azure: Sandbox) -> None:
    """A custom role is rewritten under its GUID, can't be deleted while held, and built-ins stay."""
    azure.estate.put(workflow(azure))
    role = azure.estate.put_role("Claims Fixer", [{"actions": ["*/read"]}])
    wider = azure.estate.put_role("Claims Fixer", [{"actions": ["*"]}])
    assert wider.name == role.name
    made = azure.estate.assign(role.name, vault(azure), of=workflow(azure), actor=Actor.named("Kim"))
    assert azure.estate.directory[made.created_by] == "Kim"
    with pytest.raises(Refused, match="still assigned"):
        azure.estate.delete_role("Claims Fixer")
    azure.estate.unassign(made.id)
    azure.estate.delete_role("Claims Fixer")
    with pytest.raises(Refused, match="built-in"):
        azure.estate.put_role("Owner", [])
