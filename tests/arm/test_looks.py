"""Looks at single resources through the real SDK: what is present, absent and unknown."""

from __future__ import annotations

import socket
from copy import deepcopy
from datetime import UTC, datetime

import pytest
from azure.core.pipeline import PipelineRequest

from lami.arm.azure import AzureArm
from lami.arm.protocol import Arm, NotAHolder
from lami.core.ids import ResourceId
from lami.core.model import (
    Absent,
    FailedRuns,
    IdentityHolder,
    Present,
    RoleAssignment,
    RoleDefinition,
    Unknown,
)
from lami.rest.pipeline import Hook, Request
from tests.arm import replies
from tests.arm.replies import (
    ASSIGNMENT,
    AUTHORIZATION,
    DEFINITIONS,
    IDENTITY,
    MANAGEMENT_GROUP,
    OWNER,
    P1,
    READER,
    SITE,
    SLOT,
    WORKFLOW,
)
from tests.arm.scripted import Reply, Scripted, error

Seen = RoleAssignment | IdentityHolder | RoleDefinition | NotAHolder
READER_ID = f"{DEFINITIONS}/{READER}"
EVERYTHING = [ASSIGNMENT, WORKFLOW, SITE, SLOT, IDENTITY, READER_ID]
BODIES = {
    ASSIGNMENT: replies.assignment(),
    WORKFLOW: replies.workflow(identity=replies.system()),
    SITE: replies.site(identity=replies.system()),
    SLOT: replies.site(SLOT, identity=replies.system()),
    IDENTITY: replies.identity(),
    READER_ID: replies.definition(),
}


def _look(arm: Arm, id: str) -> Present[Seen] | Absent | Unknown | NotAHolder:
    """The look that fits the id."""
    if id == ASSIGNMENT:
        return arm.assignment(ResourceId(id))
    return arm.role(ResourceId(id)) if id == READER_ID else arm.holder(ResourceId(id))


def _unknown(arm: Arm, id: str) -> Unknown:
    seen = _look(arm, id)
    assert isinstance(seen, Unknown)
    return seen


@pytest.mark.parametrize("id", EVERYTHING)
def test_what_is_there_is_present(azure: Scripted, arm: Arm, id: str) -> None:
    """Each kind of resource is read at its own address, with GET, in a pinned API version."""
    azure.says[id.lower()] = Reply(BODIES[id])
    seen = _look(arm, id)
    assert isinstance(seen, Present)
    assert not isinstance(seen.state, NotAHolder)
    if id != READER_ID:
        assert str(seen.state.id) == id
    assert azure.paths()[0].lower() == id.lower()
    assert {each.method for each in azure.asked} == {"GET"}
    assert all(len(each.query["api-version"]) == 1 for each in azure.asked)


@pytest.mark.parametrize("id", [WORKFLOW, IDENTITY])
def test_a_holder_is_one_read(azure: Scripted, arm: Arm, id: str) -> None:
    """A look at a holder costs one request."""
    azure.says[id.lower()] = Reply(BODIES[id])
    _look(arm, id)
    assert len(azure.asked) == 1


@pytest.mark.parametrize("id", EVERYTHING)
@pytest.mark.parametrize("code", ["ResourceNotFound", "ResourceGroupNotFound", "RoleAssignmentNotFound"])
def test_not_found_is_absent(azure: Scripted, arm: Arm, id: str, code: str) -> None:
    """ARM's own 404 means that there is no such resource, also where its group is gone."""
    azure.says[id.lower()] = error(404, code)
    assert _look(arm, id) == Absent()


def test_microsoft_web_says_it_in_its_own_way(azure: Scripted, arm: Arm) -> None:
    """Microsoft.Web's own 404 has no `error` around it."""
    azure.says[SITE.lower()] = Reply({"Code": "NotFound", "Message": "Cannot find Site."}, 404)
    assert _look(arm, SITE) == Absent()


@pytest.mark.parametrize("id", EVERYTHING)
@pytest.mark.parametrize(
    "reply",
    [
        error(404, "SubscriptionNotFound"),
        error(404, "InvalidResourceType"),
        Reply(b"<html>Not Found</html>", 404, {"Content-Type": "text/html"}),
        Reply(b"not json", 404),
        Reply(b"", 404),
        Reply([], 404),
        Reply({"error": "gone"}, 404),
    ],
)
def test_a_404_about_something_else_is_unknown(azure: Scripted, arm: Arm, id: str, reply: Reply) -> None:
    """A lost subscription, a wrong endpoint or a proxy in between doesn't make resources vanish."""
    azure.says[id.lower()] = reply
    _unknown(arm, id)


