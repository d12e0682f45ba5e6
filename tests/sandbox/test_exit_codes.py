"""The same fact has the same exit code, whichever command meets it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

import forked
from live_sandbox import Live
from uscdr.scenarios.config_file import packaged
from uscdr.store.encryption import Identity

FOREIGN = ("HEROKU_API_KEY", "USCDR_CONFIG", "USCDR_SANDBOX_DNS", "USCDR_TARGET", "USCDR_AGE_IDENTITY")
DRY = "--dry-run"
STORE = "--to", "safe"
COMMANDS = [
    ("recover", "db", DRY),
    ("recover", "app", DRY),
    ("recover", "media", DRY),
    ("recover", "backups", DRY, *STORE),
    ("backup", "list", *STORE),
    ("backup", "status", *STORE),
    ("backup", "capture"),
    ("backup", "pull", *STORE, "--recipient", "PUBLIC"),
    ("backup", "prove", "newest", *STORE),
    ("backup", "schedule", *STORE),
    ("kit", "build", *STORE, "--recipient", "PUBLIC"),
    ("verify", "app", "release", "dynos"),
]
"""Every command that needs the application."""


@dataclass
class Place:
    """A state directory whose sandbox is described by a contract of our own."""

    home: Path
    public: str
    env: dict[str, str] = field(default_factory=dict)

    def call(self, *arguments: str, target: str = "sandbox", **env: str) -> subprocess.CompletedProcess[str]:
        inherited = {name: value for name, value in os.environ.items() if name not in FOREIGN}
        given = (self.public if one == "PUBLIC" else one for one in arguments)
        places = {"USCDR_STATE_DIR": self.home, "HOME": self.home, "USCDR_CONFIG": self.home / "scenarios.yaml"}
        environment = {**inherited, **{name: str(path) for name, path in places.items()}, **self.env, **env}
        done = forked.call(("--target", target, *given), env=environment, cwd=self.home)
        assert "internal error" not in done.stderr, done.stderr
        return done


def placed(live: Live, home: Path, **heroku: Any) -> Place:
    contract = {**live.contract, "heroku": {**live.contract["heroku"], **heroku}}
    root = home / "sandbox"
    root.mkdir(mode=0o700)
    (root / "sandbox.json").touch(mode=0o600)
    (root / "sandbox.json").write_text(json.dumps(contract))
    (home / "scenarios.yaml").write_bytes(packaged().read_bytes() + b"# ours: all services and checks\n")
    public = Identity.create(home / "identity.txt").text
    return Place(home, public)


@pytest.fixture(scope="module")
def gone(sandboxed: Live, tmp_path_factory: pytest.TempPathFactory) -> Place:
    return placed(sandboxed, tmp_path_factory.mktemp("gone"), app="no-such-app")


@pytest.fixture(scope="module")
def refused(sandboxed: Live, tmp_path_factory: pytest.TempPathFactory) -> Place:
    return placed(sandboxed, tmp_path_factory.mktemp("refused"), token="HRKU-0000-not-a-token-of-this-account")


@pytest.fixture(scope="module")
def dead(sandboxed: Live, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with socket.socket() as held:  # bound and not listening: every connection is refused
        held.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{held.getsockname()[1]}"
        yield placed(sandboxed, tmp_path_factory.mktemp("dead"), api_url=address, data_url=address)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_an_application_that_is_gone_is_1_and_infra_is_named(gone: Place, command: tuple[str, ...]) -> None:
    done = gone.call(*command)
    assert done.returncode == 1, done.stderr
    assert "uscdr --target sandbox recover infra" in done.stderr + done.stdout


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_refused_token_is_3(refused: Place, command: tuple[str, ...]) -> None:
    done = refused.call(*command)
    assert done.returncode == 3, done.stderr
    assert "HEROKU_API_KEY" in done.stderr + done.stdout
    assert "eft behind" not in done.stderr  # it changed nothing
    assert "State left" not in done.stderr + done.stdout


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_dead_provider_is_3(dead: Place, command: tuple[str, ...]) -> None:
    done = dead.call(*command)
    assert done.returncode == 3, done.stderr
    assert "State left" not in done.stderr + done.stdout


@pytest.mark.parametrize("command", [*COMMANDS, ("recover", "infra", DRY), ("dns", "rollback", DRY)], ids=" ".join)
def test_no_token_is_2(gone: Place, command: tuple[str, ...]) -> None:
    done = gone.call(*command, target="production", PATH="")
    assert done.returncode == 2, done.stderr
    assert "HEROKU_API_KEY is not set" in done.stderr


@pytest.mark.parametrize(
    "command",
    [
        ("backup", "prove", "b999", *STORE),
        ("backup", "pull", "b999", *STORE, "--recipient", "PUBLIC"),
        ("recover", "db", "--backup", "b999", DRY),
        ("kit", "check", "20260101T000000Z-none", *STORE),
        ("kit", "card", "20260101T000000Z-none", *STORE),
        ("runs", "show", "no-such-run"),
        ("runs", "report", "no-such-run"),
        ("runs", "resume", "no-such-run"),
        ("incident", "status", "no-such-incident"),
        ("incident", "report", "no-such-incident"),
    ],
    ids=" ".join,
)
def test_a_name_that_nothing_has_is_2(sandboxed: Live, tmp_path: Path, command: tuple[str, ...]) -> None:
    done = placed(sandboxed, tmp_path).call(*command)
    assert done.returncode == 2, done.stderr


@pytest.mark.parametrize("command", [COMMANDS[0], COMMANDS[4], COMMANDS[-1]], ids=" ".join)
def test_a_target_that_nothing_has_is_2(gone: Place, command: tuple[str, ...]) -> None:
    assert gone.call(*command, target="nowhere").returncode == 2
