"""`backup capture` and `backup schedule --apply` killed between request and answer: `runs resume` finds the effect."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import forked
from forked import USCDR
from live_sandbox import Live, until

KEPT_OUT = ("HEROKU_API_KEY", "USCDR_CONFIG", "USCDR_TARGET", "USCDR_SHARED", "USCDR_KIT_RECIPIENTS")
COMMANDS = {"capture": ("backup", "capture"), "schedule": ("backup", "schedule", "--apply")}
PATHS = {"capture": "*/backups", "schedule": "*/transfer-schedules"}
LOOK = 2.0
"""Seconds that a resumed run looks for what was never done."""
CUTS = [(what, fault) for what in COMMANDS for fault in ("timeout-after", "timeout-after", "timeout-before")]


@dataclass(frozen=True)
class Machine:
    """A state directory of its own beside the shared sandbox."""

    state: Path
    live: Live

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [USCDR, "--target", "sandbox", *arguments], env=self._environment(), cwd=self.state,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def call(self, *arguments: str, code: int = 0) -> str:
        done = forked.call(("--target", "sandbox", *arguments), env=self._environment(), cwd=self.state, look=LOOK)
        assert done.returncode == code, done.stderr
        assert "Traceback" not in done.stdout + done.stderr
        return done.stdout

    def _environment(self) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if name not in KEPT_OUT}
        return {**inherited, "USCDR_STATE_DIR": str(self.state)}

    def made(self, what: str) -> set[str]:
        """Ids of what the platform has."""
        app, addon = self.live.app, self.live.database()
        path = {"capture": f"apps/{app}/transfers", "schedule": f"databases/{addon}/transfer-schedules"}[what]
        return {str(one["uuid"]) for one in self.live.get(f"/client/v11/{path}")}

    def runs(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.call("--json", "runs", "list").splitlines()]


@pytest.fixture
def machine(live: Live, tmp_path: Path) -> Iterator[Machine]:
    (tmp_path / "sandbox").symlink_to(live.state.root)
    machine = Machine(tmp_path, live)
    for schedule in machine.made("schedule"):
        live.send("DELETE", f"/client/v11/databases/{live.database()}/transfer-schedules/{schedule}")
    yield machine
    live.control("DELETE", "faults")


@pytest.mark.parametrize(("what", "fault"), CUTS, ids=[f"{what}-{fault}-{n}" for n, (what, fault) in enumerate(CUTS)])
def test_killed_between_request_and_answer(machine: Machine, what: str, fault: str) -> None:
    live, before, mark = machine.live, machine.made(what), len(machine.live.audit())
    live.fault(fault, method="POST", path=PATHS[what])
    process = machine.start(*COMMANDS[what])
    until(lambda: process.poll() is not None or [one for one in live.control("GET", "faults") if one["applied"]])
    if fault == "timeout-after":
        until(lambda: process.poll() is not None or machine.made(what) - before)
    assert process.poll() is None, process.communicate()[1]
    process.kill()
    process.communicate()
    live.control("DELETE", "faults")
    (cut_off,) = machine.runs()
    assert (cut_off["scenario"], cut_off["state"], cut_off["wrote"]) == (what, "unfinished", True)

    def sent() -> int:
        posts = [one for one in live.audit()[mark:] if one["method"] == "POST"]
        return len([one for one in posts if one["path"].endswith(PATHS[what].removeprefix("*"))])

    if fault == "timeout-before":
        machine.call("runs", "resume", code=5)
        assert sent() == 1, "what may still take effect is not sent again unasked"
        machine.call("runs", "resume", "--send-again")
    else:
        machine.call("runs", "resume")
    assert len(machine.made(what) - before) == 1
    assert sent() == (1 if fault == "timeout-after" else 2)
    (run,) = machine.runs()
    assert (run["run"], run["state"]) == (cut_off["run"], "done")
    assert f"# {what.capitalize()}: done" in machine.call("runs", "report")
    machine.call("runs", "resume", code=2)


def test_undisturbed_each_says_its_result_alone_on_stdout(machine: Machine) -> None:
    said = machine.call("backup", "capture")
    name = said.split()[0]
    assert said.count("\n") == 1
    (line,) = machine.call("backup", "capture", "--json").splitlines()
    assert int(json.loads(line)["name"][1:]) == int(name[1:]) + 1
    assert json.loads(line)["state"] == "completed"
    (line,) = machine.call("backup", "schedule", "--apply", "--json").splitlines()
    assert (json.loads(line)["created"], len(json.loads(line)["schedules"])) == (True, 1)
    (line,) = machine.call("backup", "schedule", "--apply", "--json").splitlines()
    assert json.loads(line)["created"] is False
    assert [one["scenario"] for one in machine.runs()] == ["capture", "capture", "schedule"]
