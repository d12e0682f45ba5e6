"""`uscdr verify all` with latency on every call of every provider: against none, and its slowest check alone."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bench.programs import Done
from bench.rows import Pairs, Row
from bench.sandboxes import Bench, sandbox

PART = "Verification"
LATENCIES = (0.05, 0.2)
"""Seconds before each answer: platform, media service, name servers, mail account, queue, application."""
AIM = 1.3
ROUNDS, ROUNDS_ALONE = 4, 2
COUNTED = ("login-refuses-empty", "register-form")
"""Not asked: the application counts these requests and refuses them after a few in a quarter of an hour."""


@dataclass(frozen=True)
class _Verified:
    """One verification and the seconds of each of its checks, by name."""

    done: Done
    checks: dict[str, float]


def measure() -> Iterator[Row]:
    """The same checks each time; every one must pass."""
    with sandbox() as bench:
        names = [name for name in _verified(bench, codes=(0, 1)).checks if name not in COUNTED]
        for latency in LATENCIES:
            yield _against_none(bench, names, latency)
        yield _against_slowest(bench, names, LATENCIES[-1])


def _against_none(bench: Bench, names: Sequence[str], latency: float) -> Row:
    seen: list[Done] = []

    def run(seconds: float) -> float:
        bench.slow(seconds)
        seen.append(_verified(bench, *names).done)
        return seen[-1].seconds

    pairs = Pairs.alternate(lambda: run(latency), lambda: run(0), ROUNDS)
    what = f"verify all, {len(names)} checks, {latency * 1000:.0f} ms a call"
    most = max(one.megabytes for one in seen)
    return Row(PART, what, "the same without latency", pairs, aim=AIM, megabytes=most)


def _against_slowest(bench: Bench, names: Sequence[str], latency: float) -> Row:
    """The whole is at least as long as its longest check."""
    bench.slow(latency)
    first = _verified(bench, *names)
    slowest = max(first.checks, key=lambda name: first.checks[name])
    pairs = Pairs.alternate(
        lambda: _verified(bench, *names).done.seconds, lambda: _verified(bench, slowest).done.seconds, ROUNDS_ALONE
    )
    what = f"verify all, {len(names)} checks, {latency * 1000:.0f} ms a call"
    return Row(PART, what, f"its slowest check alone, {slowest}", pairs)


def _verified(bench: Bench, *names: str, codes: tuple[int, ...] = (0,)) -> _Verified:
    """A round of its own: this machine's record of counted requests is a new one."""
    shutil.rmtree(bench.root / "attempts", ignore_errors=True)
    done = bench.uscdr("verify", "all", *names, "--skip-manual", "--json", codes=codes)
    events = [line["event"] for line in map(json.loads, done.out.splitlines()) if "event" in line]
    return _Verified(done, {one["check"]: one["seconds"] for one in events if one["kind"] == "check.finished"})
