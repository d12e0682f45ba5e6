"""Real damage to an app: what its developers do to it on a bad day, through the same builds and releases."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from uscdr.sandbox.builds.origin import MAIN
from uscdr.sandbox.core import Core
from uscdr.sandbox.damage import edits, outage
from uscdr.sandbox.damage.edits import Changes, Tree
from uscdr.sandbox.platform.apps import set_config
from uscdr.sandbox.web.errors import invalid
from uscdr.sandbox.world.apps import App
from uscdr.sandbox.world.entities import Release

BRANCH = "hotfix"
DEFAULT_VARIABLE = "ALLOWED_HOSTS"
_WORKER_CLASS = {"GUNICORN_CMD_ARGS": "--worker-class=gevent"}


@dataclass
class Report:
    """What was done, in order, and what a user sees of it: a page and its HTTP status."""

    how: str
    app: str
    done: list[str] = field(default_factory=list)
    releases: list[int] = field(default_factory=list)
    page: str = ""
    status: int | None = None

    def document(self) -> dict[str, Any]:
        """As JSON."""
        seen = {"page": self.page, "status": self.status} if self.status is not None else None
        return {"how": self.how, "app": self.app, "done": self.done, "releases": self.releases, "seen": seen}

    def see(self, page: outage.Page, status: int) -> None:
        """Note what a user sees."""
        self.page, self.status = page.path, status


@dataclass(frozen=True)
class Target:
    """The app to damage and what is told about it."""

    core: Core
    app: App
    report: Report
    variable: str = DEFAULT_VARIABLE

    async def deploy(self, message: str, change: Callable[[Tree], Changes], *, parent: str = "") -> tuple[str, Release]:
        """Commit a change on the branch, build it and wait for its release. Raises 422 where it cannot be made."""
        origin = self.core.origin
        base = Tree(origin, parent or origin.tip(MAIN))
        try:
            changes = await asyncio.to_thread(change, base)
            commit = await asyncio.to_thread(origin.edit, BRANCH, message, changes, parent=base.commit)
        except ValueError as error:
            raise invalid(str(error)) from error
        build = await self.core.builds.deploy(self.app, origin, commit)
        if build.release is None:
            raise invalid(f"The build failed: {build.output.text().splitlines()[-2:]}")
        told = f"deployed {commit[:8]} ({message}) from {BRANCH}: v{build.release.version} {build.release.status}"
        self.note(build.release, told)
        return commit, build.release

    async def configure(self, changes: dict[str, str | None]) -> Release:
        """Change config vars and wait for the release."""
        before = len(self.app.releases)
        set_config(self.core, self.app, changes)
        if len(self.app.releases) == before:
            raise invalid("The config vars are like that already.")
        release = self.app.releases[-1]
        await release.done.wait()
        self.note(release, f"{release.description}: v{release.version} {release.status}")
        return release

    def note(self, release: Release, text: str) -> None:
        """Remember one act."""
        self.report.done.append(text)
        self.report.releases.append(release.version)


async def _bad_release(target: Target) -> None:
    """The new code cannot be imported by the web server; migrations and workers run."""
    await target.deploy("Send traces to the dashboard", edits.crash_at_boot)
    target.report.see(outage.HOME, await outage.until_crashed(target.app))


async def _crashed_web(target: Target) -> None:
    """The same code; a config var that the web server cannot use."""
    web = target.app.formation.get("web")
    if web is None or "gunicorn" not in web.command:
        raise invalid("The app's web process does not run gunicorn, whose setting this spoils.")
    await target.configure(dict(_WORKER_CLASS))
    target.report.see(outage.HOME, await outage.until_crashed(target.app))


async def _failing_release_phase(target: Target) -> None:
    """Two deploys: the first answers every page with 500, the fix for it dies in its release phase."""
    commit, bad = await target.deploy("Trace requests", edits.fail_every_request)
    await outage.until_running(target.app, bad)
    await outage.until_failing(target.app, outage.HOME)
    main = Tree(target.core.origin, target.core.origin.tip(MAIN))
    undone = {path: main.read(path).encode() for path in edits.fail_every_request(main) if path in main.paths()}
    _, fix = await target.deploy(
        "Undo the tracing, repair what it left", lambda tree: {**undone, **edits.fork_migrations(tree)}, parent=commit
    )
    if fix.status != "failed":
        raise invalid("The release phase of the second deploy did not fail: has the app one?")
    target.report.see(outage.HOME, await outage.until_failing(target.app, outage.HOME))


async def _lost_config(target: Target) -> None:
    """A config var is removed; what comes of it depends on the variable, and may be nothing to be seen."""
    name = target.variable
    if name in {f"{one.name}_URL" for one in target.core.world.attachments_of(target.app)}:
        raise invalid(f"Cannot overwrite attachment values {name}.")
    if name not in target.app.config:
        raise invalid(f"{target.app.name} has no config var {name}.")
    release = await target.configure({name: None})
    if release.status == "succeeded":
        await outage.until_running(target.app, release)
    target.report.see(outage.HOME, await outage.status(target.app, outage.HOME))


async def _missing_migration(target: Target) -> None:
    """The new code reads a column that no release phase made."""
    _, release = await target.deploy("Greet people by the name they prefer", edits.add_column_unmigrated)
    await outage.until_running(target.app, release)
    target.report.see(outage.LOGIN, await outage.until_failing(target.app, outage.LOGIN))


KINDS: dict[str, Callable[[Target], Awaitable[None]]] = {
    "bad-release": _bad_release,
    "crashed-web": _crashed_web,
    "failing-release-phase": _failing_release_phase,
    "lost-config": _lost_config,
    "missing-migration": _missing_migration,
}


async def damage(core: Core, app: App, how: str, *, variable: str) -> Report:
    """Do it; returns when a user would notice. Raises 422 where the app cannot be damaged so."""
    report = Report(how, app.name)
    with core.world.acting(app.owner):
        await KINDS[how](Target(core, app, report, variable))
    return report
