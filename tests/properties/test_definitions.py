"""Workflow definitions of any shape: always an answer, small, and never with a secret in it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lami.arm.definition import MOST, read, read_workflows
from lami.core.model import Definition
from tests.properties.profiles import cases

SECRET = "s3cr3t-7Qx"
KEYS = st.sampled_from(
    (
        *("actions", "triggers", "parameters", "$connections", "type", "inputs", "authentication", "uri"),
        *("queries", "headers", "body", "value", "sig", "code", "api-key", "Authorization", "password"),
        *(
            "secret",
            "pfx",
            "identity",
            "audience",
            "runtimeConfiguration",
            "secureData",
            "properties",
            "else",
        ),
        *(
            "cases",
            "default",
            "tools",
            "subscribe",
            "host",
            "connection",
            "name",
            "id",
            "path",
            "defaultValue",
        ),
        *("connectionProperties", "subscriptionKey", "method", "A", "p"),
        *("managedApiConnections", "serviceProviderConnections", "parameterValues", "parameterSetName"),
        *("authProvider", "Type", "Identity", "connectionString", "key", "parameter", "triggerUrl", "api"),
        *("serviceProviderConfiguration", "serviceProviderId", "operationId", "referenceName"),
    )
)
WORDS = st.sampled_from(
    (
        *(
            "Http",
            "HttpWebhook",
            "ApiConnection",
            "ApiManagement",
            "Compose",
            "ParseJson",
            "Scope",
            "Response",
        ),
        *(
            "Basic",
            "Raw",
            "ClientCertificate",
            "ActiveDirectoryOAuth",
            "ManagedServiceIdentity",
            "securestring",
        ),
        *("inputs", "outputs", "get", "SystemAssigned", "@parameters('p')", "@{parameters('p')}", "@@"),
        *("ServiceProvider", "Key", "QueryString", "getSecret", "/serviceProviders/keyVault", "p"),
        *("@appsetting('p')", "@{appsetting('p')}"),
        *("https://kv.vault.azure.net/secrets/x", "https://management.azure.com/x/listKeys", "@body('A')"),
        *("@parameters('$connections')['p']['connectionId']", "/x/managedApis/keyvault", "/secrets/x/value"),
    )
)
SECRETS = st.sampled_from(
    (
        *(SECRET, f"Basic {SECRET}", f"Bearer {SECRET}", f"https://u:{SECRET}@x.vault.azure.net/{SECRET}"),
        *(f"https://x/?sig={SECRET}&code={SECRET}{SECRET}", f"@concat('{SECRET}', parameters('p'))"),
        *(f"@{{{SECRET}}}", f"https://{SECRET}.blob.core.windows.net/?sig={SECRET}", f"{{={SECRET}}}"),
        *(f"/subscriptions/s/managedApis/{SECRET}", f"parameters('{SECRET}')", f"@parameters('{SECRET}')"),
        *(f"@appsetting('{SECRET}')", f"@{{appsetting('{SECRET}')}}", f"Server=x;Password={SECRET}"),
    )
)
LEAVES = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), WORDS, SECRETS)
JSON = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(KEYS | st.text(max_size=4), inner, max_size=6)
    ),
    max_leaves=40,
)
ACTIONS = st.dictionaries(
    st.sampled_from("ABCD"),
    st.fixed_dictionaries(
        {"type": WORDS, "inputs": JSON},
        optional={"actions": JSON, "else": JSON, "runtimeConfiguration": JSON},
    )
    | st.fixed_dictionaries(
        {
            "type": st.just("Http"),
            "inputs": st.fixed_dictionaries(
                {
                    "uri": WORDS | SECRETS,
                    "authentication": st.dictionaries(KEYS, WORDS | SECRETS, max_size=6),
                },
                optional={"headers": st.dictionaries(KEYS, WORDS | SECRETS), "body": JSON, "method": WORDS},
            ),
        }
    ),
    max_size=4,
)
DEFINITIONS = JSON | st.fixed_dictionaries(
    {"actions": ACTIONS}, optional={"triggers": JSON, "parameters": JSON}
)
PARAMETERS = st.dictionaries(KEYS, JSON, max_size=3)

CONNECTIONS = st.dictionaries(
    KEYS, st.dictionaries(KEYS, st.dictionaries(KEYS, JSON, max_size=5), max_size=3)
)
FILES = st.fixed_dictionaries(
    {"workflow.json": st.fixed_dictionaries({"definition": DEFINITIONS}) | JSON},
    optional={"connections.json": CONNECTIONS | JSON, "parameters.json": PARAMETERS | JSON},
)


def answered(definition: object, parameters: dict[str, object]) -> Definition:
    """What was read, where there is a definition at all."""
    found = read(definition, parameters)
    assert (found is None) == (definition is None)
    return found or Definition()


@cases("definitions")
@given(DEFINITIONS, PARAMETERS)
def test_any_json_is_answered(definition: object, parameters: dict[str, object]) -> None:
    """Parts or an oddity, never a crash; the same again gives the same; names are printable and short."""
    found = answered(definition, parameters)
    assert found == answered(definition, parameters)
    assert list(found.parts) == sorted(set(found.parts)) or len(found.parts) > MOST
    for part in found.parts:
        assert part.where.isprintable()
        assert len(part.where) < 150


@cases("definitions")
@given(DEFINITIONS, PARAMETERS)
def test_no_secret_is_read(definition: object, parameters: dict[str, object]) -> None:
    """Whatever stands where a secret may stand, nothing of it is in the answer, in any casing."""
    assert SECRET.lower() not in repr(answered(definition, parameters)).lower()


@cases("definitions")
@given(st.lists(st.tuples(st.sampled_from(("one", "two")), FILES), max_size=3))
def test_files_of_standard_apps(workflows: list[tuple[str, dict[str, object]]]) -> None:
    """Always an answer, the same again, with short and printable names, and without a secret in it."""
    found = read_workflows(workflows)
    assert found == read_workflows(workflows)
    assert all(part.where.isprintable() and len(part.where) < 150 for part in found.parts)
    assert SECRET.lower() not in repr(found).lower()
