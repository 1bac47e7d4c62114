"""Doing what is due: re-checks, changes put aside, debts unpaid, runs of reconcile.

What can be answered together is: many looks at one subscription by one listing (`lami.sweep`), and all debts
by one drain, so that many findings become one digest. What fails is put off alone.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta

from msgspec.structs import replace

from lami.core.ids import ResourceId
from lami.core.messages import carried
from lami.core.model import HolderState, Subject
from lami.core.stimuli import Again
from lami.drain import Drain
from lami.errors import EITHER, Permanent, Temporary
from lami.handling import Tools, handle
from lami.pace import Calm, Pace, window_end
from lami.reconcile import Reconciler
from lami.routing import NotNow, Router
from lami.runs import RUN_LEASE
from lami.store.books import Loaded
from lami.store.due import Due, DueList
from lami.sweep import Sweeper

log = logging.getLogger(__name__)

_FIRST_RETRY = timedelta(seconds=10)
_LAST_RETRY = timedelta(hours=1)

Done = dict[Due, list[Loaded]]
"""The items that were done, each with the books whose debts are to be paid before it is off the list."""


class Walker:
    """Walks the `due` list."""

    def __init__(
        self,
        tools: Tools,
        due: DueList,
        drain: Drain,
        reconciler: Reconciler,
        router: Router,
        calm: Calm,
    ) -> None:
        self._tools = tools
        self._due = due
        self._drain = drain
        self._reconciler = reconciler
        self._router = router
        self._sweeper = Sweeper(tools, router, calm.few)
        self._pace = Pace(calm.looks)

    def walk(self) -> int:
        """Do what is due by now; answer how many items were done. One that fails is put off.

        What drains by itself comes first: a book that was loaded before another drain has paid its debts
        would overwrite what is newer in the index. Runs of reconcile come last, when all else is paid: one
        may take longer than this worker lives.
        """
        items = self._due.by(self._tools.clock())
        left = dict.fromkeys(self._carried_first([item for item in items if item.why != "reconcile"]))
        done: Done = {}
        for subscription, asked in self._sweeper.storms(left).items():
            if self._sweep(subscription, asked, done):
                for item in asked:
                    del left[item]
        for item in left:
            self._one(item, done)
        paid = self._paid(done)
        for item in paid:
            self._due.done(item)
        runs: dict[str, list[Due]] = {}
        for item in items:
            if item.why == "reconcile":
                runs.setdefault(item.resource, []).append(item)
        return len(paid) + sum(self._reconcile(asked) for asked in runs.values())

    # --- what drains by itself ---

    def _carried_first(self, items: Iterable[Due]) -> list[Due]:
        """Have what principals hold reach their holders, where these are to be judged after their grace.

        Answers the items that may go on: one that fails is put off.
        """
        going: list[Due] = []
        first: Done = {}
        for item in items:
            holder = _holder_after_grace(item)
            if holder is None:
                going.append(item)
                continue
            try:
                if self._has_turn(item):
                    first[item] = self._look_at_carried(item, holder)
            except EITHER as failure:
                self._failed(item, failure)
        return [*going, *self._paid(first)]

    def _look_at_carried(self, item: Due, holder: Subject) -> list[Loaded]:
        state = self._tools.books.load(holder).book.state
        principals = carried(state, self._tools.rules.watched) if isinstance(state, HolderState) else ()
        return [
            handle(self._tools, Subject("principal", p), Again(f"{item.id}/{p}", item.cause)).loaded
            for p in principals
        ]

    # --- many at once ---

    def _sweep(self, subscription: str, items: Sequence[Due], done: Done) -> bool:
        """Answer items by one listing; False where there was none to be had, and nothing was done."""
        answers = self._sweeper.answer(subscription, items)
        if answers is None:
            return False
        for item, answer in answers.items():
            if answer.failure is not None:
                self._failed(item, answer.failure)
            else:
                done[item] = [one.loaded for one in answer.handled]
        return True

    # --- one by one ---

    def _one(self, item: Due, done: Done) -> None:
        try:
            if _holder_after_grace(item) is not None or self._has_turn(item):
                done[item] = self._do(item)
        except EITHER as failure:
            self._failed(item, failure)

    def _has_turn(self, item: Due) -> bool:
        """Whether Azure may be asked for it in this window; if not, it waits for the next."""
        now, where = self._tools.clock(), _reads(item)
        if not where or self._pace.take(where, now):
            return True
        self._due.postpone(item, replace(item, at=window_end(now)))
        return False

    def _do(self, item: Due) -> list[Loaded]:
        if item.why == "route" and item.change is not None:
            handled = self._router.route(item.change)
            if isinstance(handled, NotNow):
                return []
            return [one.loaded for one in handled if one.outcome != "ignored"]
        if item.subject is None:
            return []
        if item.why == "drain":
            return [self._tools.books.load(item.subject)]
        first = handle(self._tools, item.subject, Again(item.id, item.cause), item.resource)
        return [one.loaded for one in self._router.look_again(item, first)]

    # --- and after ---

    def _paid(self, done: Mapping[Due, Sequence[Loaded]]) -> list[Due]:
        """Pay what the books owe, all together, or each item's alone where that fails; answer who is paid."""
        try:
            self._drain.pay(_newest(one for loaded in done.values() for one in loaded))
        except EITHER as failure:
            log.info("%s; what is due is paid one by one", failure)
            return [item for item, loaded in done.items() if self._paid_alone(item, loaded)]
        return list(done)

    def _paid_alone(self, item: Due, loaded: Sequence[Loaded]) -> bool:
        # Loaded again: the drain that failed may have paid and rewritten a part of it.
        subjects = dict.fromkeys(one.book.subject for one in loaded)
        try:
            self._drain.pay([self._tools.books.load(subject) for subject in subjects])
        except EITHER as failure:
            self._failed(item, failure)
            return False
        return True

    # --- runs of reconcile ---

    def _reconcile(self, items: Sequence[Due]) -> int:
        """Do one run for all items of one place, since its listing answers each; answer how many are done.

        The first stands for all, and is put off before the run begins: where this worker dies of it, whatever
        is due then comes before the next try.
        """
        first, *others = items
        held = replace(first, at=self._tools.clock() + RUN_LEASE, tries=first.tries + 1)
        self._due.postpone(first, held)
        self._due.all_done(others)
        try:
            self._run(first)
        except Temporary as failure:
            self._due.postpone(held, self._later(first, failure))
            return 0
        except Permanent as failure:
            self._give_up(held, failure)
            return 0
        self._due.done(held)
        return len(items)

    def _run(self, item: Due) -> None:
        """Do a run; raises `Temporary` also where it could not read all of its place."""
        report = self._reconciler.resume(item.resource, f"{item.cause.id}/{item.resource}/{item.tries}")
        if report.unread:
            unread = ", ".join(f"{one} could not be listed: {why}" for one, why in report.unread.items())
            raise Temporary(unread)

    # --- what fails ---

    def _failed(self, item: Due, failure: Temporary | Permanent) -> None:
        """Put an item off, alone; or take it off the list where trying again cannot help."""
        if isinstance(failure, Permanent):
            self._give_up(item, failure)
        else:
            self._due.postpone(item, self._later(item, failure))

    def _later(self, item: Due, failure: Temporary) -> Due:
        wait = min(_FIRST_RETRY * 2 ** min(item.tries, 10), _LAST_RETRY)
        wait = max(wait, timedelta(seconds=failure.retry_after or 0))
        log.warning("put off %s of %s: %s", item.why, item.resource or item.subject, failure)
        return replace(item, at=self._tools.clock() + wait, tries=item.tries + 1)

    def _give_up(self, item: Due, failure: Permanent) -> None:
        log.error("gave up on %s of %s: %s", item.why, item.resource or item.subject, failure)
        self._due.done(item)


def _holder_after_grace(item: Due) -> Subject | None:
    """The holder that is to be judged when its grace has passed; its turn was taken for what it carries."""
    judged = item.why == "grace" and item.subject is not None and item.subject.kind == "holder"
    return item.subject if judged else None


def _reads(item: Due) -> str:
    """The subscription that is read for an item; empty where none is, or a listing that has its own lease."""
    if item.why == "route" and item.change is not None:
        return item.change.subscription
    if item.why in ("drain", "reconcile") or item.subject is None or item.subject.kind == "lami":
        return ""
    if item.subject.kind == "holder":
        return ResourceId(item.subject.id).subscription
    # Whose subscriptions a principal's listing takes is only known to its book; all of them share one pace.
    return ResourceId(item.resource).subscription if item.resource else "principals"


def _newest(loaded: Iterable[Loaded]) -> list[Loaded]:
    """Each subject once, as it was loaded last."""
    newest: dict[Subject, Loaded] = {}
    for one in loaded:
        held = newest.get(one.book.subject)
        if held is None or one.book.version >= held.book.version:
            newest[one.book.subject] = one
    return list(newest.values())
