"""`make reach`: docs/reach.md of the golden classification. `make golden`: that anew, of what lami says."""

from __future__ import annotations

import argparse

from tests.reach.page import PAGE, page
from tests.reach.roles import GOLDEN, built_in, golden, judged, written


def main() -> None:
    """Write the one or the other."""
    parser = argparse.ArgumentParser(prog="tests.reach", description=__doc__)
    what = parser.add_argument("what", choices=["page", "golden"]).dest
    if vars(parser.parse_args())[what] == "golden":
        GOLDEN.write_text(written(map(judged, built_in())), "utf-8")
    else:
        PAGE.write_text(page(golden()), "utf-8")


if __name__ == "__main__":
    main()
