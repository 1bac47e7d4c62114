"""Listings through the real SDK: whole, or with what is missing said."""

from __future__ import annotations

import json
import tracemalloc

import pytest

from lami.arm.protocol import Arm
from lami.core.model import IdentityHolder, RoleAssignment, Unknown
from tests.arm import replies
from tests.arm.replies import (
    ASSIGNMENTS,
    AUTHORIZATION,
    DEFINITIONS,
    GROUP,
    IDENTITY,
    MANAGEMENT_GROUP,
    OWNER,
    P1,
    P2,
    ROOT,
    SITE,
    SLOT,
    SUBSCRIPTION,
    WORKFLOW,
    page,
)
from tests.arm.scripted import Reply, Scripted, error

WORKFLOWS = f"{ROOT}/providers/microsoft.logic/workflows"
SITES = f"{ROOT}/providers/microsoft.web/sites"
IDENTITIES = f"{ROOT}/providers/microsoft.managedidentity/userassignedidentities"
LISTINGS = [ASSIGNMENTS.lower(), WORKFLOWS, SITES, IDENTITIES]
LINES = {
    ASSIGNMENTS.lower(): replies.assignment(),
    WORKFLOWS: replies.workflow(),
    SITES: replies.site(),
    IDENTITIES: replies.identity(),
}
OTHER = "22222222-2222-2222-2222-222222222222"


@pytest.fixture(autouse=True)
def empty(azure: Scripted) -> None:
    """A subscription with nothing in it."""
    for listing in [*LISTINGS, f"{SITE}/slots".lower()]:
        azure.says[listing] = Reply(page())


def _list(arm: Arm, listing: str) -> list[RoleAssignment | IdentityHolder | Unknown]:
    if listing == ASSIGNMENTS.lower():
        return list(arm.assignments_in(SUBSCRIPTION))
    return list(arm.holders_in(SUBSCRIPTION))


def _known(seen: list[RoleAssignment | IdentityHolder | Unknown]) -> list[str]:
    return [str(each.id) for each in seen if not isinstance(each, Unknown)]


def _unknowns(seen: list[RoleAssignment | IdentityHolder | Unknown]) -> list[Unknown]:
    return [each for each in seen if isinstance(each, Unknown)]


def test_all_kinds_of_holders(azure: Scripted, arm: Arm) -> None:
    """Workflows, Standard logic apps with their slots, and identities; of other sites no slots are read."""
    other = f"{GROUP}/providers/Microsoft.Web/sites/shop"
    azure.says[WORKFLOWS] = Reply(page(replies.workflow(identity=replies.system())))
    azure.says[SITES] = Reply(page(replies.site(other, kind="app"), replies.site()))
    azure.says[f"{SITE}/slots".lower()] = Reply(page(replies.site(SLOT, identity=replies.system(P2))))
    azure.says[IDENTITIES] = Reply(page(replies.identity()))
    seen = _list(arm, WORKFLOWS)
    assert _known(seen) == [WORKFLOW, SITE, SLOT, IDENTITY]
    assert _unknowns(seen) == []
    assert f"{other}/slots" not in azure.paths()
    assert {each.method for each in azure.asked} == {"GET"}


def test_a_long_listing_weighs_no_more_than_a_page(azure: Scripted, arm: Arm) -> None:
    """Thirty pages are let go of one by one: at the peak they weigh what three do."""
    listing = ASSIGNMENTS.lower()

    def peak(pages: int) -> int:
        for number in range(pages):
            lines = [replies.assignment(f"{ASSIGNMENTS}/{number}-{line}") for line in range(100)]
            follows = f"{azure.url}{ASSIGNMENTS}?page={number + 1}" if number + 1 < pages else None
            body = Reply(json.dumps(page(*lines, next=follows)).encode())
            azure.says[f"{listing}?{number}" if number else listing] = body
        tracemalloc.start()
        read = sum(1 for one in arm.assignments_in(SUBSCRIPTION) if not isinstance(one, Unknown))
        weight = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert read == pages * 100
        return weight

    peak(1)  # What is made once, on the first look.
    assert peak(30) < 1.3 * peak(3)


def test_an_empty_subscription(arm: Arm) -> None:
    """Nothing there is an empty listing without an Unknown."""
    assert _list(arm, WORKFLOWS) == []
    assert _list(arm, ASSIGNMENTS.lower()) == []


