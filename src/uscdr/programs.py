"""Finding programs on the PATH: only in directories that it names whole. No third-party module."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path


def program(name: str, env: Mapping[str, str] | None = None) -> Path | None:
    """The program of that name by the PATH of `env`, of this process without one; None when there is none.

    An empty entry of the PATH, or a relative one, is the directory that the command happens to be given in: whatever
    lies there may be anybody's, and is not run. A PATH that is empty altogether, as some schedulers leave it, is the
    system's own.
    """
    path = (os.environ if env is None else env).get("PATH") or os.defpath
    whole = [entry for entry in path.split(os.pathsep) if Path(entry).is_absolute()]
    found = shutil.which(name, path=os.pathsep.join(whole)) if whole else None
    return Path(found) if found else None
