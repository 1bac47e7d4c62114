"""Mutants: each leaves out one rule that something failed without, and the simulation notices.

A mutant is a patch of a function's source, compiled in memory and put in the function's place. For each a
kind of schedule is known and the first seed, from 0 on, that shows it: so many schedules it took.
`python -m tests.simulation.mutants` looks for all of them anew and prints how many.
"""

from __future__ import annotations

import argparse
import inspect
import logging
import multiprocessing
import os
import sys
import textwrap
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from types import FunctionType

from lami import handling, listing, routing
from lami.census import Census
from lami.core import (
    belief,
    churn,
    decide_holder,
    decide_principal,
    decide_role,
    digests,
    directory,
    findings,
    messages,
    posture,
    sharing,
    terms,
)
from lami.core import draft as drafts
from lami.core.ids import ResourceId
from lami.core.model import PrincipalState
from lami.detectors import condition_weakened, identity_churn
from lami.detectors.broad_grant import BroadGrant
from lami.drain import Drain
from lami.reconcile import Reconciler, _Leases
from lami.routing import Router
from lami.runs import Handler
from lami.store import books
from lami.store.books import Books
from lami.store.index import Index
from tests.simulation.many import judge

SEARCH = 400
"""How many seeds are tried in a test where the code has changed since and the known one shows nothing."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """What is left out, by replacements in the source of one function; and a schedule that shows it.

    Each edit is old text, which stands there exactly once, and new. `seed` is the first from 0 on that shows
    it in schedules of this kind and width, so it is the number of schedules that it took, less one.
    """

    name: str
    function: object
    edits: tuple[tuple[str, str], ...]
    kind: str
    wide: bool = False
    seed: int = 0

    @contextmanager
    def alive(self) -> Iterator[None]:
        """Run with the mutant in the function's place."""
        function = self.function
        assert isinstance(function, FunctionType)
        source = textwrap.dedent(inspect.getsource(function))
        for old, new in self.edits:
            assert source.count(old) == 1, f"{self.name}: the source has changed; renew the patch"
            source = source.replace(old, new)
        made: dict[str, object] = {}
        code = compile("from __future__ import annotations\n" + source, self.name, "exec")
        exec(code, function.__globals__, made)
        made_of = made[function.__name__]
        mutated = made_of.fget if isinstance(made_of, property) else made_of
        assert isinstance(mutated, FunctionType)
        original = function.__code__
        function.__code__ = mutated.__code__
        try:
            yield
        finally:
            function.__code__ = original

    def shown_by(self, seed: int) -> bool:
        """Whether something does not hold at the end of a schedule, or it does not come to its end."""
        return judge(self.kind, self.wide, seed) is not None

    def first(self, seeds: range) -> int | None:
        """The first of these seeds whose schedule shows it."""
        with self.alive():
            return next((seed for seed in seeds if self.shown_by(seed)), None)


_shed = PrincipalState.__dict__["shed"].fget

