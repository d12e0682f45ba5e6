"""Copies of media files kept elsewhere: an escape kit or a local folder."""

from __future__ import annotations

import hashlib
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Protocol

from uscdr.errors import BadInput, CheckFailed, MachineError
from uscdr.files import below, opened
from uscdr.models.media import DELIVERIES, IMAGES, AssetKey, KnownAsset

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

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

    def open(self, key: AssetKey) -> AbstractContextManager[Path]:
        """The copy as a file, checked against its digest; gone (or untouched) when the context ends."""
        ...


# Copies of media in a local folder: files named by their public id, with or without the storage's prefix.


_PIECE = 1024 * 1024
VIDEOS = frozenset({".mp4", ".mov", ".webm", ".avi", ".mkv", ".mp3", ".wav"})


class FolderFiles:
    """`MediaFiles` of one folder. Raises BadInput when it is not a folder or is empty.

    Hidden files and links that lead out of the folder are skipped. A file is read twice, for its digests and for the
    upload; it must be the same both times.
    """

    def __init__(self, root: Path, settings: MediaSettings) -> None:
        if not root.is_dir():
            raise BadInput(f"{root} is not a folder.", next_action="Name the folder that holds copies of the files.")
        self._root = root.resolve()
        self._settings = settings
        self._paths: dict[AssetKey, Path] = {}
        self._known: dict[AssetKey, KnownAsset] | None = None

    @property
    def name(self) -> str:
        """The folder."""
        return f"the folder {self._root}"

    def inventory(self) -> Mapping[AssetKey, KnownAsset]:
        """Every file, under each id that it may have had."""
        if self._known is None:
            self._known = dict(self._read())
            if not self._known:
                raise BadInput(f"The folder {self._root} has no files.", next_action="Name another folder.")
        return self._known

    def _read(self) -> Iterator[tuple[AssetKey, KnownAsset]]:
        for path in self._files():
            inside = path.relative_to(self._root)
            if any(part.startswith(".") for part in inside.parts) or not self._is_ours(path):
                continue
            known = _describe(path, self._settings.tag)
            for open_one in _keys(PurePosixPath(inside.as_posix()), self._settings.prefix):
                # A folder does not say how its files were delivered; rows with an address do.
                for delivery in DELIVERIES:
                    key = open_one.model_copy(update={"delivery": delivery})
                    self._paths[key] = path
                    yield key, known

    def _files(self) -> list[Path]:
        try:
            return sorted(below(self._root))
        except OSError as error:
            raise _unreadable("A directory in the folder", error) from None

    def _is_ours(self, path: Path) -> bool:
        return path.is_file() and path.resolve().is_relative_to(self._root)

    @contextmanager
    def open(self, key: AssetKey) -> Iterator[Path]:
        """The file itself; it is not changed."""
        known, path = self.inventory()[key], self._paths[key]
        if _describe(path, self._settings.tag) != known:
            raise CheckFailed(
                "A file in the folder changed while it was used.",
                next_action="Start again when nothing writes to the folder.",
            )
        yield path


def _keys(inside: PurePosixPath, prefix: str) -> tuple[AssetKey, ...]:
    """The ids that a file of this name may have had: a picture's has no extension, a raw file's does."""
    name = inside.as_posix() if inside.as_posix().startswith(prefix) else prefix + inside.as_posix()
    suffix = inside.suffix.lower()
    bare = name.removesuffix(inside.suffix) if inside.suffix else name
    raw = AssetKey(resource_type="raw", public_id=name)
    if suffix in IMAGES or suffix == ".pdf":
        image = tuple(AssetKey(resource_type="image", public_id=one) for one in dict.fromkeys((bare, name)))
        return (*image, raw)
    if suffix in VIDEOS:
        return (AssetKey(resource_type="video", public_id=bare), raw)
    return (raw,) if suffix else (AssetKey(resource_type="image", public_id=name), raw)


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


def _unreadable(what: str, error: OSError) -> MachineError:
    return MachineError(
        f"{what} cannot be read.",
        why=f"{error.strerror}." if error.strerror else "",
        next_action="Make every file in it readable, or name another folder.",
    )
