"""From a source archive to a slug: unpack, recognise, read the Procfile."""

from __future__ import annotations

import hashlib
import re
import shutil
import tarfile
from pathlib import Path

from uscdr.sandbox.world.entities import Slug, new_id

_PROCESS = re.compile(r"^([A-Za-z0-9_-]+):\s*(.+)$")
_PYTHON_MARKS = ("requirements.txt", "Pipfile", "pyproject.toml", "setup.py", "uv.lock", "poetry.lock")


class BuildFailed(Exception):
    """The source cannot be built; the message is a line for the build output."""


def unpack(archive: Path, target: Path) -> None:
    """Extract a gzipped tarball; a single top-level directory is taken as the root. Raises BuildFailed."""
    target.mkdir(mode=0o700)
    try:
        with tarfile.open(archive, "r:*") as tar:
            _extract(tar, target)
    except (tarfile.TarError, OSError, EOFError) as error:
        raise BuildFailed(f"The source archive could not be unpacked: {type(error).__name__}") from error
    entries = [path for path in target.iterdir() if path.name != "pax_global_header"]
    if len(entries) == 1 and entries[0].is_dir():
        _lift(entries[0], target)


def _extract(tar: tarfile.TarFile, target: Path) -> None:
    """Nothing may land outside `target`; Python before 3.11.4 has no filter that sees to it."""
    if hasattr(tarfile, "data_filter"):
        tar.extractall(target, filter="data")
        return
    for member in tar.getmembers():
        places = [member.name, *([str(Path(member.name).parent / member.linkname)] if member.linkname else [])]
        if any(not (target / place).resolve().is_relative_to(target.resolve()) for place in places):
            raise tarfile.TarError("outside of the archive's root")
        if not (member.isfile() or member.isdir() or member.issym() or member.islnk()):
            raise tarfile.TarError("a special file")
    tar.extractall(target)  # noqa: S202 - every member was looked at above


def _lift(inner: Path, target: Path) -> None:
    aside = inner.rename(target.with_name(f"{target.name}.inner"))
    for path in aside.iterdir():
        shutil.move(path, target / path.name)
    aside.rmdir()


def language(root: Path, buildpacks: list[str]) -> str:
    """What the app's last buildpack gives, else what detection finds: Node.js is tried first, and alone.

    Raises BuildFailed: nothing fits, or a buildpack of the app does not find its files.
    """
    node = (root / "package.json").exists()
    python = any((root / mark).exists() for mark in _PYTHON_MARKS) or any(root.rglob("manage.py"))
    for buildpack in buildpacks:
        if not (python if "python" in buildpack else node):
            raise BuildFailed(f"App not compatible with buildpack: {buildpack}")
    if buildpacks:
        return "Python" if "python" in buildpacks[-1] else "Node.js"
    if not node and not python:
        raise BuildFailed("No default language could be detected for this app.")
    return "Node.js" if node else "Python"


def process_types(root: Path) -> dict[str, str]:
    """The Procfile's lines; empty without one."""
    procfile = root / "Procfile"
    if not procfile.is_file():
        return {}
    lines = procfile.read_text(encoding="utf-8", errors="replace").splitlines()
    return {found[1]: found[2].strip() for line in lines if (found := _PROCESS.match(line.strip()))}


def digest(archive: Path) -> str:
    """`SHA256:<hex>` of a file."""
    with archive.open("rb") as file:
        return f"SHA256:{hashlib.file_digest(file, 'sha256').hexdigest()}"


def make(archive: Path, slugs: Path, *, commit: str, buildpacks: list[str]) -> Slug:
    """Unpack and examine; on failure nothing is left. Raises BuildFailed."""
    identity = new_id()
    directory = slugs / identity
    try:
        unpack(archive, directory)
        found = language(directory, buildpacks)
    except BuildFailed:
        shutil.rmtree(directory, ignore_errors=True)
        raise
    return Slug(
        id=identity,
        directory=directory,
        process_types=process_types(directory),
        commit=commit,
        size=archive.stat().st_size,
        checksum=digest(archive),
        language=found,
    )
