"""The table as a page that reviewers read: docs/scenarios.md.

`python -m tests.scenarios.table.page` writes it anew.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tests.scenarios.table.rows import TABLE

PAGE = Path(__file__).parents[3] / "docs" / "scenarios.md"
_INTRODUCTION = """# Scenarios

What lami says of what happens, {rows} times. Each row is played on the simulated Azure, with the real SDK
clients and a clock set by hand, on SQLite and on Azurite (`tests/scenarios/test_table.py`): exactly these
findings stand in the end and no others, and so many messages went to the channel. Findings that are not
open are marked. The policy is the packaged one where the row names none, so that `orphaned-assignment`,
`missing-grant` and `ungranted-identity` have a grace of 5 minutes. What stood when the baseline was taken is
listed, and no message tells of it.

*orders*, *refunds* and *returns* are Consumption logic apps, *billing* is a Standard one, *id-…* are
user-assigned identities, *Dana* and *Robin* are people, *team-…* are groups, *pipeline* and *nodes* are
applications. *kv-…* is a key vault and *st-…* a storage account, both in the resource group *rg-claims*.
Events come at once and in order, and Microsoft Graph is not asked, where the row does not say otherwise.

This page is written by `python -m tests.scenarios.table.page`, and a test holds it to the table in
`tests/scenarios/table/rows.py`.
"""


def page() -> str:
    """The whole page."""
    return "\n".join(_lines())


def _lines() -> Iterator[str]:
    yield _INTRODUCTION.format(rows=sum(map(len, TABLE.values())))
    for chapter, rows in TABLE.items():
        yield f"## {chapter}\n"
        yield "| given | when | then | messages |"
        yield "|---|---|---|---|"
        yield from (
            f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row.cells)} |" for row in rows
        )
        yield ""


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
