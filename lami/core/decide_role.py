"""What one stimulus does to the book of a role definition: what it allows, what it should, and who holds it.

The rules:

- What is believed of a look (`lami.core.belief`) replaces what was observed.
- Only a tenant's own (custom) role is judged: what Microsoft changes of the built-in ones no event tells. Its
  baseline is what it allowed when it was first seen.
- A principal that holds a custom role says so. While nobody does, the baseline goes along with the role: a
  grant of it is judged by its reach when it is made.
- A change that allows nothing more (`lami.core.definitions`) is taken into the baseline at once.
- Accepting a `role-widened` moves the baseline to what the role allows now.
"""

from __future__ import annotations

from datetime import datetime

from msgspec.structs import replace

from lami.core import belief, definitions, digests, naming, roles
from lami.core.draft import Draft, Rules
from lami.core.ids import ResourceId
from lami.core.model import (
    Absent,
    Acceptance,
    Book,
    Decision,
    Held,
    Present,
    RoleDefinition,
    RoleState,
)
from lami.core.stimuli import Accepted, Holds, Stimulus, Taken, Told, seen_as

_DEFINITIONS = "providers/Microsoft.Authorization/roleDefinitions"


def decide_role(
    book: Book,
    stimulus: Stimulus,
    look: Present[RoleDefinition] | Absent | None,
    rules: Rules,
    now: datetime,
) -> Decision | None:
    """The decision, or None where a message is older than what the book has. `look` where one was needed."""
    state = book.state
    if not isinstance(state, RoleState):
        raise TypeError(f"{book.subject} has no role's book")
    draft = Draft(book, stimulus.cause, rules, now, stimulus.gate, seen_as(stimulus))
    after: RoleState | None = state
    if isinstance(stimulus, Holds):
        after = _holds(state, stimulus)
    elif isinstance(stimulus, Accepted):
        after = _accepted(state, stimulus, draft)
    if after is None:
        return None
    draft.looked = look is not None
    if look is not None:
        after = _see(after, stimulus, look, draft)
    elif isinstance(stimulus, Holds) and needs_look(after):
        draft.look_later(None, where(book, after, rules.watched).text)
    if isinstance(stimulus, Taken) and stimulus.reason:
        after = _taken_anew(after, stimulus, draft)
    after = _folded(after)
    if book.version == 0 or _digest(book, state) != _digest(book, after):
        draft.observed.add("")
    return draft.seal(after)


def needs_look(state: RoleState) -> bool:
    """Whether somebody holds the role and it was never seen: then it is looked at where it is heard of."""
    return bool(state.accesses) and state.expected is None


def where(book: Book, state: RoleState, watched: frozenset[str]) -> ResourceId:
    """The id to look at: as it was seen, else in a watched subscription in which it is held."""
    if state.at:
        return ResourceId(state.at)
    held = sorted({access.scope.subscription for _, access in state.accesses} & watched)
    there = f"/subscriptions/{held[0]}" if held else ""
    return ResourceId(f"{there}/{_DEFINITIONS}/{book.subject.key}")


# --- looks -----------------------------------------------------------------------------------------


def _see(
    state: RoleState, stimulus: Stimulus, look: Present[RoleDefinition] | Absent, draft: Draft
) -> RoleState:
    told = _told(stimulus, draft)
    at = where(draft.book, state, draft.rules.watched)
    if isinstance(stimulus, Told):
        at = stimulus.change.resource
    memory = belief.Memory(state.newest, state.seen, state.gone_at, state.present)
    shown = look.state.changed if isinstance(look, Present) else None
    patience = draft.rules.patience
    if isinstance(look, Present):
        allowed = definitions.canonical(look.state.permissions)
        news = not state.present or (allowed is not None and allowed != state.observed)
        verdict = belief.present(memory, told, shown, news, draft.now, patience)
    else:
        verdict = belief.absent(memory, told, draft.now, patience)
    newest = belief.latest(state.newest, told.at if told else None, shown)
    if not verdict.believe:
        what = "is as it was" if isinstance(look, Present) else "is not there (yet)"
        draft.doubted(f"Azure may show the past: {_name(state, draft)} {what}", newest, at.text)
        return replace(state, newest=belief.latest(state.newest, told.at if told else None) or draft.now)
    if verdict.later or (isinstance(look, Absent) and needs_look(state)):
        draft.look_later(newest, at.text)
    if isinstance(look, Absent):
        return _gone(state, stimulus, draft, newest)
    return _shown(replace(state, at=at.text), stimulus, look.state, draft, newest or draft.now)


