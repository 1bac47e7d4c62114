"""Books beside a model: workers load, commit, claim and settle; nothing is lost and nothing done twice."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from msgspec.structs import replace

from lami.core.belief import latest
from lami.core.model import (
    Decision,
    Entry,
    Finding,
    FindingSubject,
    Heard,
    Owed,
    OwedAlert,
    OwedIndex,
    PrincipalState,
    Subject,
)
from lami.core.timeline import hashed
from lami.store import history
from lami.store.books import Books, Loaded, Repeated
from lami.store.sqlite import SqliteTable
from lami.store.table import Conflict, Table
from tests.core.builders import P1, cause
from tests.properties.profiles import cases
from tests.simulation.memory_table import MemoryTable

SUBJECT = Subject("principal", P1)
WHO = FindingSubject("principal", P1, "claims-intake")
START = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
WORKERS = 3


@dataclass
class Debt:
    """An outbox row as it stands, and how often it was rewritten."""

    owed: Owed
    rewritten: int = 0


@dataclass
class View:
    """What a worker loaded, and which state of the model it then saw."""

    loaded: Loaded
    version: int
    debts: dict[str, int]


@dataclass
class Model:
    """What the book must hold."""

    version: int = 0
    heard: dict[str, Heard] = field(default_factory=dict)
    findings: dict[str, Finding] = field(default_factory=dict)
    debts: dict[str, Debt] = field(default_factory=dict)
    gates: set[str] = field(default_factory=set)
    entries: list[Entry] = field(default_factory=list)
    made: dict[str, tuple[tuple[Entry, ...], tuple[Finding, ...]]] = field(default_factory=dict)


workers = st.integers(0, WORKERS - 1)
places = st.sets(st.integers(0, 40), max_size=6)


class BooksMachine(RuleBasedStateMachine):
    """Workers with views of one book that may be stale."""

    def __init__(self) -> None:
        super().__init__()
        self.table = self.opened()
        self.books = Books(self.table)
        self.model = Model()
        self.views = [self.view() for _ in range(WORKERS)]

    def opened(self) -> Table:
        """The table, as a process finds it that has just started."""
        return MemoryTable()

    def view(self) -> View:
        """Load the book: it is what the model says."""
        loaded = self.books.load(SUBJECT)
        book, model = loaded.book, self.model
        assert book.version == model.version
        assert isinstance(book.state, PrincipalState)
        assert book.state.heard == model.heard
        assert book.findings == model.findings
        assert {owed.id: owed for owed in book.owed} == {id: d.owed for id, d in model.debts.items()}
        debts = {id: debt.rewritten for id, debt in model.debts.items()}
        return View(loaded, model.version, debts)

    @rule(worker=workers)
    def load(self, worker: int) -> None:
        """A worker loads the book."""
        self.views[worker] = self.view()

    @rule(
        worker=workers,
        gate=st.one_of(st.just(""), st.sampled_from("abcdef")),
        put=places,
        gone=places,
        opened=st.sets(st.sampled_from("xyz")),
        resolved=st.sets(st.sampled_from("xyz")),
        lines=st.integers(0, 3),
        owes=st.booleans(),
        minutes=st.integers(-9, 9),
        data=st.data(),
    )
    def commit(
        self,
        worker: int,
        gate: str,
        put: set[int],
        gone: set[int],
        opened: set[str],
        resolved: set[str],
        lines: int,
        owes: bool,
        minutes: int,
        data: st.DataObject,
    ) -> None:
        """A worker commits a decision on what it loaded, and with it what is left of some debts.

        Its clock says what it likes.
        """
        view = self.views[worker]
        left = self.left_of(view, data)
        now = START + timedelta(minutes=minutes)
        decision = self.decision(view, gate, put, gone, opened, resolved, lines, owes, now)
        model = self.model
        if gate and gate in model.gates:
            with pytest.raises(Repeated):
                self.books.commit(view.loaded, decision, left)
            return
        if view.version != model.version or not self.current(view, left):
            with pytest.raises(Conflict):
                self.books.commit(view.loaded, decision, left)
            return
        loaded = self.books.commit(view.loaded, decision, left)
        book = decision.book
        assert isinstance(book.state, PrincipalState)
        model.version, model.findings = book.version, dict(book.findings)
        model.heard = dict(book.state.heard)
        model.gates |= {gate} - {""}
        model.entries += decision.entries
        self.rewrite(left)
        if decision.owed is not None:
            model.debts[decision.owed.id] = Debt(decision.owed)
            model.made[decision.owed.id] = (decision.entries, decision.resolved)
        debts = {**self.seen_after(view, left), **({decision.owed.id: 0} if decision.owed else {})}
        self.views[worker] = View(loaded, model.version, debts)
        self.same_debts(self.views[worker])

    def decision(
        self,
        view: View,
        gate: str,
        put: set[int],
        gone: set[int],
        opened: set[str],
        resolved: set[str],
        lines: int,
        owes: bool,
        now: datetime,
    ) -> Decision:
        """What this worker, who knows no better, decides."""
        before = view.loaded.book
        version = before.version + 1
        assert isinstance(before.state, PrincipalState)
        heard = {key: one for key, one in before.state.heard.items() if int(key[1:]) not in gone}
        heard |= {f"k{n}": Heard(START + timedelta(seconds=version), gone=n % 2 == 0) for n in put}
        findings = {id: one for id, one in before.findings.items() if id not in resolved}
        left = tuple(one for id, one in before.findings.items() if id in resolved)
        findings |= {id: self.finding(id, version) for id in opened}
        entries: list[Entry] = []
        chain = before.chain
        for n in range(before.entries + 1, before.entries + lines + 1):
            text = f"line {n} " + "é\u202e" * (n % 5)
            entry = Entry(f"e-{n:06d}", now, "observed", WHO, text, {}, {"n": str(n)}, cause(f"c{version}"))
            entries.append(hashed(entry, chain))
            chain = entries[-1].hash
        owed = None
        if owes:
            index = OwedIndex(bool(entries), tuple(sorted({*findings, *(one.id for one in left)})))
            alerts = tuple(OwedAlert(id, "t") for id in sorted(opened))
            owed = Owed(f"{version:012d}", cause(f"c{version}"), alerts, index=index)
        book = replace(
            before,
            state=replace(before.state, heard=heard),
            version=version,
            findings=findings,
            chain=chain,
            entries=before.entries + len(entries),
            latest=latest(before.latest, now) if entries else before.latest,
            owed=(*before.owed, *([owed] if owed else [])),
        )
        return Decision(book, tuple(entries), left, gate, tuple(sorted(opened)), owed)

    def finding(self, id: str, version: int) -> Finding:
        return Finding(
            id, "broad-grant", "high", "open", WHO, "title", {}, cause(), START, "t", "thread", version
        )

    # --- debts ---

    def left_of(self, view: View, data: st.DataObject) -> dict[str, Owed | None]:
        """What is left of some debts that a worker knows of: nothing, or one alert less."""
        some = st.sets(st.sampled_from(sorted(view.debts))) if view.debts else st.just(set())
        ids = data.draw(some, "settled")
        gone = data.draw(st.booleans(), "paid")
        known = {owed.id: owed for owed in view.loaded.book.owed}
        return {id: None if gone else replace(known[id], alerts=known[id].alerts[1:]) for id in sorted(ids)}

    def is_current(self, view: View, id: str) -> bool:
        """Whether nobody rewrote or removed a debt since a worker saw it."""
        debt = self.model.debts.get(id)
        return debt is not None and debt.rewritten == view.debts[id]

    def current(self, view: View, ids: dict[str, Owed | None]) -> bool:
        return all(self.is_current(view, id) for id in ids)

    def rewrite(self, left: dict[str, Owed | None]) -> None:
        """What went through, in the model."""
        for id, owed in left.items():
            if owed is None:
                del self.model.debts[id]
            else:
                self.model.debts[id] = Debt(owed, self.model.debts[id].rewritten + 1)

    def seen_after(self, view: View, left: dict[str, Owed | None]) -> dict[str, int]:
        """The debts that a worker knows of once it has rewritten some."""
        after = dict(view.debts)
        for id, owed in left.items():
            if owed is None:
                del after[id]
            else:
                after[id] += 1
        return after

    def same_debts(self, view: View) -> None:
        """What a worker holds of the debts that nobody else touched is what the table holds."""
        for owed in view.loaded.book.owed:
            if self.is_current(view, owed.id):
                assert owed == self.model.debts[owed.id].owed
        assert {owed.id for owed in view.loaded.book.owed} == view.debts.keys()

    @rule(worker=workers, data=st.data(), minutes=st.integers(0, 9))
    def claim(self, worker: int, data: st.DataObject, minutes: int) -> None:
        """A worker claims debts: all it asked for, or none where another was there first."""
        view = self.views[worker]
        if not view.debts:
            return
        ids = data.draw(st.sets(st.sampled_from(sorted(view.debts)), min_size=1), "claimed")
        owed = [one for one in view.loaded.book.owed if one.id in ids]
        until = START + timedelta(minutes=minutes)
        if not all(self.is_current(view, id) for id in ids):
            with pytest.raises(Conflict):
                self.books.claim(view.loaded, owed, until)
            return
        loaded = self.books.claim(view.loaded, owed, until)
        left: dict[str, Owed | None] = {one.id: replace(one, claimed_until=until) for one in owed}
        self.rewrite(left)
        self.views[worker] = View(loaded, view.version, self.seen_after(view, left))
        self.same_debts(self.views[worker])

    @rule(worker=workers, data=st.data())
    def settle(self, worker: int, data: st.DataObject) -> None:
        """A worker settles debts: each that nobody else touched, and no other."""
        view = self.views[worker]
        left = self.left_of(view, data)
        loaded = self.books.settle(view.loaded, left)
        self.rewrite({id: owed for id, owed in left.items() if self.is_current(view, id)})
        if self.current(view, left):
            self.views[worker] = View(loaded, view.version, self.seen_after(view, left))
            self.same_debts(self.views[worker])
        else:
            # Whoever lost a row to another loads anew before it goes on.
            self.views[worker] = self.view()

    @rule(worker=workers)
    def written(self, worker: int) -> None:
        """Of each debt the entries and resolved findings of its commit can be had again."""
        view = self.views[worker]
        for owed in view.loaded.book.owed:
            entries, resolved = self.books.written(view.loaded, owed)
            made_entries, made_resolved = self.model.made[owed.id]
            assert entries == made_entries
            wanted = owed.index.findings if owed.index else ()
            held = view.loaded.book.findings
            missing = [one for one in made_resolved if one.id in wanted and one.id not in held]
            assert set(map(_identity, missing)) <= set(map(_identity, resolved))

    @rule()
    def restart(self) -> None:
        """Every process ends: what is held is what was committed."""
        self.table = self.opened_again()
        self.books = Books(self.table)
        self.views = [self.view() for _ in range(WORKERS)]

    def opened_again(self) -> Table:
        return self.table

    @invariant()
    def nothing_is_lost(self) -> None:
        """The table holds the model: version, state, findings, debts, and every entry ever, in its chain."""
        self.view()
        entries = list(reversed(self.books.entries(SUBJECT)))
        assert entries == self.model.entries
        assert history.broken(self.books.history(SUBJECT)) == ""

    @rule(minutes=st.integers(-10, 10))
    def timeline(self, minutes: int) -> None:
        """A question to the timeline has every entry that is late enough, the latest first."""
        since = START + timedelta(minutes=minutes)
        wanted = [entry for entry in self.model.entries if entry.at >= since]
        newest_first = sorted(wanted, key=lambda entry: (entry.at, entry.id), reverse=True)
        assert list(self.books.timeline(SUBJECT, since)) == newest_first


def _identity(finding: Finding) -> tuple[str, int]:
    return finding.id, finding.revision


class SqliteBooks(BooksMachine):
    """The same on SQLite, in a file that is closed and opened again."""

    def __init__(self) -> None:
        self.folder = TemporaryDirectory()
        super().__init__()

    def opened(self) -> Table:
        return SqliteTable(str(Path(self.folder.name) / "lami.db"))

    def opened_again(self) -> Table:
        self.table.close()
        return self.opened()

    def teardown(self) -> None:
        self.table.close()
        self.folder.cleanup()


def test_books() -> None:
    """Several workers on one book in memory."""
    run_state_machine_as_test(BooksMachine, settings=cases("books"))


def test_books_on_sqlite() -> None:
    """Several workers on one book in a file."""
    run_state_machine_as_test(SqliteBooks, settings=cases("books on sqlite"))
