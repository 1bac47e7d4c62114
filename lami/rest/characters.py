"""Half characters in a reply: a lone surrogate, which JSON can say and no store can hold.

Whoever may write a tag or a name can try to have one there. Left in, it would make the subject one that
cannot be written, and so be a way to hide it; so it is replaced before anything reads the reply.
"""

# Assumption: nobody could see whether Azure lets one through.

from __future__ import annotations

import json
import re
from io import BytesIO

from requests import Response

_MAY_HALVE = re.compile(rb"\\u[dD][89a-fA-F]")
"""A surrogate as JSON escapes it: half of a pair, or alone."""


def whole(answer: Response) -> Response:
    """The answer, with U+FFFD in the place of each half character; itself where it has none."""
    if not _MAY_HALVE.search(answer.content):
        return answer
    try:
        said = _replaced(json.loads(answer.content))
    except (ValueError, RecursionError):
        return answer  # For whoever reads it to refuse.
    mended = Response()
    mended.status_code, mended.reason, mended.url = answer.status_code, answer.reason, answer.url
    mended.headers, mended.encoding, mended.request = answer.headers, answer.encoding, answer.request
    mended.raw = BytesIO(json.dumps(said).encode())
    return mended


def _replaced(value: object) -> object:
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [_replaced(one) for one in value]
    if isinstance(value, dict):
        return {_replaced(key): _replaced(one) for key, one in value.items()}
    return value
