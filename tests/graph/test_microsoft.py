"""What Graph's answers mean: who is shown, who is kept; and everything else is unknown, with its reason."""

from __future__ import annotations

import pytest

from lami.core.model import Absent, Present, Unknown
from lami.graph.microsoft import MicrosoftGraph
from lami.graph.pipeline import DELETED, SHOWN
from lami.graph.protocol import MOST, Directory
from lami.rest.pipeline import LONGEST_WAIT, TRIES
from lami.sandbox import Sandbox
from lami.sandbox.faults import Fault
from tests.arm.scripted import Reply, Scripted, error
from tests.core.builders import P1, P2, P3

KEPT = DELETED + P1


def thing(id: str, kind: str = "servicePrincipal") -> dict[str, object]:
    """A directory object as getByIds lists it."""
    return {"@odata.type": f"#microsoft.graph.{kind}", "id": id, "displayName": "whatever"}


def test_who_is_shown_is_shown_with_its_type(server: Scripted, graph: Directory) -> None:
    """One request; ids in any casing, and types as role assignments have them."""
    server.says[SHOWN.lower()] = Reply({"value": [thing(P1.upper()), thing(P2, "user"), thing(P3, "device")]})
    assert graph.shown([P1, P2, P3]) == {P1: "ServicePrincipal", P2: "User", P3: ""}
    assert [(one.method, one.path) for one in server.asked] == [("POST", SHOWN)]


def test_nobody_is_asked_about_nobody(server: Scripted, graph: Directory) -> None:
    """Nothing to ask is no request; what is no question is refused and answers nothing."""
    assert graph.shown([]) == {}
    assert isinstance(graph.shown(["robin@contoso.example"]), Unknown)
    assert isinstance(graph.shown([P1] * (MOST + 1)), Unknown)
    assert isinstance(graph.deleted("../users"), Unknown)
    assert server.asked == []


@pytest.mark.parametrize(
    "reply",
    [
        error(401, "InvalidAuthenticationToken"),
        error(403, "Authorization_RequestDenied"),
        error(404, "Request_ResourceNotFound"),
        error(429, "TooManyRequests"),
        error(500, "InternalServerError"),
        error(503, "ServiceUnavailable"),
        Reply({}, 204),
        Reply({}, 302, {"Location": "/elsewhere"}),
        Reply(b"<html>proxy</html>", headers={"Content-Type": "text/html"}),
        Reply(b"{"),
        Reply([]),
        Reply({}),
        Reply({"value": None}),
        Reply({"value": [None]}),
        Reply({"value": [{"id": 7}]}),
        Reply({"value": [thing(P3)]}),
        Reply({"value": [thing(P1)], "@odata.nextLink": "https://graph.microsoft.com/v1.0/next"}),
        Reply({"value": [thing(P1)]}, cut=True),
    ],
    ids=lambda reply: f"{reply.status} {str(reply.body)[:40]}",
)
def test_no_answer_or_a_part_is_unknown(server: Scripted, graph: Directory, reply: Reply) -> None:
    """Denied, throttled, failing, malformed, in part, about somebody else: nothing is known of anybody."""
    server.says[SHOWN.lower()] = reply
    seen = graph.shown([P1, P2])
    assert isinstance(seen, Unknown)
    assert seen.reason.startswith("lami could not read principals in the directory: ")
    assert "attacker" not in seen.reason


def test_who_is_kept_can_be_restored(server: Scripted, graph: Directory) -> None:
    """Found among the deleted items, it is there; Graph's own 404 says that it is not."""
    server.says[KEPT.lower()] = [Reply(thing(P1)), error(404, "Request_ResourceNotFound")]
    assert graph.deleted(P1) == Present(None)
    assert graph.deleted(P1) == Absent()


