"""`make bench`: ratios of one run. Nothing here fails by the clock."""

from __future__ import annotations

import argparse
import time

from bench import backups, starts, verify
from bench.recover import measure, show


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patients", type=int, default=100_000)
    parser.add_argument("--megabytes", type=int, default=1000, help="of the dump that is pulled and proven")
    parser.add_argument("--starts", action="store_true", help="only how dear the start of each command is")
    given = parser.parse_args()
    starts.show(starts.measure())
    if given.starts:
        return
    verify.show(verify.measure(200))
    backups.show(backups.measure(given.megabytes))
    begun = time.monotonic()
    show(measure(given.patients))
    print(f"measured in {time.monotonic() - begun:.0f} s with {given.patients:,} patients")


if __name__ == "__main__":
    main()
