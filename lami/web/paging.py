"""Pages of a list: an opaque token that says where the last page ended, and the link that bears it.

The token holds the sort key of the last item shown, and a digest of what was asked, so that it continues
that question and no other. It grants nothing: whoever makes one up gets a place in a list, or a 400.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from typing import TypeVar
from urllib.parse import urlencode

import msgspec
from flask import Request, Response, jsonify

from lami.core.ids import digest

LIMIT = 100
"""Items on a page, where the request does not say."""
MOST = 1000
Key = TypeVar("Key")
Query = Sequence[tuple[str, str]]
"""What was asked, as names and values; without `limit`, which may differ from page to page."""


class _Token(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    asked: str
    key: msgspec.Raw


def token_of(asked: Query, key: object) -> str:
    """The token for what comes after the item with this key."""
    token = _Token(_digest(asked), msgspec.Raw(msgspec.json.encode(key)))
    return urlsafe_b64encode(msgspec.json.encode(token)).decode("ascii").rstrip("=")


def key_of(token: str, asked: Query, kind: type[Key]) -> Key:
    """The key that a token holds; raises ValueError where it is no token of this question."""
    try:
        raw = urlsafe_b64decode(token.encode("ascii") + b"=" * (-len(token) % 4))
        read = msgspec.json.decode(raw, type=_Token)
        key = msgspec.json.decode(read.key, type=kind)
    except (ValueError, RecursionError, msgspec.MsgspecError) as error:
        raise ValueError("is no token that lami gave out") from error
    if read.asked != _digest(asked):
        raise ValueError("belongs to a question with other filters")
    return key


def listed(request: Request, values: Sequence[object], asked: Query, limit: int, token: str) -> Response:
    """The answer with one page of a list; `token` is empty on the last one."""
    if not token:
        return jsonify({"value": values, "nextLink": None})
    link = f"{request.base_url}?{urlencode([*asked, ('limit', str(limit)), ('token', token)])}"
    response = jsonify({"value": values, "nextLink": link})
    response.headers["Link"] = f'<{link}>; rel="next"'
    return response


def _digest(asked: Query) -> str:
    return digest(*(part for pair in asked for part in pair), length=16)