@pytest.mark.parametrize(
    "reply",
    [
        error(403, "Authorization_RequestDenied"),
        error(404, "ResourceNotFound"),
        error(404, "UnknownError"),
        Reply(b"not found", 404, {"Content-Type": "text/plain"}),
        Reply({}, 404),
        error(429, "TooManyRequests"),
        error(500, "InternalServerError"),
        Reply(thing(P2)),
        Reply({}),
        Reply([]),
        Reply(thing(P1), cut=True),
    ],
    ids=lambda reply: f"{reply.status} {str(reply.body)[:40]}",
)
def test_a_404_of_somebody_else_is_unknown(server: Scripted, graph: Directory, reply: Reply) -> None:
    """Only Graph's own word is an absence: not a proxy's, and not a failure's."""
    server.says[KEPT.lower()] = reply
    assert isinstance(graph.deleted(P1), Unknown)


def test_a_refusal_names_the_permission(server: Scripted, graph: Directory) -> None:
    """So that somebody knows what to grant."""
    server.says[SHOWN.lower()] = error(403, "Authorization_RequestDenied")
    seen = graph.shown([P1])
    assert isinstance(seen, Unknown)
    assert seen.denied
    assert "Microsoft Graph answered 403 Authorization_RequestDenied" in seen.reason
    assert "Directory.Read.All" in seen.reason


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_question_is_asked_again_few_times(
    server: Scripted, graph: Directory, waits: list[float], status: int
) -> None:
    """Although it is a POST: it only asks. Tries and waits are bounded as for Azure Resource Manager."""
    server.says[SHOWN.lower()] = [error(status, "Busy"), Reply({"value": [thing(P1)]})]
    assert graph.shown([P1]) == {P1: "ServicePrincipal"}
    server.says[SHOWN.lower()] = error(status, "Busy")
    server.asked.clear()
    assert isinstance(graph.shown([P1]), Unknown)
    assert len(server.asked) == TRIES
    assert sum(waits) <= 2 * LONGEST_WAIT


def test_a_long_wait_is_handed_on(server: Scripted, graph: Directory, waits: list[float]) -> None:
    """A wait that fits is waited; a longer one is said to whoever asked."""
    server.says[SHOWN.lower()] = [error(429, "Busy", Retry_After="3"), Reply({"value": []})]
    assert graph.shown([P1]) == {}
    assert waits == [3]
    server.says[SHOWN.lower()] = error(429, "Busy", Retry_After="120")
    seen = graph.shown([P1])
    assert isinstance(seen, Unknown)
    assert seen.retry_after == 120
    assert waits == [3]


def test_a_server_that_is_not_there_is_unknown(server: Scripted, graph: Directory) -> None:
    """Nothing listens: nothing is known."""
    server.close()
    seen = graph.shown([P1])
    assert isinstance(seen, Unknown)
    assert "could not be reached" in seen.reason


# --- against the sandbox ---------------------------------------------------------------------------


def test_a_life_in_the_directory() -> None:
    """Granted something, deleted, restored, purged: as the sandbox's Graph tells it over HTTP."""
    with Sandbox() as azure:
        azure.estate.assign("Reader", f"/subscriptions/{azure.subscription}", principal_id=P1)
        graph = MicrosoftGraph(azure.url, None)
        assert graph.shown([P1, P2]) == {P1: "ServicePrincipal"}
        azure.directory.mark(P1, "deleted")
        assert graph.shown([P1]) == {}
        assert graph.deleted(P1) == Present(None)
        azure.directory.mark(P1, "alive")
        assert graph.shown([P1]) == {P1: "ServicePrincipal"}
        azure.directory.mark(P1, "purged")
        assert graph.shown([P1]) == {}
        assert graph.deleted(P1) == Absent()
        azure.faults.add(Fault(path="/v1.0/directory/*", status=403))
        assert isinstance(graph.deleted(P1), Unknown)
        graph.close()
        graph.close()
        assert graph.shown([P1]) == {}


def test_a_thousand_are_one_question() -> None:
    """As many as Graph takes at once."""
    many = [f"00000000-0000-4000-8000-{number:012d}" for number in range(MOST)]
    with Sandbox() as azure:
        graph = MicrosoftGraph(azure.url, None)
        assert graph.shown(many) == {}
        assert [read.path for read in azure.reads] == [SHOWN]
        graph.close()
