"""The workflows of Standard logic apps through the real SDK's pipeline: read whole, or not at all."""

from __future__ import annotations

import pytest

from lami.arm.azure import IN_PASSING, AzureArm
from lami.arm.protocol import Arm, NotAHolder
from lami.arm.standard import MOST
from lami.core.ids import ResourceId
from lami.core.model import Definition, IdentityHolder, Present, Unknown
from tests.arm import replies
from tests.arm.definitions import Json, http, of, workflow
from tests.arm.replies import GROUP, IDENTITY, SITE, SLOT, WORKFLOW, files
from tests.arm.scripted import Reply, Scripted, error

BASIC = http(authentication={"type": "Basic", "username": "u", "password": "s3cr3t"})
KEY: Json = {
    "managedApiConnections": {
        "office365": {
            "api": {"id": "/subscriptions/s/providers/Microsoft.Web/locations/l/managedApis/office365"},
            "authentication": {
                "type": "Raw",
                "scheme": "Key",
                "parameter": "@appsetting('office365-connectionKey')",
            },
            "connection": {"id": f"{GROUP}/providers/Microsoft.Web/connections/office365-1"},
            "connectionRuntimeUrl": "https://x.common.logic.azure-apihub.net/apim/office365/1",
        }
    }
}
CONNECTION_KEY = ("connection office365", "a connection key (Raw), from an app setting")


def answers(azure: Scripted, app: str = SITE, **more: object) -> None:
    """The server knows an app, with two workflows where no others are given."""
    azure.says[app.lower()] = Reply(replies.site(app, identity=replies.system()))
    given = more or {"intake": workflow({"A": BASIC}), "Send": workflow({}), "connections": KEY}
    connections = given.pop("connections", None)
    said = files(app=app, connections=connections, **given)
    azure.says |= {path: Reply(body) for path, body in said.items()}


def look(arm: Arm, app: str = SITE) -> IdentityHolder:
    """The app as it is seen."""
    seen = arm.holder(ResourceId(app))
    assert isinstance(seen, Present)
    assert seen.state.system == replies.P1
    return seen.state


@pytest.mark.parametrize("app", [SITE, SLOT])
def test_an_app_shows_what_its_workflows_show(azure: Scripted, arm: Arm, app: str) -> None:
    """One read of the app, one of the list, one a workflow; connections, which all share, are said once."""
    answers(azure, app)
    shown = look(arm, app).definition
    assert shown is not None
    assert of(shown, "secret") == [
        CONNECTION_KEY,
        ("workflow intake, action A", "a password (Basic), written in the definition"),
    ]
    assert shown.oddity == ""
    assert azure.paths() == [
        app,
        f"{app}/workflows",
        f"{app}/workflows/intake",
        f"{app}/workflows/Send",
    ]
    assert {each.method for each in azure.asked} == {"GET"}
    assert {each.query["api-version"][0] for each in azure.asked} == {"2022-03-01"}


def test_workflows_alone_are_the_same(azure: Scripted, arm: Arm) -> None:
    """For whoever has listed the app already."""
    answers(azure)
    assert arm.workflows_of(ResourceId(SITE)) == look(arm).definition


def test_an_app_without_workflows_shows_nothing(azure: Scripted, arm: Arm) -> None:
    """An empty list is known, and is no failure."""
    azure.says[SITE.lower()] = Reply(replies.site(identity=replies.system()))
    azure.says[f"{SITE}/workflows".lower()] = Reply(replies.page())
    assert look(arm).definition == Definition()


def test_a_list_in_pages_is_read_to_its_end(azure: Scripted, arm: Arm) -> None:
    """A workflow on the second page is read, too."""
    answers(azure)
    path = f"{SITE}/workflows"
    first = replies.page(replies.workflow_of(SITE, "Send"), next=f"{azure.url}{path}?page=2&api-version=1")
    azure.says[path.lower()] = Reply(first)
    azure.says[f"{path}?2".lower()] = Reply(replies.page(replies.workflow_of(SITE, "intake")))
    shown = look(arm).definition
    assert shown is not None
    assert len(of(shown, "secret")) == 2


@pytest.mark.parametrize("what", ["", "/intake", "/send"])
@pytest.mark.parametrize(
    "reply",
    [
        error(401, "InvalidAuthenticationToken"),
        error(403, "AuthorizationFailed"),
        error(404, "WorkflowNotFound"),
        error(409, "Conflict"),
        error(429, "TooManyRequests", Retry_After="17"),
        error(500, "InternalServerError"),
        error(503, "ServiceUnavailable"),
        # As it was seen of apps whose runtime does not run.
        Reply(
            {"Code": "BadRequest", "Message": "Encountered an error (ServiceUnavailable) from host runtime."},
            400,
        ),
        Reply({}, 202),
        Reply(b"<html>Error 403 - This web app is stopped.</html>", 403, {"Content-Type": "text/html"}),
        Reply(b"{garbage"),
        Reply([]),
        Reply({}),
        Reply({"value": None, "name": None}),
        Reply({"value": [None], "name": 3}),
        Reply({"value": [{"name": ""}], "name": "x/"}),
        Reply(replies.workflow_of(SITE, "intake")),
        Reply(replies.workflow_of(SITE, "send") | {"properties": {"files": {"connections.json": {}}}}),
        Reply({"value": [{"name": "x/other"}], "name": "x/other", "properties": {}}),
    ],
)
def test_what_cannot_be_read_is_not_seen(azure: Scripted, arm: Arm, what: str, reply: Reply) -> None:
    """The app is there with its identity, and shows no definition: neither that of the others, nor none."""
    answers(azure)
    azure.says[f"{SITE}/workflows{what}".lower()] = reply
    assert look(arm).definition is None
    assert isinstance(arm.workflows_of(ResourceId(SITE)), Unknown)


