"""identity-churn: an identity holder no longer has the identity that its baseline expects.

A logic app that is deleted and created again gets a new principal. What the old one was granted stays
behind, what the new one needs is missing; the finding lists both.

Whoever can change an app acts as each of its identities. So a churn is at least as grave as what the
user-assigned identities that came reach (`[broad]` of the policy). That is heard a moment after the churn
is seen: it is told again where it is graver, and not where it is less grave. Likewise an app that is created
with such an identity, after the baseline, hands what that reaches to whoever made the app.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from lami.core import churn, naming, remedy
from lami.core.ids import ResourceId, digest
from lami.core.messages import apps
from lami.core.model import (
    SEVERITIES,
    Arrived,
    Attached,
    Book,
    Found,
    GrantLine,
    HolderState,
    Severity,
    SubjectKind,
    Term,
)
from lami.core.policy import Policy, worst

RULE = "identity-churn"
ADVISE_FROM = 3
"""From its third system identity on, an app that is recreated is advised to use a user-assigned one."""


class IdentityChurn(Struct, frozen=True):
    """Objects to a holder whose identities differ from its baseline's, or that came with far reach."""

    rule: str = RULE
    judges: SubjectKind = "holder"

    def detect(self, book: Book, policy: Policy) -> Iterator[Found]:
        """At most two findings a holder: from the baseline's identities to the present ones, and on what an
        app came with."""
        state = book.state
        if not isinstance(state, HolderState) or not state.known:
            return
        if change := churn.classify(state):
            yield from _changed(book, state, change, policy)
        if state.arrived is not None:
            yield from _arrived(book, state, state.arrived, policy)


def _changed(book: Book, state: HolderState, change: str, policy: Policy) -> Iterator[Found]:
    if state.churned_at is None or state.churn_cause is None:
        return
    subject = naming.subject_of(book)
    old, new = churn.previous_principal(state), churn.new_principal(state)
    stranded = churn.stranded(state)
    lacking = churn.lacking(state)
    reached = _reached(churn.brought(state), policy)
    # An identity added strands nothing and lacks nothing: worth a line, not a page in the night.
    usual: Severity = "low" if change == "added" else policy.severity(RULE)
    severity = worst(usual, *(one.severity for one in reached))
    told = f"{change}|{state.observed.system}|{_ids(state.observed.attached)}"
    detail = {"change": change, "principalId": new, "previousPrincipalId": old}
    yield Found(
        rule=RULE,
        key=f"{state.baseline.system}|{_ids(state.baseline.attached)}",
        severity=severity,
        subject=subject,
        title=_title(subject.name, change, state, reached, len(stranded), len(lacking)),
        detail={name: value for name, value in detail.items() if value},
        cause=state.churn_cause,
        since=state.churned_at,
        telling=f"{told}|{severity}",
        thread=digest(book.subject.key, length=16),
        places=_places([told], severity, usual),
        notes=(*_acting(subject.name, reached), *_notes(change, state, stranded, lacking)),
        attack=("T1098",),
        remediation=_remediation(change, book, state, reached, stranded, lacking),
    )


def _arrived(book: Book, state: HolderState, arrived: Arrived, policy: Policy) -> Iterator[Found]:
    """An app that came with identities which reach nothing far is no finding: apps come every day."""
    reached = _reached(churn.arrived_with(state), policy)
    if not reached:
        return
    subject, app = naming.subject_of(book), ResourceId(book.subject.id)
    gravest, severity = reached[0].attached, reached[0].severity
    told = sorted(one.attached.identity.key for one in reached)
    yield Found(
        rule=RULE,
        key=f"{churn.ARRIVED}|{','.join(sorted(arrived.identities))}",
        severity=severity,
        subject=subject,
        title=f"{subject.name} was created with the identity {gravest.identity.name}, which {reached[0].why}",
        detail={"change": "added", **({"principalId": gravest.principal} if gravest.principal else {})},
        cause=arrived.cause,
        since=arrived.at,
        telling=f"{','.join(told)}|{severity}",
        thread=digest(book.subject.key, length=16),
        places=_places(told, severity, "low"),
        notes=_acting(subject.name, reached),
        attack=("T1098",),
        remediation=tuple(remedy.detach_identity(app, one.attached.identity) for one in reached),
    )


