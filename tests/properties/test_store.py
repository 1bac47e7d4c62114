"""Every store beside a dictionary: reads, ranges, transactions, etags, conflicts, limits; and reopened."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from lami.store.azure_tables import from_connection_string
from lami.store.sqlite import SqliteTable
from lami.store.table import (
    TRANSACTION,
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
)
from tests.properties.profiles import cases
from tests.simulation.memory_table import MemoryTable

PARTITIONS = ("holder|a", "it's", "é")
KEYS = ("a", "a.b", "a|b", "B", "'' or '1'='1", "50%", "é", "漢", "😀", "z")
NEVER = "W/\"datetime'2020-01-01T00%3A00%3A00.0000000Z'\""

names = st.text("abcXYZ_09", min_size=1, max_size=8).map("p{}".format)
texts = st.one_of(st.text(st.characters(exclude_categories=["Cs"]), max_size=20), st.just("é\x00\n" * 50))
values = st.dictionaries(names, st.one_of(texts, st.booleans(), st.integers(-(2**31), 2**31 - 1)), max_size=4)
steps = st.lists(
    st.tuples(
        st.sampled_from(["create", "put", "replace", "replace stale", "delete", "delete if", "delete stale"]),
        st.sampled_from(KEYS),
        values,
    ),
    min_size=1,
    max_size=4,
    unique_by=lambda step: step[1],
)
edges = st.one_of(st.sampled_from(KEYS), st.sampled_from(["", "a.", "a~", "~", "힣"]))
# No bound between U+D800 and U+FFFF: Table Storage has what is beyond U+FFFF before it, SQLite behind it.
IMPOSSIBLE: Mapping[str, Sequence[Operation]] = {
    **{
        f"{char!a} in a key": [Put(f"a{char}b", {})]
        for char in ("/", "\\", "#", "?", "\x00", "\x85", "\ud800")
    },
    "a key too long": [Put("k" * 513, {})],
    "a number too large": [Put("new", {"v": 2**31})],
    "a text too long": [Put("new", {"v": "x" * 32_769})],
    "half a character": [Put("new", {"v": "\udfff"})],
    "no name": [Put("new", {"not-a-name": 1})],
    "a name of the system": [Put("new", {"Timestamp": "x"})],
    "too many properties": [Put("new", {f"p{n}": n for n in range(253)})],
    "a row too large": [Put("new", {f"p{n}": "x" * 32_000 for n in range(17)})],
    "a fraction": [Put("new", {"v": 1.5})],  # type: ignore[dict-item]
    "nothing": [Put("new", {"v": None})],  # type: ignore[dict-item]
    "one row twice": [Put("same", {}), Delete("same")],
    "no operation": [],
    "too many operations": [Put(f"n{n}", {}) for n in range(TRANSACTION + 1)],
    "too large together": [Put(f"n{n}", {f"p{m}": "x" * 32_000 for m in range(15)}) for n in range(10)],
}
"""Transactions beyond some limit. By name, since Hypothesis prints what it draws."""


@dataclass
class Model:
    """What the rows of one partition should be, and the etags that its rows had and have no longer."""

    rows: dict[str, Row] = field(default_factory=dict)
    past: dict[str, list[str]] = field(default_factory=dict)


class StoreMachine(RuleBasedStateMachine):
    """A table beside a dictionary. Tells whatever differs."""

    def __init__(self) -> None:
        super().__init__()
        self.table = self.opened()
        self.salt = ""
        self.model = {partition: Model() for partition in PARTITIONS}

    def opened(self) -> Table:
        """The store, as a process finds it that has just started."""
        raise NotImplementedError

    @initialize()
    def begin(self) -> None:
        """Partitions of its own, so that runs which share a table do not meet."""
        self.salt = uuid4().hex

    def place(self, partition: str) -> str:
        """The partition's name in the table."""
        return f"{self.salt}{partition}"

    @rule(partition=st.sampled_from(PARTITIONS), taken=steps, back=st.integers(0, 3))
    def transact(self, partition: str, taken: list[tuple[str, str, dict[str, Value]]], back: int) -> None:
        """A transaction does all of its operations, or none for the first that cannot be done."""
        model = self.model[partition]
        operations: list[Operation] = []
        expected: tuple[str, str] | None = None
        for what, key, given in taken:
            row = model.rows.get(key)
            past = [*model.past.get(key, []), NEVER]
            etag = past[back % len(past)] if "stale" in what or row is None else row.etag
            why: str | None = "missing" if row is None else "changed" if "stale" in what else None
            if what == "create":
                operations.append(Create(key, given))
                why = None if row is None else "exists"
            elif what == "put":
                operations.append(Put(key, given))
                why = None
            elif what.startswith("replace"):
                operations.append(Replace(key, given, etag))
            else:
                operations.append(Delete(key, None if what == "delete" else etag))
            if why is not None and expected is None:
                expected = (key, why)
        if expected is not None:
            with pytest.raises(Conflict) as caught:
                self.table.transact(self.place(partition), operations)
            assert (caught.value.key, caught.value.why) == expected
            return
        self.written(partition, operations, self.table.transact(self.place(partition), operations))

    def written(self, partition: str, operations: Sequence[Operation], etags: Mapping[str, str]) -> None:
        """Take what went through into the model; no etag is given to a key twice."""
        model = self.model[partition]
        assert etags.keys() == {each.key for each in operations if not isinstance(each, Delete)}
        for each in operations:
            if (old := model.rows.pop(each.key, None)) is not None:
                model.past.setdefault(each.key, []).append(old.etag)
            if not isinstance(each, Delete):
                etag = etags[each.key]
                assert etag not in model.past.get(each.key, [])
                model.rows[each.key] = Row(self.place(partition), each.key, dict(each.values), etag)

    @rule(partition=st.sampled_from(PARTITIONS), key=st.sampled_from(KEYS))
    def make_anew(self, partition: str, key: str) -> None:
        """A row is written, deleted and made again, each time under another etag."""
        steps: tuple[Operation, ...] = (Put(key, {}), Delete(key), Create(key, {}))
        for each in steps:
            self.written(partition, [each], self.table.transact(self.place(partition), [each]))

    @rule(
        partition=st.sampled_from(PARTITIONS), wrong=st.sampled_from(sorted(IMPOSSIBLE)), first=st.booleans()
    )
    def beyond_limits(self, partition: str, wrong: str, first: bool) -> None:
        """What is beyond the limits is refused with all that came with it."""
        several = [*IMPOSSIBLE[wrong]]
        fine: list[Operation] = [Put("fine", {"v": 1})] if several else []
        operations = [*several, *fine] if first else [*fine, *several]
        with pytest.raises(LimitExceeded):
            self.table.transact(self.place(partition), operations)

    @rule(partition=st.sampled_from(PARTITIONS), key=st.sampled_from(KEYS))
    def get(self, partition: str, key: str) -> None:
        """One row, or None."""
        assert self.table.get(self.place(partition), key) == self.model[partition].rows.get(key)

    @rule(
        partition=st.sampled_from(PARTITIONS),
        first=edges,
        last=st.one_of(st.none(), edges),
        limit=st.one_of(st.none(), st.integers(0, 4)),
    )
    def query(self, partition: str, first: str, last: str | None, limit: int | None) -> None:
        """A range: from its start, not to its end, in order, at most so many."""
        rows = self.model[partition].rows
        keys = [key for key in sorted(rows) if key >= first and (last is None or key < last)]
        found = self.table.query(self.place(partition), first, last, limit)
        assert found == [rows[key] for key in keys[:limit]]

    @rule()
    def reopen(self) -> None:
        """The process ends and another begins: all is as it was."""
        self.table.close()
        self.table = self.opened()

    @invariant()
    def whole(self) -> None:
        """Every partition holds just what was written."""
        for partition, model in self.model.items():
            found = self.table.query(self.place(partition))
            assert found == [model.rows[key] for key in sorted(model.rows)]

    def teardown(self) -> None:
        """Let go of connections."""
        self.table.close()


