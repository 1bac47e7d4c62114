"""Asking the directory about whoever is granted something: what Azure Resource Manager does not say.

One run asks about all principals that hold grants, `MOST` at a time. Some that logic apps carry are in every
question, since they must be alive (`lami.core.directory`). Only of whom the directory does not show, or says
something else than last time, a book is loaded. What it says stands in the digests last, as
with every run, so one that died is done again by the next. A denial is followed by another question an hour
later, from the `due` list.

Where it does not answer, or not in full, nothing is concluded, and that is said: a gap is open until it does.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

from msgspec import Struct, field

from lami.core import digests, directory
from lami.core.draft import MARGIN
from lami.core.messages import carried
from lami.core.model import ITSELF, Cause, HolderState, PrincipalState, Said, Subject, Unknown
from lami.core.stimuli import DirectorySaid
from lami.drain import Drain
from lami.gaps import LASTING, Gaps
from lami.graph.protocol import MOST, Directory
from lami.handling import Tools
from lami.runs import Handler, Tally
from lami.store.due import Due, DueList

log = logging.getLogger(__name__)

GAP = "directory"
"""The key of the gap that is open while the directory does not answer."""
_BLIND = (
    "lami cannot tell which principals are gone from Entra ID and leave access behind: Microsoft Graph does "
    "not say; grant lami's identity Directory.Read.All, or unset LAMI_GRAPH_ENDPOINT"
)
WITNESSES = 5
"""How many principals that must be alive are in each question: one of them may have gone just now."""
_ABOVE = ""
BATCH = 25
"""Subjects that are drained together, as those of reconcile are."""


class Counted(Struct):
    """What one run learnt: what is said of each principal, and why nothing is where it isn't.

    What is unknown because it is `denied` stays so until somebody grants it.
    """

    said: dict[str, Said] = field(default_factory=dict)
    unknown: list[Unknown] = field(default_factory=list)

    @property
    def why(self) -> str:
        """The first of what is unknown, in words; empty where all was answered."""
        return self.unknown[0].reason if self.unknown else ""

    @property
    def denied(self) -> bool:
        """Whether asking again is in vain before somebody grants something."""
        return any(one.denied for one in self.unknown)

    @property
    def retry_after(self) -> float | None:
        """In how many seconds it may be asked again, where it said so."""
        return max((one.retry_after for one in self.unknown if one.retry_after), default=None)


class _Asked(Struct, frozen=True):
    """Whom a run asks about: those in every question, and all others."""

    witnesses: tuple[str, ...]
    others: tuple[str, ...]


class Census:
    """Asks one directory about the principals that lami holds books of."""

    def __init__(self, tools: Tools, due: DueList, drain: Drain, asks: Directory, gaps: Gaps) -> None:
        self._tools = tools
        self._due = due
        self._drain = drain
        self._asks = asks
        self._gaps = gaps

    def run(self, tally: Tally, alive: Callable[[], None] = lambda: None) -> Counted:
        """Ask about everybody, and handle whoever stands otherwise than last time.

        What is unknown is said in the answer and as a gap. `alive` is called now and then, for whoever holds
        a lease.
        """
        at = self._tools.clock()
        cause = Cause(f"directory-{at.isoformat()}", "lami/directory", at, actor=ITSELF)
        known = {one.key: what for one, what in self._tools.index.digests(digests.DIRECTORY).items()}
        counted = self._count(known, alive)
        if counted.unknown:
            lasting = timedelta() if counted.denied else LASTING
            tally.add(self._gaps.open(GAP, _BLIND, cause, (counted.why,), lasting))
        else:
            tally.add(self._gaps.close(GAP, cause))
            self._tools.index.put_notes("directory", ["answered"], at)
        self._handle(counted, known, at, cause, tally, alive)
        return counted

    # --- asking ---

    def _count(self, known: Mapping[str, str], alive: Callable[[], None]) -> Counted:
        counted, whom = Counted(), self._holding()
        if whom.others and not whom.witnesses:
            nobody = "no logic app carries an identity: nobody is known to be in the directory"
            counted.unknown.append(Unknown(nobody, denied=True))
            return counted
        size = MOST - len(whom.witnesses)
        for first in range(0, max(len(whom.others), 1), size):
            alive()
            self._ask(whom.witnesses, whom.others[first : first + size], known, counted, alive)
        return counted

    def _ask(
        self,
        witnesses: Sequence[str],
        batch: Sequence[str],
        known: Mapping[str, str],
        counted: Counted,
        alive: Callable[[], None],
    ) -> None:
        """One question, and one more for each that the answer shows to be absent and that is not gone yet."""
        asked = (*witnesses, *batch)
        shown = self._asks.shown(asked)
        if isinstance(shown, Unknown):
            counted.unknown.append(shown)
            return
        counted.said |= dict.fromkeys(shown, "alive")
        left_out = {one: self._type(one) for one in asked if one not in shown and known.get(one) != "gone"}
        absent = directory.absent(shown, left_out, witnesses)
        doubted = sorted(
            one for one, type in left_out.items() if type in directory.TYPES and one not in absent
        )
        if doubted:
            why = (
                f"the directory left out {len(doubted)} principals ({doubted[0]}) without showing that lami "
                "may see any of their type"
            )
            counted.unknown.append(Unknown(why, denied=True))
        for one in sorted(absent):
            alive()
            kept = self._asks.deleted(one)
            said = directory.said_of(kept)
            if said is not None:
                counted.said[one] = said
            elif isinstance(kept, Unknown):
                counted.unknown.append(kept)

    def _holding(self) -> _Asked:
        """Whoever was last seen to hold something anywhere; and some whom present holders carry."""
        holding: set[str] = set()
        witnesses: dict[str, None] = {}
        for place in (*sorted(self._tools.rules.watched), _ABOVE):
            there = {
                s: None for s, what in self._tools.index.digests(place).items() if what != digests.NOTHING
            }
            holding.update(one.key for one in there if one.kind == "principal")
            for holder in sorted(one for one in there if one.kind == "holder"):
                if len(witnesses) >= WITNESSES:
                    break
                witnesses |= dict.fromkeys(self._carried(holder)[:1])
        return _Asked(tuple(witnesses), tuple(sorted(holding - witnesses.keys())))

    def _carried(self, holder: Subject) -> tuple[str, ...]:
        state = self._tools.books.load(holder).book.state
        return carried(state, self._tools.rules.watched) if isinstance(state, HolderState) else ()

    def _type(self, principal: str) -> str:
        state = self._tools.books.load(Subject("principal", principal)).book.state
        return state.type if isinstance(state, PrincipalState) else ""

    # --- and after ---

    def _handle(
        self,
        counted: Counted,
        known: Mapping[str, str],
        at: datetime,
        cause: Cause,
        tally: Tally,
        alive: Callable[[], None],
    ) -> None:
        news = [one for one, said in sorted(counted.said.items()) if _is_news(known.get(one, ""), said)]
        if any(counted.said[one] == "denied" and known.get(one) != "denied" for one in news):
            # Before the first is handled: a denial that nobody follows up would wait for the next run.
            again = at + directory.APART + MARGIN
            self._due.add([Due(again, "reconcile", cause, resource=digests.DIRECTORY)])
        handler = Handler(self._tools, self._due, self._drain, cause)
        for first in range(0, len(news), BATCH):
            alive()
            batch = news[first : first + BATCH]
            said = DirectorySaid({one: counted.said[one] for one in batch}, at, cause)
            subjects = [Subject("principal", one) for one in batch]
            tally.differing.update(subjects)
            handler.several(subjects, said, (), (digests.DIRECTORY,), tally)


def _is_news(known: str, said: Said) -> bool:
    """Whether a book has to be loaded for what is said; a denial counts until the principal is gone."""
    if said == "alive":
        return known != digests.NOTHING
    return known != "gone" if said == "denied" else known != said
