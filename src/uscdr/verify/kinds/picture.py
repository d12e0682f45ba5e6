"""A picture of one pixel, another one each time: an application may refuse what it has already."""

from __future__ import annotations

import struct
import zlib

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_WIDTH, _HEIGHT, _BITS, _GREY = 1, 1, 8, 0


def png(comment: str) -> bytes:
    """A whole PNG with `comment` in it, which must be ASCII."""
    header = struct.pack(">IIBBBBB", _WIDTH, _HEIGHT, _BITS, _GREY, 0, 0, 0)
    return b"".join((
        SIGNATURE,
        _chunk(b"IHDR", header),
        _chunk(b"tEXt", b"Comment\0" + comment.encode("ascii")),
        _chunk(b"IDAT", zlib.compress(b"\0\xff")),
        _chunk(b"IEND", b""),
    ))  # fmt: skip


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