def test_why_they_cannot_be_read(azure: Scripted, arm: Arm) -> None:
    """The reason names the permission, a slot's its own; and how long Azure wants to be left alone."""
    for app, kind in ((SITE, "sites"), (SLOT, "sites/slots")):
        azure.says[f"{app}/workflows".lower()] = error(403, "AuthorizationFailed")
        seen = arm.workflows_of(ResourceId(app))
        assert isinstance(seen, Unknown)
        assert seen.denied
        assert f"Microsoft.Web/{kind}/workflows/read" in seen.reason
        assert "attacker" not in seen.reason
    azure.says[f"{SITE}/workflows".lower()] = error(429, "TooManyRequests", Retry_After="17")
    seen = arm.workflows_of(ResourceId(SITE))
    assert isinstance(seen, Unknown)
    assert seen.retry_after == 17


def test_a_failure_is_not_tried_again(azure: Scripted, arm: Arm, waits: list[float]) -> None:
    """The look at the app waits for no runtime that is down: one try, no pause."""
    answers(azure)
    azure.says[f"{SITE}/workflows".lower()] = error(503, "ServiceUnavailable")
    look(arm)
    assert len(azure.asked) == 2
    assert waits == []


def test_a_slow_app_is_given_up(azure: Scripted) -> None:
    """After some seconds no further workflow is read, however many there are, and nothing is concluded."""
    answers(azure, SITE, **{f"w{number}": workflow({"A": BASIC}) for number in range(10)})
    seconds = 3  # that each read takes
    slow = AzureArm(azure.url, None, clock=lambda: seconds * len(azure.asked))
    assert look(slow).definition is None
    assert seconds * len(azure.asked) == IN_PASSING
    seen = slow.workflows_of(ResourceId(SITE))
    slow.close()
    assert isinstance(seen, Definition)


def test_so_many_workflows_are_read(azure: Scripted, arm: Arm) -> None:
    """The first by name, and the oddity says that there are more."""
    answers(azure, SITE, **{f"w{number:03}": workflow({}) for number in range(MOST + 3)})
    shown = look(arm).definition
    assert shown is not None
    assert shown.oddity == f"the app has {MOST + 3} workflows, of which {MOST} were read"
    assert len(azure.asked) == 2 + MOST
    assert azure.paths()[-1].endswith(f"w{MOST - 1:03}")


def test_names_are_quoted(azure: Scripted, arm: Arm) -> None:
    """A name that an address would read otherwise asks for that name, or for nothing."""
    answers(azure, SITE, **{"a?b=c#d e": workflow({"A": BASIC})})
    assert look(arm).definition is not None
    assert azure.paths()[-1] == f"{SITE}/workflows/a?b=c#d e"
    answers(azure, SITE, **{"..": workflow({})})
    before = len(azure.asked)
    assert look(arm).definition is None
    assert len(azure.asked) == before + 2


def test_other_sites_are_not_asked(azure: Scripted, arm: Arm) -> None:
    """A function app has no workflows to read; nor has what is no site."""
    azure.says[SITE.lower()] = Reply(replies.site(kind="functionapp"))
    assert isinstance(arm.holder(ResourceId(SITE)), NotAHolder)
    assert len(azure.asked) == 1
    for id in (WORKFLOW, IDENTITY, "/", "/subscriptions/x"):
        assert isinstance(arm.workflows_of(ResourceId(id)), Unknown)
    assert len(azure.asked) == 1


def test_a_listing_reads_no_workflows(azure: Scripted, arm: Arm) -> None:
    """That would be several reads an app, whoever lists it."""
    answers(azure)
    for kind in ("Logic/workflows", "ManagedIdentity/userAssignedIdentities"):
        azure.says[f"{replies.ROOT}/providers/Microsoft.{kind}".lower()] = Reply(replies.page())
    sites = replies.page(replies.site(identity=replies.system()))
    azure.says[f"{replies.ROOT}/providers/Microsoft.Web/sites".lower()] = Reply(sites)
    azure.says[f"{SITE}/slots".lower()] = Reply(replies.page())
    (app,) = arm.holders_in(replies.SUBSCRIPTION)
    assert isinstance(app, IdentityHolder)
    assert app.definition is None
    assert not any("workflows/" in path for path in azure.paths())


def test_a_definition_nested_without_end_is_not_seen(azure: Scripted, arm: Arm) -> None:
    """Deeper than Python reads JSON: unknown, and no crash."""
    answers(azure)
    deep = b'{"name":"x/intake","properties":{"files":{"workflow.json":' + b'{"a":' * 100_000 + b"1"
    azure.says[f"{SITE}/workflows/intake".lower()] = Reply(deep + b"}" * 100_003)
    assert look(arm).definition is None
