"""What one stimulus does to the book of an identity holder: a logic app, a slot or a user-assigned identity.

The rules:

- A holder first seen becomes its own baseline, with an entry. Of an app that comes after the baseline it is
  remembered which user-assigned identities it came with: what they reach may be worth a finding.
- What is believed of a look (`lami.core.belief`) replaces what was observed. A principal newly carried, and
  one shed, are told so; so is an identity newly attached or detached.
- What a principal says it is granted is held as it was last said. What it accepted becomes expected here,
  also where it has been shed: its successor will need it.
- An expected access is *missing* from the moment that all present principals have been heard and none of
  them is granted it. A principal that has not been heard yet lacks nothing: not known is not absent.
- How many runs of a workflow have failed is noted while access is missing, as it was counted when somebody
  looked; where nobody could count, the last count stands.
- An identity that is on for nothing is noted (`lami.core.ungranted`), and one that is carried across borders
  (`lami.core.sharing`): what stood when the baseline was taken is no news, what is accepted is expected.
- What its workflow definition shows (`lami.core.posture`) is replaced by a look that is believed. Accepting
  a finding on it makes the places that the finding names expected.
- Accepting an `identity-churn` moves the baseline to the identities observed. Accepting a `missing-grant`
  withdraws the access, here and in the books of the principals carried.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from msgspec.structs import replace

from lami.core import belief, churn, naming, persisting, posture, sharing, terms, ungranted
from lami.core.draft import Draft, Rules
from lami.core.ids import ResourceId, is_standard, type_of
from lami.core.messages import carried, holder_subject
from lami.core.model import (
    Absent,
    Acceptance,
    Arrived,
    Book,
    Carried,
    Decision,
    FailedRuns,
    Granted,
    HolderState,
    IdentityHolder,
    IdentityNews,
    Part,
    Present,
    Subject,
    Term,
    User,
)
from lami.core.stimuli import Accepted, Attaches, Grants, IdentityIs, Stimulus, Taken, Told, seen_as

_OF_FILES = ("deployworkflowartifacts/action", "slotsswap/action")
"""Operations on the files of a Standard app. The app's own time of change says nothing of them."""
# Assumption: an event tells of each; and its runtime may show the new files only some time later.
_VERBS = {
    "write": "was written",
    "delete": "was deleted",
    "deployworkflowartifacts/action": "was given workflows",
    "slotsswap/action": "was swapped with another slot",
    "enable/action": "was enabled",
    "disable/action": "was disabled",
    "federatedidentitycredentials/write": "was given a federated credential: who holds it can act as it",
    "federatedidentitycredentials/delete": "lost a federated credential",
}


def decide_holder(
    book: Book,
    stimulus: Stimulus,
    look: Present[IdentityHolder] | Absent | None,
    rules: Rules,
    now: datetime,
    failed_runs: FailedRuns | None = None,
) -> Decision | None:
    """The decision, or None where a message is older than what the book has.

    `look` where one was needed; `failed_runs` where they were counted.
    """
    state = book.state
    if not isinstance(state, HolderState):
        raise TypeError(f"{book.subject} has no holder's book")
    draft = Draft(book, stimulus.cause, rules, now, stimulus.gate, seen_as(stimulus))
    # An event says nothing itself: what it makes lami look at does.
    after = state if isinstance(stimulus, Told) else _said(state, stimulus, draft)
    if after is None:
        return None
    if look is not None:
        # An event is of the app, and says nothing of its grants.
        draft.looked = not isinstance(stimulus, Told)
        after = _see(after, stimulus, look, draft)
    carries = carried(after, rules.watched)
    after = _turns(state, after, carries, draft)
    said = [after.granted[principal] for principal in carries]
    after = _failing(_missing(after, said, draft), failed_runs)
    after = ungranted.judged(after, said, draft.cause, now)
    return draft.seal(sharing.judged(after, draft.cause, now))


# --- looks -----------------------------------------------------------------------------------------