@pytest.mark.parametrize("id", EVERYTHING)
@pytest.mark.parametrize("status", [401, 403])
def test_denied(azure: Scripted, arm: Arm, id: str, status: int) -> None:
    """Where lami may not read, it says which permission it lacks, and repeats nothing of the message."""
    azure.says[id.lower()] = error(status, "AuthorizationFailed")
    seen = _unknown(arm, id)
    assert seen.denied
    assert "/read" in seen.reason
    assert f"{status} AuthorizationFailed" in seen.reason
    assert "attacker" not in seen.reason


def test_denied_names_the_permission(azure: Scripted, arm: Arm) -> None:
    """The permission is the one that a custom role has to list."""
    azure.says[SLOT.lower()] = error(403, "AuthorizationFailed")
    assert "Microsoft.Web/sites/slots/read" in _unknown(arm, SLOT).reason


@pytest.mark.parametrize("id", EVERYTHING)
def test_throttled(azure: Scripted, arm: Arm, id: str) -> None:
    """A wait that doesn't fit is passed on with the look."""
    azure.says[id.lower()] = error(429, "TooManyRequests", Retry_After="17")
    seen = _unknown(arm, id)
    assert (seen.retry_after, seen.denied) == (17, False)
    assert len(azure.asked) == 1


@pytest.mark.parametrize("id", EVERYTHING)
@pytest.mark.parametrize(
    "reply",
    [
        error(500, "InternalServerError"),
        error(503, "ServerBusy"),
        error(400, "BadRequest"),
        error(409, "Conflict"),
        Reply({}, 202),
        Reply({}, 204),
        Reply({}, 302, {"Location": "http://127.0.0.1:1/"}),
        Reply(b"{garbage"),
        Reply(b""),
        Reply(b"null"),
        Reply([]),
        Reply("text"),
        Reply(7),
        Reply({}),
        Reply(b"<xml/>", headers={"Content-Type": "application/xml"}),
        Reply(b"\x00\xff", headers={"Content-Type": "application/octet-stream"}),
        Reply({"properties": 3, "id": [], "name": {}, "identity": 5}),
    ],
)
def test_what_is_no_answer_is_unknown(azure: Scripted, arm: Arm, id: str, reply: Reply) -> None:
    """Failures, foreign bodies and empty ones are never taken for absent and never raise."""
    azure.says[id.lower()] = reply
    assert _unknown(arm, id).reason


@pytest.mark.parametrize("id", EVERYTHING)
def test_no_provider_is_registered(azure: Scripted, arm: Arm, id: str) -> None:
    """The SDK's own clients would answer this 409 with a POST; lami's don't."""
    azure.says[id.lower()] = error(409, "MissingSubscriptionRegistration")
    _unknown(arm, id)
    assert {each.method for each in azure.asked} == {"GET"}


@pytest.mark.parametrize("id", EVERYTHING)
def test_broken_off(azure: Scripted, arm: Arm, id: str) -> None:
    """A body that ends before its end is unknown, and was tried again."""
    azure.says[id.lower()] = Reply(BODIES[id], cut=True)
    _unknown(arm, id)
    assert azure.paths().count(azure.paths()[0]) == 3


@pytest.mark.parametrize("id", [ASSIGNMENT, WORKFLOW, SITE, IDENTITY])
def test_another_resource_is_unknown(azure: Scripted, arm: Arm, id: str) -> None:
    """A reply about another resource is not taken for this one."""
    body = deepcopy(BODIES[id])
    body["id"] += "x"
    azure.says[id.lower()] = Reply(body)
    assert "another" in _unknown(arm, id).reason


@pytest.mark.parametrize("id", EVERYTHING)
@pytest.mark.parametrize("junk", [None, "", "x", 7, True, [], [1], {}, {"a": {}}])
def test_one_wrong_member_never_raises(azure: Scripted, arm: Arm, id: str, junk: object) -> None:
    """Whatever stands in whichever member, a look gives a result; and never Absent."""
    body = BODIES[id]
    for name in [*body, "properties"]:
        for inner in [None, *(body[name] if isinstance(body[name], dict) else ())]:
            changed = deepcopy(body)
            if inner is None:
                changed[name] = junk
            else:
                changed[name][inner] = junk
            azure.says[id.lower()] = Reply(changed)
            assert isinstance(_look(arm, id), Present | Unknown | NotAHolder)


