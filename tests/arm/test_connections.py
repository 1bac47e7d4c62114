"""What the files of a Standard logic app show: connections, by every way to authenticate, and workflows."""

from __future__ import annotations

import time

import pytest

from lami.arm.definition import MOST, read_workflows
from lami.arm.definition.connections import DEEPEST
from lami.core.model import Definition
from tests.arm.definitions import IDENTITY, OWN, Json, connector, http, of, secured, workflow

SECRET = "s3cr3t-0123456789abcdef"
SETTING = "@appsetting('name-of-it')"
MSI: Json = {"type": "ManagedServiceIdentity"}


def files(definition: object = None, connections: object = None, parameters: object = None) -> Json:
    """The files of one workflow, as its GET has them."""
    found: Json = {"workflow.json": {"definition": workflow({}) if definition is None else definition}}
    found |= {} if connections is None else {"connections.json": connections}
    return found | ({} if parameters is None else {"parameters.json": parameters})


def shown(group: str, connection: Json, parameters: object = None) -> Definition:
    """What one connection shows."""
    return read_workflows([("intake", files(connections={group: {"x": connection}}, parameters=parameters))])


def built_in(**values: object) -> Json:
    """A connection of a built-in connector."""
    return {
        "parameterValues": values,
        "serviceProvider": {"id": "/serviceProviders/serviceBus"},
        "displayName": "the bus",
    }


@pytest.mark.parametrize(
    ("group", "connection", "what"),
    [
        (
            "managedApiConnections",
            {"authentication": {"type": "Raw", "scheme": "Key", "parameter": SETTING}},
            "a connection key (Raw), from an app setting",
        ),
        (
            "managedApiConnections",
            {"authentication": {"type": "ActiveDirectoryOAuth", "secret": SECRET}},
            "a client secret (ActiveDirectoryOAuth), written in the definition",
        ),
        (
            "functionConnections",
            {
                "triggerUrl": "https://f.azurewebsites.net/api/x",
                "authentication": {"type": "QueryString", "name": "Code", "value": SETTING},
            },
            "a key in its address (QueryString), from an app setting",
        ),
        (
            "functionConnections",
            {"triggerUrl": f"https://f.azurewebsites.net/api/x?code={SECRET}"},
            "a function key in its address, written in the definition",
        ),
        (
            "apiManagementConnections",
            {"baseUrl": "https://a.azure-api.net", "subscriptionKey": SETTING},
            "a subscription key, from an app setting",
        ),
        (
            "agentConnections",
            {"authentication": {"type": "Key", "key": "@{appsetting('k')}"}, "type": "model"},
            "a key (Key), from an app setting",
        ),
        (
            "knowledgeHubConnections",
            {"cosmosDB": {"authentication": {"type": "Key", "key": SETTING}, "endpoint": "https://x/"}},
            "a key (Key), from an app setting",
        ),
        (
            "whateverComesNextConnections",
            {"authentication": {"type": "Basic", "username": "u", "password": SECRET}},
            "a password (Basic), written in the definition",
        ),
        (
            "serviceProviderConnections",
            built_in(connectionString=SETTING),
            "a connection string, from an app setting",
        ),
        (
            "serviceProviderConnections",
            built_in(connectionString=f"Endpoint=sb://x/;SharedAccessKeyName=n;SharedAccessKey={SECRET}"),
            "a connection string, written in the definition",
        ),
        (
            "serviceProviderConnections",
            built_in(userName="u", Password=SECRET),
            "a password, written in the definition",
        ),
        ("serviceProviderConnections", built_in(sshPrivateKey=SETTING), "a private key, from an app setting"),
        ("serviceProviderConnections", built_in(openAIKey=SETTING), "an API key, from an app setting"),
        (
            "serviceProviderConnections",
            {
                **built_in(authProvider={"Type": "ActiveDirectoryOAuth", "Secret": SETTING}),
                "parameterSetName": "ActiveDirectoryOAuth",
            },
            "a client secret (ActiveDirectoryOAuth), from an app setting",
        ),
    ],
)
def test_connections_with_a_secret(group: str, connection: Json, what: str) -> None:
    """Each way to keep one is said by its kind and where it comes from, without it."""
    found = shown(group, connection)
    assert of(found) == [("connection x", what)]
    assert found.oddity == ""


