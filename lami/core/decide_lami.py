"""What one stimulus does to the book of lami itself: what it is blind to, and since when.

The rules:

- A gap opens when it is said, or once it has been said again after lasting long enough. Said again in other
  words it is told again; said again in the same words it changes nothing, and nothing is written.
- What reconcile finds and no event told is remembered by subscription. Found by two runs within a day, it is
  a gap: the events of that subscription do not reach lami. It ends when a day has passed without.
- An accepted gap counts as accepted until it ends, or is told in other words: there is no baseline to move.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from msgspec.structs import replace

from lami.core import naming
from lami.core.draft import Draft, Rules
from lami.core.model import Book, Decision, Gap, LamiState
from lami.core.stimuli import Accepted, Again, Blinded, Noted, Sighted, Stimulus, Unannounced

DAY = timedelta(days=1)
"""Found by two runs within this, what no event told is a gap; it ends when this has passed without."""


def decide_lami(book: Book, stimulus: Stimulus, rules: Rules, now: datetime) -> Decision | None:
    """The decision, or None where nothing changes."""
    state = book.state
    if not isinstance(state, LamiState):
        raise TypeError(f"{book.subject} is not lami's own book")
    draft = Draft(book, stimulus.cause, rules, now, stimulus.gate)
    draft.looked = True  # There is nothing to look at.
    after: LamiState | None = state
    if isinstance(stimulus, Blinded):
        after = _blinded(state, stimulus, draft)
    elif isinstance(stimulus, Sighted):
        after = _without(state, stimulus.key, draft) if stimulus.key in state.gaps else None
    elif isinstance(stimulus, Noted):
        after = _noted(state, stimulus, draft)
    elif isinstance(stimulus, Unannounced):
        after = _unannounced(state, stimulus, draft)
    elif isinstance(stimulus, Accepted):
        draft.accepted(stimulus)
    elif isinstance(stimulus, Again):
        after = _ended(state, draft)
    return None if after is None else draft.seal(after)


def _blinded(state: LamiState, said: Blinded, draft: Draft) -> LamiState | None:
    before = state.gaps.get(said.key)
    since = before.since if before else draft.now
    stands = (before is not None and before.stands) or draft.now - since >= said.lasting
    gap = Gap(said.what, since, said.cause, said.notes, stands)
    if before is not None and (before.what, before.notes, before.stands) == (gap.what, gap.notes, stands):
        return None
    return _with(state, said.key, gap, draft)


def _unannounced(state: LamiState, said: Unannounced, draft: Draft) -> LamiState | None:
    run, last = said.cause.time, state.unannounced.get(said.subscription)
    if last is not None and run <= last:
        return None  # Of the same run, or of one before it.
    after = replace(state, unannounced={**state.unannounced, said.subscription: run})
    if last is None or run - last > DAY:
        return after
    what = (
        f"lami is not told of changes in subscription {naming.short(said.subscription)}: two runs of"
        " reconcile within a day found what no event had told; see to its event subscription and to dead"
        " letters"
    )
    key = f"events/{said.subscription}"
    held = state.gaps.get(key)
    gap = Gap(what, held.since if held else draft.now, held.cause if held else said.cause, until=run + DAY)
    draft.look_at(run + DAY)
    return _with(after, key, gap, draft)


def _noted(state: LamiState, said: Noted, draft: Draft) -> LamiState | None:
    if state.noted.get(said.key) == said.version:
        return None
    for line in said.lines:
        draft.say("note", line)
    return replace(state, noted={**state.noted, said.key: said.version})


def _ended(state: LamiState, draft: Draft) -> LamiState:
    for key, gap in state.gaps.items():
        if gap.until is not None and gap.until <= draft.now:
            state = _without(state, key, draft)
    return state


def _with(state: LamiState, key: str, gap: Gap, draft: Draft) -> LamiState:
    before = state.gaps.get(key)
    was = before.what if before is not None and before.stands else ""
    if gap.stands and gap.what != was:
        draft.say("gap", gap.what, before={"gap": was}, after={"gap": gap.what, **_why(gap)})
    return replace(state, gaps={**state.gaps, key: gap})


def _without(state: LamiState, key: str, draft: Draft) -> LamiState:
    gap = state.gaps[key]
    if gap.stands:
        draft.say("gap", f"over: {gap.what}", before={"gap": gap.what})
    return replace(state, gaps={other: held for other, held in state.gaps.items() if other != key})


def _why(gap: Gap) -> dict[str, str]:
    return {"why": "; ".join(gap.notes)}
