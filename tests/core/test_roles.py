"""How far a role goes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lami.core.conditions import narrows
from lami.core.model import Permission, RoleDefinition
from lami.core.patterns import matches
from lami.core.roles import POWERS, PRIVILEGED, judge, powers
from tests.reach.roles import built_in

OWNER = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635"
CONTRIBUTOR = Permission(
    ("*",),
    (
        "Microsoft.Authorization/*/Delete",
        "Microsoft.Authorization/*/Write",
        "Microsoft.Authorization/elevateAccess/Action",
    ),
)
DELEGATE = (
    "((!(ActionMatches{'Microsoft.Authorization/roleAssignments/write'})) OR "
    "(@Request[Microsoft.Authorization/roleAssignments:RoleDefinitionId] "
    "ForAnyOfAnyValues:GuidEquals {4633458b-17de-408a-b874-0445c86b69e6}))"
)


def of(*actions: str, data: tuple[str, ...] = (), no: tuple[str, ...] = (), condition: str = "") -> set[str]:
    """The powers of one block."""
    return set(powers((Permission(actions, no, data, (), condition),)))


@pytest.mark.parametrize(
    ("actions", "expected"),
    [
        (("*/read",), {"reads"}),
        (("Microsoft.Logic/workflows/read",), {"reads"}),
        (("Microsoft.Authorization/roleAssignments/write",), {"grants-access"}),
        (("Microsoft.Authorization/*/action",), {"grants-access"}),
        (("microsoft.authorization/roledefinitions/*",), {"grants-access", "reads"}),
        (("Microsoft.Logic/workflows/write",), {"takes-identity"}),
        (("microsoft.web/SITES/publish/Action",), {"takes-identity"}),
        (("Microsoft.ManagedIdentity/userAssignedIdentities/*/assign/action",), {"takes-identity"}),
        (
            ("Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials/write",),
            {"takes-identity"},
        ),
        (("Microsoft.Storage/storageAccounts/listKeys/action",), {"reads-secrets"}),
        (("Microsoft.Never.Heard/of/*/listSecrets/action",), {"reads-secrets"}),
        (("Microsoft.Never.Heard/of/listKeys/*",), {"reads-secrets", "reads"}),
        (("Microsoft.Storage/storageAccounts/listKeys/*",), {"reads-secrets", "reads"}),
        (("Microsoft.DocumentDB/databaseAccounts/readonlykeys/action",), {"reads-secrets"}),
        (("Microsoft.Elastic/getOrganizationApiKey/action",), {"reads-secrets"}),
        (("Microsoft.NetApp/netAppAccounts/getKeyVaultStatus/action",), set()),
        (("Microsoft.Impact/getUploadToken/action",), set()),
        (("Microsoft.OperationalInsights/workspaces/sharedKeys/action",), {"reads-secrets"}),
        (("Microsoft.ClassicStorage/storageAccounts/*",), {"reads-secrets", "reads"}),
        (("Microsoft.Web/sites/publishxml/action",), {"takes-identity", "reads-secrets"}),
        (("Microsoft.Web/sites/hostruntime/*",), {"takes-identity", "reads-secrets", "reads"}),
        (("Microsoft.Compute/virtualMachines/runCommand/action",), set()),
        (("Microsoft.Storage/storageAccounts/blobServices/generateUserDelegationKey/action",), set()),
        (("Microsoft.Network/*",), {"writes-provider", "reads"}),
        (("Microsoft.Network/*/write",), {"writes-provider"}),
        (("Microsoft.Network/virtualNetworks/*",), {"reads"}),
        (("Microsoft.Support/*",), {"reads"}),
        (("*/write",), {"writes-all", "writes-provider", "takes-identity", "grants-access"}),
        (("*/delete",), set()),
        ((), set()),
        (("", "*" * 50, "//", "Microsoft.", "\0"), set(POWERS) - {"data-all"}),
    ],
)
def test_actions_to_powers(actions: tuple[str, ...], expected: set[str]) -> None:
    """Each class is reached by the operations that make it, and by no others."""
    assert of(*actions) == expected


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ("Microsoft.KeyVault/vaults/secrets/getSecret/action", {"reads-secrets"}),
        ("Microsoft.KeyVault/vaults/secrets/readMetadata/action", set()),
        ("Microsoft.KeyVault/vaults/certificates/*", {"reads-secrets", "reads"}),
        ("Microsoft.KeyVault/vaults/keys/unwrap/action", set()),
        ("Microsoft.ContainerService/fleets/members/secrets/read", {"reads-secrets", "reads"}),
        ("Microsoft.KeyVault/vaults/*/read", {"reads"}),
        ("Microsoft.KeyVault/vaults/*", {"reads-secrets", "reads"}),
        ("Microsoft.ServiceBus/*", {"data-all", "reads"}),
        ("*", {"data-all", "reads-secrets", "reads"}),
        ("Microsoft.Storage/storageAccounts/blobServices/containers/blobs/*", {"reads"}),
        ("Microsoft.Logic/workflows/write", set()),
    ],
)
def test_data_actions_to_powers(data: str, expected: set[str]) -> None:
    """Data actions are judged as data: they read secrets or all of a provider, and write no resource."""
    assert of(data=(data,)) == expected


def test_contributor_writes_everything_and_grants_nothing() -> None:
    """NotActions subtract: Contributor doesn't grant access, and still writes everything."""
    assert powers((CONTRIBUTOR,)) == POWERS[1:5] + POWERS[6:]


