"""The line format: one JSON object a line, each carrying the SHA-256 of the line before."""

from __future__ import annotations

import hashlib
import json
from typing import Any

FIRST = "0" * 64
"""What the first line carries in place of a hash."""


def encode(record: dict[str, Any], previous: str) -> bytes:
    """The line for `record`, newline included."""
    text = json.dumps({"prev": previous, **record}, ensure_ascii=False, separators=(",", ":"))
    return text.encode(errors="backslashreplace") + b"\n"  # an argument may hold bytes that are no UTF-8


def line_hash(line: bytes) -> str:
    """The hash that the next line must carry."""
    return hashlib.sha256(line.rstrip(b"\n")).hexdigest()
