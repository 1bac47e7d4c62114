"""A decision is one transaction also where it touches as many grants as a subscription can have."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random
from uuid import UUID

import pytest

from lami.core.decide_principal import Sight, decide_principal
from lami.core.draft import Rules
from lami.core.ids import ResourceId
from lami.core.model import (
    Access,
    Book,
    Cause,
    Permission,
    Present,
    PrincipalState,
    RoleAssignment,
    RoleDefinition,
    Subject,
)
from lami.core.policy import parse
from lami.core.stimuli import Reconciled
from lami.core.timeline import broken
from lami.detectors import DETECTORS
from lami.settings import packaged_policy
from lami.store.books import Books
from lami.store.sqlite import SqliteTable

NOW = datetime(2026, 11, 24, 8, tzinfo=UTC)
CONTRIBUTOR = RoleDefinition(
    "b24988ac-6180-42a0-ab88-20f7382dd24c", "Contributor", (Permission(actions=("*",)),)
)


@pytest.mark.parametrize("number", [40, 4_000])
def test_grants_that_come_and_go_all_at_once(number: int) -> None:
    """As many broad grants as may be are found, and all gone again, in one transaction each."""
    random = Random(7)
    principal, subscription = _guid(random), _guid(random)
    rules = Rules(
        parse(packaged_policy(), packaged_policy()),
        DETECTORS,
        frozenset({subscription}),
        timedelta(minutes=2),
    )
    books = Books(SqliteTable(":memory:"))
    subject = Subject("principal", principal)
    assert books.load(subject).book == Book(subject, PrincipalState())

    lines = tuple(_assignment(random, principal, subscription, each) for each in range(number))
    sight = Sight(tuple((line.id, Present(line)) for line in lines), frozenset({subscription}))
    loaded = books.load(subject)
    found = decide_principal(loaded.book, _reconciled("one"), sight, rules, NOW)
    assert found is not None
    assert len(found.opened) == number
    books.commit(loaded, found)

    loaded = books.load(subject)
    assert loaded.book == found.book
    nothing = Sight((), frozenset({subscription}))
    later = NOW + timedelta(days=1)
    gone = decide_principal(loaded.book, _reconciled("two"), nothing, rules, later)
    assert gone is not None
    assert len(gone.resolved) == number
    assert gone.owed is not None
    books.commit(loaded, gone)

    book = books.load(subject).book
    entries = list(reversed(books.entries(subject)))
    assert not book.findings
    assert broken(entries, book.chain, book.entries) == ""
    assert books.written(books.load(subject), gone.owed) == (gone.entries, gone.resolved)


def _assignment(random: Random, principal: str, subscription: str, number: int) -> RoleAssignment:
    scope = ResourceId(f"/subscriptions/{subscription}/resourceGroups/rg-orders-production-{number:04d}")
    id = ResourceId(f"{scope}/providers/Microsoft.Authorization/roleAssignments/{_guid(random)}")
    made = NOW - timedelta(days=1, seconds=number)
    access = Access(CONTRIBUTOR.id, scope)
    return RoleAssignment(id, principal, "ServicePrincipal", access, CONTRIBUTOR, made, made, _guid(random))


def _reconciled(run: str) -> Reconciled:
    return Reconciled(run, Cause(f"reconcile-{run}", "lami/reconcile", NOW))


def _guid(random: Random) -> str:
    return str(UUID(int=random.getrandbits(128)))
