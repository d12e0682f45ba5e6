"""Extract parts of a kit as plain private files into a directory. Never overwrites a file.

A kit is encrypted to public keys, so anybody can create one: file names inside it are not trusted.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Literal

from uscdr import staging
from uscdr.errors import BadInput, MachineError
from uscdr.files import PRIVATE_DIRECTORY, disk_errors
from uscdr.kit.manifest import MEDIA, PARTS, ObjectKind
from uscdr.kit.reader import KitReader
from uscdr.store.directory import new_private_file
from uscdr.store.exclusive import take_over
from uscdr.store.store import ObjectLost

if TYPE_CHECKING:
    from uscdr.models.media import Asset

CONFIG = "config.json"
AUDIENCE: Literal["audience"] = "audience"
"""The list of recipients of notices: it stays encrypted."""
NAMELESS = "nameless"
"""The directory for media whose ids are not valid file names; they are named by a digest of the id."""
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")
_LONGEST = 200
"""The longest part of a path in bytes."""

OpenReader = Callable[[Path], KitReader]
"""Opens the kit with this private directory for decrypted files."""


@dataclass(frozen=True)
class Extracted:
    """The files written for one part; `bytes` is their total size."""

    part: ObjectKind
    files: int
    bytes: int
    where: Path
    nameless: int = 0
    """The number of media files without their own name."""


@dataclass(frozen=True)
class _File:
    """One file to write: its path below the directory, and its source. `shown`: whether its name may be shown."""

    path: PurePosixPath
    open: Callable[[], AbstractContextManager[Path]]
    shown: bool = True


def extract(
    open_reader: OpenReader,
    parts: Sequence[ObjectKind],
    into: Path,
    step: Callable[[ObjectKind, int, int], None],
    noted: Path | None = None,
) -> tuple[Extracted, ...]:
    """Write `parts` (empty: all parts of the kit) below `into`, an absolute path. Files appear complete, mode 0600.

    Raises BadInput if the kit lacks a part or a file already exists (then nothing is written), CheckFailed for damage,
    MachineError. Files that were complete before a failure stay. Incomplete files are in a directory beside them, which
    is recorded in `noted`, this process's own.
    """
    with _scratch(into, noted) as work:
        reader = open_reader(work)
        wanted = {part: _files(reader, part, work) for part in parts or _there(reader)}
        _check_free(into, wanted.values())
        return tuple(_write(part, files, into, step) for part, files in wanted.items())


def _there(reader: KitReader) -> list[ObjectKind]:
    kinds: tuple[ObjectKind, ...] = (*PARTS, AUDIENCE)
    return [part for part in kinds if any(one.kind == part for one in reader.manifest.objects)]


def _files(reader: KitReader, part: ObjectKind, work: Path) -> tuple[_File, ...]:
    """Raises BadInput if the kit has nothing of the part."""
    found = [one for one in reader.manifest.objects if one.kind == part]
    if not found:
        raise BadInput(
            f"The kit {reader.kit} has no {part}.",
            why="" if part == AUDIENCE else f"Its manifest says: {reader.manifest.part(part).state}.",
            next_action="Do not extract that part, or use another kit: uscdr kit list",
        )
    for one in found:
        if not _NAME.fullmatch(one.name):
            raise ObjectLost.damaged(one.path, "its name is not a valid file name")
    plain = [_File(PurePosixPath(one.name), _opening(reader, one.name, work)) for one in found]
    return (*plain, *(_media(reader) if part == "media" else ()))


def _opening(reader: KitReader, name: str, work: Path) -> Callable[[], AbstractContextManager[Path]]:
    """Decrypt the object; for the configuration only names and values, in the usual format."""
    return lambda: _variables(reader, work) if name == CONFIG else reader.open_object(name)


@contextmanager
def _variables(reader: KitReader, work: Path) -> Iterator[Path]:
    held = reader.config()
    values = {name: value.get_secret_value() for name, value in held.values.items()} if held else {}
    path = work / secrets.token_hex(16)
    with new_private_file(path) as file:
        file.write(json.dumps(values, indent=1, ensure_ascii=False).encode() + b"\n")
    yield path


def _media(reader: KitReader) -> Iterator[_File]:
    inventory, used = reader.media(), set[PurePosixPath]()
    for entry in inventory.entries if inventory else ():
        if entry.stored is not None:
            path = _path(entry.asset)
            if path is None or path in used:
                path = _nameless(entry.asset)
            used.add(path)
            yield _File(path, _opening_media(reader, entry.asset), shown=False)


def _opening_media(reader: KitReader, asset: Asset) -> Callable[[], AbstractContextManager[Path]]:
    return lambda: reader.open(asset.key)


def _path(asset: Asset) -> PurePosixPath | None:
    """`media/ID.FORMAT`, the layout that `recover media --from` reads; None if the id is not a valid path."""
    name = asset.key.public_id
    if asset.key.resource_type != "raw" and asset.format:
        name = f"{name}.{asset.format}"
    steps = name.split("/")
    sound = all(
        step and step.strip() == step and not step.startswith(".") and step.isprintable() and "\\" not in step
        and len(step.encode()) <= _LONGEST for step in steps
    )  # fmt: skip
    return PurePosixPath(MEDIA, *steps) if sound else None


def _nameless(asset: Asset) -> PurePosixPath:
    suffix = f".{asset.format}" if re.fullmatch(r"[a-z0-9]{1,8}", asset.format) else ""
    return PurePosixPath(MEDIA, NAMELESS, hashlib.sha256(str(asset.key).encode()).hexdigest() + suffix)


def _check_free(into: Path, wanted: Iterable[Sequence[_File]]) -> None:
    taken = [
        file for files in wanted for file in files if (into / file.path).exists() or (into / file.path).is_symlink()
    ]
    if taken:
        shown = [str(file.path) for file in taken if file.shown]
        hidden = len(taken) - len(shown)
        words = [*shown, *([f"{hidden:,} media files"] if hidden else [])]
        raise BadInput(
            f"{into} already contains {', '.join(words)}.",
            why="uscdr never overwrites files. It wrote nothing.",
            next_action="Name another directory: --into DIR",
        )


def _write(
    part: ObjectKind, files: Sequence[_File], into: Path, step: Callable[[ObjectKind, int, int], None]
) -> Extracted:  # fmt: skip
    size = 0
    for number, file in enumerate(files, start=1):
        step(part, number, len(files))
        with file.open() as plain:
            size += plain.stat().st_size
            _put(plain, into, file)
    nameless = sum(file.path.parts[:2] == (MEDIA, NAMELESS) for file in files)
    return Extracted(part, len(files), size, into / MEDIA if part == "media" else into, nameless)


def _put(plain: Path, into: Path, file: _File) -> None:
    """Raises BadInput if another process created the file meanwhile, MachineError."""
    target = into / file.path
    try:
        _directories(into, file.path.parent)
        take_over(plain, target)
    except FileExistsError:
        _check_free(into, [[file]])
        raise MachineError(f"uscdr could not rename a file in {into}.", why="The target is in use.") from None
    except OSError as error:
        raise MachineError(
            f"uscdr could not write a file to {into}.",
            why=error.strerror or type(error).__name__,
            next_action="Free disk space, or name another directory: --into DIR",
        ) from None


def _directories(above: Path, inside: PurePosixPath, *, follow: bool = False) -> None:
    """Create the missing directories of `inside` below `above`, private. Raises OSError, for links unless `follow`."""
    place = above
    for name in inside.parts:
        place = place / name
        if place.is_symlink() and not follow:
            raise FileExistsError
        place.mkdir(mode=PRIVATE_DIRECTORY, exist_ok=True)


@contextmanager
def _scratch(into: Path, noted: Path | None) -> Iterator[Path]:
    """A private directory on the same disk, so that a complete file only needs a rename."""
    place = into / f".uscdr-{secrets.token_hex(8)}"
    with disk_errors(f"uscdr cannot write to {into}.", "Name another directory: --into DIR"):
        _directories(Path(into.anchor), PurePosixPath(*into.parts[1:]), follow=True)
        note = staging.CleanupNote.write(noted, "directory", {"path": str(place)}) if noted is not None else None
        place.mkdir(mode=PRIVATE_DIRECTORY)
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)
        if note is not None and not place.exists():
            note.strike()
