"""The table in memory keeps the contract that every store keeps."""

from __future__ import annotations

import pytest

from lami.store.table import Table
from tests.simulation.memory_table import MemoryTable
from tests.store.contract import TableContract


class TestMemoryTable(TableContract):
    """The same tests as for SQLite and Azure."""

    @pytest.fixture
    def table(self) -> Table:
        """A new table."""
        return MemoryTable()
