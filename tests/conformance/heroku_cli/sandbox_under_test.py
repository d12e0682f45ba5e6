"""A running sandbox, the official client pointed at it, and a look at the effects through its API."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psycopg

from uscdr.sandbox import audit
from uscdr.sandbox.state import StateDir

_ACCEPT = {"Accept": "application/vnd.heroku+json; version=3"}


@dataclass(frozen=True)
class Answer:
    """What a command said and how it ended."""

    command: str
    code: int
    out: str
    err: str

    @property
    def said(self) -> str:
        return self.out + self.err


def uscdr(*arguments: str, state: Path) -> str:
    """Runs our own program on the sandbox of `state` and returns its standard output."""
    program = "from uscdr.cli.main import main; main()"
    command = [sys.executable, "-c", program, "sandbox", *arguments, "--state", str(state)]
    answer = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert answer.returncode == 0, f"{shlex.join(command)}: {answer.returncode}\n{answer.stderr}"
    return answer.stdout


@dataclass
class SandboxUnderTest:
    """`checkout` is a clone of the application's source; its `origin` is a repository beside it."""

    state: Path
    clients: Path
    home: Path
    checkout: Path
    environment: Mapping[str, str] = field(repr=False)
    facts: Mapping[str, Any] = field(repr=False)

    def run(self, command: str | list[str], *, stdin: str = "", timeout: float = 180) -> Answer:
        """Runs a command line of the runbook, without a terminal, with `stdin` and then its end."""
        argv = shlex.split(command) if isinstance(command, str) else command
        done = subprocess.run(
            argv,
            input=stdin,
            capture_output=True,
            text=True,
            cwd=self.checkout,
            env=dict(self.environment),
            timeout=timeout,
            check=False,
        )
        return Answer(shlex.join(argv), done.returncode, done.stdout, done.stderr)

    def get(self, path: str, **headers: str) -> Any:
        """GET on the Platform API."""
        return self._get(self.facts["heroku"]["api_url"], path, headers)

    def data(self, path: str) -> Any:
        """GET on the data API."""
        return self._get(self.facts["heroku"]["data_url"], path, {})

    def _get(self, base: str, path: str, headers: Mapping[str, str]) -> Any:
        token = {"Authorization": f"Bearer {self.facts['heroku']['token']}"}
        answer = httpx.get(base + path, headers={**_ACCEPT, **token, **headers}, timeout=30)
        answer.raise_for_status()
        return answer.json()

    def releases(self, app: str = "usc-pis") -> list[dict[str, Any]]:
        """All releases, oldest first."""
        found: list[dict[str, Any]] = self.get(f"/apps/{app}/releases", Range="version ..; max=1000")
        return sorted(found, key=lambda release: release["version"])

    def transfers(self, app: str = "usc-pis") -> list[dict[str, Any]]:
        """All transfers, oldest first."""
        found: list[dict[str, Any]] = self.data(f"/client/v11/apps/{app}/transfers")
        return sorted(found, key=lambda transfer: int(transfer["num"]))

    def writes(self) -> int:
        """How many writes the providers received so far."""
        return sum(bool(record["write"]) for record in audit.read(StateDir(self.state).audit))

    def sql(self, query: str, app: str = "usc-pis") -> Any:
        """The first value of the answer of the app's own database to `query`."""
        url = self.get(f"/apps/{app}/config-vars")["DATABASE_URL"]
        with psycopg.connect(url, autocommit=True) as connection:
            cursor = connection.execute(query.encode())
            row = cursor.fetchone() if cursor.description else None
        return row[0] if row else None

    def web_status(self) -> int:
        """The HTTP status of the application's homepage."""
        return httpx.get(self.facts["web_url"], timeout=30).status_code


def eventually(condition: Callable[[], bool], limit: float = 30.0) -> bool:
    """Whether `condition` comes true within `limit` seconds."""
    deadline = time.monotonic() + limit
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def client_environment(clients: Path, home: Path, sandbox_env: Mapping[str, str]) -> dict[str, str]:
    """An environment that holds nothing of the person's own: only the sandbox's variables."""
    path = [str(clients / "node_modules" / ".bin"), *os.environ.get("PATH", os.defpath).split(":")]
    who = {f"GIT_{who}_{what}": "a@b" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    quiet = {
        "TERM": "dumb", "NO_COLOR": "1", "GIT_TERMINAL_PROMPT": "0", "GIT_CONFIG_NOSYSTEM": "1",
        "HEROKU_DISABLE_AUTOUPDATE": "1",
    }  # fmt: skip
    return {"PATH": ":".join(path), "HOME": str(home), **quiet, **who, **sandbox_env}
