"""Mutants: each leaves out one rule that something failed without, and the simulation notices.

A mutant is a patch of a function's source, compiled in memory and put in the function's place.
"""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FunctionType
from typing import cast

from lami import drain, handling, routing
from lami.core import belief, decide_holder, decide_principal
from lami.core import draft as drafts
from lami.core.model import PrincipalState
from lami.routing import Router
from lami.store import books
from lami.store.books import Books
from lami.store.index import Index
from tests.simulation.schedules import CRASH, FAIL, LAG, NONE, ONCE, WORKERS, WORKERS_CRASH, Faults


@dataclass(frozen=True)
class Mutant:
    """`old` in the source of `function` becomes `new`; `faults`, `wide`, `seed`: a schedule that shows it.

    `seed` is the first from 0 on that does, so it is the number of schedules that it took, less one.
    """

    name: str
    function: object
    old: str
    new: str
    faults: Faults
    wide: bool = False
    seed: int = 0

    @contextmanager
    def alive(self) -> Iterator[None]:
        """Run with the mutant in the function's place."""
        function = cast(FunctionType, self.function)
        source = textwrap.dedent(inspect.getsource(function))
        assert source.count(self.old) == 1, f"{self.name}: the source has changed; renew the patch"
        made: dict[str, object] = {}
        code = compile(
            "from __future__ import annotations\n" + source.replace(self.old, self.new), self.name, "exec"
        )
        exec(code, function.__globals__, made)
        made_of = made[function.__name__]
        mutated = cast(FunctionType, made_of.fget if isinstance(made_of, property) else made_of)
        original = function.__code__
        function.__code__ = mutated.__code__
        try:
            yield
        finally:
            function.__code__ = original


_shed = cast(property, PrincipalState.__dict__["shed"]).fget

MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        "head's etag not demanded",
        books._head,
        "return Replace(rows.HEAD, rows.head(after), etag)",
        "return Put(rows.HEAD, rows.head(after))",
        WORKERS,
        wide=True,
        seed=9,
    ),
    Mutant(
        "the second principal of a reused name not indexed",
        Index.add_principal,
        "self._table.transact(",
        "self.principals_of(assignment) or self._table.transact(",
        NONE,
        seed=353,
    ),
    Mutant(
        "grants not sent to a holder that has shed the principal",
        decide_principal._spread,
        "if gone_or_new or known != after.terms:",
        "if carrier.carries and (gone_or_new or known != after.terms):",
        NONE,
        seed=10,
    ),
    Mutant(
        "message versions ignored by holders",
        decide_holder._grants,
        "if before is None or said.version <= before.version:",
        "if before is None:",
        WORKERS,
        wide=True,
        seed=670,
    ),
    Mutant(
        "delete of an unknown assignment dropped at once",
        Router.unknown,
        "if self._patient(change):",
        "if True:",
        LAG,
        seed=21,
    ),
    Mutant(
        "absence of what was never seen not remembered",
        decide_principal._memory,
        "gone_at=held.newest if held.gone else None",
        "gone_at=None",
        ONCE,
        wide=True,
        seed=811,
    ),
    Mutant(
        "another principal that a look shows is not handled",
        routing.handle_for,
        "(*principals, *(s for s in done.strangers if s not in principals))",
        "principals",
        ONCE,
        seed=1536,
    ),
    Mutant(
        "no gate",
        Books.commit,
        "if decision.gate:",
        "if False:",
        NONE,
        seed=1,
    ),
    Mutant(
        "outbox row not in the transaction",
        Books.commit,
        "operations.append(Create(rows.owed_key(decision.owed.id), rows.pack(decision.owed)))",
        "pass",
        CRASH,
        seed=0,
    ),
    Mutant(
        "unknown taken as absent",
        handling._known,
        'raise Temporary(f"Azure could not be read: {look.reason}", look.retry_after)',
        "return Absent()",
        FAIL,
        seed=81,
    ),
    Mutant(
        "older revision replaces a newer index row",
        Index.put_finding,
        ".finding.revision >= finding.revision",
        ".finding.revision > 10**9",
        WORKERS,
        wide=True,
        seed=153,
    ),
    Mutant(
        "orphan by principalType",
        _shed,
        "return bool(self.carriers) and not any(c.carries for c in self.carriers.values())",
        'return self.type == "Unknown"',
        NONE,
        seed=0,
    ),
    Mutant(
        "debts crossed off that were not met",
        drain.Drain._cross_off,
        "if (subject, owed.id) not in around.met:",
        "if False:",
        WORKERS_CRASH,
        wide=True,
        seed=125,
    ),
    Mutant(
        "alerts told without a claim",
        drain.Drain._claim,
        "self._tools.books.claim(around.books[subject], left, now + LEASE)",
        "around.books[subject]",
        WORKERS,
        wide=True,
        seed=0,
    ),
    Mutant(
        "noting what was told settles findings too",
        drain.Drain._commit_note,
        "draft.seal_note()",
        "draft.seal(loaded.book.state)",
        WORKERS_CRASH,
        wide=True,
        seed=77,
    ),
    Mutant(
        "nothing owed for when grace has passed",
        drafts.Draft._wait,
        "if graces:",
        "if False:",
        NONE,
        seed=2,
    ),
    Mutant(
        "a channel that is down is forgotten",
        drain.Drain._remains,
        "around.left[subject, owed.id] = (",
        "around.left[subject, owed.id] = () and (",
        FAIL,
        seed=3,
    ),
    Mutant(
        "look later not owed where the stamp leaves it open",
        belief.absent,
        "return BELIEVE_FOR_NOW if seen_since else BELIEVE",
        "return BELIEVE",
        LAG,
        wide=True,
        seed=15,
    ),
)
