"""`python -m uscdr` where modules of somebody else lie."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def test_modules_of_the_current_directory_are_not_ours(tmp_path: Path) -> None:
    for name in ("json", "typer", "shlex", "httpx"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('taken')\n")
    ended = subprocess.run(
        [sys.executable, "-m", "uscdr", "--version"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.startswith("uscdr ")
