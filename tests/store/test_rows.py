"""The layout of rows: whatever a book holds comes back as it was, within Table Storage's limits."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lami.core.ids import ResourceId
from lami.core.model import (
    Acceptance,
    Access,
    Actor,
    Book,
    Carrier,
    Cause,
    Entry,
    Finding,
    FindingSubject,
    Grant,
    Granted,
    HolderState,
    Owed,
    OwedAlert,
    OwedIndex,
    OwedLook,
    OwedMessage,
    PrincipalState,
    RoleState,
    Subject,
    Term,
)
from lami.store import limits, rows
from lami.store.table import Put, Row
from tests.core.builders import HOSTILE, NOW, P1, cause, make_access, make_grant, workflow

# Half characters cannot be stored, and an event that holds one is refused when it is decoded.
TEXT = st.sampled_from(HOSTILE) | st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
IDS = TEXT.map(lambda text: ResourceId(f"/x{text}y"))
st.register_type_strategy(str, TEXT)
st.register_type_strategy(
    datetime,
    st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
)
st.register_type_strategy(ResourceId, IDS)


def stored(book: Book) -> dict[str, Row]:
    """The rows of a load of this book, as the limits of Table Storage allow them."""
    found = {rows.HEAD: rows.head(book)}
    for name, part in rows.parts(book).items():
        found |= rows.shards(name, part)
    found |= {rows.owed_key(owed.id): rows.pack(owed) for owed in book.owed}
    limits.check(book.subject.partition, [Put(key, values) for key, values in found.items()])
    return {key: Row(book.subject.partition, key, values) for key, values in found.items()}


def comes_back(book: Book) -> None:
    """Assert that what is loaded is what was stored."""
    assert rows.decode(book.subject, stored(book)) == book


def books(kind: str, state: st.SearchStrategy[object]) -> st.SearchStrategy[Book]:
    """Books of a kind with such a state, open findings and debts."""
    subject = st.builds(Subject, st.just(kind), TEXT) if kind == "holder" else st.just(Subject("principal", P1))
    if kind == "role":
        subject = st.just(Subject("role", P1))
    findings = st.lists(st.builds(Finding), max_size=2).map(lambda some: {f"f-{n}": f for n, f in enumerate(some)})
    owed = st.lists(st.builds(Owed), max_size=2).map(
        lambda some: tuple(replace(one, id=f"{n:012d}") for n, one in enumerate(some))
    )
    return st.builds(Book, subject, state, st.integers(1, 10**9), TEXT, st.integers(0, 10**9), findings, owed)


@given(books("principal", st.builds(PrincipalState)))
def test_a_principals_book_comes_back(book: Book) -> None:
    """Grants, what was heard, terms and carriers, with hostile text anywhere."""
    comes_back(book)


@given(books("holder", st.builds(HolderState)))
def test_a_holders_book_comes_back(book: Book) -> None:
    """Identities, terms, and what principals, apps and identities said."""
    comes_back(book)


@given(books("role", st.builds(RoleState)))
def test_a_roles_book_comes_back(book: Book) -> None:
    """A role's powers."""
    comes_back(book)


@given(st.lists(st.builds(Entry), max_size=3), st.lists(st.builds(Finding), max_size=3))
def test_entries_and_resolved_findings_come_back(entries: list[Entry], findings: list[Finding]) -> None:
    """In the order in which they were written."""
    for items, kind in ((entries, Entry), (findings, Finding)):
        found = [Row("p", key, values) for key, values in rows.stack("k", items).items()]
        assert rows.unstack(found, kind) == items


def test_no_rows_are_a_book_nobody_has_written() -> None:
    """Of each kind, with version 0."""
    for subject, state in (
        (Subject("holder", workflow().text), HolderState()),
        (Subject("principal", P1), PrincipalState()),
        (Subject("role", P1), RoleState()),
    ):
        assert rows.decode(subject, {}) == Book(subject, state)


def test_a_book_keeps_its_id_as_azure_wrote_it_first() -> None:
    """Whoever loads it in another casing finds the same book and the first writing."""
    book = Book(Subject("holder", workflow().text), HolderState(), version=1)
    other = Subject("holder", workflow().text.upper())
    assert other.partition == book.subject.partition
    assert rows.decode(other, stored(book)).subject.id == workflow().text


def test_what_a_load_reads_has_keys_before_what_it_never_reads() -> None:
    """One range query has the state, the open findings and the debts, and no more."""
    book = Book(Subject("principal", P1), PrincipalState(grants={"k": make_grant()}), owed=(Owed("1", cause()),))
    assert all(key < rows.STATE_ENDS for key in stored(book))
    behind = (rows.entries_key(1), rows.gate_key("g"), rows.resolved_key(1))
    assert all(key >= rows.STATE_ENDS for key in behind)


def test_entries_stand_newest_first() -> None:
    """Key order is the reverse of versions, so that the newest are read without the older ones."""
    keys = [rows.entries_key(version) for version in (1, 2, 10, 999_999)]
    assert keys == sorted(keys, reverse=True)


# --- sizes -----------------------------------------------------------------------------------------

