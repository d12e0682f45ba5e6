"""The machine and the versions that the figures belong to."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from bench.programs import CLD, HEROKU
from uscdr import __version__
from uscdr.pgserver.cluster import find_server


def describe() -> dict[str, str]:
    """Facts in words, in the order of the page."""
    return {
        "uscdr": __version__,
        "day": datetime.now(UTC).date().isoformat(),
        "processor": f"{os.cpu_count()} of {_processor()}",
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB",
        "system": f"{platform.system()} {'.'.join(platform.release().split('.')[:2])}",
        "Python": sys.version.split()[0],
        "PostgreSQL": _said(str(find_server() / "postgres"), "--version"),
        "Heroku CLI": _said(HEROKU, "--version"),
        "cld": _said(CLD, "--version"),
        "curl": _said("curl", "--version").partition(" (")[0],
        "age": _said("age", "--version"),
    }


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def _said(*command: str) -> str:
    """The first line that a program prints."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    except FileNotFoundError:
        return "not installed"
    return (done.stdout or done.stderr).strip().partition("\n")[0]
