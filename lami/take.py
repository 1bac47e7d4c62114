"""Taking the baseline: what stands in whole subscriptions becomes expected.

Principals come first, so that a holder finds what its identity is granted accepted. It goes in three passes:

1. Every subscription is listed. Who holds what where is kept as digests; what is as it was last seen is held
   already, and left alone. Whose each assignment is, is indexed.
2. The subscriptions are listed again, and principals never seen are committed as this listing shows them,
   each when the last subscription in which it holds something has been read.
3. Likewise for the holders, which then tell their principals that they carry them.

Whatever this cannot settle is handled one by one, as any subject is: a principal that the second listing
shows otherwise than the first, a book that somebody has written, and what a reason moves that is held.
Interrupted, the next take lists again and finds what it has yet to do.
(docs/decisions/0007-take-from-the-listing.md)
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct, field

from lami.core import digests
from lami.core.decide_principal import Sight
from lami.core.ids import ResourceId, is_standard
from lami.core.messages import holder_subject
from lami.core.model import Actor, Cause, IdentityHolder, Present, RoleAssignment, Subject, Unknown
from lami.core.stimuli import Taken
from lami.drain import Drain
from lami.gaps import Gaps
from lami.handling import FirstSight, Tools
from lami.listing import Listing, defined, digests_of, line_of, list_subscription
from lami.reconcile import ABOVE
from lami.runs import Handler, Listener, Progress, Report, Tally
from lami.store.due import DueList

log = logging.getLogger(__name__)

BATCH = 50
"""How many subjects never seen are committed before they are drained together."""
MOST_KEPT = 20_000
"""How many role assignments are kept in memory, of principals that hold some in several subscriptions."""


class Taker:
    """Takes the baseline."""

    def __init__(self, tools: Tools, due: DueList, drain: Drain, gaps: Gaps) -> None:
        self._tools = tools
        self._due = due
        self._drain = drain
        self._gaps = gaps

    def take(
        self,
        subscriptions: Sequence[str],
        run: str,
        by: Actor,
        reason: str = "",
        progress: Listener = lambda progress: None,
    ) -> Report:
        """Make what stands now expected. What lami holds already is only moved where a reason is given."""
        cause = Cause(f"take-{run}", "lami/baseline/take", self._tools.clock(), actor=by)
        handler = Handler(self._tools, self._due, self._drain, cause)
        stimulus = Taken(run, cause, reason)
        return _Take(self._tools, self._gaps, handler, stimulus, progress).over(subscriptions)


class _Take(Struct):
    """One take while it goes. `shown` are principals to be taken, with the digest of all that each
    subscription showed of them; `held` are subjects of which something was seen before."""

    tools: Tools
    gaps: Gaps
    handler: Handler
    stimulus: Taken
    progress: Listener
    tally: Tally = field(default_factory=Tally)
    shown: dict[Subject, dict[str, str]] = field(default_factory=dict)
    holders: dict[str, list[Subject]] = field(default_factory=dict)
    gone: dict[Subject, list[str]] = field(default_factory=dict)
    held: set[Subject] = field(default_factory=set)
    done: set[Subject] = field(default_factory=set)

    def over(self, subscriptions: Sequence[str]) -> Report:
        """All three passes."""
        self._compare(subscriptions)
        found = list(self.holders)
        holders = {subject for those in self.holders.values() for subject in those}
        self.tally.differing = {*self.shown, *self.gone, *holders}
        self._principals(found)
        for part, subscription in enumerate(found, start=1):
            self._holders_in(subscription, part, len(found))
        for subject, where in self.gone.items():
            self._one(subject, where)
        return self.tally.report()

    # --- 1. what there is to take ---

    def _compare(self, subscriptions: Sequence[str]) -> None:
        known = self.tools.index.digests(ABOVE)
        self.held |= known.keys()
        above: dict[Subject, set[str]] = {}
        seen: dict[Subject, dict[str, str]] = {}
        for part, subscription in enumerate(subscriptions, start=1):
            self.progress(Progress(0, 0, f"listing subscription {subscription}", part, len(subscriptions)))
            listing = self._compare_one(subscription)
            if listing is None:
                continue
            for subject, lines in listing.above.items():
                if subject.kind == "role":
                    continue  # Its book is begun by whoever holds it.
                above.setdefault(subject, set()).update(lines)
                seen.setdefault(subject, {})[subscription] = _all_of(listing, subject)
        if self.stimulus.reason:
            # What custom roles allow belongs to the baseline that is moved, too.
            self.gone.update({subject: [ABOVE] for subject in known if subject.kind == "role"})
        for subject, what in digests_of(above).items():
            if self.stimulus.reason or known.get(subject) != what:
                self.shown.setdefault(subject, {}).update(seen[subject])

    def _compare_one(self, subscription: str) -> Listing | None:
        whose: list[tuple[ResourceId, str]] = []
        listing = list_subscription(
            self.tools.arm, subscription, lambda one: whose.append((one.id, one.principal))
        )
        if isinstance(listing, Unknown):
            log.warning("subscription %s could not be listed: %s", subscription, listing.reason)
            self.tally.unread[subscription] = listing.reason
            self.tally.add(self.gaps.unreadable(subscription, listing, self.handler.cause))
            return None
        self.tally.add(self.gaps.readable(subscription, self.handler.cause))
        self.tally.listed += len(listing)
        known, listed = self.tools.index.digests(subscription), listing.digests
        self.held |= known.keys()
        anew = bool(self.stimulus.reason)
        todo = [s for s, what in listed.items() if anew or not digests.agrees(known.get(s), what)]
        self.holders[subscription] = [subject for subject in todo if subject.kind == "holder"]
        for subject in todo:
            if subject.kind == "principal":
                self.shown.setdefault(subject, {})[subscription] = _all_of(listing, subject)
        if self.stimulus.reason:
            # What is held and no longer there belongs to the baseline that is moved, too.
            for subject in known.keys() - listed.keys():
                self.gone.setdefault(subject, []).append(subscription)
        unseen = {subject.key for subject in (*todo, *listing.above) if subject not in self.held}
        self.tools.index.add_principals(pair for pair in whose if pair[1] in unseen)
        return listing

    # --- 2. principals ---

    def _principals(self, found: Sequence[str]) -> None:
        awaited: dict[str, list[Subject]] = {}
        for subject, places in self.shown.items():
            if subject not in self.held:
                for subscription in places:
                    awaited.setdefault(subscription, []).append(subject)
        kept: dict[Subject, dict[str, RoleAssignment]] = {}
        for part, subscription in enumerate(found, start=1):
            wanted = [subject for subject in awaited.pop(subscription, ()) if subject not in self.held]
            if wanted:
                self._keep(subscription, wanted, kept)
                whole = [s for s in wanted if s in kept and not self.shown[s].keys() & awaited.keys()]
                sights = {s: self._sight(s, kept.pop(s)) for s in whole}
                self._first_sights(sights, subscription, part, len(found))
            self._bound(kept)
        for subject, places in self.shown.items():
            if subject not in self.done:
                self._one(subject, (*places, *self.gone.pop(subject, ()), ABOVE))

    def _keep(
        self, subscription: str, wanted: Iterable[Subject], kept: dict[Subject, dict[str, RoleAssignment]]
    ) -> None:
        """List again, now that whose the assignments are is indexed, and keep what those wanted hold."""
        lines: dict[str, dict[str, RoleAssignment]] = {subject.key: {} for subject in wanted}
        whole = True
        for one in self.tools.arm.assignments_in(subscription):
            if isinstance(one, Unknown):
                whole = False
            elif one.principal in lines:
                lines[one.principal][one.id.key] = one
        for subject in wanted:
            shown = lines[subject.key]
            if whole and digests.of_lines(map(line_of, shown.values())) == self.shown[subject][subscription]:
                kept.setdefault(subject, {}).update(shown)
            else:
                self._leave(subject, kept)

    def _sight(self, subject: Subject, lines: Mapping[str, RoleAssignment]) -> Sight:
        looks = tuple((one.id, Present(one)) for one in lines.values())
        return Sight(looks, frozenset(self.shown[subject]))

    def _bound(self, kept: dict[Subject, dict[str, RoleAssignment]]) -> None:
        """Leave the last to be handled one by one, where more is kept than memory is there for."""
        many = sum(map(len, kept.values()))
        while many > MOST_KEPT:
            subject = next(reversed(kept))
            many -= len(kept[subject])
            self._leave(subject, kept)

    def _leave(self, subject: Subject, kept: dict[Subject, dict[str, RoleAssignment]]) -> None:
        kept.pop(subject, None)
        self.held.add(subject)

    # --- 3. holders ---

    def _holders_in(self, subscription: str, part: int, parts: int) -> None:
        unseen = {subject for subject in self.holders[subscription] if subject not in self.held}
        if unseen:
            sights: dict[Subject, FirstSight] = {}
            standard: list[IdentityHolder] = []
            for one in self.tools.arm.holders_in(subscription):
                if isinstance(one, Unknown) or holder_subject(one.id) not in unseen:
                    continue
                if is_standard(one.id):
                    standard.append(one)
                else:
                    sights[holder_subject(one.id)] = Present(one)
            for one in defined(self.tools.arm, standard, lambda app: self._reads(app, part, parts)):
                sights[holder_subject(one.id)] = Present(one)
            self._first_sights(sights, subscription, part, parts)
        for subject in self.holders[subscription]:
            if subject not in self.done:
                self._one(subject, (subscription,))

    # --- either ---

    def _first_sights(
        self, sights: Mapping[Subject, FirstSight], subscription: str, part: int, parts: int
    ) -> None:
        left = list(sights.items())
        while left:
            batch, left = dict(left[:BATCH]), left[BATCH:]
            seen = self.handler.first_sights(batch, self.stimulus, self.tally)
            self.held.update(seen)
            self.done |= batch.keys() - set(seen)
            self._say(f"subscription {subscription}", part, parts)

    def _one(self, subject: Subject, places: Sequence[str]) -> None:
        where = tuple(place for place in places if place != ABOVE)
        self.handler.several((subject,), self.stimulus, where, places, self.tally)
        self.done.add(subject)
        self._say(f"{subject.kind} {subject.id}")

    def _reads(self, app: IdentityHolder, part: int, parts: int) -> None:
        self._say(f"reading the workflows of {app.id.name}", part, parts)

    def _say(self, what: str, part: int = 0, parts: int = 0) -> None:
        self.progress(Progress(len(self.done), len(self.tally.differing), what, part, parts))


def _all_of(listing: Listing, subject: Subject) -> str:
    """The digest of all that a subscription's listing shows of a principal, in the subscription and above."""
    nothing: frozenset[str] = frozenset()
    return digests.of_lines(listing.here.get(subject, nothing) | listing.above.get(subject, nothing))
