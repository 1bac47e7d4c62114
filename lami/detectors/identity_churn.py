"""identity-churn: an identity holder no longer has the identity that its baseline expects.

A logic app that is deleted and created again gets a new principal. What the old one was granted stays
behind, what the new one needs is missing; the finding lists both.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from lami.core import naming, remedy
from lami.core.ids import digest
from lami.core.messages import apps
from lami.core.model import Access, Attached, Book, Found, HolderState, Severity, Term
from lami.core.policy import Policy


class IdentityChurn(Struct, frozen=True):
    """Objects to a holder whose observed identities differ from its baseline's."""

    rule: str = "identity-churn"

    def detect(self, book: Book, policy: Policy) -> Iterator[Found]:
        """At most one finding a holder: from the baseline's identities to the present ones."""
        state = book.state
        if not isinstance(state, HolderState) or not state.known or state.churn_cause is None:
            return
        change = classify(state)
        if not change or state.churned_at is None:
            return
        subject = naming.subject_of(book)
        old, new = _before(state), _after(state)
        stranded = _stranded(state)
        lacking = _lacking(state)
        # An identity added strands nothing and lacks nothing: worth a line, not a page in the night.
        severity: Severity = "low" if change == "added" else policy.severity(self.rule)
        detail = {"change": change, "principalId": new, "previousPrincipalId": old}
        heir = state.observed.system
        yield Found(
            rule=self.rule,
            key=f"{state.baseline.system}|{_ids(state.baseline.attached)}",
            severity=severity,
            subject=subject,
            title=_title(subject.name, change, old, new, len(stranded), len(lacking)),
            detail={name: value for name, value in detail.items() if value},
            cause=state.churn_cause,
            since=state.churned_at,
            telling=f"{change}|{state.observed.system}|{_ids(state.observed.attached)}",
            thread=digest(book.subject.key, length=16),
            notes=_notes(state, stranded, lacking),
            attack=("T1098",),
            remediation=(
                *(remedy.create_assignment(heir, term.access) for term in lacking if heir),
                *(remedy.delete_assignment(id) for id, _, _ in stranded),
            ),
        )


def classify(state: HolderState) -> str:
    """How the identities changed, by the names of the public contract; empty where they did not."""
    was, now = state.baseline, state.observed
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


def _title(name: str, change: str, old: str, new: str, stranded: int, lacking: int) -> str:
    was, now = naming.short(old), naming.short(new)
    said = {
        "recreated": f"{name} was recreated: its identity {was} became {now}",
        "reissued": f"{name} was given a new system identity: {was} became {now}",
        "replaced": f"{name} uses another managed identity now",
        "removed": f"{name} has lost its managed identity {was}".rstrip(),
        "added": f"{name} was given a further managed identity",
        "detached": f"{name} no longer uses a managed identity it had",
    }[change]
    left = f"{naming.counted(stranded, 'role assignment')} stranded" if stranded else ""
    missing = f"{lacking} missing" if lacking else ""
    return "; ".join(part for part in (said, left, missing) if part)


def _notes(
    state: HolderState, stranded: list[tuple[str, Access, str]], lacking: list[Term]
) -> tuple[str, ...]:
    users = apps(state)
    return (
        *(f"Stranded: {naming.access(role, access)}" for _, access, role in stranded),
        *(f"Missing: {naming.access(term.role_name, term.access)}" for term in lacking),
        *((f"Used by: {naming.listed(users)}",) if users else ()),
        *((state.oddity,) if state.oddity else ()),
    )


def _stranded(state: HolderState) -> list[tuple[str, Access, str]]:
    """What principals that the holder has shed are still granted."""
    return [
        grant
        for principal, said in sorted(state.granted.items())
        if principal != state.observed.system
        and principal not in {a.principal for a in state.observed.attached}
        for grant in said.grants
    ]


def _lacking(state: HolderState) -> list[Term]:
    """The access that was expected of the lost identities and that the present ones don't have.

    Nothing is said while a present principal has not been heard: not known is not lacking.
    """
    now = state.observed
    if not now.system and not now.attached:
        return []
    held = set()
    for principal, identity in [(now.system, ""), *((a.principal, a.identity.key) for a in now.attached)]:
        grants = _said(state, principal, identity)
        if grants is None:
            return []
        held |= {access.key for _, access, _ in grants}
    wanted = {key: term for key, term in state.terms.items() if term.expected}
    for attached in state.baseline.attached:
        news = state.identities.get(attached.identity.key)
        for _, access, role_name in news.grants if news else ():
            wanted.setdefault(access.key, Term(access, role_name))
    return [term for key, term in sorted(wanted.items()) if key not in held]


def _said(state: HolderState, principal: str, identity: str) -> tuple[tuple[str, Access, str], ...] | None:
    """What a present identity is granted, as it or its principal said; None where neither was heard yet."""
    news = state.identities.get(identity)
    if news is not None and news.heard:
        return news.grants
    if not principal:
        return None if identity else ()
    granted = state.granted.get(principal)
    return granted.grants if granted is not None and granted.version > 0 else None


def _before(state: HolderState) -> str:
    """The principal that went: of the system identity, else of an attached one."""
    was, now = state.baseline, state.observed
    return _changed(was.system, now.system) or _first(was.attached, _keys(now.attached))


def _after(state: HolderState) -> str:
    """The principal that came: of the system identity, else of an attached one."""
    was, now = state.baseline, state.observed
    return _changed(now.system, was.system) or _first(now.attached, _keys(was.attached))


def _changed(system: str, other: str) -> str:
    return system if system != other else ""


def _first(attached: tuple[Attached, ...], others: set[str]) -> str:
    return next((a.principal for a in attached if a.identity.key not in others), "")


def _keys(attached: tuple[Attached, ...]) -> set[str]:
    return {a.identity.key for a in attached}


def _ids(attached: tuple[Attached, ...]) -> str:
    return ",".join(sorted(_keys(attached)))