@pytest.mark.parametrize("listing", LISTINGS)
def test_pages(azure: Scripted, arm: Arm, listing: str) -> None:
    """All pages are read, and what the link holds beside the page is kept."""
    second = dict(LINES[listing])
    second["id"] = f"{second['id']}2"
    azure.says[listing] = Reply(page(LINES[listing], next=f"{azure.url}{listing}?api-version=x&page=2"))
    azure.says[f"{listing}?2"] = Reply(page(second))
    azure.says[f"{second['id']}/slots".lower()] = Reply(page())
    seen = _list(arm, listing)
    assert _unknowns(seen) == []
    assert _known(seen) == [LINES[listing]["id"], second["id"]]


@pytest.mark.parametrize("listing", LISTINGS)
def test_a_listing_that_fails_half_way(azure: Scripted, arm: Arm, listing: str) -> None:
    """What was read is given, and that the rest is unknown is said."""
    azure.says[listing] = Reply(page(LINES[listing], next=f"{azure.url}{listing}?page=2"))
    azure.says[f"{listing}?2"] = error(429, "TooManyRequests", Retry_After="9")
    seen = _list(arm, listing)
    assert _known(seen) == [LINES[listing]["id"]]
    assert [each.retry_after for each in _unknowns(seen)] == [9]


@pytest.mark.parametrize("listing", LISTINGS)
@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_listing_that_is_refused(azure: Scripted, arm: Arm, listing: str, status: int) -> None:
    """A listing that cannot be read is Unknown, never empty; the other kinds are still listed."""
    azure.says[listing] = error(status, "SubscriptionNotFound")
    azure.says[WORKFLOWS] = azure.says[WORKFLOWS] if listing == WORKFLOWS else Reply(page(replies.workflow()))
    seen = _list(arm, listing)
    assert len(_unknowns(seen)) == 1
    assert _unknowns(seen)[0].denied is (status != 404)
    if listing in (SITES, IDENTITIES):
        assert _known(seen) == [WORKFLOW]


@pytest.mark.parametrize("listing", LISTINGS)
@pytest.mark.parametrize(
    "link",
    [
        "http://127.0.0.1:1/steal",
        "https://evil.test/x",
        "//evil.test/x",
        "http://evil.test\\@127.0.0.1/",
        5,
        {},
    ],
)
def test_the_next_page_is_elsewhere(azure: Scripted, arm: Arm, listing: str, link: object) -> None:
    """A link to another host is not followed, and the listing is not taken for complete."""
    azure.says[listing] = Reply({"value": [LINES[listing]], "nextLink": link})
    assert len(_unknowns(_list(arm, listing))) == 1


@pytest.mark.parametrize("listing", LISTINGS)
def test_a_listing_in_a_circle(azure: Scripted, arm: Arm, listing: str) -> None:
    """A page that names itself as the next doesn't keep lami for ever."""
    azure.says[listing] = azure.says[f"{listing}?2"] = Reply(page(next=f"{azure.url}{listing}?page=2"))
    assert len(_unknowns(_list(arm, listing))) == 1


@pytest.mark.parametrize("listing", LISTINGS)
@pytest.mark.parametrize(
    "body", [{}, {"value": None}, {"value": {}}, {"value": "x"}, {"value": 3}, [], None, {"value": [[]]}]
)
def test_no_list_in_the_listing(azure: Scripted, arm: Arm, listing: str, body: object) -> None:
    """A page without its list of values is Unknown, never empty."""
    azure.says[listing] = Reply(body)
    assert len(_unknowns(_list(arm, listing))) == 1


@pytest.mark.parametrize(
    ("listing", "line"),
    [
        (ASSIGNMENTS.lower(), {}),
        (ASSIGNMENTS.lower(), {"id": "/x"}),
        (WORKFLOWS, {}),
        (WORKFLOWS, {"id": "/x", "identity": {"type": "SystemAssigned"}}),
        (SITES, None),
        (SITES, {}),
        (SITES, {"id": "/x", "kind": "workflowapp"}),
        (IDENTITIES, None),
        (IDENTITIES, {"id": "/x"}),
    ],
)
def test_one_line_that_says_nothing(azure: Scripted, arm: Arm, listing: str, line: object) -> None:
    """A line that cannot be understood is Unknown in its place, and the others are still read."""
    azure.says[listing] = Reply(page(line, LINES[listing]))
    seen = _list(arm, listing)
    assert len(_unknowns(seen)) == 1
    assert _known(seen) == [LINES[listing]["id"]]


