"""The table: each row an estate with its baseline, what happens, and what lami then says."""

from __future__ import annotations

from dataclasses import dataclass

from lami.core.model import Severity
from tests.scenarios.table.files import Filed
from tests.scenarios.table.findings import (
    Expected,
    accepted,
    broad,
    careless,
    churn,
    gap,
    missing,
    orphaned,
    resolved,
    said,
    shared,
    suppressed,
    ungranted,
    weakened,
    widened,
)
from tests.scenarios.table.words import (
    Accepted,
    App,
    AsksGraph,
    Channel,
    CreatedAgain,
    Defined,
    Deleted,
    Excepted,
    Fails,
    Granted,
    GroupDeleted,
    Holds,
    Identity,
    InEntra,
    Lags,
    Listed,
    Mended,
    NameReused,
    Noise,
    Passes,
    Policy,
    Reconciled,
    Recreated,
    Redeployed,
    Revoked,
    Role,
    Site,
    Slot,
    Standard,
    State,
    Storm,
    Switched,
    Tagged,
    TakenAnew,
    Uses,
    Word,
    WrittenAgain,
    backwards,
    late,
    listed,
    together,
    twice,
    untold,
)


@dataclass(frozen=True, slots=True)
class Scenario:
    """A row. `then` are all findings that were ever opened, and `told` the messages that the channel got."""

    given: tuple[Word, ...]
    when: tuple[Word, ...]
    then: tuple[Expected, ...] = ()
    told: int = 0

    @property
    def cells(self) -> tuple[str, str, str, str]:
        """The row as the page has it."""
        then = "; ".join(said(self.then)) or "nothing"
        return "; ".join(str(one) for one in self.given), listed(self.when), then, str(self.told)

    def __str__(self) -> str:
        """The row as a sentence."""
        given, when, then, told = self.cells
        messages = f"{told} message" + ("" if self.told == 1 else "s")
        return f"given {given}, when {when}, then {then} ({messages})".replace("`", "")


ORDERS = App("orders")
SECRETS = "Key Vault Secrets User"
READS_VAULT = Holds("orders", SECRETS, "kv-claims")
READS_GROUP = Holds("orders", "Reader", "rg-claims")
PLAIN = (ORDERS, READS_VAULT)
SHARED = Identity("id-shared")
SPARE = Identity("id-spare")
SENDER = "Storage Queue Data Message Sender"
SHARED_SENDS = Holds("id-shared", SENDER, "st-claims")
SPARE_SENDS = Holds("id-spare", SENDER, "st-claims")
BILLING_READS = Holds("billing", "Reader", "rg-claims")
USES_SHARED = (SHARED, SHARED_SENDS, App("orders", uses=("id-shared",)))
REFUNDS_SHARES = App("refunds", "rg-apps", uses=("id-shared",))
OWNER, CONTRIBUTOR = "Owner", "Contributor"
ACCESS = "User Access Administrator"
ADMINISTRATOR = "Role Based Access Control Administrator"
HERE = "the subscription"
NETWORK = Role("Network Owner", ("Microsoft.Network/*",))
BUS_DATA = Role("Bus Data Owner", data_actions=("Microsoft.ServiceBus/*",))
DEPLOYER = Role("Deployer", ("Microsoft.Logic/workflows/write",))
FEDERATOR = Role(
    "Federator", ("Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials/write",)
)
KEYS = Role("Key Lister", ("Microsoft.Storage/storageAccounts/listKeys/action",))
GRANTOR = (
    "@Request[Microsoft.Authorization/roleAssignments:RoleDefinitionId] ForAnyOfAnyValues:GuidEquals {x}"
)
BOUNDED = Role("Bounded Grantor", ("Microsoft.Authorization/roleAssignments/write",), condition=GRANTOR)
UNBOUNDED = Role("Plain Grantor", ("Microsoft.Authorization/roleAssignments/write",))
HARMLESS = Role("Everything but writing", ("*",), ("*/write", "*/action", "*/delete"))
UNREAD = Fails(403, "every role definition", "*roledefinitions*")
READER = "Storage Blob Data Reader"
NAMED = (
    "@Resource[Microsoft.Storage/storageAccounts/blobServices/containers:name] "
    "ForAnyOfAnyValues:StringEquals "
)
INCOMING, BOTH = NAMED + "{'incoming'}", NAMED + "{'incoming', 'outgoing'}"
READS_INCOMING = (ORDERS, Holds("orders", READER, "st-claims", INCOMING))
TIDIER = Role("Tidier", ("Microsoft.Storage/storageAccounts/read",))
TIDIEST = Role("Tidier", ("Microsoft.Storage/storageAccounts/read", "*/write"))
CONFIG = Noise("the configuration", "Microsoft.Web/sites/config/write", "billing")
FEDERATED = Noise(
    "a federated credential",
    "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials/write",
    "id-shared",
)
BILLING = Standard("billing")
RUNTIME_DOWN = Fails(400, "the runtime of billing", "*/billing/workflows*")
AT_ONCE = Policy("has no grace", '[grace]\norphaned-assignment = "0s"\nmissing-grant = "0s"')
PIM = Listed("PIM", "temporary")
CLUSTER = Listed("AKS", "record")
HOLDERS = Policy("watches holders only", '[watch]\nprincipals = "holders"')
EVERY_GRANT = Policy("tells every new grant of an app", '[watch]\nnew-grants = "alert"')

SPARE_OWNS = Holds("id-spare", OWNER, HERE)
STANDS_APART = (BILLING, BILLING_READS, SPARE)
"""An app, and an identity that it does not use (yet)."""
ATTACHED = Uses("billing", ("id-spare",), own=True)
TAKEN_OFF = Uses("billing", own=True)
GRANTORS_PASS = Policy("does not object to what grants access", "[broad]\ngrants-access = {}")
REACHES: tuple[tuple[tuple[Word, ...], str, str, Severity], ...] = (
    ((), OWNER, HERE, "critical"),
    ((), OWNER, "rg-claims", "high"),
    ((), OWNER, "kv-claims", "medium"),
    ((), CONTRIBUTOR, HERE, "high"),
    ((), SECRETS, "rg-claims", "medium"),
    ((), SECRETS, "kv-claims", "low"),
    ((BOUNDED,), "Bounded Grantor", HERE, "low"),
    ((UNBOUNDED,), "Plain Grantor", HERE, "critical"),
    ((GRANTORS_PASS, UNBOUNDED), "Plain Grantor", HERE, "low"),
)
"""What there has to be, a role, where an identity holds it, and how grave that is when it is attached."""
BORN_REACHES: tuple[tuple[str, str, Severity], ...] = (
    (OWNER, HERE, "critical"),
    (CONTRIBUTOR, HERE, "high"),
    (OWNER, "kv-claims", "medium"),
)
"""The same when a new app comes with it."""
GRAPH = AsksGraph()
ASKED, ASKED_AGAIN = Reconciled(), Passes(62)
"""Everybody is asked about; an hour later whoever was denied, once more."""
NO_GRAPH = "Microsoft Graph", "/v1.0/*"
NO_DELETED = "what Graph keeps of the deleted", "/v1.0/directory/deletedItems/*"
TEAMS = (Holds("team-ops", CONTRIBUTOR, "rg-claims"), Holds("team-dev", "Reader", "rg-claims"))
PEOPLE = (Holds("Dana", CONTRIBUTOR, "rg-claims"), Holds("Robin", "Reader", "rg-claims"))
PIPELINE_WRITES = Holds("pipeline", CONTRIBUTOR, "rg-claims")
PIPELINE = (*PLAIN, PIPELINE_WRITES)

