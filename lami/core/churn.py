"""How a holder's identities changed between baseline and now: the kind of change, who went and who came, and
what that strands and lacks. Facts only; `lami.detectors.identity_churn` puts them into words.
"""

from __future__ import annotations

from datetime import datetime

from lami.core.model import Access, Attached, GrantLine, HolderState, Term
from lami.core.terms import Supply

ARRIVED = "arrived"
"""What the key of a finding on an app that came so begins with, where one on a change has a principal."""


def classify(state: HolderState) -> str:
    """How the identities changed, by the names of the public contract; empty where they did not."""
    was, now = state.baseline, state.observed
    if was == now:
        return ""
    if was.system and now.system and was.system != now.system:
        new_resource = state.deleted_since
        if state.created is not None and state.born is not None:
            new_resource = state.created != state.born  # Surer than a delete, which may be told late.
        # A user-assigned identity has one principal for life: another principal is another identity.
        return "recreated" if new_resource or state.kind == "userAssignedIdentity" else "reissued"
    lost = _keys(was.attached) - _keys(now.attached)
    gained = _keys(now.attached) - _keys(was.attached)
    if was.system and not now.system:
        return "replaced" if gained else "removed"
    if lost:
        if not state.present:
            return "removed"
        return "replaced" if gained or (now.system and not was.system) else "detached"
    return "added" if gained or (now.system and not was.system) else ""


def went(state: HolderState) -> tuple[Attached, ...]:
    """The attached identities that the baseline has and the holder no longer."""
    return _beyond(state.baseline.attached, state.observed.attached)


def came(state: HolderState) -> tuple[Attached, ...]:
    """The attached identities that the holder has and its baseline does not."""
    return _beyond(state.observed.attached, state.baseline.attached)


def brought(state: HolderState) -> list[tuple[Attached, GrantLine]]:
    """What the identities that came were granted when they were seen to come, as far as it was heard.

    What is granted to them after that is a grant to an identity that is carried: `broad-grant` speaks of it.
    """
    return _held_by(state, came(state), state.churned_at)


def arrived(state: HolderState) -> tuple[Attached, ...]:
    """The identities that an app came with, after the baseline, and still has; none once that is accepted."""
    if state.arrived is None:
        return ()
    return tuple(a for a in state.observed.attached if a.identity.key in state.arrived.identities)


def arrived_with(state: HolderState) -> list[tuple[Attached, GrantLine]]:
    """What those were granted when the app was first seen, as far as it was heard."""
    return _held_by(state, arrived(state), state.arrived.at) if state.arrived is not None else []


def system_came(state: HolderState) -> bool:
    """Whether the holder has a system identity and had none."""
    return bool(state.observed.system and not state.baseline.system)


def system_went(state: HolderState) -> bool:
    """Whether the holder had a system identity and has none."""
    return bool(state.baseline.system and not state.observed.system)


def previous_principal(state: HolderState) -> str:
    """The principal that went: of the system identity, else of an attached one; empty where none did."""
    was, now = state.baseline.system, state.observed.system
    return _changed(was, now) or next((a.principal for a in went(state)), "")


def new_principal(state: HolderState) -> str:
    """The principal that came: of the system identity, else of an attached one; empty where none did."""
    was, now = state.baseline.system, state.observed.system
    return _changed(now, was) or next((a.principal for a in came(state)), "")


def attached_heir(state: HolderState) -> Attached | None:
    """The one attached identity that came, where there is no system identity to grant to what is missing."""
    new = came(state)
    return new[0] if len(new) == 1 and new[0].principal and not state.observed.system else None


def stranded(state: HolderState) -> list[GrantLine]:
    """What principals that the holder has shed are still granted."""
    return [
        line
        for principal, said in sorted(state.granted.items())
        if principal != state.observed.system
        and principal not in {a.principal for a in state.observed.attached}
        for line in said.grants
    ]


def lacking(state: HolderState) -> list[Term]:
    """The access that was expected of the lost identities and that the present ones don't have.

    Nothing is said while a present principal has not been heard: not known is not lacking.
    """
    now = state.observed
    if not now.system and not now.attached:
        return []
    held: list[Access] = []
    for principal, identity in [(now.system, ""), *((a.principal, a.identity.key) for a in now.attached)]:
        grants = _heard(state, principal, identity)
        if grants is None:
            return []
        held += [line.access for line in grants]
    wanted = {key: term for key, term in state.terms.items() if term.expected}
    for attached in state.baseline.attached:
        news = state.identities.get(attached.identity.key)
        for line in news.grants if news else ():
            wanted.setdefault(line.access.key, Term(line.access, line.role_name))
    return [wanted[key] for key in sorted(Supply(held).lacks(wanted))]


def _held_by(
    state: HolderState, these: tuple[Attached, ...], at: datetime | None
) -> list[tuple[Attached, GrantLine]]:
    return [
        (one, line)
        for one in these
        for line in _heard(state, one.principal, one.identity.key) or ()
        if at is None or line.made is None or line.made < at
    ]


def _heard(state: HolderState, principal: str, identity: str) -> tuple[GrantLine, ...] | None:
    """What a present identity is granted, as it or its principal said; None where neither was heard yet."""
    news = state.identities.get(identity)
    if news is not None and news.heard:
        return news.grants
    if not principal:
        return None if identity else ()
    granted = state.granted.get(principal)
    return granted.grants if granted is not None and granted.version > 0 else None


def _beyond(these: tuple[Attached, ...], those: tuple[Attached, ...]) -> tuple[Attached, ...]:
    keys = _keys(those)
    return tuple(one for one in these if one.identity.key not in keys)


def _changed(system: str, other: str) -> str:
    return system if system != other else ""


def _keys(attached: tuple[Attached, ...]) -> set[str]:
    return {a.identity.key for a in attached}
