"""What one stimulus does to the book of a role definition: what it can do is recorded, with its entry.

A look at a role tells no time of its newest write, so it cannot be judged whether it shows the past: after
an event it is believed, and a later look is owed.
"""

from __future__ import annotations

from datetime import datetime

from msgspec.structs import replace

from lami.core import naming, roles
from lami.core.draft import Draft, Rules
from lami.core.model import Absent, Book, Decision, Present, RoleDefinition, RoleState
from lami.core.stimuli import Again, Stimulus, Told, seen_as


def decide_role(
    book: Book,
    stimulus: Stimulus,
    look: Present[RoleDefinition] | Absent,
    rules: Rules,
    now: datetime,
) -> Decision:
    """The decision: the role's powers as they are now, and an entry that says what changed."""
    state = book.state
    if not isinstance(state, RoleState):
        raise TypeError(f"{book.subject} has no role's book")
    draft = Draft(book, stimulus.cause, rules, now, stimulus.gate, seen_as(stimulus))
    if isinstance(stimulus, Told):
        draft.look_later(None, stimulus.change.resource.text)
    if isinstance(look, Absent):
        if not isinstance(stimulus, Again) or state.powers:
            draft.say("observed", f"role {state.name or naming.short(book.subject.key)} is gone")
        return draft.seal(replace(state, powers=(), newest=now))
    powers, readable = roles.judge(look.state, "")
    after = RoleState(look.state.name, powers, readable, now)
    changed = book.version > 0 and powers != state.powers
    said = f"role {look.state.name} {'can do other things now' if changed else 'was written'}"
    before = {"powers": ", ".join(state.powers)} if changed else None
    if changed or not isinstance(stimulus, Again):
        draft.say("observed", said, before, {"powers": ", ".join(powers)})
    return draft.seal(after)
