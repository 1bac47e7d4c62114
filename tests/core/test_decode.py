"""What an event tells, and what is refused."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lami.core.decode import (
    MAX_DEPTH,
    OPERATIONS,
    Ignored,
    clean,
    decode,
    split,
    validation_code,
)
from lami.core.model import Actor, Change
from lami.errors import BadEvent
from tests.corpus import corpus_object, corpus_path

SUB = "11111111-1111-1111-1111-11111111111a"
WATCHED = frozenset({SUB})
APP = f"/subscriptions/{SUB}/resourceGroups/rg-orders/providers/Microsoft.Logic/workflows/orders"
OID = "http://schemas.microsoft.com/identity/claims/objectidentifier"
SCP = "http://schemas.microsoft.com/identity/claims/scope"
UPN = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn"
USER = {
    "appid": "04b07795-8ddb-461a-bbee-02f9e1bf7b46",
    "idtyp": "user",
    "ipaddr": "203.0.113.10",
    "name": "Ada",
    OID: "33333333-3333-3333-3333-333333333333",
    UPN: "ada@example.com",
}
RIGHTS_TO_LEFT = "\u202e"


def grid(
    subject: object = APP, operation: str = "Microsoft.Logic/workflows/write", **changed: object
) -> dict[str, Any]:
    """An event in the Event Grid schema; keywords replace members of `data`, or of the event itself."""
    data: dict[str, Any] = {
        "authorization": {"scope": f"/subscriptions/{SUB}", "evidence": {"role": "Owner"}},
        "claims": USER,
        "correlationId": "c-1",
        "resourceUri": subject,
        "operationName": operation,
        "httpRequest": {"clientIpAddress": "198.51.100.7"},
    }
    event: dict[str, Any] = {
        "id": "e-1",
        "topic": f"/subscriptions/{SUB}",
        "subject": subject,
        "eventType": "Microsoft.Resources.ResourceWriteSuccess",
        "eventTime": "2026-08-17T12:44:11.0994607Z",
        "data": data,
        "dataVersion": "2",
        "metadataVersion": "1",
    }
    for name, value in changed.items():
        (event if name in event else data)[name] = value
    return event


def cloud(event: Mapping[str, Any]) -> dict[str, Any]:
    """The same event in the CloudEvents schema."""
    return {
        "id": event["id"],
        "source": event["topic"],
        "type": event["eventType"],
        "time": event["eventTime"],
        "subject": event["subject"],
        "data": event["data"],
        "specversion": "1.0",
    }


def changed(event: object) -> Change:
    """The event decoded, which must be a change."""
    decoded = decode(event, WATCHED)
    assert isinstance(decoded, Change), decoded
    return decoded


def reason(event: object) -> str:
    """Why the event is ignored, which it must be."""
    decoded = decode(event, WATCHED)
    assert isinstance(decoded, Ignored), decoded
    return decoded.reason


def test_both_schemas_tell_the_same() -> None:
    """An event is the same change in either schema."""
    change = changed(grid())
    assert change == changed(cloud(grid()))
    assert change == Change(
        "e-1",
        change.resource,
        "microsoft.logic/workflows/write",
        datetime(2026, 8, 17, 12, 44, 11, 99460, UTC),
        SUB,
        Actor("user", USER[OID], "Ada", "203.0.113.10"),
        "c-1",
    )
    assert change.resource.text == APP


SHAPES = {
    "roleAssignments": "providers/Microsoft.KeyVault/vaults/kv/"
    "providers/Microsoft.Authorization/roleAssignments/a",
    "roleDefinitions": "providers/Microsoft.Authorization/roleDefinitions/a",
    "workflows": "providers/Microsoft.Logic/workflows/a",
    "sites": "providers/Microsoft.Web/sites/a",
    "slots": "providers/Microsoft.Web/sites/a/slots/b",
    "userAssignedIdentities": "providers/Microsoft.ManagedIdentity/userAssignedIdentities/a",
    "federatedIdentityCredentials": "providers/Microsoft.ManagedIdentity/userAssignedIdentities/a"
    "/federatedIdentityCredentials/b",
    "resourceGroups": "",
}


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_operation_of_interest(operation: str) -> None:
    """Each operation decodes on a resource of its own type, in any casing, and is refused on another."""
    kind = operation.removesuffix("/action").split("/")[-2]
    subject = f"/subscriptions/{SUB}/resourceGroups/rg/{SHAPES[kind]}".rstrip("/")
    told = changed(grid(subject, operation))
    assert told.operation == operation.lower()
    assert told.deletes is operation.endswith("delete")
    assert changed(grid(subject.upper(), operation.upper())) == told
    with pytest.raises(BadEvent, match="does not happen to"):
        decode(
            grid(f"/subscriptions/{SUB}/resourceGroups/rg/providers/Microsoft.Storage/x/y", operation),
            WATCHED,
        )


def test_subject_or_resource_uri_is_enough() -> None:
    """Either names the resource; both may differ in case and in nothing else."""
    for nothing in ("", None):
        assert changed(grid(resourceUri=nothing)).resource.text == APP
        assert changed({**grid(), "subject": nothing}).resource.text == APP
    assert changed(grid(resourceUri=APP.upper())).resource.text == APP
    with pytest.raises(BadEvent, match="two resources"):
        decode(grid(resourceUri=f"{APP}2"), WATCHED)
    with pytest.raises(BadEvent, match="subject is missing"):
        decode(grid(subject="", resourceUri=None), WATCHED)


def test_the_callers_scope_is_not_the_resource() -> None:
    """`authorization.scope` is where the caller's authority lies, and is never read."""
    event = grid(authorization={"scope": "/subscriptions/other", "evidence": {"principalId": "x"}})
    assert changed(event) == changed(grid())


