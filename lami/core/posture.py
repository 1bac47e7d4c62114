"""What an app's workflow definition shows, judged: which places object to which rule, and which are no news.

A *place* is one part of a definition that a rule objects to, by its key. The rules:

- What stands when the baseline is taken, or when the definition of an app that is held already is first seen,
  is *stood*: listed, and nobody is alerted. So is what an app had when it was deleted, should it come back: a
  redeploy is no news.
- What an operator accepts is *accepted*: no finding, until it is gone and comes back.
- Whatever else comes up is new. So is all that an app shows later which came after the baseline and of which
  nothing could be read then: it counts as one that had nothing.

Source: Microsoft, "Secure access and data for workflows" and "Authenticate access and connections to Azure
resources with managed identities" (Azure Logic Apps).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from msgspec.structs import replace

from lami.core.ids import ResourceId, digest
from lami.core.model import Cause, Definition, HolderState, Part
from lami.core.persisting import TAKING

SECRET_AUTHENTICATION = "secret-authentication"  # noqa: S105 - a rule's name
UNSECURED_SECRET = "unsecured-secret"  # noqa: S105 - a rule's name
DANGLING_IDENTITY = "dangling-identity"
AUDIENCE_MISMATCH = "audience-mismatch"
RULES = (SECRET_AUTHENTICATION, UNSECURED_SECRET, DANGLING_IDENTITY, AUDIENCE_MISMATCH)
SYSTEM = "system"
"""What a part says that refers to the app's own identity."""


def place(part: Part) -> str:
    """The key of a place. An identity that isn't there is one place, however many actions refer to it."""
    return digest(part.kind, "" if part.kind == "identity" else part.where, part.what.lower(), length=12)


def judged(state: HolderState) -> dict[str, tuple[Part, ...]]:
    """The places of each rule as the app is now, the accepted too. An app that is gone has none."""
    shown = state.posture.shown
    if shown is None or not state.present:
        return {}
    found: dict[str, list[Part]] = {}
    for part in shown.parts:
        rule = _rule(part, state)
        if rule:
            found.setdefault(rule, []).append(part)
    return {rule: tuple(parts) for rule, parts in found.items()}


def objected(state: HolderState, rule: str) -> tuple[Part, ...]:
    """The places of one rule that nobody accepted."""
    shown, accepted = state.posture.shown, state.posture.accepted
    if shown is None or not state.present:
        return ()
    mine = (part for part in shown.parts if _rule(part, state) == rule)
    return tuple(part for part in mine if place(part) not in accepted)


def looked_at(
    before: HolderState, after: HolderState, shown: Definition | None, cause: Cause, now: datetime
) -> HolderState:
    """The state after a look that is believed: `after` in all but its posture, with what the look showed.

    A look that shows no definition leaves the one that is held. That of an app which came after the baseline
    is news, whole.
    """
    held = before.posture
    if shown is None and not before.known and cause.operation != TAKING and after.kind == "logicApp":
        shown = Definition()
    if shown is not None and shown != held.shown:
        held = replace(held, shown=shown, since=now, cause=cause)
        after = replace(after, posture=held)
    keys = _keys(judged(after))
    first = before.posture.shown is None and (before.known or cause.operation == TAKING)
    stood = keys if first else held.stood & keys
    return replace(after, posture=replace(held, stood=stood, accepted=held.accepted & keys))


def gone(before: HolderState, after: HolderState) -> HolderState:
    """The state of an app that is gone: what it had is no news when it comes back."""
    held = before.posture
    return replace(after, posture=replace(held, stood=held.stood | _keys(judged(before))))


def accept(state: HolderState, places: Iterable[str]) -> HolderState:
    """The baseline moves to these places."""
    return replace(state, posture=replace(state.posture, accepted=state.posture.accepted.union(places)))


def accept_all(state: HolderState) -> HolderState:
    """The baseline moves to all that stands."""
    return accept(state, _keys(judged(state)))


def difference(before: HolderState, after: HolderState) -> tuple[tuple[Part, ...], tuple[Part, ...]]:
    """The places that are new, and those that are no longer there."""
    was = {place(part): part for parts in judged(before).values() for part in parts}
    now = {place(part): part for parts in judged(after).values() for part in parts}
    return (
        tuple(part for key, part in now.items() if key not in was),
        tuple(part for key, part in was.items() if key not in now),
    )


def words(part: Part) -> str:
    """A place as a person reads it: `action Get_claims: a password (Basic)`."""
    if part.kind != "identity":
        return f"{part.where}: {part.what}"
    if part.what == SYSTEM:
        return f"{part.where}: the app's own identity, which is off"
    return f"{part.where}: {ResourceId(part.what).name}, which is not attached"


def _rule(part: Part, state: HolderState) -> str:
    """The rule that objects to a part, with the identities that the app has now; empty where none does."""
    has = state.observed
    if part.kind == "secret":
        return SECRET_AUTHENTICATION
    if part.kind == "connector":
        return SECRET_AUTHENTICATION if has.system or has.attached else ""
    if part.kind == "unsecured":
        return UNSECURED_SECRET
    if part.kind == "audience":
        return AUDIENCE_MISMATCH
    if part.what == SYSTEM:
        return "" if has.system else DANGLING_IDENTITY
    attached = {one.identity for one in has.attached}
    return "" if ResourceId(part.what) in attached else DANGLING_IDENTITY


def _keys(places: Mapping[str, tuple[Part, ...]]) -> frozenset[str]:
    return frozenset([place(part) for parts in places.values() for part in parts])
