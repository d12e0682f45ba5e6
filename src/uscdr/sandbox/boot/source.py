"""The source tree that is deployed: packed as a client would pack it."""

from __future__ import annotations

import io
import tarfile
from dataclasses import dataclass
from pathlib import Path

from uscdr.errors import BadInput

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
        found = [one for one in self.root.rglob("manage.py") if not _LEFT_OUT & set(one.parts)]
        near = sorted((one.relative_to(self.root) for one in found), key=lambda one: len(one.parts))
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


def pack(source: Source, target: Path) -> None:
    """Write the tree as a gzipped tarball, without version control, caches and environments."""
    with tarfile.open(target, "w:gz", compresslevel=1) as tar:
        for path in sorted(source.root.iterdir()):
            if path.name == "Procfile" and source.procfile:
                continue
            tar.add(path, arcname=path.name, filter=_wanted)
        if source.procfile:
            content = source.procfile.read_bytes()
            entry = tarfile.TarInfo("Procfile")
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))


def _wanted(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    name = Path(entry.name).name
    return None if name in _LEFT_OUT or name.endswith(".pyc") else entry
