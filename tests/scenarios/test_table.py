"""The table of scenarios on both stores: what lami says of each, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from lami.store.azure_tables import from_connection_string
from lami.store.sqlite import SqliteTable
from lami.store.table import Table
from tests.scenarios.table.findings import seen
from tests.scenarios.table.page import PAGE, page
from tests.scenarios.table.rows import TABLE, Scenario
from tests.scenarios.table.stage import Stage

ROWS = [row for rows in TABLE.values() for row in rows]


@pytest.fixture(params=["sqlite", pytest.param("azurite", marks=pytest.mark.azurite)])
def table(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Table]:
    """An empty table of each store; all rows share one Azurite."""
    opened: Table
    if request.param == "azurite":
        opened = from_connection_string(request.getfixturevalue("azurite"), f"t{uuid4().hex}")
    else:
        opened = SqliteTable(str(tmp_path / "lami.db"))
    yield opened
    opened.close()


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_scenario(row: Scenario, table: Table, tmp_path: Path) -> None:
    """Exactly the findings of the row stand in the end, and so many messages were told."""
    with Stage(tmp_path, table).playing() as stage:
        for word in row.given:
            word.act(stage)
        stage.begin()
        for word in row.when:
            word.act(stage)
        assert seen(stage) == sorted(row.then)
        assert len(stage.channel.alerts) == row.told


def test_page_is_the_table() -> None:
    """docs/scenarios.md says what is played; `python -m tests.scenarios.table.page` writes it."""
    assert PAGE.read_text("utf-8") == page()


def test_rows_are_told_apart() -> None:
    """No row is there twice."""
    assert len(set(map(str, ROWS))) == len(ROWS)
