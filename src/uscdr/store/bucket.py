"""A bucket as a store: S3 and what speaks its protocol, Google Cloud Storage, Azure.

Small objects are one conditional write. A large one is uploaded in parts under a name of its own below `.staging`
and copied, on the condition that its final name is free, inside the store: uploading in parts has no such condition
in obstore. So a name appears at once and whole, or not at all. What a killed process leaves: an unfinished upload,
which no listing shows and a lifecycle rule of the bucket removes, or a staged object, which a later writer removes.
"""

from __future__ import annotations

import base64
import hashlib
import io
import secrets
import time
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, BinaryIO, TypeVar

import obstore
from obstore import exceptions

from uscdr.errors import CheckFailed, MachineError, OutcomeUnknown
from uscdr.files import disk_errors, own_directory, private_directory
from uscdr.staging import STAGING
from uscdr.store.errors import explained
from uscdr.store.store import (
    ChecksumRefused,
    NameTaken,
    ObjectInfo,
    ObjectLost,
    StoreRefused,
    StoreRetains,
    StoreUnreachable,
    checked_name,
    digest_of,
    small,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from obstore import ObjectMeta
    from obstore.store import ObjectStore as Handle


# An object of a bucket as a file to read, in constant memory, over connections that may break.


BLOCK = 8 << 20
"""Bytes: what is asked for at once, and again when its connection breaks (the handle's own retries)."""


class _Blocks(io.RawIOBase):
    """One object as a file: a block of it in memory, each asked for under the condition that it is the same object."""

    def __init__(self, handle: Handle, name: str, meta: ObjectMeta, place: str) -> None:
        super().__init__()
        self._handle = handle
        self._name = name
        self._meta = meta
        self._place = place
        self._asked = 0
        self._block = memoryview(b"")

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override] # what BufferedReader hands over
        """As many bytes as there are in the block; 0 at the end."""
        if not self._block and self._asked < self._meta["size"]:
            self._block = self._next()
        count = min(len(buffer), len(self._block))
        buffer[:count] = self._block[:count]
        self._block = self._block[count:]
        return count

    def _next(self) -> memoryview:
        end = min(self._asked + BLOCK, self._meta["size"])
        block = self._range(self._asked, end)
        self._asked = end
        return block

    def _range(self, start: int, end: int) -> memoryview:
        try:
            with explained(self._place):
                found = obstore.get(
                    self._handle, self._name, options={"range": (start, end), "if_match": self._meta["e_tag"]}
                )
                block = memoryview(found.bytes())
        except (exceptions.PreconditionError, FileNotFoundError):
            raise ObjectLost.missing(self._name, self._place) from None
        if len(block) != end - start:
            raise StoreUnreachable(f"{self._place} handed out less of {self._name} than it has.")
        return block


T = TypeVar("T")
SMALL = 8 << 20
"""Bytes: up to here an object is one write."""
PART, PARTS_AT_ONCE = 5 << 20, 3
ABANDONED = timedelta(days=1)
MOST_LISTED, LIST_SECONDS = 5_000_000, 300.0
"""Objects, and seconds, after which a list has no end."""
PAUSES = (0.2, 0.8, 2.0)
"""Seconds between the attempts of one create."""


@dataclass(frozen=True)
class Handles:
    """One bucket and prefix with different patience: `quick` for what is small, `bulk` for blocks and parts.

    These two repeat what may be repeated. The others send each request once, so that “exists already” is never
    the echo of a request whose answer was lost. `largest_copy`: bytes that the store copies at most, if it has a limit.
    `tells_versions`: an object has a version only where the store keeps older ones. `with_md5`: what is used from then
    on when the store does not take the checksum that writes carry; `carrying` makes such
    handles for one write, quick and bulk, with the MD5 that it is given in base64.
    """

    quick: Handle
    bulk: Handle
    quick_once: Handle
    bulk_once: Handle
    largest_copy: int | None = None
    tells_versions: bool = False
    with_md5: Handles | None = None
    carrying: tuple[Callable[[str], Handle], Callable[[str], Handle]] | None = field(default=None, repr=False)

    def once(self, data: bytes, *, quick: bool) -> Handle:
        """For one write of `data`."""
        if self.carrying is not None:
            md5 = base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()
            return self.carrying[0 if quick else 1](md5)
        return self.quick_once if quick else self.bulk_once


