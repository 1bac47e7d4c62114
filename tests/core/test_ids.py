"""Resource ids: case-blind, on the ladder of scopes, and short names of hostile text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lami.core.ids import Level, ResourceId, digest, guid
from lami.core.model import Access
from tests.core.builders import SUB, assignment_id, group, identity, site, workflow

MANAGEMENT_GROUP = ResourceId("/providers/Microsoft.Management/managementGroups/mg-root")
SUBSCRIPTION = ResourceId(f"/subscriptions/{SUB}")
PLAIN = st.text("abcXYZ019-_./", max_size=60)


@given(PLAIN)
def test_casing_and_outer_slashes_mean_nothing(text: str) -> None:
    """One id in any casing, with or without slashes around it, is one id and one key of a dict."""
    one, other = ResourceId(text.upper()), ResourceId(f"/{text.lower()}/")
    assert one == other
    assert len({one, other}) == 1


def test_an_id_is_shown_as_azure_wrote_it() -> None:
    """Text keeps its casing; another type is never equal."""
    id = ResourceId(" /Subscriptions/x".strip())
    assert (str(id), id.key) == ("/Subscriptions/x", "/subscriptions/x")
    assert id != "/subscriptions/x"


@pytest.mark.parametrize(
    ("id", "level", "short"),
    [
        (ResourceId("/"), Level.TENANT, "the tenant root"),
        (ResourceId(""), Level.TENANT, "the tenant root"),
        (MANAGEMENT_GROUP, Level.MANAGEMENT_GROUP, "management group mg-root"),
        (SUBSCRIPTION, Level.SUBSCRIPTION, f"subscription {SUB[:8]}"),
        (ResourceId(SUBSCRIPTION.text, "contoso-prod"), Level.SUBSCRIPTION, "subscription contoso-prod"),
        (group("rg"), Level.RESOURCE_GROUP, "resource group rg"),
        (ResourceId(group("rg").text.lower()), Level.RESOURCE_GROUP, "resource group rg"),
        (workflow("w"), Level.RESOURCE, "w (workflows)"),
        (site("s", "staging"), Level.RESOURCE, "staging (slots)"),
        (ResourceId(f"{MANAGEMENT_GROUP}/providers/a.b/c/d"), Level.RESOURCE, "d (c)"),
        (ResourceId("/providers/Microsoft.Capacity"), Level.RESOURCE, "Microsoft.Capacity (providers)"),
    ],
)
def test_the_ladder_of_scopes(id: ResourceId, level: Level, short: str) -> None:
    """Each scope stands on its rung, and a title says it in a few words."""
    assert id.level is level
    assert id.short == short


def test_how_a_subscription_is_called_is_no_part_of_what_it_is() -> None:
    """An id under two names, and under none, is one id: equal, of one key, and shown as the same text."""
    ids = [ResourceId(SUBSCRIPTION.text, called) for called in ("contoso-prod", "contoso-live", "")]
    assert len(set(ids)) == 1
    assert {(str(id), id.key) for id in ids} == {(SUBSCRIPTION.text, SUBSCRIPTION.key)}
    assert len({Access("role", id).key for id in ids}) == 1


def test_the_parts_of_an_assignments_id() -> None:
    """An extension resource tells its type, its scope and where it lies, in any casing."""
    id = ResourceId(assignment_id("A1", workflow("w")).text.upper())
    assert id.type == "microsoft.authorization/roleassignments"
    assert id.scope == workflow("w")
    assert (id.name, id.subscription, id.resource_group) == ("A1", SUB, "rg-claims")
    at_root = ResourceId("/providers/Microsoft.Authorization/roleAssignments/a")
    assert (at_root.scope, at_root.subscription, at_root.resource_group) == (ResourceId("/"), "", "")


def test_the_scope_of_an_id_whose_lower_case_is_longer() -> None:
    """A letter that grows in lower case (a resource group may hold any) does not shift the scope's end."""
    scope = group("rg-İİ")
    assert assignment_id("a", scope).scope == scope


def test_types_and_parents_of_children() -> None:
    """A slot is a child of its site, a federated credential of its identity."""
    assert site("s", "staging").type == "microsoft.web/sites/slots"
    assert site("s", "staging").parent == site("s")
    credential = ResourceId(f"{identity('i')}/federatedIdentityCredentials/github")
    assert credential.type == "microsoft.managedidentity/userassignedidentities/federatedidentitycredentials"
    assert credential.parent == identity("i")
    assert group().type == ""


def test_reach() -> None:
    """A grant is in force at its scope and below, segment by segment; above subscriptions everywhere."""
    assert SUBSCRIPTION.reaches(workflow())
    assert group("rg").reaches(group("RG"))
    assert MANAGEMENT_GROUP.reaches(workflow())
    assert ResourceId("/").reaches(SUBSCRIPTION)
    assert not group("rg").reaches(group("rg-other"))
    assert not group("rg").reaches(SUBSCRIPTION)


def test_the_last_guid_counts() -> None:
    """A role is named by its own GUID, with a subscription in front or not, in any casing."""
    role = "b24988ac-6180-42a0-ab88-20f7382dd24c"
    assert guid(f"/subscriptions/{SUB}/providers/x/roleDefinitions/{role.upper()}") == role
    assert guid("no guid") == ""


@given(st.lists(st.text(), min_size=1, max_size=3))
def test_digests_are_short_hexadecimal_and_stable(parts: list[str]) -> None:
    """Whatever the text, half characters too, its digest is fit for a key and always the same."""
    assert digest(*parts, "\ud800") == digest(*parts, "\ud800")
    assert len(digest(*parts)) == 32
    assert set(digest(*parts, length=5)) <= set("0123456789abcdef")


def test_digests_of_other_parts_differ() -> None:
    """Where one part ends and the next begins counts."""
    assert len({digest("ab", "c"), digest("a", "bc"), digest("abc"), digest("", "abc")}) == 4