def _see(
    state: HolderState, stimulus: Stimulus, look: Present[IdentityHolder] | Absent, draft: Draft
) -> HolderState:
    of_files = _of_files(stimulus)
    told = None if of_files else _told(stimulus, draft)
    memory = belief.Memory(state.newest, state.seen, state.gone_at, state.present)
    has, shown = Carried(), None
    patience = draft.rules.patience
    if isinstance(look, Present):
        has, shown = _identities(look.state), look.state.changed or look.state.created
        news = not state.present or has != state.observed
        news = news or look.state.created != state.created
        news = news or look.state.definition not in (None, state.posture.shown)
        shed = look.state.system in state.granted and look.state.system != state.observed.system
        verdict = belief.present(memory, told, shown, news, draft.now, patience, returns=shed)
    else:
        verdict = belief.absent(memory, told, draft.now, patience)
    newest = belief.latest(state.newest, told.at if told else None, shown)
    if _deleted(state, told):
        state = replace(state, deleted_since=True)
    if not verdict.believe:
        what = "is still there" if isinstance(look, Present) else "is not there yet"
        draft.doubted(f"Azure may show the past: {draft.name} {what}", newest, draft.book.subject.id)
        _touched(stimulus, draft, "Azure does not show it yet; lami looks again")
        # Where nothing ever told a time, patience runs from this look on: else it would never pass.
        return replace(state, newest=belief.latest(state.newest, told.at if told else None) or draft.now)
    if verdict.later or of_files:
        draft.look_later(newest, draft.book.subject.id)
    if isinstance(look, Present):
        after = _shown(state, stimulus, look.state, has, draft, newest, shown)
    else:
        after = _gone(state, stimulus, draft, newest)
    if draft.book.version == 0 or _digested(after) != _digested(state):
        subscription = ResourceId(draft.book.subject.id).subscription
        draft.observed.add(subscription)
        if not _files_alone(state, after, draft):
            draft.found_out(shown, state.newest, subscription)
    return after


def _digested(state: HolderState) -> tuple[object, ...]:
    """What `lami.core.digests` makes of it: where none of this changes, nobody is owed a digest."""
    return state.present, state.observed, state.created, state.posture.shown


def _files_alone(before: HolderState, after: HolderState, draft: Draft) -> bool:
    """Whether only workflows of a Standard app changed: files of its site, which no event need tell of."""
    if not before.known or not is_standard(ResourceId(draft.book.subject.id)):
        return False
    return _digested(replace(after, posture=before.posture)) == _digested(before)


def _deleted(state: HolderState, told: belief.Told | None) -> bool:
    """Whether a delete was told that is newer than what the baseline was taken of: an older one is over."""
    if told is None or not told.deletes or not state.known:
        return False
    return state.based is None or told.at > state.based


def _gone(state: HolderState, stimulus: Stimulus, draft: Draft, newest: datetime | None) -> HolderState:
    if state.present:
        draft.say("observed", f"{draft.name} is gone", before=_words(state.observed))
    else:
        _touched(stimulus, draft, "it is not there, and was not")
    after = replace(
        state,
        present=False,
        observed=Carried(),
        newest=newest,
        gone_at=newest or draft.now,
        deleted_since=state.deleted_since or state.known,
    )
    after = posture.gone(state, after)
    if isinstance(stimulus, Taken) and stimulus.reason:
        return _taken_anew(after, stimulus, draft)
    return after


