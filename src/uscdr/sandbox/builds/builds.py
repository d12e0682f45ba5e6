"""Builds: a source archive, by upload, by URL or by push, becomes a slug and then a release."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from uscdr.sandbox.builds import slugs
from uscdr.sandbox.builds.slugs import BuildFailed
from uscdr.sandbox.builds.stream import OutputStream
from uscdr.sandbox.data.download import DownloadFailed, download
from uscdr.sandbox.web.errors import ApiError
from uscdr.sandbox.world.entities import Build, Slug, new_id

if TYPE_CHECKING:
    from uscdr.sandbox.builds.origin import Origin
    from uscdr.sandbox.builds.releases import Releases
    from uscdr.sandbox.world.apps import App

SOURCE_PATH = "/source-blobs/"
_SHORT_COMMIT = 8


class Builds:
    """Builds apps; one build of an app at a time."""

    def __init__(self, releases: Releases, *, sources: Path, slugs_: Path, trust: ssl.SSLContext) -> None:
        self._releases = releases
        self._sources = sources
        self._slugs = slugs_
        self._trust = trust
        self._tasks: set[asyncio.Task[None]] = set()

    def source_file(self, identity: str) -> Path:
        """Where an uploaded archive lies."""
        return self._sources / f"{identity}.tgz"

    def start(
        self,
        app: App,
        source_url: str,
        *,
        version: str | None = None,
        checksum: str | None = None,
        buildpacks: list[dict[str, str]] | None = None,
        fault: str = "",
    ) -> Build:
        """Begin a build of an archive at `source_url`. Raises 409 while another one runs."""
        if any(one.status == "pending" for one in app.builds):
            raise ApiError(409, "conflict", "A build is already in progress for this app.")
        build = Build(source_url, version, checksum, OutputStream(), buildpacks=buildpacks or [], fault=fault)
        app.builds.append(build)
        task = asyncio.create_task(self._carry_out(app, build))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return build

    async def deploy(self, app: App, origin: Origin, commit: str) -> Build:
        """Build a commit of the origin and wait until its release is over, whatever came of it. Raises 409."""
        identity = new_id()
        await asyncio.to_thread(origin.archive, commit, self.source_file(identity))
        made = self.start(app, f"https://origin{SOURCE_PATH}{identity}", version=commit)
        async for _ in made.output.follow():
            continue
        if made.release:
            await made.release.done.wait()
        return made

    async def _carry_out(self, app: App, build: Build) -> None:
        say = build.output.line
        try:
            archive = await self._fetch(build)
            await self._compile(app, build, archive)
        except (BuildFailed, DownloadFailed, OSError) as error:
            say(f" !     {error}")
            say(" !     Push failed")
            build.status = "failed"
        finally:
            if build.status == "pending":
                build.status = "failed"
            build.output.close()

    async def _fetch(self, build: Build) -> Path:
        path = urlsplit(build.source_url).path
        own = self.source_file(path.rpartition("/")[2])
        if path.startswith(SOURCE_PATH) and own.exists():
            return own
        fetched = self.source_file(new_id())
        await download(build.source_url, fetched, trust=self._trust)
        return fetched

    async def _compile(self, app: App, build: Build, archive: Path) -> None:
        say = build.output.line
        say(f"-----> Building on the {app.stack.title()} stack")
        if build.checksum and build.checksum != await asyncio.to_thread(slugs.digest, archive):
            raise BuildFailed("The source archive does not have the checksum given.")
        say("-----> Determining which buildpack to use for this app")
        commit = build.version or build.id.replace("-", "")
        named = [str(one.get("url") or one.get("name")) for one in build.buildpacks] or app.buildpacks
        slug = await asyncio.to_thread(slugs.make, archive, self._slugs, commit=commit, buildpacks=named)
        slug.stack = app.stack
        say(f"-----> {slug.language} app detected")
        if build.fault == "build-fails":
            raise BuildFailed("Could not find a version that satisfies the requirement gunicorn (from versions: none)")
        say("-----> Discovering process types")
        say(f"       Procfile declares types -> {', '.join(slug.process_types) or '(none)'}")
        say("-----> Compressing...")
        say(f"       Done: {slug.size / 1e6:.1f}M")
        await self._launch(app, build, slug)

    async def _launch(self, app: App, build: Build, slug: Slug) -> None:
        say = build.output.line
        say("-----> Launching...")
        build.slug = slug
        description = f"Deploy {slug.commit[:_SHORT_COMMIT]}"
        build.release = self._releases.create(app, description, slug=slug, fault=build.fault)
        say(f"       Released v{build.release.version}")
        say(f"       {app.web_url} deployed to Heroku")
        build.status = "succeeded"

    async def close(self) -> None:
        """Give up what is under way."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
