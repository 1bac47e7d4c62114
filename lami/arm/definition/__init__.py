"""What workflow definitions show of secrets and identities, read at the edge so that nothing else gets in.

`read` turns the definition of a Consumption app and its parameters into `Part`s: names of actions, triggers,
connections and parameters, ids of identities, and words of lami's own; `read_workflows` does so with the
files of a Standard app. No value that stands where a secret may stand is ever taken over, nor a hash of it.
Pure; time and memory grow with the definition, not faster. What is nested or written otherwise than Azure
would have it is passed over, and the oddity says so.

Source: Microsoft, "Schema reference for Workflow Definition Language" (Azure Logic Apps).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from lami.arm.definition.authentication import read_connection, read_operation
from lami.arm.definition.connections import read_connections
from lami.arm.definition.history import read_unsecured
from lami.arm.definition.operations import operations_of
from lami.arm.definition.reading import Json, Reading, declared_in, obj, reading_of, shown
from lami.core.model import Definition, Part, PartKind
from lami.core.naming import counted

MOST = 40
"""How many parts of a kind are kept; one more says how many there were beside them."""
WORKFLOW, CONNECTIONS, PARAMETERS = "workflow.json", "connections.json", "parameters.json"
"""Files of a Standard app: the first is each workflow's own, the others are the whole app's."""
_ODDITIES = 3


def read(definition: object, parameters: Mapping[str, object]) -> Definition | None:
    """What a definition shows, with the values of its parameters; None where the reply has no definition."""
    if definition is None:
        return None
    reading = reading_of(declared_in(obj(definition).get("parameters")), parameters)
    reading.connections = obj(reading.values.get("$connections"))
    for name, connection in reading.connections.items():
        read_connection(name, obj(connection), reading)
    _read_body(definition, reading)
    return _told(reading)


def read_workflows(workflows: Iterable[tuple[str, Json]], oddity: str = "") -> Definition:
    """What the workflows of a Standard app show, each by its name with its files.

    The connections, which all of them share, are read once, but again where a later workflow has others.
    """
    whole = reading_of({}, {})
    if oddity:
        whole.odd(oddity)
    shared: object = None
    for name, files in workflows:
        settings = declared_in(files.get(PARAMETERS))
        given = {key: each.get("value") for key, each in settings.items()}
        connections = obj(files.get(CONNECTIONS))
        if connections != shared:
            shared = connections
            read_connections(connections, _into(whole, reading_of(settings, given)))
        definition = obj(files.get(WORKFLOW)).get("definition")
        declared = {**settings, **declared_in(obj(definition).get("parameters"))}
        reading = _into(whole, reading_of(declared, given), f"workflow {shown(name)}, ")
        reading.connections = obj(connections.get("managedApiConnections"))
        _read_body(definition, reading)
    return _told(whole)


def _into(whole: Reading, reading: Reading, within: str = "") -> Reading:
    """A reading whose finds are put with those of the whole app."""
    return replace(
        reading,
        within=within,
        found=whole.found,
        identities=whole.identities,
        oddities=whole.oddities,
    )


def _read_body(definition: object, reading: Reading) -> None:
    if not isinstance(definition, dict):
        reading.odd(f"{reading.within}the workflow definition is no JSON object")
    operations = list(operations_of(obj(definition), reading))
    for operation in operations:
        read_operation(operation, reading)
    read_unsecured(operations, reading)


def _told(reading: Reading) -> Definition:
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
