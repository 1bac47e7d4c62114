"""How the triggers, actions and connections of a definition authenticate.

A secret is one wherever it comes from: written down, from a secure parameter, or out of a vault when the
workflow runs. Of all of them only the place and the kind are noted.
Source: Microsoft, "Secure access and data for workflows", authentication types; "Where you can use a managed
identity" for the connectors (Azure Logic Apps).
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from lami.arm.definition.operations import Operation, api_of
from lami.arm.definition.reading import (
    ADDRESS,
    KEPT,
    Json,
    Reading,
    host_of,
    obj,
    parameter_of,
    shown,
    word,
)
from lami.core import audiences
from lami.core.ids import MAX_LENGTH, ResourceId
from lami.core.posture import SYSTEM

_TYPE = re.compile(r"[A-Za-z]{1,40}")

_QUERIES: Mapping[str, str] = {
    "sig": "a shared access signature in its address",
    "code": "a function key in its address",
    "sharedaccesskey": "a shared access key in its address",
    "sharedaccesssignature": "a shared access signature in its address",
    "subscription-key": "a subscription key in its address",
    "api-key": "an API key in its address",
    "apikey": "an API key in its address",
    "api_key": "an API key in its address",
    "access_token": "a token in its address",
    "client_secret": "a client secret in its address",
    "password": "a password in its address",
}

_QUERY = re.compile(rf"(?i)[?&]({'|'.join(_QUERIES)})=([^&#'\"]*)")

_USER = re.compile(r"(?i)[a-z][a-z0-9+.-]{0,20}://[^/?#@:]{0,500}:[^/?#@]{1,500}@")

_HEADERS: Mapping[str, str] = {
    "ocp-apim-subscription-key": "a subscription key in a header",
    "x-functions-key": "a function key in a header",
    "api-key": "an API key in a header",
    "x-api-key": "an API key in a header",
    "apikey": "an API key in a header",
    "aeg-sas-key": "a shared access key in a header",
    "aeg-sas-token": "a shared access signature in a header",
}

_FROM_A_SECRET = ("basic ", "sharedkey ", "sharedkeylite ", "sharedaccesssignature ")
"""Schemes of an Authorization header that are made of a secret, whatever expression makes them."""

MANAGED = "managedserviceidentity"
"""The type of authentication by a managed identity."""
Credentials = Mapping[str, tuple[tuple[str, str], ...]]
"""By authentication type: the properties that may have the secret, and what it is."""
CREDENTIALS: Credentials = {
    "basic": (("password", "a password (Basic)"),),
    "clientcertificate": (("pfx", "a client certificate (ClientCertificate)"),),
    "activedirectoryoauth": (
        ("secret", "a client secret (ActiveDirectoryOAuth)"),
        ("pfx", "a client certificate (ActiveDirectoryOAuth)"),
    ),
    "raw": (("value", "an Authorization header of its own (Raw)"),),
}
"""By authentication type: the property with the secret, and what it is; the first goes for none of them."""

_KEYLESS_CONNECTORS = frozenset(
    {
        "aci",
        "arm",
        "azureappservice",
        "azureautomation",
        "azureblob",
        "azuredatafactory",
        "azuredatalake",
        "azureeventgrid",
        "azureeventgridpublish",
        "azureiotcentral",
        "azureloganalytics",
        "azuremonitorlogs",
        "azurequeues",
        "azuresentinel",
        "azuretables",
        "azurevm",
        "documentdb",
        "eventhubs",
        "keyvault",
        "kusto",
        "servicebus",
        "sql",
        "webcontents",
        "webcontentsv2",
    }
)
"""Managed connectors, by the names of their APIs, that can use the managed identity in a Consumption app."""
# Assumption: these are the API names of the connectors that Microsoft lists by their titles.

_DEFAULT_AUDIENCE = "https://management.azure.com/"


def read_operation(operation: Operation, reading: Reading) -> None:
    """How an action or trigger authenticates: by a secret, by which managed identity, for which audience."""
    for request in operation.requests():
        authentication = request.get("authentication")
        if authentication is not None:
            _read_authentication(operation.where, request, authentication, reading)
        read_address(operation.where, request, reading)
        _read_headers(operation.where, request, reading)
    key = operation.inputs.get("subscriptionKey")
    if operation.type == "apimanagement" and key:
        reading.add("secret", operation.where, f"a subscription key{reading.source(key)}")


def _read_authentication(where: str, request: Json, given: object, reading: Reading) -> None:
    block = block_of(where, given, reading)
    said = reading.resolved(block.get("type"))
    kind = word(said)
    if not read_block(where, block, CREDENTIALS, reading):
        named = f" {said}" if said and _TYPE.fullmatch(said) else ""
        reading.odd(f"{where} has an unknown authentication type{named}")
    if kind in (MANAGED, "activedirectoryoauth"):
        default = _DEFAULT_AUDIENCE if kind == MANAGED else ""
        _read_audience(where, request, block.get("audience"), default, reading)


def block_of(where: str, given: object, reading: Reading) -> Json:
    """The block that says how something authenticates, which may be a parameter's.

    Empty where there is none, and where the parameter is kept secret, which is noted.
    """
    parameter = parameter_of(given)
    if parameter in reading.secure:
        reading.add("secret", where, f"authentication kept secret, from parameter {shown(parameter)}")
        return {}
    return obj(reading.values.get(parameter) if parameter else given)


def read_block(where: str, block: Json, credentials: Credentials, reading: Reading) -> bool:
    """Note by which managed identity or secret a block authenticates; whether its type is known."""
    kind = word(reading.resolved(block.get("type")))
    if kind == MANAGED:
        _refer_in(where, block, reading)
        return True
    if kind in credentials:
        known = credentials[kind]
        name, what = next(((name, what) for name, what in known if block.get(name)), known[0])
        reading.add("secret", where, what + reading.source(block.get(name)))
        return True
    return kind in ("", "none")


def _refer_in(where: str, block: Json, reading: Reading) -> None:
    identity = block.get("identity")
    _refer(where, "" if identity is None else reading.resolved(identity), reading)


def _refer(where: str, identity: str | None, reading: Reading) -> None:
    """Note that a managed identity is referred to; one that cannot be made out is passed over."""
    if identity is None:
        return
    if word(identity) in ("", "systemassigned"):
        reading.refer(SYSTEM, where)
        return
    id = ResourceId(identity) if len(identity) <= MAX_LENGTH else ResourceId("/")
    named = "/" not in id.name and id.resource_group and id.key.count("/") == 8
    if id.type == "microsoft.managedidentity/userassignedidentities" and named:
        reading.refer(id.text, where)
    elif not identity.lstrip().startswith("@"):
        reading.odd(f"{where} refers to an identity by something that is no id of one")


def _read_audience(where: str, request: Json, given: object, default: str, reading: Reading) -> None:
    audience = default if given is None else reading.resolved(given)
    host, token = host_of(reading.flat(request.get("uri"))), host_of(reading.flat(audience))
    if host and token and audiences.ANY not in token:
        wrong = audiences.mismatch(host, token)
        if wrong:
            reading.add("audience", where, wrong)


def read_address(where: str, request: Json, reading: Reading) -> None:
    """Note the secrets in an address: in `uri`, and in `queries`, of a request."""
    given = request.get("uri")
    if isinstance(given, str):
        if len(given) > ADDRESS:
            reading.odd(f"the address of {where} is too long: only {ADDRESS:,} characters were read")
        parameter = reading.secures(given)
        if parameter and given.lstrip().startswith("@") and not given.lstrip().startswith(("@{", "@@")):
            reading.add("secret", where, f"an address kept secret, from parameter {shown(parameter)}")
            return
        address = reading.flat(given)
        if address == "{}":
            address = given[:ADDRESS]  # what an expression makes it of may be written in it
        elif user := _USER.match(address):
            reading.add("secret", where, f"a password in its address{reading.source(user[0])}")
        for name, value in _QUERY.findall(address):
            _read_query(where, name, value, reading)
    for name, each in obj(request.get("queries")).items():
        if isinstance(each, str):
            _read_query(where, name, reading.flat(each), reading)


def _read_query(where: str, name: str, value: str, reading: Reading) -> None:
    """A parameter of an address; its value is flat."""
    key = word(name)
    if key not in _QUERIES or not value:
        return
    # `code` is also a plain word: only what is as long as a key, or is kept secret, is taken for one.
    if key == "code" and not KEPT.search(value) and (len(value) < 20 or "{}" in value):
        return
    reading.add("secret", where, _QUERIES[key] + reading.source(value))


def _read_headers(where: str, request: Json, reading: Reading) -> None:
    for name, given in obj(request.get("headers")).items():
        key = word(name)
        if not isinstance(given, str) or not given.strip():
            continue
        value = reading.flat(given)
        if key in _HEADERS:
            reading.add("secret", where, _HEADERS[key] + reading.source(value))
        elif key == "authorization" and _authorizes(value):
            reading.add("secret", where, f"an Authorization header of its own{reading.source(value)}")


def _authorizes(value: str) -> bool:
    """Whether an Authorization header, flat, holds a secret. A token that the run obtains is none."""
    return (
        KEPT.search(value) is not None
        or "{}" not in value
        or value.lstrip().lower().startswith(_FROM_A_SECRET)
    )


def read_connection(name: str, connection: Json, reading: Reading) -> None:
    """How a connection of a managed connector of a Consumption app authenticates."""
    where = f"connection {shown(name)}"
    block = obj(obj(connection.get("connectionProperties")).get("authentication"))
    if word(block.get("type")) == MANAGED:
        _refer_in(where, block, reading)
    elif api_of(connection) in _KEYLESS_CONNECTORS:
        reading.add("connector", where, f"the connector {api_of(connection)} without the managed identity")
