"""Builders of lami's nouns: everything has a sensible default, so a test names only what it is about."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache

from lami.core import roles
from lami.core.decide_holder import decide_holder
from lami.core.decide_principal import Sight, decide_principal
from lami.core.draft import Rules
from lami.core.ids import ResourceId
from lami.core.messages import holder_subject
from lami.core.model import (
    Absent,
    Access,
    Actor,
    Attached,
    Book,
    Carrier,
    Cause,
    Change,
    Decision,
    FailedRuns,
    Finding,
    Grant,
    GrantLine,
    HolderState,
    IdentityHolder,
    Permission,
    Present,
    PrincipalState,
    RoleAssignment,
    RoleDefinition,
    Standing,
    Subject,
    Term,
)
from lami.core.policy import Policy, parse
from lami.core.stimuli import Carries, Grants, Stimulus, Told
from lami.detectors import DETECTORS
from lami.settings import packaged_policy

NOW = datetime(2026, 11, 24, 8, tzinfo=UTC)
PATIENCE = timedelta(minutes=2)
GRACE = timedelta(minutes=5)
"""The packaged policy's, of orphaned assignments and missing grants."""
SUB = "11111111-1111-1111-1111-111111111111"
ELSEWHERE = "22222222-2222-2222-2222-222222222222"
"""A subscription that is not watched."""
P1 = "aaaaaaaa-0000-0000-0000-000000000001"
P2 = "bbbbbbbb-0000-0000-0000-000000000002"
P3 = "cccccccc-0000-0000-0000-000000000003"
READER = RoleDefinition("acdd72a7-3385-48ef-bd42-f606fba81ae7", "Reader", (Permission(("*/read",)),))
CONTRIBUTOR = RoleDefinition(
    "b24988ac-6180-42a0-ab88-20f7382dd24c",
    "Contributor",
    (
        Permission(
            ("*",),
            (
                "Microsoft.Authorization/*/Delete",
                "Microsoft.Authorization/*/Write",
                "Microsoft.Authorization/elevateAccess/Action",
            ),
        ),
    ),
)
OWNER = RoleDefinition("8e3af657-a8ff-443c-a75c-2fe8c4bcb635", "Owner", (Permission(("*",)),))
HOSTILE = (
    "plain",
    "two words",
    "; rm -rf /",
    "$(reboot) `id`",
    "it's",
    'say "hi"',
    "a\\b",
    "--yes",
    "@file",
    "*?[x]",
    "é漢😀",
    "#not a comment",
    "a|b&c>d<e!f~g",
)
"""Names that an attacker may choose, without control characters."""


def at(seconds: float) -> datetime:
    """So many seconds after `NOW`, or before it."""
    return NOW + timedelta(seconds=seconds)


LONG_AGO = at(-3600)

# --- ids -------------------------------------------------------------------------------------------


def group(name: str = "rg-claims", subscription: str = SUB) -> ResourceId:
    """A resource group."""
    return ResourceId(f"/subscriptions/{subscription}/resourceGroups/{name}")


def workflow(name: str = "claims-intake", subscription: str = SUB) -> ResourceId:
    """A Consumption logic app."""
    return ResourceId(f"{group(subscription=subscription)}/providers/Microsoft.Logic/workflows/{name}")


def site(name: str = "claims-standard", slot: str = "") -> ResourceId:
    """A Standard logic app, or one of its slots."""
    return ResourceId(f"{group()}/providers/Microsoft.Web/sites/{name}" + (f"/slots/{slot}" if slot else ""))


def identity(name: str = "id-claims", subscription: str = SUB) -> ResourceId:
    """A user-assigned identity."""
    there = group(subscription=subscription)
    return ResourceId(f"{there}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{name}")


def assignment_id(name: str = "a1", scope: ResourceId | None = None) -> ResourceId:
    """A role assignment's id."""
    return ResourceId(f"{scope or group()}/providers/Microsoft.Authorization/roleAssignments/{name}")


