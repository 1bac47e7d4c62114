"""Fuzzing what comes in: whatever is sent is a change, an event of something else, or no event."""

from __future__ import annotations

import json
import unicodedata
from datetime import UTC

from hypothesis import given
from hypothesis import strategies as st

from lami.core.decode import MAX_DEPTH, Ignored, decode, split, validation_code
from lami.core.model import Change
from lami.errors import BadEvent
from tests.properties.events import WATCHED, events, json_values, proper
from tests.properties.profiles import cases
from tests.properties.texts import hostile


def harmless(text: str) -> bool:
    """Whether text hides and reorders nothing, as the decoder promises of all that it lets through."""
    return not {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"} & set(map(unicodedata.category, text))


def outcome(event: object) -> Change | Ignored | None:
    """What an event is; None for none."""
    try:
        return decode(event, WATCHED)
    except BadEvent as error:
        reason = str(error)
    assert harmless(reason)
    return None


@cases("events")
@given(events)
def test_an_event_is_a_change_or_ignored_or_bad(event: object) -> None:
    """What is believed of an event is within bounds, and all that is shown of it is printable."""
    found = outcome(event)
    code = validation_code(event)
    assert code is None or harmless(code)
    if isinstance(found, Ignored):
        assert found.reason
        assert harmless(found.reason + found.event_id)
        assert len(found.event_id) <= 256
    if isinstance(found, Change):
        assert found.subscription in WATCHED
        assert found.resource.subscription == found.subscription
        assert found.time.tzinfo is UTC
        assert not set("?#%\\") & set(found.resource.text)
        assert not {"..", "."} & set(found.resource.parts)
        actor = found.actor
        for text in (found.event_id, found.operation, found.correlation_id, actor.id, actor.name, actor.ip):
            assert len(text) <= 512
            assert harmless(text)


@cases("event schemas")
@given(proper)
def test_both_schemas_say_the_same(event: dict[str, object]) -> None:
    """An event and the same one in the other schema decode to the same; through JSON too."""
    pairs = (("type", "eventType"), ("time", "eventTime"), ("source", "topic"))
    other = {key: value for key, value in event.items() if key not in ("specversion", "dataVersion")}
    for ours, theirs in pairs:
        for old, new in ((ours, theirs), (theirs, ours)):
            if old in event:
                other[new] = other.pop(old)
    if "specversion" not in event:
        other["specversion"] = "1.0"
    assert outcome(event) == outcome(other)
    [again] = split(json.dumps(event).encode())
    assert outcome(again) == outcome(event)


nestings = st.builds(
    lambda depth, opener: opener[0] * depth + opener[1] * depth,
    st.one_of(st.integers(0, 200), st.integers(0, 100_000)),
    st.sampled_from([("[", "]"), ('{"a":', "}"), ('[{"a":', "}]"), ("[", ""), ("[[1],", "")]),
)
odd_bodies = st.one_of(
    st.binary(max_size=200),
    hostile.map(lambda text: text.encode("utf-8", "surrogatepass")),
    nestings.map(str.encode),
    st.integers(1, 20_000).map(lambda digits: b"9" * digits),
    st.sampled_from(
        [
            b"NaN",
            b"-Infinity",
            b"1e999",
            b"[1e400]",
            b'"\\ud800"',
            b'{"id":1,"id":2}',
            b"\xef\xbb\xbf[]",
            b"[,]",
        ]
    ),
)
bodies = st.one_of(
    odd_bodies,
    st.lists(json_values, max_size=4).map(lambda lines: "\n".join(map(json.dumps, lines)).encode()),
    st.builds(lambda event, cut: json.dumps(event).encode()[:cut], proper, st.integers(0, 900)),
)
"""Bodies of a request: JSON, NDJSON, cut short, and what is none of them."""


def depth(value: object) -> int:
    """How deep a value is nested, without recursion."""
    level, deep = [value], 0
    while level := [
        inner
        for it in level
        if isinstance(it, dict | list)
        for inner in (it.values() if isinstance(it, dict) else it)
    ]:
        deep += 1
    return deep


@cases("bodies")
@given(bodies)
def test_a_body_is_split_or_bad(body: bytes) -> None:
    """Whatever bytes come, they are raw events that JSON can write again, or one printable reason why not."""
    try:
        found, reason = split(body), ""
    except BadEvent as error:
        found, reason = [], str(error)
    assert harmless(reason)
    for event in found:
        assert depth(event) <= MAX_DEPTH
        json.dumps(event, allow_nan=False)
        outcome(event)


@cases("lines")
@given(st.lists(st.lists(json_values, max_size=3), min_size=1, max_size=4))
def test_events_are_split_alike_however_they_come(lines: list[list[object]]) -> None:
    """An array, arrays on a line each and objects on a line each are the same events."""
    flat = [event for line in lines for event in line]
    flat = [event for event in flat if not isinstance(event, list)]
    by_line = [[event for event in line if not isinstance(event, list)] for line in lines]
    assert split(json.dumps(flat).encode()) == flat
    assert split("\n".join(map(json.dumps, by_line)).encode()) == flat
    if flat:
        assert split("\r\n".join(map(json.dumps, flat)).encode()) == flat