class SqliteMachine(StoreMachine):
    """SQLite in a file."""

    def __init__(self) -> None:
        self.folder = TemporaryDirectory()
        super().__init__()

    def opened(self) -> Table:
        return SqliteTable(str(Path(self.folder.name) / "lami.db"))

    @rule(partition=st.sampled_from(PARTITIONS), key=st.sampled_from(KEYS))
    def another_process_writes(self, partition: str, key: str) -> None:
        """What another process writes to the file is there at once."""
        other = self.opened()
        put = [Put(key, {"by": "another"})]
        self.written(partition, put, other.transact(self.place(partition), put))
        other.close()

    def teardown(self) -> None:
        super().teardown()
        self.folder.cleanup()


class MemoryMachine(StoreMachine):
    """The simulation's table: nothing is left of it when its process ends, so it is one table all along."""

    def __init__(self) -> None:
        self.only = MemoryTable()
        super().__init__()

    def opened(self) -> Table:
        return self.only


def test_sqlite() -> None:
    """SQLite in a file is the dictionary."""
    run_state_machine_as_test(SqliteMachine, settings=cases("sqlite"))


def test_memory() -> None:
    """The table that the simulation stands on is the dictionary, too."""
    run_state_machine_as_test(MemoryMachine, settings=cases("memory"))


@pytest.mark.azurite
def test_azurite(azurite: str) -> None:
    """And so is Table Storage, as Azurite has it."""

    class AzuriteMachine(StoreMachine):
        def opened(self) -> Table:
            return from_connection_string(azurite, "properties")

    run_state_machine_as_test(AzuriteMachine, settings=cases("azurite"))
