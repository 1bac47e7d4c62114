"""The triggers and actions of a definition, wherever they are nested; and what they connect to."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from lami.arm.definition.reading import ADDRESS, Json, Reading, obj, shown, word
from lami.core.ids import MAX_LENGTH

DEEPEST = 32
"""How deep actions are read within actions. Azure nests them 8 deep."""

_CALLING = frozenset({"http", "httpwebhook", "apimanagement", "function", "workflow"})
"""Types that send a request, as their inputs describe it."""
_HIDING_BOTH = frozenset({"compose", "parsejson", "response"})
"""Types that have only Secure Inputs, which hides their outputs too."""
_CONNECTION = re.compile(r"(?i)'\$connections'\s{0,20}\)\s{0,20}\[\s{0,20}'([^']{1,200})'")


@dataclass(frozen=True, slots=True)
class Operation:
    """An action or trigger: what of it is judged. `key` is how expressions name an action, in lower case.

    `secured` may have `inputs` and `outputs`. Inputs that are no object stand under an empty name.
    """

    where: str
    key: str
    type: str
    inputs: Json
    secured: frozenset[str]

    def requests(self) -> Iterator[Json]:
        """The requests that it makes: none, one, or a webhook's two."""
        if self.type not in _CALLING:
            return
        yield self.inputs
        if self.type == "httpwebhook":
            yield obj(self.inputs.get("subscribe"))
            yield obj(self.inputs.get("unsubscribe"))


def operations_of(body: Json, reading: Reading) -> Iterator[Operation]:
    """All triggers and actions; those in scopes, conditions, switches, loops and agents too."""
    for name, each in obj(body.get("triggers")).items():
        yield _operation(f"{reading.within}trigger {shown(name)}", "", obj(each))
    waiting: list[tuple[int, object]] = [(1, body.get("actions"))]
    while waiting:
        depth, actions = waiting.pop()
        if depth > DEEPEST:
            reading.odd(f"{reading.within}actions nested more than {DEEPEST} deep were not read")
            continue
        for name, each in obj(actions).items():
            yield _operation(f"{reading.within}action {shown(name)}", name.lower(), obj(each))
            waiting.extend((depth + 1, inner) for inner in _within(obj(each)) if inner)


def _within(action: Json) -> Iterator[object]:
    """The actions that an action has in it, each group by itself."""
    yield action.get("actions")
    yield obj(action.get("else")).get("actions")
    yield obj(action.get("default")).get("actions")
    for group in ("cases", "tools"):
        for each in obj(action.get(group)).values():
            yield obj(each).get("actions")


def _operation(where: str, key: str, body: Json) -> Operation:
    settings = obj(obj(body.get("runtimeConfiguration")).get("secureData")).get("properties")
    secured = frozenset(map(word, settings)) if isinstance(settings, list) else frozenset()
    kind = word(body.get("type"))
    if kind in _HIDING_BOTH and "inputs" in secured:
        secured |= {"outputs"}
    inputs = body.get("inputs")
    return Operation(where, key, kind, inputs if isinstance(inputs, dict) else {"": inputs}, secured)


def api_of(connection: Json) -> str:
    """The name of a connection's managed API, in lower case; its id is in `api` in a Standard app."""
    id = obj(connection.get("api", connection)).get("id")
    return word(id.rpartition("/")[2]) if isinstance(id, str) and len(id) <= MAX_LENGTH else ""


def api_used(operation: Operation, reading: Reading) -> str:
    """The API of an action's connection: of `@parameters('$connections')['keyvault']['connectionId']`.

    A Standard app has a plain `referenceName` instead.
    """
    used = obj(obj(operation.inputs.get("host")).get("connection"))
    if isinstance(reference := used.get("referenceName"), str):
        return api_of(obj(reading.connections.get(reference)))
    name = used.get("name")
    found = _CONNECTION.search(name) if isinstance(name, str) and len(name) <= ADDRESS else None
    return api_of(obj(reading.connections.get(found[1]))) if found else ""
