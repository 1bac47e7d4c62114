"""Terms: what books tell each other of expected access can be merged in any order and any number of times."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lami.core import terms
from lami.core.ids import ResourceId
from lami.core.model import Access, Term
from lami.core.terms import Supply
from tests.core.builders import ELSEWHERE, OWNER, READER, SUB, cause, group, make_access, workflow

VAULT = ResourceId(f"{group()}/providers/Microsoft.KeyVault/vaults/kv")
Terms = dict[str, Term]
ACCESSES = {access.key: access for access in (make_access(), make_access(scope=workflow()))}
KEYS = st.sampled_from(sorted(ACCESSES))
BOOKS = st.dictionaries(KEYS, st.integers(1, 6)).map(
    lambda counts: {key: Term(ACCESSES[key], "Reader", count) for key, count in counts.items()}
)
ACTS = st.lists(st.tuples(st.sampled_from(["accept", "withdraw"]), KEYS), max_size=8)


def merged(*books: Terms) -> Terms:
    """All of these, merged one after another."""
    result: Terms = {}
    for book in books:
        result, _ = terms.merge(result, book)
    return result


@given(BOOKS, BOOKS, BOOKS)
def test_merging_is_a_join(one: Terms, two: Terms, three: Terms) -> None:
    """Order, grouping and repetition make no difference to what is expected."""
    assert merged(one, two) == merged(two, one)
    assert merged(merged(one, two), three) == merged(one, merged(two, three))
    assert merged(one, one) == one
    assert merged(one, {}) == merged({}, one) == one


@given(BOOKS, BOOKS)
def test_merging_says_exactly_what_changed(mine: Terms, theirs: Terms) -> None:
    """What changed is what is new here or has a higher count there; after that nothing more does."""
    result, changed = terms.merge(mine, theirs)
    assert {term.access.key for term in changed} == {
        key for key, term in theirs.items() if key not in mine or term.count > mine[key].count
    }
    assert terms.merge(result, theirs) == (result, ())
    assert terms.merge(result, mine) == (result, ())


@given(BOOKS, ACTS)
def test_an_act_only_ever_raises_counts(book: Terms, acts: list[tuple[str, str]]) -> None:
    """Whatever is accepted and withdrawn, the later state contains every earlier one."""
    for act, key in acts:
        before = book
        if act == "accept":
            book = terms.accept(book, ACCESSES[key], "Reader")
            assert book[key].expected
        else:
            book = terms.withdraw(book, key)
            assert key not in book or not book[key].expected
        assert merged(before, book) == merged(book, before) == book


def test_acting_twice_is_acting_once() -> None:
    """Accepting what is expected and withdrawing what isn't (or was never known) changes nothing."""
    access = make_access()
    once = terms.accept({}, access, "Reader")
    assert terms.accept(once, access, "Reader") == once
    gone = terms.withdraw(once, access.key)
    assert terms.withdraw(gone, access.key) == gone
    assert terms.withdraw({}, access.key) == {}
    assert terms.accept(gone, access, "Reader")[access.key].count == 3


def test_news_of_a_term_keeps_since_when_it_is_missing() -> None:
    """A higher count that still expects it leaves the mark; one that withdraws it does not."""
    access = make_access()
    marked = Term(access, "Reader", 1, missing_since=cause().time, missing_cause=cause())
    still, _ = terms.merge({access.key: marked}, {access.key: Term(access, "Reader", 3)})
    withdrawn, _ = terms.merge({access.key: marked}, {access.key: Term(access, "Reader", 2)})
    assert (still[access.key].count, still[access.key].missing_since) == (3, marked.missing_since)
    assert withdrawn[access.key] == Term(access, "Reader", 2)


def test_what_is_told_is_bare() -> None:
    """What only a holder's own book needs is not told to others."""
    access = make_access(scope=group("rg"))
    marked = Term(access, "Reader", 1, missing_since=cause().time, missing_cause=cause())
    assert terms.bare({access.key: marked}) == {access.key: Term(access, "Reader", 1)}


@pytest.mark.parametrize(
    ("at", "serves"),
    [
        (VAULT, True),
        (group(), True),
        (ResourceId(f"/subscriptions/{SUB}"), True),
        (ResourceId("/"), True),
        (ResourceId(str(group()).upper()), True),
        (group("rg"), False),
        (ResourceId(f"{VAULT}/secrets/one"), False),
        (ResourceId(f"/subscriptions/{ELSEWHERE}"), False),
        (ResourceId("/providers/Microsoft.Management/managementGroups/all"), False),
    ],
)
def test_a_role_granted_above_serves_below(at: ResourceId, serves: bool) -> None:
    """Nobody is refused at a vault who has the role at its group; of management groups it is not known."""
    supply = Supply([Access(READER.id, at)])
    assert supply.has(Access(READER.id, VAULT)) is serves
    assert not supply.has(Access(OWNER.id, VAULT))


def test_a_role_granted_above_under_a_narrower_condition_does_not_serve() -> None:
    """What restricts it above restricts it below."""
    condition = "@Resource[Microsoft.Storage/storageAccounts/blobServices/containers:name] StringEquals 'a'"
    assert not Supply([Access(READER.id, group(), condition)]).has(Access(READER.id, VAULT))
    assert Supply([Access(READER.id, group())]).has(Access(READER.id, VAULT, condition))
