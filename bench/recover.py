"""`recover db` with many patients: its wall time against what the sandbox itself needed meanwhile."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from bench.waits import Records, Wait

USCDR = str(Path(sys.executable).parent / "uscdr")
ALLOWED_RATIO = 1.15
ALLOWED_MEGABYTES = 200
WAITING = frozenset({"drain", "safety", "restore", "migrate", "refill_web", "refill_workers", "check_app", "fresh"})


@dataclass(frozen=True)
class Measured:
    """One recovery: wall seconds, the sandbox's own seconds, each step's seconds, peak memory of uscdr in MB."""

    wall: float
    waits: list[Wait]
    steps: list[tuple[str, float]]
    megabytes: float

    @property
    def waited(self) -> float:
        """The sandbox's own seconds."""
        return sum(wait.seconds for wait in self.waits)

    @property
    def ratio(self) -> float:
        """Wall time to the sandbox's own."""
        return self.wall / self.waited


def measure(patients: int, how: str = "drop-table") -> Measured:
    """A sandbox of its own, broken and recovered once."""
    with tempfile.TemporaryDirectory(prefix="uscdr-bench-") as state:
        env = {**os.environ, "USCDR_STATE_DIR": state}
        _call(env, "sandbox", "up", "--patients", str(patients))
        try:
            _call(env, "sandbox", "break", "db", "--how", how)
            return _recovery(env, Path(state))
        finally:
            _call(env, "sandbox", "down")


def _call(env: dict[str, str], *arguments: str) -> str:
    done = subprocess.run([USCDR, *arguments], env=env, check=True, capture_output=True, text=True)
    return done.stdout


def _recovery(env: dict[str, str], state: Path) -> Measured:
    target = ("--target", "sandbox", "recover", "db", "--backup", "b001")
    plan = _call(env, *target, "--dry-run")
    phrase = next(line.removeprefix("phrase").strip() for line in plan.splitlines() if line.startswith("phrase"))
    started, clock = datetime.now(UTC), time.monotonic()
    process = subprocess.Popen(
        [USCDR, *target, "--confirm", phrase], env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    _, errors = process.communicate()
    wall = time.monotonic() - clock
    if process.returncode != 0:
        sys.exit(f"recover db ended with {process.returncode}:\n{errors.decode()[-2000:]}")
    contract = json.loads((state / "sandbox" / "sandbox.json").read_text())
    records = Records(contract)
    waits = [*records.transfers(), *records.starts(started)]
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    return Measured(wall, waits, _steps(state), peak)


def _steps(state: Path) -> list[tuple[str, float]]:
    journal = max((state / "runs").glob("*/journal.jsonl"))
    events = [json.loads(line)["event"] for line in journal.read_text().splitlines()]
    return [(event["step"], event["seconds"]) for event in events if event["kind"] == "step.succeeded"]


def show(measured: Measured) -> None:
    """The breakdown, and the ratio."""
    print("the sandbox's own work")
    for wait in measured.waits:
        print(f"  {wait.what:24} {wait.seconds:7.2f} s")
    print(f"  {'together':24} {measured.waited:7.2f} s")
    waiting = sum(seconds for step, seconds in measured.steps if step in WAITING)
    print("steps of uscdr (* = waits for the sandbox)")
    for step, seconds in measured.steps:
        print(f"{'*' if step in WAITING else ' '} {step:24} {seconds:7.2f} s")
    print(f"steps that wait {waiting:.2f} s, all else with start-up {measured.wall - waiting:.2f} s")
    print(f"wall {measured.wall:.2f} s, ratio {measured.ratio:.2f} (aim {ALLOWED_RATIO})")
    print(f"peak memory of any one process started {measured.megabytes:.0f} MB (aim {ALLOWED_MEGABYTES})")
