"""What a workflow definition shows: each way to authenticate, to leak into the run history, to be odd."""

from __future__ import annotations

import json
import time

import pytest

from lami.arm.definition import MOST, read
from lami.arm.definition.operations import DEEPEST
from tests.arm.definitions import (
    IDENTITY,
    OWN,
    Json,
    connection,
    connector,
    http,
    of,
    only,
    parts,
    secured,
    seen,
    workflow,
)

SECRET = "s3cr3t-0123456789abcdef"
SECURE = {"x": {"type": "securestring"}, "Plain": {"type": "string", "defaultValue": "abc"}}


@pytest.mark.parametrize(
    ("authentication", "what"),
    [
        ({"type": "Basic", "username": "u", "password": SECRET}, "a password (Basic)"),
        ({"type": "basic", "username": "u", "password": SECRET}, "a password (Basic)"),
        (
            {"type": "ClientCertificate", "pfx": SECRET, "password": SECRET},
            "a client certificate (ClientCertificate)",
        ),
        (
            {"type": "ActiveDirectoryOAuth", "tenant": "t", "clientId": "c", "secret": SECRET},
            "a client secret (ActiveDirectoryOAuth)",
        ),
        (
            {"type": "ActiveDirectoryOAuth", "tenant": "t", "clientId": "c", "pfx": SECRET},
            "a client certificate (ActiveDirectoryOAuth)",
        ),
        ({"type": "Raw", "value": f"OAuth {SECRET}"}, "an Authorization header of its own (Raw)"),
    ],
)
def test_authentication_types(authentication: Json, what: str) -> None:
    """Each type that takes a secret is said by its kind and place, without the secret."""
    assert parts(http(authentication=authentication)) == [("action A", f"{what}, written in the definition")]


@pytest.mark.parametrize("kind", ["ManagedServiceIdentity", "None", ""])
def test_authentication_without_a_secret(kind: str) -> None:
    """A managed identity and no authentication at all are no secret."""
    assert parts(http(authentication={"type": kind}), kind="secret") == []


def test_a_secret_from_a_parameter_is_a_secret() -> None:
    """A secure parameter authenticates as a written secret does, and is named."""
    basic = {"type": "Basic", "username": "u", "password": "@parameters('X')"}
    assert parts(http(authentication=basic), parameters=SECURE) == [
        ("action A", "a password (Basic), from parameter x")
    ]
    raw = {"type": "Raw", "value": "@{body('Get_secret')?['value']}"}
    assert parts(http(authentication=raw)) == [
        ("action A", "an Authorization header of its own (Raw), from an expression")
    ]
    whole = parts(http(authentication="@parameters('x')"), parameters={"x": {"type": "SecureObject"}})
    assert whole == [("action A", "authentication kept secret, from parameter x")]


@pytest.mark.parametrize(
    ("address", "what"),
    [
        (f"https://a.blob.core.windows.net/b?sv=1&sig={SECRET}", "a shared access signature"),
        (f"https://f.azurewebsites.net/api/x?code={SECRET}", "a function key"),
        (f"https://x.example.com/?SharedAccessKey={SECRET}", "a shared access key"),
        (f"https://apim.azure-api.net/x?subscription-key={SECRET}", "a subscription key"),
        (f"https://user:{SECRET}@example.com/", "a password"),
        (f"@concat('https://x.example.com/y?sig={SECRET}', '&b=c')", "a shared access signature"),
        ("@concat('https://x.example.com/y?sig=', body('Get'))", ""),
    ],
)
def test_secrets_in_addresses(address: str, what: str) -> None:
    """A signature, key or password in an address is a secret; what a whole expression makes is not known."""
    expected = [("action A", f"{what} in its address, written in the definition")] if what else []
    assert parts(http(address)) == expected


@pytest.mark.parametrize(
    "address",
    [
        "https://x.example.com/?code=NL",
        "https://x.example.com/?code=@{triggerBody()?['code']}",
        "https://x.example.com/?design=abc&assign=1",
        "https://x.example.com/users/@{triggerBody()?['a:b']}",
        "https://x.example.com:8443/a@b?mail=a:b@c",
        "@triggerBody()?['callback']",
    ],
)
def test_addresses_without_a_secret(address: str) -> None:
    """Plain words, ports and what a run puts in are no secrets."""
    assert parts(http(address), kind="secret") == []


