"""The index: copies that help to find things, harmless to write twice, never older than they were."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, time, timedelta, timezone
from itertools import islice
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from lami.core.ids import ResourceId
from lami.core.model import Entry, Finding, Status, Subject
from lami.queries import FindingQuery, Queries
from lami.store.azure_tables import from_connection_string
from lami.store.books import Books
from lami.store.due import DueList
from lami.store.index import SHARDS, Index, IndexedFinding, days
from lami.store.sqlite import SqliteTable
from lami.store.table import Delete, Table
from tests.core.builders import (
    ELSEWHERE,
    HOSTILE,
    NOW,
    OWNER,
    P1,
    P2,
    SUB,
    assignment_id,
    at,
    cause,
    group,
    make_assignment,
    make_principal,
    principal_step,
    told,
    workflow,
)
from tests.store.counting import Counting

PRINCIPAL = Subject("principal", P1)
GRANT = make_assignment(role=OWNER, created=at(-9))
DECISION = principal_step(make_principal(), told(GRANT.id, time=at(-8)), GRANT)
(FINDING,) = DECISION.book.findings.values()


@pytest.fixture(params=["sqlite", pytest.param("azurite", marks=pytest.mark.azurite)])
def table(request: pytest.FixtureRequest) -> Iterator[Table]:
    """An empty table, on each back end."""
    opened: Table = SqliteTable(":memory:")
    if request.param == "azurite":
        opened = from_connection_string(request.getfixturevalue("azurite"), f"t{uuid4().hex}")
    yield opened
    opened.close()


@pytest.fixture
def index() -> Iterator[Index]:
    """An empty index in memory."""
    table = SqliteTable(":memory:")
    yield Index(table)
    table.close()


# --- whose assignment ------------------------------------------------------------------------------


def test_an_assignments_name_keeps_all_its_principals(index: Index) -> None:
    """A name can be used again: the second principal is added, in any casing of the id and however often."""
    one = assignment_id()
    assert index.principals_of(one) == ()
    for id, principal in ((one, P1), (ResourceId(one.text.upper()), P2), (one, P1)):
        index.add_principal(id, principal)
    assert index.principals_of(one) == index.principals_of(ResourceId(one.text.lower())) == (P1, P2)
    assert index.principals_of(assignment_id("a2")) == ()


@pytest.mark.parametrize("name", HOSTILE)
def test_an_assignment_of_any_name(index: Index, name: str) -> None:
    """No name is too strange for a key."""
    index.add_principal(assignment_id(name, group(name)), P1)
    assert index.principals_of(assignment_id(name, group(name))) == (P1,)


# --- the timeline ----------------------------------------------------------------------------------


def entries_at(moment: datetime, number: int = 1, why: int = 1) -> tuple[Entry, ...]:
    """The entries of a commit at this time, because of one of several causes."""
    made = cause(f"cause-{why}")
    return tuple(replace(e, at=moment, id=f"{e.id}-{number}", cause=made) for e in DECISION.entries)


def on(index: Index, day: date) -> list[str]:
    """The ids of the entries of a day, as they are read."""
    since = datetime.combine(day, time.min, UTC)
    return [entry.id for entry in index.entries(since, since + timedelta(days=1))]


def test_entries_are_copied_into_their_day(table: Table) -> None:
    """By UTC, also where the time is written in another zone; twice is once."""
    index = Index(table)
    midnight = datetime(2026, 11, 25, tzinfo=UTC)
    before = entries_at(midnight - timedelta(microseconds=1), 1)
    after = entries_at(midnight.astimezone(timezone(timedelta(hours=-8))), 2, why=2)
    for _ in range(2):
        index.add_entries([before, after, ()])
    assert on(index, date(2026, 11, 24)) == [entry.id for entry in reversed(before)]
    assert on(index, date(2026, 11, 25)) == [entry.id for entry in reversed(after)]


def test_a_copy_is_the_entry_itself(index: Index) -> None:
    """With its hash, so that it can be compared with the book's."""
    index.add_entries([DECISION.entries])
    assert list(index.entries(NOW, at(1))) == list(reversed(DECISION.entries))


def test_more_commits_of_one_cause_than_a_transaction_holds(index: Index) -> None:
    """A redeploy of many grants shares a partition, and is written in several transactions."""
    commits = [entries_at(at(number), number) for number in range(230)]
    index.add_entries(commits)
    newest_first = [entry.id for entries in reversed(commits) for entry in reversed(entries)]
    assert on(index, NOW.date()) == newest_first


