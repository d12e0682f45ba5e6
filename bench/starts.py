"""What a start costs: commands that need no provider, against the start of the official client and bare imports."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from bench.programs import HEROKU, ROOT, USCDR, as_installed, timed
from bench.rows import Pairs, Row

PART = "Start"
COMMANDS = (
    "--version", "--help", "recover db --help", "runs list", "runbook db", "verify --list", "kit list",
)  # fmt: skip
AIM = 0.3
"""Of the official client's start, which is what an operator waits for before it does anything."""
ROUNDS = 5
LIBRARIES = (sys.executable, "-c", "import typer, httpx, pydantic")


def measure() -> Iterator[Row]:
    """Wall time and processor time of the same pairs, a row each."""
    with tempfile.TemporaryDirectory(prefix="uscdr-bench-") as place:
        state = Path(place)
        env = as_installed(state) | {"DISABLE_TELEMETRY": "true", "HEROKU_SKIP_NEW_VERSION_CHECK": "true"}
        for command in COMMANDS:
            yield from _against((HEROKU, "--version"), "heroku --version", command, env, aim=AIM)
        yield from _against((HEROKU, "pg:backups", "--help"), "heroku pg:backups --help", "backup --help", env, aim=AIM)
        for command in ("--help", "runbook db"):
            yield from _against(LIBRARIES, "import typer, httpx, pydantic", command, env)


def _against(
    theirs: Sequence[str], called: str, command: str, env: Mapping[str, str], *, aim: float | None = None
) -> Iterator[Row]:
    """A first pair is not counted: files are read into memory, modules compiled."""
    ours = (USCDR, *command.split(), *_config(command))
    timed(ours, env)
    timed(theirs, env)
    mine, other = list[float](), list[float]()

    def run(line: Sequence[str], cpu: list[float]) -> float:
        done = timed(line, env)
        cpu.append(done.cpu)
        return done.seconds

    wall = Pairs.alternate(lambda: run(ours, mine), lambda: run(theirs, other), ROUNDS)
    cpu = Pairs(tuple(mine), tuple(other))
    yield Row(PART, f"uscdr {command}", called, wall, aim=aim)
    yield Row(PART, f"uscdr {command}, CPU", called, cpu, note="processor seconds of the same pairs")


def _config(command: str) -> tuple[str, ...]:
    """The clinic's own file, where a command reads one."""
    reads = command in ("runbook db", "verify --list", "kit list")
    return ("--config", str(ROOT / "scenarios.yaml")) if reads else ()
