"""Runs the campaigns against real sandboxes: `python -m tests.campaigns`. Exit 1 when any number is not 0."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from . import (
    badinput,
    breaks,
    dryrun,
    dumps,
    faults,
    kill,
    kill_scenes,
    kill_writes,
    leaks,
    second_app,
    torn,
    wrong_backups,
)
from .stand import Stand, standing, take_all_down
from .tally import Tally, say

_PATIENTS = "40"


@dataclass(frozen=True)
class Scale:
    """How many cases."""

    kills: int
    writes: int
    faults: int
    mutations: int
    tears: int
    dumps: int
    minutes: dict[str, float]
    """Of the campaigns whose cases are drawn: after that no more are, and the line says so."""


_SMALL: dict[str, float] = {"kill": 5, "faults": 6, "kill-app": 4, "kill-media": 3, "kill-infra": 4, "dumps": 1}
SCALES = {"small": Scale(20, 20, 60, 40, 24, 60, _SMALL), "full": Scale(300, 100, 1500, 2000, 400, 1200, {})}
Campaign = Callable[[Stand, Tally], None]


def campaigns(scale: Scale, seed: int) -> dict[str, Campaign]:
    """All that run on a clinic's sandbox, by name."""
    return {
        "kill": partial(kill.run, count=scale.kills, seed=seed),
        "kill-writes": partial(kill_writes.run, count=scale.writes, seed=seed),
        "faults": partial(faults.run, count=scale.faults, seed=seed),
        "input": partial(badinput.run, mutations=scale.mutations, seed=seed),
        "dry-run": dryrun.run,
        "breaks": breaks.run,
        "leaks": leaks.run,
        "backups": wrong_backups.run,
        "dumps": partial(dumps.run, count=scale.dumps, seed=seed),
        "journal": partial(torn.run, count=scale.tears, seed=seed),
        "kill-app": partial(kill_scenes.run, make=kill_scenes.application, count=scale.kills, seed=seed),
        "kill-media": partial(kill_scenes.run, make=kill_scenes.media, count=scale.kills, seed=seed),
        "kill-infra": partial(kill_scenes.run, make=kill_scenes.infrastructure, count=scale.kills, seed=seed),
    }


LANES = (
    ("faults", "dry-run", "backups", "journal", "kill-app", "kill-media", "kill-infra"),
    ("kill", "kill-writes", "breaks", "leaks", "input", "dumps", "other-app"),
)
"""Each lane has a sandbox of its own; most of a recovery is waiting. `kill-infra` ends its lane's application."""


def _lane(names: Sequence[str], known: dict[str, Campaign], tallies: dict[str, Tally]) -> None:
    on_clinic = [name for name in names if name in known]
    if on_clinic:
        with standing("--patients", _PATIENTS) as stand:
            for name in on_clinic:
                _guarded(tallies[name], partial(known[name], stand, tallies[name]))
    if "other-app" in names:
        _guarded(tallies["other-app"], partial(second_app.run, tallies["other-app"]))


def _guarded(tally: Tally, work: Callable[[], None]) -> None:
    """A harness that breaks is a wrong verdict too: the campaign did not finish."""
    tally.started = time.monotonic()
    try:
        work()
    except Exception as error:  # noqa: BLE001 - whatever broke, the other campaigns still have to report
        traceback.print_exc()
        tally.wrong.append(f"the campaign broke off: {type(error).__name__}: {error}"[:600])
    tally.seconds = time.monotonic() - tally.started
    say(tally.line())


def main() -> int:
    """Run what is asked for; print one line a campaign."""
    names = [name for lane in LANES for name in lane]
    parser = argparse.ArgumentParser(prog="python -m tests.campaigns", description=__doc__)
    parser.add_argument("--scale", choices=sorted(SCALES), default="small")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("campaign", nargs="*", help="; ".join(names))
    given = parser.parse_args()
    if unknown := set(given.campaign) - set(names):
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored when started in the background
    try:
        return _run(set(given.campaign) or set(names), SCALES[given.scale], given.seed)
    except KeyboardInterrupt:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        take_all_down()
        say("The campaigns were interrupted.")
        return 130


def _run(wanted: set[str], scale: Scale, seed: int) -> int:
    minutes = scale.minutes
    tallies = {
        name: Tally(name, limit=60 * minutes.get(name, float("inf")))
        for lane in LANES
        for name in lane
        if name in wanted
    }
    known = campaigns(scale, seed)
    threads = []
    for lane in LANES:
        names = [name for name in lane if name in wanted]
        threads.append(threading.Thread(target=_lane, args=(names, known, tallies), daemon=True))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    say(f"campaigns, seed {seed}:")
    for tally in tallies.values():
        say(tally.line())
        for complaint in (*tally.wrong, *tally.doubles, *tally.leaks):
            say(f"    {complaint}")
    return 0 if all(tally.clean for tally in tallies.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
