"""Run schedules: `python -m tests.simulation SEED` one seed again, `... 0 1000` very many."""

from __future__ import annotations

import argparse
import logging
import sys

from tests.simulation.schedules import EVERY, run


def main() -> int:
    """Run the schedules of each kind for a span of seeds; exit 1 where something does not hold."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=main.__doc__)
    parser.add_argument("first", type=int, help="the first seed")
    parser.add_argument("count", type=int, nargs="?", default=1, help="how many seeds (default 1)")
    wanted = parser.parse_args()
    logging.disable(logging.CRITICAL)
    bad = 0
    for wide in (False, True):
        for faults in EVERY:
            for seed in range(wanted.first, wanted.first + wanted.count):
                violations = run(seed, faults, wide).violations()
                bad += bool(violations)
                for violation in violations:
                    print(f"{'wide' if wide else 'narrow'}, {faults}, seed {seed}: {violation}")
            done = f"{wanted.count} {'wide' if wide else 'narrow'} schedules with faults: {faults}"
            print(done, file=sys.stderr)
    print(f"{bad} of {wanted.count * 2 * len(EVERY)} schedules went wrong")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