def _gone(state: RoleState, stimulus: Stimulus, draft: Draft, newest: datetime | None) -> RoleState:
    if state.present or isinstance(stimulus, Told):
        draft.say("observed", f"{_name(state, draft)} is gone")
    allowed = {key: value for key, value in state.allowed.items() if key != "observed"}
    gone_at = newest or draft.now
    return replace(state, powers=(), present=False, newest=gone_at, gone_at=gone_at, allowed=allowed)


def _shown(
    state: RoleState, stimulus: Stimulus, shown: RoleDefinition, draft: Draft, newest: datetime
) -> RoleState:
    powers, readable = roles.judge(shown, "")
    now = definitions.canonical(shown.permissions)
    if now is None:
        now = state.observed
    was = state.expected if state.observed is None else state.observed
    after = replace(
        state,
        name=shown.name,
        powers=powers,
        readable=readable,
        newest=newest,
        custom=shown.custom,
        present=True,
        seen=belief.latest(state.seen, shown.changed),
        gone_at=None,
        allowed=state.allowed if now is None else {**state.allowed, "observed": now},
    )
    changed = was is not None and now != was
    if changed:
        after = replace(after, changed_at=draft.now, change_cause=draft.cause)
    before = {"powers": ", ".join(state.powers)} if changed else None
    if changed:
        draft.say("observed", f"role {shown.name} can do other things now", before, _words(after))
    elif isinstance(stimulus, Told):
        draft.say("observed", f"role {shown.name} was written", None, _words(after))
    elif not state.present:
        draft.say("observed", f"role {shown.name} is seen for the first time", None, _words(after))
    return after


def _name(state: RoleState, draft: Draft) -> str:
    return f"role {state.name or naming.short(draft.book.subject.key)}"


def _words(state: RoleState) -> dict[str, str]:
    return {"powers": ", ".join(state.powers)}


def _told(stimulus: Stimulus, draft: Draft) -> belief.Told | None:
    if not isinstance(stimulus, Told):
        return None
    # An event from the future (forged, or a clock that is off) must not make lami blind to what is older.
    return belief.Told(min(stimulus.change.time, draft.now), stimulus.change.deletes)


# --- messages and operators ------------------------------------------------------------------------


def _holds(state: RoleState, said: Holds) -> RoleState | None:
    before = state.held.get(said.principal)
    if before is not None and said.version <= before.version:
        return None
    held = Held(said.name, said.carried, said.version, said.accesses)
    return replace(state, held={**state.held, said.principal: held})


def _accepted(state: RoleState, stimulus: Accepted, draft: Draft) -> RoleState:
    draft.accepted(stimulus)
    return state if stimulus.until is not None else _baselined(state)


def _taken_anew(state: RoleState, stimulus: Taken, draft: Draft) -> RoleState:
    """The baseline is taken over what was held: what the role allows now is expected."""
    acceptance = Acceptance(stimulus.cause.actor.name, stimulus.reason, draft.now)
    for finding in draft.book.findings.values():
        draft.accept(finding, acceptance)
    return _baselined(state)


# --- what follows ----------------------------------------------------------------------------------


def _folded(state: RoleState) -> RoleState:
    """Take into the baseline what nobody objects to."""
    was, now = state.expected, state.observed
    if now is None or now == was:
        return state
    judged = state.custom and state.accesses and was is not None
    return state if judged and was is not None and definitions.gained(was, now) else _baselined(state)


def _baselined(state: RoleState) -> RoleState:
    """The baseline moved to what is observed."""
    now = state.observed
    return state if now is None else replace(state, allowed={**state.allowed, "expected": now})


def _digest(book: Book, state: RoleState) -> str:
    return digests.of_book(replace(book, state=state), "")