def test_foreign_events_are_ignored() -> None:
    """What is well-formed and not for lami is ignored with a reason and its id."""
    other = APP.replace(SUB, "99999999-9999-9999-9999-999999999999")
    group = "/providers/Microsoft.Management/managementGroups/mg"
    assert "watched" in reason(grid(other))
    assert "watched" in reason(grid(other, topic="/subscriptions/99999999-9999-9999-9999-999999999999"))
    assert "watched" in reason(grid(f"{group}/providers/Microsoft.Authorization/roleAssignments/a"))
    assert "topic" in reason(grid(topic="/subscriptions/99999999-9999-9999-9999-999999999999"))
    assert "topic" in reason(grid(topic="/providers/Microsoft.Management/managementGroups/mg"))
    assert "operation" in reason(grid(operation="Microsoft.Storage/storageAccounts/write"))
    assert "noise" in reason(grid(f"{APP}/config/x", "Microsoft.Web/sites/config/write"))
    for verb in ("WriteFailure", "WriteCancel", "DeleteFailure", "ActionCancel"):
        assert "nothing was changed" in reason(grid(eventType=f"Microsoft.Resources.Resource{verb}"))
    assert "type" in reason(grid(eventType="Microsoft.Storage.BlobCreated", subject="/blobServices/x"))
    assert decode(grid(eventType="x.y"), WATCHED) == Ignored("e-1", "not an event type lami handles: x.y")


def test_a_topic_may_name_more_than_the_subscription_or_be_missing() -> None:
    """The topic is only held against the resource where it speaks of a subscription."""
    assert changed(grid(topic=f"/SUBSCRIPTIONS/{SUB.upper()}/resourceGroups/rg")) == changed(grid())
    assert changed(grid(topic=None)) == changed(grid(topic=""))