def _shown(
    state: HolderState,
    stimulus: Stimulus,
    shown: IdentityHolder,
    has: Carried,
    draft: Draft,
    newest: datetime | None,
    at: datetime | None,
) -> HolderState:
    policy = draft.rules.policy
    # The name of a tag may be written in any case.
    tags = {name.lower(): value for name, value in shown.tags.items()}
    after = replace(
        state,
        kind=shown.kind,
        known=True,
        present=True,
        newest=newest,
        seen=belief.latest(state.seen, at),
        created=shown.created,
        gone_at=None,
        owner=tags.get(policy.owner_tag.lower(), ""),
        environment=tags.get(policy.environment_tag.lower(), ""),
        oddity=shown.oddity,
        # A principal that was carried before is there again; what is new was never heard of.
        systems=state.systems + (bool(shown.system) and shown.system not in state.granted),
        observed=has,
    )
    after = posture.looked_at(state, after, shown.definition, draft.cause, draft.now)
    if not state.known:
        draft.say(
            "observed", f"{draft.name} is seen for the first time: its baseline", after=_words(after.observed)
        )
        return _arrived(_baselined(after), stimulus, draft)
    if isinstance(stimulus, Taken) and stimulus.reason:
        return _taken_anew(after, stimulus, draft)
    if after.observed != state.observed:
        draft.say(
            "observed",
            f"the identities of {draft.name} changed",
            before=_words(state.observed),
            after=_words(after.observed),
        )
    elif not state.present:
        draft.say("observed", f"{draft.name} is there again", after=_words(after.observed))
    elif after.created != state.created and not isinstance(stimulus, Told):
        what = f"{draft.name} was deleted and created again, and has the identities that it had"
        draft.say("observed", what, after=_words(after.observed))
    else:
        _touched(stimulus, draft, "its identities are unchanged")
    _say_posture(state, after, stimulus, draft)
    return after


def _arrived(state: HolderState, stimulus: Stimulus, draft: Draft) -> HolderState:
    """An app that comes after the baseline, with what it comes with: whoever makes it acts as that."""
    if isinstance(stimulus, Taken) or draft.cause.operation == persisting.TAKING:
        return state
    identities = frozenset(one.identity.key for one in state.observed.attached)
    return replace(state, arrived=Arrived(identities, draft.now, draft.cause)) if identities else state


def _say_posture(before: HolderState, after: HolderState, stimulus: Stimulus, draft: Draft) -> None:
    """A line for what came up or went since the last look at a definition that had been seen.

    What no event told of leaves a line, too, where no rule minds it.
    """
    if before.posture.shown is None or not before.present:
        return
    came, went = posture.difference(before, after)
    another = before.posture.shown != after.posture.shown
    if another and not came and not went and not isinstance(stimulus, Told):
        draft.say("observed", f"the definition of {draft.name} changed, and no rule minds what is new")
    if came:
        draft.say("observed", f"the definition of {draft.name} shows now {_some(came)}")
    if went:
        draft.say("observed", f"the definition of {draft.name} no longer shows {_some(went)}")


def _some(parts: tuple[Part, ...]) -> str:
    more = (f"{len(parts) - 5} more",) if len(parts) > 5 else ()
    return naming.listed((*map(posture.words, parts[:5]), *more))


def _touched(stimulus: Stimulus, draft: Draft, outcome: str) -> None:
    """An event leaves its line even where it changes nothing: who touched the app, and that it held."""
    if isinstance(stimulus, Told):
        verb = stimulus.change.operation.removeprefix(f"{type_of(draft.book.subject.key)}/")
        done = _VERBS.get(verb) or f"was told of ({verb})"
        draft.say("observed", f"{draft.name} {done}; {outcome}")


def _told(stimulus: Stimulus, draft: Draft) -> belief.Told | None:
    if not isinstance(stimulus, Told) or stimulus.change.resource.key != draft.book.subject.key:
        return None
    # An event from the future (forged, or a clock that is off) must not make lami blind to what is older.
    return belief.Told(min(stimulus.change.time, draft.now), stimulus.change.deletes)


def _of_files(stimulus: Stimulus) -> bool:
    return isinstance(stimulus, Told) and stimulus.change.operation.endswith(_OF_FILES)


def _identities(shown: IdentityHolder) -> Carried:
    return Carried(shown.system, tuple(sorted(shown.attached, key=lambda one: one.identity.key)))


def _words(held: Carried) -> Mapping[str, str]:
    return {
        "principalId": held.system,
        "userAssignedIdentities": ", ".join(a.identity.text for a in held.attached),
    }


# --- messages --------------------------------------------------------------------------------------