def test_blocks_add_up() -> None:
    """What one block takes back, another gives: notActions hold within their own block."""
    grant = Permission(("Microsoft.Authorization/roleAssignments/write",))
    assert "grants-access" in powers((CONTRIBUTOR, grant))


def test_a_secret_that_is_taken_back_is_none() -> None:
    """What notActions take back by name is not read, by whichever pattern it was given."""
    given = "Microsoft.Never.Heard/of/listKeys/*"
    assert of(given, no=("Microsoft.Never.Heard/of/listKeys/action",)) == {"reads"}
    assert of("Microsoft.Batch/batchAccounts/*", no=("*/listKeys/*",)) == {"reads"}


@pytest.mark.parametrize("no", ["*", "*/write", "Microsoft.*/*/write"])
def test_notactions_empty_a_wildcard(no: str) -> None:
    """A wildcard that notActions empty reaches no class of writing."""
    assert of("*/write", no=(no,)) & {"writes-all", "takes-identity", "grants-access"} == set()


def test_all_data_taken_back_is_none() -> None:
    """A provider's data of which nothing is left isn't all of its data."""
    verbs = tuple(f"Microsoft.ServiceBus/*/{verb}" for verb in ("read", "write", "delete", "action"))
    assert powers((Permission((), (), ("Microsoft.ServiceBus/*",), verbs),)) == ()
    assert "data-all" in powers((Permission((), (), ("Microsoft.ServiceBus/*",), verbs[1:]),))


def test_a_conditional_block_grants_only_beside_an_unconditional_twin() -> None:
    """A condition on role assignments narrows its block, not the block beside it."""
    action = ("Microsoft.Authorization/roleAssignments/write",)
    narrow = Permission(action, condition=DELEGATE)
    assert powers((narrow,)) == ()
    assert powers((narrow, Permission(action))) == ("grants-access",)


@pytest.mark.parametrize(
    ("condition", "narrow"),
    [
        (DELEGATE, True),
        (DELEGATE.upper(), True),
        ("", False),
        ("@Resource[Microsoft.Storage/storageAccounts/blobServices/containers:name] StringEquals 'a'", False),
        ("!(ActionMatches{'Microsoft.Authorization/roleAssignments/delete'})", False),
        ("((( this does not parse", False),
    ],
)
def test_what_narrows(condition: str, narrow: bool) -> None:
    """Only a condition on making role assignments narrows who can be granted what."""
    assert narrows(condition) is narrow
    held, readable = judge(RoleDefinition(OWNER, "Owner", (Permission(("*",)),)), condition)
    assert readable
    assert ("grants-access" in held) is not narrow
    assert "writes-all" in held


def test_an_unread_role_is_judged_by_the_privileged_list() -> None:
    """A role whose definition can't be read has the powers it is known for, or none, and says so."""
    path = f"/subscriptions/1/providers/Microsoft.Authorization/roleDefinitions/{OWNER.upper()}"
    assert judge(RoleDefinition(path, "", None), "") == (PRIVILEGED[OWNER], False)
    assert judge(RoleDefinition(OWNER, "", None), DELEGATE) == (PRIVILEGED[OWNER][1:], False)
    assert judge(RoleDefinition("4633458b-17de-408a-b874-0445c86b69e6", "", None), "") == ((), False)


def test_a_role_that_was_read_is_not_judged_by_its_name() -> None:
    """A custom role that borrows a privileged role's id still does only what it says."""
    assert judge(RoleDefinition(OWNER, "Owner", ()), "") == ((), True)


