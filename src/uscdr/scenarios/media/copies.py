"""Copies of media files kept elsewhere: an escape kit or a local folder."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, NamedTuple, Protocol

from typing_extensions import override

from uscdr.errors import BadInput, CheckFailed, MachineError
from uscdr.files import below, opened
from uscdr.models.media import DELIVERIES, IMAGES, AssetKey, KnownAsset, suffix_of
from uscdr.write_guard import SHORT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from uscdr.models.data_settings import ResourceType
    from uscdr.scenarios.config import MediaSettings


class MediaFiles(Protocol):
    """Copies that can be uploaded again. Errors: MachineError for the disk, CheckFailed for a damaged copy."""

    @property
    def name(self) -> str:
        """For a person: which kit, which folder."""
        ...

    def inventory(self) -> Mapping[AssetKey, KnownAsset]:
        """Every copy there is."""
        ...

    def open(self, key: AssetKey) -> AbstractContextManager[Path | bytes]:
        """The copy as a file, or the bytes of a short one, checked against its digest.

        The file is gone (or untouched) when the context ends.
        """
        ...


# Copies of media in a local folder: files named by their public id, with or without the storage's prefix.


_PIECE = 1024 * 1024
VIDEOS = frozenset({".mp4", ".mov", ".webm", ".avi", ".mkv", ".mp3", ".wav"})


class _Name(NamedTuple):
    """A file's type and id, however it is delivered."""

    resource_type: ResourceType
    public_id: str


_Described = tuple["_Copy", KnownAsset, tuple[_Name, ...]]
"""A file, what it is, and the names that it may have had."""


class FolderFiles:
    """`MediaFiles` of one folder. Raises BadInput when it is not a folder or is empty.

    Hidden files and links that lead out of the folder are skipped. The plan needs sizes; a file is read when the cloud
    has one to compare it with, and for its upload. It must be the same each time. What is hashed of a short one is what
    is sent.
    """

    def __init__(self, root: Path, settings: MediaSettings) -> None:
        if not root.is_dir():
            raise BadInput(f"{root} is not a folder.", next_action="Name the folder that holds copies of the files.")
        self._root = root.resolve()
        self._settings = settings
        self._known: _Inventory | None = None

    @property
    def name(self) -> str:
        """The folder."""
        return f"the folder {self._root}"

    def inventory(self) -> Mapping[AssetKey, KnownAsset]:
        """Every file, under each id that it may have had."""
        return self._described()

    def _described(self) -> _Inventory:
        if self._known is None:
            self._known = _Inventory(self._read())
            if not self._known:
                raise BadInput(f"The folder {self._root} has no files.", next_action="Name another folder.")
        return self._known

    def _read(self) -> Iterator[_Described]:
        tags = (self._settings.tag,) if self._settings.tag else ()
        for path, inside in self._files():
            if self._is_ours(path):
                copy = _Copy.of(path)
                known = KnownAsset(bytes=copy.bytes, digest=copy.md5, file=True, tags=tags)
                yield copy, known, _keys(inside, self._settings.prefix)

    def _files(self) -> list[tuple[Path, str]]:
        """Each file that is not hidden, and its name within the folder."""
        begin = len(str(self._root).rstrip("/")) + 1
        try:
            found = sorted(below(self._root), key=lambda path: path.parts)
        except OSError as error:
            raise _unreadable("A directory in the folder", error) from None
        named = ((path, str(path)[begin:]) for path in found)
        return [(path, inside) for path, inside in named if not f"/{inside}".count("/.")]

    def _is_ours(self, path: Path) -> bool:
        # Directories that are links are not entered: only a link itself can lead out.
        return path.is_file() and (not path.is_symlink() or path.resolve().is_relative_to(self._root))

    @contextmanager
    def open(self, key: AssetKey) -> Iterator[Path | bytes]:
        """The bytes of a short file, or the file itself; it is not changed."""
        copy = self._described().copy(key)
        try:
            content = copy.content() if copy.bytes <= SHORT else None
            unchanged = copy.still_has(_hashed(copy.path) if content is None else _hash_of(content))
        except OSError as error:
            raise _spoiled(error) from None
        if not unchanged:
            raise CheckFailed(
                "A file in the folder changed while it was used.",
                next_action="Start again when nothing writes to the folder.",
            )
        yield copy.path if content is None else content


