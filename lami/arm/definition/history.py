"""Which actions and triggers of a definition show secrets in the run history: only what surely shows.

Source: Microsoft, "Secure access and data for workflows", secured inputs and outputs (Azure Logic Apps).
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from lami.arm.definition.operations import Operation, api_used
from lami.arm.definition.reading import ADDRESS, PARAMETER, Reading, host_of, obj, shown, word
from lami.core import audiences

_MENTION = re.compile(r"(?i)(?:body|outputs|actions|actionBody|actionOutputs)\(\s{0,20}'([^']{1,200})'")

_LISTS_SECRETS = re.compile(
    r"(?i)(?:^|[/'])(listkeys|listsecrets|listcallbackurl|listconnectionstrings|listaccountsas|listservicesas"
    r"|listadminkeys|listquerykeys|regeneratekey|regeneratekeys)(?:$|['/)}])"
)

_VAULT_SECRET = re.compile(r"(?i)/secrets/[^/]+(?:/(?!versions$)[^/]*)?/?")

_CONNECTOR_SECRET = re.compile(r"(?i)/secrets/.{1,2000}/value/?$", re.DOTALL)

_BUILT_IN_SECRETS = frozenset({"getsecret", "getsecretversion"})
"""Operations of the Key Vault connector that is built into Standard apps."""

_PASSING_ON = frozenset({"compose", "parsejson"})
"""Types of actions whose outputs are their inputs: Azure does not hide what uses those outputs."""


def read_unsecured(operations: Iterable[Operation], reading: Reading) -> None:
    """Secrets that show in the run history, by inputs and by outputs.

    Authorization headers and `authentication` never show there. Where an action hides its outputs, Azure
    hides the inputs of those that use them, but not of those that use what Compose or Parse JSON made of it.
    """
    hidden: dict[str, bool] = {}
    """Of each action whose outputs hold a secret, whether Azure hides the inputs that use them."""
    users: dict[str, set[str]] = {}
    seen: list[tuple[Operation, set[str]]] = []
    for operation in operations:
        parameters, actions = _uses(operation)
        seen.append((operation, actions))
        given, obtained = _secrets(operation, reading)
        for name in sorted(parameters & reading.secure):
            _unsecured(operation, "inputs", f"the secure parameter {shown(name)}", reading)
        if given:
            _unsecured(operation, "inputs", given, reading)
        if obtained:
            _unsecured(operation, "outputs", obtained, reading)
            hidden[operation.key] = "outputs" in operation.secured
        if operation.type in _PASSING_ON:
            for action in actions:
                users.setdefault(action, set()).add(operation.key)
    todo = list(hidden)
    while todo:  # what Compose and Parse JSON pass on, each once
        passed = users.get(todo.pop(), set()) - hidden.keys()
        hidden.update(dict.fromkeys(passed, False))
        todo.extend(passed)
    for operation, actions in seen:
        used = (actions & hidden.keys()) - {operation.key}
        if not all(hidden[action] for action in used):
            _unsecured(operation, "inputs", "a secret that another action obtained", reading)


def _unsecured(operation: Operation, side: str, what: str, reading: Reading) -> None:
    if side not in operation.secured:
        reading.add("unsecured", operation.where, f"its {side} are not secured and show {what}")


def _secrets(operation: Operation, reading: Reading) -> tuple[str, str]:
    """What of its inputs is a secret by what it does, and what of its outputs; empty where nothing is."""
    method = word(operation.inputs.get("method"))
    if operation.type in ("apiconnection", "apiconnectionwebhook"):
        path, api = operation.inputs.get("path"), api_used(operation, reading)
        if not isinstance(path, str) or len(path) > ADDRESS:
            return "", ""
        if api == "keyvault" and _CONNECTOR_SECRET.search(path):
            return "", "a secret of a key vault"
        if api == "arm" and _LISTS_SECRETS.search(path):
            return "", "keys or addresses that Azure Resource Manager lists"
        return "", ""
    if operation.type == "serviceprovider":
        used = obj(operation.inputs.get("serviceProviderConfiguration"))
        provider = word(used.get("serviceProviderId")).rpartition("/")[2]
        reads = provider == "keyvault" and word(used.get("operationId")) in _BUILT_IN_SECRETS
        return "", "a secret of a key vault" if reads else ""
    address = reading.flat(operation.inputs.get("uri"))
    host = host_of(address)
    sent = audiences.target(host) if host else None
    if operation.type != "http" or sent is None:
        return "", ""
    path = "/" + re.split(r"[?#]", address.partition("://")[2].partition("/")[2], maxsplit=1)[0]
    if sent.name.startswith("Azure Key Vault") and _VAULT_SECRET.fullmatch(path):
        secret = "a secret of a key vault"  # noqa: S105 - words
        return (secret, "") if method == "put" else ("", secret if method in ("get", "") else "")
    if sent.name.startswith("Azure Resource Manager") and _LISTS_SECRETS.search(path):
        return "", "keys or addresses that Azure Resource Manager lists"
    return "", ""


def _uses(operation: Operation) -> tuple[set[str], set[str]]:
    """The parameters and actions, in lower case, that its inputs name where the run history shows it."""
    parameters: set[str] = set()
    actions: set[str] = set()
    waiting: list[object] = [operation.inputs]
    requests = {id(request): request for request in operation.requests()}
    while waiting:
        value = waiting.pop()
        if isinstance(value, str) and "@" in value:
            parameters |= {name.lower() for name in PARAMETER.findall(value)}
            actions |= {name.lower() for name in _MENTION.findall(value)}
        elif isinstance(value, list):
            waiting.extend(value)
        elif isinstance(value, dict):
            for key, each in value.items():
                if id(value) not in requests or key not in ("authentication", "headers"):
                    waiting.append(each)
                elif key == "headers":
                    seen = (text for name, text in obj(each).items() if word(name) != "authorization")
                    waiting.extend(seen if isinstance(each, dict) else (each,))
    return parameters, actions
