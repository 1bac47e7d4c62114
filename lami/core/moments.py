"""Times as people write them, read alike wherever lami is asked: a date, or a time (RFC 3339).

A date is a whole day in UTC: its first moment where something begins with it, its last where something ends.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, time

_DATE = r"\d{4}-\d\d-\d\d"
_TEXT = re.compile(rf"{_DATE}([Tt]\d\d:\d\d:\d\d(\.\d{{1,9}})?([Zz]|[+-]\d\d:\d\d))?", re.ASCII)
_YEARS = range(2000, 3000)


def first_moment(text: str) -> datetime:
    """The time, or the first moment of the date, in UTC; raises ValueError with the reason."""
    return _moment(text, time.min)


def last_moment(text: str) -> datetime:
    """The time, or the last moment of the date, in UTC; raises ValueError with the reason."""
    return _moment(text, time.max)


def _moment(text: str, of_day: time) -> datetime:
    read = _read(text) if _TEXT.fullmatch(text) else None
    if read is None:
        raise ValueError("is neither a date (2026-11-24) nor a time with its offset (2026-11-24T08:00:00Z)")
    moment = datetime.combine(read, of_day, UTC) if read.tzinfo is None else read.astimezone(UTC)
    if moment.year not in _YEARS:
        raise ValueError(f"lies outside the years {_YEARS[0]} to {_YEARS[-1]}")
    return moment


def _read(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text.upper())
    except ValueError:
        return None
