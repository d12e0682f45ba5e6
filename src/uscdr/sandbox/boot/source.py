"""The source tree that is deployed, as its developers would commit it."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from uscdr.errors import BadInput
from uscdr.sandbox.builds.origin import File

CLINIC = Path(__file__).parent.parent / "clinic"
_LEFT_OUT = {".git", "__pycache__", "node_modules", ".venv", "venv", ".tox", ".mypy_cache", ".pytest_cache"}
_DEEPEST = 3


@dataclass(frozen=True)
class Source:
    """A source tree. `procfile` replaces the tree's own; `environment` is added to the config vars."""

    root: Path
    procfile: Path | None
    environment: dict[str, str]

    @property
    def manage(self) -> str:
        """The command that runs manage.py from the slug's root; empty when there is none."""
        inside = (one.relative_to(self.root) for one in self.root.rglob("manage.py"))
        near = sorted((one for one in inside if not _LEFT_OUT & set(one.parts)), key=lambda one: len(one.parts))
        return f"python {near[0]}" if near and len(near[0].parts) <= _DEEPEST else ""

    @property
    def needs_node(self) -> bool:
        """Whether a platform left alone would take it for a Node.js app."""
        return (self.root / "package.json").exists()


def read_env_file(path: Path) -> dict[str, str]:
    """`NAME=value` lines; blank lines, comments and a leading `export` are passed over. Raises BadInput."""
    variables = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        text = line.strip().removeprefix("export ")
        if not text or text.startswith("#"):
            continue
        name, equals, value = text.partition("=")
        if not equals or not name.strip().isidentifier():
            raise BadInput(f"{path}, line {number}: expected NAME=value.")
        variables[name.strip()] = value.strip().strip("\"'")
    return variables


def files(source: Source) -> Iterator[File]:
    """Every file of the tree, without version control, caches and environments."""
    if source.procfile:
        yield File("Procfile", source.procfile.read_bytes())
    for directory, names, plain in os.walk(source.root):
        links = [name for name in names if Path(directory, name).is_symlink()]
        names[:] = sorted(name for name in names if name not in {*_LEFT_OUT, *links})
        for name in sorted([*plain, *links]):
            path = Path(directory, name)
            relative = path.relative_to(source.root).as_posix()
            if _wanted(relative) and not (relative == "Procfile" and source.procfile):
                yield from _file(path, relative)


def _wanted(relative: str) -> bool:
    name = relative.rpartition("/")[2]
    return name not in _LEFT_OUT and not name.endswith(".pyc")


def _file(path: Path, relative: str) -> Iterator[File]:
    if path.is_symlink():
        yield File(relative, os.fsencode(path.readlink()), "120000")
    elif path.is_file():
        executable = path.stat().st_mode & stat.S_IXUSR
        yield File(relative, path.read_bytes(), "100755" if executable else "100644")
