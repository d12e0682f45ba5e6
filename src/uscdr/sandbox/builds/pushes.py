"""A git push is a build whose output the client reads."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

from uscdr.sandbox.builds.builds import SOURCE_PATH
from uscdr.sandbox.gitrepository import PushRejected
from uscdr.sandbox.web.errors import ApiError
from uscdr.sandbox.world.entities import new_id

if TYPE_CHECKING:
    from uscdr.sandbox.audit import AuditLog
    from uscdr.sandbox.core import Core

_ACCEPTED, _REFUSED = 200, 422


class Pushes:
    """Receives pushes for the git server."""

    def __init__(self, core: Core, audit: AuditLog) -> None:
        self._core = core
        self._audit = audit

    def exists(self, name: str) -> bool:
        """Whether there is an app of that name."""
        return any(app.name == name for app in self._core.world.apps)

    async def receive(self, name: str, tarball: Path, commit: str) -> AsyncIterator[bytes]:
        """Build a pushed commit, yielding its output. Raises PushRejected if the build fails."""
        identity = new_id()
        shutil.copyfile(tarball, self._core.builds.source_file(identity))
        path = f"/{name}.git/git-receive-pack"
        try:
            app = self._core.world.app(name)
            build = self._core.builds.start(app, f"https://git{SOURCE_PATH}{identity}", version=commit)
        except ApiError as error:
            self._audit.note("POST", path, error.status)
            yield f" !     {error}\n".encode()
            raise PushRejected from error
        async for chunk in build.output.follow():
            yield chunk
        self._audit.note("POST", path, _REFUSED if build.status == "failed" else _ACCEPTED)
        if build.status == "failed":
            raise PushRejected
        if build.release and build.release.output:
            yield b"Running release command...\n"
            async for chunk in build.release.output.follow():
                yield chunk
            await build.release.done.wait()
            if build.release.status == "failed":
                yield b" !     Release command failed: the former release goes on running.\n"