def test_addresses_from_secure_parameters() -> None:
    """An address that is itself kept secret is one; so is a part of it that stands where a key stands."""
    assert parts(http("@parameters('x')"), kind="secret", parameters=SECURE) == [
        ("action A", "an address kept secret, from parameter x")
    ]
    assert parts(
        http("https://f.azurewebsites.net/?code=@{parameters('x')}"), kind="secret", parameters=SECURE
    ) == [("action A", "a function key in its address, from parameter x")]
    assert parts(http(queries={"sig": "@parameters('x')"}), kind="secret", parameters=SECURE) == [
        ("action A", "a shared access signature in its address, from parameter x")
    ]


@pytest.mark.parametrize(
    ("name", "value", "what"),
    [
        ("Ocp-Apim-Subscription-Key", SECRET, "a subscription key in a header, written in the definition"),
        ("x-functions-key", "@parameters('x')", "a function key in a header, from parameter x"),
        ("api-key", "@{body('Get')}", "an API key in a header, from an expression"),
        (
            "Authorization",
            f"Basic {SECRET}",
            "an Authorization header of its own, written in the definition",
        ),
        (
            "authorization",
            f"Bearer {SECRET}",
            "an Authorization header of its own, written in the definition",
        ),
        (
            "Authorization",
            "Bearer @{parameters('x')}",
            "an Authorization header of its own, from parameter x",
        ),
        (
            "Authorization",
            "SharedKey a:@{body('Sign')}",
            "an Authorization header of its own, from an expression",
        ),
        ("Authorization", "Bearer @{body('Sign_in')?['access_token']}", ""),
        ("Content-Type", "application/json", ""),
        ("x-functions-key", "", ""),
    ],
)
def test_secrets_in_headers(name: str, value: str, what: str) -> None:
    """Keys in headers, and Authorization headers made of a secret; a token that a run obtains is none."""
    found = parts(http(headers={name: value}), kind="secret", parameters=SECURE)
    assert found == ([("action A", what)] if what else [])


def test_a_webhook_has_two_requests() -> None:
    """Both are read; the workflow's own callback address in a body is none of its secrets."""
    webhook: Json = {
        "type": "HttpWebhook",
        "inputs": {
            "subscribe": {"uri": "https://x.example.com/", "body": {"url": "@{listCallbackUrl()}"}},
            "unsubscribe": {"authentication": {"type": "Basic", "password": SECRET}, "uri": "https://x/"},
        },
    }
    assert parts(webhook) == [("action A", "a password (Basic), written in the definition")]


def test_data_that_looks_like_authentication_is_data() -> None:
    """What an action only passes on is not how it authenticates."""
    compose: Json = {"type": "Compose", "inputs": {"authentication": {"type": "Basic", "password": "p"}}}
    body = http(body={"authentication": {"type": "Basic", "password": "p"}}, method="POST")
    assert parts(compose, body, {"type": "Response", "inputs": {"headers": {"api-key": "k"}}}) == []


def test_triggers_are_read() -> None:
    """A trigger that polls with a secret is one more place; a Request trigger is none."""
    trigger = http(authentication={"type": "Basic", "password": SECRET})
    found = seen(workflow({}, triggers={"poll": trigger, "manual": {"type": "Request", "inputs": {}}}))
    assert of(found) == [("trigger poll", "a password (Basic), written in the definition")]


def test_connections() -> None:
    """A connector that could use the managed identity and does not; one that does; one that cannot."""
    connections = {
        "azureblob": connection("azureblob"),
        "keyvault": connection("keyvault", type="ManagedServiceIdentity", identity=IDENTITY),
        "servicebus": connection("servicebus", type="ManagedServiceIdentity"),
        "office365": connection("office365"),
    }
    found = seen(workflow({}), {"$connections": connections})
    assert of(found, "connector") == [
        ("connection azureblob", "the connector azureblob without the managed identity")
    ]
    assert of(found, "identity") == [("connection keyvault", IDENTITY), ("connection servicebus", "system")]


def test_identities_are_one_part_each() -> None:
    """However many actions refer to an identity, in whichever casing, it is one part."""
    own: Json = {"type": "ManagedServiceIdentity", "identity": "SystemAssigned", "audience": "x"}
    one, other = {**OWN, "identity": IDENTITY}, {**OWN, "identity": IDENTITY.upper()}
    found = parts(*(http(authentication=each) for each in (own, one, other, OWN)), kind="identity")
    assert found == [("action A and 1 other place", "system"), ("action B and 1 other place", IDENTITY)]


