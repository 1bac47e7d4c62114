"""One world for tests that only read; a fresh one for those that change it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.world import World, world


@pytest.fixture(scope="package")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Give a world in which an app was redeployed and got Contributor. For tests that change nothing."""
    with world(tmp_path_factory.mktemp("story")) as told:
        told.subscribe()
        told.redeploy()
        yield told


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[World]:
    """Give a world of the test's own, whose baseline was just taken."""
    with world(tmp_path) as own:
        yield own
