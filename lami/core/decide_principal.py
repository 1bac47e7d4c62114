"""What one stimulus does to the book of a principal: which grants it has, and which of them are accepted.

The rules:

- What is believed of a look (`lami.core.belief`) replaces the grant that was held. A grant that is gone
  is kept as absent, so that a late look cannot bring it back.
- An assignment that shows another principal is not this principal's: names can be used again.
- A present grant that nobody objects to is *folded*: expected from now on, with an entry. Nothing is folded
  while the principal is shed; what it holds then is left behind. What automation made for a while, or
  broadly, is not folded either (`lami.core.automation`), though nobody objects.
- Taking the baseline folds all that a principal never seen holds, however broad. So does word of a holder
  that is taken: the principal itself could not be read when its turn was.
- What a holder that carries this principal expects of it is accepted here.
- Of an assignment whose condition is changed in place it is remembered which access the baseline expected
  of it. Deleted and made again it is another assignment.
- Holders are told what is granted now, and apart from it everything ever accepted, whenever either changes.
- What the directory says of it is held beside that (`lami.core.directory`). It changes nothing of who carries
  it: that is Azure Resource Manager's to say, and whoever it shows carried anew is alive until the directory
  says otherwise again. Nothing is folded while a principal is gone and nobody carries it.
- The book of a custom role is told where this principal holds it.
- Accepting a `broad-grant` makes its access expected; accepting a `condition-weakened` makes it expected in
  the place of what the assignment gave before. Accepting an `orphaned-assignment` tolerates that one
  assignment, and no later one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from lami.core import automation, belief, digests, directory, naming, roles, terms
from lami.core.draft import Draft, Rules
from lami.core.ids import ResourceId
from lami.core.messages import holder_subject, own_roles
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
    Subject,
    Term,
)
from lami.core.persisting import TAKING
from lami.core.stimuli import Accepted, Carries, DirectorySaid, Stimulus, Taken, Told, seen_as


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
    # An event says nothing itself: what it makes lami look at does.
    heard = state if isinstance(stimulus, Told) else _said(state, stimulus, draft)
    if heard is None:
        return None
    draft.looked = bool(sight.complete)  # One assignment says nothing of the others.
    after = _see(heard, stimulus, sight, draft)
    if isinstance(stimulus, Taken) and stimulus.reason:
        after = _taken_anew(after, stimulus, draft)
    after = _fold(after, _taking(book, stimulus), draft)
    _spread(state, heard, after, stimulus, draft)
    return draft.seal(after)


def _taking(book: Book, stimulus: Stimulus) -> bool:
    """Whether all that stands belongs to the baseline, however broad."""
    if isinstance(stimulus, Taken):
        return book.version == 0 or bool(stimulus.reason)
    return isinstance(stimulus, Carries) and book.version == 0 and stimulus.cause.operation == TAKING


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
        new = _grant(held, id, own, told, stimulus, state.terms, draft)
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
    expected: Mapping[str, Term],
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
    newest = belief.latest(memory.newest, told.at if told else None, at) or draft.now
    new = _as_grant(shown, known, newest, expected, draft)
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
        what = naming.access(new.role_name, new.access)
        in_place = known is not None and _in_place(known, shown)
        draft.say(
            "observed",
            f"{draft.name}: {what}: its condition is another now"
            if in_place
            else f"{draft.name} was granted {what}{_made_by(new, draft)}",
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
    what = naming.access(held.role_name, held.access)
    if not held.present and told is not None and told.deletes:
        # Seen before it was told, when nobody knew whose deed it was; or another's, who had its name since.
        draft.say("observed", f"{draft.name}: a delete of {what} was told; it was gone", _words(held, draft))
    if held.present:
        if told is None or not told.deletes:
            # No delete says when it went: it is seen to be gone now. Else a replica that still lags could
            # show it again to the next look, as something that is no older than what was told.
            at = draft.now
        made_by = _made_by(held, draft)
        draft.observed.add(held.access.scope.subscription)
        draft.say(
            "observed",
            f"{what}{made_by}{',' if made_by else ''} was taken from {draft.name}",
            before=_words(held, draft),
        )
    return replace(held, present=False, newest=max(held.newest, at), cause=stimulus.cause, tolerated=False)


def _in_place(held: Grant, shown: RoleAssignment) -> bool:
    """Whether this is the assignment that was held, with another condition: all that Azure lets change."""
    return held.present and held.created == shown.created and held.access != shown.access


def _as_grant(
    shown: RoleAssignment, held: Grant | None, newest: datetime, expected: Mapping[str, Term], draft: Draft
) -> Grant:
    powers, readable = roles.judge(shown.role, shown.access.condition)
    unconditional = roles.judge(shown.role, "")[0] if shown.access.condition else powers
    same = held is not None and held.present
    same = same and held is not None and (held.created, held.access) == (shown.created, shown.access)
    was, access = None, shown.access
    if held is not None and same:
        was = held.was
        if not access.scope.called and held.access.scope.called:
            access = held.access  # That its name could not be read is no change.
    elif held is not None and _in_place(held, shown):
        was = held.access if terms.expects(expected, held.access) else held.was
    return Grant(
        id=shown.id,
        access=access,
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
        was=was if was != shown.access else None,
        unconditional=unconditional if unconditional != powers else (),
        custom=shown.role.custom if readable else held is not None and held.custom,
    )


def _told(stimulus: Stimulus, id: ResourceId, draft: Draft) -> belief.Told | None:
    if not isinstance(stimulus, Told) or stimulus.change.resource != id:
        return None
    return belief.Told(min(stimulus.change.time, draft.now), stimulus.change.deletes)


# --- messages and operators ------------------------------------------------------------------------


def _said(state: PrincipalState, stimulus: Stimulus, draft: Draft) -> PrincipalState | None:
    """The state with what a book, an operator or the directory said; None where it has something newer."""
    if isinstance(stimulus, Carries):
        return _carries(state, stimulus, draft)
    if isinstance(stimulus, Accepted):
        return _accepted(state, stimulus, draft)
    if isinstance(stimulus, DirectorySaid):
        return _stands(state, stimulus, draft)
    return state


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
            f"{who} {verb} {naming.holder_name(said.holder)}",
            after={"principalId": draft.book.subject.key},
        )
        draft.tell("grants", holder_subject(said.holder))
    if turned and said.carries and state.standing is not None:
        # Whom Azure gives to a holder lives, whatever was said before: a restored identity does.
        draft.observed.add(digests.DIRECTORY)
        after = replace(after, standing=None)
    if not said.carries:
        return after
    merged, changed = terms.merge(after.terms, said.terms)
    if changed:
        for key, other in after.carriers.items():
            if key != said.holder.key:
                draft.tell("grants", holder_subject(other.holder))
    return replace(after, terms=merged)


def _stands(state: PrincipalState, stimulus: DirectorySaid, draft: Draft) -> PrincipalState | None:
    said = stimulus.said.get(draft.book.subject.key)
    if said is None:
        return None
    new = directory.stands(state.standing, said, stimulus.at, stimulus.cause)
    if new is None:
        return None
    before = state.standing.said if state.standing is not None else ""
    if new.said != before:
        draft.observed.add(digests.DIRECTORY)
        key = {"principalId": draft.book.subject.key}
        names = naming.carrier_names(state)
        of = f" (of {naming.listed(names)})" if names else ""
        who = f"{state.type or 'principal'} {naming.short(draft.book.subject.key)}{of}"
        draft.say(
            "observed",
            f"{who} {_STANDS[new.said]}",
            {**key, "directory": before},
            {**key, "directory": new.said},
        )
    return replace(state, standing=new)


_STANDS = {
    "alive": "is in Entra ID after all",
    "deleted": "was deleted in Entra ID, and can be restored there for 30 days",
    "denied": "is not in Entra ID, nor among what was deleted there; it is asked about once more",
    "gone": "no longer exists in Entra ID",
}


def _accepted(state: PrincipalState, stimulus: Accepted, draft: Draft) -> PrincipalState:
    finding = draft.accepted(stimulus)
    if stimulus.until is not None:
        return state
    key = ResourceId(finding.detail["assignmentId"]).key
    grant = state.grants[key]
    if finding.rule == "condition-weakened":
        return _moved(state, grant)
    if finding.rule == "orphaned-assignment":
        return replace(state, grants={**state.grants, key: replace(grant, tolerated=True)})
    return replace(state, terms=terms.accept(state.terms, grant.access, grant.role_name))


def _moved(state: PrincipalState, grant: Grant) -> PrincipalState:
    """The state with what an assignment gives now expected, and no longer what it gave before."""
    held = [one.access for one in state.grants.values() if one.present]
    return replace(state, terms=terms.move(state.terms, grant, held))


def _taken_anew(state: PrincipalState, stimulus: Taken, draft: Draft) -> PrincipalState:
    """What is broad is accepted with the baseline; what is orphaned never belongs to one."""
    acceptance = Acceptance(stimulus.cause.actor.name, stimulus.reason, draft.now)
    for finding in draft.book.findings.values():
        if finding.rule in ("broad-grant", "condition-weakened"):
            draft.accept(finding, acceptance)
    for _, grant in sorted(state.grants.items()):
        if terms.weakened(state.terms, grant) is not None:
            state = _moved(state, grant)
    return state


# --- what follows ----------------------------------------------------------------------------------


def _fold(state: PrincipalState, everything: bool, draft: Draft) -> PrincipalState:
    """Take into the baseline what nobody objects to; all of it where the baseline is being taken."""
    if state.shed or (state.gone and not state.carriers):
        return state
    if not state.carriers and not everything and draft.rules.policy.new_grants == "alert":
        return state  # Who carries it may be told next, and then each grant is to be judged.
    left_out = automation.temporary if everything else automation.passing
    while True:
        new = [
            grant
            for _, grant in sorted(state.grants.items())
            if grant.present and not state.expects(grant.access) and not left_out(grant, draft.rules.policy)
        ]
        held = _held(state, draft) if new and not everything else set()
        folded = [grant for grant in new if grant.access.key not in held]
        expected = state.terms
        for grant in folded:
            expected = terms.accept(expected, grant.access, grant.role_name)
        if not folded:
            return state
        state = replace(state, terms=expected)
        # What is expected now may allow what was objected to: under a narrower condition it is less.
        if len(folded) == len(new) or not any(grant.access.condition for grant in new):
            return state


def _held(state: PrincipalState, draft: Draft) -> set[str]:
    """The access that a detector objects to, whomever the policy watches."""
    book, policy = replace(draft.book, state=state), replace(draft.rules.policy, watch_principals="all")
    return {found.holds for found in draft.rules.drift(book, policy)}


def _spread(
    before: PrincipalState, heard: PrincipalState, after: PrincipalState, stimulus: Stimulus, draft: Draft
) -> None:
    """Tell every holder ever known of what is granted or accepted now, where that changed here; and the books
    of custom roles whether it holds them.

    The holder that spoke knows what it said: it is only told what goes beyond that (`heard`).
    """
    sender = stimulus.holder.key if isinstance(stimulus, Carries) else ""
    turned = _turned(before.grants, after.grants)
    for key, carrier in after.carriers.items():
        known = heard.terms if key == sender else before.terms
        if turned or known != after.terms:
            draft.tell("grants", holder_subject(carrier.holder))

    # What is told of a custom role: the name of who holds it comes with who carries it.
    was, now = (own_roles(state, draft.book.subject.key) for state in (before, after))
    for role in sorted(was.keys() | now.keys()):
        if was.get(role) != now.get(role):
            draft.tell("holds", Subject("role", role))


def _turned(before: Mapping[str, Grant], after: Mapping[str, Grant]) -> bool:
    """Whether anything changed that holders are told of the grants, but for the names of roles."""
    keys = before.keys() | after.keys()
    return any(
        _as_told(before.get(key)) != _as_told(after.get(key))
        for key in keys
        if before.get(key) is not after.get(key)
    )


def _as_told(grant: Grant | None) -> tuple[object, ...] | None:
    """What is told of one grant; None where it is not there.

    Since when one is there matters only where it can do something: what is made anew day by day is narrow.
    """
    if grant is None or not grant.present:
        return None
    return grant.access.key, grant.powers, grant.created if grant.powers else None


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