def test_identities_by_parameter() -> None:
    """A plain parameter is looked up, its value before its default; what a run makes is passed over."""
    action = http(authentication={**OWN, "identity": "@parameters('id')"})
    declared = {"id": {"type": "string", "defaultValue": "SystemAssigned"}}
    definition = workflow({"A": action}, parameters=declared)
    assert of(seen(definition), "identity") == [("action A", "system")]
    assert of(seen(definition, {"id": IDENTITY}), "identity") == [("action A", IDENTITY)]
    assert parts(http(authentication={**OWN, "identity": "@variables('id')"}), kind="identity") == []


@pytest.mark.parametrize(
    ("uri", "audience", "what"),
    [
        ("https://kv.vault.azure.net/secrets", "https://vault.azure.net", ""),
        ("https://kv.vault.azure.net/secrets", "https://vault.azure.net/", ""),
        (
            "https://kv.vault.azure.net/secrets",
            "https://management.azure.com/",
            "a token for Azure Resource Manager, sent to Azure Key Vault",
        ),
        (
            "https://kv.vault.azure.net/secrets",
            None,
            "a token for Azure Resource Manager, sent to Azure Key Vault",
        ),
        ("https://management.azure.com/subscriptions", None, ""),
        ("https://management.azure.com/subscriptions", "https://management.core.windows.net/", ""),
        ("https://a.blob.core.windows.net/c", "https://storage.azure.com/", ""),
        ("https://a.blob.core.windows.net/c", "https://a.blob.core.windows.net", ""),
        (
            "https://a.blob.core.windows.net/c",
            "https://b.blob.core.windows.net",
            "a token for something else, sent to Azure Storage",
        ),
        ("https://@{variables('a')}.blob.core.windows.net/c", "https://b.blob.core.windows.net", ""),
        (
            "https://@{variables('v')}.vault.azure.net/keys",
            "https://storage.azure.com/",
            "a token for Azure Storage, sent to Azure Key Vault",
        ),
        (
            "https://kv.vault.usgovcloudapi.net/keys",
            "https://vault.azure.net",
            "a token for Azure Key Vault, sent to Azure Key Vault (US Government)",
        ),
        ("https://ns.servicebus.windows.net/q", "https://servicebus.azure.net", ""),
        (
            "https://graph.microsoft.com/v1.0/me",
            "https://graph.windows.net",
            "a token for something else, sent to Microsoft Graph",
        ),
        ("https://graph.microsoft.com/v1.0/me", "00000003-0000-0000-c000-000000000000", ""),
        ("https://kv.vault.azure.net/secrets", "@variables('audience')", ""),
        ("@variables('uri')", "https://vault.azure.net", ""),
        ("https://api.example.com/", "https://vault.azure.net", ""),
        ("https://evilvault.azure.net/", "https://storage.azure.com", ""),
    ],
)
def test_audiences(uri: str, audience: str | None, what: str) -> None:
    """A token is judged where both the target and the audience can be made out, and only then."""
    block: Json = {"type": "ManagedServiceIdentity"}
    block |= {} if audience is None else {"audience": audience}
    assert parts(http(uri, authentication=block), kind="audience") == ([("action A", what)] if what else [])


VAULT = http("https://kv.vault.azure.net/secrets/db?api-version=7.4", authentication=OWN)
SHOWN = "a secret of a key vault"
USED = "its inputs are not secured and show a secret that another action obtained"


