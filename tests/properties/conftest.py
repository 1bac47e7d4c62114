"""Time enough for a failure to be made small: Hypothesis takes up to five minutes for the shortest case."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.properties.profiles import LONG

SECONDS = 0 if LONG else 900


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Cut short, a failure would be told as a timeout, without its case."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.timeout(SECONDS))
