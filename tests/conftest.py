"""Fixtures that tests of several packages share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests import azurite as azurite_server

pytest.register_assert_rewrite("tests.store.contract")


@pytest.fixture(scope="session")
def azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Give the connection string of an Azurite that lives as long as the test session."""
    try:
        with azurite_server.running(tmp_path_factory.mktemp("azurite")) as connection_string:
            yield connection_string
    except azurite_server.NotInstalled as error:
        pytest.fail(str(error))
