"""What a file is, told from its first bytes, and how large a picture is."""

from __future__ import annotations

import struct
from dataclasses import dataclass

HEAD = 256 * 1024  # enough bytes for `recognise`
IMAGE_FORMATS = frozenset({"jpg", "png", "gif", "webp", "pdf", "svg", "bmp"})
VIDEO_FORMATS = frozenset({"mp4", "webm", "mov"})
_SIGNATURES = (
    (b"\xff\xd8\xff", "jpg"),
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"GIF8", "gif"),
    (b"%PDF-", "pdf"),
    (b"BM", "bmp"),
    (b"\x1aE\xdf\xa3", "webm"),
    (b"<svg", "svg"),
)
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_PDF_POINTS = (612, 792)


@dataclass(frozen=True)
class Kind:
    """A format by its usual extension, empty when unknown; pixels, 0 when there are none."""

    format: str
    width: int = 0
    height: int = 0

    @property
    def resource_type(self) -> str:
        """What an upload of type `auto` makes of it."""
        if self.format in IMAGE_FORMATS:
            return "image"
        return "video" if self.format in VIDEO_FORMATS else "raw"


def recognise(head: bytes) -> Kind:
    """The kind of a file from its first `HEAD` bytes."""
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return Kind("webp")
    if head[4:8] == b"ftyp":
        return Kind("mov" if head[8:10] == b"qt" else "mp4")
    found = next((name for mark, name in _SIGNATURES if head.startswith(mark)), "")
    if found == "png" and len(head) > 24:  # noqa: PLR2004 - where the header chunk's sizes end
        return Kind(found, *struct.unpack(">II", head[16:24]))
    if found == "gif":
        return Kind(found, *struct.unpack("<HH", head[6:10].ljust(4, b"\0")))
    if found == "pdf":
        return Kind(found, *_PDF_POINTS)
    return Kind(found, *_jpeg_size(head)) if found == "jpg" else Kind(found)


def _jpeg_size(head: bytes) -> tuple[int, int]:
    at = 2
    while at + 9 < len(head) and head[at] == 0xFF:  # noqa: PLR2004 - every segment begins so
        if head[at + 1] in _FRAMES:
            height, width = struct.unpack(">HH", head[at + 5 : at + 9])
            return width, height
        at += 2 + int.from_bytes(head[at + 2 : at + 4], "big")
    return 0, 0
