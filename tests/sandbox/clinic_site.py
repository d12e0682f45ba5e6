"""A deployed clinic for tests: a copy of its source tree, its environment, and its processes."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psycopg

import uscdr.sandbox
from uscdr.sandbox.daemon import PYTHON

SOURCE = Path(uscdr.sandbox.__file__).parent / "clinic"
LIMIT = 60.0
KEY = "a key for tests"
EMAIL = "checks@clinic.example"
PASSWORD = "checks-password-1"
NOWHERE = "redis://127.0.0.1:1/0"
"""Of a broker that is not there."""


@dataclass(frozen=True)
class Site:
    """One slug with its configuration."""

    root: Path
    env: dict[str, str]

    def with_env(self, **changes: str | None) -> Site:
        env = {name: value for name, value in {**self.env, **changes}.items() if value is not None}
        return Site(self.root, env)

    def manage(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [os.environ[PYTHON], "backend/manage.py", *arguments]
        return subprocess.run(
            command, cwd=self.root, env=self.env, capture_output=True, text=True, timeout=120, check=False
        )

    def done(self, *arguments: str) -> str:
        result = self.manage(*arguments)
        assert result.returncode == 0, result.stderr
        return result.stdout

    def rows(self, statement: str, *values: object) -> list[tuple[object, ...]]:
        with psycopg.connect(self.env["DATABASE_URL"]) as session:
            return session.execute(statement.encode(), values).fetchall()

    def one(self, statement: str, *values: object) -> object:
        return self.rows(statement, *values)[0][0]

    @contextmanager
    def process(self, kind: str, **env: str) -> Iterator[subprocess.Popen[bytes]]:
        """Run one line of the Procfile as a dyno does, and end it with SIGTERM."""
        line = next(text for text in (self.root / "Procfile").read_text().splitlines() if text.startswith(kind))
        child = subprocess.Popen(
            ["sh", "-c", line.partition(": ")[2]],
            cwd=self.root,
            env={**self.env, **env},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            yield child
        finally:
            if child.poll() is None:
                os.killpg(child.pid, signal.SIGTERM)
            try:
                child.wait(LIMIT)
            finally:
                if child.poll() is None:
                    os.killpg(child.pid, signal.SIGKILL)
                    child.wait()

    @contextmanager
    def web(self) -> Iterator[httpx.Client]:
        """Serve, and give a client that speaks like the router."""
        port = free_port()
        with (
            self.process("web", PORT=str(port), BIND_ADDRESS="127.0.0.1") as child,
            httpx.Client(
                base_url=f"http://127.0.0.1:{port}", headers={"X-Forwarded-Proto": "https"}, timeout=30
            ) as client,
        ):
            until(lambda: child.poll() is not None or answers(client))
            assert child.poll() is None, "gunicorn ended"
            yield client


def deploy(root: Path, database_url: str, broker_url: str = NOWHERE) -> Site:
    """Copy the source tree and write down its configuration."""
    shutil.copytree(SOURCE, root, ignore=shutil.ignore_patterns("__pycache__", "staticfiles", "db.sqlite3"))
    path = f"{Path(os.environ[PYTHON]).parent}{os.pathsep}{os.environ['PATH']}"
    env = {
        "PATH": path,
        "HOME": str(root),
        "DATABASE_URL": database_url,
        "DATABASE_SSL_REQUIRE": "False",
        "SECRET_KEY": "secret for tests",
        "ALLOWED_HOSTS": "127.0.0.1",
        "PGP_ENCRYPTION_KEY": KEY,
        "REDIS_URL": broker_url,
        "CHECK_EMAIL": EMAIL,
        "CHECK_PASSWORD": PASSWORD,
        "BEAT_SECONDS": "0.5",
        "IDLE_HEARTBEAT": "1",
    }
    return Site(root, env)


def until(happened: Callable[[], object], limit: float = LIMIT) -> None:
    """Look until something happened."""
    end = time.monotonic() + limit
    while not happened():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


def answers(client: httpx.Client) -> bool:
    try:
        return client.get("/health").status_code == 200
    except httpx.TransportError:
        return False


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