MUTANTS: tuple[Mutant, ...] = (
    # --- order of load, look and commit ---
    Mutant(
        "head's etag not demanded",
        books._head,
        (
            (
                "return Replace(rows.HEAD, rows.head(after), etag)",
                "return Put(rows.HEAD, rows.head(after))",
            ),
        ),
        "workers",
        wide=True,
        seed=6,
    ),
    Mutant(
        "look before load",
        handling.handle,
        (
            (
                "step = _judge(tools, loaded, stimulus, resource, where)",
                "seen = _look(tools, loaded.book, stimulus, resource, where)\n"
                "        loaded = tools.books.load(subject)\n"
                "        decision = None if seen.ignored else _decide(tools, loaded.book, stimulus, seen)\n"
                "        step = Handled(loaded, 'ignored' if seen.ignored else 'duplicate', seen.ignored)\n"
                "        if decision is not None:\n"
                "            step = _Step(decision, seen.strangers)",
            ),
        ),
        "a worker stalls",
        seed=78,
    ),
    # --- whose assignment ---
    Mutant(
        "the second principal of a reused name not indexed",
        Index.add_principal,
        (("self._table.transact(", "self.principals_of(assignment) or self._table.transact("),),
        "none",
        wide=True,
        seed=1392,
    ),
    Mutant(
        "delete of an unknown assignment dropped at once",
        Router.unknown,
        (("if not self._patient(change):", "if False:"),),
        "lag",
        seed=22,
    ),
    Mutant(
        "another principal that a look shows is not handled",
        routing.handle_for,
        (("(*principals, *(s for s in done.strangers if s not in principals))", "principals"),),
        "fail",
        seed=24,
    ),
    # --- what is believed ---
    Mutant(
        "unknown taken as absent",
        handling._known,
        (
            (
                "raise unread(look)",
                "return Absent()",
            ),
        ),
        "fail",
        seed=21,
    ),
    Mutant(
        "a failed listing of a principal's grants taken for none",
        handling._listed,
        (
            (
                "raise unread(listed)",
                "return ()",
            ),
        ),
        "fail",
        seed=110,
    ),
    Mutant(
        "staleness of a look judged only against its own event",
        belief.present,
        (("if memory.seen is not None and shown < memory.seen:", "if False:"),),
        "once",
        seed=106,
    ),
    Mutant(
        "absence of a grant that was seen not remembered",
        decide_principal._memory,
        (("None if held.present else held.newest", "None"),),
        "once",
    ),
    Mutant(
        "absence of what was never seen not remembered",
        decide_principal._memory,
        (("gone_at=held.newest if held.gone else None", "gone_at=None"),),
        "once",
        wide=True,
        seed=277,
    ),
    Mutant(
        "look later not owed where the stamp leaves it open",
        belief.absent,
        (("return BELIEVE_FOR_NOW if seen_since else BELIEVE", "return BELIEVE"),),
        "lag",
        wide=True,
        seed=327,
    ),
    Mutant(
        "patience that never begins where nothing told a time",
        decide_holder._see,
        (("told.at if told else None) or draft.now", "told.at if told else None)"),),
        "loss",
        wide=True,
        seed=37,
    ),
    Mutant(
        "a role believed whenever it was written",
        decide_role._see,
        (("belief.present(memory, told, shown, news, draft.now, patience)", "belief.BELIEVE"),),
        "governed, with lag",
        seed=1,
    ),
    # --- gate and outbox ---
    Mutant("no gate", Books.commit, (("if decision.gate:", "if False:"),), "none", seed=4),
    Mutant(
        "gate in a transaction before",
        Books.commit,
        (
            (
                'operations.append(Create(gate, {"version": after.version}))',
                "try:\n"
                '            self._table.transact(after.subject.partition, [Create(gate, {"version": 0})])\n'
                "        except Conflict as conflict:\n"
                "            raise Repeated from conflict",
            ),
        ),
        "crash",
        wide=True,
        seed=12,
    ),
    Mutant(
        "gate in a transaction after",
        Books.commit,
        (
            (
                "if decision.gate:",
                "if self._table.get(after.subject.partition, gate):\n        raise Repeated\n    if False:",
            ),
            (
                "    gone = {operation.key",
                "    if decision.gate:\n"
                '        self._table.transact(after.subject.partition, [Put(gate, {"version": 0})])\n'
                "    gone = {operation.key",
            ),
        ),
        "crash",
        seed=42,
    ),
    Mutant(
        "outbox row not written",
        Books.commit,
        (
            (
                "operations.append(Create(rows.owed_key(decision.owed.id), rows.pack(decision.owed)))",
                "pass",
            ),
        ),
        "crash",
    ),
    Mutant(
        "outbox written after",
        Books.commit,
        (
            (
                "operations.append(Create(rows.owed_key(decision.owed.id), rows.pack(decision.owed)))",
                "pass",
            ),
            (
                "    gone = {operation.key",
                "    if decision.owed is not None:\n"
                "        row = Create(rows.owed_key(decision.owed.id), rows.pack(decision.owed))\n"
                "        etags = {**etags, **self._table.transact(after.subject.partition, [row])}\n"
                "    gone = {operation.key",
            ),
        ),
        "crash",
    ),
    # --- messages ---
    Mutant(
        "grants not sent to a holder that has shed the principal",
        decide_principal._spread,
        (
            (
                "if turned or known != after.terms:",
                "if carrier.carries and (turned or known != after.terms):",
            ),
        ),
        "none",
        seed=9,
    ),
    Mutant(
        "grants without everything ever accepted",
        messages.compose,
        (
            (
                "grants, bare(state.terms), cause)",
                "grants, {k: t for k, t in bare(state.terms).items() "
                "if k in {one.access.key for one in grants}}, cause)",
            ),
        ),
        "a worker stalls",
        seed=278,
    ),
    Mutant(
        "message versions ignored by holders",
        decide_holder._grants,
        (("if before is None or said.version <= before.version:", "if before is None:"),),
        "a worker stalls",
        wide=True,
        seed=2,
    ),
    Mutant(
        "message versions ignored by principals",
        decide_principal._carries,
        (("if before is not None and said.version <= before.version:", "if False:"),),
        "a worker stalls",
        wide=True,
        seed=36,
    ),
    Mutant(
        "message versions ignored by identities",
        decide_holder._attaches,
        (("if before is not None and said.version <= before.version:", "if False:"),),
        "a worker stalls",
        wide=True,
        seed=341,
    ),
    Mutant(
        "terms united, and not counted",
        terms.merge,
        (("held is None or term.count > held.count", "held is None"),),
        "operator",
    ),
    # --- debts ---
    Mutant(
        "digest paid before alerts",
        Drain.pay,
        (
            ("    self._index(around)\n", ""),
            ("    self._alerts(around)\n", "    self._index(around)\n    self._alerts(around)\n"),
        ),
        "given up",
        seed=3,
    ),
    Mutant(
        "debts crossed off that were not met",
        Drain._cross_off,
        (("if (subject, owed.id) not in around.met:", "if False:"),),
        "workers that crash",
        wide=True,
        seed=996,
    ),
    Mutant(
        "alerts told without a claim",
        Drain._claim,
        (
            (
                "self._tools.books.claim(around.books[subject], left, now + LEASE)",
                "around.books[subject]",
            ),
        ),
        "workers",
        wide=True,
        seed=1,
    ),
    Mutant(
        "noting what was told settles findings too",
        Drain._commit_note,
        (("draft.seal_note()", "(setattr(draft, 'looked', True), draft.seal(loaded.book.state))[1]"),),
        "fail",
        wide=True,
        seed=214,
    ),
    Mutant(
        "a channel that is down is forgotten",
        Drain._remains,
        (("around.left[subject, owed.id] = (", "around.left[subject, owed.id] = () and ("),),
        "fail",
    ),
    Mutant(
        "every finding an alert of its own",
        Drain._alerts_of,
        (("stories.setdefault(one.finding.thread, [])", "stories.setdefault(one.finding.id, [])"),),
        "none",
        seed=9,
    ),
    Mutant(
        "older revision replaces a newer index row",
        Index.put_finding,
        (("old.revision >= finding.revision", "old.revision > 10**9"),),
        "a worker stalls",
        seed=3,
    ),
    Mutant(
        "a finding that ended left among those that stand",
        Index.put_finding,
        (("writes.append(Delete(apart))", "pass"),),
        "none",
        seed=8,
    ),
    Mutant(
        "nothing owed for when grace has passed",
        drafts.Draft._wait,
        (("if graces:", "if False:"),),
        "none",
        seed=1,
    ),
    # --- the operator ---
    Mutant(
        "an acceptance without its due row",
        Drain.carry_out,
        (("    self._due.add([watch])\n", ""),),
        "operator and crashes",
        seed=9,
    ),
    Mutant(
        "the end of an acceptance forgotten",
        drafts.Draft.accept,
        (("if acceptance.until is not None:", "if False:"),),
        "operator",
        seed=9,
    ),
    Mutant(
        "a withdrawal kept to oneself",
        decide_holder._accepted,
        (('draft.tell("carries", Subject("principal", principal))', "pass"),),
        "operator",
    ),
    # --- what is found and expected ---
    Mutant(
        "orphan by principalType",
        _shed,
        (
            (
                "return bool(self.carriers) and not any(c.carries for c in self.carriers.values())",
                'return self.type == "Unknown"',
            ),
        ),
        "none",
        seed=1,
    ),
    Mutant(
        "what is seen first is expected, whoever saw it",
        decide_principal._taking,
        (("if isinstance(stimulus, Taken):", "if book.version == 0 or isinstance(stimulus, Taken):"),),
        "none",
        wide=True,
    ),
    # --- what a definition shows ---
    Mutant(
        "what stood at first is told",
        findings.settle,
        (("[id] if old is None and found.standing else []", "[]"),),
        "none",
    ),
    Mutant(
        "a digest without the definition",
        digests.of_holder,
        (("() if definition is None else", "() if definition is not None else"), ("definition.parts", "()")),
        "loss",
        seed=106,
    ),
    Mutant(
        "what was accepted forgotten",
        posture.accept,
        (("state.posture.accepted.union(places)", "state.posture.accepted"),),
        "operator",
    ),
    # --- what persists ---
    Mutant(
        "an app that left counted among those that share an identity",
        sharing.sharers,
        (("if user.attaches", "if True"),),
        "none",
        wide=True,
        seed=6,
    ),
    # --- what an identity brings ---
    Mutant(
        "what is granted after an identity came counted as brought by it",
        churn._held_by,
        (("line.made < at", "True"),),
        "none",
        wide=True,
        seed=36,
    ),
    Mutant(
        "what an identity is granted not passed on to the apps that use it",
        decide_holder._grants,
        (("if before.version == 0 or before.grants != said.grants:", "if False:"),),
        "none",
        wide=True,
        seed=2,
    ),
    Mutant(
        "a churn that turns out to be graver not told again",
        identity_churn._places,
        (("*SEVERITIES[SEVERITIES.index(severity) : SEVERITIES.index(usual)]", ""),),
        "reconcile",
        wide=True,
        seed=18,
    ),
    # --- whom the directory has ---
    Mutant(
        "unknown in the directory taken for absent",
        directory.said_of,
        (("return None", 'return "denied"'),),
        "directory",
        wide=True,
        seed=91,
    ),
    Mutant(
        "one denial taken for gone",
        directory.stands,
        (
            (
                'return None if said == "alive" else Standing(said, at, at, cause)',
                'return None if said == "alive" else Standing(\n'
                '            "gone" if said == "denied" else said, at, at, cause\n'
                "        )",
            ),
        ),
        "directory",
        wide=True,
        seed=102,
    ),
    Mutant(
        "nobody asked about who must be alive",
        directory.absent,
        (
            ("if not any(one in shown for one in alive):", "if False:"),
            ("seen = TYPES & frozenset(shown.values())", "seen = TYPES"),
        ),
        "directory",
    ),
    Mutant(
        "what was deleted lately not asked about",
        directory.said_of,
        (('return "deleted" if isinstance(kept, Present) else "denied"', 'return "denied"'),),
        "directory",
    ),
    Mutant(
        "a denial is not followed up",
        Census._handle,
        (("self._due.add([Due(again,", "list([Due(again,"),),
        "directory",
    ),
    # --- how subscriptions are called ---
    Mutant(
        "how a subscription is called is part of what it is",
        ResourceId.__eq__,
        (("other.key == self.key", "(other.key, other.called) == (self.key, self.called)"),),
        "governed",
        seed=5,
    ),
    # --- what is widened in place ---
    Mutant(
        "what an assignment gave before its condition was changed is forgotten",
        decide_principal._as_grant,
        (("was=was if was != shown.access else None", "was=None"),),
        "governed",
        seed=5,
    ),
    Mutant(
        "what a weakened condition lets through becomes expected",
        condition_weakened._found,
        (("holds=grant.access.key", 'holds=""'),),
        "governed",
        seed=6,
    ),
    Mutant(
        "a weakened condition told as a broad grant as well",
        BroadGrant.detect,
        (("if terms.weakened(state.terms, grant) is not None:", "if False:"),),
        "governed",
        seed=6,
    ),
    Mutant(
        "access missing where its condition was weakened",
        terms.Supply._serves,
        (('conditions.compare(wanted.condition, one) != "narrowed"', "wanted.condition == one"),),
        "governed",
        seed=1,
    ),
    Mutant(
        "a narrower condition taken for another access",
        terms.allow,
        (("bool(access.condition) and any(", "False and any("),),
        "governed",
        seed=5,
    ),
    Mutant(
        "a changed condition told to nobody",
        decide_principal._as_told,
        (("grant.access.key", "grant.access.role"),),
        "governed",
        seed=9,
    ),
    Mutant(
        "what a role can do told to holders once and for all",
        decide_principal._as_told,
        (("grant.powers, ", ""),),
        "governed",
        seed=55,
    ),
    Mutant(
        "a role that is not told who holds it",
        decide_principal._spread,
        (("if was.get(role) != now.get(role):", "if False:"),),
        "governed",
        seed=1,
    ),
    Mutant(
        "message versions ignored by roles",
        decide_role._holds,
        (("if before is not None and said.version <= before.version:", "if False:"),),
        "governed, a worker stalls",
        wide=True,
        seed=79,
    ),
    Mutant(
        "what a role allows now is always expected",
        decide_role._folded,
        (("if judged and was is not None and definitions.gained(was, now)", "if False"),),
        "governed",
        seed=1,
    ),
    Mutant(
        "a role's digest not owed where it changes",
        decide_role.decide_role,
        (("book.version == 0 or _digest(book, state) != _digest(book, after)", "book.version == 0"),),
        "governed",
    ),
    Mutant(
        "reconcile that sees no roles",
        Reconciler._compare_above,
        (("sorted(differing)", "sorted(one for one in differing if one.kind != 'role')"),),
        "governed, reconcile",
    ),
    # --- reconcile and baseline ---
    Mutant(
        "a run of reconcile without its due row",
        _Leases.take,
        (("    self._due.add(self._held.values())\n", ""),),
        "reconcile",
        seed=83,
    ),
    Mutant(
        "a subject reconciled without its due row",
        Handler._watched,
        (("    self.due.add(watches.values())\n", ""),),
        "reconcile",
        seed=27,
    ),
    Mutant(
        "what an app comes with is not remembered",
        decide_holder._arrived,
        (("if identities else state", "if False else state"),),
        "none",
        wide=True,
        seed=1636,
    ),
    Mutant(
        "what a holder that is taken tells of is judged as news",
        decide_principal._taking,
        (("stimulus.cause.operation == TAKING", "False"),),
        "take",
        seed=1140,
    ),
    Mutant(
        "partial listing taken for whole",
        listing.list_subscription,
        (
            (
                "        if isinstance(holder, Unknown):\n            return holder\n",
                "        if isinstance(holder, Unknown):\n            continue\n",
            ),
            (
                "        if isinstance(one, Unknown):\n            return one\n",
                "        if isinstance(one, Unknown):\n            continue\n",
            ),
        ),
        "take",
        seed=9,
    ),
)
"""What DESIGN's table and the issue name and is not among them, and why:

- *Index row written after the look*: takes a worker that stands still for longer than patience at one very
  call, while another is told of a delete as late. `test_listing.py` plays just that, and leaves it out there.

- *Message applied twice*: makes no difference by construction, and so cannot be noticed. Terms are merged
  by the larger count (`lami.core.terms.merge`), what a sender says replaces what it said, and a turn is only
  what differs from before. The mutant of that code is "terms united, and not counted".
- *Partial listing retires*: a listing only says which books to handle, and handling looks again
  (`lami.handling._look`). The mutants of that are "a failed listing of a principal's grants taken for none",
  and, for the baseline, which is taken of what was listed, "partial listing taken for whole".
- *Staleness judged only against its own event*, for an absence: a delete older than what was seen owes a
  later look (`lami.core.belief.absent`, `seen_since`), and a write that was told and not seen owes one of its
  own (`DOUBT`). So the absence is corrected. The mutant of that code is "look later not owed where the stamp
  leaves it open"; for a state that is there, the rule has its own.
- *A definition that is no news* to what is believed, and *another definition without a new digest*: the first
  is mended by the later look that is owed, the second takes one that is told of and its undoing that is not.
  `tests/core/test_posture.py` has both.
"""


