"""What a workflow definition shows of secrets and identities, read at the edge so that nothing else gets in.

`read` turns a definition and its parameters into `Part`s: names of actions, triggers, connections and
parameters, ids of identities, and words of lami's own. No value that stands where a secret may stand is ever
taken over, nor a hash of it. Pure; time and memory grow with the definition, not faster. What is nested or
written otherwise than Azure would have it is passed over, and the oddity says so.

Source: Microsoft, "Schema reference for Workflow Definition Language" (Azure Logic Apps).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from lami.arm.definition.authentication import read_connection, read_operation
from lami.arm.definition.history import read_unsecured
from lami.arm.definition.operations import operations_of
from lami.arm.definition.reading import Reading, obj, word
from lami.core.model import Definition, Part, PartKind
from lami.core.naming import counted

MOST = 40
"""How many parts of a kind are kept; one more says how many there were beside them."""
_ODDITIES = 3
_SECURE = frozenset({"securestring", "secureobject"})


def read(definition: object, parameters: Mapping[str, object]) -> Definition | None:
    """What a definition shows, with the values of its parameters; None where the reply has no definition."""
    if definition is None:
        return None
    body = obj(definition)
    declared = {name: obj(each) for name, each in obj(body.get("parameters")).items()}
    values = {name: each.get("defaultValue") for name, each in declared.items()}
    values |= {name: value for name, value in parameters.items() if value is not None}
    reading = Reading(
        values={name.lower(): value for name, value in values.items()},
        secure=frozenset(n.lower() for n, each in declared.items() if word(each.get("type")) in _SECURE),
        connections=obj(values.get("$connections")),
    )
    if not isinstance(definition, dict):
        reading.odd("the workflow definition is no JSON object")
    for name, connection in reading.connections.items():
        read_connection(name, obj(connection), reading)
    operations = list(operations_of(body, reading))
    for operation in operations:
        read_operation(operation, reading)
    read_unsecured(operations, reading)
    parts = tuple(_kept(reading))
    return Definition(parts, _worded(reading.oddities))


def _kept(reading: Reading) -> Iterator[Part]:
    """The parts in order, so many of each kind; one more says how many were left out."""
    for identity, where in reading.identities.values():
        first, *others = sorted(where)
        more = f" and {counted(len(others), 'other place')}" if others else ""
        reading.add("identity", first + more, identity)
    number: dict[PartKind, int] = {}
    for part in sorted(reading.found):
        number[part.kind] = number.get(part.kind, 0) + 1
        if number[part.kind] <= MOST:
            yield part
    for kind, count in number.items():
        if count > MOST and kind == "identity":
            reading.odd(f"it refers to {count} managed identities, of which {MOST} are judged")
        elif count > MOST:
            yield Part(kind, "further places", f"{count - MOST} more")


def _worded(oddities: Iterable[str]) -> str:
    said = sorted(oddities)
    more = [f"and {len(said) - _ODDITIES} more"] if len(said) > _ODDITIES else []
    return "; ".join([*said[:_ODDITIES], *more])
