"""`uscdr verify all` with latency on every call of every provider, against its own slowest check alone."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.programs import USCDR

LATENCY = 0.2
"""Seconds before each answer: platform, media service, name servers, mail account, queue, application."""
RUNS = 3


@dataclass(frozen=True)
class Verified:
    """Seconds: of all checks together, and of the slowest one when it runs alone."""

    together: float
    slowest: str
    alone: float

    @property
    def ratio(self) -> float:
        """How many times the slowest check all of them take."""
        return self.together / self.alone


def measure(patients: int) -> list[Verified]:
    """Each run: all checks, then the slowest of them alone."""
    with tempfile.TemporaryDirectory(prefix="uscdr-bench-") as state:
        env = {**os.environ, "USCDR_STATE_DIR": state, "USCDR_TARGET": "sandbox"}
        _call(env, "sandbox", "up", "--patients", str(patients))
        try:
            _call(env, "sandbox", "fault", "add", f"slow:{LATENCY}", "--provider", "all", "--method", "*",
                  "--path", "*", "--count", "0")  # fmt: skip
            return [_one(env) for _ in range(RUNS)]
        finally:
            _call(env, "sandbox", "down")


def _one(env: Mapping[str, str]) -> Verified:
    together, checks = _checks(env)
    slowest = max(checks, key=lambda name: checks[name])
    alone, _ = _checks(env, slowest)
    return Verified(together, slowest, alone)


def _checks(env: Mapping[str, str], *names: str) -> tuple[float, dict[str, float]]:
    """Seconds of the round, and of each check."""
    out = _call(env, "verify", "all", *names, "--skip-manual", "--json")
    events = [json.loads(line)["event"] for line in out.splitlines()]
    checks = {event["check"]: event["seconds"] for event in events if event["kind"] == "check.finished"}
    bad = [event["check"] for event in events if event["kind"] == "check.finished" and event["verdict"] != "pass"]
    if bad:
        raise SystemExit(f"not healthy: {', '.join(bad)}")
    return next(event["seconds"] for event in events if event["kind"] == "checks.finished"), checks


def _call(env: Mapping[str, str], *arguments: str) -> str:
    done = subprocess.run([USCDR, *arguments], env=dict(env), capture_output=True, text=True, check=False,
                          cwd=Path(env["USCDR_STATE_DIR"]))  # fmt: skip
    if done.returncode:
        raise SystemExit(f"{' '.join(arguments)} ended with {done.returncode}: {done.stderr[-800:]}")
    return done.stdout


def show(runs: list[Verified]) -> None:
    """One line a run."""
    for one in runs:
        print(
            f"verify all with {LATENCY} s of latency: {one.together:.2f} s, {one.slowest} alone {one.alone:.2f} s, "
            f"ratio {one.ratio:.2f}"
        )