@pytest.mark.parametrize(
    ("group", "connection", "identity"),
    [
        ("managedApiConnections", {"authentication": MSI}, "system"),
        ("managedApiConnections", {"authentication": {**MSI, "identity": IDENTITY}}, IDENTITY),
        (
            "managedApiConnections",
            {"connectionProperties": {"authentication": {**MSI, "identity": IDENTITY}}},
            IDENTITY,
        ),
        ("agentConnections", {"authentication": {**MSI, "identity": ""}}, "system"),
        (
            "serviceProviderConnections",
            {
                **built_in(
                    authProvider={"Type": "ManagedServiceIdentity"},
                    connectionString=SETTING,
                    fullyQualifiedNamespace=SETTING,
                ),
                "parameterSetName": "ManagedServiceIdentity",
            },
            "system",
        ),
        (
            "serviceProviderConnections",
            {
                **built_in(authProvider={"Type": "ManagedServiceIdentity", "Identity": IDENTITY}),
                "parameterSetName": "ManagedServiceIdentity",
            },
            IDENTITY,
        ),
    ],
)
def test_connections_with_an_identity(group: str, connection: Json, identity: str) -> None:
    """A managed identity is referred to and no secret is said, whatever else stands there unused."""
    found = shown(group, connection)
    assert of(found) == [("connection x", identity)]


@pytest.mark.parametrize(
    "connection",
    [
        built_in(connectionString="Server=x.database.windows.net;Authentication=Active Directory Default"),
        built_in(connectionString="", password=None, secret=5),
        built_in(partitionKey="p", sshHostKeyFingerprint="f", VaultUri="https://kv.vault.azure.net"),
        {"authentication": {"type": "None"}},
        {"authentication": {}},
        {"authentication": {**MSI, "identity": SETTING}, "connectionRuntimeUrl": SETTING},
        {"authentication": "@parameters('nowhere')"},
    ],
)
def test_connections_that_show_no_secret(connection: Json) -> None:
    """A connection string without one, values that are none, and what only a run can make out."""
    found = shown("serviceProviderConnections", connection)
    assert of(found, "secret") == []
    assert found.oddity == ""


def test_authentication_from_parameters() -> None:
    """Microsoft's tools put the block into parameters.json, by environment: it is looked up there."""
    parameters = {
        "key": {"type": "Object", "value": {"type": "Raw", "scheme": "Key", "parameter": SETTING}},
        "own": {"type": "Object", "value": MSI},
        "word": {"type": "String", "value": SETTING},
        "hidden": {"type": "SecureObject", "value": {"type": "Raw", "parameter": SECRET}},
    }
    group = "managedApiConnections"

    def by(name: str) -> list[tuple[str, str]]:
        return of(shown(group, {"authentication": f"@parameters('{name}')"}, parameters))

    assert by("Key") == [("connection x", "a connection key (Raw), from an app setting")]
    assert by("own") == [("connection x", "system")]
    assert by("hidden") == [("connection x", "authentication kept secret, from parameter hidden")]
    named = shown("serviceProviderConnections", built_in(password="@parameters('word')"), parameters)
    assert of(named) == [("connection x", "a password, from parameter word")]


def test_unknown_authentication_is_said() -> None:
    """A type that lami doesn't know is said without its text, and never guessed at."""
    found = shown("managedApiConnections", {"authentication": {"type": SECRET, "key": SECRET}})
    assert found.parts == ()
    assert found.oddity == "connection x has an unknown authentication type"


def test_places_name_their_workflow() -> None:
    """The same action in two workflows is two places; an identity that both refer to is one."""
    action = http("https://kv.vault.azure.net/keys", authentication={**OWN, "password": "x"})
    basic = http(authentication={"type": "Basic", "password": SETTING})
    one, other = (files(workflow({"A": action, "B": basic})) for _ in range(2))
    found = read_workflows([("one", one), ("Other", other)])
    assert of(found, "secret") == [
        ("workflow Other, action B", "a password (Basic), from an app setting"),
        ("workflow one, action B", "a password (Basic), from an app setting"),
    ]
    assert of(found, "identity") == [("workflow Other, action A and 1 other place", "system")]
    odd = read_workflows([("one", files(definition=[]))])
    assert odd.oddity == "workflow one, the workflow definition is no JSON object"