def test_no_answer_in_time(azure: Scripted) -> None:
    """A reply that doesn't come is unknown."""

    class Hurry(Hook):
        def on_request(self, request: PipelineRequest[Request]) -> None:
            request.context.options["read_timeout"] = 0.1

    azure.says[SITE.lower()] = Reply(BODIES[SITE], seconds=0.5)
    arm = AzureArm(azure.url, None, hooks=[Hurry()])
    assert "in time" in _unknown(arm, SITE).reason
    arm.close()


def test_nobody_there() -> None:
    """An endpoint that nobody listens at is unknown."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        arm = AzureArm(f"http://127.0.0.1:{free.getsockname()[1]}", None)
        for id in EVERYTHING:
            assert "reached" in _unknown(arm, id).reason
        arm.close()


def test_site_of_another_kind(azure: Scripted, arm: Arm) -> None:
    """A function app is there and is no logic app."""
    azure.says[SITE.lower()] = Reply(replies.site(kind="functionapp"))
    assert _look(arm, SITE) == NotAHolder(ResourceId(SITE))


def test_ids_in_any_casing(azure: Scripted, arm: Arm) -> None:
    """An id in another casing is the same resource."""
    azure.says[WORKFLOW.lower()] = Reply(BODIES[WORKFLOW])
    assert isinstance(arm.holder(ResourceId(WORKFLOW.upper())), Present)


@pytest.mark.parametrize(
    "id", ["/", "/subscriptions/x", f"{WORKFLOW}/runs/1", f"{IDENTITY}/../other", f"{SITE}/slots/.."]
)
def test_what_cannot_be_asked(azure: Scripted, arm: Arm, id: str) -> None:
    """An id of no holder, or one that climbs to another resource, is not asked for."""
    assert isinstance(arm.holder(ResourceId(id)), Unknown)
    assert isinstance(arm.assignment(ResourceId("/a/../b")), Unknown)
    assert azure.asked == []


def test_an_id_cannot_change_the_question(azure: Scripted, arm: Arm) -> None:
    """What an address would read as its query stays part of the name."""
    arm.holder(ResourceId(f"{SITE}?api-version=1#x%2F"))
    assert azure.paths() == [f"{SITE}?api-version=1#x%2F"]
    assert azure.asked[0].query["api-version"] == ["2022-03-01"]


def test_assignment_at_a_management_group(azure: Scripted, arm: Arm) -> None:
    """An assignment outside any subscription is read, its role at the id that it names."""
    id = f"{MANAGEMENT_GROUP}/{AUTHORIZATION}/roleAssignments/c"
    role = f"/providers/Microsoft.Authorization/roleDefinitions/{OWNER}"
    azure.says[id.lower()] = Reply(replies.assignment(id, roleDefinitionId=role))
    azure.says[role.lower()] = Reply(replies.definition(OWNER, "Owner"))
    seen = arm.assignment(ResourceId(id))
    assert isinstance(seen, Present)
    assert (seen.state.role.name, seen.state.principal) == ("Owner", P1)
    assert azure.paths() == [id, role]


def test_use_after_close_connects_anew(azure: Scripted, arm: Arm) -> None:
    """Closing twice is harmless, and a later look works."""
    azure.says[SITE.lower()] = Reply(BODIES[SITE])
    arm.close()
    assert isinstance(_look(arm, SITE), Present)
    arm.close()
    arm.close()
    assert isinstance(_look(arm, SITE), Present)


# --- runs ------------------------------------------------------------------------------------------

RUNS = f"{WORKFLOW}/runs"
SINCE, UNTIL = datetime(2026, 11, 24, 8, tzinfo=UTC), datetime(2026, 11, 24, 9, 30, tzinfo=UTC)


def _run(number: int) -> replies.Body:
    return {"id": f"{RUNS}/{number}", "name": str(number), "properties": {"status": "Failed"}}


def test_failed_runs_are_counted_in_one_read(azure: Scripted, arm: Arm) -> None:
    """Asked for by status and by when they began; of more than a page, that there are more."""
    azure.says[RUNS.lower()] = Reply(replies.page(_run(1), _run(2)))
    assert arm.failed_runs(ResourceId(WORKFLOW), SINCE, UNTIL) == FailedRuns(SINCE, UNTIL, 2)
    (asked,) = azure.asked
    assert asked.query["$filter"] == [
        "status eq 'Failed' and startTime ge 2026-11-24T08:00:00.000000Z"
        " and startTime le 2026-11-24T09:30:00.000000Z"
    ]
    azure.says[RUNS.lower()] = Reply({**replies.page(_run(1)), "nextLink": f"{azure.url}{RUNS}?page=2"})
    assert arm.failed_runs(ResourceId(WORKFLOW), SINCE, UNTIL) == FailedRuns(SINCE, UNTIL, 1, more=True)
    assert len(azure.asked) == 2


@pytest.mark.parametrize(
    "reply", [error(404, "ResourceNotFound"), error(403, "AuthorizationFailed"), Reply({"value": None})]
)
def test_runs_that_could_not_be_counted_are_unknown(azure: Scripted, arm: Arm, reply: Reply) -> None:
    """Never none: neither denied, nor gone, nor a reply without a list."""
    azure.says[RUNS.lower()] = reply
    assert isinstance(arm.failed_runs(ResourceId(WORKFLOW), SINCE, UNTIL), Unknown)


@pytest.mark.parametrize("id", [SITE, SLOT, IDENTITY])
def test_what_has_no_runs_is_not_asked_for_any(azure: Scripted, arm: Arm, id: str) -> None:
    """Only a Consumption logic app's runs are in Azure Resource Manager."""
    assert isinstance(arm.failed_runs(ResourceId(id), SINCE, UNTIL), Unknown)
    assert not azure.asked