MIDNIGHT = datetime(2026, 11, 25, tzinfo=UTC)
moments = st.integers(-40, 40).map(lambda n: MIDNIGHT + n * timedelta(microseconds=300))
"""Around midnight, and some of them within one millisecond."""


@given(st.lists(st.tuples(st.integers(0, 30), moments), max_size=60), moments, moments)
def test_entries_of_a_span_are_read_newest_first(
    written: list[tuple[int, datetime]], since: datetime, until: datetime
) -> None:
    """Whatever partitions they stand in, however near each other and over midnight, each once."""
    index = Index(SqliteTable(":memory:"))
    commits = [entries_at(moment, number, why) for number, (why, moment) in enumerate(written)]
    for _ in range(2):
        index.add_entries(commits)
    within = [entry for entries in commits for entry in entries if since <= entry.at < until]
    expected = sorted(within, key=lambda entry: (entry.at, entry.id), reverse=True)
    assert list(index.entries(since, until)) == expected


def test_entries_of_many_pages_are_read_newest_first(index: Index) -> None:
    """Also where a partition holds more than is read of it at once, several times over."""
    commits = [entries_at(at(number), number) for number in range(1500)]
    index.add_entries(commits)
    newest_first = [entry.id for entries in reversed(commits) for entry in reversed(entries)]
    assert on(index, NOW.date()) == newest_first


@pytest.mark.parametrize("many", [1_000, 4_000])
def test_the_newest_entries_cost_no_more_for_the_older(many: int) -> None:
    """A page reads some rows of each partition, however many there are."""
    table = Counting()
    index = Index(table)
    index.add_entries(entries_at(at(number), number, number) for number in range(many))
    page = list(islice(index.entries(NOW, at(many)), 100))
    assert len(page) == 100
    assert table.read <= 400


# --- findings --------------------------------------------------------------------------------------


def copy(revision: int) -> Finding:
    """The finding as a commit left it."""
    return replace(FINDING, revision=revision, title=f"as of {revision}")


@given(st.lists(st.integers(1, 9), min_size=1, max_size=8))
def test_an_older_revision_never_replaces_a_newer(revisions: list[int]) -> None:
    """In whichever order the copies are paid, the newest stands."""
    index = Index(SqliteTable(":memory:"))
    for revision in revisions:
        index.put_finding(copy(revision), PRINCIPAL)
    newest = copy(max(revisions))
    assert index.finding(FINDING.id) == IndexedFinding(newest, PRINCIPAL)
    assert [one.finding for one in index.findings()] == [newest]


def test_copies_that_race_leave_the_newest(table: Table) -> None:
    """Whoever loses a race compares again."""
    index = Index(table)
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda revision: index.put_finding(copy(revision), PRINCIPAL), range(1, 13)))
    indexed = index.finding(FINDING.id)
    assert indexed is not None
    assert indexed.finding.revision == 12


def test_findings_of_any_status_are_found(index: Index) -> None:
    """By id and among all; of what was never copied there is none."""
    other = f"f-{'0' * 16}"
    resolved = replace(FINDING, id=other, status="resolved", resolved_at=NOW)
    index.put_finding(FINDING, PRINCIPAL)
    index.put_finding(resolved, Subject("holder", workflow().text))
    assert {one.finding.id for one in index.findings()} == {FINDING.id, other}
    assert index.finding(other) == IndexedFinding(resolved, Subject("holder", workflow().text))
    assert index.finding(f"f-{'1' * 16}") is None


@pytest.mark.parametrize(
    "id",
    [
        "",
        "f-",
        "f-none",
        "#x",
        "a?b",
        "a/b",
        "a\\b",
        "\x00",
        "\ud800",
        f"f-{'0' * 15}",
        f"f-{'0' * 2_000}",
        "~{}",
        "{}\n",
        "x{}",
        *HOSTILE,
    ],
    ids=lambda id: ascii(id)[:20],
)
def test_what_is_no_id_of_a_finding_names_none(index: Index, id: str) -> None:
    """Whatever somebody typed: some of it is no key of the table, and some a key of second copies."""
    index.put_finding(FINDING, PRINCIPAL)
    assert index.finding(id.replace("{}", FINDING.id)) is None


revisions = st.integers(1, 6).map(lambda number: (number, number % 3 == 0))
"""Revisions of a finding, every third of which ends it."""