YEAR_END = "2026-12-31"
OWNER_EXCEPTED = Excepted("broad-grant", "orders", OWNER, HERE, YEAR_END)
LEFT_VAULT = orphaned("orders", SECRETS, "kv-claims")
LACKS_VAULT = missing("orders", SECRETS, "kv-claims")
RECREATED = churn("orders", "recreated")
REISSUED = churn("orders", "reissued")
REMOVED = churn("orders", "removed")
OWNER_HERE = broad("orders", OWNER, HERE, "critical")
IDLE = ungranted("orders")
BORN = App("newcomer", uses=("id-spare",))
BORN_OWNER = churn("newcomer", "added", "critical")
GIVEN_OWNER = churn("billing", "added", "critical")
LEFT_PIPELINE = orphaned("pipeline", CONTRIBUTOR, "rg-claims")
CARRIED_ACROSS = shared("id-shared")

TABLE: dict[str, tuple[Scenario, ...]] = {
    "A redeploy": (
        Scenario(PLAIN, (Redeployed("orders"),)),
        Scenario(PLAIN, (Tagged("orders"), State("orders", "Disabled"), State("orders", "Enabled"))),
        Scenario((BILLING,), (CONFIG, Redeployed("billing"))),
        Scenario(PLAIN, (Recreated("orders"),), (RECREATED,), 1),
        Scenario(PLAIN, (Deleted("orders"), CreatedAgain("orders")), (RECREATED,), 2),
        Scenario(PLAIN, (Recreated("orders"), Passes(6)), (RECREATED, LACKS_VAULT, LEFT_VAULT), 2),
        Scenario((*PLAIN, AT_ONCE), (Recreated("orders"),), (RECREATED, LACKS_VAULT, LEFT_VAULT), 1),
        Scenario((ORDERS,), (Recreated("orders"), Passes(6)), (RECREATED, IDLE), 1),
        Scenario(
            PLAIN,
            (
                Recreated("orders"),
                Granted("orders", SECRETS, "kv-claims"),
                Revoked("old orders", SECRETS, "kv-claims"),
                Passes(10),
            ),
            (RECREATED,),
            1,
        ),
        Scenario(
            PLAIN,
            (
                Recreated("orders"),
                Passes(6),
                Granted("orders", SECRETS, "kv-claims"),
                Revoked("old orders", SECRETS, "kv-claims"),
                Passes(6),
            ),
            (RECREATED, resolved(LACKS_VAULT), resolved(LEFT_VAULT)),
            2,
        ),
        Scenario(
            (*PLAIN, READS_GROUP),
            (Recreated("orders"), Granted("orders", SECRETS, "kv-claims"), Passes(6)),
            (
                RECREATED,
                missing("orders", "Reader", "rg-claims"),
                LEFT_VAULT,
                orphaned("orders", "Reader", "rg-claims"),
            ),
            2,
        ),
        Scenario(PLAIN, (Recreated("orders"), Recreated("orders")), (RECREATED,), 2),
        Scenario(PLAIN, (Recreated("orders"), Accepted("identity-churn")), (accepted(RECREATED),), 1),
        Scenario(
            PLAIN,
            (Recreated("orders"), Accepted("identity-churn"), Recreated("orders")),
            (RECREATED, accepted(RECREATED)),
            2,
        ),
        Scenario(
            (ORDERS, Holds("orders", OWNER, HERE)),
            (Recreated("orders"), Passes(6)),
            (RECREATED, missing("orders", OWNER, HERE), orphaned("orders", OWNER, HERE, "critical")),
            2,
        ),
        Scenario(
            (ORDERS, Holds("orders", CONTRIBUTOR, "rg-claims")),
            (
                Recreated("orders"),
                Granted("orders", CONTRIBUTOR, "rg-claims"),
                Revoked("old orders", CONTRIBUTOR, "rg-claims"),
                Passes(6),
            ),
            (RECREATED,),
            1,
        ),
    ),
    "An identity that changes": (
        Scenario(PLAIN, (Switched("orders", "off"), Switched("orders", "on")), (REISSUED,), 2),
        Scenario(PLAIN, (Switched("orders", "off"), Passes(6)), (REMOVED, LEFT_VAULT), 2),
        Scenario(PLAIN, (Deleted("orders"), Passes(6)), (REMOVED, LEFT_VAULT), 2),
        Scenario(PLAIN, (GroupDeleted("rg-claims"), Passes(6)), (REMOVED,), 1),
        Scenario(
            (App("orders", "rg-apps"), READS_VAULT),
            (GroupDeleted("rg-apps"), Passes(6)),
            (REMOVED, LEFT_VAULT),
            2,
        ),
        Scenario(
            (*PLAIN, SHARED, SHARED_SENDS),
            (Uses("orders", ("id-shared",)), Passes(6)),
            (churn("orders", "replaced"), LEFT_VAULT),
            2,
        ),
        Scenario(
            (App("orders", identity="none"),),
            (Switched("orders", "on"),),
            (churn("orders", "added", "low"),),
            1,
        ),
        Scenario(
            (SHARED, BILLING),
            (Uses("billing", ("id-shared",), own=True),),
            (churn("billing", "added", "low"),),
            1,
        ),
        Scenario(
            (SHARED, SHARED_SENDS, SPARE, Standard("billing", ("id-shared", "id-spare")), BILLING_READS),
            (Uses("billing", ("id-shared",), own=True), Passes(6)),
            (churn("billing", "detached"),),
            1,
        ),
        Scenario(
            (SHARED, SHARED_SENDS, SPARE, SPARE_SENDS, Standard("billing", ("id-shared",)), BILLING_READS),
            (Uses("billing", ("id-spare",), own=True), Passes(6)),
            (churn("billing", "replaced"),),
            1,
        ),
        Scenario(
            (SHARED, SPARE, Standard("billing", ("id-shared", "id-spare"))),
            (Redeployed("billing"), Uses("billing", ("id-spare", "id-shared"), own=True)),
        ),
        Scenario(
            (BILLING, Slot("billing/staging")),
            (Recreated("billing/staging"),),
            (churn("billing/staging", "recreated"),),
            1,
        ),
        Scenario((Site("shop"),), (Recreated("shop"),)),
        Scenario(PLAIN, (App("refunds"), Granted("refunds", SENDER, "st-claims"), Passes(6))),
        Scenario(
            PLAIN,
            (App("refunds"), Recreated("refunds"), Granted("refunds", SENDER, "st-claims"), Passes(6)),
            (churn("refunds", "recreated"),),
            1,
        ),
    ),
    "A user-assigned identity": (
        Scenario(
            (*PLAIN, SHARED, Holds("id-shared", SECRETS, "kv-claims")),
            (Uses("orders", ("id-shared",)), Passes(6)),
            (churn("orders", "replaced"), LEFT_VAULT),
            2,
        ),
        Scenario(
            (SHARED, SHARED_SENDS, Standard("billing", ("id-shared",)), BILLING_READS, ORDERS),
            (Uses("orders", ("id-shared",)), Revoked("id-shared", SENDER, "st-claims"), Passes(6)),
            (
                churn("orders", "replaced"),
                missing("id-shared", SENDER, "st-claims"),
            ),
            2,
        ),
        Scenario(
            (SHARED, SHARED_SENDS, Standard("billing", ("id-shared",)), BILLING_READS),
            (Recreated("id-shared"), Passes(6)),
            (
                churn("id-shared", "recreated"),
                missing("id-shared", SENDER, "st-claims"),
                orphaned("id-shared (used by billing)", SENDER, "st-claims"),
            ),
            2,
        ),
        Scenario((SHARED, SHARED_SENDS), (Redeployed("id-shared"), FEDERATED, Passes(6))),
        Scenario(
            (SHARED, SHARED_SENDS),
            (Recreated("id-shared"), Passes(6)),
            (
                churn("id-shared", "recreated"),
                missing("id-shared", SENDER, "st-claims"),
                orphaned("id-shared", SENDER, "st-claims"),
            ),
            2,
        ),
        Scenario(
            (SHARED, SHARED_SENDS),
            (Deleted("id-shared"), Passes(6)),
            (churn("id-shared", "removed"), orphaned("id-shared", SENDER, "st-claims")),
            2,
        ),
        Scenario(
            (SHARED, SHARED_SENDS, Standard("billing", ("id-shared",))),
            (Deleted("billing"), Passes(6)),
            (churn("billing", "removed"),),
            1,
        ),
        Scenario(
            (
                Identity("id-far", elsewhere=True),
                Holds("id-far", SENDER, "st-claims"),
                Standard("billing", ("id-far",)),
                BILLING_READS,
            ),
            (Recreated("id-far"), Passes(6)),
            (
                churn("id-far", "recreated"),
                missing("id-far", SENDER, "st-claims"),
                orphaned("id-far (used by billing)", SENDER, "st-claims"),
            ),
            2,
        ),
    ),
    "An identity that reaches far is attached": (
        *(
            Scenario(
                (*role, *STANDS_APART, Holds("id-spare", name, scope)),
                (ATTACHED, Passes(6)),
                (churn("billing", "added", severity),),
                1,
            )
            for role, name, scope, severity in REACHES
        ),
        Scenario(
            (*STANDS_APART, SPARE_SENDS, SPARE_OWNS),
            (twice(ATTACHED), Redeployed("billing")),
            (GIVEN_OWNER,),
            1,
        ),
        Scenario(
            (*STANDS_APART, SPARE_OWNS), (untold(ATTACHED), Passes(60), Reconciled()), (GIVEN_OWNER,), 1
        ),
        Scenario(
            (SPARE, SPARE_OWNS, Standard("billing", ("id-spare",)), BILLING_READS),
            (Redeployed("billing"), Reconciled(), Passes(6)),
        ),
        Scenario(
            (
                SHARED,
                SHARED_SENDS,
                SPARE,
                SPARE_SENDS,
                SPARE_OWNS,
                Standard("billing", ("id-shared",)),
                BILLING_READS,
            ),
            (Uses("billing", ("id-spare",), own=True), Passes(6)),
            (churn("billing", "replaced", "critical"),),
            1,
        ),
        Scenario(
            (*PLAIN, SPARE, SPARE_OWNS),
            (Uses("orders", ("id-spare",)), Passes(6)),
            (churn("orders", "replaced", "critical"), LEFT_VAULT),
            2,
        ),
        Scenario(
            (*STANDS_APART, SPARE_SENDS),
            (ATTACHED, Granted("id-spare", OWNER, HERE), Redeployed("billing")),
            (churn("billing", "added", "low"), broad("id-spare (used by billing)", OWNER, HERE, "critical")),
            2,
        ),
        Scenario(
            (*STANDS_APART, SPARE_SENDS),
            (Granted("id-spare", OWNER, HERE), ATTACHED),
            (GIVEN_OWNER, broad("id-spare (used by billing)", OWNER, HERE, "critical")),
            2,
        ),
        Scenario(
            (*STANDS_APART, SPARE_SENDS),
            (untold(Granted("id-spare", OWNER, HERE)), ATTACHED, Passes(30), Reconciled()),
            (GIVEN_OWNER, broad("id-spare (used by billing)", OWNER, HERE, "critical")),
            3,
        ),
        Scenario(
            (*STANDS_APART, SPARE_SENDS),
            (Granted("id-spare", OWNER, HERE), ATTACHED, Revoked("id-spare", OWNER, HERE), Passes(6)),
            (
                churn("billing", "added", "low"),
                resolved(broad("id-spare (used by billing)", OWNER, HERE, "critical")),
            ),
            2,
        ),
        Scenario(
            (*STANDS_APART, SPARE_SENDS),
            (
                Granted("id-spare", OWNER, HERE),
                ATTACHED,
                Revoked("id-spare", OWNER, HERE),
                Granted("id-spare", OWNER, HERE),
            ),
            (
                churn("billing", "added", "low"),
                broad("id-spare (used by billing)", OWNER, HERE, "critical"),
                resolved(broad("id-spare (used by billing)", OWNER, HERE, "critical")),
            ),
            3,
        ),
        Scenario((*STANDS_APART, SPARE_OWNS), (ATTACHED, TAKEN_OFF), (resolved(GIVEN_OWNER),), 1),
        Scenario(
            (*STANDS_APART, SPARE_OWNS),
            (ATTACHED, TAKEN_OFF, ATTACHED),
            (GIVEN_OWNER,),
            2,
        ),
        Scenario(
            (*STANDS_APART, SPARE_OWNS),
            (ATTACHED, Accepted("identity-churn"), Redeployed("billing"), Reconciled()),
            (accepted(GIVEN_OWNER),),
            1,
        ),
        Scenario(
            (*STANDS_APART, SPARE_OWNS),
            (ATTACHED, Accepted("identity-churn", 2), Passes(180)),
            (GIVEN_OWNER,),
            2,
        ),
    ),
    "A new app comes with an identity that reaches far": (
        *(
            Scenario(
                (*PLAIN, SPARE, Holds("id-spare", name, scope)),
                (BORN, Passes(6)),
                (churn("newcomer", "added", severity),),
                1,
            )
            for name, scope, severity in BORN_REACHES
        ),
        Scenario((*PLAIN, SPARE, SPARE_SENDS), (BORN, Passes(6), Reconciled())),
        Scenario((*PLAIN, SPARE, SPARE_OWNS, BORN), (Redeployed("newcomer"), Reconciled(), Passes(6))),
        Scenario((*PLAIN, SPARE, SPARE_OWNS), (untold(BORN), Passes(60), Reconciled()), (BORN_OWNER,), 1),
        Scenario((*PLAIN, SPARE, SPARE_OWNS), (twice(BORN), Redeployed("newcomer")), (BORN_OWNER,), 1),
        Scenario(
            (*PLAIN, SPARE, SPARE_SENDS),
            (BORN, Granted("id-spare", OWNER, HERE), Redeployed("newcomer")),
            (broad("id-spare (used by newcomer)", OWNER, HERE, "critical"),),
            1,
        ),
        Scenario(
            (*PLAIN, SPARE, SPARE_OWNS),
            (BORN, Accepted("identity-churn"), Redeployed("newcomer"), Reconciled()),
            (accepted(BORN_OWNER),),
            1,
        ),
        Scenario(
            (*PLAIN, SPARE, SPARE_OWNS, SPARE_SENDS),
            (BORN, Revoked("id-spare", OWNER, HERE), Passes(6)),
            (resolved(BORN_OWNER), missing("id-spare", OWNER, HERE)),
            2,
        ),
        Scenario(
            (*PLAIN, SPARE, SPARE_OWNS),
            (BORN, Deleted("newcomer"), Passes(6)),
            (resolved(BORN_OWNER), churn("newcomer", "removed")),
            2,
        ),
        Scenario((*PLAIN, SPARE, SPARE_OWNS), (BORN, TakenAnew()), (accepted(BORN_OWNER),), 1),
    ),
    "A grant that reaches far": (
        *(
            Scenario((*role, ORDERS), (Granted("orders", name, scope),), then, len(then))
            for role, name, scope, then in (
                ((), OWNER, HERE, (OWNER_HERE,)),
                ((), OWNER, "rg-claims", (broad("orders", OWNER, "rg-claims", "high"),)),
                ((), OWNER, "kv-claims", (broad("orders", OWNER, "kv-claims", "medium"),)),
                ((), ACCESS, HERE, (broad("orders", ACCESS, HERE, "critical"),)),
                ((), CONTRIBUTOR, HERE, (broad("orders", CONTRIBUTOR, HERE, "high"),)),
                ((), CONTRIBUTOR, "rg-claims", (broad("orders", CONTRIBUTOR, "rg-claims", "medium"),)),
                ((), CONTRIBUTOR, "kv-claims", ()),
                (
                    (),
                    "Logic App Contributor",
                    HERE,
                    (broad("orders", "Logic App Contributor", HERE, "high"),),
                ),
                (
                    (),
                    "Managed Identity Operator",
                    "rg-claims",
                    (broad("orders", "Managed Identity Operator", "rg-claims", "medium"),),
                ),
                ((DEPLOYER,), "Deployer", HERE, (broad("orders", "Deployer", HERE, "high"),)),
                (
                    (FEDERATOR,),
                    "Federator",
                    "rg-claims",
                    (broad("orders", "Federator", "rg-claims", "medium"),),
                ),
                ((), SECRETS, HERE, (broad("orders", SECRETS, HERE, "high"),)),
                ((), SECRETS, "rg-claims", (broad("orders", SECRETS, "rg-claims", "medium"),)),
                ((), SECRETS, "kv-claims", ()),
                ((KEYS,), "Key Lister", "rg-claims", (broad("orders", "Key Lister", "rg-claims", "medium"),)),
                ((KEYS,), "Key Lister", "st-claims", ()),
                ((NETWORK,), "Network Owner", HERE, (broad("orders", "Network Owner", HERE, "medium"),)),
                ((NETWORK,), "Network Owner", "rg-claims", ()),
                ((BUS_DATA,), "Bus Data Owner", HERE, (broad("orders", "Bus Data Owner", HERE, "medium"),)),
                ((BUS_DATA,), "Bus Data Owner", "rg-claims", ()),
                ((), "Reader", HERE, ()),
                ((), SENDER, "st-claims", ()),
                (
                    (UNBOUNDED,),
                    "Plain Grantor",
                    "rg-claims",
                    (broad("orders", "Plain Grantor", "rg-claims", "high"),),
                ),
                ((BOUNDED,), "Bounded Grantor", HERE, ()),
                ((HARMLESS,), "Everything but writing", HERE, ()),
            )
        ),
        Scenario((ORDERS,), (Granted("orders", ADMINISTRATOR, HERE, GRANTOR),)),
        Scenario(
            (ORDERS,),
            (Granted("orders", ADMINISTRATOR, HERE),),
            (broad("orders", ADMINISTRATOR, HERE, "critical"),),
            1,
        ),
        Scenario((ORDERS,), (Granted("Dana", OWNER, HERE),), (broad("Dana", OWNER, HERE, "critical"),), 1),
        Scenario(
            (ORDERS,),
            (Granted("pipeline", OWNER, "the other subscription"),),
            (broad("pipeline", OWNER, "the other subscription", "critical"),),
            1,
        ),
        Scenario(
            (*PLAIN, HOLDERS),
            (Granted("Dana", OWNER, HERE), Granted("orders", OWNER, HERE)),
            (OWNER_HERE,),
            1,
        ),
        Scenario(
            (*PLAIN, EVERY_GRANT),
            (Granted("orders", "Reader", "rg-claims"), Granted("Dana", "Reader", "rg-claims")),
            (broad("orders", "Reader", "rg-claims", "low"),),
            1,
        ),
        Scenario(
            (ORDERS, UNREAD),
            (Granted("orders", OWNER, HERE), Granted("orders", "Reader", HERE)),
            (broad("orders", "", HERE, "critical"),),
            1,
        ),
        Scenario(PLAIN, (Granted("orders", OWNER, "the management group"), Passes(60))),
        Scenario(
            (ORDERS,),
            (Granted("orders", OWNER, "the management group"), Reconciled()),
            (broad("orders", OWNER, "the management group", "critical"),),
            1,
        ),
        Scenario(
            (ORDERS,),
            (Granted("orders", ACCESS, "the tenant root"), Reconciled()),
            (broad("orders", ACCESS, "the tenant root", "critical"),),
            1,
        ),
        Scenario(
            PLAIN,
            (Granted("orders", OWNER, HERE), Revoked("orders", OWNER, HERE), Passes(6)),
            (resolved(OWNER_HERE),),
            1,
        ),
        Scenario(
            PLAIN,
            (
                Granted("orders", OWNER, HERE),
                Revoked("orders", OWNER, HERE),
                Passes(6),
                Granted("orders", OWNER, HERE),
            ),
            (OWNER_HERE, resolved(OWNER_HERE)),
            2,
        ),
        Scenario((ORDERS, Holds("orders", OWNER, HERE)), (WrittenAgain("orders", OWNER, HERE),)),
        Scenario(
            (ORDERS,), (Granted("orders", OWNER, HERE), WrittenAgain("orders", OWNER, HERE)), (OWNER_HERE,), 1
        ),
        Scenario(
            (ORDERS, Holds("orders", CONTRIBUTOR, HERE)),
            (NameReused("orders", CONTRIBUTOR, HERE, "Dana"), Passes(6)),
            (broad("Dana", CONTRIBUTOR, HERE, "high"), missing("orders", CONTRIBUTOR, HERE)),
            2,
        ),
        Scenario(
            (ORDERS,),
            (Recreated("orders"), Granted("orders", OWNER, HERE)),
            (RECREATED, OWNER_HERE),
            2,
        ),
    ),
    "Grants that automation makes": (
        Scenario(
            (ORDERS,),
            (Granted("Dana", CONTRIBUTOR, HERE, by="PIM"),),
            (broad("Dana", CONTRIBUTOR, HERE, "high"),),
            1,
        ),
        Scenario(
            (*PLAIN, PIM),
            (
                Granted("Dana", CONTRIBUTOR, HERE, by="PIM"),
                Passes(480),
                Revoked("Dana", CONTRIBUTOR, HERE),
                Reconciled(),
                Passes(6),
            ),
        ),
        Scenario(
            (ORDERS, PIM),
            (Granted("Dana", CONTRIBUTOR, HERE), Granted("pipeline", CONTRIBUTOR, HERE, by="PIM")),
            (broad("Dana", CONTRIBUTOR, HERE, "high"),),
            1,
        ),
        Scenario(
            (ORDERS, PIM),
            (Granted("Dana", OWNER, HERE, by="PIM"),),
            (broad("Dana", OWNER, HERE, "critical"),),
            1,
        ),
        Scenario(
            (*PLAIN, PIM),
            (
                Granted("orders", SENDER, "st-claims", by="PIM"),
                Passes(60),
                Revoked("orders", SENDER, "st-claims"),
                Passes(6),
            ),
        ),
        Scenario(
            (ORDERS, CLUSTER),
            (
                Granted("orders", SENDER, "st-claims", by="AKS"),
                Passes(60),
                Revoked("orders", SENDER, "st-claims"),
                Passes(6),
            ),
            (missing("orders", SENDER, "st-claims"),),
            1,
        ),
        Scenario((ORDERS, CLUSTER), (Granted("nodes", CONTRIBUTOR, "rg-nodes", by="AKS"), Reconciled())),
        Scenario(
            (ORDERS, CLUSTER),
            (Granted("orders", CONTRIBUTOR, "rg-claims", by="AKS"), Deleted("orders"), Passes(6)),
            (REMOVED, orphaned("orders", CONTRIBUTOR, "rg-claims")),
            2,
        ),
        Scenario(
            (ORDERS, Listed("AKS", "alert")),
            (Granted("nodes", CONTRIBUTOR, "rg-nodes", by="AKS"),),
            (broad("nodes", CONTRIBUTOR, "rg-nodes", "medium"),),
            1,
        ),
    ),
    "An assignment that is left behind": (
        Scenario(PLAIN, (Deleted("orders"), Passes(4)), (REMOVED,), 1),
        Scenario(
            PLAIN, (Deleted("orders"), Revoked("orders", SECRETS, "kv-claims"), Passes(10)), (REMOVED,), 1
        ),
        Scenario(
            PLAIN,
            (Deleted("orders"), Passes(6), Revoked("orders", SECRETS, "kv-claims"), Passes(6)),
            (REMOVED, resolved(LEFT_VAULT)),
            2,
        ),
        Scenario(
            PLAIN,
            (Deleted("orders"), Passes(6), Accepted("orphaned-assignment"), Reconciled(), Passes(60)),
            (REMOVED, accepted(LEFT_VAULT)),
            2,
        ),
        Scenario(
            PLAIN,
            (Deleted("orders"), Granted("orders", SENDER, "st-claims"), Passes(6)),
            (REMOVED, LEFT_VAULT, orphaned("orders", SENDER, "st-claims")),
            2,
        ),
        Scenario(PLAIN, (Deleted("orders"), Passes(6), Passes(1440)), (REMOVED, LEFT_VAULT), 2),
    ),
    "A principal that Entra ID no longer has": (
        Scenario((GRAPH, *PIPELINE, *PEOPLE, *TEAMS), (ASKED, ASKED_AGAIN, ASKED)),
        Scenario(
            (GRAPH, *PIPELINE), (InEntra("pipeline", "purged"), ASKED, ASKED_AGAIN), (LEFT_PIPELINE,), 1
        ),
        Scenario((GRAPH, *PIPELINE), (InEntra("pipeline", "purged"), ASKED, Passes(58))),
        Scenario((GRAPH, *PIPELINE), (InEntra("pipeline", "purged"), ASKED, ASKED, ASKED, Passes(58))),
        Scenario(
            (GRAPH, *PIPELINE),
            (InEntra("pipeline", "purged"), ASKED, ASKED_AGAIN, Passes(360), ASKED, ASKED_AGAIN),
            (LEFT_PIPELINE,),
            1,
        ),
        Scenario(
            (GRAPH, *PIPELINE),
            (
                InEntra("pipeline", "purged"),
                ASKED,
                Passes(30),
                InEntra("pipeline", "restored"),
                ASKED_AGAIN,
                ASKED,
            ),
        ),
        Scenario(
            (GRAPH, *PIPELINE),
            (
                InEntra("pipeline", "purged"),
                ASKED,
                Passes(30),
                InEntra("pipeline", "restored"),
                ASKED,
                InEntra("pipeline", "purged"),
                ASKED,
                Passes(45),
            ),
        ),
        Scenario(
            (GRAPH, *PIPELINE), (InEntra("pipeline", "deleted"), ASKED, ASKED_AGAIN, ASKED, ASKED_AGAIN)
        ),
        Scenario(
            (GRAPH, *PIPELINE),
            (InEntra("pipeline", "deleted"), ASKED, InEntra("pipeline", "purged"), ASKED, ASKED_AGAIN),
            (LEFT_PIPELINE,),
            1,
        ),
        Scenario(
            (GRAPH, *PIPELINE),
            (InEntra("pipeline", "purged"), ASKED, ASKED_AGAIN, InEntra("pipeline", "restored"), ASKED),
            (resolved(LEFT_PIPELINE),),
            1,
        ),
        Scenario(
            (GRAPH, *PIPELINE),
            (
                InEntra("pipeline", "purged"),
                ASKED,
                ASKED_AGAIN,
                Revoked("pipeline", CONTRIBUTOR, "rg-claims"),
                Passes(1),
            ),
            (resolved(LEFT_PIPELINE),),
            1,
        ),
        Scenario(
            (GRAPH, *PIPELINE),
            (
                InEntra("pipeline", "purged"),
                ASKED,
                ASKED_AGAIN,
                Accepted("orphaned-assignment"),
                ASKED,
                ASKED_AGAIN,
            ),
            (accepted(LEFT_PIPELINE),),
            1,
        ),
        Scenario(
            (GRAPH, *PLAIN, Holds("pipeline", OWNER, HERE)),
            (InEntra("pipeline", "purged"), ASKED, ASKED_AGAIN),
            (orphaned("pipeline", OWNER, HERE, "critical"),),
            1,
        ),
        Scenario(
            (GRAPH, *PLAIN, *PEOPLE),
            (InEntra("Dana", "purged"), ASKED, ASKED_AGAIN),
            (orphaned("Dana", CONTRIBUTOR, "rg-claims"),),
            1,
        ),
        Scenario(
            (GRAPH, *PLAIN, *TEAMS),
            (InEntra("team-ops", "purged"), ASKED, ASKED_AGAIN),
            (orphaned("team-ops", CONTRIBUTOR, "rg-claims"),),
            1,
        ),
        Scenario(
            (GRAPH, *PLAIN, TEAMS[0]),
            (InEntra("team-ops", "purged"), ASKED, ASKED_AGAIN),
            (gap("directory"),),
            1,
        ),
        Scenario(
            (GRAPH, *PIPELINE),
            (InEntra("orders", "purged"), InEntra("pipeline", "purged"), ASKED, ASKED_AGAIN),
            (gap("directory"),),
            1,
        ),
        Scenario(
            (GRAPH, PIPELINE_WRITES),
            (InEntra("pipeline", "purged"), ASKED, ASKED_AGAIN),
            (gap("directory"),),
            1,
        ),
        *(
            Scenario(
                (GRAPH, *PIPELINE),
                (InEntra("pipeline", "purged"), Fails(status, *what), ASKED, ASKED_AGAIN, ASKED, ASKED_AGAIN),
                (gap("directory"),),
                1,
            )
            for what in (NO_GRAPH, NO_DELETED)
            for status in (403, 429, 500)
        ),
        Scenario(
            (GRAPH, *PIPELINE),
            (Fails(429, *NO_GRAPH), ASKED, Passes(5), Mended(), ASKED, Passes(60)),
        ),
        Scenario(
            (GRAPH, *PIPELINE),
            (
                InEntra("pipeline", "purged"),
                Fails(403, *NO_GRAPH),
                ASKED,
                ASKED_AGAIN,
                Mended(),
                ASKED,
                ASKED_AGAIN,
            ),
            (resolved(gap("directory")), LEFT_PIPELINE),
            2,
        ),
        Scenario(
            (GRAPH, *PIPELINE),
            (
                InEntra("pipeline", "purged"),
                ASKED,
                ASKED_AGAIN,
                Fails(403, *NO_GRAPH),
                InEntra("pipeline", "restored"),
                ASKED,
                ASKED_AGAIN,
            ),
            (LEFT_PIPELINE, gap("directory")),
            2,
        ),
        Scenario(PIPELINE, (InEntra("pipeline", "purged"), ASKED, ASKED_AGAIN, ASKED)),
        Scenario(
            (GRAPH, *PLAIN, App("refunds"), Holds("refunds", SENDER, "st-claims")),
            (InEntra("refunds", "purged"), ASKED, ASKED_AGAIN),
            (orphaned("refunds", SENDER, "st-claims"),),
            1,
        ),
        Scenario(
            (GRAPH, *PLAIN, App("refunds"), Holds("refunds", SENDER, "st-claims")),
            (Deleted("refunds"), Passes(6), ASKED, ASKED_AGAIN),
            (churn("refunds", "removed"), orphaned("refunds", SENDER, "st-claims")),
            2,
        ),
    ),
    "Access that is missing": (
        Scenario(PLAIN, (Revoked("orders", SECRETS, "kv-claims"), Passes(4))),
        Scenario(PLAIN, (Revoked("orders", SECRETS, "kv-claims"), Passes(6)), (LACKS_VAULT,), 1),
        Scenario(
            PLAIN,
            (Revoked("orders", SECRETS, "kv-claims"), Granted("orders", SECRETS, "kv-claims"), Passes(10)),
        ),
        Scenario(
            PLAIN,
            (
                Revoked("orders", SECRETS, "kv-claims"),
                Passes(6),
                Granted("orders", SECRETS, "kv-claims"),
                Passes(6),
            ),
            (resolved(LACKS_VAULT),),
            1,
        ),
        Scenario(
            PLAIN,
            (
                Revoked("orders", SECRETS, "kv-claims"),
                Passes(6),
                Accepted("missing-grant"),
                Passes(6),
                Recreated("orders"),
                Passes(6),
            ),
            (RECREATED, accepted(LACKS_VAULT), IDLE),
            3,
        ),
        Scenario(
            (ORDERS,),
            (Granted("orders", SENDER, "st-claims"), Revoked("orders", SENDER, "st-claims"), Passes(6)),
            (missing("orders", SENDER, "st-claims"),),
            1,
        ),
        Scenario((Holds("Dana", SECRETS, "kv-claims"),), (Revoked("Dana", SECRETS, "kv-claims"), Passes(6))),
    ),
    "An identity that is granted nothing": (
        Scenario((ORDERS,), (Passes(60), Reconciled()), (IDLE,)),
        Scenario(PLAIN, (App("refunds"), Passes(4))),
        Scenario(PLAIN, (App("refunds"), Passes(6)), (ungranted("refunds"),), 1),
        Scenario(PLAIN, (App("refunds"), Passes(3), Granted("refunds", SENDER, "st-claims"), Passes(10))),
        Scenario(
            PLAIN,
            (App("refunds"), Passes(6), Granted("refunds", SENDER, "st-claims"), Passes(1)),
            (resolved(ungranted("refunds")),),
            1,
        ),
        Scenario(
            PLAIN,
            (App("refunds"), Passes(6), Accepted("ungranted-identity"), Passes(60), Reconciled()),
            (accepted(ungranted("refunds")),),
            1,
        ),
        Scenario(
            PLAIN, (untold(App("refunds")), Passes(60), Reconciled(), Passes(6)), (ungranted("refunds"),), 1
        ),
        Scenario(PLAIN, (App("refunds", identity="none"), Passes(60))),
        Scenario(
            PLAIN,
            (App("refunds", identity="none"), Switched("refunds", "on"), Passes(6)),
            (churn("refunds", "added", "low"), ungranted("refunds")),
            2,
        ),
        Scenario(PLAIN, (Revoked("orders", SECRETS, "kv-claims"), Passes(60)), (LACKS_VAULT,), 1),
        Scenario(
            PLAIN,
            (Revoked("orders", SECRETS, "kv-claims"), Passes(6), Accepted("missing-grant"), Passes(6)),
            (accepted(LACKS_VAULT), IDLE),
            2,
        ),
        Scenario(PLAIN, (SPARE, Passes(60), Reconciled())),
        Scenario(
            (BILLING, BILLING_READS, SPARE),
            (Uses("billing", ("id-spare",), own=True), Passes(6)),
            (churn("billing", "added", "low"), ungranted("id-spare")),
            2,
        ),
    ),
    "An identity that is shared": (
        Scenario((*USES_SHARED, App("refunds", uses=("id-shared",))), (Redeployed("refunds"), Reconciled())),
        Scenario((*USES_SHARED, REFUNDS_SHARES), (Redeployed("refunds"), Reconciled()), (CARRIED_ACROSS,)),
        Scenario(
            (*USES_SHARED, REFUNDS_SHARES, App("returns", "rg-back", uses=("id-shared",), elsewhere=True)),
            (Redeployed("refunds"), Reconciled()),
            (CARRIED_ACROSS,),
        ),
        Scenario(USES_SHARED, (App("refunds", uses=("id-shared",)), Passes(6))),
        Scenario(USES_SHARED, (REFUNDS_SHARES, Passes(6)), (CARRIED_ACROSS,), 1),
        Scenario(USES_SHARED, (App("refunds", uses=("id-shared",), elsewhere=True),), (CARRIED_ACROSS,), 1),
        Scenario(
            (SHARED, SHARED_SENDS, App("orders", uses=("id-shared",), environment="production")),
            (App("refunds", uses=("id-shared",), environment="test"),),
            (CARRIED_ACROSS,),
            1,
        ),
        Scenario(
            (SHARED, SHARED_SENDS, App("orders", uses=("id-shared",), environment="production")),
            (App("refunds", uses=("id-shared",)), Tagged("refunds", "Production")),
        ),
        Scenario(
            (
                SHARED,
                SHARED_SENDS,
                App("orders", uses=("id-shared",), environment="production"),
                App("refunds", uses=("id-shared",), environment="production"),
            ),
            (Tagged("refunds", "test"), Tagged("refunds", "production")),
            (resolved(CARRIED_ACROSS),),
            1,
        ),
        Scenario(
            USES_SHARED,
            (REFUNDS_SHARES, App("returns", "rg-apps", uses=("id-shared",))),
            (CARRIED_ACROSS,),
            1,
        ),
        Scenario(
            USES_SHARED,
            (REFUNDS_SHARES, App("returns", "rg-back", uses=("id-shared",))),
            (CARRIED_ACROSS,),
            2,
        ),
        Scenario(
            (*USES_SHARED, REFUNDS_SHARES),
            (App("returns", "rg-back", uses=("id-shared",)),),
            (CARRIED_ACROSS,),
            1,
        ),
        Scenario(
            USES_SHARED,
            (REFUNDS_SHARES, Accepted("shared-identity"), Redeployed("refunds"), Reconciled()),
            (accepted(CARRIED_ACROSS),),
            1,
        ),
        Scenario(
            USES_SHARED,
            (REFUNDS_SHARES, Accepted("shared-identity"), App("returns", "rg-back", uses=("id-shared",))),
            (CARRIED_ACROSS,),
            2,
        ),
        Scenario(
            (*USES_SHARED, REFUNDS_SHARES),
            (Deleted("id-shared"), CreatedAgain("id-shared"), Granted("id-shared", SENDER, "st-claims")),
            (churn("id-shared", "recreated"), CARRIED_ACROSS),
            2,
        ),
        Scenario(
            USES_SHARED,
            (REFUNDS_SHARES, Deleted("refunds")),
            (churn("refunds", "removed"), resolved(CARRIED_ACROSS)),
            2,
        ),
    ),
    "A role or a condition that widens": (
        Scenario((TIDIER, ORDERS, Holds("orders", "Tidier", HERE)), (TIDIER, Reconciled())),
        Scenario((TIDIER, *PLAIN), (TIDIEST,)),
        Scenario(
            (TIDIER, ORDERS, Holds("orders", "Tidier", HERE)),
            (TIDIEST, Reconciled()),
            (widened("Tidier", HERE, "critical"),),
            1,
        ),
        Scenario(
            (TIDIER, ORDERS, Holds("orders", "Tidier", HERE)),
            (TIDIEST, TIDIER),
            (resolved(widened("Tidier", HERE, "critical")),),
            1,
        ),
        Scenario(
            (TIDIER, ORDERS, Holds("orders", "Tidier", HERE)),
            (TIDIEST, Accepted("role-widened"), Reconciled()),
            (accepted(widened("Tidier", HERE, "critical")),),
            1,
        ),
        Scenario(
            (TIDIEST, ORDERS, Holds("orders", "Tidier", HERE)),
            (TIDIER, Passes(6), Reconciled()),
        ),
        Scenario(
            (TIDIER, ORDERS, Holds("orders", "Tidier", HERE)),
            (untold(TIDIEST), Passes(60), Reconciled()),
            (widened("Tidier", HERE, "critical"),),
            1,
        ),
        Scenario(
            (TIDIER, ORDERS, Holds("orders", "Tidier", HERE)),
            (twice(TIDIEST, TIDIER), Passes(6)),
        ),
        Scenario(
            (ORDERS, Holds("orders", ADMINISTRATOR, HERE, GRANTOR)),
            (WrittenAgain("orders", ADMINISTRATOR, HERE, ""), Passes(6)),
            (weakened("orders", "removed", ADMINISTRATOR, HERE, "critical"),),
            1,
        ),
        Scenario(READS_INCOMING, (WrittenAgain("orders", READER, "st-claims"), Passes(6))),
        Scenario(
            READS_INCOMING,
            (WrittenAgain("orders", READER, "st-claims", ""), Passes(6)),
            (weakened("orders", "removed", READER, "st-claims"),),
            1,
        ),
        Scenario(
            READS_INCOMING,
            (WrittenAgain("orders", READER, "st-claims", BOTH), Passes(6)),
            (weakened("orders", "widened", READER, "st-claims"),),
            1,
        ),
        Scenario(
            (ORDERS, Holds("orders", READER, "st-claims", BOTH)),
            (WrittenAgain("orders", READER, "st-claims", INCOMING), Passes(6)),
            (missing("orders", READER, "st-claims"),),
            1,
        ),
        Scenario(
            READS_INCOMING,
            (
                WrittenAgain("orders", READER, "st-claims", ""),
                WrittenAgain("orders", READER, "st-claims", INCOMING),
            ),
            (resolved(weakened("orders", "removed", READER, "st-claims")),),
            1,
        ),
        Scenario(
            READS_INCOMING,
            (
                WrittenAgain("orders", READER, "st-claims", ""),
                Accepted("condition-weakened"),
                Reconciled(),
                Passes(6),
            ),
            (accepted(weakened("orders", "removed", READER, "st-claims")),),
            1,
        ),
        Scenario(
            (ORDERS, Holds("orders", CONTRIBUTOR, HERE, INCOMING)),
            (WrittenAgain("orders", CONTRIBUTOR, HERE, ""),),
            (weakened("orders", "removed", CONTRIBUTOR, HERE, "high"),),
            1,
        ),
    ),
    "A workflow's definition": (
        Scenario((ORDERS,), (Defined("orders", "plain"), Reconciled())),
        Scenario((ORDERS,), (Defined("orders", "careless"),), careless("orders"), 1),
        Scenario(
            (ORDERS,),
            (Defined("orders", "careless"), Defined("orders", "plain")),
            tuple(map(resolved, careless("orders"))),
            1,
        ),
        Scenario(
            (ORDERS, Defined("orders", "careless")), (Redeployed("orders"), Reconciled()), careless("orders")
        ),
        Scenario(
            (ORDERS, Defined("orders", "careless")),
            (Recreated("orders"), Passes(2)),
            (RECREATED, *careless("orders"), IDLE),
            1,
        ),
        Scenario(PLAIN, (together(App("refunds"), Defined("refunds", "careless")),), careless("refunds"), 1),
        Scenario(
            PLAIN,
            (untold(Defined("orders", "careless")), Passes(60), Reconciled()),
            careless("orders"),
            1,
        ),
        Scenario(
            (ORDERS,),
            (Defined("orders", "dangling"),),
            (Expected("dangling-identity", "orders", "medium"),),
            1,
        ),
    ),
    "Workflows of a Standard app": (
        Scenario((BILLING,), (Filed("billing", "plain"), Redeployed("billing"), Reconciled())),
        Scenario((BILLING,), (Filed("billing", "careless"),), careless("billing"), 1),
        Scenario(
            (BILLING, Slot("billing/staging")),
            (Filed("billing/staging", "careless"),),
            careless("billing/staging"),
            1,
        ),
        Scenario(
            (BILLING, Filed("billing", "careless")),
            (Redeployed("billing"), Reconciled()),
            careless("billing"),
        ),
        Scenario(
            (BILLING, BILLING_READS),
            (untold(Filed("billing", "careless")), Passes(60), Reconciled()),
            careless("billing"),
            1,
        ),
        Scenario(
            (BILLING, Filed("billing", "careless")),
            (RUNTIME_DOWN, Filed("billing", "plain"), Reconciled()),
            careless("billing"),
        ),
        Scenario(
            (BILLING, BILLING_READS, RUNTIME_DOWN, Filed("billing", "careless")),
            (Mended(), Reconciled()),
            careless("billing"),
        ),
        Scenario(
            (BILLING, BILLING_READS, Filed("billing", "careless")),
            (RUNTIME_DOWN, Filed("billing", "plain"), Mended(), Reconciled()),
            tuple(map(resolved, careless("billing"))),
        ),
        Scenario(
            (BILLING,),
            (Filed("billing", "dangling"),),
            (Expected("dangling-identity", "billing", "medium"),),
            1,
        ),
    ),
    "Events that come as they will": (
        Scenario(PLAIN, (twice(Recreated("orders")), Passes(6)), (RECREATED, LACKS_VAULT, LEFT_VAULT), 2),
        Scenario(PLAIN, (backwards(Recreated("orders")), Passes(6)), (RECREATED, LACKS_VAULT, LEFT_VAULT), 2),
        Scenario(PLAIN, (late(40, Recreated("orders")), Passes(50)), (RECREATED, LACKS_VAULT, LEFT_VAULT), 2),
        Scenario(PLAIN, (untold(Recreated("orders")), Passes(60))),
        Scenario(
            (*PLAIN, READS_GROUP),
            (
                late(10, Deleted("orders"), Revoked("orders", "Reader", "rg-claims")),
                Revoked("orders", SECRETS, "kv-claims"),
                Passes(20),
            ),
            (REMOVED,),
            1,
        ),
        Scenario(
            (*PLAIN, READS_GROUP),
            (
                late(10, Recreated("orders"), Revoked("old orders", "Reader", "rg-claims")),
                Granted("orders", SECRETS, "kv-claims"),
                Granted("orders", "Reader", "rg-claims"),
                Revoked("old orders", SECRETS, "kv-claims"),
                Passes(20),
            ),
            (RECREATED,),
            1,
        ),
        Scenario(
            PLAIN,
            (untold(Recreated("orders")), Passes(60), Reconciled(), Passes(6)),
            (RECREATED, LACKS_VAULT, LEFT_VAULT),
            2,
        ),
        Scenario(
            (*PLAIN, READS_GROUP),
            (
                Recreated("orders"),
                Granted("orders", SECRETS, "kv-claims"),
                Granted("orders", "Reader", "rg-claims"),
                untold(Revoked("old orders", SECRETS, "kv-claims")),
                late(5.25, Revoked("old orders", "Reader", "rg-claims")),
                Passes(10),
            ),
            (RECREATED,),
            1,
        ),
        Scenario(
            PLAIN,
            (
                Revoked("orders", SECRETS, "kv-claims"),
                untold(Granted("orders", SECRETS, "kv-claims")),
                late(5.25, Redeployed("orders")),
                Passes(10),
            ),
        ),
        Scenario(
            PLAIN,
            (Deleted("orders"), Passes(60), Granted("orders", SENDER, "st-claims"), Passes(1)),
            (REMOVED, LEFT_VAULT, orphaned("orders", SENDER, "st-claims")),
            3,
        ),
        Scenario((ORDERS,), (twice(Granted("orders", OWNER, HERE)),), (OWNER_HERE,), 1),
        Scenario((ORDERS,), (untold(Granted("orders", OWNER, HERE)), Reconciled()), (OWNER_HERE,), 1),
        Scenario(
            (ORDERS,),
            (late(30, Granted("orders", OWNER, HERE)), Reconciled(), Passes(40)),
            (OWNER_HERE,),
            1,
        ),
        Scenario(
            PLAIN,
            (together(Granted("orders", OWNER, HERE), Revoked("orders", OWNER, HERE)), Passes(6)),
        ),
        Scenario(
            PLAIN,
            (backwards(Granted("orders", OWNER, HERE), Revoked("orders", OWNER, HERE)), Passes(6)),
        ),
        Scenario(
            PLAIN,
            (untold(Granted("orders", OWNER, HERE)), Revoked("orders", OWNER, HERE), Passes(6)),
        ),
        Scenario(
            PLAIN,
            (
                twice(
                    backwards(
                        Revoked("orders", SECRETS, "kv-claims"), Granted("orders", SECRETS, "kv-claims")
                    )
                ),
                Passes(10),
            ),
        ),
        Scenario(
            PLAIN,
            (untold(Revoked("orders", SECRETS, "kv-claims")), Passes(60), Reconciled(), Passes(6)),
            (LACKS_VAULT,),
            1,
        ),
        Scenario(
            (ORDERS,),
            (Lags(20), Granted("orders", OWNER, HERE), Passes(3)),
            (OWNER_HERE,),
            1,
        ),
        Scenario(PLAIN, (Lags(20), Recreated("orders"), Passes(10)), (RECREATED, LACKS_VAULT, LEFT_VAULT), 2),
        Scenario(PLAIN, (Lags(20), Redeployed("orders"), Passes(10), Reconciled(), Passes(10))),
        Scenario(
            PLAIN,
            (Storm(35, CONTRIBUTOR, HERE), Passes(2)),
            tuple(broad(f"P{n}", CONTRIBUTOR, HERE, "high") for n in range(35)),
            21,
        ),
    ),
    "Azure that does not answer": (
        Scenario(
            PLAIN,
            (Fails(403), Redeployed("orders"), Reconciled(), Passes(30)),
            (gap("unreadable", HERE), gap("unreadable", "the other subscription")),
            2,
        ),
        *(
            Scenario(PLAIN, (Fails(status), Redeployed("orders"), Reconciled(), Passes(30)))
            for status in (429, 500)
        ),
        *(
            Scenario(
                PLAIN,
                (Fails(status), Recreated("orders"), Passes(2), Mended(), Passes(240)),
                (RECREATED, LACKS_VAULT, LEFT_VAULT),
                2,
            )
            for status in (403, 429, 500)
        ),
        Scenario(
            (ORDERS,),
            (Fails(429), Granted("orders", OWNER, HERE), Passes(2), Mended(), Passes(60)),
            (OWNER_HERE,),
            1,
        ),
        Scenario(
            PLAIN,
            (
                Fails(403, "the listing of logic apps", "*workflows"),
                Reconciled(),
                Mended(),
                Passes(10),
                Reconciled(),
            ),
            (resolved(gap("unreadable", HERE)), resolved(gap("unreadable", "the other subscription"))),
            2,
        ),
        Scenario(
            PLAIN,
            (
                untold(Granted("Dana", OWNER, HERE)),
                Passes(360),
                Reconciled(),
                untold(Granted("pipeline", OWNER, HERE)),
                Passes(360),
                Reconciled(),
            ),
            (
                broad("Dana", OWNER, HERE, "critical"),
                broad("pipeline", OWNER, HERE, "critical"),
                gap("events", HERE),
            ),
            3,
        ),
        Scenario(
            PLAIN,
            (
                Fails(500, "the listing of role assignments", "*roleassignments"),
                Reconciled(),
                Passes(10),
                Mended(),
                Reconciled(),
            ),
        ),
        Scenario(
            (ORDERS,),
            (Channel("down"), Granted("orders", OWNER, HERE), Passes(5), Channel("up"), Passes(30)),
            (OWNER_HERE,),
            1,
        ),
    ),
    "Exceptions and acceptance": (
        Scenario(
            (ORDERS, OWNER_EXCEPTED),
            (Granted("orders", OWNER, HERE),),
            (suppressed(OWNER_HERE),),
        ),
        Scenario(
            (ORDERS, OWNER_EXCEPTED),
            (Granted("orders", OWNER, HERE), Granted("orders", CONTRIBUTOR, HERE)),
            (suppressed(OWNER_HERE), broad("orders", CONTRIBUTOR, HERE, "high")),
            1,
        ),
        Scenario(
            (ORDERS, OWNER_EXCEPTED),
            (Granted("orders", OWNER, "rg-claims"), Granted("Dana", OWNER, HERE)),
            (broad("orders", OWNER, "rg-claims", "high"), broad("Dana", OWNER, HERE, "critical")),
            2,
        ),
        Scenario(
            (ORDERS, Excepted("broad-grant", "orders", OWNER, HERE, "2026-11-24T12:00:00Z")),
            (Granted("orders", OWNER, HERE), Passes(180)),
            (OWNER_HERE,),
            1,
        ),
        Scenario(
            (*PLAIN, Excepted("missing-grant", "orders", SECRETS, "kv-claims", YEAR_END)),
            (Recreated("orders"), Passes(6)),
            (RECREATED, suppressed(LACKS_VAULT), LEFT_VAULT),
            2,
        ),
        Scenario(
            (ORDERS,), (Granted("orders", OWNER, HERE), Accepted("broad-grant")), (accepted(OWNER_HERE),), 1
        ),
        Scenario(
            (ORDERS,),
            (
                Granted("orders", OWNER, HERE),
                Accepted("broad-grant"),
                Recreated("orders"),
                Granted("orders", OWNER, HERE),
                Revoked("old orders", OWNER, HERE),
                Passes(6),
            ),
            (accepted(OWNER_HERE), RECREATED),
            2,
        ),
        Scenario(
            (ORDERS,),
            (Granted("orders", OWNER, HERE), Accepted("broad-grant", 2), Passes(60)),
            (accepted(OWNER_HERE),),
            1,
        ),
        Scenario(
            (ORDERS,),
            (Granted("orders", OWNER, HERE), Accepted("broad-grant", 2), Passes(180)),
            (OWNER_HERE,),
            2,
        ),
        Scenario(
            PLAIN,
            (
                Granted("orders", OWNER, HERE),
                Accepted("broad-grant", 2),
                Revoked("orders", OWNER, HERE),
                Passes(180),
            ),
            (resolved(OWNER_HERE),),
            1,
        ),
        Scenario(
            PLAIN,
            (Recreated("orders"), Accepted("identity-churn", 2), Passes(180)),
            (RECREATED, LACKS_VAULT, LEFT_VAULT),
            3,
        ),
        Scenario(
            PLAIN,
            (Recreated("orders"), Granted("orders", OWNER, HERE), TakenAnew()),
            (accepted(RECREATED), accepted(OWNER_HERE)),
            2,
        ),
    ),
}
"""By chapter."""