LENGTHS = [
    *range(rows.DEFLATE_FROM - 3, rows.DEFLATE_FROM + 3),
    *range(rows.PROPERTY - 3, rows.PROPERTY + 3),
    *range(2 * rows.PROPERTY - 3, 2 * rows.PROPERTY + 3),
    5 * rows.PROPERTY,
]


def noise(length: int, alphabet: str) -> str:
    """Text that hardly deflates."""
    return "".join(Random(length).choices(alphabet, k=length))


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("alphabet", ["a", "abcdefghijklmnopqrstuvwxyz0123456789+/", "漢字é", "😀👍"])
def test_text_of_any_length_comes_back(length: int, alphabet: str) -> None:
    """Around the lengths at which it is deflated or split, no property is too long and nothing is lost."""
    text = noise(length, alphabet)
    values = rows.pack(text)
    limits.check("p", [Put("k", values)])
    assert rows.unpack(values, str) == text


@pytest.mark.parametrize("times", [1, 2, 3])
def test_text_that_fills_its_properties_exactly_comes_back(times: int) -> None:
    """What is stored in whole properties, without a rest, is read to its end and no further."""
    length = times * rows.PROPERTY
    for size in range(length // 2, 2 * length):
        values = rows.pack(noise(size, "abcdefgh"))
        if sum(len(str(part)) for part in values.values()) == length:
            break
        # Base 64 grows by four characters at a time: step as far as may be.
    else:
        pytest.skip("no text of this kind deflates to exactly this length")
    assert len(values) == times
    assert rows.unpack(values, str) == noise(size, "abcdefgh")


def test_many_items_are_as_many_rows_as_they_need() -> None:
    """Each row is within its limit, and the items come back in their order; one item is never split."""
    items = [noise(3_000, "abcdefghijklmnopqrstuvwxyz") + str(number) for number in range(700)]
    found = rows.stack("entry.1", items)
    assert len(found) > 2
    for key, values in found.items():
        limits.check("p", [Put(key, values)])
    assert rows.unstack([Row("p", key, values) for key, values in found.items()], str) == items


def test_which_row_an_item_is_in_depends_on_its_key_only() -> None:
    """Adding a grant rewrites one row of grants, however many there are."""
    grants: dict[str, object] = {f"k{number}": make_grant(f"a{number}") for number in range(200)}
    before = rows.shards("b.grants", grants)
    after = rows.shards("b.grants", {**grants, "more": make_grant("more")})
    assert len(before) == 16
    assert sum(before.get(key) != values for key, values in after.items()) == 1


def test_a_book_of_4000_grants_fits_one_transaction() -> None:
    """As many as a subscription can have, all of them expected and found at once, with their debts."""
    random = Random(7)
    grants = {}
    terms = {}
    findings = {}
    for number in range(4_000):
        grant = make_grant(f"{random.getrandbits(128):032x}", scope=workflow(f"{random.getrandbits(64):x}"))
        grants[grant.id.key] = grant
        terms[grant.access.key] = Term(grant.access, "Reader")
        findings[f"f-{number}"] = _finding(f"f-{number}", grant)
    owed = Owed("1", cause(), tuple(OwedAlert(id, "") for id in findings), index=OwedIndex(True, tuple(findings)))
    state = PrincipalState("User", grants, terms)
    book = Book(Subject("principal", P1), state, 1, "c", 4_000, dict(sorted(findings.items())), (owed,))
    found = rows.decode(book.subject, stored(book))
    assert found == book


def _finding(id: str, grant: Grant) -> Finding:
    return Finding(
        id=id,
        rule="broad-grant",
        severity="high",
        status="open",
        subject=FindingSubject("principal", P1, "claims-intake"),
        title="claims-intake was granted Reader",
        detail={"principalId": P1, "assignmentId": grant.id.text, "scope": grant.access.scope.text},
        cause=cause(),
        opened_at=NOW,
        telling="",
        thread="t",
        revision=1,
        key=grant.id.key,
        remediation=(f"az role assignment delete --ids {grant.id.text}",),
    )


def test_every_noun_of_a_book_is_drawn() -> None:
    """The properties above would be worth little if a part of the books were always empty."""
    drawn = {type(one) for one in _walk(_samples())}
    nouns = {Acceptance, Access, Actor, Carrier, Cause, Grant, Granted, OwedLook, OwedMessage, Term}
    assert nouns <= drawn


def _samples() -> list[object]:
    found: list[object] = []

    @given(st.builds(PrincipalState), st.builds(HolderState), st.builds(Finding), st.builds(Owed))
    def collect(*some: object) -> None:
        found.extend(some)

    collect()
    return found


def _walk(value: object) -> list[object]:
    if isinstance(value, dict):
        return [one for item in value.values() for one in _walk(item)]
    if isinstance(value, list | tuple):
        return [one for item in value for one in _walk(item)]
    slots = getattr(value, "__slots__", ()) if not isinstance(value, ResourceId) else ()
    return [value, *(one for name in slots for one in _walk(getattr(value, name)))]


def test_access_keys_do_not_change_with_the_casing_of_a_scope() -> None:
    """A term and a grant of one access meet however Azure wrote the scope."""
    upper = make_access(scope=ResourceId(make_access().scope.text.upper()))
    assert upper.key == make_access().key