def _places(told: list[str], severity: Severity, usual: Severity) -> tuple[str, ...]:
    """What is told, and each severity above the usual: one more of them is told anew, one less is not."""
    return (*told, *SEVERITIES[SEVERITIES.index(severity) : SEVERITIES.index(usual)])


def _acting(name: str, reached: list[_Reach]) -> tuple[str, ...]:
    return tuple(f"Whoever can change {name} acts as {one.words}" for one in reached)


class _Reach(Struct, frozen=True):
    """How far an identity that came reaches, by the gravest of its grants."""

    severity: Severity
    attached: Attached
    why: str
    access: str

    @property
    def words(self) -> str:
        """As a sentence goes on: `the identity id-a, which can read keys and secrets, at … (Owner at …)`."""
        return f"the identity {self.attached.identity.name}, which {self.why} ({self.access})"


def _reached(brought: list[tuple[Attached, GrantLine]], policy: Policy) -> list[_Reach]:
    """Each identity that reaches far by what it brought; the gravest first."""
    found: dict[str, _Reach] = {}
    for attached, line in brought:
        reach = policy.reach(line.powers, line.access.scope)
        if reach is None:
            continue
        severity, power = reach
        held = found.get(attached.identity.key)
        if held is None or SEVERITIES.index(severity) < SEVERITIES.index(held.severity):
            why = policy.why(power, line.access.scope)
            words = naming.access(line.role_name, line.access)
            found[attached.identity.key] = _Reach(severity, attached, why, words)
    return sorted(found.values(), key=lambda one: SEVERITIES.index(one.severity))


# --- in words --------------------------------------------------------------------------------------


def _title(
    name: str, change: str, state: HolderState, reached: list[_Reach], stranded: int, lacking: int
) -> str:
    reach = "".join(f"{one.attached.identity.name} {one.why}" for one in reached[:1])
    left = f"{naming.counted(stranded, 'role assignment')} stranded" if stranded else ""
    missing = f"{lacking} missing" if lacking else ""
    return "; ".join(part for part in (_said(name, change, state), reach, left, missing) if part)


def _said(name: str, change: str, state: HolderState) -> str:
    """What happened to the identities, in one clause."""
    was, now = naming.short(churn.previous_principal(state)), naming.short(churn.new_principal(state))
    had, has = state.baseline.system, state.observed.system
    gone = _identities(f"its system identity {was}" if had and not has else "", churn.went(state))
    came = _identities(f"a system identity {now}" if has and not had else "", churn.came(state))
    if change == "recreated" and state.kind == "userAssignedIdentity":
        return f"{name} was recreated under its name: its principal {was} became {now}"
    return {
        "recreated": f"{name} was recreated: its identity {was} became {now}",
        "reissued": f"{name} was given a new system identity: {was} became {now}",
        "replaced": f"{name} uses {came} instead of {gone}",
        "removed": _removed(name, was, gone, state),
        "added": f"{name} was given {came}",
        "detached": f"{name} no longer uses {gone}",
    }[change]


def _removed(name: str, was: str, gone: str, state: HolderState) -> str:
    if state.present:
        return f"{name} no longer has {gone}"
    users = apps(state)
    if state.kind == "userAssignedIdentity":
        still = f" while {naming.few(users)} {'uses' if len(users) == 1 else 'use'} it" if users else ""
        return f"{name} was deleted{still}: its principal {was} is gone"
    if state.baseline.system:
        return f"{name} was deleted, and its managed identity {was} with it"
    return f"{name} was deleted: it no longer uses {gone}"


def _identities(own: str, attached: tuple[Attached, ...]) -> str:
    """Identities by their names: the system identity first, where it is one of them."""
    return naming.listed([*([own] if own else []), *(f"the identity {a.identity.name}" for a in attached)])


