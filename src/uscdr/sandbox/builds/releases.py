"""Releases: appended, carried out one after another, and current only once their release phase succeeded."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from uscdr.sandbox.builds.stream import OutputStream
from uscdr.sandbox.dynos import filesystem
from uscdr.sandbox.dynos.group import ProcessGroup
from uscdr.sandbox.world.entities import FormationEntry, Release, Slug, new_id, now

if TYPE_CHECKING:
    from uscdr.sandbox.dynos.supervisor import Supervisor
    from uscdr.sandbox.world.apps import App, World

RELEASE_TYPE = "release"


class Releases:
    """Creates releases and makes them current."""

    def __init__(self, world: World, supervisor: Supervisor) -> None:
        self._world = world
        self._supervisor = supervisor
        self._tasks: set[asyncio.Task[None]] = set()

    def create(self, app: App, description: str, *, slug: Slug | None = None, fault: str = "") -> Release:
        """Append a release of the app's present config and, unless given, its present code.

        It is carried out in the background; await `release.done` for the end.
        """
        code = slug or (app.releases[-1].slug if app.releases else None)
        release = Release(
            version=len(app.releases) + 1,
            description=description,
            slug=code,
            config=dict(app.config),
            plans=tuple(addon.plan for addon in self._world.addons_of(app)),
            fault=fault,
        )
        if code is None:
            self._succeed(app, release)
        elif RELEASE_TYPE in code.process_types:
            release.output = OutputStream()
        app.releases.append(release)
        app.updated_at = now()
        app.logs.append("app", "api", f"Release v{release.version} created by user {self._world.account.email}")
        if not release.done.is_set():
            task = asyncio.create_task(self._carry_out(app, release))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return release

    def record(self, app: App, description: str) -> Release:
        """A release of the past: the present code and config, without its release phase being run again."""
        plans = tuple(addon.plan for addon in self._world.addons_of(app))
        code = app.current.slug if app.current else None
        release = Release(len(app.releases) + 1, description, code, dict(app.config), plans=plans)
        app.releases.append(release)
        self._succeed(app, release)
        return release

    @staticmethod
    def _succeed(app: App, release: Release) -> None:
        release.status, release.updated_at = "succeeded", now()
        app.current = release
        release.done.set()

    async def _carry_out(self, app: App, release: Release) -> None:
        try:
            async with app.release_lock:
                if release.output is None or await self._phase(app, release, release.output):
                    self._succeed(app, release)
                    _fit_formation(app, release)
                    self._supervisor.soon(app)
        finally:
            if release.status == "pending":
                release.status, release.updated_at = "failed", now()
            if release.output:
                release.output.close()
            release.done.set()

    async def _phase(self, app: App, release: Release, output: OutputStream) -> bool:
        if release.slug is None:
            raise RuntimeError("a release phase needs code")
        name, command = f"{RELEASE_TYPE}.{release.version:04d}", release.slug.process_types[RELEASE_TYPE]

        def line(text: str) -> None:
            output.line(text)
            app.logs.append("app", name, text)

        app.logs.append("heroku", name, f"Starting process with command `{command}`")
        if release.fault == "release-fails":
            line("django.db.utils.OperationalError: the connection was closed unexpectedly")
            app.logs.append("heroku", name, "Process exited with status 1")
            return False
        slug, ledger = release.slug.directory, self._supervisor.ledger
        home = await asyncio.to_thread(filesystem.copy, slug, new_id())
        variables = self._supervisor.runtime.environment(release, app=app.name, dyno=name, home=home)
        try:
            group = await ProcessGroup.start(command, cwd=home, env=variables, ledger=ledger, line=line)
            try:
                code = await group.wait()
                await group.output_ended()
            finally:
                await group.end()
        finally:
            await asyncio.to_thread(filesystem.remove, home, slug=slug)
        app.logs.append("heroku", name, f"Process exited with status {code}")
        return code == 0

    async def close(self) -> None:
        """Give up what is under way."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


def _fit_formation(app: App, release: Release) -> None:
    """A new process type comes with no dynos, but the first `web` with one; a lost type goes."""
    if release.slug is None:
        return
    types = {key: value for key, value in release.slug.process_types.items() if key != RELEASE_TYPE}
    for name in [one for one in app.formation if one not in types]:
        del app.formation[name]
    for name, command in types.items():
        if name in app.formation:
            app.formation[name].command = command
        else:
            app.formation[name] = FormationEntry(name, command, int(name == "web"))
