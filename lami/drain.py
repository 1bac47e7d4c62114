"""Paying what books owe: messages to other books, alerts to channels, copies to the index, later looks.

The debts of a commit are rows of its transaction. Here they are paid after it, in this order:

1. Messages, breadth first; what they make other books owe is paid in the same drain.
2. Alerts: all findings of one story as one alert a channel; very many stories as one digest. A book's alerts
   are claimed first, so that two workers do not tell them both; that they were told is an entry, committed
   with the claim's release.
3. Later looks are put on the `due` list, and with them whatever could not be paid now.
4. Copies for the index; the digests last, so that reconcile sees a difference while something is unpaid.
5. Only then the debts are crossed off, the books reached last first: until the first book's are, a
   redelivery finds its way to everything that is not done.

Paying a debt twice is harmless; a crash anywhere leaves the debt, and the event unacknowledged.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from msgspec import Struct, field
from msgspec.structs import replace

from lami.channels.channel import Alert, Channel
from lami.core import digests
from lami.core.draft import Draft
from lami.core.ids import digest
from lami.core.messages import compose
from lami.core.model import (
    ITSELF,
    SEVERITIES,
    Cause,
    Finding,
    Owed,
    OwedAlert,
    OwedLook,
    OwedMessage,
    Subject,
)
from lami.core.stimuli import Stimulus
from lami.core.timeline import stamp
from lami.errors import Permanent, Temporary
from lami.handling import Handled, Tools, handle
from lami.store.books import Loaded
from lami.store.due import Due, DueList
from lami.store.table import Conflict

log = logging.getLogger(__name__)

MOST_CLAIMED = 50
"""How many debts of a book are told in one drain: crossing them off must fit a transaction."""
MOST_ALERTS = 10
"""How many stories of a drain a channel is told one by one; more than these are told as one digest."""
LEASE = timedelta(minutes=5)
"""How long a worker has to tell the alerts it claimed; after that another may."""
CUT_OFF = timedelta(seconds=10)
"""After this whoever has not paid what nobody delivers again is taken to have died."""
RETRY = timedelta(seconds=30)
"""When a channel that is down is tried again, where it did not say."""
REFUSED = timedelta(hours=1)
"""When a channel that refuses an alert for good is tried again: its settings may have been mended."""


class Told(Struct, frozen=True):
    """What a drain did, for whoever shows it as it happens."""

    alert: Alert
    channel: str
    failure: str = ""


class _Telling(Struct, frozen=True):
    """A finding that is to be told, the debt that it is, and the channels that are to be told."""

    subject: Subject
    owed: Owed
    debt: OwedAlert
    finding: Finding
    routes: tuple[str, ...]


class _Round(Struct):
    """The books of one drain in the order they were reached, as they are now, and what is left to do.

    `met` are the debts whose messages were delivered here: only those may be crossed off. What another worker
    adds to a book meanwhile is that worker's to pay.
    """

    books: dict[Subject, Loaded] = field(default_factory=dict)
    left: dict[tuple[Subject, str], tuple[OwedAlert, ...]] = field(default_factory=dict)
    skipped: set[tuple[Subject, str]] = field(default_factory=set)
    met: set[tuple[Subject, str]] = field(default_factory=set)
    later: list[Due] = field(default_factory=list)
    handled: list[Handled] = field(default_factory=list)


class Drain:
    """Pays the debts of books."""

    def __init__(
        self,
        tools: Tools,
        due: DueList,
        channels: Sequence[Channel],
        link: str = "",
        watch: Callable[[Told], None] = lambda told: None,
    ) -> None:
        self._tools = tools
        self._due = due
        self._channels = {channel.name: channel for channel in channels}
        self._link = link
        self._watch = watch

    def pay(self, roots: Sequence[Loaded]) -> list[Handled]:
        """Pay what these books owe, and what that makes others owe; answer what the messages did.

        Raises `Temporary` where a message could not be delivered: the debts stand, and whoever called
        must see to it that this is called again.
        """
        around = _Round()
        for root in roots:
            around.books[root.book.subject] = root
        self._messages(around)
        around.met = {(subject, owed.id) for subject, one in around.books.items() for owed in one.book.owed}
        self._alerts(around)
        self._looks(around)
        self._index(around)
        self._cross_off(around)
        return around.handled

    def carry_out(self, subject: Subject, stimulus: Stimulus) -> list[Handled]:
        """Handle what nobody delivers again, and pay what follows of it; answers what was done, it first.

        Were that cut off after the commit, the walker would pay what is owed.
        """
        watch = Due(self._tools.clock() + CUT_OFF, "drain", stimulus.cause, subject)
        self._due.add([watch])
        handled = handle(self._tools, subject, stimulus)
        further = self.pay([handled.loaded])
        self._due.done(watch)
        return [handled, *further]

    # --- 1. messages ---

    def _messages(self, around: _Round) -> None:
        done: set[tuple[Subject, str, OwedMessage]] = set()
        sent: dict[tuple[Subject, OwedMessage], int] = {}
        queue = list(around.books)
        while queue:
            sender = queue.pop(0)
            book = around.books[sender].book
            for owed in book.owed:
                for message in owed.messages:
                    # Several debts may owe the same message: made of the same book, it says the same.
                    if (sender, owed.id, message) in done or sent.get((sender, message)) == book.version:
                        done.add((sender, owed.id, message))
                        continue
                    done.add((sender, owed.id, message))
                    sent[sender, message] = book.version
                    said = compose(book, message, owed.cause, self._tools.rules.watched)
                    handled = handle(self._tools, message.to, said)
                    around.handled.append(handled)
                    self._reached(around, handled.loaded)
                    queue.append(handled.loaded.book.subject)

    def _reached(self, around: _Round, loaded: Loaded) -> None:
        before = around.books.get(loaded.book.subject)
        written = {**before.written, **loaded.written} if before else loaded.written
        around.books[loaded.book.subject] = replace(loaded, written=written)

    # --- 2. alerts ---

    def _alerts(self, around: _Round) -> None:
        now = self._tools.clock()
        claimed: list[tuple[Subject, Owed]] = []
        for subject, loaded in list(around.books.items()):
            waiting = [owed for owed in loaded.book.owed if owed.alerts]
            free = [o for o in waiting if o.claimed_until is None or o.claimed_until <= now]
            for owed in waiting:
                if owed not in free and owed.claimed_until is not None:
                    self._leave(around, subject, owed, owed.claimed_until)
            for owed in free[MOST_CLAIMED:]:
                self._leave(around, subject, owed, now)
            claimed += [(subject, owed) for owed in self._claim(around, subject, free[:MOST_CLAIMED], now)]
        if claimed:
            # On disk first: a power failure must not leave an alert of something that no book has.
            self._tools.books.flush()
        self._tell(around, claimed)

    def _claim(self, around: _Round, subject: Subject, free: Sequence[Owed], now: datetime) -> list[Owed]:
        """Claim what can be claimed: all in one transaction, or each alone where another worker has some."""
        claimed: list[Owed] = []
        for batch in (free, *([owed] for owed in free)):
            left = [owed for owed in batch if owed not in claimed]
            if not left:
                continue
            try:
                around.books[subject] = self._tools.books.claim(around.books[subject], left, now + LEASE)
            except Conflict:
                continue
            claimed += left
        for owed in free:
            if owed not in claimed:
                self._leave(around, subject, owed, now + LEASE)
        return claimed

    def _leave(self, around: _Round, subject: Subject, owed: Owed, until: datetime) -> None:
        """Somebody else, or this worker's next drain, tells these alerts: see to it that it is done."""
        around.skipped.add((subject, owed.id))
        around.later.append(Due(until, "drain", owed.cause, subject))

    def _tell(self, around: _Round, claimed: Sequence[tuple[Subject, Owed]]) -> None:
        telling: list[_Telling] = []
        for subject, owed in claimed:
            around.left[subject, owed.id] = ()
            for alert in owed.alerts:
                finding = around.books[subject].book.findings.get(alert.finding)
                # Resolved, accepted or told anew since: there is nothing to say of it any longer.
                if finding is not None and finding.status == "open" and finding.telling == alert.telling:
                    telling.append(_Telling(subject, owed, alert, finding, self._routes(alert, finding)))
        said: dict[Subject, list[tuple[Finding, str]]] = {}
        for name in self._channels:
            # Two debts may be of one finding, that opened again before the first was paid: it is told once.
            here = list({debt.finding.id: debt for debt in telling if name in debt.routes}.values())
            for one, told in self._alerts_of(here):
                self._tell_one(around, name, one, told, said)
        self._note(around, claimed, said)

    def _alerts_of(self, telling: Sequence[_Telling]) -> list[tuple[Alert, Sequence[_Telling]]]:
        """One alert a story; but one digest of all where there are so many that nobody would read them."""
        stories: dict[str, list[_Telling]] = {}
        for one in telling:
            stories.setdefault(one.finding.thread, []).append(one)
        if len(stories) <= MOST_ALERTS:
            return [(self._alert(thread, told, 1), told) for thread, told in stories.items()]
        return [(self._alert("", telling, len(stories)), telling)]

    def _tell_one(
        self,
        around: _Round,
        name: str,
        alert: Alert,
        telling: Sequence[_Telling],
        said: dict[Subject, list[tuple[Finding, str]]],
    ) -> None:
        failure, retry = self._send(name, alert)
        self._watch(Told(alert, name, failure))
        for one in telling:
            if not failure:
                said.setdefault(one.subject, []).append((one.finding, name))
                continue
            self._remains(around, one.subject, one.owed, one.debt, name)
            around.later.append(Due(self._tools.clock() + retry, "drain", one.owed.cause, one.subject))

    def _routes(self, debt: OwedAlert, finding: Finding) -> tuple[str, ...]:
        if debt.left is not None:
            return debt.left
        configured = tuple(self._channels)
        return self._tools.rules.policy.channels(finding.rule, finding.severity, configured)

    def _alert(self, thread: str, telling: Sequence[_Telling], stories: int) -> Alert:
        findings = [one.finding for one in telling]
        ordered = sorted(findings, key=lambda f: (SEVERITIES.index(f.severity), f.rule != _HEADLINE, f.id))
        told = sorted(f"{finding.id} {finding.telling}" for finding in ordered)
        id = f"a-{digest(*told, length=16)}"
        return Alert(id, thread or id, tuple(ordered), self._link, stories)

    def _send(self, name: str, alert: Alert) -> tuple[str, timedelta]:
        """Tell one channel: why it failed (empty where it didn't), and when to try again."""
        try:
            self._channels[name].send(alert)
        except Temporary as failure:
            log.warning("%s could not be told %s: %s", name, alert.id, failure)
            return str(failure), max(RETRY, timedelta(seconds=failure.retry_after or 0))
        except Permanent as failure:
            log.error("%s refuses %s: %s; mend its settings", name, alert.id, failure)  # noqa: TRY400
            return str(failure), REFUSED
        return "", RETRY

    def _remains(self, around: _Round, subject: Subject, owed: Owed, debt: OwedAlert, name: str) -> None:
        left = around.left[subject, owed.id]
        mine = next((a for a in left if a.finding == debt.finding), replace(debt, left=()))
        others = tuple(a for a in left if a.finding != debt.finding)
        around.left[subject, owed.id] = (*others, replace(mine, left=(*(mine.left or ()), name)))

    def _note(
        self,
        around: _Round,
        claimed: Sequence[tuple[Subject, Owed]],
        said: dict[Subject, list[tuple[Finding, str]]],
    ) -> None:
        """Commit an entry for what was told, and with it that it is no longer owed."""
        for subject in {subject: None for subject, _ in claimed}:
            ids = [owed.id for s, owed in claimed if s == subject]
            if subject not in said:
                continue
            self._commit_note(around, subject, ids, said[subject])

    def _commit_note(
        self, around: _Round, subject: Subject, ids: Sequence[str], said: Sequence[tuple[Finding, str]]
    ) -> None:
        while True:
            loaded = around.books[subject]
            rows = {owed.id: owed for owed in loaded.book.owed}
            mine = [id for id in ids if id in rows]
            if not mine:
                return  # The lease ran out and another worker told and crossed them off.
            draft = Draft(loaded.book, rows[mine[-1]].cause, self._tools.rules, self._tools.clock())
            for finding, names in _by_finding(said):
                draft.say_of(finding, "told", f"told {', '.join(names)}: {finding.title}")
            rewritten: dict[str, Owed | None] = {
                id: replace(rows[id], alerts=around.left[subject, id], claimed_until=None) for id in mine
            }
            try:
                committed = self._tools.books.commit(loaded, draft.seal_note(), rewritten)
            except Conflict:
                self._reached(around, self._tools.books.load(subject))
                continue
            around.books[subject] = committed
            around.met.add((subject, f"{committed.book.version:012d}"))
            return

    # --- 3. later looks ---

    def _looks(self, around: _Round) -> None:
        for subject, loaded in around.books.items():
            for owed in loaded.book.owed:
                around.later += [
                    Due(look.at, look.why, _reason(look, owed, subject), subject, look.resource)
                    for look in owed.looks
                ]
        if around.later:
            self._due.add(around.later)

    # --- 4. the index ---

    def _index(self, around: _Round) -> None:
        commits = []
        copies: dict[str, tuple[Finding, Subject]] = {}
        seen: dict[str, dict[Subject, str]] = {}
        for subject, loaded in around.books.items():
            for owed in loaded.book.owed:
                if owed.index is None:
                    continue
                entries, resolved = self._tools.books.written(loaded, owed)
                commits.append((owed.cause.id, entries))
                for finding in (*resolved, *loaded.book.findings.values()):
                    if finding.id in owed.index.findings:
                        copies[finding.id] = (finding, subject)
                for subscription in owed.index.digests:
                    now = digests.of_book(loaded.book, subscription)
                    seen.setdefault(subscription, {})[subject] = now
        self._tools.index.add_entries(commits)
        for finding, subject in copies.values():
            self._tools.index.put_finding(finding, subject)
        for subscription, those in seen.items():
            self._tools.index.put_digests(subscription, those)

    # --- 5. crossing off ---

    def _cross_off(self, around: _Round) -> None:
        for subject, loaded in reversed(around.books.items()):
            left: dict[str, Owed | None] = {}
            for owed in loaded.book.owed:
                if (subject, owed.id) not in around.met:
                    continue
                alerts = owed.alerts if (subject, owed.id) in around.skipped else ()
                alerts = around.left.get((subject, owed.id), alerts)
                if not alerts:
                    left[owed.id] = None
                elif (subject, owed.id) not in around.skipped:
                    left[owed.id] = Owed(owed.id, owed.cause, alerts)
            if left:
                self._tools.books.settle(loaded, left)


_HEADLINE = "identity-churn"


def _reason(look: OwedLook, owed: Owed, subject: Subject) -> Cause:
    """Why a later look is made: what was told and doubted; or that its time has come, which is nobody's deed.

    Whoever wrote the book last, and so owes the look, has no part in what it comes upon untold.
    """
    if look.why == "doubt":
        return owed.cause
    return Cause(f"look-{subject.mark}-{stamp(look.at)}", "lami/look", look.at, actor=ITSELF)


def _by_finding(said: Sequence[tuple[Finding, str]]) -> list[tuple[Finding, list[str]]]:
    names: dict[str, list[str]] = {}
    findings = {}
    for finding, name in said:
        findings[finding.id] = finding
        names.setdefault(finding.id, []).append(name)
    return [(findings[id], names[id]) for id in findings]
