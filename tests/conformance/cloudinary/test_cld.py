"""The official command line client against the sandbox's media service."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from media_under_test import CloudUnderTest, picture

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="session")
def program() -> Path:
    """The client. Its absence is a failure: this suite is nothing without it."""
    directory = Path(os.environ.get("USCDR_CLIENTS", ROOT / ".clients"))
    found = directory / "cloudinary" / "bin" / "cld"
    assert found.exists(), f"no {found}: run tests/conformance/install_clients.sh {directory}"
    return found


def _run(program: Path, variables: dict[str, str], *arguments: str) -> str:
    ours = {name: variables[name] for name in ("CLOUDINARY_URL", "CLOUDINARY_HOME", "NO_PROXY")}
    environment = {"PATH": os.environ["PATH"], "HOME": variables["CLOUDINARY_HOME"], **ours}
    done = subprocess.run(
        [str(program), *arguments], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_ping(program: Path, variables: dict[str, str]) -> None:
    assert '"status": "ok"' in _run(program, variables, "admin", "ping")


@pytest.mark.parametrize("mode", ["dynamic", "fixed"])
def test_what_is_pushed_is_pulled(
    program: Path, variables: dict[str, str], cloud: CloudUnderTest, tmp_path: Path, mode: str
) -> None:
    cloud.switch(folder_mode=mode)
    here, there = tmp_path / "here", tmp_path / "there"
    (here / "deep").mkdir(parents=True)
    there.mkdir()
    for number in range(5):
        picture(here if number % 2 else here / "deep", f"photo{number}", 2000 + number)
    (here / "notes.txt").write_text("plain text")
    _run(program, variables, "sync", "--push", "-F", str(here), f"synced-{mode}")
    _run(program, variables, "sync", "--pull", "-F", str(there), f"synced-{mode}")
    assert _files(here) == _files(there)
    assert len(_files(there)) == 6
    cloud.switch(folder_mode="dynamic")


def _files(directory: Path) -> dict[str, bytes]:
    found = [one for one in directory.rglob("*") if one.is_file() and one.name != ".cld-sync"]
    return {str(one.relative_to(directory)): one.read_bytes() for one in found}
