"""An object of a bucket as a file to read, in constant memory, over connections that may break."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import obstore
from obstore import exceptions

from uscdr.vault.refusals import explained
from uscdr.vault.store import StoreUnreachable, missing

if TYPE_CHECKING:
    from obstore import ObjectMeta
    from obstore.store import ObjectStore as Handle

BLOCK = 8 << 20
"""Bytes: what is asked for at once, and again when its connection breaks (the handle's own retries)."""


class Blocks(io.RawIOBase):
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
            raise missing(self._name, self._place) from None
        if len(block) != end - start:
            raise StoreUnreachable(f"{self._place} handed out less of {self._name} than it has.")
        return block
