"""Books in a table: one transaction on the loaded version, whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from threading import Barrier
from uuid import uuid4

import pytest
from msgspec.structs import replace

from lami.core.model import (
    Absent,
    Book,
    Decision,
    HolderState,
    Owed,
    OwedAlert,
    OwedIndex,
    PrincipalState,
    Subject,
)
from lami.core.timeline import broken
from lami.store import history, rows
from lami.store.azure_tables import from_connection_string
from lami.store.books import Books, Loaded, Repeated
from lami.store.sqlite import SqliteTable
from lami.store.table import Conflict, Create, LimitExceeded, Put, Row, Table
from tests.core.builders import (
    HOSTILE,
    OWNER,
    P1,
    P2,
    assignment_id,
    at,
    cause,
    group,
    holder_step,
    make_assignment,
    make_holder,
    make_identity_holder,
    make_principal,
    principal_step,
    says_carries,
    told,
    workflow,
)
from tests.store.counting import Counting

PRINCIPAL = Subject("principal", P1)
HOLDER = Subject("holder", workflow().text)


@pytest.fixture(params=["sqlite", pytest.param("azurite", marks=pytest.mark.azurite)])
def table(request: pytest.FixtureRequest) -> Iterator[Table]:
    """An empty table, on each back end."""
    opened: Table = SqliteTable(":memory:")
    if request.param == "azurite":
        opened = from_connection_string(request.getfixturevalue("azurite"), f"t{uuid4().hex}")
    yield opened
    opened.close()


@pytest.fixture
def memory() -> Iterator[Table]:
    """An empty table in memory, for what no back end makes different."""
    opened = SqliteTable(":memory:")
    yield opened
    opened.close()


def granted(book: Book, name: str = "a1", id: str = "event-1") -> Decision:
    """A broad grant is told and seen: entries, a finding, debts and a gate."""
    line = make_assignment(name, role=OWNER, created=at(-9))
    return principal_step(book, told(line.id, time=at(-8), id=id), line)


def gone(book: Book, name: str = "a1", id: str = "event-2") -> Decision:
    """That grant is taken away."""
    one = assignment_id(name)
    return principal_step(book, told(one, "delete", at(60), id), (one, Absent()), now=at(61))


def everything(table: Table, subject: Subject = PRINCIPAL) -> list[Row]:
    """All rows of a book, those behind the state too."""
    return table.query(subject.partition)


# --- one writer ------------------------------------------------------------------------------------


def test_a_book_comes_back_as_it_was_committed(table: Table) -> None:
    """State, findings and debts; and what `commit` answers is what a load would."""
    books = Books(table)
    loaded = books.load(PRINCIPAL)
    assert loaded.book == Book(PRINCIPAL, PrincipalState())
    decision = granted(loaded.book)
    committed = books.commit(loaded, decision)
    assert books.load(PRINCIPAL).book == committed.book == decision.book
    assert books.load(PRINCIPAL).etags == {
        key: etag for key, etag in committed.etags.items() if key < rows.STATE_ENDS
    }


def test_what_is_gone_leaves_no_row_behind(memory: Table) -> None:
    """A part that becomes empty is deleted, and can be filled again from the same loaded book."""
    books = Books(memory)
    first = books.commit(books.load(PRINCIPAL), granted(books.load(PRINCIPAL).book))
    second = books.commit(first, gone(first.book))
    assert not second.book.findings
    assert not [row for row in everything(memory) if row.key.startswith("c.findings")]
    assert books.load(PRINCIPAL).book == second.book
    again = principal_step(
        second.book,
        told(assignment_id(), time=at(99), id="event-3"),
        make_assignment(role=OWNER, created=at(98)),
        now=at(100),
    )
    assert books.load(PRINCIPAL).book != books.commit(second, again).book == books.load(PRINCIPAL).book


def test_the_timeline_comes_back_newest_first_and_holds(memory: Table) -> None:
    """Over several commits the chain holds."""
    books = Books(memory)
    loaded = books.load(PRINCIPAL)
    for number in range(4):
        loaded = books.commit(loaded, granted(loaded.book, f"a{number}", f"event-{number}"))
    entries = books.entries(PRINCIPAL)
    assert entries == sorted(entries, key=lambda entry: entry.id, reverse=True)
    assert len(entries) == loaded.book.entries == 8
    assert broken(list(reversed(entries)), loaded.book.chain, loaded.book.entries) == ""


def moments(memory: Table, seconds: list[int], first: int = 0) -> Books:
    """A book with one commit at each of these times, in this order."""
    books = Books(memory)
    loaded = books.load(PRINCIPAL)
    for number, second in enumerate(seconds, start=first):
        line = make_assignment(f"a{number}", role=OWNER, created=at(-99))
        what = told(line.id, time=at(-98), id=f"event-{number}")
        loaded = books.commit(loaded, principal_step(loaded.book, what, line, now=at(second)))
    return books


def test_a_question_has_the_latest_first_whatever_the_clocks_say(memory: Table) -> None:
    """Of workers whose clocks differ, too. The chain keeps the order in which they came."""
    books = moments(memory, [5, 7, 2, 6, 90, 8])
    asked = [(entry.at, entry.id) for entry in books.timeline(PRINCIPAL, at(6))]
    assert [moment for moment, _ in asked] == [at(m) for m in (90, 90, 8, 8, 7, 7, 6, 6)]
    assert asked == sorted(asked, reverse=True)
    assert [entry.at for entry in books.entries(PRINCIPAL)][::2] == [at(m) for m in (8, 90, 6, 2, 7, 5)]
    assert books.load(PRINCIPAL).book.latest == at(90)
    assert history.broken(books.history(PRINCIPAL)) == ""


def test_a_row_that_does_not_say_how_late_its_entries_are_hides_none(memory: Table) -> None:
    """It is read all the same, and in order; what comes after says no more than is known."""
    books = moments(memory, [5, 90, 6])
    for version in (1, 2, 3):
        key = rows.entries_key(version) + ".00"
        row = memory.get(PRINCIPAL.partition, key)
        assert row is not None
        memory.transact(PRINCIPAL.partition, [Put(key, {"d0": row.values["d0"]})])
    head = rows.head(replace(books.load(PRINCIPAL).book, latest=None))
    memory.transact(PRINCIPAL.partition, [Put(rows.HEAD, head)])
    moments(memory, [1, 8], first=3)
    assert [one.at for one in books.timeline(PRINCIPAL, at(6))][::2] == [at(m) for m in (90, 8, 6)]
    assert history.broken(books.history(PRINCIPAL)) == ""


@pytest.mark.parametrize("many", [500, 2_000])
def test_the_newest_of_a_timeline_cost_no_more_for_the_older(many: int) -> None:
    """A page reads some rows, and so does what was since a late time, however many there are."""
    table = Counting()
    for number in range(many):
        (entry, *_) = principal_step(
            make_principal(), told(assignment_id()), make_assignment(), now=at(number)
        ).entries
        found = rows.stack_entries(number, [replace(entry, id=f"e-{number:06d}")], at(number))
        table.transact(PRINCIPAL.partition, [Create(key, values) for key, values in found.items()])
    books = Books(table)
    assert [entry.at for entry in islice(books.timeline(PRINCIPAL, at(0)), 100)][-1] == at(many - 100)
    assert len(list(books.timeline(PRINCIPAL, at(many - 50)))) == 50
    assert table.read <= 256


@pytest.mark.parametrize("change", ["text", "removed", "head", "latest", "head's latest"])
def test_tampering_with_the_table_shows(memory: Table, change: str) -> None:
    """Whoever rewrites a row of entries, deletes one or rewrites the head breaks the chain.

    So does who would hide what is older from a question, by a row that says that nothing is so late.
    """
    books = Books(memory)
    loaded = books.load(PRINCIPAL)
    for number in range(3):
        loaded = books.commit(loaded, granted(loaded.book, f"a{number}", f"event-{number}"))
    key = rows.entries_key(2) + ".00"
    row = memory.get(PRINCIPAL.partition, key)
    assert row is not None
    if change == "text":
        (first, *rest) = rows.unpack_entries(row)
        forged = rows.pack([replace(first, text="nothing happened"), *rest])
        memory.transact(PRINCIPAL.partition, [Put(key, forged)])
    elif change == "removed":
        memory.transact(PRINCIPAL.partition, [Put(key, rows.pack([]))])
    elif change == "latest":
        stacked = rows.stack_entries(2, rows.unpack_entries(row), at(-999))
        memory.transact(PRINCIPAL.partition, [Put(key, values) for key, values in stacked.items()])
        assert len(list(books.timeline(PRINCIPAL, at(-99)))) < len(books.entries(PRINCIPAL))
    else:
        forged_book = replace(loaded.book, chain="0" * 64)
        if change == "head's latest":
            forged_book = replace(loaded.book, latest=at(-999))
        memory.transact(PRINCIPAL.partition, [Put(rows.HEAD, rows.head(forged_book))])
    assert history.broken(books.history(PRINCIPAL)) != ""


def test_what_a_commit_wrote_can_be_read_again_for_its_debts(memory: Table) -> None:
    """In the process that wrote it and in any other: the entries, and the findings it resolved."""
    books = Books(memory)
    first = books.commit(books.load(PRINCIPAL), granted(books.load(PRINCIPAL).book))
    decision = gone(first.book)
    assert decision.owed is not None
    here = books.commit(first, decision)
    there = books.load(PRINCIPAL)
    for loaded in (here, there):
        assert books.written(loaded, decision.owed) == (decision.entries, decision.resolved)


def test_a_holders_book_is_found_in_any_casing(memory: Table) -> None:
    """Azure writes one id in several casings: one app has one book."""
    books = Books(memory)
    first = holder_step(make_holder(), told(workflow()), make_identity_holder(system=P1, created=at(-9)))
    books.commit(books.load(HOLDER), first)
    assert books.load(Subject("holder", workflow().text.upper())).book == first.book


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_stored(memory: Table, name: str) -> None:
    """No name of a resource is too strange for a key or a property."""
    books = Books(memory)
    line = make_assignment(name.replace("/", "-"), role=OWNER, scope=group(name), created=at(-9))
    decision = principal_step(Book(PRINCIPAL, PrincipalState()), told(line.id, time=at(-8), id=name), line)
    books.commit(books.load(PRINCIPAL), decision)
    assert books.load(PRINCIPAL).book == decision.book


# --- several writers -------------------------------------------------------------------------------


def test_only_one_of_two_commits_on_one_version_goes_through(table: Table) -> None:
    """The second is refused, and nothing of it is written, neither gate nor entry nor debt."""
    books = Books(table)
    one, other = books.load(PRINCIPAL), books.load(PRINCIPAL)
    first = books.commit(one, granted(one.book))
    before = everything(table)
    with pytest.raises(Conflict):
        books.commit(other, granted(other.book, "a2", "event-2"))
    assert everything(table) == before

    stale = first
    second = books.commit(first, granted(first.book, "a2", "event-2"))
    before = everything(table)
    with pytest.raises(Conflict) as caught:
        books.commit(stale, granted(stale.book, "a3", "event-3"))
    assert caught.value.key == rows.HEAD
    assert everything(table) == before
    assert books.load(PRINCIPAL).book == second.book


def test_a_stimulus_commits_once(table: Table) -> None:
    """A redelivery meets its gate, on whichever version, and writes nothing."""
    books = Books(table)
    stale = books.load(PRINCIPAL)
    first = books.commit(stale, granted(stale.book))
    before = everything(table)
    for loaded in (first, stale):
        with pytest.raises(Repeated):
            books.commit(loaded, granted(loaded.book))
    assert everything(table) == before


def test_a_gate_is_its_own_books(memory: Table) -> None:
    """One event may be handled in several books."""
    books = Books(memory)
    for principal in (P1, P2):
        subject = Subject("principal", principal)
        line = make_assignment(principal=principal, role=OWNER, created=at(-9))
        decision = principal_step(Book(subject, PrincipalState()), told(line.id, time=at(-8)), line)
        assert books.commit(books.load(subject), decision).book.version == 1


def test_a_message_has_no_gate(memory: Table) -> None:
    """It carries its sender's version instead."""
    books = Books(memory)
    loaded = books.load(PRINCIPAL)
    loaded = books.commit(loaded, principal_step(loaded.book, says_carries(1)))
    books.commit(loaded, principal_step(loaded.book, says_carries(2, carries=False)))
    assert not [row for row in everything(memory) if row.key.startswith("gate.")]


