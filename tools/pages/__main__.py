"""Writes the manual pages and the reference of commands from the code: `python -m tools.pages`."""

from __future__ import annotations

import sys

from tools.pages.files import expected, outdated, write

if __name__ == "__main__":
    changed = outdated(expected())
    write(expected())
    sys.stdout.write("".join(f"{name}\n" for name in changed) or "Every page was up to date.\n")
