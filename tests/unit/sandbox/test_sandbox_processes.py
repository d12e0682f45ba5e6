"""Process groups: ended whole, found again after a crash, never mistaken for others."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
from pathlib import Path

from uscdr.sandbox import processes
from uscdr.sandbox.dynos.group import ProcessGroup
from uscdr.sandbox.processes import Ledger


def _run(command: str, tmp_path: Path, *, grace: float) -> tuple[int, list[str], float]:
    async def work() -> tuple[int, list[str], float]:
        lines: list[str] = []
        ledger = Ledger(tmp_path / "processes")
        environment = {"PATH": os.environ["PATH"]}
        group = await ProcessGroup.start(command, cwd=tmp_path, env=environment, ledger=ledger, line=lines.append)
        while not lines:  # noqa: ASYNC110 - lines come by a callback
            await asyncio.sleep(0.01)
        loop = asyncio.get_running_loop()
        began = loop.time()
        await group.end(grace=grace)
        return group.pid, lines, loop.time() - began

    return asyncio.run(work())


def test_the_end_takes_grandchildren_too(tmp_path: Path) -> None:
    pid, _, _ = _run("sleep 60 & (sleep 60 & sleep 60) & echo there; wait", tmp_path, grace=5)
    assert processes.group_members(pid) == []


def test_who_ignores_sigterm_is_killed_after_the_grace(tmp_path: Path) -> None:
    pid, lines, took = _run("trap '' TERM; echo deaf; while true; do sleep 0.1; done", tmp_path, grace=0.3)
    assert lines == ["deaf"]
    assert took >= 0.3
    assert processes.group_members(pid) == []


def test_reaping_ends_recorded_groups_and_no_others(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "processes")
    with (
        subprocess.Popen(["sleep", "60"], start_new_session=True) as ours,
        subprocess.Popen(["sleep", "60"], start_new_session=True) as recycled,
    ):
        ledger.record(ours.pid)
        with (tmp_path / "processes").open("a") as file:
            file.write(json.dumps({"pid": recycled.pid, "started": "long ago"}) + '\n{"pid": 1')
        assert ledger.reap() == [ours.pid]
        assert ours.wait(60) == -signal.SIGKILL
        assert recycled.poll() is None
        recycled.kill()


def test_a_group_without_its_leader_is_still_ended(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "processes")
    with subprocess.Popen(
        ["sh", "-c", "sleep 60 & read line"], stdin=subprocess.PIPE, start_new_session=True
    ) as leader:
        ledger.record(leader.pid)
        assert leader.stdin
        leader.stdin.close()
        leader.wait(60)
        assert processes.group_members(leader.pid)
        assert ledger.reap() == [leader.pid]
        assert processes.group_members(leader.pid) == []


def test_a_process_is_known_by_its_start() -> None:
    mark = processes.start_mark(os.getpid())
    assert processes.alive(os.getpid(), mark)
    assert not processes.alive(os.getpid(), mark + "1")
    assert not processes.alive(os.getpid(), "")


def test_an_absent_ledger_is_empty(tmp_path: Path) -> None:
    assert Ledger(tmp_path / "none").reap() == []