@pytest.mark.parametrize(
    "event",
    [
        None,
        7,
        "text",
        [],
        {},
        {"specversion": "0.3", "id": "e", "type": "t", "time": "2026-01-01T00:00:00Z"},
        {"specversion": "1.0"},
        grid(id=None),
        grid(id=""),
        grid(id="  "),
        grid(id=7),
        grid(id="e\n1"),
        grid(id=f"e{RIGHTS_TO_LEFT}1"),
        grid(id="\ud800"),
        grid(id="e" * 257),
        grid(eventType=None),
        grid(eventType=["x"]),
        grid(eventTime=None),
        grid(eventTime="yesterday"),
        grid(eventTime="2026-02-30T00:00:00Z"),
        grid(eventTime="2026-01-01T25:00:00Z"),
        grid(eventTime="2026-01-01T00:00:00"),
        grid(eventTime="2026-01-01T00:00:00.1234567890Z"),
        grid(eventTime="0001-01-01T00:00:00+14:00"),
        grid(eventTime="٢٠٢٦-01-01T00:00:00Z"),
        grid(data=None),
        grid(data=[1]),
        grid(operationName=None),
        grid(operationName={"a": 1}),
        grid(operationName="x" * 300),
        grid(topic=5),
        grid(topic="/subscriptions/a\x00"),
    ],
)
def test_what_is_no_event_is_refused(event: object) -> None:
    """Whatever lacks what makes an event is refused with a reason, never guessed at."""
    with pytest.raises(BadEvent, match=r"\w"):
        decode(event, WATCHED)


@pytest.mark.parametrize(
    "subject",
    [
        "orders",
        APP[1:],
        "/subscriptions/{subscription-id}/resourceGroups/rg/providers/Microsoft.Logic/workflows/a",
        f"/subscriptions/{SUB}x/resourceGroups/rg/providers/Microsoft.Logic/workflows/a",
        f"{APP}/..",
        f"{APP}/../../x",
        f"{APP}/./x",
        f"{APP}//x",
        f"{APP}/ /x",
        f"{APP}/x",
        f"{APP}?api-version=1",
        f"{APP}#x",
        f"{APP}%2f..",
        APP.replace("/orders", "\\orders"),
        f"{APP}\n",
        f"{APP}\x00",
        f"{APP}{RIGHTS_TO_LEFT}",
        f"{APP}\u200b",
        APP.replace("workflows", "wor\u212aflows"),
        APP + "x" * 2048,
        7,
    ],
)
def test_hostile_ids_are_refused(subject: object) -> None:
    """An id that would be read as something else once it stands in a URL never gets there."""
    with pytest.raises(BadEvent):
        decode(grid(subject, resourceUri=None), WATCHED)


def test_ids_in_other_scripts_and_with_odd_characters_are_ids() -> None:
    """Azure allows letters of any script, parentheses, dots and spaces in names."""
    group = f"/subscriptions/{SUB}/resourceGroups/Bestellungen-für_(Köln).東京"
    subject = f"{group}/providers/Microsoft.Insights/actionGroups/Smart Detection"
    told = changed(
        grid(
            f"{subject}/providers/Microsoft.Authorization/roleAssignments/a",
            "Microsoft.Authorization/roleAssignments/write",
        )
    )
    assert told.resource.scope.text == subject


@given(st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1)), st.integers(0, 9), st.integers(-839, 839))
def test_times_are_utc_whatever_their_digits_and_offset(time: datetime, digits: int, minutes: int) -> None:
    """A time with up to nine fractional digits and any offset is the same instant in UTC."""
    fraction = f"{time.microsecond:06}789"[:digits]
    sign, (hours, rest) = "-" if minutes < 0 else "+", divmod(abs(minutes), 60)
    text = f"{time:%Y-%m-%dT%H:%M:%S}{'.' + fraction if digits else ''}{sign}{hours:02}:{rest:02}"
    there = timezone(timedelta(minutes=minutes))
    kept = time.replace(microsecond=int(fraction[:6].ljust(6, "0")), tzinfo=there)
    told = changed(grid(eventTime=text)).time
    assert told == kept
    assert told.tzinfo is UTC


