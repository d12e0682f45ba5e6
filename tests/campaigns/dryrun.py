"""A dry run, and every command that reads, changes nothing: not at the providers, not in the database, not on disk."""

from __future__ import annotations

import hashlib
import json
import time
from pathlib import Path

import psycopg

from . import oracle
from .canaries import files
from .kill import RECOVER
from .product import Ended, Product
from .scale import drawn
from .stand import DAMAGES, Stand
from .tally import Tally

# Of users' tables only: PostgreSQL's own analysis writes its catalogs at any time.
_COUNTERS = "SELECT coalesce(sum(n_tup_ins), 0), sum(n_tup_upd), sum(n_tup_del) FROM pg_stat_user_tables"
_QUIET = 30.0  # seconds the counters have to stand still before a case may begin
_LATE = 11.0  # seconds: idle sessions report what is left every ten
_FLUSH = 1.2  # seconds: PostgreSQL's sessions report their counts once a second
READS: tuple[tuple[str, ...], ...] = (
    (*RECOVER, "--dry-run"),
    ("--target", "sandbox", "recover", "db", "--dry-run"),
    ("--target", "sandbox", "recover", "db", "--backup", "b001", "--without-safety-capture", "--dry-run"),
    ("--target", "sandbox", "backup", "list"),
    ("runs", "list"),
    ("runs", "show"),
    ("runs", "report"),
    ("runbook",),
    ("runbook", "db"),
    ("sandbox", "status"),
    ("sandbox", "audit"),
    ("--help",),
    ("recover", "db", "--help"),
    ("--version",),
)


def run(stand: Stand, tally: Tally, *, count: int, seed: int) -> None:
    """Each read as words and as JSON, on a whole database and on a damaged one; dynos are stopped to be quiet."""
    stand.api(
        "PATCH", f"/apps/{stand.app}/formation", {"updates": [{"type": k, "quantity": 0} for k in stand.formation]}
    )
    for seed_of_state, how in enumerate(("", DAMAGES[0], "unreachable"), start=seed):
        if how:
            stand.damage(how)
            _settled(stand, how)
        product = stand.case("dry")
        for command in drawn(READS, count, seed_of_state):
            variants = [command] if "--help" in command or "--version" in command else [command, ("--json", *command)]
            for variant in variants:
                if "sandbox" in variant[:2] and variant[0] == "--json":
                    continue  # the sandbox's own commands answer with one document
                _one(stand, tally, product, variant, how)
        tally.leak(f"dry run after {how or 'nothing'}", stand.done_with(product))
        stand.heal()


def _one(stand: Stand, tally: Tally, product: Product, command: tuple[str, ...], how: str) -> None:
    elsewhere = stand.root / "elsewhere"
    elsewhere.mkdir(exist_ok=True)
    (elsewhere / "kept.txt").write_text("untouched")
    before = (_counters(stand, how), stand.mark(), _tree(elsewhere), _content(stand, how))
    ended = product.run(*command, cwd=elsewhere)
    wrong = ended.complaints(*_right(command, how))
    if stand.writes(before[1]):
        wrong.append(f"{len(stand.writes(before[1]))} writes in the audit")
    after = _counters(stand, how)
    if after != before[0]:
        wrong.append(f"the database's counters went from {before[0]} to {after}")
    if before[3] and before[3].differences(oracle.live(stand.database())):
        wrong.append("the data or the schema changed")
    if _tree(elsewhere) != before[2]:
        wrong.append("files outside the state directory changed")
    tally.case(f"{' '.join(command)} ({how or 'whole'})", wrong=[*wrong, *_json(command, ended)])


def _right(command: tuple[str, ...], how: str) -> tuple[int, ...]:
    """The codes: a database that needs no recovery, and backups of which a person has to choose, are asked about."""
    chooses = "recover" in command and "--dry-run" in command and "--backup" not in command
    return (0, *((1,) if how else ()), *((4,) if chooses else ()))


def _json(command: tuple[str, ...], ended: Ended) -> list[str]:
    """With --json every line of stdout is one JSON object."""
    if command[0] != "--json":
        return []
    found = [] if ended.out.strip() or "list" in command else ["--json printed nothing"]
    for line in ended.out.splitlines():
        try:
            whole = isinstance(json.loads(line), dict)
        except ValueError:
            whole = False
        if not whole:
            return [*found, "a line of --json is not an object"]
    return found


def _counters(stand: Stand, how: str) -> tuple[int, ...]:
    """Rows inserted, updated, deleted so far; read until two looks agree."""
    if how == "unreachable":
        return ()
    until = time.monotonic() + _QUIET
    last: tuple[int, ...] = ()
    while time.monotonic() < until:
        with psycopg.connect(stand.database()) as connection:
            found = connection.execute(_COUNTERS).fetchone()
        now = tuple(int(one or 0) for one in found or ())
        if now == last:
            return now
        last = now
        time.sleep(_FLUSH)
    return last


def _settled(stand: Stand, how: str) -> None:
    """An idle session reports its last counts up to ten seconds late: those of before the damage are none of a case."""
    until = time.monotonic() + _QUIET
    found, since = _counters(stand, how), time.monotonic()
    while found and time.monotonic() < min(until, since + _LATE):
        now = _counters(stand, how)
        if now != found:
            found, since = now, time.monotonic()


def _content(stand: Stand, how: str) -> oracle.Content | None:
    return None if how == "unreachable" else oracle.live(stand.database())


def _tree(root: Path) -> dict[str, str]:
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files(root)}
