"""`make bench`: ratios of one run. Nothing here fails by the clock."""

from __future__ import annotations

import argparse
import os
import subprocess
import time

from bench import backups, verify
from bench.recover import USCDR, measure, show


def start_up(*arguments: str) -> float:
    """CPU seconds of one call, the least of five."""
    spent = []
    for _ in range(5):
        before = os.times()
        subprocess.run([USCDR, *arguments], check=False, capture_output=True)
        after = os.times()
        spent.append(after.children_user + after.children_system - before.children_user - before.children_system)
    return min(spent)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patients", type=int, default=100_000)
    parser.add_argument("--megabytes", type=int, default=1000, help="of the dump that is pulled and proven")
    given = parser.parse_args()
    for arguments in (("--version",), ("runs", "list")):
        print(f"uscdr {' '.join(arguments)}: {start_up(*arguments) * 1000:.0f} ms of CPU")
    verify.show(verify.measure(200))
    backups.show(backups.measure(given.megabytes))
    begun = time.monotonic()
    show(measure(given.patients))
    print(f"measured in {time.monotonic() - begun:.0f} s with {given.patients:,} patients")


if __name__ == "__main__":
    main()
