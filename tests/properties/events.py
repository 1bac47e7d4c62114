"""Strategies for events: proper ones of both schemas, and what somebody may send in their place."""

from __future__ import annotations

from collections.abc import Mapping

from hypothesis import strategies as st

from lami.core.decode import OPERATIONS
from tests.properties.texts import hostile
from tests.simulation.azure import SUB

STRANGER = "99999999-9999-9999-9999-999999999999"
WATCHED = frozenset({SUB})

numbers = st.one_of(
    st.integers(),
    st.integers(-(10**400), 10**400),
    st.floats(allow_nan=False, allow_infinity=False),
)
scalars = st.one_of(st.none(), st.booleans(), numbers, hostile)
json_values = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(hostile, inner, max_size=4)),
    max_leaves=12,
)
"""Any value that JSON can hold."""

names = st.one_of(
    st.sampled_from(
        ["claims", "a b", "x" * 90, "ſlow", "é", "..", " ", "%2e%2e", "a?b", "a#b", "\u212a", "e\u0301"]
    ),
    st.text(st.characters(), min_size=1, max_size=12),
)


def _resource(operation: str, subscription: str, group: str, name: str, child: str) -> str:
    """An id of the type that an operation is on."""
    here = f"/subscriptions/{subscription}/resourceGroups/{group}"
    kind = operation.removesuffix("/action").rpartition("/")[0]
    if kind == "Microsoft.Resources/subscriptions/resourceGroups":
        return here
    namespace, *types = kind.split("/")
    pairs = [part for pair in zip(types, (name, child, child), strict=False) for part in pair]
    return "/".join([here, "providers", namespace, *pairs])


operations = st.sampled_from(OPERATIONS)
targets = operations.flatmap(
    lambda operation: st.tuples(
        st.just(operation),
        st.builds(
            _resource,
            st.just(operation),
            st.sampled_from([SUB, SUB.upper(), STRANGER]),
            names,
            names,
            st.one_of(names, st.uuids().map(str)),
        ),
    )
)
event_times = st.one_of(
    st.sampled_from(
        [
            "2026-11-24T08:00:01Z",
            "2026-11-24T08:00:01.1234567Z",
            "2026-11-24t10:00:01+02:00",
            "0001-01-01T00:00:00+14:00",
            "9999-12-31T23:59:59.9999999Z",
            "9999-12-31T23:59:59-12:00",
            "2026-02-30T00:00:00Z",
            "2026-11-24T08:00:60Z",
            "2026-11-24",
        ]
    ),
    st.datetimes().map(lambda time: time.isoformat() + "Z"),
)
claims = st.dictionaries(
    st.sampled_from(
        ["idtyp", "name", "appid", "ipaddr", "http://schemas.microsoft.com/identity/claims/scope"]
    ),
    json_values,
)


def _event(
    cloud: bool,
    id: str,
    target: tuple[str, str],
    time: str,
    given_claims: object,
    changed: Mapping[str, object],
    data_changed: Mapping[str, object],
) -> dict[str, object]:
    """An event of either schema; `changed` are members put over it, of itself and of its data."""
    operation, resource = target
    verb = (
        "Delete" if operation.endswith("/delete") else "Action" if operation.endswith("/action") else "Write"
    )
    data: dict[str, object] = {
        "operationName": operation,
        "resourceUri": resource,
        "correlationId": "5d1f0a3e-88c7-4b9a-a1c4-6a2b9e0f7d31",
        "claims": given_claims,
        "httpRequest": {"clientIpAddress": "203.0.113.7"},
        **data_changed,
    }
    kind = f"Microsoft.Resources.Resource{verb}Success"
    common = {"id": id, "subject": resource, "data": data}
    if cloud:
        envelope = {"specversion": "1.0", "type": kind, "time": time, "source": f"/subscriptions/{SUB}"}
    else:
        envelope = {
            "eventType": kind,
            "eventTime": time,
            "topic": f"/subscriptions/{SUB}",
            "dataVersion": "2",
        }
    return {**common, **envelope, **changed}


MEMBERS = (
    "id",
    "subject",
    "data",
    "eventType",
    "eventTime",
    "topic",
    "specversion",
    "type",
    "time",
    "source",
)
proper = st.builds(
    _event, st.booleans(), st.uuids().map(str), targets, event_times, claims, st.just({}), st.just({})
)
"""Events as Event Grid sends them, but for the names and times within."""
bent = st.builds(
    _event,
    st.booleans(),
    hostile,
    targets,
    event_times,
    st.one_of(claims, json_values),
    st.dictionaries(st.sampled_from(MEMBERS), json_values, max_size=2),
    st.dictionaries(
        st.sampled_from(["operationName", "resourceUri", "correlationId", "httpRequest"]),
        json_values,
        max_size=2,
    ),
)
"""Events of which some members are something else."""
events = st.one_of(proper, bent, json_values)
"""Anything that may stand where an event should."""
