"""What lami cannot see, as data: `lami doctor` prints it, and README's list is held to it by a test."""

from __future__ import annotations

from msgspec import Struct


class BlindSpot(Struct, frozen=True):
    """Access that exists and that lami does not see: its name, why that is, and what to do about it."""

    name: str
    why: str
    what_to_do: str


WITHOUT_GRAPH = BlindSpot(
    "Principals deleted in Entra ID, unless LAMI_GRAPH_ENDPOINT is set",
    "without Microsoft Graph lami knows only of those that a logic app or identity carried and has shed",
    'set LAMI_GRAPH_ENDPOINT, or look for "Identity not found" in the portal\'s access control page',
)
"""What lami sees where it may ask Microsoft Graph."""
BLIND_SPOTS: tuple[BlindSpot, ...] = (
    BlindSpot(
        "Key Vault access policies",
        "they are a property of the vault and no role assignment, so no event names them as access",
        "set the vault's permission model to Azure role-based access control",
    ),
    BlindSpot(
        "SQL users",
        "a database keeps its own users and roles, and Azure Resource Manager does not know them",
        "review `sys.database_principals` of databases that logic apps use",
    ),
    BlindSpot(
        "Secrets in app settings",
        "a key or connection string opens a door without any identity, and lami does not read secrets",
        "replace them by the managed identity, or by Key Vault references",
    ),
    BlindSpot(
        "Workflows of Standard logic apps that do not answer",
        "they are files of the site, which its own runtime shows; of a stopped or broken app lami holds what "
        "it last saw, and where 20 of a subscription do not answer, reconcile asks no others there",
        "start the app; `lami doctor` tries some, and reconcile logs how many it could not read",
    ),
    BlindSpot(
        "Workflow files deployed as a zip, between reconciles",
        "no event tells of them; reconcile reads the workflows of Standard logic apps, every LAMI_RECONCILE",
        "set LAMI_RECONCILE to how long you can wait, or run `lami reconcile` after a deployment",
    ),
    BlindSpot(
        "What managed connections of Standard logic apps hold",
        "how a connection authenticates to its target is kept in the connection, which lami does not read",
        "review the `Microsoft.Web/connections` of the resource group",
    ),
    BlindSpot(
        "Group membership",
        "it is kept in Entra ID: who joins a group gains what the group holds, and no event tells lami",
        "grant to identities rather than to groups, or review groups in Entra ID",
    ),
    BlindSpot(
        "PIM-eligible assignments",
        "they are no role assignments until they are activated; only then does lami see them",
        "review eligible assignments in Privileged Identity Management",
    ),
    BlindSpot(
        "Management-group and root assignments between reconciles",
        "the events of a subscription do not tell of them; reconcile does, every LAMI_RECONCILE",
        "set LAMI_RECONCILE to how long you can wait, or run `lami reconcile`",
    ),
    WITHOUT_GRAPH,
)
