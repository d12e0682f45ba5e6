"""What a packed commit names and does not hold: pointers to other stores, links that lead out of it."""

from __future__ import annotations

import posixpath
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from uscdr.models.provision import Lack

_LONGEST_POINTER = 1024
"""Bytes: a pointer of Git LFS is shorter, by its specification."""
_LFS = (b"version https://git-lfs.github.com/spec/", b"version https://hawser.github.com/spec/")
_ANNEX, _ANNEXED = b"/annex/objects/", ".git/annex/"
_CRYPT = b"\0GITCRYPT\0"


def submodules(paths: Sequence[str]) -> tuple[Lack, ...]:
    """Other repositories, of which a commit only names a commit."""
    return tuple(Lack(path=path, what="submodule") for path in paths)


def found(archive: Path) -> tuple[Lack, ...]:
    """Everything else, by the content of a gzipped tarball."""
    with tarfile.open(archive, "r:gz") as packed:
        return tuple(_in(packed))


def _in(packed: tarfile.TarFile) -> Iterator[Lack]:
    for member in packed:
        if member.issym():
            if _ANNEXED in member.linkname:
                yield Lack(path=member.name, what="git-annex pointer")
            elif _leads_out(member):
                yield Lack(path=member.name, what="link out of the tree")
        elif member.isfile() and (file := packed.extractfile(member)) is not None:
            lack = _pointer(member.name, file.read(_LONGEST_POINTER), whole=member.size <= _LONGEST_POINTER)
            if lack is not None:
                yield lack


def _pointer(path: str, head: bytes, *, whole: bool) -> Lack | None:
    if head.startswith(_CRYPT):
        return Lack(path=path, what="locked by git-crypt")
    if whole and head.startswith(_LFS) and b"\noid " in head:
        return Lack(path=path, what="Git LFS pointer")
    if whole and head.startswith(_ANNEX):
        return Lack(path=path, what="git-annex pointer")
    return None


def _leads_out(link: tarfile.TarInfo) -> bool:
    if link.linkname.startswith("/"):
        return True
    target = posixpath.normpath(posixpath.join(posixpath.dirname(link.name), link.linkname))
    return target == ".." or target.startswith("../")