def test_a_decision_beyond_the_limits_writes_nothing(memory: Table) -> None:
    """What Table Storage would refuse is refused before anything is written."""
    books = Books(memory)
    loaded = books.load(PRINCIPAL)
    decision = replace(granted(loaded.book), gate="x" * 600)
    with pytest.raises(LimitExceeded):
        books.commit(loaded, decision)
    assert everything(memory) == []


def test_writers_that_race_all_get_through_one_after_another(table: Table) -> None:
    """Whoever is refused loads and decides again: no commit is lost, no version is given twice."""
    together = Barrier(4)

    def work(number: int) -> int:
        books = Books(table)
        together.wait()
        for _ in range(50):
            loaded = books.load(PRINCIPAL)
            try:
                return books.commit(
                    loaded, granted(loaded.book, f"a{number}", f"event-{number}")
                ).book.version
            except Conflict:
                continue
        raise AssertionError("never got through")

    with ThreadPoolExecutor(4) as threads:
        versions = list(threads.map(work, range(4)))
    books = Books(table)
    book = books.load(PRINCIPAL).book
    assert sorted(versions) == [1, 2, 3, 4]
    assert len(book.findings) == len(book.owed) == 4
    assert broken(list(reversed(books.entries(PRINCIPAL))), book.chain, book.entries) == ""