def _said(state: HolderState, stimulus: Stimulus, draft: Draft) -> HolderState | None:
    """The state with what another book or an operator said; None where that is older than what it has."""
    if isinstance(stimulus, Grants):
        return _grants(state, stimulus, draft)
    if isinstance(stimulus, Attaches):
        return _attaches(state, stimulus, draft)
    if isinstance(stimulus, IdentityIs):
        return _identity_is(state, stimulus)
    if isinstance(stimulus, Accepted):
        return _accepted(state, stimulus, draft)
    return state


def _grants(state: HolderState, said: Grants, draft: Draft) -> HolderState | None:
    before = state.granted.get(said.principal)
    if before is None or said.version <= before.version:
        return None
    merged, changed = terms.merge(state.terms, said.terms)
    granted = {**state.granted, said.principal: Granted(said.version, said.grants)}
    for term in changed:
        verb = "is expected to have" if term.expected else "is no longer expected to have"
        draft.say(
            "observed",
            f"{draft.name} {verb} {naming.access(term.role_name, term.access)}",
            after=_term_words(term, said.principal),
        )
    after = replace(state, granted=granted, terms=merged)
    if changed:
        for principal in carried(after, draft.rules.watched):
            if principal != said.principal:
                draft.tell("carries", Subject("principal", principal))
    if before.version == 0 or before.grants != said.grants:
        _tell_users(after, draft)
    return after


def _attaches(state: HolderState, said: Attaches, draft: Draft) -> HolderState | None:
    before = state.users.get(said.app.key)
    if before is not None and said.version <= before.version:
        return None
    after = replace(
        state,
        users={**state.users, said.app.key: User(said.app, said.version, said.attaches, said.environment)},
    )
    if before is None or before.attaches != said.attaches:
        verb = "uses" if said.attaches else "no longer uses"
        draft.say("observed", f"{naming.holder_name(said.app)} {verb} {draft.name}")
        draft.tell("identity", holder_subject(said.app))
        for principal in carried(after, draft.rules.watched):
            draft.tell("carries", Subject("principal", principal))
    return after


def _identity_is(state: HolderState, said: IdentityIs) -> HolderState | None:
    before = state.identities.get(said.identity.key)
    if before is not None and said.version <= before.version:
        return None
    news = IdentityNews(said.version, said.principal, said.grants, said.heard)
    return replace(state, identities={**state.identities, said.identity.key: news})


def _tell_users(state: HolderState, draft: Draft) -> None:
    for user in state.users.values():
        draft.tell("identity", holder_subject(user.app))


# --- operators -------------------------------------------------------------------------------------


def _accepted(state: HolderState, stimulus: Accepted, draft: Draft) -> HolderState:
    finding = draft.accepted(stimulus)
    if stimulus.until is not None:
        return state
    if finding.rule == "identity-churn" and finding.key.startswith(churn.ARRIVED):
        return replace(state, arrived=None)
    if finding.rule == "identity-churn":
        return _baselined(state)
    if finding.rule == ungranted.RULE:
        return replace(state, ungranted=persisting.accept(state.ungranted))
    if finding.rule == sharing.RULE:
        return replace(state, shared=persisting.accept(state.shared))
    if finding.rule in posture.RULES:
        return posture.accept(state, finding.places)
    key = finding.key.split("|")[0]
    for principal in carried(state, draft.rules.watched):
        draft.tell("carries", Subject("principal", principal))
    return replace(state, terms=terms.withdraw(state.terms, key))


def _taken_anew(state: HolderState, stimulus: Taken, draft: Draft) -> HolderState:
    """The baseline is taken over what was held: identities as they are, what is missing withdrawn."""
    acceptance = Acceptance(stimulus.cause.actor.name, stimulus.reason, draft.now)
    for finding in draft.book.findings.values():
        draft.accept(finding, acceptance)
    expected = state.terms
    for key, term in state.terms.items():
        if term.missing_since is not None:
            expected = terms.withdraw(expected, key)
    if expected != state.terms:
        for principal in carried(state, draft.rules.watched):
            draft.tell("carries", Subject("principal", principal))
    draft.say("accepted", f"the baseline was taken anew: {stimulus.reason}", after=_words(state.observed))
    after = replace(
        state,
        terms=expected,
        arrived=None,
        ungranted=persisting.accept(state.ungranted),
        shared=persisting.accept(state.shared),
    )
    return posture.accept_all(_baselined(after))


