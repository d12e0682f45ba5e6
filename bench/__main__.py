"""`make bench`: ratios of one run, as a table and as JSON. Nothing here fails by the clock."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from bench.machine import describe
from bench.rows import Row, table

PARTS = ("starts", "lists", "recover", "verify", "media", "transfers", "proof", "kits", "tables", "journal")
"""Modules of this package, in the table's order; each has `measure() -> Iterator[Row]`."""
PAGE = Path("docs/benchmarks.md")
DOCUMENT = Path("reports/bench.json")
_HEAD = """# How fast it is

Every figure is a ratio of one run on one machine: what `uscdr` needs, against what an operator would use instead.
Pairs are measured by turns; the ratio is the median of the pairs' ratios, with the smallest and the largest of them.
`make bench` measures all of it anew and writes this page.

"""


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS], help="all, without a name")
    parser.add_argument("--write", action="store_true", help=f"also write {PAGE}")
    given = parser.parse_args()
    begun = time.monotonic()
    rows = [row for part in given.parts or PARTS for row in _measured(part)]
    minutes = (time.monotonic() - begun) / 60
    _write(rows, minutes, page=given.write)


def _measured(part: str) -> list[Row]:
    begun = time.monotonic()
    rows = []
    for row in import_module(f"bench.{part}").measure():
        print(f"{part}: {' | '.join(cell for cell in row.cells() if cell)}", flush=True)
        rows.append(row)
    print(f"{part}: {time.monotonic() - begun:.0f} s", file=sys.stderr, flush=True)
    return rows


def _write(rows: Sequence[Row], minutes: float, *, page: bool) -> None:
    machine = describe()
    DOCUMENT.parent.mkdir(exist_ok=True)
    document = {"machine": machine, "minutes": round(minutes, 1), "rows": [row.as_object() for row in rows]}
    DOCUMENT.write_text(json.dumps(document, indent=1) + "\n")
    missed = [row.what for row in rows if row.good is False]
    print(f"measured in {minutes:.1f} minutes; {'missed: ' + ', '.join(missed) if missed else 'every aim is met'}")
    if page:
        facts = "".join(f"- {name}: {value}\n" for name, value in machine.items())
        PAGE.write_text(f"{_HEAD}{facts}- measured in {minutes:.0f} minutes\n\n{table(rows)}".rstrip() + "\n")


if __name__ == "__main__":
    main()
