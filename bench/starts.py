"""How dear the start of a command is: CPU of the whole process against the libraries alone, and its dearest imports."""

from __future__ import annotations

import os
import re
import resource
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from bench.programs import USCDR

COMMANDS = (
    "--version", "runs list", "runs show", "runbook db", "verify --list", "backup list", "backup status", "kit list",
    "kit card --help", "recover db --help",
)  # fmt: skip
BASE = (sys.executable, "-c", "import typer, httpx, pydantic")
ROUNDS = 9
SHOWN = 8
_IMPORT = re.compile(r"import time:\s+(\d+) \|\s+\d+ \|\s*(\S+)")


@dataclass(frozen=True)
class Start:
    """One command: its CPU as a multiple of the base's, the modules it loads, and the dearest in milliseconds."""

    command: str
    ratio: float
    modules: int
    dearest: Mapping[str, float]


def measure() -> list[Start]:
    """Medians; base and commands by turns, so that what else the machine does meets all of them."""
    spent: dict[str, list[float]] = {name: [] for name in ("", *COMMANDS)}
    for _ in range(ROUNDS):
        for name, seconds in spent.items():
            seconds.append(_cpu((USCDR, *name.split()) if name else BASE))
    base = median(spent[""])
    return [Start(name, median(spent[name]) / base, *_imports(name)) for name in COMMANDS]


def show(starts: Sequence[Start]) -> None:
    """One line for each command, one for its dearest imports."""
    for one in starts:
        print(f"uscdr {one.command}: {one.ratio:.2f} of the libraries alone, {one.modules} modules")
        print("  " + ", ".join(f"{name} {spent:.1f} ms" for name, spent in one.dearest.items()))


def _cpu(command: Sequence[str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=False, capture_output=True, env=_environment())
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _imports(command: str) -> tuple[int, dict[str, float]]:
    """The number of modules, and the dearest by their own time, from `python -X importtime`."""
    words = (sys.executable, "-X", "importtime", "-m", "uscdr", *command.split())
    done = subprocess.run(words, check=False, capture_output=True, text=True, env=_environment())
    found = {name: int(micro) / 1000 for micro, name in _IMPORT.findall(done.stderr)}
    return len(found), dict(sorted(found.items(), key=lambda one: -one[1])[:SHOWN])


def _environment() -> dict[str, str]:
    """Without credentials nothing is sent; a command that needs some fails after it has loaded what it uses."""
    return {**os.environ, "HEROKU_API_KEY": "x" * 40}
