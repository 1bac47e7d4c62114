"""How the connections of a Standard logic app authenticate, as its `connections.json` has them.

A connection of a managed connector says there how the app authenticates to the connection, and a built-in
one how to the target itself. What a managed connection knows of its target is kept in the connection, and
is not read. Values that are kept in app settings (`@appsetting('…')`) are secrets like others.

Source: Microsoft, "Create and deploy Standard logic apps: connections.json", "Authenticate access and
connections with managed identities", and the reference of each built-in connector (Azure Logic Apps).
"""

from __future__ import annotations

import re

from lami.arm.definition.authentication import (
    CREDENTIALS,
    MANAGED,
    Credentials,
    block_of,
    read_address,
    read_block,
)
from lami.arm.definition.reading import Json, Reading, obj, shown, word

DEEPEST = 6
"""How deep a connection is read; those of knowledge hubs authenticate three deep."""

_AUTHENTICATION = frozenset({"authentication", "authprovider"})

_KEYS: Credentials = {
    **CREDENTIALS,
    "raw": (("parameter", "a connection key (Raw)"), ("value", "a key (Raw)")),
    "key": (("key", "a key (Key)"),),
    "querystring": (("value", "a key in its address (QueryString)"),),
}
"""By authentication type of a connection: the property with the secret, and what it is."""

_READ = frozenset({"type", "identity", *(name for known in _KEYS.values() for name, _ in known)})

_VALUES: tuple[tuple[str, str], ...] = (
    ("connectionstring", "a connection string"),
    ("password", "a password"),
    ("passphrase", "a passphrase"),
    ("privatekey", "a private key"),
    ("subscriptionkey", "a subscription key"),
    ("accesskey", "an access key"),
    ("accountkey", "an access key"),
    ("apikey", "an API key"),
    ("openaikey", "an API key"),
    ("accesstoken", "a token"),
    ("sastoken", "a shared access signature"),
    ("sasurl", "a shared access signature"),
    ("secret", "a secret"),
)
"""Ends of the names of values that are secrets, and what they are."""
# Assumption: built-in connectors name their secret parameters so; the reference of each has its own names.

_IN_A_CONNECTION_STRING = re.compile(
    r"(?i)(password|pwd|accountkey|sharedaccesskey|sharedaccesssignature|secret)\s{0,20}="
)

_ADDRESSES = ("url", "uri", "endpoint")


def read_connections(file: Json, reading: Reading) -> None:
    """All connections of all groups: managed, built in, functions, API Management, agents, and new ones."""
    for connections in file.values():
        for name, connection in obj(connections).items():
            _read_one(f"connection {shown(name)}", obj(connection), reading)


def _read_one(where: str, connection: Json, reading: Reading) -> None:
    # With a managed identity chosen, values of the other ways to authenticate are not used.
    chosen = word(reading.resolved(connection.get("parameterSetName")))
    waiting: list[tuple[int, Json]] = [(1, connection)]
    while waiting:
        depth, block = waiting.pop()
        if depth > DEEPEST:
            reading.odd(f"{where} is nested more than {DEEPEST} deep and was not read to its end")
            continue
        for key, value in block.items():
            name = word(key)
            if name in _AUTHENTICATION:
                _read_authentication(where, value, reading)
            elif isinstance(value, dict):
                waiting.append((depth + 1, value))
            elif chosen != MANAGED:
                _read_value(where, name, value, reading)


def _read_authentication(where: str, given: object, reading: Reading) -> None:
    block = _uncapitalised(block_of(where, given, reading))
    if not read_block(where, block, _KEYS, reading):
        reading.odd(f"{where} has an unknown authentication type")


def _read_value(where: str, name: str, value: object, reading: Reading) -> None:
    """A value by its name: a secret, or an address that may hold one."""
    if not isinstance(value, str) or not value.strip():
        return
    what = next((what for end, what in _VALUES if name.endswith(end)), "a key" if name == "key" else "")
    if what == "a connection string" and "@" not in value and not _IN_A_CONNECTION_STRING.search(value):
        return
    if what:
        reading.add("secret", where, what + reading.source(value))
    elif name.endswith(_ADDRESSES):
        read_address(where, {"uri": value}, reading)


def _uncapitalised(block: Json) -> Json:
    """What is read of a block, by names with a small letter: built-in connectors write a capital one.

    Not the whole block: a parameter may be large, and be many connections' authentication.
    """
    return {name: _at(block, name) for name in _READ}


def _at(block: Json, name: str) -> object:
    value = block.get(name)
    return block.get(name[:1].upper() + name[1:]) if value is None else value
