"""One dyno of the formation: a process that is started again whenever it ends, until it is stopped."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from uscdr.sandbox.dynos.group import ProcessGroup
from uscdr.sandbox.world.entities import Release, new_id, now

if TYPE_CHECKING:
    from uscdr.sandbox.dynos.environment import Runtime
    from uscdr.sandbox.logplex import LogBuffer
    from uscdr.sandbox.processes import Ledger

_BOOT_LIMIT = 60.0  # seconds a web dyno has to bind its port
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 60.0
_POLL = 0.03
_SIGNALLED = 128


def free_port() -> int:
    """A loopback port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Owner(Protocol):
    """What a dyno knows of the app that it belongs to."""

    id: str
    name: str
    logs: LogBuffer


class Dyno:
    """States: starting, up, crashed, down. One-offs are dynos too, with a runner of their own."""

    def __init__(self, app: Owner, release: Release, *, type_: str, name: str, command: str, size: str) -> None:
        self.id = new_id()
        self.app = app
        self.release = release
        self.type = type_
        self.name = name
        self.command = command
        self.size = size
        self.state = "starting"
        self.port: int | None = None
        self.attach_url: str | None = None
        self.created_at = now()
        self.updated_at: datetime = self.created_at
        self._group: ProcessGroup | None = None
        self._task: asyncio.Task[None] | None = None

    def become(self, state: str) -> None:
        """Change the state, which the log tells."""
        if state != self.state:
            self.app.logs.append("heroku", self.name, f"State changed from {self.state} to {state}")
            self.state, self.updated_at = state, now()

    def launch(self, runtime: Runtime, ledger: Ledger) -> None:
        """Begin running and restarting."""
        self._task = asyncio.create_task(self._keep_running(runtime, ledger))

    async def _keep_running(self, runtime: Runtime, ledger: Ledger) -> None:
        pause = _FIRST_PAUSE
        while True:
            began = asyncio.get_running_loop().time()
            await self._run_once(runtime, ledger)
            self.become("crashed")
            if asyncio.get_running_loop().time() - began > _LONGEST_PAUSE:
                pause = _FIRST_PAUSE
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)
            self.become("starting")

    async def _run_once(self, runtime: Runtime, ledger: Ledger) -> None:
        slug = self.release.slug
        if slug is None:
            raise RuntimeError("a release without a slug has no dynos")
        self.port = free_port() if self.type == "web" else None
        self._say(f"Starting process with command `{self.command}`")
        variables = runtime.environment(self.release, app=self.app.name, dyno=self.name, port=self.port)
        self._group = await ProcessGroup.start(
            self.command, cwd=slug.directory, env=variables, ledger=ledger, line=self._line
        )
        watch = asyncio.create_task(self._watch_boot(self._group))
        code = await self._group.wait()
        watch.cancel()
        await self._group.end()
        self._say(f"Process exited with status {code if code >= 0 else _SIGNALLED - code}")

    def _say(self, text: str) -> None:
        self.app.logs.append("heroku", self.name, text)

    def _line(self, text: str) -> None:
        self.app.logs.append("app", self.name, text)

    async def _watch_boot(self, group: ProcessGroup) -> None:
        if self.port is None:
            self.become("up")
            return
        until = asyncio.get_running_loop().time() + _BOOT_LIMIT
        while not await _listening(self.port):
            if asyncio.get_running_loop().time() > until:
                self._say("Error R10 (Boot timeout) -> Web process failed to bind to $PORT within 60 seconds")
                await group.end()
                return
            await asyncio.sleep(_POLL)
        self.become("up")

    async def stop(self) -> None:
        """End the process for good; returns when nothing of it is left."""
        self.become("down")
        self._say("Stopping all processes with SIGTERM")
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._group:
            await self._group.end()


async def _listening(port: int) -> bool:
    with contextlib.suppress(OSError):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.close()
        return True
    return False