@pytest.mark.parametrize(
    ("action", "what"),
    [
        (VAULT, f"its outputs are not secured and show {SHOWN}"),
        (secured(VAULT, "outputs"), ""),
        (secured(VAULT, "inputs"), f"its outputs are not secured and show {SHOWN}"),
        (http("https://kv.vault.azure.net/secrets?api-version=7.4"), ""),
        (http("https://kv.vault.azure.net/secrets/db/versions"), ""),
        (http("https://kv.vault.azure.net/keys/k"), ""),
        (
            http("https://kv.vault.azure.net/secrets/db", method="PUT", body={"value": "@body('X')"}),
            f"its inputs are not secured and show {SHOWN}",
        ),
        (
            http("https://management.azure.com/subscriptions/s/x/y/listKeys?api-version=1", method="POST"),
            "its outputs are not secured and show keys or addresses that Azure Resource Manager lists",
        ),
        (http("https://management.azure.com/subscriptions/s/listKeysets"), ""),
        (http("https://x.example.com/listKeys"), ""),
        (
            http(body="@{parameters('x')}", method="POST"),
            "its inputs are not secured and show the secure parameter x",
        ),
        (secured(http(body="@{parameters('x')}", method="POST"), "inputs"), ""),
        (http(headers={"Authorization": "Bearer @{parameters('x')}"}), ""),
        (http(authentication={"type": "Basic", "password": "@parameters('x')"}), ""),
        (http(body="@{parameters('Plain')}", method="POST"), ""),
        (
            {"type": "Compose", "inputs": "@parameters('x')"},
            "its inputs are not secured and show the secure parameter x",
        ),
    ],
)
def test_unsecured(action: Json, what: str) -> None:
    """What shows in the run history is said, by the side it shows on; Authorization never shows there."""
    assert parts(action, kind="unsecured", parameters=SECURE) == ([("action A", what)] if what else [])


def test_unsecured_connectors() -> None:
    """Key Vault's and Resource Manager's connectors are known by the connection, whatever it is called."""
    named = {"vault_1": connection("keyvault"), "arm": connection("arm"), "db": connection("sql")}
    actions = {
        "A": connector("vault_1", "/secrets/@{encodeURIComponent('db')}/value"),
        "B": connector("arm", "/subscriptions/@{encodeURIComponent('s')}/@{encodeURIComponent('listKeys')}"),
        "C": connector("db", "/secrets/@{encodeURIComponent('db')}/value"),
        "D": connector("vault_1", "/secrets"),
    }
    found = seen(workflow(actions), {"$connections": named})
    assert [where for where, _ in of(found, "unsecured")] == ["action A", "action B"]


def test_what_uses_an_obtained_secret() -> None:
    """Inputs show it, unless Azure hides them because the outputs are secured."""
    use = http(body="@{body('A')?['value']}", method="POST")
    assert parts(secured(VAULT, "outputs"), use, kind="unsecured") == []
    assert parts(VAULT, use, kind="unsecured")[1:] == [("action B", USED)]
    assert parts(VAULT, secured(use, "inputs"), kind="unsecured")[1:] == []
    in_header = http(headers={"Authorization": "Bearer @{body('A')?['value']}"})
    assert parts(VAULT, in_header, kind="unsecured")[1:] == []


def test_what_parse_json_makes_of_a_secret() -> None:
    """Azure hides what Parse JSON and Compose have of secured outputs, but not what uses theirs in turn."""
    parse: Json = {"type": "ParseJson", "inputs": {"content": "@body('A')", "schema": {}}}
    compose: Json = {"type": "Compose", "inputs": "@body('B')"}
    use = http(body="@{outputs('C')}", method="POST")
    found = parts(secured(VAULT, "outputs"), parse, compose, use, kind="unsecured")
    assert found == [("action C", USED), ("action D", USED)]


def test_a_circle_of_references_ends() -> None:
    """Actions that use each other, parameters that speak of themselves and runAfter in a ring do no harm."""
    ring: Json = {"type": "Compose", "inputs": "@outputs('B')@{body('V')}", "runAfter": {"B": []}}
    other: Json = {"type": "Compose", "inputs": "@outputs('A')", "runAfter": {"A": []}}
    declared = {"p": {"type": "string", "defaultValue": "@parameters('p')"}}
    definition = workflow(
        {"A": ring, "B": other, "V": VAULT, "C": http("@parameters('p')")}, parameters=declared
    )
    assert [where for where, _ in of(seen(definition), "unsecured")] == ["action A", "action B", "action V"]


SECRET_ACTION = http(authentication={"type": "Basic", "password": SECRET})


@pytest.mark.parametrize(
    "outer",
    [
        {"type": "Scope", "actions": {"In": SECRET_ACTION}},
        {"type": "If", "actions": {}, "else": {"actions": {"In": SECRET_ACTION}}},
        {"type": "Switch", "cases": {"one": {"case": 1, "actions": {"In": SECRET_ACTION}}}},
        {"type": "Switch", "cases": {}, "default": {"actions": {"In": SECRET_ACTION}}},
        {"type": "Foreach", "foreach": "@x", "actions": {"In": SECRET_ACTION}},
        {"type": "Until", "actions": {"In": SECRET_ACTION}},
        {"type": "Agent", "tools": {"t": {"actions": {"In": SECRET_ACTION}}}},
    ],
)
def test_nested_actions_are_read(outer: Json) -> None:
    """Scopes, both branches of a condition, cases, their default, and loops."""
    assert only(seen(workflow({"Out": outer}))).where == "action In"


