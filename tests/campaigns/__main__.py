"""Runs the campaigns against real sandboxes: `python -m tests.campaigns`. Exit 1 when any number is not 0."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from functools import partial

from . import (
    bad_dumps,
    badinput,
    breaks,
    dryrun,
    dumps,
    faults,
    good_dumps,
    hostile_config,
    hostile_dumps,
    kill,
    kill_media,
    kill_scenes,
    kill_writes,
    leaks,
    leftovers,
    lockout,
    locks,
    mutants,
    notices,
    orphans,
    second_app,
    streams,
    suite,
    torn,
    wire,
    wrong_backups,
)
from .scale import SCALES, count, limit
from .stand import Stand, standing, take_all_down
from .tally import Tally, say

_PATIENTS = "40"


Campaign = Callable[[Stand, Tally], None]
Alone = dict[str, Callable[[Tally], None]]
"""Those that need no clinic's sandbox, by name."""


def campaigns(scale: str, seed: int) -> dict[str, Campaign]:
    """All that run on a clinic's sandbox, by name."""

    def of(run: Callable[..., None], name: str, **more: object) -> Campaign:
        return partial(run, count=count(name, scale), seed=seed, **more)

    return {
        "kill": of(kill.run, "kill"),
        "kill-writes": of(kill_writes.run, "kill-writes"),
        "faults": of(faults.run, "faults"),
        "input": of(badinput.run, "input"),
        "dry-run": of(dryrun.run, "dry-run"),
        "breaks": of(breaks.run, "breaks"),
        "leaks": of(leaks.run, "leaks"),
        "lockout": of(lockout.run, "lockout"),
        "backups": of(wrong_backups.run, "backups"),
        "dumps": of(dumps.run, "dumps"),
        "bad-dumps": of(bad_dumps.run, "bad-dumps"),
        "hostile-dumps": of(hostile_dumps.run, "hostile-dumps"),
        "journal": of(torn.run, "journal"),
        "locks": of(locks.run, "locks"),
        "streams": of(streams.run, "streams"),
        "leftovers": of(leftovers.run, "leftovers"),
        "kill-app": of(kill_scenes.run, "kill-app", make=kill_scenes.application),
        "kill-media": of(kill_media.run, "kill-media"),
        "kill-infra": of(kill_scenes.run, "kill-infra", make=kill_scenes.infrastructure),
    }


Tallies = dict[str, Tally]
LANES = (
    ("faults", "lockout", "dry-run", "backups", "journal", "locks", "streams"),
    (
        "kill",
        "kill-writes",
        "dumps",
        "bad-dumps",
        "hostile-dumps",
        "breaks",
        "kill-app",
        "kill-media",
        "kill-infra",
        "wire",
        "other-app",
    ),
    ("leaks", "leftovers", "input", "good-dumps", "mutants", "config", "notices", "suite"),
)
"""Each lane has a sandbox of its own; most of a recovery is waiting. `kill-infra` ends its lane's application."""


def _lane(names: Sequence[str], known: dict[str, Campaign], alone: Alone, tallies: Tallies) -> None:
    on_clinic = [name for name in names if name in known]
    if on_clinic:
        with standing("--patients", _PATIENTS) as stand:
            for name in on_clinic:
                _guarded(tallies[name], partial(known[name], stand, tallies[name]))
    for name in names:
        if name in alone:
            _guarded(tallies[name], partial(alone[name], tallies[name]))


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
    parser.add_argument("--scale", choices=SCALES, default="sample")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("campaign", nargs="*", help="; ".join(names))
    given = parser.parse_args()
    if unknown := set(given.campaign) - set(names):
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    orphans.watch()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored when started in the background
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)  # as well, and the commands would inherit that
    try:
        return _run(set(given.campaign) or set(names), given.scale, given.seed)
    except KeyboardInterrupt:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        take_all_down()
        say("The campaigns were interrupted.")
        return 130


def _run(wanted: set[str], scale: str, seed: int) -> int:
    again = f"python -m tests.campaigns --scale {scale} --seed {seed}"
    say(f"campaigns, scale {scale}, seed {seed}; the same again: {again}")
    tallies = {name: Tally(name, limit=limit(name, scale)) for lane in LANES for name in lane if name in wanted}
    known = campaigns(scale, seed)
    alone: Alone = {
        name: partial(run, count=count(name, scale), seed=seed)
        for name, run in {
            "other-app": second_app.run,
            "good-dumps": good_dumps.run,
            "mutants": mutants.run,
            "config": hostile_config.run,
            "notices": notices.run,
            "wire": wire.run,
            "suite": suite.run,
        }.items()
    }
    threads = []
    for lane in LANES:
        names = [name for name in lane if name in wanted]
        threads.append(threading.Thread(target=_lane, args=(names, known, alone, tallies), daemon=True))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    say(f"campaigns, scale {scale}, seed {seed}:")
    for tally in tallies.values():
        say(tally.line())
        for complaint in (*tally.wrong, *tally.doubles, *tally.leaks):
            say(f"    {complaint}")
    return 0 if all(tally.clean for tally in tallies.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