def _baselined(state: HolderState) -> HolderState:
    """The baseline moved to what is observed."""
    return replace(state, baseline=state.observed, born=state.created, based=state.seen, deleted_since=False)


# --- what follows ----------------------------------------------------------------------------------


def _turns(before: HolderState, state: HolderState, carries: tuple[str, ...], draft: Draft) -> HolderState:
    """Tell whoever was taken up or shed, and remember when and why the identities last changed."""
    changed = before.observed != state.observed
    if changed:
        _tell_turned(before, state, carries, draft)
        _tell_users(state, draft)
    if state.environment != before.environment and before.known:
        _tell_identities((each.identity for each in state.observed.attached), draft)
    if state.owner != before.owner and before.known:
        for principal in carries:
            draft.tell("carries", Subject("principal", principal))
    taken_up = [principal for principal in carries if principal not in state.granted]
    granted = {**dict.fromkeys(taken_up, Granted(0)), **state.granted} if taken_up else state.granted
    if changed:
        return replace(state, granted=granted, churned_at=draft.now, churn_cause=draft.cause)
    return replace(state, granted=granted) if taken_up else state


def _tell_turned(before: HolderState, state: HolderState, carries: tuple[str, ...], draft: Draft) -> None:
    for principal in sorted({*carried(before, draft.rules.watched)} ^ {*carries}):
        draft.tell("carries", Subject("principal", principal))
    was = {a.identity.key: a.identity for a in before.observed.attached}
    now = {a.identity.key: a.identity for a in state.observed.attached}
    _tell_identities([now.get(key) or was[key] for key in sorted(was.keys() ^ now.keys())], draft)


def _tell_identities(identities: Iterable[ResourceId], draft: Draft) -> None:
    """Tell identities whether they are attached, and what the app is that attaches them."""
    for identity in identities:
        if identity.subscription in draft.rules.watched:
            draft.tell("attached", holder_subject(identity))


def _missing(state: HolderState, said: list[Granted], draft: Draft) -> HolderState:
    """Note since when and because of what each expected access is missing, or that it is not.

    `said` is what each principal that the holder carries last said.
    """
    # One that has not been heard may be granted anything: what its predecessor lacked says nothing of it.
    heard = bool(said) and 0 not in [granted.version for granted in said]
    given = terms.Supply([line.access for granted in said for line in granted.grants])
    missing = given.lacks(state.terms) if heard else set()
    turned = {}
    for key, term in state.terms.items():
        if key in missing and term.missing_since is None:
            turned[key] = replace(term, missing_since=draft.now, missing_cause=draft.cause)
        elif term.missing_since is not None and key not in missing:
            turned[key] = replace(term, missing_since=None, missing_cause=None)
    return replace(state, terms={**state.terms, **turned}) if turned else state


def _failing(state: HolderState, counted: FailedRuns | None) -> HolderState:
    """Note how many runs have failed, as long as something is missing."""
    if missing_since(state) is None:
        return state if state.failed_runs is None else replace(state, failed_runs=None)
    return state if counted is None else replace(state, failed_runs=counted)


def missing_since(state: HolderState) -> datetime | None:
    """Since when the holder has lacked something that is missing now; None where nothing is."""
    missing = [term.missing_since for term in state.terms.values() if term.missing_since]
    return min(missing) if missing else None


def _term_words(term: Term, principal: str) -> Mapping[str, str]:
    return {
        "roleName": term.role_name,
        "roleDefinitionId": term.access.role,
        "scope": term.access.scope.text,
        "condition": term.access.condition,
        "principalId": principal,
    }
