"""One sandbox for the whole suite, and what points the official clients at its media service."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from media_under_test import CloudUnderTest

ROOT = Path(__file__).parents[3]
APP = {"Procfile": "web: python -m http.server --bind 127.0.0.1 $PORT\n", "requirements.txt": "", "index.html": "hello"}


def _uscdr(*arguments: str, state: Path) -> str:
    program = "from uscdr.cli.main import main; main()"
    command = [sys.executable, "-c", program, "sandbox", *arguments, "--state", str(state)]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=180).stdout


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Path]:
    """The state directory of a sandbox whose application stores nothing in the media service."""
    with tempfile.TemporaryDirectory() as scratch:
        state, source = Path(scratch) / "state", Path(scratch) / "app"
        source.mkdir()
        for name, content in APP.items():
            (source / name).write_text(content)
        _uscdr("up", "--app-source", str(source), state=state)
        try:
            yield state
        finally:
            _uscdr("down", state=state)


@pytest.fixture(scope="session")
def variables(sandbox: Path) -> dict[str, str]:
    """What `uscdr sandbox env` says."""
    found: dict[str, str] = json.loads(_uscdr("env", "--json", state=sandbox))["variables"]
    return found


@pytest.fixture
def cloud(sandbox: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[CloudUnderTest]:
    """The first cloud, emptied, with its backup on and its whole allowance."""
    for name in ("CLOUDINARY_URL", "CLOUDINARY_CLOUD_NAME"):
        monkeypatch.delenv(name, raising=False)
    facts = json.loads((sandbox / "sandbox.json").read_text())["cloudinary"]
    tested = CloudUnderTest(sandbox, facts)
    tested.switch(enabled=True, backup="on", quota={"limit": 2000})
    yield tested
    tested.switch(enabled=True, backup="on", quota={"limit": 2000})
    tested.empty()
