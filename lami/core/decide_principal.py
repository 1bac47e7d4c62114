"""What one stimulus does to the book of a principal: which grants it has, and which of them are accepted.

The rules:

- What is believed of a look (`lami.core.belief`) replaces the grant that was held. A grant that is gone
  is kept as absent, so that a late look cannot bring it back.
- An assignment that shows another principal is not this principal's: names can be used again.
- A present grant that nobody objects to is *folded*: expected from now on, with an entry. Nothing is folded
  while the principal is shed; what it holds then is left behind. What automation made for a while, or
  broadly, is not folded either (`lami.core.automation`), though nobody objects.
- What a holder that carries this principal expects of it is accepted here.
- Holders are told what is granted now, and apart from it everything ever accepted, whenever either changes.
- Accepting a `broad-grant` makes its access expected. Accepting an `orphaned-assignment` tolerates that one
  assignment, and no later one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from lami.core import automation, belief, naming, roles, terms
from lami.core.draft import Draft, Rules
from lami.core.ids import ResourceId
from lami.core.messages import holder_name, holder_subject
from lami.core.model import (
    Absent,
    Acceptance,
    Book,
    Carrier,
    Decision,
    Grant,
    Heard,
    Present,
    PrincipalState,
    RoleAssignment,
)
from lami.core.stimuli import Accepted, Carries, Stimulus, Taken, Told, seen_as
from lami.errors import Permanent


class Sight(Struct, frozen=True):
    """What was seen for a decision: single looks by assignment, or a whole listing of the principal's grants.

    `complete` are the subscriptions that the listing covers; a grant held there and not listed is missing.
    """

    looks: Sequence[tuple[ResourceId, Present[RoleAssignment] | Absent]] = ()
    complete: frozenset[str] = frozenset()


def decide_principal(
    book: Book, stimulus: Stimulus, sight: Sight, rules: Rules, now: datetime
) -> Decision | None:
    """The decision, or None where a message is older than what the book has."""
    state = book.state
    if not isinstance(state, PrincipalState):
        raise TypeError(f"{book.subject} has no principal's book")
    draft = Draft(book, stimulus.cause, rules, now, stimulus.gate, seen_as(stimulus))
    after: PrincipalState | None = state
    if isinstance(stimulus, Carries):
        after = _carries(state, stimulus, draft)
    elif isinstance(stimulus, Accepted):
        after = _accepted(state, stimulus, draft)
    if after is None:
        return None
    draft.looked = bool(sight.complete)  # One assignment says nothing of the others.
    heard = after
    after = _see(heard, stimulus, sight, draft)
    taking = isinstance(stimulus, Taken) and (book.version == 0 or bool(stimulus.reason))
    if isinstance(stimulus, Taken) and stimulus.reason:
        _taken_anew(stimulus, draft)
    after = _fold(after, taking, draft)
    _spread(state, heard, after, stimulus, draft)
    return draft.seal(after)


# --- looks -----------------------------------------------------------------------------------------


def _see(state: PrincipalState, stimulus: Stimulus, sight: Sight, draft: Draft) -> PrincipalState:
    grants, heard = dict(state.grants), dict(state.heard)
    type = state.type
    for id, look in [*sight.looks, *_unlisted(state, sight, draft.rules.watched)]:
        held = grants.get(id.key) or heard.get(id.key)
        told = _told(stimulus, id, draft)
        own = look
        if isinstance(look, Present):
            if look.state.principal != draft.book.subject.key:
                own, told = Absent(), _reused(held, look.state, told)
                if held is None and told is None and isinstance(stimulus, Told):
                    # It is known to have been ours, and is not (yet) where this look shows it: look again.
                    draft.look_later(None, id.text)
            else:
                type = look.state.principal_type or type
        new = _grant(held, id, own, told, stimulus, draft)
        if isinstance(new, Grant):
            grants[id.key] = new
            heard.pop(id.key, None)
        elif new is not None:
            heard[id.key] = new
    return replace(state, grants=grants, heard=heard if heard != state.heard else state.heard, type=type)


def _unlisted(
    state: PrincipalState, sight: Sight, watched: frozenset[str]
) -> Iterable[tuple[ResourceId, Absent]]:
    """The grants held as present that a complete listing of their subscription does not show.

    A grant above all subscriptions shows only in those below it, and which those are its scope does not tell.
    It is missing where none of those watched shows it.
    """
    if not sight.complete:
        return
    listed = {id.key for id, _ in sight.looks}
    for key, grant in sorted(state.grants.items()):
        where = grant.access.scope.subscription
        covered = where in sight.complete if where else sight.complete >= watched
        if grant.present and key not in listed and covered:
            yield grant.id, Absent()


def _reused(
    held: Grant | Heard | None, shown: RoleAssignment, told: belief.Told | None
) -> belief.Told | None:
    """What is told of our assignment by a look that shows another principal's under the same name.

    If theirs is newer than ours, ours is gone. If theirs is older than the write that was told, that write
    does not show yet, and may be ours. Otherwise the write was theirs, and nothing is told of ours.
    """
    theirs = shown.created or shown.changed
    if theirs is None:
        return None
    if isinstance(held, Grant) and held.present:
        return belief.Told(theirs, deletes=True) if theirs > held.newest else None
    unseen = told is not None and not told.deletes and theirs < told.at - belief.SKEW
    return told if unseen else None


def _grant(
    held: Grant | Heard | None,
    id: ResourceId,
    look: Present[RoleAssignment] | Absent,
    told: belief.Told | None,
    stimulus: Stimulus,
    draft: Draft,
) -> Grant | Heard | None:
    """What is to be held of an assignment from now on; None where it is nothing."""
    memory, patience = _memory(held), draft.rules.patience
    if isinstance(look, Absent):
        verdict = belief.absent(memory, told, draft.now, patience)
        newest = belief.latest(memory.newest, told.at if told else None)
        if not verdict.believe:
            draft.doubted(f"Azure may show the past: {id.name} is not there (yet)", newest, id.text)
            return _heard_of(held, newest)
        if verdict.later:
            draft.look_later(newest, id.text)
        return _taken_away(held, newest, told, stimulus, draft)
    shown = look.state
    at = shown.changed or shown.created
    known = held if isinstance(held, Grant) else None
    new = _as_grant(
        shown, known, belief.latest(memory.newest, told.at if told else None, at) or draft.now, draft
    )
    news = known is None or not known.present
    news = news or (known is not None and (known.access, known.created) != (new.access, new.created))
    verdict = belief.present(memory, told, at, news, draft.now, patience)
    if not verdict.believe:
        newest = belief.latest(memory.newest, told.at if told else None)
        draft.doubted(f"Azure may show the past: {id.name} is still as it was", newest, id.text)
        return _heard_of(held, newest)
    if verdict.later:
        draft.look_later(new.newest, id.text)
    if news:
        draft.observed.add(new.access.scope.subscription)
        draft.found_out(at, memory.newest, new.access.scope.subscription)
        draft.say(
            "observed",
            f"{draft.name} was granted {naming.access(new.role_name, new.access)}{_made_by(new, draft)}",
            before=_words(known, draft) if known is not None and known.present else None,
            after=_words(new, draft),
        )
    elif told is not None:
        what = "was deleted before it was made again" if told.deletes else "was written again"
        draft.say(
            "observed",
            f"{draft.name}: {naming.access(new.role_name, new.access)} {what}; nothing changed",
            after=_words(new, draft),
        )
    return new


def _memory(held: Grant | Heard | None) -> belief.Memory:
    if held is None:
        return belief.Memory()
    if isinstance(held, Heard):
        return belief.Memory(held.newest, gone_at=held.newest if held.gone else None)
    return belief.Memory(held.newest, held.changed, None if held.present else held.newest, held.present)


def _heard_of(held: Grant | Heard | None, newest: datetime | None) -> Grant | Heard | None:
    """Nothing was believed; but that something newer was told is remembered."""
    if newest is None:
        return held
    return Heard(newest, gone=False) if held is None else replace(held, newest=newest)


def _taken_away(
    held: Grant | Heard | None,
    newest: datetime | None,
    told: belief.Told | None,
    stimulus: Stimulus,
    draft: Draft,
) -> Grant | Heard | None:
    at = newest or draft.now
    if not isinstance(held, Grant):
        return Heard(at, gone=True) if held is not None or told is not None else None
    if held.present:
        what, made_by = naming.access(held.role_name, held.access), _made_by(held, draft)
        draft.observed.add(held.access.scope.subscription)
        draft.say(
            "observed",
            f"{what}{made_by}{',' if made_by else ''} was taken from {draft.name}",
            before=_words(held, draft),
        )
    return replace(held, present=False, newest=max(held.newest, at), cause=stimulus.cause, tolerated=False)


def _as_grant(shown: RoleAssignment, held: Grant | None, newest: datetime, draft: Draft) -> Grant:
    powers, readable = roles.judge(shown.role, shown.access.condition)
    same = held is not None and held.present
    same = same and held is not None and (held.created, held.access) == (shown.created, shown.access)
    return Grant(
        id=shown.id,
        access=shown.access,
        role_name=shown.role.name,
        powers=powers,
        readable=readable,
        present=True,
        newest=newest,
        created=shown.created,
        changed=shown.changed,
        created_by=shown.created_by,
        cause=held.cause if held is not None and same else draft.cause,
        tolerated=held.tolerated if held is not None and same else False,
    )


def _told(stimulus: Stimulus, id: ResourceId, draft: Draft) -> belief.Told | None:
    if not isinstance(stimulus, Told) or stimulus.change.resource != id:
        return None
    return belief.Told(min(stimulus.change.time, draft.now), stimulus.change.deletes)


# --- messages and operators ------------------------------------------------------------------------


def _carries(state: PrincipalState, said: Carries, draft: Draft) -> PrincipalState | None:
    before = state.carriers.get(said.holder.key)
    if before is not None and said.version <= before.version:
        return None
    turned = before is None or before.carries != said.carries
    carrier = Carrier(
        holder=said.holder,
        kind=said.kind,
        owner=said.owner,
        carries=said.carries,
        since=draft.now if before is None or turned else before.since,
        cause=said.cause if before is None or turned else before.cause,
        version=said.version,
        apps=said.apps,
    )
    after = replace(state, carriers={**state.carriers, said.holder.key: carrier})
    if turned:
        verb = "is carried by" if said.carries else "was shed by"
        who = f"principal {naming.short(draft.book.subject.key)}"
        draft.say(
            "observed",
            f"{who} {verb} {holder_name(said.holder)}",
            after={"principalId": draft.book.subject.key},
        )
        draft.tell("grants", holder_subject(said.holder))
    if not said.carries:
        return after
    merged, changed = terms.merge(after.terms, said.terms)
    if changed:
        for key, other in after.carriers.items():
            if key != said.holder.key:
                draft.tell("grants", holder_subject(other.holder))
    return replace(after, terms=merged)


def _accepted(state: PrincipalState, stimulus: Accepted, draft: Draft) -> PrincipalState:
    finding = draft.book.findings.get(stimulus.finding)
    if finding is None:
        raise Permanent(f"{stimulus.finding} is not open (any longer); see `lami findings list`")
    draft.accept(finding, Acceptance(stimulus.by, stimulus.reason, draft.now, stimulus.until))
    if stimulus.until is not None:
        return state
    key = ResourceId(finding.detail["assignmentId"]).key
    grant = state.grants[key]
    if finding.rule == "orphaned-assignment":
        return replace(state, grants={**state.grants, key: replace(grant, tolerated=True)})
    return replace(state, terms=terms.accept(state.terms, grant.access, grant.role_name))


def _taken_anew(stimulus: Taken, draft: Draft) -> None:
    """What is broad is accepted with the baseline; what is orphaned never belongs to one."""
    acceptance = Acceptance(stimulus.cause.actor.name, stimulus.reason, draft.now)
    for finding in draft.book.findings.values():
        if finding.rule == "broad-grant":
            draft.accept(finding, acceptance)


# --- what follows ----------------------------------------------------------------------------------


def _fold(state: PrincipalState, everything: bool, draft: Draft) -> PrincipalState:
    """Take into the baseline what nobody objects to; all of it where the baseline is being taken."""
    if state.shed:
        return state
    if not state.carriers and not everything and draft.rules.policy.new_grants == "alert":
        return state  # Who carries it may be told next, and then each grant is to be judged.
    left_out = automation.temporary if everything else automation.passing
    new = [
        grant
        for _, grant in sorted(state.grants.items())
        if grant.present and not state.expects(grant.access) and not left_out(grant, draft.rules.policy)
    ]
    held = _held(state, draft) if new and not everything else set()
    folded = state.terms
    for grant in new:
        if grant.access.key not in held:
            folded = terms.accept(folded, grant.access, grant.role_name)
    return state if folded is state.terms else replace(state, terms=folded)


def _held(state: PrincipalState, draft: Draft) -> set[str]:
    """The access that a detector objects to, whomever the policy watches."""
    book, policy = replace(draft.book, state=state), replace(draft.rules.policy, watch_principals="all")
    return {found.holds for detector in draft.rules.detectors for found in detector.detect(book, policy)}


def _spread(
    before: PrincipalState, heard: PrincipalState, after: PrincipalState, stimulus: Stimulus, draft: Draft
) -> None:
    """Tell every holder ever known of what is granted or accepted now, where that changed here.

    The holder that spoke knows what it said: it is only told what goes beyond that (`heard`).
    """
    sender = stimulus.holder.key if isinstance(stimulus, Carries) else ""
    gone_or_new = _present(before) != _present(after)
    for key, carrier in after.carriers.items():
        known = heard.terms if key == sender else before.terms
        if gone_or_new or known != after.terms:
            draft.tell("grants", holder_subject(carrier.holder))


def _present(state: PrincipalState) -> set[tuple[str, str]]:
    return {(key, grant.access.key) for key, grant in state.grants.items() if grant.present}


def _made_by(grant: Grant, draft: Draft) -> str:
    return automation.said(grant, draft.rules.policy)


def _words(grant: Grant, draft: Draft) -> Mapping[str, str]:
    made_by = automation.maker(grant, draft.rules.policy)
    return {
        "principalId": draft.book.subject.key,
        "roleName": grant.role_name,
        "roleDefinitionId": grant.access.role,
        "scope": grant.access.scope.text,
        "condition": grant.access.condition,
        "assignmentId": grant.id.text,
        "createdBy": grant.created_by,
        "automation": made_by.name if made_by else "",
    }
