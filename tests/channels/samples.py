"""Alerts to try the channels with: one as a redeploy makes it, and hostile ones."""

from __future__ import annotations

from datetime import UTC, datetime

from msgspec.structs import replace

from lami.channels.channel import Alert
from lami.core.model import Actor, Cause, Finding, FindingSubject

OLD, NEW = "3f6c1a52-0b7e-4c19-9a4d-5be8f2a1c7d0", "b81e94d7-62f3-4a08-8c55-1d9e7730aa42"
SUBSCRIPTION = "11111111-2222-3333-4444-555555555555"
GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-claims"
APP = f"{GROUP}/providers/Microsoft.Logic/workflows/claims-intake"
VAULT = f"{GROUP}/providers/Microsoft.KeyVault/vaults/kv-claims"
STORAGE = f"{GROUP}/providers/Microsoft.Storage/storageAccounts/stclaims"
BUS = f"{GROUP}/providers/Microsoft.ServiceBus/namespaces/sb-claims"
AT = datetime(2026, 11, 24, 8, 14, 21, tzinfo=UTC)
ROLES = (
    ("Key Vault Secrets User", "4633458b-17de-408a-b874-0445c86b69e6", VAULT, "kv-claims (vaults)"),
    (
        "Storage Blob Data Contributor",
        "ba92f5b4-2d11-453d-a403-e96b0029c9fe",
        STORAGE,
        "stclaims (storageAccounts)",
    ),
    ("Azure Service Bus Data Sender", "69a216fc-b8fb-44d8-bc22-1f3c2cd27a39", BUS, "sb-claims (namespaces)"),
)
CAUSE = Cause(
    id="e-7c41",
    operation="microsoft.logic/workflows/write",
    time=AT,
    correlation_id="5d1f0a3e-88c7-4b9a-a1c4-6a2b9e0f7d31",
    actor=Actor("user", "9e8d7c6b-1111-4222-8333-444455556666", "Dana Fischer", "203.0.113.7"),
)


def _assignment(scope: str, number: int) -> str:
    name = f"{number:08x}-aaaa-4bbb-8ccc-dddddddddddd"
    return f"{scope}/providers/Microsoft.Authorization/roleAssignments/{name}"


def _finding(id: str, rule: str, **fields: object) -> Finding:
    finding = Finding(
        id=id,
        rule=rule,
        severity="high",
        status="open",
        subject=FindingSubject("logicApp", APP, "claims-intake", "team-claims@contoso.example"),
        title="",
        detail={},
        cause=CAUSE,
        opened_at=AT,
        telling="t",
        thread="claims-intake",
        revision=1,
    )
    return replace(finding, **fields)


CHURN = _finding(
    "f-3b0c9d1e",
    "identity-churn",
    title="claims-intake was recreated: its identity 3f6c1a52 became b81e94d7; "
    "3 role assignments stranded; 3 missing",
    detail={"change": "recreated", "principalId": NEW, "previousPrincipalId": OLD},
    notes=(
        *(f"Stranded: {role} at {short}" for role, _, _, short in ROLES),
        *(f"Missing: {role} at {short}" for role, _, _, short in ROLES),
    ),
    attack=("T1098",),
    remediation=(
        *(
            f"az role assignment create --assignee-object-id {NEW} "
            f"--assignee-principal-type ServicePrincipal --role {id} --scope {scope}"
            for _, id, scope, _ in ROLES
        ),
        *(
            f"az role assignment delete --ids {_assignment(scope, number)}"
            for number, (_, _, scope, _) in enumerate(ROLES)
        ),
    ),
)
BROAD = _finding(
    "f-91aa0042",
    "broad-grant",
    severity="critical",
    subject=FindingSubject("principal", NEW, "claims-intake"),
    title="claims-intake was granted Owner: can grant anyone access, at subscription contoso-prod",
    detail={
        "principalId": NEW,
        "roleName": "Owner",
        "roleDefinitionId": "8e3af657-a8ff-443c-a75c-2fe8c4bcb635",
        "scope": f"/subscriptions/{SUBSCRIPTION}",
        "assignmentId": _assignment(f"/subscriptions/{SUBSCRIPTION}", 77),
        "holder": "claims-intake",
        "holderId": APP,
    },
    attack=("T1098.003",),
    remediation=(f"az role assignment delete --ids {_assignment(f'/subscriptions/{SUBSCRIPTION}', 77)}",),
)
ORPHANS = tuple(
    _finding(
        f"f-0{number}",
        "orphaned-assignment",
        severity="medium",
        subject=FindingSubject("principal", OLD, "claims-intake"),
        title=f"{role} at {short} is left behind: claims-intake no longer has the identity 3f6c1a52",
        remediation=(f"az role assignment delete --ids {_assignment(scope, number)}",),
    )
    for number, (role, _, scope, short) in enumerate(ROLES)
)
LINK = "https://lami.contoso.example/?finding=f-3b0c9d1e"


def redeploy() -> Alert:
    """The alert of a logic app that was deleted and created again: three stranded, three missing."""
    return Alert("a-5d1f0a3e", "claims-intake", (CHURN,), LINK)


def several() -> Alert:
    """A broad grant, a churn and three orphans of one cause."""
    return Alert("a-77", "claims-intake", (BROAD, CHURN, *ORPHANS), LINK)


HOSTILE = (
    "[sign in](https://evil.example) {{DATE(2026-11-24T08:14:21Z)}} {{{TIME(2026-11-24T08:14:21Z)}} "
    "<img src=x onerror=alert(1)> \r\nBcc: all@evil.example\x1b[2J\u202egnp.exe\u200b\ud800 <at>all</at>"
)


def hostile() -> Alert:
    """An alert in which everything that an attacker may choose is hostile."""
    finding = _finding(
        HOSTILE,
        "identity-churn",
        title=HOSTILE,
        subject=FindingSubject("logicApp", f"/{HOSTILE}", HOSTILE, HOSTILE),
        detail={
            "change": HOSTILE,
            "principalId": HOSTILE,
            "previousPrincipalId": HOSTILE,
            "roleName": HOSTILE,
            "holder": HOSTILE,
        },
        notes=(HOSTILE, f"Stranded: {HOSTILE}"),
        remediation=(f"az {HOSTILE}", "az role assignment delete --ids '[x](https://evil.example)'"),
        cause=Cause(HOSTILE, HOSTILE, AT, HOSTILE, Actor("user", HOSTILE, HOSTILE, HOSTILE)),
    )
    return Alert(HOSTILE, HOSTILE, (finding, replace(finding, id="f-2")), "javascript:alert(1)")


def enormous(letter: str) -> Alert:
    """10,000 findings with names of 100,000 letters, 1,000 notes and a command each."""
    long = letter * 100_000
    finding = _finding(
        "f-0",
        "identity-churn",
        title=long,
        subject=FindingSubject("logicApp", f"/{long}", long, long),
        detail={"change": "recreated", "scope": long, **{f"key{n}": long for n in range(50)}},
        notes=tuple(f"Stranded: {n} {long}" for n in range(1_000)),
        cause=Cause("c", long, AT, long, Actor("user", long, long, long)),
    )
    commands = (f"az {long}",)
    many = tuple(replace(finding, id=f"f-{n}", remediation=(f"az {n}", *commands)) for n in range(10_000))
    return Alert("a-1", "t", many, "https://lami.example/")