def test_app_settings_in_actions() -> None:
    """What comes out of an app setting is a secret where one stands, and none where it is an address."""
    actions = {
        "A": http(headers={"Authorization": "Bearer @{appsetting('t')}"}),
        "B": http("https://f.azurewebsites.net/?code=@{appsetting('t')}"),
        "C": http("@appsetting('address')"),
        "D": http("@{appsetting('base')}/x", headers={"Content-Type": "@appsetting('t')"}),
        "E": http(headers={"Authorization": "Bearer @{body('Sign_in')?['access_token']}"}),
        "F": http("https://@{appsetting('v')}.vault.azure.net/keys", authentication=OWN),
        "G": http("@{parameters('base')}/x?sig=@{parameters('base')}"),
    }
    parameters = {"base": {"type": "String", "value": SETTING}}
    found = read_workflows([("w", files(workflow(actions), parameters=parameters))])
    assert of(found, "secret") == [
        ("workflow w, action A", "an Authorization header of its own, from an app setting"),
        ("workflow w, action B", "a function key in its address, from an app setting"),
        ("workflow w, action G", "a shared access signature in its address, from parameter base"),
    ]
    assert of(found, "audience") == []


VAULT: Json = {
    "type": "ServiceProvider",
    "inputs": {
        "parameters": {"secretName": "db"},
        "serviceProviderConfiguration": {
            "connectionName": "keyVault",
            "operationId": "getSecret",
            "serviceProviderId": "/serviceProviders/keyVault",
        },
    },
}
SHOWN = "its outputs are not secured and show a secret of a key vault"


def test_secrets_in_the_run_history() -> None:
    """Of the vault's built-in connector, and of the managed one, which an action names directly."""
    managed = connector("kv", "/secrets/@{encodeURIComponent('db')}/value")
    inputs = managed["inputs"]
    assert isinstance(inputs, dict)
    inputs["host"] = {"connection": {"referenceName": "kv"}}
    lists: Json = {
        "type": "ServiceProvider",
        "inputs": {"serviceProviderConfiguration": {"operationId": "x"}},
    }
    actions = {"A": VAULT, "B": secured(VAULT, "outputs"), "C": managed, "D": lists}
    api = {"api": {"id": "/subscriptions/s/providers/Microsoft.Web/locations/l/managedApis/keyvault"}}
    connections = {"managedApiConnections": {"kv": {**api, "authentication": MSI}}}
    found = read_workflows([("w", files(workflow(actions), connections))])
    assert of(found, "unsecured") == [("workflow w, action A", SHOWN), ("workflow w, action C", SHOWN)]


def test_connections_that_differ_between_workflows_are_all_read() -> None:
    """Deployed while lami reads: what either shows is said."""
    one = files(connections={"g": {"a": {"authentication": {"type": "Key", "key": SETTING}}}})
    other = files(connections={"g": {"b": {"authentication": {"type": "Key", "key": SETTING}}}})
    found = read_workflows([("one", one), ("two", other), ("three", files())])
    assert [where for where, _ in of(found)] == ["connection a", "connection b"]


@pytest.mark.parametrize(
    "odd", [None, [], "text", 5, {"a": None}, {"a": []}, {"a": {"b": None}}, {"a": {"b": 5}}]
)
def test_files_of_any_shape(odd: object) -> None:
    """What is no object is passed over, wherever it stands; names that are hostile are cut and printable."""
    for given in (
        {"workflow.json": {"definition": workflow({}), "kind": odd}, "connections.json": odd},
        {"workflow.json": {"definition": workflow({})}, "parameters.json": odd},
        {"workflow.json": odd},
    ):
        assert read_workflows([("w", given)]).parts == ()
    name = "\n\x1b[31m" + "x" * 500
    hostile = {"authentication": {"type": "Key", "key": "k"}}
    found = read_workflows([(name, files(connections={"g": {name: hostile}}))])
    assert all(part.where.isprintable() and len(part.where) < 150 for part in found.parts)


def test_large_and_deep_files_take_no_longer_than_they_are_large() -> None:
    """A connection nested deeper than any, and as many as fit: bounded in what is kept and in time."""
    deep: Json = {"authentication": {"type": "Key", "key": "k"}}
    for _ in range(5_000):
        deep = {"in": deep}
    found = shown("g", deep)
    assert found.parts == ()
    assert found.oddity == f"connection x is nested more than {DEEPEST} deep and was not read to its end"
    one = {"authentication": "@parameters('p')", "url": f"https://x/?sig={'s' * 50}", "password": "p" * 50}

    def seconds(count: int) -> float:
        parameters = {"p": {"value": {"type": "Key", **{str(number): "k" for number in range(count)}}}}
        many = files(connections={"g": {f"c{number}": one for number in range(count)}}, parameters=parameters)
        start = time.process_time()
        assert len(read_workflows([("w", many)]).parts) == MOST + 1
        return time.process_time() - start

    seconds(100)
    little, much = min(seconds(500) for _ in range(3)), min(seconds(8_000) for _ in range(3))
    assert much < 16 * 8 * max(little, 0.001)
