"""Run schedules: `python -m tests.simulation SEED` one seed again, `... long` a million."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence

from tests.simulation.many import Bad, Chunk, chunks, do_all
from tests.simulation.schedules import BY_NAME, EVERY


def main() -> int:
    """Run the schedules of each kind for a span of seeds; exit 1 where something does not hold."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=main.__doc__)
    parser.add_argument("first", type=int, help="the first seed")
    parser.add_argument("--count", type=int, default=0, help="how many schedules in all")
    parser.add_argument("--kind", choices=[*BY_NAME, ""], default="", help="one kind of fault only")
    parser.add_argument("--width", choices=["narrow", "wide", ""], default="", help="one width only")
    wanted = parser.parse_args()
    if wanted.count:
        wide = wanted.count // 16
        work = chunks(wanted.count - wide, wide, wanted.first)
    else:
        work = [Chunk(one.name, wide, wanted.first, 1) for wide in (False, True) for one in EVERY]
    work = [
        one
        for one in work
        if wanted.kind in ("", one.kind) and wanted.width in ("", "wide" if one.wide else "narrow")
    ]
    total, started = sum(one.count for one in work), time.monotonic()
    done = 0

    def progress(chunk: Chunk, bad: Sequence[Bad]) -> None:
        nonlocal done
        done += chunk.count
        for one in bad:
            print(one, flush=True)
        if sys.stderr.isatty() or done == total or done % 10_000 < chunk.count:
            left = (time.monotonic() - started) * (total - done) / done / 60
            end = "\r" if sys.stderr.isatty() and done < total else "\n"
            print(f"{done:,} of {total:,} schedules; {left:.0f} minutes left  ", file=sys.stderr, end=end)

    found = do_all(work, progress)
    print(f"{len(found):,} of {total:,} schedules went wrong")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