@pytest.mark.parametrize("listing", [ASSIGNMENTS.lower(), WORKFLOWS])
def test_an_empty_line(azure: Scripted, arm: Arm, listing: str) -> None:
    """An empty value among the lines is never skipped."""
    azure.says[listing] = Reply(page(None, LINES[listing]))
    assert len(_unknowns(_list(arm, listing))) == 1


def test_slots_that_cannot_be_listed(azure: Scripted, arm: Arm) -> None:
    """The logic app is given, and that its slots are unknown is said."""
    azure.says[SITES] = Reply(page(replies.site()))
    azure.says[f"{SITE}/slots".lower()] = error(403, "AuthorizationFailed")
    seen = _list(arm, SITES)
    assert _known(seen) == [SITE]
    assert "Microsoft.Web/sites/slots/read" in _unknowns(seen)[0].reason


def test_assignments_in_a_subscription_cost_three_reads(azure: Scripted, arm: Arm) -> None:
    """The roles of all come with one listing, as do assignments from above; the name is one read."""
    above = replies.assignment(f"{MANAGEMENT_GROUP}/{AUTHORIZATION}/roleAssignments/c", role=OWNER)
    azure.says[ASSIGNMENTS.lower()] = Reply(page(replies.assignment(), above))
    seen = [each for each in arm.assignments_in(SUBSCRIPTION) if isinstance(each, RoleAssignment)]
    assert [each.role.name for each in seen] == ["Reader", "Owner"]
    assert azure.paths() == [ASSIGNMENTS, DEFINITIONS, ROOT]


def test_assignments_of_a_principal(azure: Scripted, arm: Arm) -> None:
    """Azure filters by principal, and what is in force in two subscriptions is counted once."""
    elsewhere = ASSIGNMENTS.lower().replace(SUBSCRIPTION, OTHER)
    shared = replies.assignment("/providers/Microsoft.Authorization/roleAssignments/root")
    twice = replies.assignment("/providers/microsoft.authorization/ROLEASSIGNMENTS/root")
    azure.says[ASSIGNMENTS.lower()] = Reply(
        page(replies.assignment(), shared, replies.assignment(principal=P2))
    )
    azure.says[elsewhere] = Reply(page(twice))
    seen = arm.assignments_of(P1, (SUBSCRIPTION, OTHER))
    assert isinstance(seen, tuple)
    assert [each.principal for each in seen] == [P1, P1]
    filters = [each.query.get("$filter") for each in azure.asked if "roleAssignments" in each.path]
    assert filters == [[f"principalId eq '{P1}'"]] * 2


def test_a_principal_without_grants(arm: Arm) -> None:
    """A listing that was read whole and is empty says that nothing is granted."""
    assert arm.assignments_of(P1, (SUBSCRIPTION,)) == ()


@pytest.mark.parametrize(
    "second",
    [
        error(403, "AuthorizationFailed"),
        error(404, "SubscriptionNotFound"),
        Reply(b"x"),
        Reply(page({"id": "/x"})),
    ],
)
def test_assignments_of_a_principal_are_all_or_unknown(azure: Scripted, arm: Arm, second: Reply) -> None:
    """When one subscription cannot be read, nothing is said of the principal at all."""
    azure.says[ASSIGNMENTS.lower()] = Reply(page(replies.assignment()))
    azure.says[ASSIGNMENTS.lower().replace(SUBSCRIPTION, OTHER)] = second
    assert isinstance(arm.assignments_of(P1, (SUBSCRIPTION, OTHER)), Unknown)


@pytest.mark.parametrize("principal", ["", "x", f"{P1}' or 1 eq 1", P1.upper()])
def test_only_a_guid_goes_into_the_filter(azure: Scripted, arm: Arm, principal: str) -> None:
    """What is no GUID is not asked for."""
    assert isinstance(arm.assignments_of(principal, (SUBSCRIPTION,)), Unknown)
    assert azure.asked == []


def test_asking_nowhere_tells_nothing(arm: Arm) -> None:
    """Without a subscription to ask in, grants are unknown and not none."""
    assert isinstance(arm.assignments_of(P1, ()), Unknown)
