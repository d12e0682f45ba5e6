"""One-off dynos: attached through the rendezvous, or detached with their output in the log."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from uscdr.sandbox.dynos import filesystem
from uscdr.sandbox.dynos.dyno import Dyno
from uscdr.sandbox.dynos.supervisor import ONE_OFF
from uscdr.sandbox.ptyprocess import DetachedProcess, PtyProcess, spawn, spawn_detached
from uscdr.sandbox.web.errors import ApiError
from uscdr.words import whole

if TYPE_CHECKING:
    from pathlib import Path

    from uscdr.sandbox.dynos.environment import Runtime
    from uscdr.sandbox.processes import Ledger
    from uscdr.sandbox.rendezvous import RendezvousServer
    from uscdr.sandbox.world.apps import App
    from uscdr.sandbox.world.entities import Slug

_UNCLAIMED = 60.0  # seconds an attached dyno waits for its client
_CUT = 0.3  # seconds that a dyno which is to be cut off runs
_FIRST_NUMBER, _NUMBERS = 1000, 9000


@dataclass(frozen=True)
class OneOffRequest:
    """What `POST /apps/{app}/dynos` asks for. `time_to_live` is in seconds."""

    command: str
    attach: bool
    env: dict[str, str] = field(default_factory=dict)
    size: str = "Basic"
    tty: bool = True
    time_to_live: float = 86400.0
    fault: str = ""


class OneOffs:
    """Starts one-off dynos and forgets them when they have ended."""

    def __init__(self, runtime: Runtime, ledger: Ledger, rendezvous: RendezvousServer, port: int) -> None:
        self._runtime = runtime
        self._ledger = ledger
        self._rendezvous = rendezvous
        self._port = port
        self._running: dict[str, PtyProcess | DetachedProcess] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self, app: App, request: OneOffRequest) -> Dyno:
        """Begin a one-off. Raises 409 before the app's first release with code."""
        release = app.current
        if release is None or release.slug is None:
            raise ApiError(409, "conflict", "No app release exists to run a dyno from.")
        number = _FIRST_NUMBER + secrets.randbelow(_NUMBERS)
        dyno = Dyno(app, release, type_=ONE_OFF, name=f"run.{number}", command=request.command, size=request.size)
        app.dynos.append(dyno)
        if request.attach:
            self._offer(app, dyno, request)
        else:
            self._keep(self._detached(app, dyno, request))
        return dyno

    def _keep(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _variables(self, app: App, dyno: Dyno, request: OneOffRequest, home: Path) -> dict[str, str]:
        return {**request.env, **self._runtime.environment(dyno.release, app=app.name, dyno=dyno.name, home=home)}

    def _offer(self, app: App, dyno: Dyno, request: OneOffRequest) -> None:
        secret = secrets.token_urlsafe(32)
        dyno.attach_url = f"rendezvous://localhost:{self._port}/{secret}"

        async def run() -> PtyProcess:
            return await self._attached(app, dyno, request)

        if request.fault != "dyno-unreachable":
            self._rendezvous.offer(secret, run)
        self._keep(self._withdraw(app, dyno, secret))

    async def _withdraw(self, app: App, dyno: Dyno, secret: str) -> None:
        await asyncio.sleep(_UNCLAIMED)
        if dyno.state == "starting":
            self._rendezvous.withdraw(secret)
            self._forget(app, dyno, "Error R13 (Attach error) -> Failed to attach to process")

    async def _attached(self, app: App, dyno: Dyno, request: OneOffRequest) -> PtyProcess:
        home = await _disk(dyno)
        process = await spawn(
            ["bash", "-c", request.command],
            env=self._variables(app, dyno, request, home),
            cwd=home,
            tty=request.tty,
            lines=_number(request.env.get("LINES"), 24),
            columns=_number(request.env.get("COLUMNS"), 80),
        )
        app.logs.append("heroku", dyno.name, f"Starting process with command `{request.command}`")
        lifetime = _CUT if request.fault == "dyno-cut" else request.time_to_live
        self._keep(self._follow(app, dyno, process, lifetime, home))
        return process

    async def _detached(self, app: App, dyno: Dyno, request: OneOffRequest) -> None:
        home = await _disk(dyno)
        app.logs.append("heroku", dyno.name, f"Starting process with command `{request.command}`")
        process = await spawn_detached(
            ["bash", "-c", request.command],
            env=self._variables(app, dyno, request, home),
            cwd=home,
            on_line=lambda text: app.logs.append("app", dyno.name, text),
        )
        await self._follow(app, dyno, process, request.time_to_live, home)

    async def _follow(
        self, app: App, dyno: Dyno, process: PtyProcess | DetachedProcess, time_to_live: float, home: Path
    ) -> None:
        self._ledger.record(process.pid)
        self._running[dyno.id] = process
        dyno.become("up")
        try:
            code = await asyncio.wait_for(process.wait(), time_to_live)
        except TimeoutError:
            app.logs.append("heroku", dyno.name, "Time to live exceeded")
            code = await process.hang_up()
        self._running.pop(dyno.id, None)
        self._forget(app, dyno, f"Process exited with status {code}")
        await asyncio.to_thread(filesystem.remove, home, slug=_slug(dyno).directory)

    @staticmethod
    def _forget(app: App, dyno: Dyno, reason: str) -> None:
        app.logs.append("heroku", dyno.name, reason)
        dyno.become("complete")
        if dyno in app.dynos:
            app.dynos.remove(dyno)

    async def stop(self, dyno: Dyno) -> None:
        """End a one-off early."""
        process = self._running.get(dyno.id)
        if process:
            await process.hang_up()

    async def close(self) -> None:
        """End all one-offs."""
        await asyncio.gather(*(process.hang_up() for process in list(self._running.values())))
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


def _slug(dyno: Dyno) -> Slug:
    if dyno.release.slug is None:
        raise RuntimeError("a one-off starts from a release with code")
    return dyno.release.slug


async def _disk(dyno: Dyno) -> Path:
    return await asyncio.to_thread(filesystem.copy, _slug(dyno).directory, dyno.id)


def _number(text: str | None, default: int) -> int:
    number = whole(text)
    return default if number is None else number