class ObjectStore:
    """A bucket below a prefix. `scratch` is a directory of this machine for ciphertext under way."""

    def __init__(
        self, place: str, handles: Handles, scratch: Path, pause: Callable[[float], None] = time.sleep
    ) -> None:
        self._place = place
        self._handles = handles
        self._scratch = scratch
        self._pause = pause
        self._is_there = False

    @property
    def place(self) -> str:
        """`s3://bucket/prefix`."""
        return self._place

    def staging(self) -> AbstractContextManager[Path]:
        """On this machine; what killed writers left in the bucket more than a day ago is removed."""
        self._sweep()
        return own_directory(self._scratch / secrets.token_hex(8), above=private_directory)

    def create(self, name: str, file: Path) -> None:
        """One conditional write, or parts and a conditional copy."""
        checked_name(name)
        with disk_errors(f"{file} cannot be read.", ""):
            size = file.stat().st_size
            if size <= SMALL:
                self._put(name, file.read_bytes(), quick=False)
            else:
                self._create_large(name, file, size)
            file.unlink()

    def put_once(self, name: str, data: bytes) -> None:
        """One conditional write."""
        self._put(checked_name(name), data, quick=True)

    def delete(self, name: str) -> None:
        """One request."""
        self._delete(checked_name(name))

    def read(self, name: str) -> bytes:
        """In blocks, too."""
        with self.open(name) as file:
            return small(file, name)

    def open(self, name: str) -> BinaryIO:
        """Block by block; a block whose connection breaks is asked for again."""
        meta = self._head(checked_name(name))
        if meta is None:
            raise ObjectLost.missing(name, self._place)
        return io.BufferedReader(_Blocks(self._handles.bulk, name, meta, self._place))

    def names(self, prefix: str) -> tuple[str, ...]:
        """From the listing."""
        return tuple(entry.name for entry in self.listing(prefix))

    def listing(self, prefix: str) -> tuple[ObjectInfo, ...]:
        """A request for every thousand names."""
        return self._listed(checked_name(prefix))

    def size(self, name: str) -> int | None:
        """One request."""
        meta = self._head(checked_name(name))
        return None if meta is None else meta["size"]

    def keeps_versions(self, name: str) -> bool | None:
        """By the object's version: one request."""
        if not self._handles.tells_versions:
            return None
        meta = self._head(checked_name(name))
        return None if meta is None else meta["version"] not in (None, "null")

    def _put(self, name: str, data: bytes, *, quick: bool) -> None:
        self._settled(
            name,
            send=lambda: obstore.put(
                self._handles.once(data, quick=quick), name, data, mode="create", use_multipart=False
            ),
            ours=lambda: self.size(name) == len(data) and self.read(name) == data,
        )

    def _create_large(self, name: str, file: Path, size: int) -> None:
        most = self._handles.largest_copy
        if most is not None and size > most:
            raise StoreRefused(
                f"{name} is too large for {self._place}.", why=f"{size} bytes; it copies at most {most}."
            )
        staged = f"{STAGING}/{secrets.token_hex(16)}"
        try:
            digest = self._accepted(lambda: self._in_parts(staged, file))
            self._settled(
                name,
                send=lambda: obstore.copy(self._handles.bulk_once, staged, name, overwrite=False),
                ours=lambda: self.size(name) == size and digest_of(self, name) == (digest, size),
            )
        finally:
            with suppress(MachineError):  # `_sweep` is the second chance; rights to delete are not needed to write
                self._delete(staged)

    def _in_parts(self, staged: str, file: Path) -> str:
        """The SHA-256 of what was sent."""
        digest = hashlib.sha256()
        with file.open("rb") as source:
            # handed over in pieces by this thread, so that Ctrl-C ends it
            pieces = _pieces(source, digest.update)
            obstore.put(
                self._handles.bulk, staged, pieces, chunk_size=PART, max_concurrency=PARTS_AT_ONCE, use_multipart=True
            )
        return digest.hexdigest()

    def _accepted(self, send: Callable[[], T]) -> T:
        """Send; a store that refuses the checksum of this kind is given the other kind from then on."""
        tried = self._handles
        try:
            with self._explained():
                return send()
        except ChecksumRefused:
            if tried.with_md5 is None:
                raise
            self._handles = tried.with_md5
        with self._explained():
            return send()

    def _settled(self, name: str, *, send: Callable[[], object], ours: Callable[[], bool]) -> None:
        """Send a create until it is done, refused, or lost too often; a lost answer is settled by looking.

        Sending again is safe: the condition holds for the lost request as well, whenever it arrives.
        """
        lost: StoreUnreachable | None = None
        for pause in (*PAUSES, None):
            try:
                self._accepted(send)
            except FileNotFoundError:
                raise StoreRefused(
                    f"What was uploaded to {self._place} is gone before {name} was made of it."
                ) from None
            except exceptions.AlreadyExistsError:
                break
            except StoreUnreachable as error:
                lost = error
                if pause is not None:
                    self._pause(pause)
            else:
                return
        if lost is None:
            raise NameTaken.at(f"{self._place}/{name}")
        self._looked_at(name, ours, lost)

    def _looked_at(self, name: str, ours: Callable[[], bool], lost: StoreUnreachable) -> None:
        try:
            if ours():
                return
            there = self.size(name) is not None
        except (MachineError, CheckFailed):
            raise OutcomeUnknown(
                f"Whether {name} was stored in {self._place} is not known.",
                why=lost.why,
                next_action="When the store can be reached again, look whether it is there; then start this again.",
            ) from None
        raise NameTaken.at(f"{self._place}/{name}") if there else lost

    def _sweep(self) -> None:
        for entry in self._listed(STAGING):
            if entry.modified_at < datetime.now(UTC) - ABANDONED:
                with suppress(MachineError):
                    self._delete(entry.name)

    def _listed(self, prefix: str) -> tuple[ObjectInfo, ...]:
        found: list[ObjectMeta] = []
        end = time.monotonic() + LIST_SECONDS
        with self._explained():
            for page in obstore.list(self._handles.quick, prefix):
                found += page
                if len(found) > MOST_LISTED or time.monotonic() > end:
                    raise MachineError(
                        f"{self._place} never ends its list of objects.",
                        why=f"It listed {len(found):,} of them so far.",
                        next_action="Look at the bucket with its provider's own tools.",
                    )
        entries = (ObjectInfo(meta["path"], meta["size"], meta["last_modified"]) for meta in found)
        return tuple(sorted(entries, key=lambda entry: entry.name))

    def _head(self, name: str) -> ObjectMeta | None:
        with self._explained():
            try:
                return obstore.head(self._handles.quick, name)
            except FileNotFoundError:
                pass
            if not self._is_there:  # the answer to a head does not tell a missing object from a missing bucket
                next(iter(obstore.list(self._handles.quick)), None)
                self._is_there = True
        return None

    def _delete(self, name: str) -> None:
        try:
            with suppress(FileNotFoundError), self._explained():
                obstore.delete(self._handles.quick, name)
        except exceptions.AlreadyExistsError:  # a conflict: Azure's way to say so
            raise StoreRetains.at(self._place) from None

    def _explained(self) -> AbstractContextManager[None]:
        return explained(self._place)


def _pieces(source: BinaryIO, watch: Callable[[bytes], None]) -> Iterator[bytes]:
    while piece := source.read(PART):
        watch(piece)
        yield piece
