"""Small synthetic files that decoders accept; the same name and size give the same bytes."""

from __future__ import annotations

import hashlib
import posixpath
import struct

_WIDTH, _HEIGHT = 160, 120
_LONGEST_COMMENT = 65533  # bytes of text in one segment
_QUANTISER = 8  # so that one step of the first coefficient is one step of grey
# Categories 0 to 8 of the usual code for first coefficients.
_CODES = ("00", "010", "011", "100", "101", "110", "1110", "11110", "111110")
_CODE_LENGTHS = bytes((0, 1, 5, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0))


def content(name: str, size: int) -> bytes:
    """A file for a stored name, of `size` bytes if its format can be so small."""
    extension = posixpath.splitext(name)[1].lower()
    if extension in (".jpg", ".jpeg"):
        return jpeg(name, size)
    return pdf(name, size) if extension == ".pdf" else text(name, size)


def _filler(name: str, length: int) -> bytes:
    """Text that differs for every name."""
    return hashlib.shake_256(name.encode()).hexdigest(length // 2 + 1)[:length].encode()


def text(name: str, size: int) -> bytes:
    """Lines of a text file."""
    return b"Synthetic data\n" + _filler(name, max(16, size - 16)) + b"\n"


def _segment(marker: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def _scan(grey: int) -> bytes:
    """One flat picture: the first block tells the grey, every other one that nothing changes."""
    value = grey - 128
    category = abs(value).bit_length()
    told = value if value >= 0 else value + (1 << category) - 1
    bits = _CODES[category] + (f"{told:0{category}b}" if category else "") + "0"
    bits += "000" * (_WIDTH // 8 * _HEIGHT // 8 - 1)
    bits += "1" * (-len(bits) % 8)
    return int(bits, 2).to_bytes(len(bits) // 8, "big").replace(b"\xff", b"\xff\x00")


def jpeg(name: str, size: int) -> bytes:
    """A grey picture of 160 x 120 pixels, as large as its comments make it."""
    grey = hashlib.sha256(name.encode()).digest()[0]
    end = b"".join(
        (
            _segment(0xDB, b"\x00" + bytes([_QUANTISER] * 64)),
            _segment(0xC0, struct.pack(">BHHBBBB", 8, _HEIGHT, _WIDTH, 1, 1, 0x11, 0)),
            _segment(0xC4, b"\x00" + _CODE_LENGTHS + bytes(range(12))),
            _segment(0xC4, b"\x10" + bytes([1] + [0] * 15) + b"\x00"),
            _segment(0xDA, b"\x01\x01\x00\x00\x3f\x00"),
            _scan(grey),
            b"\xff\xd9",
        )
    )
    room = max(size - len(end) - 2, 36)
    return b"\xff\xd8" + _comments(name, room) + end


def _comments(name: str, room: int) -> bytes:
    """Comment segments of `room` bytes in all; a segment needs four bytes before its text."""
    made = b""
    while room:
        whole = min(room, _LONGEST_COMMENT + 4)
        if 0 < room - whole < 8:  # noqa: PLR2004 - the next one must have room for itself
            whole -= 8
        made += _segment(0xFE, _filler(f"{name} {len(made)}", whole - 4))
        room -= whole
    return made


def pdf(name: str, size: int) -> bytes:
    """One empty page, as large as a comment makes it."""
    whole = _pdf(name, 16)
    for _ in range(3):  # the last line tells a position, whose digits depend on the length
        whole = _pdf(name, max(16, size - len(whole) + whole.index(b"\n%end") - len(_PDF_START)))
    return whole


_PDF_START = b"%PDF-1.4\n%"
_OBJECTS = (
    b"<< /Type /Catalog /Pages 2 0 R >>",
    b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
    b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] >>",
)


def _pdf(name: str, filler: int) -> bytes:
    whole = _PDF_START + _filler(name, filler) + b"\n%end\n"
    positions = []
    for number, body in enumerate(_OBJECTS, 1):
        positions.append(len(whole))
        whole += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(whole)
    whole += b"xref\n0 4\n0000000000 65535 f \n" + b"".join(b"%010d 00000 n \n" % one for one in positions)
    return whole + b"trailer\n<< /Size 4 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % start
