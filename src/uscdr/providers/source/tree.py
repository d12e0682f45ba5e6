"""What can be read from a commit's list of files: submodules, process types, migrations. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

PROCFILE = "Procfile"
_SUBMODULE = "160000"
_PROCESS = re.compile(r"([A-Za-z0-9_-]+):[ \t]*(\S.*?)\s*")
_MIGRATION = re.compile(r"(?:^|/)([^/]+)/migrations/(\d{4}_\w+)\.py")
_INSTALLED = frozenset({"site-packages", "dist-packages", "node_modules"})
"""Libraries that were committed with the code; the platform installs its own."""


@dataclass(frozen=True)
class Tree:
    """The files of a commit, and the paths of its submodules, whose content is in other repositories."""

    files: tuple[str, ...]
    submodules: tuple[str, ...]


def parse(listing: bytes) -> Tree:
    """`git ls-tree -r -z --full-tree`: `mode type id<TAB>path`, each ended by NUL."""
    entries = [entry.partition("\t") for entry in listing.decode("utf-8", "replace").split("\0") if entry]
    files = tuple(path for facts, _, path in entries if not facts.startswith(_SUBMODULE))
    return Tree(files, tuple(path for facts, _, path in entries if facts.startswith(_SUBMODULE)))


def procfile(text: str) -> dict[str, str]:
    """Process type -> command; comments and anything else are passed over, as the platform does."""
    found = (_PROCESS.fullmatch(line) for line in text.splitlines())
    return {match[1]: match[2] for match in found if match}


def migrations(files: Iterable[str]) -> tuple[str, ...]:
    """`app.0001_name` of every `*/migrations/NNNN_*.py` that is not part of a committed library."""
    found = (_MIGRATION.search(path) for path in files if _INSTALLED.isdisjoint(PurePosixPath(path).parts))
    return tuple(sorted({f"{match[1]}.{match[2]}" for match in found if match and match.end() == len(match.string)}))