@pytest.mark.parametrize(
    ("claims", "request_", "actor"),
    [
        (USER, {}, Actor("user", USER[OID], "Ada", "203.0.113.10")),
        ({UPN: "a@b", OID: "AB"}, {"clientIpAddress": "::1"}, Actor("user", "ab", "a@b", "::1")),
        ({SCP: "user_impersonation", "appid": "x", "name": "Guest"}, {}, Actor("user", "", "Guest")),
        ({"idtyp": "app", "appid": "X1", OID: "o1"}, {}, Actor("application", "o1", "X1")),
        ({"idtyp": "app", "appid": "x1", "name": "MS-PIM"}, {}, Actor("application", "x1", "MS-PIM")),
        ({"appid": "x1"}, {}, Actor("application", "x1", "x1")),
        ({}, {"clientIpAddress": "192.0.2.1"}, Actor("unknown", "", "", "192.0.2.1")),
        ({"name": 7, "appid": ["x"], OID: {}}, {}, Actor()),
        (None, None, Actor()),
        ("claims", ["request"], Actor()),
        (
            {"idtyp": "user", "name": f"<b>A{RIGHTS_TO_LEFT}d\x1b[31ma\u2028\ud800</b>" + "x" * 999},
            {},
            Actor("user", "", ("<b>Ad[31ma</b>" + "x" * 999)[:256]),
        ),
    ],
)
def test_the_actor_out_of_claims(claims: object, request_: object, actor: Actor) -> None:
    """Users and applications are told apart, and their text is made fit to show."""
    assert changed(grid(claims=claims, httpRequest=request_)).actor == actor


def test_what_may_be_missing() -> None:
    """An event without claims, request and correlation is still a change."""
    event = grid()
    for name in ("claims", "httpRequest", "correlationId", "authorization"):
        del event["data"][name]
    assert changed(event).cause.actor == Actor()
    assert changed(event).correlation_id == ""


def test_extra_keys_do_no_harm() -> None:
    """A dead letter's envelope and extension attributes, however named, are passed over."""
    letter = {"deadLetterReason": "MaxDeliveryAttemptsExceeded", "deliveryAttempts": 30, "publishTime": "x"}
    assert changed({**grid(), **letter}) == changed(grid())
    extensions = {"Odd-Name": 1, "deadletterreason": "x", "traceparent": None}
    assert changed({**cloud(grid()), **extensions}) == changed(grid())


@given(st.text(max_size=600))
def test_cleaned_text_is_short_and_visible(text: str) -> None:
    """Whatever was sent, what is shown is short, encodes, and moves no cursor."""
    shown = clean(text)
    assert len(shown) <= 256
    assert shown.encode("utf-8").decode("utf-8") == shown
    assert not any(char in shown for char in "\x00\x1b\r\n\t\u202a\u202e\u2066\u200f\ufeff")
    assert clean(shown) == shown


# --- bodies ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "events"),
    [
        (b'{"a": 1}', [{"a": 1}]),
        (b'\xef\xbb\xbf [{"a": 1}, 2]\n', [{"a": 1}, 2]),
        (b"[]", []),
        (b'{"a": 1}\n\n{"b": 2}\r\n[{"c": 3}]\n', [{"a": 1}, {"b": 2}, {"c": 3}]),
        (b'{\n "a": 1\n}', [{"a": 1}]),
        (b"null", [None]),
    ],
)
def test_bodies_are_split(body: bytes, events: list[object]) -> None:
    """An object, an array or a line for each: all become a list of events, for `decode` to judge."""
    assert split(body) == events


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" \n ",
        b"{",
        b'{"a": NaN}',
        b"[-Infinity]",
        b'{"a": 1e999}',
        b"1" * 5000,
        b"\xff\xfe{}",
        b'{"a": 1}\nnot json\n',
        b"[" * 100_000,
        b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1),
        b'{"a":' * MAX_DEPTH + b"1" + b"}" * MAX_DEPTH,
    ],
)
def test_what_is_no_json_is_refused(body: bytes) -> None:
    """Broken, endless, too deep and NaN bodies are refused whole, with a reason."""
    with pytest.raises(BadEvent, match="body"):
        split(body)


def test_nesting_up_to_the_limit_is_read() -> None:
    """The limit on nesting is a limit and not a cut below it."""
    assert split(b"[" * (MAX_DEPTH - 1) + b"]" * (MAX_DEPTH - 1)) != []


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


@given(st.lists(JSON, max_size=4))
def test_any_array_comes_back(events: list[object]) -> None:
    """Splitting loses and changes nothing."""
    assert split(json.dumps(events).encode()) == events