# --- why -------------------------------------------------------------------------------------------


def cause(id: str = "event-1", time: datetime = NOW, who: str = "dana") -> Cause:
    """A cause, done by somebody."""
    return Cause(id, "microsoft.logic/workflows/write", time, "c-1", Actor("user", who, who))


def told(resource: ResourceId, verb: str = "write", time: datetime = NOW, id: str = "event-1") -> Told:
    """An event that says somebody did something to a resource."""
    operation = f"{resource.type}/{verb}"
    return Told(Change(id, resource, operation, time, resource.subscription, Actor("user", "u", "Dana")))


@cache
def policy(text: str = "") -> Policy:
    """A policy file laid over the packaged one."""
    return parse(text, packaged_policy())


def rules(text: str = "", watched: Iterable[str] = (SUB,), patience: timedelta = PATIENCE) -> Rules:
    """Rules with all detectors, by the packaged policy with `text` over it."""
    return Rules(policy(text), DETECTORS, frozenset(watched), patience)


# --- what is seen ----------------------------------------------------------------------------------


def make_access(
    role: RoleDefinition = READER, scope: ResourceId | None = None, condition: str = ""
) -> Access:
    """A role at a scope."""
    return Access(role.id, scope or group(), condition)


def grants_only(*values: str) -> str:
    """A condition under which only these may be assigned; the fewer, the narrower."""
    listed = ", ".join(f"'{value}'" for value in values)
    write = "ActionMatches{'Microsoft.Authorization/roleAssignments/write'}"
    asked = "@Request[Microsoft.Authorization/roleAssignments:PrincipalType]"
    return f"(!({write})) OR ({asked} ForAnyOfAnyValues:StringEquals {{{listed}}})"


def make_assignment(
    name: str = "a1",
    principal: str = P1,
    role: RoleDefinition = READER,
    scope: ResourceId | None = None,
    condition: str = "",
    created: datetime | None = LONG_AGO,
    changed: datetime | None = None,
    created_by: str = "somebody",
) -> RoleAssignment:
    """A role assignment as ARM shows it; written once unless `changed` says otherwise."""
    return RoleAssignment(
        id=assignment_id(name, scope),
        principal=principal,
        principal_type="ServicePrincipal",
        access=make_access(role, scope, condition),
        role=role,
        created=created,
        changed=changed or created,
        created_by=created_by,
    )


def make_identity_holder(
    id: ResourceId | None = None,
    system: str = "",
    attached: Mapping[ResourceId, str] | None = None,
    created: datetime | None = None,
    changed: datetime | None = None,
    tags: Mapping[str, str] | None = None,
) -> IdentityHolder:
    """A logic app or user-assigned identity as ARM shows it."""
    id = id or workflow()
    return IdentityHolder(
        id=id,
        kind="userAssignedIdentity" if "userassignedidentities" in id.type else "logicApp",
        system=system,
        attached=tuple(Attached(one, principal) for one, principal in (attached or {}).items()),
        created=created,
        changed=changed,
        tags=tags or {},
    )


# --- what is held ----------------------------------------------------------------------------------


def make_grant(
    name: str = "a1",
    role: RoleDefinition = READER,
    scope: ResourceId | None = None,
    condition: str = "",
    present: bool = True,
    created: datetime | None = LONG_AGO,
    newest: datetime = LONG_AGO,
    tolerated: bool = False,
    created_by: str = "somebody",
    was: Access | None = None,
) -> Grant:
    """A grant as a principal's book holds it; `was` is what it gave before its condition was changed."""
    powers, readable = roles.judge(role, condition)
    unconditional, _ = roles.judge(role, "")
    return Grant(
        id=assignment_id(name, scope),
        access=make_access(role, scope, condition),
        role_name=role.name,
        powers=powers,
        readable=readable,
        present=present,
        newest=newest,
        created=created,
        changed=created,
        created_by=created_by,
        cause=cause(),
        tolerated=tolerated,
        was=was,
        unconditional=unconditional if unconditional != powers else (),
        custom=role.custom,
    )


