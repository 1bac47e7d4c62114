"""Stories to play on the little Azure: who does what to it, when, in which words it is told.

A story is data. Each scene tells a newcomer what happens, and has one action: something done to the estate,
or something that lami's operator does. Whoever plays it (`lami demo`) brings lami.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from lami.sandbox.estate import Estate
from lami.sandbox.model import IDENTITY, ROBIN, WORKFLOW, Actor, Assignment, resource_id

START = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
"""When stories begin. Ids of findings depend on times: with a fixed one, a seed gives the same ids always."""

GROUP = "rg-claims"
PIPELINE = Actor.named("claims-pipeline", "application")
SAM = Actor.named("Sam Hasty", upn="sam@contoso.example")
TAGS = {"owner": "claims-team@contoso.example"}
_PROVIDERS = f"resourceGroups/{GROUP}/providers"
NEEDS = (
    ("Storage Queue Data Message Sender", f"{_PROVIDERS}/Microsoft.Storage/storageAccounts/stclaims"),
    ("Key Vault Secrets User", f"{_PROVIDERS}/Microsoft.KeyVault/vaults/kv-claims"),
    ("Azure Service Bus Data Sender", f"{_PROVIDERS}/Microsoft.ServiceBus/namespaces/sb-claims"),
)
"""What `claims-intake` needs to do its work: roles, and scopes within the subscription."""


@dataclass(frozen=True, slots=True)
class Take:
    """The operator takes the baseline (what stands now is expected) and starts lami."""


@dataclass(frozen=True, slots=True)
class Play:
    """Somebody changes the estate."""

    change: Callable[[Estate], object]


@dataclass(frozen=True, slots=True)
class Wait:
    """Nobody does anything, until what lami has put off is due."""


@dataclass(frozen=True, slots=True)
class Accept:
    """The operator accepts the open finding of this rule."""

    rule: str
    reason: str


@dataclass(frozen=True, slots=True)
class Scene:
    """One step of a story. `minute` is counted from `START`; `quiet` says that nobody must be alerted.

    What lami puts off (by its patience of two minutes and its grace of five) must fall due between scenes,
    and what is worth showing of it in one that waits.
    """

    minute: int
    title: str
    text: str
    action: Take | Play | Wait | Accept
    quiet: bool = False


@dataclass(frozen=True, slots=True)
class Story:
    """Scenes on an estate that `prepare` builds; `rules` are those whose findings the story must bring."""

    prepare: Callable[[Estate], None]
    scenes: tuple[Scene, ...]
    rules: tuple[str, ...]


def claims_intake(estate: Estate) -> str:
    """The id of the logic app that the story is about."""
    return resource_id(estate.subscriptions[0], GROUP, WORKFLOW, "claims-intake")


def invoice_router(estate: Estate) -> str:
    """The id of a second logic app, which runs on a user-assigned identity."""
    return resource_id(estate.subscriptions[0], GROUP, WORKFLOW, "invoice-router")


def _prepare(estate: Estate) -> None:
    subscription = estate.subscriptions[0]
    estate.put(claims_intake(estate), tags=TAGS, actor=PIPELINE)
    _grant_needs(estate)
    identity = resource_id(subscription, GROUP, IDENTITY, "id-invoices")
    estate.put(identity, tags=TAGS, actor=PIPELINE)
    estate.put(invoice_router(estate), identity="user", user_assigned=(identity,), tags=TAGS, actor=PIPELINE)
    scope = f"/subscriptions/{subscription}/{_PROVIDERS}/Microsoft.Storage/storageAccounts/stinvoices"
    estate.assign("Storage Blob Data Reader", scope, of=identity, actor=PIPELINE)


def _grant_needs(estate: Estate) -> None:
    for role, where in NEEDS:
        scope = f"/subscriptions/{estate.subscriptions[0]}/{where}"
        estate.assign(role, scope, of=claims_intake(estate), actor=PIPELINE)


def _redeploy_in_place(estate: Estate) -> None:
    estate.put(claims_intake(estate), tags=TAGS | {"release": "41"}, actor=PIPELINE)


def _recreate_invoice_router(estate: Estate) -> None:
    estate.recreate(invoice_router(estate), PIPELINE)


def _recreate_claims_intake(estate: Estate) -> None:
    estate.recreate(claims_intake(estate), PIPELINE)


def _grant_contributor(estate: Estate) -> None:
    scope = f"/subscriptions/{estate.subscriptions[0]}"
    estate.assign("Contributor", scope, of=claims_intake(estate), actor=SAM)


def _clean_up_one_orphan(estate: Estate) -> None:
    estate.unassign(stranded(estate)[0].id, ROBIN)


def stranded(estate: Estate) -> list[Assignment]:
    """The assignments that the deleted `claims-intake` left behind, in the order of `NEEDS`."""
    alive = {each.system.principal_id for each in estate.resources.all() if each.system}
    left = [
        (number, given)
        for given in estate.assignments.all()
        for number, (role, where) in enumerate(NEEDS)
        if given.scope.endswith(where)
        and estate.find_role(given.role).role_name == role
        and given.principal_id not in alive
    ]
    return [given for _, given in sorted(left, key=lambda item: item[0])]


REDEPLOY = Story(
    prepare=_prepare,
    rules=("identity-churn", "broad-grant", "orphaned-assignment", "missing-grant"),
    scenes=(
        Scene(
            0,
            "Robin takes the baseline and starts lami",
            "Two logic apps: claims-intake has an identity of its own with three narrow grants; "
            "invoice-router uses the user-assigned identity id-invoices. lami reads what stands and, from "
            "now on, expects it.",
            Take(),
            quiet=True,
        ),
        Scene(
            10,
            "The pipeline redeploys claims-intake in place",
            "The app keeps its identity.",
            Play(_redeploy_in_place),
            quiet=True,
        ),
        Scene(
            20,
            "The pipeline deletes invoice-router and creates it again",
            "Its identity is a resource of its own and survives; so do its grants.",
            Play(_recreate_invoice_router),
            quiet=True,
        ),
        Scene(
            30,
            "The pipeline deletes claims-intake and creates it again",
            "Same name, same definition, but a system-assigned identity dies with its app: the new app has "
            "a new one. Azure leaves the old grants behind and gives the new identity none.",
            Play(_recreate_claims_intake),
        ),
        Scene(
            33,
            "Claims fail with 403, and Sam, in a hurry, grants Contributor",
            "At the whole subscription, to the new identity.",
            Play(_grant_contributor),
        ),
        Scene(
            40,
            "Minutes pass, and nobody puts it right",
            "A redeploy may make its grants a little later than the app, so lami gives it five minutes "
            "([grace] of the policy). They are over: it looks again.",
            Wait(),
        ),
        Scene(
            45,
            "Robin deletes one of the assignments left behind",
            "With the command that the alert carries.",
            Play(_clean_up_one_orphan),
            quiet=True,
        ),
        Scene(
            50,
            "Robin accepts the new identity",
            "The baseline moves to it; the access that the app should have stays where it is.",
            Accept("identity-churn", "release 42 recreated the app on purpose"),
            quiet=True,
        ),
        Scene(
            55,
            "The pipeline makes the three grants to the new identity",
            "The app has again what the baseline says it should have.",
            Play(_grant_needs),
            quiet=True,
        ),
    ),
)
"""A redeploy that moves an identity, what it leaves behind, and what somebody grants in a hurry."""