class _Copy:
    """One file of a folder, as it was when the folder was looked through: its size, and when it was written."""

    def __init__(self, path: Path, seen: os.stat_result) -> None:
        self.path = path
        self.bytes = seen.st_size
        self._written = seen.st_mtime_ns
        self._md5 = ""

    @classmethod
    def of(cls, path: Path) -> _Copy:
        """The file at `path`. Raises MachineError if it cannot be opened."""
        try:
            with opened(path) as file:
                return cls(path, os.fstat(file.fileno()))
        except OSError as error:
            raise _unreadable("A file in the folder", error) from None

    def md5(self) -> str:
        """The service's digest of it, read when it is first needed. Raises MachineError."""
        if not self._md5:
            try:
                self._md5 = _hashed(self.path).md5
            except OSError as error:
                raise _unreadable("A file in the folder", error) from None
        return self._md5

    def content(self) -> bytes:
        """Its bytes; one more than it had shows that it has grown. Raises OSError."""
        with opened(self.path) as file:
            return file.read(self.bytes + 1)

    def still_has(self, read: _Hash) -> bool:
        """Whether it is as it was, now that these bytes were read. Raises OSError."""
        as_it_was = self.path.stat().st_mtime_ns == self._written and read.bytes == self.bytes
        if not as_it_was or self._md5 not in ("", read.md5):
            return False
        self._md5 = read.md5
        return True


class _Inventory(Mapping[AssetKey, KnownAsset]):
    """What a folder has. It does not say how its files were delivered: each is there by every delivery type."""

    def __init__(self, files: Iterable[_Described]) -> None:
        self._files: dict[tuple[ResourceType, str], tuple[_Copy, KnownAsset]] = {
            name: (copy, known) for copy, known, names in files for name in names
        }

    @override
    def __getitem__(self, key: AssetKey) -> KnownAsset:
        return self._files[key.resource_type, key.public_id][1]

    @override
    def __iter__(self) -> Iterator[AssetKey]:
        for kind, public_id in self._files:
            first = AssetKey(resource_type=kind, public_id=public_id)
            yield from (first.by(delivery) for delivery in DELIVERIES)

    @override
    def __len__(self) -> int:
        return len(DELIVERIES) * len(self._files)

    def copy(self, key: AssetKey) -> _Copy:
        """The file itself."""
        return self._files[key.resource_type, key.public_id][0]


def _keys(inside: str, prefix: str) -> tuple[_Name, ...]:
    """The names that a file may have had: a picture's has no extension, a raw file's does."""
    name = inside if inside.startswith(prefix) else prefix + inside
    ending = suffix_of(inside)
    bare, suffix, raw = name.removesuffix(ending), ending.lower(), _Name("raw", name)
    if suffix in IMAGES or suffix == ".pdf":
        return (*(_Name("image", one) for one in dict.fromkeys((bare, name))), raw)
    if suffix in VIDEOS:
        return (_Name("video", bare), raw)
    return (raw,) if suffix else (_Name("image", name), raw)


class _Hash(NamedTuple):
    """What was read of a file: its MD5 and how many bytes."""

    md5: str
    bytes: int


def _hashed(path: Path) -> _Hash:
    """A file, read by pieces. Raises OSError."""
    digest, size = hashlib.md5(usedforsecurity=False), 0
    with opened(path) as file:
        while piece := file.read(_PIECE):
            digest.update(piece)
            size += len(piece)
    return _Hash(digest.hexdigest(), size)


def _hash_of(content: bytes) -> _Hash:
    return _Hash(hashlib.md5(content, usedforsecurity=False).hexdigest(), len(content))


def _spoiled(error: OSError) -> MachineError | CheckFailed:
    """A bad place of a disk spoils one file, and the others can be used; anything else stops the work."""
    if error.errno != errno.EIO:
        return _unreadable("A file in the folder", error)
    return CheckFailed("The disk cannot read a file in the folder.", next_action="Look for another copy of it.")


def _unreadable(what: str, error: OSError) -> MachineError:
    return MachineError(
        f"{what} cannot be read.",
        why=f"{error.strerror}." if error.strerror else "",
        next_action="Make every file in it readable, or name another folder.",
    )