# --- debts -----------------------------------------------------------------------------------------


def owing(table: Table) -> Loaded:
    """A book that owes two alerts, by two commits."""
    books = Books(table)
    loaded = books.commit(books.load(PRINCIPAL), granted(books.load(PRINCIPAL).book))
    return books.commit(loaded, granted(loaded.book, "a2", "event-2"))


def test_of_two_that_claim_one_gets_it(table: Table) -> None:
    """The other is refused whole, also where it claims something else beside."""
    books, loaded = Books(table), owing(table)
    one, two = loaded.book.owed
    until = at(300)
    claimed = books.claim(loaded, [one], until)
    with pytest.raises(Conflict):
        books.claim(loaded, [two, one], until)
    assert [owed.claimed_until for owed in books.load(PRINCIPAL).book.owed] == [until, None]
    assert claimed.book == books.load(PRINCIPAL).book
    assert books.claim(claimed, [two], until).book.owed[1].claimed_until == until


def test_a_claim_is_no_change_of_the_book(memory: Table) -> None:
    """Version and head stay: whoever decides meanwhile is not disturbed."""
    books, loaded = Books(memory), owing(memory)
    books.claim(loaded, loaded.book.owed, at(300))
    assert books.commit(loaded, gone(loaded.book, id="event-3")).book.version == loaded.book.version + 1


