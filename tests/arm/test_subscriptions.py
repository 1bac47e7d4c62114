"""How subscriptions are called, through the looks that ask for it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from lami.arm.protocol import Arm
from lami.arm.subscriptions import KEEP, KEEP_FAILURE
from lami.core.ids import ResourceId
from lami.core.model import Present, RoleAssignment
from tests.arm import replies
from tests.arm.conftest import Clock
from tests.arm.replies import (
    ASSIGNMENT,
    ASSIGNMENTS,
    AUTHORIZATION,
    GROUP,
    MANAGEMENT_GROUP,
    P1,
    P2,
    ROOT,
    SUBSCRIPTION,
    page,
)
from tests.arm.scripted import Reply, Scripted, error

UNNAMED = f"subscription {SUBSCRIPTION[:8]}"


@pytest.fixture(autouse=True)
def assigned(azure: Scripted) -> None:
    """The server has one assignment at the subscription."""
    azure.says[ASSIGNMENT.lower()] = Reply(replies.assignment())


def _scope(arm: Arm, id: str = ASSIGNMENT) -> ResourceId:
    seen = arm.assignment(ResourceId(id))
    assert isinstance(seen, Present)
    return seen.state.access.scope


def test_the_scope_of_a_grant_at_a_subscription_is_called_by_its_name(azure: Scripted, arm: Arm) -> None:
    """One read a subscription, with the API version that is documented; the id stays what it is."""
    scope = _scope(arm)
    assert (scope.short, scope.text) == ("subscription contoso-prod", ROOT)
    assert scope == ResourceId(ROOT)
    assert azure.asked[-1].path == ROOT
    assert azure.asked[-1].query == {"api-version": ["2022-12-01"]}


@pytest.mark.parametrize("at", [GROUP, f"{GROUP}/providers/Microsoft.KeyVault/vaults/kv", MANAGEMENT_GROUP])
def test_no_name_is_read_for_any_other_scope(azure: Scripted, arm: Arm, at: str) -> None:
    """Narrow grants cost what they did."""
    id = f"{at}/{AUTHORIZATION}/roleAssignments/bbbbbbbb-0000-0000-0000-000000000002"
    azure.says[id.lower()] = Reply(replies.assignment(id))
    assert _scope(arm, id).called == ""
    assert ROOT not in azure.paths()


def test_listings_have_the_name_too(azure: Scripted, arm: Arm) -> None:
    """What is listed of a subscription, and of a principal, is called as a single look shows it; one read."""
    azure.says[ASSIGNMENTS.lower()] = Reply(page(replies.assignment()))
    (listed,) = arm.assignments_in(SUBSCRIPTION)
    of_one = arm.assignments_of(P1, (SUBSCRIPTION,))
    assert isinstance(listed, RoleAssignment)
    assert isinstance(of_one, tuple)
    assert {one.access.scope.short for one in (listed, *of_one)} == {"subscription contoso-prod"}
    assert azure.paths().count(ROOT) == 1


def test_a_name_is_believed_for_an_hour(azure: Scripted, arm: Arm, clock: Clock) -> None:
    """A renamed subscription is called by its new name within the hour."""
    _scope(arm)
    azure.says[ROOT.lower()] = Reply(replies.subscription("contoso-live"))
    clock.now += KEEP - 1
    assert _scope(arm).called == "contoso-prod"
    clock.now += 2
    assert _scope(arm).called == "contoso-live"
    assert azure.paths().count(ROOT) == 2


UNREADABLE = [
    error(403, "AuthorizationFailed"),
    error(404, "SubscriptionNotFound"),
    error(429, "TooManyRequests", Retry_After="2"),
    error(500, "InternalServerError"),
    Reply(b"<html>"),
    Reply([]),
    Reply({}),
    Reply(replies.subscription(), cut=True),
    Reply(replies.subscription(None)),
    Reply(replies.subscription(["contoso-prod"])),
    Reply(replies.subscription(" ")),
    Reply(replies.subscription("another", id=P2)),
]


@pytest.mark.parametrize("reply", UNREADABLE)
def test_a_name_that_cannot_be_read_is_no_failure(
    azure: Scripted, arm: Arm, clock: Clock, waits: list[float], reply: Reply
) -> None:
    """The grant is seen all the same and goes by its id; nobody waits; after a minute it is tried again."""
    azure.says[ROOT.lower()] = reply
    assert _scope(arm).short == UNNAMED
    assert _scope(arm).short == UNNAMED
    assert azure.paths().count(ROOT) == 1
    assert waits == []
    azure.says[ROOT.lower()] = Reply(replies.subscription())
    clock.now += KEEP_FAILURE + 1
    assert _scope(arm).called == "contoso-prod"


def test_a_name_outlives_a_failure(azure: Scripted, arm: Arm, clock: Clock) -> None:
    """What was read once stays believed while it can't be read again, which is tried once a minute."""
    _scope(arm)
    azure.says[ROOT.lower()] = error(403, "AuthorizationFailed")
    clock.now += KEEP + 1
    assert [_scope(arm).called for _ in range(3)] == ["contoso-prod"] * 3
    assert azure.paths().count(ROOT) == 2
    azure.says[ROOT.lower()] = Reply(replies.subscription("contoso-live"))
    clock.now += KEEP_FAILURE + 1
    assert _scope(arm).called == "contoso-live"


def test_many_threads_read_a_name_once(azure: Scripted, arm: Arm) -> None:
    """Looks that want the name at the same time share one read, and all of them have it."""
    azure.says[ROOT.lower()] = Reply(replies.subscription(), seconds=0.1)
    with ThreadPoolExecutor(8) as pool:
        names = list(pool.map(lambda _: _scope(arm).called, range(16)))
    assert names == ["contoso-prod"] * 16
    assert azure.paths().count(ROOT) == 1


@pytest.mark.parametrize(
    ("name", "called"),
    [
        ("prod\r\nBcc: all@evil.example\x1b[2J", "prodBcc: all@evil.example[2J"),
        ("\u202egnp.\u200bexe\u2028\ud800", "gnp.exe\ufffd"),
        ("x" * 10_000, "x" * 64),
        ("  Größe – 本番  ", "Größe – 本番"),
        ("<img src=x onerror=alert(1)> [a](https://evil.example)", None),
    ],
)
def test_a_hostile_name(azure: Scripted, arm: Arm, name: str, called: str | None) -> None:
    """Control and direction are left out, half characters replaced, long ones cut; markup is for channels."""
    azure.says[ROOT.lower()] = Reply(replies.subscription(name))
    assert _scope(arm).called == (name if called is None else called)


def test_one_subscription_is_not_called_by_the_name_of_another(azure: Scripted, arm: Arm) -> None:
    """Each has its own."""
    other = f"/subscriptions/{P2}"
    id = f"{other}/{AUTHORIZATION}/roleAssignments/bbbbbbbb-0000-0000-0000-000000000002"
    azure.says[id.lower()] = Reply(replies.assignment(id))
    azure.says[other] = Reply(replies.subscription("contoso-dev", id=P2.upper()))
    assert [_scope(arm, one).called for one in (ASSIGNMENT, id)] == ["contoso-prod", "contoso-dev"]
