"""Whether a file would be published with the Git checkout that it happens to lie in."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

from uscdr.providers.source.program import environment

SECONDS = 5.0


def published(path: Path, env: Mapping[str, str]) -> str:
    """Why a secret in this file could be published, and the cure; empty when it lies in no checkout or is ignored.

    A checkout that git itself does not tell anything of is one that ignores nothing.
    """
    try:
        file = path.resolve(strict=True)
        root = next((above for above in file.parents if (above / ".git").exists()), None)
    except OSError:
        return ""
    if root is None or _ignored(root, file, env):
        return ""
    return (
        f"{path} lies in the Git checkout {root}, which does not ignore it: `git add` would publish it. "
        f"Move it out of there: `mkdir -p -m 700 ~/.config/uscdr && mv {path} ~/.config/uscdr/`."
    )


def _ignored(root: Path, file: Path, env: Mapping[str, str]) -> bool:
    """A file that is tracked is not ignored, whatever the patterns say."""
    command = ("git", "-C", str(root), "check-ignore", "--quiet", "--", str(file))
    given = {name: value for name, value in environment(env).items() if name != "GIT_LITERAL_PATHSPECS"}  # refused here
    try:
        ended = subprocess.run(
            command, env=given, capture_output=True, stdin=subprocess.DEVNULL, timeout=SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return ended.returncode == 0
