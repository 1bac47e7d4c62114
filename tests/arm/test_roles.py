"""The cache of role definitions, through the looks that use it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from lami.arm.protocol import Arm
from lami.arm.roles import KEEP, KEEP_FAILURE
from lami.core.ids import ResourceId
from lami.core.model import Absent, Present, RoleDefinition, Unknown
from tests.arm import replies
from tests.arm.conftest import Clock
from tests.arm.replies import ASSIGNMENT, DEFINITIONS, READER, ROOT, page
from tests.arm.scripted import Reply, Scripted, error

NEW = "cccccccc-0000-0000-0000-000000000001"
READER_PATH = f"{DEFINITIONS}/{READER}"
NEW_PATH = f"{DEFINITIONS}/{NEW}"
WIDER = Reply(replies.definition(READER, "Reader", actions=["*"]))


@pytest.fixture(autouse=True)
def assigned(azure: Scripted) -> None:
    """The server has one assignment of Reader."""
    azure.says[ASSIGNMENT.lower()] = Reply(replies.assignment())


def _role(arm: Arm) -> RoleDefinition:
    seen = arm.assignment(ResourceId(ASSIGNMENT))
    assert isinstance(seen, Present)
    return seen.state.role


def test_the_second_look_is_one_read(azure: Scripted, arm: Arm) -> None:
    """The first look lists the subscription's roles and reads its name; the second reads nothing but the
    assignment."""
    first = _role(arm)
    assert azure.paths() == [ASSIGNMENT, DEFINITIONS, ROOT]
    assert _role(arm) == first
    assert azure.paths()[3:] == [ASSIGNMENT]


def test_many_threads_list_once(azure: Scripted, arm: Arm) -> None:
    """Looks that need the roles at the same time share one listing."""
    azure.says[DEFINITIONS.lower()] = Reply(page(replies.definition()), seconds=0.1)
    with ThreadPoolExecutor(8) as pool:
        names = list(pool.map(lambda _: _role(arm).name, range(16)))
    assert names == ["Reader"] * 16
    assert azure.paths().count(DEFINITIONS) == 1


def test_a_role_that_the_listing_lacks(azure: Scripted, arm: Arm) -> None:
    """A role made after the listing is read by its id, once."""
    azure.says[ASSIGNMENT.lower()] = Reply(replies.assignment(role=NEW))
    azure.says[NEW_PATH.lower()] = Reply(replies.definition(NEW, "New"))
    assert _role(arm).name == "New"
    _role(arm)
    assert azure.paths() == [ASSIGNMENT, DEFINITIONS, NEW_PATH, ROOT, ASSIGNMENT]


def test_after_an_hour_roles_are_read_again(azure: Scripted, arm: Arm, clock: Clock) -> None:
    """What is held grows old."""
    _role(arm)
    clock.now += KEEP - 1
    _role(arm)
    assert azure.paths().count(DEFINITIONS) == 1
    clock.now += 2
    _role(arm)
    assert azure.paths().count(DEFINITIONS) == 2


@pytest.mark.parametrize(
    "reply", [error(403, "AuthorizationFailed"), error(404, "RoleDefinitionDoesNotExist"), Reply({})]
)
def test_a_role_that_cannot_be_read(azure: Scripted, arm: Arm, clock: Clock, reply: Reply) -> None:
    """The assignment is present, its role's permissions unknown; it is tried again after a minute."""
    azure.says[DEFINITIONS.lower()] = azure.says[READER_PATH.lower()] = reply
    assert _role(arm) == RoleDefinition(READER, "", None)
    asked = len(azure.asked)
    _role(arm)
    assert len(azure.asked) == asked + 1
    azure.says[READER_PATH.lower()] = Reply(replies.definition())
    clock.now += KEEP_FAILURE + 1
    assert _role(arm).name == "Reader"


def test_a_listing_that_broke_off_is_used_as_far_as_it_went(azure: Scripted, arm: Arm) -> None:
    """Roles on the pages that were read are held, the others are read by id."""
    link = f"{azure.url}{DEFINITIONS}?page=2"
    azure.says[DEFINITIONS.lower()] = Reply(page(replies.definition(), next=link))
    azure.says[f"{DEFINITIONS}?2".lower()] = error(403, "AuthorizationFailed")
    assert _role(arm).name == "Reader"
    assert READER_PATH not in azure.paths()


def test_an_old_role_outlives_a_failure(azure: Scripted, arm: Arm, clock: Clock) -> None:
    """A role that was read and then can't be read any more has not changed."""
    before = _role(arm)
    clock.now += KEEP + 1
    azure.says[DEFINITIONS.lower()] = azure.says[READER_PATH.lower()] = error(403, "AuthorizationFailed")
    assert _role(arm) == before


def test_a_fresh_look_is_what_the_cache_holds_then(azure: Scripted, arm: Arm) -> None:
    """After an event on the role the next look at an assignment sees the new definition without a read."""
    _role(arm)
    azure.says[READER_PATH.lower()] = WIDER
    seen = arm.role(ResourceId(READER_PATH))
    assert isinstance(seen, Present)
    asked = len(azure.asked)
    assert _role(arm) == seen.state
    assert len(azure.asked) == asked + 1


def test_a_fresh_look_that_fails_forgets(azure: Scripted, arm: Arm) -> None:
    """What was held of a role that changed is not believed any more, also when the new look fails."""
    _role(arm)
    azure.says[READER_PATH.lower()] = [error(403, "AuthorizationFailed"), WIDER]
    assert isinstance(arm.role(ResourceId(READER_PATH)), Unknown)
    permissions = _role(arm).permissions
    assert permissions is not None
    assert permissions[0].actions == ("*",)


def test_a_role_that_is_gone(azure: Scripted, arm: Arm) -> None:
    """A deleted role definition is absent."""
    azure.says[READER_PATH.lower()] = error(404, "RoleDefinitionDoesNotExist")
    assert arm.role(ResourceId(READER_PATH)) == Absent()


def test_another_role_is_not_taken_for_this_one(azure: Scripted, arm: Arm) -> None:
    """A reply about another role is Unknown."""
    azure.says[READER_PATH.lower()] = Reply(replies.definition(NEW))
    assert isinstance(arm.role(ResourceId(READER_PATH)), Unknown)