def make_carrier(holder: ResourceId | None = None, carries: bool = True, since: datetime = NOW) -> Carrier:
    """A holder as the book of a principal that it carries, or has shed, knows it."""
    return Carrier(holder or workflow(), "logicApp", "", carries, since, cause(), 1)


def make_principal(
    *grants: Grant,
    carriers: Iterable[Carrier] = (),
    terms: Iterable[Term] = (),
    principal: str = P1,
    standing: Standing | None = None,
) -> Book:
    """A principal's book."""
    state = PrincipalState(
        type="ServicePrincipal",
        standing=standing,
        grants={grant.id.key: grant for grant in grants},
        terms={term.access.key: term for term in terms},
        carriers={carrier.holder.key: carrier for carrier in carriers},
    )
    return Book(Subject("principal", principal), state, version=1)


def make_holder(state: HolderState | None = None, id: ResourceId | None = None) -> Book:
    """An identity holder's book; one that nobody has written where no state is given."""
    return Book(holder_subject(id or workflow()), state or HolderState(), version=1 if state else 0)


# --- steps -----------------------------------------------------------------------------------------


def holder_step(
    book: Book,
    stimulus: Stimulus,
    look: IdentityHolder | Absent | None = None,
    now: datetime = NOW,
    by: Rules | None = None,
    failed_runs: FailedRuns | None = None,
) -> Decision:
    """What a holder's book does; fails where the stimulus was ignored as old."""
    shown = Present(look) if isinstance(look, IdentityHolder) else look
    decision = decide_holder(book, stimulus, shown, by or rules(), now, failed_runs)
    assert decision is not None
    return decision


def principal_step(
    book: Book,
    stimulus: Stimulus,
    *looks: RoleAssignment | tuple[ResourceId, Absent],
    complete: Iterable[str] = (),
    now: datetime = NOW,
    by: Rules | None = None,
) -> Decision:
    """What a principal's book does; `complete` names the subscriptions that the looks are all of."""
    shown = [(one.id, Present(one)) if isinstance(one, RoleAssignment) else one for one in looks]
    decision = decide_principal(book, stimulus, Sight(shown, frozenset(complete)), by or rules(), now)
    assert decision is not None
    return decision


def says_carries(
    version: int = 1,
    carries: bool = True,
    holder: ResourceId | None = None,
    terms: Iterable[Term] = (),
) -> Carries:
    """A holder's message to a principal."""
    told_terms = {term.access.key: term for term in terms}
    return Carries(holder or workflow(), "logicApp", "", (), version, carries, told_terms, cause("carries"))


def line_of(assignment: RoleAssignment) -> GrantLine:
    """A role assignment as its principal tells a holder of it."""
    powers, _ = roles.judge(assignment.role, assignment.access.condition)
    return GrantLine(assignment.id.text, assignment.access, assignment.role.name, powers, assignment.created)


def says_grants(
    principal: str = P1, version: int = 1, grants: Iterable[RoleAssignment] = (), terms: Iterable[Term] = ()
) -> Grants:
    """A principal's message to a holder."""
    lines = tuple(map(line_of, grants))
    told_terms = {term.access.key: term for term in terms}
    return Grants(principal, version, lines, told_terms, cause("grants"))


def messages(decision: Decision) -> set[tuple[str, str]]:
    """The messages that a decision owes: kind, and the receiver's key."""
    return {(m.kind, m.to.key) for m in (decision.owed.messages if decision.owed else ())}


def texts(decision: Decision) -> str:
    """What a decision puts on the timeline."""
    return "\n".join(entry.text for entry in decision.entries)


def only_finding(decision: Decision) -> Finding:
    """The one finding that a book has after a decision."""
    (finding,) = decision.book.findings.values()
    return finding