def nested(depth: int) -> Json:
    """A definition whose one secret is so many actions deep."""
    action: Json = SECRET_ACTION
    for number in range(depth - 1):
        action = {"type": "Scope", "actions": {f"s{number}": action}}
    return workflow({"top": action})


def test_depth() -> None:
    """Eight deep, as Azure allows, is read; what is deeper than any bound is said, and no crash."""
    assert len(seen(nested(8)).parts) == len(seen(nested(DEEPEST)).parts) == 1
    deeper = seen(nested(DEEPEST + 1))
    assert deeper.parts == ()
    assert deeper.oddity == f"actions nested more than {DEEPEST} deep were not read"
    assert seen(nested(5_000)).oddity


def test_unknown_authentication_is_said() -> None:
    """A type that lami doesn't know is named where it is a word, and never guessed at."""
    assert seen(workflow({"A": http(authentication={"type": "Quantum"})})).oddity == (
        "action A has an unknown authentication type Quantum"
    )
    odd = seen(workflow({"A": http(authentication={"type": SECRET}), "B": http(authentication={"type": 5})}))
    assert odd.oddity == "action A has an unknown authentication type"
    assert odd.parts == ()


def test_oddities_are_bounded() -> None:
    """A few are said, and how many more there were."""
    many = {f"A{number}": http(authentication={"type": "Quantum"}) for number in range(50)}
    assert seen(workflow(many)).oddity.endswith("; and 47 more")


def test_parts_are_bounded() -> None:
    """So many of a kind are kept, and one that changes whenever one more is added."""
    some, more = (
        seen(workflow({f"A{n:03}": SECRET_ACTION for n in range(count)})) for count in (MOST + 5, MOST + 6)
    )
    assert len(some.parts) == len(more.parts) == MOST + 1
    assert (some.parts[-1].where, some.parts[-1].what) == ("further places", "5 more")
    assert some.parts[:-1] == more.parts[:-1]
    assert some != more


def test_order_in_the_reply_does_not_matter() -> None:
    """The same definition written in another order shows the same."""
    actions = {"B": SECRET_ACTION, "A": VAULT, "C": http(authentication=OWN)}
    assert seen(workflow(actions)) == seen(workflow(dict(reversed(actions.items()))))


@pytest.mark.parametrize("definition", ["text", 5, True, [], {"actions": []}, {"actions": {"A": None}}, {}])
def test_what_is_no_definition(definition: object) -> None:
    """It shows nothing; what is no object is said to be none, and no definition at all is None."""
    found = seen(definition)
    assert found.parts == ()
    assert bool(found.oddity) == (not isinstance(definition, dict))
    assert read(None, {}) is None


def test_names_are_cut_and_printable() -> None:
    """Names are text of others: not too long, and nothing that a store or a terminal would choke on."""
    part = only(seen(workflow({"a\ud800\n\x1b" + "b" * 500: SECRET_ACTION})))
    assert len(part.where) < 100
    assert part.where.isprintable()


def test_reading_takes_linear_time() -> None:
    """Ten times the definition takes about ten times as long, also where it is written to take longer."""
    evil = "@{" * 300 + "parameters('" * 300 + "https://" + "x:" * 300

    def took(count: int) -> float:
        actions = {
            f"a{n}": http(evil, body=[evil, f"@body('a{n - 1}')"], headers={"k": evil}) for n in range(count)
        }
        definition = workflow(actions)
        started = time.process_time()
        seen(definition)
        return time.process_time() - started

    took(50)
    assert took(2_000) < 40 * max(took(200), 0.01)


def test_ten_megabytes() -> None:
    """A definition of 10 MB is read, and what is kept of it stays small."""
    actions = {f"a{n}": {**SECRET_ACTION, "description": "x" * 1_000} for n in range(9_000)}
    definition = workflow(actions)
    assert len(json.dumps(definition)) > 10_000_000
    assert len(str(seen(definition))) < 20_000
