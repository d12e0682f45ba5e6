"""A test run that is killed leaves no sandbox, no server and no command."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from live_sandbox import tiny_app, until
from uscdr.pgserver.process import _users_of
from uscdr.sandbox.state import StateDir

RUN = """
import subprocess, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from campaigns import orphans
orphans.watch()
program = Path(sys.executable).parent / "uscdr"
subprocess.run([program, "sandbox", "up", "--state", sys.argv[2], "--app-source", sys.argv[3]], check=True)
print("up", flush=True)
sys.stdin.read()
"""


def test_what_commands_of_a_killed_run_started_is_gone(tmp_path: Path) -> None:
    state, tests = StateDir(tmp_path / "state"), str(Path(__file__).parents[1])
    env = {name: value for name, value in os.environ.items() if name != "USCDR_TEST_RUN"}
    command = [sys.executable, "-c", RUN, tests, str(state.root), str(tiny_app(tmp_path / "app"))]
    with subprocess.Popen(
        command, env={**env, "USCDR_STATE_DIR": str(tmp_path)}, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as run:
        assert run.stdout is not None
        until(lambda: run.stdout and run.stdout.readline() == b"up\n")
        home = Path(json.loads((state.postgres / "server.json").read_text())["home"])
        assert _users_of(home)
        run.kill()
    until(lambda: not state.root.exists())
    assert not _users_of(home)
    assert not home.exists()
