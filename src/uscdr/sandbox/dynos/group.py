"""A command in a process group of its own: its lines, its exit status, its end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable
from pathlib import Path

from uscdr.sandbox import processes

GRACE = 10.0  # seconds between SIGTERM and SIGKILL
_POLL = 0.02
_LONGEST_LINE = 256 * 1024


class ProcessGroup:
    """Started by `start`; every process below it is ended with it."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.pid = process.pid
        self._reader: asyncio.Task[None] | None = None

    @classmethod
    async def start(
        cls, command: str, *, cwd: Path, env: dict[str, str], ledger: processes.Ledger, line: Callable[[str], None]
    ) -> ProcessGroup:
        """Run a shell command; `line` gets each line of stdout and stderr together."""
        process = await asyncio.create_subprocess_exec(
            "bash",
            "-c",
            command,
            cwd=cwd,
            env=env,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
            limit=_LONGEST_LINE,
        )
        ledger.record(process.pid)
        group = cls(process)
        group._reader = asyncio.create_task(group._read(line))
        return group

    async def _read(self, line: Callable[[str], None]) -> None:
        if self._process.stdout is None:
            raise RuntimeError("started without a pipe for stdout")
        while True:
            try:
                raw = await self._process.stdout.readline()
            except ValueError:  # longer than the limit: its start is lost, the stream goes on
                continue
            if not raw:
                return
            line(raw.decode(errors="replace").rstrip("\r\n"))

    async def wait(self) -> int:
        """Exit status of the command: negative for a signal, as the platform reports 128 + n elsewhere."""
        code = await self._process.wait()
        self._collect()
        return code

    async def output_ended(self) -> None:
        """Wait for the last line."""
        if self._reader:
            await self._reader

    @property
    def running(self) -> bool:
        """Whether the command itself has not ended."""
        return self._process.returncode is None

    async def end(self, *, grace: float = GRACE) -> None:
        """SIGTERM to all of the group, SIGKILL after `grace` seconds; returns when nothing of it is left."""
        self._signal(signal.SIGTERM)
        if not await self._gone(grace):
            self._signal(signal.SIGKILL)
            await self._gone(GRACE)
        await self._process.wait()
        if self._reader:
            self._reader.cancel()

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)

    async def _gone(self, limit: float) -> bool:
        until = asyncio.get_running_loop().time() + limit
        while processes.group_members(self.pid):
            if asyncio.get_running_loop().time() > until:
                return False
            await asyncio.sleep(_POLL)
        self._collect()
        return True

    def _collect(self) -> None:
        """Reap orphans of the group, which come to the daemon as it is their subreaper."""
        if self._process.returncode is None:
            return
        with contextlib.suppress(ChildProcessError):
            while os.waitid(os.P_PGID, self.pid, os.WEXITED | os.WNOHANG):
                continue