def test_a_workflow_shows_its_definition(azure: Scripted, arm: Arm) -> None:
    """Definition and parameters come with the one GET and with the listing, and show the same in both."""
    basic = {"type": "Http", "inputs": {"authentication": {"type": "Basic", "password": "p"}}}
    body = replies.workflow()
    body["properties"]["definition"] = {"actions": {"Send": basic}}
    body["properties"]["parameters"] = {"$connections": {"value": {"sql": {"id": "/x/managedApis/sql"}}}}
    azure.says[WORKFLOW.lower()] = Reply(body)
    azure.says[f"{replies.ROOT}/providers/microsoft.logic/workflows".lower()] = Reply(replies.page(body))
    seen = _look(arm, WORKFLOW)
    assert isinstance(seen, Present)
    assert isinstance(seen.state, IdentityHolder)
    assert seen.state.definition is not None
    assert [(part.kind, part.where) for part in seen.state.definition.parts] == [
        ("connector", "connection sql"),
        ("secret", "action Send"),
    ]
    listed = next(iter(arm.holders_in(replies.SUBSCRIPTION)))
    assert listed == seen.state


def test_a_workflow_without_a_definition_in_the_reply(azure: Scripted, arm: Arm) -> None:
    """What the reply leaves out is not known, which is not the same as an empty definition."""
    azure.says[WORKFLOW.lower()] = Reply(replies.workflow())
    seen = _look(arm, WORKFLOW)
    assert isinstance(seen, Present)
    assert isinstance(seen.state, IdentityHolder)
    assert seen.state.definition is None


@pytest.mark.parametrize("parameters", ["text", [1], {"x": "text"}])
def test_parameters_of_another_shape(azure: Scripted, arm: Arm, parameters: object) -> None:
    """A reply that is not what the API describes says nothing, of the identity neither."""
    body = replies.workflow(identity=replies.system())
    body["properties"]["parameters"] = parameters
    azure.says[WORKFLOW.lower()] = Reply(body)
    assert "unexpected shape" in _unknown(arm, WORKFLOW).reason


def test_a_reply_nested_beyond_reading(azure: Scripted, arm: Arm) -> None:
    """JSON that is nested deeper than Python reads is an unknown, and no crash."""
    deep = b'{"a":' * 100_000 + b"1" + b"}" * 100_000
    azure.says[WORKFLOW.lower()] = Reply(b'{"properties":{"definition":' + deep + b"}}")
    assert "could not read" in _unknown(arm, WORKFLOW).reason
