"""The line format: one JSON object a line, with the SHA-256 of the line before and a checksum of its own.

The hash chain shows what was changed, the checksum shows damage of the last line, which no line follows yet.
"""

from __future__ import annotations

import hashlib
import json
import re
import zlib
from typing import Any

FIRST = "0" * 64
"""What the first line carries in place of a hash."""
_ENDING = re.compile(rb',"sum":"(?P<sum>[0-9a-f]{8})"}\Z')


def encode(record: dict[str, Any], previous: str) -> bytes:
    """The line for `record`, newline included."""
    text = json.dumps({"prev": previous, **record}, ensure_ascii=False, separators=(",", ":"))
    body = text.removesuffix("}").encode(errors="backslashreplace")  # an argument may hold bytes that are no UTF-8
    return body + b',"sum":"%08x"}\n' % zlib.crc32(body)


def is_whole(line: bytes) -> bool:
    """Whether `line`, without its newline, is as it was written."""
    ending = _ENDING.search(line)
    return ending is not None and int(ending["sum"], 16) == zlib.crc32(line[: ending.start()])


def line_hash(line: bytes) -> str:
    """The hash that the next line must carry."""
    return hashlib.sha256(line.rstrip(b"\n")).hexdigest()