def test_what_is_told_is_crossed_off_with_its_entry(memory: Table) -> None:
    """A commit may rewrite debts in its transaction: all of it is there, or none."""
    books, loaded = Books(memory), owing(memory)
    one, two = loaded.book.owed
    left: dict[str, Owed | None] = {one.id: None, two.id: replace(two, alerts=())}
    done = books.commit(loaded, replace(gone(loaded.book, id="event-3"), owed=None), left)
    assert books.load(PRINCIPAL).book.owed == done.book.owed[:1]
    assert done.book.owed[0] == replace(two, alerts=())

    other = Books(memory)
    before = everything(memory)
    with pytest.raises(Conflict):
        other.commit(loaded, gone(loaded.book, id="event-4"), {two.id: None})
    assert everything(memory) == before


def test_settling_leaves_what_another_has_changed(table: Table) -> None:
    """A row claimed or removed meanwhile stays as that worker has it, and the others are settled."""
    books, loaded = Books(table), owing(table)
    one, two = loaded.book.owed
    books.claim(loaded, [one], at(300))
    books.settle(loaded, {one.id: None, two.id: None})
    assert [owed.id for owed in books.load(PRINCIPAL).book.owed] == [one.id]
    books.settle(loaded, {one.id: None, two.id: None})
    assert [owed.id for owed in books.load(PRINCIPAL).book.owed] == [one.id]


def test_settling_what_is_loaded_settles_it(memory: Table) -> None:
    """Rewritten or removed, and what is answered is what a load would; nothing to settle is no request."""
    books, loaded = Books(memory), owing(memory)
    one, two = loaded.book.owed
    less = replace(one, alerts=(OwedAlert("f-1", "", ("teams",)),), index=None)
    settled = books.settle(loaded, {one.id: less, two.id: None})
    assert settled.book == books.load(PRINCIPAL).book
    assert settled.book.owed == (less,)
    assert books.settle(settled, {}).book == settled.book
    assert books.settle(settled, {one.id: None}).book.owed == ()


def test_many_debts_can_be_settled(memory: Table) -> None:
    """A channel was down for long, and a book owes more than one transaction can rewrite."""
    books = Books(memory)
    loaded = books.load(PRINCIPAL)
    for number in range(150):
        owed = Owed(f"{number + 1:012d}", cause(), (OwedAlert(f"f-{number}", ""),), index=OwedIndex(True))
        book = replace(loaded.book, version=number + 1, owed=(*loaded.book.owed, owed))
        loaded = books.commit(loaded, Decision(book, owed=owed))
    settled = books.settle(loaded, {owed.id: None for owed in loaded.book.owed})
    assert settled.book == books.load(PRINCIPAL).book
    assert settled.book.owed == ()


def test_an_empty_book_is_of_its_kind(memory: Table) -> None:
    """A holder never seen has a holder's state."""
    assert Books(memory).load(HOLDER).book == Book(HOLDER, HolderState())