def _notes(
    change: str, state: HolderState, stranded: list[GrantLine], lacking: list[Term]
) -> tuple[str, ...]:
    users = apps(state)
    return (
        *(f"Stranded: {naming.access(line.role_name, line.access)}" for line in stranded),
        *(f"Missing: {naming.access(term.role_name, term.access)}" for term in lacking),
        *((f"Used by: {naming.listed(users)}",) if users else ()),
        *(_ATTACH_ANEW if change == "recreated" and users else ()),
        *(_shared_successor(state) if lacking else ()),
        *(_advice(state) if _advised(change, state) else ()),
        *((state.oddity,) if state.oddity else ()),
    )


# Assumption: an app that attaches an identity keeps referring to the one that was deleted, until it is
# attached to the one that was made under the same name.
_ATTACH_ANEW = ("The apps that use it refer to the old identity until the new one is attached to them.",)


def _shared_successor(state: HolderState) -> tuple[str, ...]:
    heir = churn.attached_heir(state)
    if heir is None:
        return ()
    return (f"Whoever else uses the identity {heir.identity.name} is given what is granted to it.",)


def _advised(change: str, state: HolderState) -> bool:
    return change == "recreated" and state.kind == "logicApp" and state.systems >= ADVISE_FROM


def _advice(state: HolderState) -> tuple[str, ...]:
    return (
        f"It has had {state.systems} system identities since lami watches it. A user-assigned identity "
        "survives redeploys, and its role assignments with it: the last two commands make one and attach it.",
    )


# --- what would mend it ----------------------------------------------------------------------------


def _remediation(
    change: str,
    book: Book,
    state: HolderState,
    reached: list[_Reach],
    stranded: list[GrantLine],
    lacking: list[Term],
) -> tuple[str, ...]:
    app = ResourceId(book.subject.id)
    attached = churn.attached_heir(state)
    heir = state.observed.system or (attached.principal if attached else "")
    moved = (
        *(remedy.create_assignment(heir, term.access) for term in lacking if heir),
        *(remedy.delete_assignment(line.id) for line in stranded),
    )
    if change == "replaced":
        # Whoever put another identity in the place of the expected one is not helped by granting it more.
        otherwise = (remedy.OTHERWISE, *moved) if moved else ()
        return (*_taken_off(app, state), *_rebound(app, state), *otherwise)
    return (
        *(_rebound(app, state) if change in ("removed", "detached") and state.present else ()),
        *(_attached_anew(app, state) if change == "recreated" else ()),
        *(remedy.detach_identity(app, one.attached.identity) for one in reached if change == "added"),
        *moved,
        *(_survivor(app) if _advised(change, state) else ()),
    )


def _taken_off(app: ResourceId, state: HolderState) -> Iterator[str]:
    """Take the identities off the app that came. Before it is given back others: it may have but one."""
    if churn.system_came(state):
        yield remedy.remove_system_identity(app)
    for attached in churn.came(state):
        yield remedy.detach_identity(app, attached.identity)


def _rebound(app: ResourceId, state: HolderState) -> Iterator[str]:
    """Give the app back the identities that it lost."""
    if churn.system_went(state):
        yield remedy.assign_system_identity(app)
    for attached in churn.went(state):
        yield remedy.attach_identity(app, attached.identity)


def _attached_anew(identity: ResourceId, state: HolderState) -> Iterator[str]:
    """Attach an identity that was made anew to the apps that used it."""
    for _, user in sorted(state.users.items()):
        if user.attaches:
            yield remedy.attach_identity(user.app, identity)


def _survivor(app: ResourceId) -> tuple[str, str]:
    """A user-assigned identity beside the app, and the app bound to it."""
    identity = remedy.own_identity(app)
    return remedy.create_identity(identity), remedy.attach_identity(app, identity)


def _ids(attached: tuple[Attached, ...]) -> str:
    return ",".join(sorted(a.identity.key for a in attached))
