"""A bucket as a store: S3 and what speaks its protocol, Google Cloud Storage, Azure.

A small object is one conditional write. A large object is uploaded in parts under a temporary name below `.staging`.
The store then copies it to its final name, on the condition that the name is free: obstore has no such condition for
an upload in parts. So an object appears under its name complete, or not at all. A killed process leaves one of two
things. An unfinished upload appears in no listing, and a lifecycle rule of the bucket removes it. A later writer
removes a staged object.
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


# Reads an object of a bucket as a file, in constant memory, and retries when the connection breaks.


BLOCK = 8 << 20
"""Bytes per request; the handle retries a block when its connection breaks."""


class _Blocks(io.RawIOBase):
    """One object as a file: keeps one block in memory, and requires that every block is of the same object."""

    def __init__(self, handle: Handle, name: str, meta: ObjectMeta, place: str) -> None:
        super().__init__()
        self._handle = handle
        self._name = name
        self._meta = meta
        self._place = place
        self._asked = 0
        self._block = memoryview(b"")

    def readable(self) -> bool:
        """Always true."""
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override] # what BufferedReader hands over
        """Copy at most the rest of the current block into `buffer`; returns the number of bytes, 0 at the end."""
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
            raise StoreUnreachable(f"{self._place} sent only a part of {self._name}.")
        return block


T = TypeVar("T")
SMALL = 8 << 20
"""Bytes: the largest object that is stored with one request."""
PART, PARTS_AT_ONCE = 5 << 20, 3
ABANDONED = timedelta(days=1)
MOST_LISTED, LIST_SECONDS = 5_000_000, 300.0
"""Objects and seconds after which listing a bucket fails."""
PAUSES = (0.2, 0.8, 2.0)
"""Seconds between the attempts of one create."""


@dataclass(frozen=True)
class Handles:
    """Clients of one bucket and prefix that differ in timeout: `quick` for small requests, `bulk` for blocks and parts.

    These two retry requests that are safe to repeat. The others send each request once: then “exists already” cannot
    come from an earlier attempt whose answer was lost. `largest_copy`: the most bytes that the store copies, None
    without a limit. `tells_versions`: an object has a version only where the store keeps older ones. `with_md5`: the
    handles to use once the store has refused the checksum of writes. `carrying` makes such handles, quick and bulk,
    for one write from its MD5 in base64.
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
        """The handle for one write of `data`."""
        if self.carrying is not None:
            md5 = base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()
            return self.carrying[0 if quick else 1](md5)
        return self.quick_once if quick else self.bulk_once


class ObjectStore:
    """A bucket below a prefix. `scratch` is a directory of this machine for ciphertext before its upload."""

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
        """A directory of this machine. Removes what killed writers left in the bucket more than a day ago."""
        self._sweep()
        return own_directory(self._scratch / secrets.token_hex(8), above=private_directory)

    def create(self, name: str, file: Path) -> None:
        """One conditional write, or parts and a conditional copy."""
        checked_name(name)
        with disk_errors(f"uscdr cannot read {file}.", ""):
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
        """Read the whole object, block by block."""
        with self.open(name) as file:
            return small(file, name)

    def open(self, name: str) -> BinaryIO:
        """Read block by block; requests a block again when its connection breaks."""
        meta = self._head(checked_name(name))
        if meta is None:
            raise ObjectLost.missing(name, self._place)
        return io.BufferedReader(_Blocks(self._handles.bulk, name, meta, self._place))

    def names(self, prefix: str) -> tuple[str, ...]:
        """The names from the listing."""
        return tuple(entry.name for entry in self.listing(prefix))

    def listing(self, prefix: str) -> tuple[ObjectInfo, ...]:
        """List the objects: one request for every thousand names."""
        return self._listed(checked_name(prefix))

    def size(self, name: str) -> int | None:
        """One request."""
        meta = self._head(checked_name(name))
        return None if meta is None else meta["size"]

    def keeps_versions(self, name: str) -> bool | None:
        """Read the object's version: one request."""
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
                f"{name} is too large for {self._place}.",
                why=f"The object has {size:,} bytes. The store copies at most {most:,} bytes.",
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
            with suppress(MachineError):  # a writer needs no right to delete; `_sweep` tries again later
                self._delete(staged)

    def _in_parts(self, staged: str, file: Path) -> str:
        """The SHA-256 of what was sent."""
        digest = hashlib.sha256()
        with file.open("rb") as source:
            # this thread passes the data in pieces, so that Ctrl-C stops the upload
            pieces = _pieces(source, digest.update)
            obstore.put(
                self._handles.bulk, staged, pieces, chunk_size=PART, max_concurrency=PARTS_AT_ONCE, use_multipart=True
            )
        return digest.hexdigest()

    def _accepted(self, send: Callable[[], T]) -> T:
        """Send; when the store refuses this kind of checksum, use the other kind from then on."""
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
        """Send a create until it succeeds, is refused, or too many answers are lost. After a lost answer, look.

        Sending again is safe: the same condition guards the lost request, whenever it arrives.
        """
        lost: StoreUnreachable | None = None
        for pause in (*PAUSES, None):
            try:
                self._accepted(send)
            except FileNotFoundError:
                raise StoreRefused(
                    f"The upload of {name} to {self._place} was removed before the store could copy it."
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
                f"{self._place} did not confirm that it stored {name}.",
                why=lost.why,
                next_action="When the store answers again, check whether the object exists. Then run it again.",
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
                        f"{self._place} returns an endless list of objects.",
                        why=f"It listed {len(found):,} objects so far.",
                        next_action="Inspect the bucket with its provider's own tools.",
                    )
        entries = (ObjectInfo(meta["path"], meta["size"], meta["last_modified"]) for meta in found)
        return tuple(sorted(entries, key=lambda entry: entry.name))

    def _head(self, name: str) -> ObjectMeta | None:
        with self._explained():
            try:
                return obstore.head(self._handles.quick, name)
            except FileNotFoundError:
                pass
            if not self._is_there:  # HEAD gives the same answer for a missing object and a missing bucket
                next(iter(obstore.list(self._handles.quick)), None)
                self._is_there = True
        return None

    def _delete(self, name: str) -> None:
        try:
            with suppress(FileNotFoundError), self._explained():
                obstore.delete(self._handles.quick, name)
        except exceptions.AlreadyExistsError:  # Azure reports the conflict this way
            raise StoreRetains.at(self._place) from None

    def _explained(self) -> AbstractContextManager[None]:
        return explained(self._place)


def _pieces(source: BinaryIO, watch: Callable[[bytes], None]) -> Iterator[bytes]:
    while piece := source.read(PART):
        watch(piece)
        yield piece