def search(number: int, seeds: range) -> int | None:
    """The first of these seeds that shows a mutant, in a process of its own."""
    logging.disable(logging.CRITICAL)
    return MUTANTS[number].first(seeds)


def main() -> int:
    """Look for each mutant from seed 0 on, and print how many schedules it took to notice it."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.mutants", description=main.__doc__)
    parser.add_argument("name", nargs="?", default="", help="only mutants whose name contains this")
    parser.add_argument("--most", type=int, default=8_000, help="how many schedules to try")
    wanted, missed = parser.parse_args(), 0
    chunk = 40
    with ProcessPoolExecutor(os.cpu_count(), multiprocessing.get_context("spawn")) as pool:
        for number, mutant in enumerate(MUTANTS):
            if wanted.name not in mutant.name:
                continue
            found = None
            step = chunk * (os.cpu_count() or 1) * 2
            for start in range(0, wanted.most, step):
                spans = [range(at, at + chunk) for at in range(start, start + step, chunk)]
                shown = pool.map(search, [number] * len(spans), spans)
                found = next((seed for seed in shown if seed is not None), None)
                if found is not None:
                    break
            missed += found is None
            width = "wide" if mutant.wide else "narrow"
            took = f"{found + 1:,} schedules" if found is not None else f"not in {wanted.most:,}"
            print(f"{mutant.name}: {took} ({width}, {mutant.kind})", flush=True)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
