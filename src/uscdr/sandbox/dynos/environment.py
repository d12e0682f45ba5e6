"""What a dyno's processes see: config vars and very little else."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from uscdr.sandbox.dynos.withholding import withheld

if TYPE_CHECKING:
    from uscdr.sandbox.world.entities import Release

_SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin"


@dataclass(frozen=True)
class Runtime:
    """The interpreter whose directory comes first in PATH. `withholds`: what it runs reaches nothing outside."""

    interpreter: Path
    withholds: bool = False

    def environment(
        self, release: Release, *, app: str, dyno: str, port: int | None = None, home: Path | None = None
    ) -> dict[str, str]:
        """Variables of one process. Config vars win over all but PORT, DYNO, PATH and HEROKU_APP_NAME.

        `home` is the directory it runs in, if that is not the slug itself.

        The interpreter is in PATH only if the slug was built for Python.
        Binding to loopback is a default of the sandbox: nothing it runs shall be reachable from outside.
        """
        if release.slug is None:
            raise RuntimeError("a release without code runs nothing")
        python = release.slug.language == "Python"
        path = f"{self.interpreter.parent}{os.pathsep}{_SYSTEM_PATH}" if python else _SYSTEM_PATH
        variables = {
            "HOME": str(home or release.slug.directory),
            "LANG": "C.UTF-8",
            "PYTHONUNBUFFERED": "1",
            "BIND_ADDRESS": "127.0.0.1",
            **release.config,
            "DYNO": dyno,
            "HEROKU_APP_NAME": app,
            "PATH": path,
        }
        if port is not None:
            variables["PORT"] = str(port)
            variables.setdefault("GUNICORN_CMD_ARGS", f"--bind=127.0.0.1:{port}")
        return withheld(variables) if self.withholds else variables
