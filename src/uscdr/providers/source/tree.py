"""What can be read from a commit's list of files: submodules, process types. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

PROCFILE = "Procfile"
_SUBMODULE = "160000"
_PROCESS = re.compile(r"([A-Za-z0-9_-]+):[ \t]*(\S.*?)\s*")


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
