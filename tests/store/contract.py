"""What every back end of lami.store promises: a test class that each back end's tests inherit."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lami.store import limits
from lami.store.table import (
    Conflict,
    Create,
    Delete,
    LimitExceeded,
    Operation,
    Put,
    Replace,
    Row,
    Table,
    Value,
    partitions,
)


class Colour(enum.StrEnum):
    """Texts, and yet no text that a row can hold."""

    RED = "red"


HOSTILE = [
    "",
    " ",
    "it's",
    "''",
    "' or PartitionKey ne '",
    "a|b|c",
    "50%",
    "%2F%27",
    "a b+c&d=e",
    '"; DROP TABLE entities; --',
    "~`!@$^*()[]{}:,.<>",
    "Ж漢字é",
    "e\u0301",
    "😀",
    "W\"datetime'2026'\"",
    "k" * 512,
]

NAMES = st.sampled_from(["a", "b", "c"])
STEPS = st.one_of(
    st.tuples(st.just("create"), NAMES),
    st.tuples(st.just("put"), NAMES),
    st.tuples(st.sampled_from(["replace", "replace stale", "delete", "delete if", "delete stale"]), NAMES),
)
TRANSACTIONS = st.lists(st.lists(STEPS, min_size=1, max_size=3, unique_by=lambda step: step[1]), max_size=12)


def keys(rows: Sequence[Row]) -> list[str]:
    """Take the keys of these rows."""
    return [row.key for row in rows]


def fill(table: Table, partition: str, names: Sequence[str]) -> None:
    """Create a row for each of these keys, 100 a transaction."""
    for start in range(0, len(names), limits.OPERATIONS):
        table.transact(
            partition, [Create(name, {"n": start}) for name in names[start : start + limits.OPERATIONS]]
        )


def refusal(table: Table, partition: str, operations: Sequence[Operation]) -> Conflict:
    """Do a transaction that must be refused for a conflict, and give the conflict."""
    with pytest.raises(Conflict) as caught:
        table.transact(partition, operations)
    return caught.value


class TableContract:
    """Inherit this and define the fixture `table`: an empty table, open to several threads."""

    @pytest.fixture
    def table(self) -> Table:
        raise NotImplementedError

    # One row

    def test_absent(self, table: Table) -> None:
        """A row that was never written reads as None, and its partition as empty."""
        assert table.get("p", "k") is None
        assert table.query("p") == []

    def test_create_and_read(self, table: Table) -> None:
        """A created row reads the same by key and by range, with the etag that the writing answered."""
        etags = table.transact("p", [Create("k", {"name": "orders"})])
        expected = Row("p", "k", {"name": "orders"}, etags["k"])
        assert expected.etag
        assert table.get("p", "k") == expected
        assert table.query("p") == [expected]

    def test_create_existing(self, table: Table) -> None:
        """A second Create of a row is a conflict and leaves the first."""
        table.transact("p", [Create("k", {"v": 1})])
        refused = refusal(table, "p", [Create("k", {"v": 2})])
        assert (refused.key, refused.why) == ("k", "exists")
        assert (row := table.get("p", "k")) is not None
        assert row.values == {"v": 1}

    def test_put_replaces_whole(self, table: Table) -> None:
        """Put writes over what stood there; properties that it doesn't name are gone."""
        first = table.transact("p", [Put("k", {"old": "x", "both": 1})])
        second = table.transact("p", [Put("k", {"both": 2})])
        assert second["k"] != first["k"]
        assert table.get("p", "k") == Row("p", "k", {"both": 2}, second["k"])

    def test_replace_replaces_whole(self, table: Table) -> None:
        """Replace with the right etag writes the row whole and gives it another etag."""
        first = table.transact("p", [Create("k", {"old": "x", "both": 1})])
        second = table.transact("p", [Replace("k", {"both": 2}, first["k"])])
        assert second["k"] != first["k"]
        assert table.get("p", "k") == Row("p", "k", {"both": 2}, second["k"])

    def test_delete(self, table: Table) -> None:
        """Delete removes the row, with the right etag or without any, and answers no etag for it."""
        etags = table.transact("p", [Create("k", {}), Create("m", {})])
        assert table.transact("p", [Delete("k", etags["k"]), Delete("m")]) == {}
        assert table.query("p") == []

    @pytest.mark.parametrize("stale", [Replace("k", {}, "?"), Delete("k", "?")], ids=["replace", "delete"])
    def test_stale_etag(self, table: Table, stale: Replace | Delete) -> None:
        """Replace and Delete with an etag of the past are conflicts, and change nothing."""
        past = table.transact("p", [Create("k", {"v": 1})])["k"]
        now = table.transact("p", [Put("k", {"v": 1})])["k"]
        operation = Replace("k", {"v": 3}, past) if isinstance(stale, Replace) else Delete("k", past)
        refused = refusal(table, "p", [operation])
        assert (refused.key, refused.why) == ("k", "changed")
        assert table.get("p", "k") == Row("p", "k", {"v": 1}, now)

    def test_missing(self, table: Table) -> None:
        """Replace and Delete of a row that is no longer there are conflicts of their own kind."""
        etag = table.transact("p", [Create("k", {})])["k"]
        table.transact("p", [Delete("k")])
        for operation in (Replace("k", {}, etag), Delete("k", etag), Delete("k")):
            refused = refusal(table, "p", [operation])
            assert (refused.key, refused.why) == ("k", "missing")

    def test_etag_after_recreation(self, table: Table) -> None:
        """A row deleted and created again never has an etag that it had before."""
        seen = set()
        for _ in range(5):
            seen.add(table.transact("p", [Create("k", {"v": 1})])["k"])
            table.transact("p", [Delete("k")])
        assert len(seen) == 5
        table.transact("p", [Create("k", {"v": 1})])
        for etag in seen:
            assert refusal(table, "p", [Replace("k", {}, etag)]).why == "changed"

    # Transactions

    def test_all_or_nothing(self, table: Table) -> None:
        """Of a refused transaction nothing is written, and the conflict names the row to blame."""
        table.transact("p", [Create("taken", {"v": 1}), Create("other", {"v": 1})])
        refused = refusal(table, "p", [Put("other", {"v": 2}), Create("new", {}), Create("taken", {})])
        assert (refused.key, refused.why) == ("taken", "exists")
        assert table.get("p", "new") is None
        assert [row.values for row in table.query("p")] == [{"v": 1}, {"v": 1}]

    def test_first_conflict_is_named(self, table: Table) -> None:
        """Where several rows are not as demanded, the first in the transaction's order is named."""
        table.transact("p", [Create("z", {}), Create("a", {})])
        refused = refusal(table, "p", [Put("m", {}), Create("z", {}), Create("a", {}), Delete("gone")])
        assert (refused.key, refused.why) == ("z", "exists")

    def test_largest_transaction(self, table: Table) -> None:
        """A hundred operations of every kind go through as one, each with its etag."""
        before = table.transact("p", [Create(f"old{n:02}", {"n": n}) for n in range(50)])
        operations: list[Operation] = [Create(f"new{n:02}", {"n": n}) for n in range(50)]
        operations += [Replace(f"old{n:02}", {"n": -n}, before[f"old{n:02}"]) for n in range(25)]
        operations += [Delete(f"old{n:02}") for n in range(25, 50)]
        etags = table.transact("p", operations)
        rows = table.query("p")
        assert {row.key: row.etag for row in rows} == etags
        assert [row.values["n"] for row in rows] == [*range(50), *(-n for n in range(25))]

    def test_partitions_are_apart(self, table: Table) -> None:
        """The same key in another partition is another row."""
        table.transact("p", [Create("k", {"v": "p"})])
        table.transact("q", [Create("k", {"v": "q"})])
        table.transact("p", [Delete("k")])
        assert table.get("p", "k") is None
        assert [row.values for row in table.query("q")] == [{"v": "q"}]

    @settings(
        max_examples=25,
        deadline=None,
        derandomize=True,
        # Both are what inheriting the test means; each example has a partition of its own.
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.differing_executors],
    )
    @given(TRANSACTIONS)
    def test_against_a_dictionary(self, table: Table, transactions: list[list[tuple[str, str]]]) -> None:
        """Any sequence of transactions ends as it does on a dictionary, conflicts and all."""
        partition = uuid4().hex
        model: dict[str, Row] = {}
        past: dict[str, str] = {}
        for number, steps in enumerate(transactions):
            operations: list[Operation] = []
            expected: tuple[str, str] | None = None
            after = dict(model)
            for what, name in steps:
                row = model.get(name)
                stale = "stale" in what
                etag = past.get(name, "W/\"datetime'2020-01-01T00%3A00%3A00.0000000Z'\"")
                etag = row.etag if row is not None and not stale else etag
                why = "missing" if row is None else "changed" if stale else None
                if what in ("create", "put"):
                    operations.append((Create if what == "create" else Put)(name, {"n": number}))
                    why = "exists" if what == "create" and row is not None else None
                elif what.startswith("replace"):
                    operations.append(Replace(name, {"n": number}, etag))
                else:
                    operations.append(Delete(name, None if what == "delete" else etag))
                if why is not None and expected is None:
                    expected = (name, why)
                if what.startswith("delete"):
                    after.pop(name, None)
                else:
                    after[name] = Row(partition, name, {"n": number})
            if expected is not None:
                refused = refusal(table, partition, operations)
                assert (refused.key, refused.why) == expected
            else:
                etags = table.transact(partition, operations)
                past |= {name: row.etag for name, row in model.items() if after.get(name) is not row}
                model = {
                    name: Row(partition, name, row.values, etags.get(name, row.etag))
                    for name, row in after.items()
                }
            assert table.query(partition) == [model[name] for name in sorted(model)]

    # Ranges

    def test_partitions_in_their_order(self, table: Table) -> None:
        """Those that begin so and have rows, each once, however many rows; others are passed over."""
        for partition in ("day|b", "day|a", "day|", "day|it's", "dax|a", "day", "day0", "day}a", "day|gone"):
            fill(table, partition, ["1", "2", "3"])
        table.transact("day|gone", [Delete(key) for key in ("1", "2", "3")])
        assert list(partitions(table, "day|")) == ["day|", "day|a", "day|b", "day|it's"]
        assert list(partitions(table, "none|")) == []
        assert table.behind("day|a", "day|b") is None

    def test_order_and_range(self, table: Table) -> None:
        """Rows come in the order of their keys; the range's start belongs to it, its end does not."""
        fill(table, "p", ["b", "a", "10", "9", "B", "a|2", "a|1", "é"])
        assert keys(table.query("p")) == ["10", "9", "B", "a", "a|1", "a|2", "b", "é"]
        assert keys(table.query("p", "a", "b")) == ["a", "a|1", "a|2"]
        assert keys(table.query("p", "a|", "a}")) == ["a|1", "a|2"]
        assert keys(table.query("p", first="a|2")) == ["a|2", "b", "é"]
        assert keys(table.query("p", last="9")) == ["10"]
        assert table.query("p", "b", "b") == []
        assert table.query("p", "x", "b") == []

    def test_limit(self, table: Table) -> None:
        """A limit gives the first rows of the range, or all where there are fewer."""
        fill(table, "p", ["a", "b", "c", "d"])
        assert keys(table.query("p", "b", limit=2)) == ["b", "c"]
        assert keys(table.query("p", "b", "d", limit=9)) == ["b", "c"]
        assert table.query("p", limit=0) == []

    def test_more_rows_than_a_page(self, table: Table) -> None:
        """A partition of several pages reads whole, in order; and a limit may lie beyond a page."""
        names = [f"{n:05}" for n in range(2100)]
        fill(table, "p", names)
        assert keys(table.query("p")) == names
        assert keys(table.query("p", "00050", "01950")) == names[50:1950]
        assert keys(table.query("p", limit=1001)) == names[:1001]

    # Values

    def test_types_are_kept(self, table: Table) -> None:
        """A bool comes back a bool, an int an int and a string a string, whatever they look like."""
        values: dict[str, Value] = {
            "yes": True,
            "no": False,
            "one": 1,
            "zero": 0,
            "least": -(2**31),
            "most": 2**31 - 1,
            "digits": "1",
            "truth": "true",
            "time": "2026-01-02T03:04:05.1234567Z",
            "guid": "8e3af657-a8ff-443c-a75c-2fe8c4bcb635",
            "empty": "",
            "long": "9007199254740993",
        }
        table.transact("p", [Create("k", values)])
        for row in (table.get("p", "k"), *table.query("p")):
            assert row is not None
            assert {name: (type(value), value) for name, value in row.values.items()} == {
                name: (type(value), value) for name, value in values.items()
            }

    @pytest.mark.parametrize("text", HOSTILE)
    def test_hostile_keys(self, table: Table, text: str) -> None:
        """A key with quotes, separators, escapes or any script is a key like any other."""
        table.transact(text, [Create(text, {"v": text}), Create("z" * 512, {})])
        row = table.get(text, text)
        assert row is not None
        assert (row.partition, row.key, row.values) == (text, text, {"v": text})
        assert keys(table.query(text, text, limit=1)) == [text]
        etag = table.transact(text, [Replace(text, {"v": 2}, row.etag)])[text]
        assert refusal(table, text, [Create(text, {})]).key == text
        table.transact(text, [Delete(text, etag)])
        assert keys(table.query(text)) == ["z" * 512]

    def test_hostile_values(self, table: Table) -> None:
        """A string may hold any character, control characters and line ends too."""
        values = {
            f"v{n}": text for n, text in enumerate([*HOSTILE, "\x00\x01\x7f", "a\r\n\tb", "/\\#?", "\ufffe"])
        }
        table.transact("p", [Create("k", values)])
        row = table.get("p", "k")
        assert row is not None
        assert row.values == values

    # Limits

    @pytest.mark.parametrize("bad", ["/", "\\", "#", "?", "\x00", "\x1f", "\n", "\x7f", "\x9f", "\ud800"])
    def test_characters_refused_in_keys(self, table: Table, bad: str) -> None:
        """What Table Storage takes in no key is refused in every place a key may stand."""
        for call in (
            lambda: table.transact("p", [Create("good", {}), Create(f"a{bad}b", {})]),
            lambda: table.transact(f"a{bad}b", [Create("good", {})]),
            lambda: table.get("p", f"a{bad}b"),
            lambda: table.get(f"a{bad}b", "k"),
            lambda: table.query(f"a{bad}b"),
        ):
            with pytest.raises(LimitExceeded, match=r"'a.*b'"):
                call()
        assert table.query("p") == []

    @pytest.mark.parametrize(
        ("values", "message"),
        [
            ({"v": "x" * 32769}, "65536"),
            ({"v": "😀" * 16385}, "65536"),
            ({"v": "\ud800"}, "surrogate"),
            ({"v": 2**31}, "32 bits"),
            ({"v": -(2**31) - 1}, "32 bits"),
            ({"v": 1.5}, "float"),
            ({"v": None}, "NoneType"),
            ({"v": Colour.RED}, "Colour"),
            ({f"v{n}": n for n in range(253)}, "252"),
            ({f"v{n}": "x" * 32768 for n in range(16)}, "1048576"),
            ({"a-b": 1}, "name"),
            ({"1a": 1}, "name"),
            ({"": 1}, "name"),
            ({"n" * 256: 1}, "name"),
            ({"PartitionKey": "q"}, "name"),
            ({"RowKey": "q"}, "name"),
            ({"Timestamp": "q"}, "name"),
        ],
        ids=lambda value: value if isinstance(value, str) else "",
    )
    def test_values_refused(self, table: Table, values: dict[str, Value], message: str) -> None:
        """A row beyond a limit is refused by name, and the rows beside it are not written."""
        for operation in (Create("big", values), Put("big", values), Replace("big", values, "1")):
            with pytest.raises(LimitExceeded, match=f"row 'big'.*{message}"):
                table.transact("p", [Create("small", {}), operation])
        assert table.query("p") == []

    def test_transactions_refused(self, table: Table) -> None:
        """No operation, too many, two on one row and long keys are refused."""
        refused: tuple[tuple[Sequence[Operation], str], ...] = (
            ([], "0 operations"),
            ([Create(f"{n}", {}) for n in range(101)], "101 operations"),
            ([Create("twice", {}), Delete("twice")], "'twice'"),
            ([Create("k" * 513, {})], "1024"),
            ([Create("😀" * 257, {})], "1024"),
        )
        for operations, message in refused:
            with pytest.raises(LimitExceeded, match=message):
                table.transact("p", operations)
        assert table.query("p") == []

    def test_at_the_limits(self, table: Table) -> None:
        """What just keeps to the limits is written and comes back."""
        widest: dict[str, Value] = {f"v{n}": n for n in range(252)}
        longest: dict[str, Value] = {"n" * 255: "😀" * 16384}
        fullest: dict[str, Value] = {f"v{n:02}": "x" * 32768 for n in range(15)}
        fullest["rest"] = "x" * ((1024**2 - 4 - 16 - 15 * (8 + 6 + 65540) - 8 - 8 - 4) // 2)
        table.transact("p", [Create("widest", widest), Create("longest", longest)])
        table.transact("p", [Create("fullest", fullest)])
        assert [row.values for row in table.query("p")] == [fullest, longest, widest]
        with pytest.raises(LimitExceeded, match="1048576"):
            table.transact("p", [Create("fullest1", fullest | {"rest": "x" * 32767})])

    def test_largest_payload(self, table: Table) -> None:
        """Just under 4 MiB as it travels is written; over it is refused, wherever the bytes come from."""
        page = {f"v{n:02}": "x" * 32000 for n in range(16)}
        fill = [Create(f"k{n}", page) for n in range(8)]
        table.transact("p", [*fill, Create("rest", {"a": "x" * 32768, "b": "x" * 32000})])
        unicode_page = {f"v{n:02}": "é" * 32000 for n in range(5)}
        wide_page = {f"v{n:03}": "x" * 120 for n in range(252)}
        for operations in (
            [*fill, Create("last", page)],
            [Put(f"u{n}", unicode_page) for n in range(5)],
            [Put(f"w{n}", wide_page) for n in range(100)],
        ):
            with pytest.raises(LimitExceeded, match="4194304"):
                table.transact("q", operations)
        assert len(table.query("p")) == 9
        assert table.query("q") == []

    # Several at once

    def test_compare_and_swap_loses_nothing(self, table: Table) -> None:
        """Threads that race to add to one row with its etag never lose an addition."""
        table.transact("p", [Create("count", {"n": 0})])

        def add(thread: int) -> list[tuple[str, str]]:
            conflicts: list[tuple[str, str]] = []
            for turn in range(10):
                while True:
                    row = table.get("p", "count")
                    assert row is not None
                    swap = Replace("count", {"n": int(row.values["n"]) + 1}, row.etag)
                    try:
                        table.transact("p", [swap, Create(f"done {thread} {turn}", {})])
                        break
                    except Conflict as conflict:
                        conflicts.append((conflict.key, conflict.why))
            return conflicts

        with ThreadPoolExecutor(8) as threads:
            conflicts = [conflict for found in threads.map(add, range(8)) for conflict in found]
        assert set(conflicts) <= {("count", "changed")}
        row = table.get("p", "count")
        assert row is not None
        assert row.values == {"n": 80}
        assert len(table.query("p", "done", "done~")) == 80

    def test_only_one_creates(self, table: Table) -> None:
        """Of threads that race to create a row exactly one does."""

        def create(thread: int) -> bool:
            try:
                table.transact("p", [Create("lock", {"owner": thread})])
            except Conflict:
                return False
            return True

        with ThreadPoolExecutor(8) as threads:
            won = list(threads.map(create, range(16)))
        assert won.count(True) == 1
        row = table.get("p", "lock")
        assert row is not None
        assert row.values == {"owner": won.index(True)}

    def test_flush(self, table: Table) -> None:
        """A table is flushed at any time, one that nobody has used yet too, and is as it was."""
        table.flush()
        table.transact("p", [Create("k", {"v": 1})])
        table.flush()
        table.flush()
        assert [row.values for row in table.query("p")] == [{"v": 1}]

    def test_close_twice(self, table: Table) -> None:
        """Closing a closed table does nothing."""
        table.transact("p", [Create("k", {})])
        table.close()
        table.close()
