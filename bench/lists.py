"""What an operator looks at first: our lists on a running sandbox, against the official client on the same one."""

from __future__ import annotations

from collections.abc import Iterator

from bench.programs import HEROKU, Done, timed
from bench.rows import Pairs, Row
from bench.sandboxes import Bench, sandbox

PART = "Lists"
AIM, AIM_OFFLINE = 0.55, 0.3
ROUNDS = 7
LOOKS = (
    ("backup list", "pg:backups", AIM),
    ("backup status", "pg:backups", AIM),
    ("runs show", "releases", AIM_OFFLINE),
)
"""Ours, theirs, and the aim. Both ask the same platform, except `runs show`, which reads this machine's journal."""
MISSED = (0, 1)
"""`backup status` ends with 1 while the objective is missed, as on a new sandbox."""


def measure() -> Iterator[Row]:
    """A first pair is not counted: files are read into memory, modules compiled."""
    with sandbox() as bench:
        theirs, app = bench.of_clients(), bench.contract["heroku"]["app"]
        bench.uscdr("verify", "db", "--skip-manual", codes=MISSED)  # a run to show
        for ours, client, aim in LOOKS:
            yield _row(bench, ours, (HEROKU, client, "--app", app), theirs, aim)


def _row(bench: Bench, ours: str, client: tuple[str, ...], env: dict[str, str], aim: float) -> Row:
    seen: list[Done] = []

    def run() -> float:
        seen.append(bench.uscdr(*ours.split(), codes=MISSED))
        return seen[-1].seconds

    run()
    timed(client, env)
    pairs = Pairs.alternate(run, lambda: timed(client, env).seconds, ROUNDS)
    most = max(one.megabytes for one in seen)
    return Row(PART, f"uscdr {ours}", f"heroku {client[1]}", pairs, aim=aim, megabytes=most)
