"""JSON that the tests send."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TypeAlias

JsonValue: TypeAlias = "str | float | bool | Sequence[JsonValue] | Mapping[str, JsonValue] | None"


def as_json(value: object) -> JsonValue:
    """A value of which its type doesn't say that it is JSON, and that has to be."""
    sent: JsonValue = json.loads(json.dumps(value))
    return sent
