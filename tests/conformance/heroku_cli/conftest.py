"""One sandbox for the whole suite, and the official client that drives it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from sandbox_under_test import SandboxUnderTest, client_environment, uscdr

ROOT = Path(__file__).parents[3]
CLINIC = ROOT / "src" / "uscdr" / "sandbox" / "clinic"


@pytest.fixture(scope="session")
def clients() -> Path:
    """Where the official clients are. Their absence is a failure: this suite is nothing without them."""
    directory = Path(os.environ.get("USCDR_CLIENTS", ROOT / ".clients"))
    heroku = directory / "node_modules" / ".bin" / "heroku"
    assert heroku.exists(), f"no {heroku}: run tests/conformance/install_clients.sh {directory}"
    return directory


@pytest.fixture(scope="session")
def sandbox(clients: Path) -> Iterator[SandboxUnderTest]:
    """A fresh sandbox with a small clinic, taken down at the end."""
    with tempfile.TemporaryDirectory() as scratch:
        state = Path(scratch) / "state"
        uscdr("up", "--plain", "--patients", "60", "--seed", "7", state=state)
        try:
            yield _point_clients(Path(scratch), state, clients)
        finally:
            uscdr("down", state=state)


def _point_clients(scratch: Path, state: Path, clients: Path) -> SandboxUnderTest:
    home = scratch / "home"
    home.mkdir()
    variables = json.loads(uscdr("env", "--json", state=state))["variables"]
    facts = json.loads((state / "sandbox.json").read_text())
    # The runbook names Heroku's git host; the address alone is redirected, the command stays as written.
    rewrite = {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.https://{facts['heroku']['git_host']}/.insteadOf",
        "GIT_CONFIG_VALUE_0": "https://git.heroku.com/",
    }
    environment = client_environment(clients, home, {**variables, **rewrite})
    return SandboxUnderTest(state, clients, home, _checkout(scratch, environment), environment, facts)


def _checkout(scratch: Path, environment: dict[str, str]) -> Path:
    """A clone of the application's source with an `origin` to pull from."""
    origin, checkout = scratch / "origin.git", scratch / "checkout"
    shutil.copytree(CLINIC, checkout, ignore=shutil.ignore_patterns("__pycache__"))

    def git(*arguments: str) -> None:
        subprocess.run(["git", *arguments], cwd=checkout, env=environment, check=True, capture_output=True)

    git("init", "--quiet", "--initial-branch=main")
    git("add", "--all")
    git("commit", "--quiet", "-m", "Source")
    git("clone", "--quiet", "--bare", ".", str(origin))
    git("remote", "add", "origin", str(origin))
    return checkout
