"""Copies of media files kept elsewhere: an escape kit or a local folder."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, NamedTuple, Protocol

from typing_extensions import override

from uscdr.errors import BadInput, CheckFailed, MachineError
from uscdr.files import below, opened
from uscdr.models.media import DELIVERIES, IMAGES, AssetKey, KnownAsset
from uscdr.threads import run_all
from uscdr.write_guard import SHORT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

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


_READERS = 2
"""Threads that read and hash a folder's files: more wait for each other."""


class _Name(NamedTuple):
    """A file's type and id, however it is delivered."""

    resource_type: ResourceType
    public_id: str


_Described = tuple[str, KnownAsset, tuple[_Name, ...]]
"""A file's path, what it is, and the names that it may have had."""


class FolderFiles:
    """`MediaFiles` of one folder. Raises BadInput when it is not a folder or is empty.

    Hidden files and links that lead out of the folder are skipped. A file is read for its digests and again for the
    upload; it must be the same both times. What is checked of a short one is what is sent.
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
        files = [(path, inside) for path, inside in self._files() if self._is_ours(path)]
        described = run_all([partial(_describe, path, self._settings.tag) for path, _ in files], workers=_READERS)
        for (path, inside), known in zip(files, described, strict=True):
            yield str(path), known, _keys(inside, self._settings.prefix)

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
        known, path = self._described()[key], self._described().path(key)
        content = _content(path, known.bytes) if known.bytes <= SHORT else None
        if (_sha256(path) if content is None else hashlib.sha256(content).hexdigest()) != known.sha256:
            raise CheckFailed(
                "A file in the folder changed while it was used.",
                next_action="Start again when nothing writes to the folder.",
            )
        yield path if content is None else content


class _Inventory(Mapping[AssetKey, KnownAsset]):
    """What a folder has. It does not say how its files were delivered: each is there by every delivery type."""

    def __init__(self, files: Iterable[_Described]) -> None:
        self._files: dict[tuple[ResourceType, str], tuple[str, KnownAsset]] = {
            name: (path, known) for path, known, names in files for name in names
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

    def path(self, key: AssetKey) -> Path:
        """Where the file is."""
        return Path(self._files[key.resource_type, key.public_id][0])


def _keys(inside: str, prefix: str) -> tuple[_Name, ...]:
    """The names that a file may have had: a picture's has no extension, a raw file's does."""
    name = inside if inside.startswith(prefix) else prefix + inside
    ending = PurePosixPath(inside).suffix
    bare, suffix, raw = name.removesuffix(ending), ending.lower(), _Name("raw", name)
    if suffix in IMAGES or suffix == ".pdf":
        return (*(_Name("image", one) for one in dict.fromkeys((bare, name))), raw)
    if suffix in VIDEOS:
        return (_Name("video", bare), raw)
    return (raw,) if suffix else (_Name("image", name), raw)


def _describe(path: Path, tag: str) -> KnownAsset:
    # The service's own digest is MD5.
    md5, sha256, size = hashlib.md5(usedforsecurity=False), hashlib.sha256(), 0
    try:
        with opened(path) as file:
            while piece := file.read(_PIECE):
                md5.update(piece)
                sha256.update(piece)
                size += len(piece)
    except OSError as error:
        raise _unreadable("A file in the folder", error) from None
    return KnownAsset(bytes=size, md5=md5.hexdigest(), sha256=sha256.hexdigest(), tags=(tag,) if tag else ())


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    try:
        with opened(path) as file:
            while piece := file.read(_PIECE):
                digest.update(piece)
        return digest.hexdigest()
    except OSError as error:
        raise _unreadable("A file in the folder", error) from None


def _content(path: Path, size: int) -> bytes:
    """The bytes of a file that had so many; one more shows that it has grown."""
    try:
        with opened(path) as file:
            return file.read(size + 1)
    except OSError as error:
        raise _unreadable("A file in the folder", error) from None


def _unreadable(what: str, error: OSError) -> MachineError:
    return MachineError(
        f"{what} cannot be read.",
        why=f"{error.strerror}." if error.strerror else "",
        next_action="Make every file in it readable, or name another folder.",
    )
