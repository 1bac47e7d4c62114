"""Times as people write them: one reading for the API and the command line."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from lami.core.moments import first_moment, last_moment
from tests.core.builders import HOSTILE

DAY = datetime(2026, 11, 24, tzinfo=UTC)


def test_a_date_is_a_whole_day() -> None:
    """Its first moment where something begins, its last where something ends."""
    assert first_moment("2026-11-24") == DAY
    assert last_moment("2026-11-24") == DAY + timedelta(days=1, microseconds=-1)


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2026-11-24T08:00:00Z", DAY.replace(hour=8)),
        ("2026-11-24t08:00:00z", DAY.replace(hour=8)),
        ("2026-11-24T08:00:00+05:30", DAY.replace(hour=2, minute=30)),
        ("2026-11-24T08:00:00.5Z", DAY.replace(hour=8, microsecond=500_000)),
        ("2026-11-24T08:00:00.1234567Z", DAY.replace(hour=8, microsecond=123_456)),
        ("2026-11-24T00:00:00Z", DAY),
    ],
)
def test_a_time_is_one_moment(text: str, time: datetime) -> None:
    """In UTC, whatever its offset; Azure writes seven digits of a second."""
    for read in (first_moment, last_moment):
        assert read(text) == time
        assert read(text).tzinfo is UTC


@pytest.mark.parametrize(
    "text",
    [
        "",
        "today",
        "20261124",
        "2026-11-24T08:00:00",
        "2026-11-24 08:00:00Z",
        "2026-11-24T08:00Z",
        "2026-11-24T25:00:00Z",
        "2026-02-30",
        "٢٠٢٦-11-24",
        "2026-11-24\n",
        *HOSTILE,
    ],
    ids=ascii,
)
def test_all_else_is_refused_with_examples(text: str) -> None:
    """A time without its offset too: nobody knows which moment it means."""
    for read in (first_moment, last_moment):
        with pytest.raises(ValueError, match=r"2026-11-24T08:00:00Z"):
            read(text)


@pytest.mark.parametrize(
    "text",
    ["1999-12-31", "3000-01-01", "0001-01-01", "2999-12-31T23:59:59-01:00", "2000-01-01T00:00:00+01:00"],
)
def test_far_years_are_refused(text: str) -> None:
    """Nothing lami knows of lies there, and arithmetic with them may fail."""
    for read in (first_moment, last_moment):
        with pytest.raises(ValueError, match="years 2000 to 2999"):
            read(text)