SEGMENTS = st.sampled_from(
    [
        "*",
        "Microsoft.Authorization",
        "Microsoft.Logic",
        "Microsoft.Web",
        "sites",
        "workflows",
        "roleAssignments",
    ]
)
VERBS = st.sampled_from(["*", "read", "write", "action", "listKeys/action", "assign/action"])
PATTERNS = st.builds(lambda parts, verb: "/".join([*parts, verb]), st.lists(SEGMENTS, max_size=3), VERBS)
BLOCKS = st.builds(
    Permission, *[st.lists(PATTERNS, max_size=4).map(tuple)] * 4, st.sampled_from(["", DELEGATE, "nonsense"])
)


@given(BLOCKS, st.lists(PATTERNS, max_size=4).map(tuple))
def test_notactions_never_add(block: Permission, more: tuple[str, ...]) -> None:
    """Whatever is taken back besides, no power is gained by it."""
    less = Permission(
        block.actions,
        block.not_actions + more,
        block.data_actions,
        block.not_data_actions + more,
        block.condition,
    )
    assert set(powers((less,))) <= set(powers((block,)))


@given(st.lists(BLOCKS, max_size=3).map(tuple), BLOCKS)
def test_blocks_never_take_away(blocks: tuple[Permission, ...], more: Permission) -> None:
    """A further block adds its own powers and takes none."""
    assert set(powers((*blocks, more))) == set(powers(blocks)) | set(powers((more,)))


@given(st.lists(BLOCKS, max_size=3).map(tuple))
def test_case_means_nothing(blocks: tuple[Permission, ...]) -> None:
    """Azure writes operations in any casing."""

    def upper(block: Permission) -> Permission:
        return Permission(
            tuple(p.upper() for p in block.actions),
            tuple(p.upper() for p in block.not_actions),
            tuple(p.upper() for p in block.data_actions),
            tuple(p.upper() for p in block.not_data_actions),
            block.condition.upper(),
        )

    assert powers(tuple(upper(block) for block in blocks)) == powers(blocks)


def oracle(pattern: str, text: str) -> bool:
    """Wildcard matching by definition, however slow."""
    if not pattern:
        return not text
    if pattern[0] == "*":
        return any(oracle(pattern[1:], text[at:]) for at in range(len(text) + 1))
    return bool(text) and pattern[0] == text[0] and oracle(pattern[1:], text[1:])


@given(st.text("ab*/", max_size=7), st.text("ab/", max_size=7))
def test_matching_equals_its_definition(pattern: str, text: str) -> None:
    """The linear matcher agrees with the definition of a wildcard."""
    assert matches(pattern, text) == oracle(pattern, text)


def test_hostile_wildcards_are_matched() -> None:
    """A pattern that would make a backtracking matcher run for ages gets its answer."""
    assert not matches("*a" * 50_000, "a" * 49_999 + "b")
    assert matches("*a" * 50_000, "a" * 50_000)
    many = tuple(f"Microsoft.X{number}/*/listKeys/action" for number in range(5_000))
    assert of(*many, no=("*",)) == set()


# --- Microsoft's own roles -------------------------------------------------------------------------


def test_the_privileged_list_agrees_with_the_definitions() -> None:
    """What is known of the privileged roles without asking is what their definitions say."""
    held = {role.id: powers(role.permissions or ()) for role in built_in() if role.id in PRIVILEGED}
    assert len(held) == 4  # Reservations Administrator is assignable outside subscriptions only.
    assert held == {id: PRIVILEGED[id] for id in held}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Reader", ("reads",)),
        ("Log Analytics Reader", ("reads",)),
        ("Cosmos DB Operator", ("reads",)),
        ("Cosmos DB Account Reader Role", ("reads-secrets", "reads")),
        ("Data Factory Contributor", ("reads-secrets", "reads")),
        ("Key Vault Secrets User", ("reads-secrets",)),
        ("Key Vault Reader", ("reads",)),
        ("Key Vault Contributor", ("writes-provider", "reads")),
        ("Key Vault Crypto Service Encryption User", ("reads",)),
        ("Storage Blob Data Contributor", ("reads",)),
        ("Azure Service Bus Data Sender", ("reads",)),
        ("Logic App Operator", ("reads",)),
        ("Logic App Contributor", ("takes-identity", "reads-secrets", "writes-provider", "reads")),
        ("Managed Identity Operator", ("takes-identity", "reads")),
        ("Network Contributor", ("writes-provider", "reads")),
        ("Virtual Machine Contributor", ("reads-secrets", "writes-provider", "reads")),
    ],
)
def test_well_known_roles(name: str, expected: tuple[str, ...]) -> None:
    """Roles that everybody knows come out as everybody expects."""
    (found,) = (role for role in built_in() if role.name == name)
    assert powers(found.permissions or ()) == expected
