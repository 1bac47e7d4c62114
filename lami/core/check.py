"""Whether what an identity holder needs is in place now: its identities bound, its expected access granted.

The baseline in a book says what is needed; looks of this moment say what is there. Nothing of it is written
down: a pipeline asks before it enables a trigger. That an identity is another one than the baseline expects
is said and is no fault, since a redeploy makes a new one: what counts is that one is bound, and what it has.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Literal

from msgspec import Struct

from lami.core import naming, remedy
from lami.core.ids import ResourceId
from lami.core.messages import principals
from lami.core.model import (
    Absent,
    Access,
    Attached,
    Carried,
    HolderState,
    IdentityHolder,
    Look,
    Present,
    RoleAssignment,
    Severity,
    Term,
    Unknown,
)
from lami.core.naming import holder_name
from lami.core.policy import Policy
from lami.core.terms import Supply

InPlace = Literal["ok", "missing", "unknown"]
Replies = Mapping[tuple[str, str], tuple[RoleAssignment, ...] | Unknown]
"""What a principal is granted in a subscription: as listed now, by both."""


class Need(Struct, frozen=True):
    """One thing that has to be in place, and how it stands.

    `severity` is that of the rule which would find it missing; `remedy` are the `az` commands that would put
    it in place, empty where it is, or where something else comes first. `access` is None but for access.
    """

    holder: ResourceId
    check: Literal["baseline", "identity", "access"]
    status: InPlace
    what: str
    severity: Severity
    principal: str = ""
    access: Access | None = None
    role_name: str = ""
    remedy: tuple[str, ...] = ()


def where(state: HolderState, watched: frozenset[str]) -> tuple[str, ...]:
    """The subscriptions to ask what a principal of this holder is granted: where access is expected.

    What is expected above all subscriptions shows in those below it, and which those are is not known.
    """
    found: set[str] = set()
    for term in _expected(state):
        here = term.access.scope.subscription
        found |= {here} if here else watched
    return tuple(sorted(found))


def givers(shown: IdentityHolder, watched: frozenset[str]) -> tuple[str, ...]:
    """The principals that the holder's expected access is asked of, as `missing-grant` does.

    Where it has none of its own it works with the identities that it attaches.
    """
    own = principals(Carried(shown.system, shown.attached), watched)
    return own or tuple(sorted({each.principal for each in shown.attached} - {""}))


def needs(
    id: ResourceId,
    state: HolderState,
    look: Look[IdentityHolder],
    replies: Replies,
    watched: frozenset[str],
    policy: Policy,
) -> tuple[Need, ...]:
    """What the holder needs of its own. The identities that it attaches have needs of theirs."""
    lines: list[Need] = []
    severity = policy.severity("missing-grant")
    if not state.known:
        text = f"lami holds no baseline of {holder_name(id)} yet: what it should have is not known"
        lines.append(Need(id, "baseline", "unknown", text, severity))
    lines += _identities(id, state, look, policy.severity("identity-churn"))
    for term in _expected(state):
        lines.append(_access(id, state.baseline, term, look, replies, watched, severity))
    return tuple(lines)


# --- identities ------------------------------------------------------------------------------------


def _identities(
    id: ResourceId, state: HolderState, look: Look[IdentityHolder], severity: Severity
) -> Iterator[Need]:
    name = holder_name(id)
    if isinstance(look, Unknown):
        yield Need(id, "identity", "unknown", look.reason, severity)
    elif isinstance(look, Absent):
        identity = id.type.endswith("/userassignedidentities")
        text = f"{name} is not there" if identity else f"{name} is not there, or is no logic app"
        mend = (remedy.create_identity(id),) if identity else ()
        yield Need(id, "identity", "missing", text, severity, remedy=mend)
    else:
        yield from _bound(id, state, look.state, severity)


def _bound(id: ResourceId, state: HolderState, shown: IdentityHolder, severity: Severity) -> Iterator[Need]:
    name, was = holder_name(id), state.baseline
    instead = _in_its_place(id, was, shown)
    its = "its principal" if shown.kind == "userAssignedIdentity" else "its system-assigned identity"
    if shown.system:
        text = f"{name} has {its} {naming.short(shown.system)}"
        if was.system and was.system != shown.system:
            text += f"; it was {naming.short(was.system)} in the baseline"
        yield Need(id, "identity", "ok", text, severity, shown.system)
    elif was.system:
        text = f"{name} lacks {its}"
        mend = (*instead, remedy.assign_system_identity(id))
        yield Need(id, "identity", "missing", text, severity, remedy=mend)
    expected = {each.identity.key: each for each in was.attached}
    attached = {each.identity.key: each for each in shown.attached}
    for key in sorted(expected | attached):
        if key in attached:
            yield _attached(id, attached[key], key in expected, severity)
        else:
            yield _detached(id, expected[key].identity, instead, severity)
    if state.known and not (shown.system or was.system or expected or attached):
        yield Need(id, "identity", "ok", f"{name} has no managed identity, and none is expected", severity)


def _attached(id: ResourceId, now: Attached, expected: bool, severity: Severity) -> Need:
    name, what = holder_name(id), holder_name(now.identity)
    if now.principal:
        text = f"{name} has {what} attached" + ("" if expected else "; the baseline does not expect it")
        return Need(id, "identity", "ok", text, severity, now.principal)
    text = f"{name} has {what} attached, which no longer has a principal: it was deleted"
    mend = (remedy.create_identity(now.identity), remedy.attach_identity(id, now.identity))
    return Need(id, "identity", "missing", text, severity, remedy=mend)


def _detached(id: ResourceId, identity: ResourceId, instead: tuple[str, ...], severity: Severity) -> Need:
    text = f"{holder_name(id)} does not have {holder_name(identity)} attached"
    attach = remedy.attach_identity(id, identity)
    return Need(id, "identity", "missing", text, severity, remedy=(*instead, attach))


def _in_its_place(id: ResourceId, was: Carried, shown: IdentityHolder) -> tuple[str, ...]:
    """Take off what is there in the place of an identity that is not: some apps can have but one."""
    expected = {each.identity.key for each in was.attached}
    own = shown.system and not was.system and shown.kind != "userAssignedIdentity"
    others = (each.identity for each in shown.attached if each.identity.key not in expected)
    return (
        *((remedy.remove_system_identity(id),) if own else ()),
        *(remedy.detach_identity(id, identity) for identity in others),
    )


# --- access ----------------------------------------------------------------------------------------


def _expected(state: HolderState) -> list[Term]:
    terms = (term for term in state.terms.values() if term.expected)
    return sorted(terms, key=lambda term: (term.access.scope.key, term.role_name, term.access.key))


def _access(
    id: ResourceId,
    baseline: Carried,
    term: Term,
    look: Look[IdentityHolder],
    replies: Replies,
    watched: frozenset[str],
    severity: Severity,
) -> Need:
    name, what = holder_name(id), naming.access(term.role_name, term.access)

    def need(status: InPlace, text: str, principal: str = "", mend: Iterable[str] = ()) -> Need:
        return Need(id, "access", status, text, severity, principal, term.access, term.role_name, tuple(mend))

    if isinstance(look, Unknown):
        return need("unknown", f"whether {name} has {what} is not known: it could not be read")
    asked = givers(look.state, watched) if isinstance(look, Present) else ()
    if not asked:
        return need("missing", f"{name} lacks {what}: there is no identity to have it")
    here = term.access.scope.subscription
    unread = ""
    for (principal, subscription), reply in sorted(replies.items(), key=lambda pair: pair[0]):
        if principal not in asked or (here and here != subscription):
            continue
        if isinstance(reply, Unknown):
            unread = unread or reply.reason
        elif Supply([one.access for one in reply]).has(term.access):
            return need("ok", f"{name} has {what}", principal)
    if unread:
        return need("unknown", f"whether {name} has {what} is not known: {unread}")
    heir, first = _heir(baseline, look.state, asked) if isinstance(look, Present) else ("", "")
    if not heir:
        return need("missing", f"{name} lacks {what}: {first} is needed first, to have it")
    mend = remedy.create_assignment(heir, term.access)
    return need("missing", f"{name} lacks {what}: expected, not granted", heir, (mend,))


def _heir(was: Carried, shown: IdentityHolder, asked: tuple[str, ...]) -> tuple[str, str]:
    """The principal to grant what is expected; empty, and what to put in place first, where it is not there.

    An identity that stands in the place of the expected one is no heir: somebody may have put it there.
    """
    if was.system:
        return shown.system, "its system-assigned identity"
    if not was.attached:
        return shown.system or asked[0], ""
    expected = {each.identity.key for each in was.attached}
    present = [each.principal for each in shown.attached if each.identity.key in expected]
    heir = next((principal for principal in present if principal in asked), "")
    return heir, naming.listed([holder_name(each.identity) for each in was.attached])