@given(
    st.sampled_from([grid(), cloud(grid())]),
    st.sampled_from(["event", "data", "claims"]),
    st.dictionaries(st.sampled_from([*grid(), *cloud(grid()), *grid()["data"], *USER]), JSON, max_size=3),
)
def test_decoding_answers_or_refuses(event: dict[str, Any], place: str, changes: dict[str, object]) -> None:
    """Whatever stands anywhere in an event: a change, a reason or a refusal, and never another error."""
    data = event["data"]
    if place == "event":
        event = {**event, **changes}
    elif place == "data":
        event = {**event, "data": {**data, **changes}}
    else:
        event = {**event, "data": {**data, "claims": {**data["claims"], **changes}}}
    with contextlib.suppress(BadEvent):
        assert isinstance(decode(event, WATCHED), Change | Ignored)
    assert validation_code(event) is None


@given(JSON)
def test_any_json_is_answered_or_refused(event: object) -> None:
    """JSON that is nothing like an event is refused."""
    with pytest.raises(BadEvent):
        decode(event, WATCHED)


def test_the_handshake() -> None:
    """A validation event gives its code; anything else, or one without a proper code, gives none."""
    event = grid(
        eventType="Microsoft.EventGrid.SubscriptionValidationEvent", data={"validationCode": "512d38b6"}
    )
    assert validation_code(event) == "512d38b6"
    broken: list[object] = [None, [], {}, {"validationCode": 7}, {"validationCode": "a\nb"}]
    assert not any(validation_code({**event, "data": data}) for data in broken)
    assert validation_code(grid()) is None
    assert validation_code([event]) is None


# --- the corpus ------------------------------------------------------------------------------------

COMPOSED = frozenset({"11111111-1111-1111-1111-111111111111"})


@pytest.mark.corpus
@pytest.mark.parametrize("schema", ["eventgrid", "cloudevents"])
def test_composed_events_decode(schema: str) -> None:
    """All events composed after the contract are changes, but for those that are meant to be noise."""
    cases = corpus_object(f"events/synthetic.{schema}.json")
    decoded = {name: decode(event, COMPOSED) for name, event in cases.items()}
    assert len(decoded) == 18
    ignored = {name: told.reason for name, told in decoded.items() if isinstance(told, Ignored)}
    assert ignored == {"site_config_write": "noise: app settings hold no identity"}
    told = [told for told in decoded.values() if isinstance(told, Change)]
    assert all(change.actor.kind in ("user", "application") and change.correlation_id for change in told)


@pytest.mark.corpus
def test_documented_events_are_answered() -> None:
    """Every documented example is ignored with a reason or, for its placeholders, refused with one."""
    outcomes = {}
    for path in sorted((corpus_path() / "events").glob("[dr]*.json")):
        for event in split(path.read_bytes()):
            try:
                decoded = decode(event, COMPOSED)
                outcomes[path.name] = decoded.reason if isinstance(decoded, Ignored) else "changed"
            except BadEvent as refusal:
                outcomes[path.name] = f"refused: {refusal}"
    kinds = {name: outcome.split(":")[0] for name, outcome in outcomes.items()}
    assert kinds == {
        "docs_DeadLetter.eventgrid.json": "not an event type lami handles",
        "docs_ResourceActionSuccess.eventgrid.json": "refused",
        "docs_ResourceDeleteSuccess.eventgrid.json": "refused",
        "docs_ResourceWriteSuccess.eventgrid.json": "refused",
        "docs_SubscriptionValidation.eventgrid.json": "not an event type lami handles",
        "restspecs_resource_write_success.cloudevent.json": "refused",
    }
    assert all(
        "{subscription-id}" in outcome for outcome in outcomes.values() if outcome.startswith("refused")
    )
    (handshake,) = split((corpus_path() / "events/docs_SubscriptionValidation.eventgrid.json").read_bytes())
    assert validation_code(handshake) == "512d38b6-c7b8-40c8-89fe-f46f9e9622b6"