@given(st.lists(st.tuples(st.sampled_from(["f-1", "f-2"]), revisions), max_size=12))
def test_those_that_stand_are_those_that_have_not_ended(copies: list[tuple[str, tuple[int, bool]]]) -> None:
    """In whichever order copies are paid, and however often: by what the newest of each says."""
    index = Index(SqliteTable(":memory:"))
    newest: dict[str, Finding] = {}
    for id, (revision, ends) in copies:
        status: Status = "resolved" if ends else "open"
        one = replace(copy(revision), id=id, status=status, resolved_at=NOW if ends else None)
        index.put_finding(one, PRINCIPAL)
        newest[id] = max(newest.get(id, one), one, key=lambda finding: finding.revision)
    assert {one.finding.id: one.finding for one in index.findings()} == newest
    standing = {id: finding for id, finding in newest.items() if finding.resolved_at is None}
    assert {one.finding.id: one.finding for one in index.standing()} == standing


def test_findings_that_race_to_their_end_leave_none_that_stands(table: Table) -> None:
    """The last revision ends it, whoever comes last."""
    index = Index(table)
    copies = [copy(revision) for revision in range(1, 12)]
    copies.append(replace(copy(12), status="resolved", resolved_at=NOW))
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda one: index.put_finding(one, PRINCIPAL), copies))
    assert [one.finding.status for one in index.findings()] == ["resolved"]
    assert list(index.standing()) == []


def test_a_finding_without_its_second_copy_ends_all_the_same(table: Table) -> None:
    """As a version wrote it that had none."""
    index = Index(table)
    index.put_finding(copy(1), PRINCIPAL)
    (partition,) = [f"findings|{shard}" for shard in SHARDS if table.query(f"findings|{shard}")]
    table.transact(partition, [Delete(row.key) for row in table.query(partition) if row.key != FINDING.id])
    assert list(index.standing()) == []
    index.put_finding(replace(copy(2), status="resolved", resolved_at=NOW), PRINCIPAL)
    assert [one.finding.status for one in index.findings()] == ["resolved"]
    assert list(index.standing()) == []


def test_findings_that_have_ended_cost_nothing_to_whoever_asks_for_those_that_stand() -> None:
    """Years of them may be kept."""
    table = Counting()
    index = Index(table)
    for number in range(300):
        ended = replace(FINDING, id=f"f-{number}", status="resolved", resolved_at=NOW)
        index.put_finding(ended, PRINCIPAL)
    index.put_finding(FINDING, PRINCIPAL)
    table.read = 0
    queries = Queries(Books(table), index, DueList(table))
    assert queries.findings(FindingQuery(statuses=("open",))) == [FINDING]
    assert table.read == 1
    assert len(queries.findings(FindingQuery(statuses=("open", "accepted")))) == 1
    assert len(queries.findings(FindingQuery())) == 301


# --- digests and notes -----------------------------------------------------------------------------


def test_digests_are_each_subscriptions_and_the_last_one_counts(table: Table) -> None:
    """One row a subject, in any casing of its id; what is above all subscriptions stands apart."""
    index = Index(table)
    holder = Subject("holder", workflow().text)
    index.put_digest(SUB, holder, "one")
    index.put_digest(SUB, Subject("holder", workflow().text.upper()), "two")
    index.put_digest(SUB, PRINCIPAL, "three")
    index.put_digest("", PRINCIPAL, "four")
    assert index.digests(SUB) == {holder: "two", PRINCIPAL: "three"}
    assert index.digests("") == {PRINCIPAL: "four"}
    assert index.digests(ELSEWHERE) == {}


def test_notes_say_when_something_was_last_done(index: Index) -> None:
    """By subscription, in UTC whatever the zone; what never was is not there, nor what is something else."""
    assert index.notes("baseline") == {}
    index.put_notes("reconcile", [SUB], at(-9))
    index.put_notes("baseline", [SUB, ELSEWHERE], at(-5))
    index.put_notes("baseline", [SUB], NOW.astimezone(timezone(timedelta(hours=5))))
    assert index.notes("baseline") == {SUB: NOW, ELSEWHERE: at(-5)}
    assert index.notes("baseline")[SUB].utcoffset() == timedelta()


def test_the_days_that_a_span_touches() -> None:
    """Newest first, by UTC, both ends included."""
    late = datetime(2026, 11, 30, 23, 30, tzinfo=timezone(timedelta(hours=-1)))
    assert list(days(datetime(2026, 11, 29, tzinfo=UTC), late)) == [
        date(2026, 12, 1),
        date(2026, 11, 30),
        date(2026, 11, 29),
    ]
    assert list(days(NOW, NOW)) == [NOW.date()]
    assert list(days(NOW, NOW - timedelta(days=1))) == []
