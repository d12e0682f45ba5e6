"""The lines of a hash chain: one JSON object per line, with the SHA-256 of the line before and its own checksum.

Journals of runs and of incidents are such chains.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from typing import TYPE_CHECKING, Any, NamedTuple

from uscdr.errors import JournalError

if TYPE_CHECKING:
    from pathlib import Path

FIRST = "0" * 64
"""The first line has this in place of a hash."""
_ENDING = len(',"sum":"01234567"}')


def encode(record: dict[str, Any], previous: str) -> bytes:
    """The line for `record`, newline included."""
    text = json.dumps({"prev": previous, **record}, ensure_ascii=False, separators=(",", ":"))
    body = text.removesuffix("}").encode(errors="backslashreplace")  # an argument may contain bytes that are not UTF-8
    return body + b',"sum":"%08x"}\n' % zlib.crc32(body)


def is_whole(line: bytes) -> bool:
    """Whether the checksum of `line`, without its newline, is correct."""
    body, ending = line[:-_ENDING], line[-_ENDING:]
    return ending == b',"sum":"%08x"}' % zlib.crc32(body)


def line_hash(line: bytes) -> str:
    """The hash that the next line must contain."""
    return hashlib.sha256(line.rstrip(b"\n")).hexdigest()


def decoded(line: bytes) -> Any:  # noqa: ANN401 - any JSON
    """The line as JSON. Raises ValueError or RecursionError."""
    return json.loads(line.decode("utf-8", "surrogatepass"))


class LinePlace(NamedTuple):
    """Where a line is: its file and the name of its chain, its number from 1, and the byte where it begins."""

    path: Path
    run: str
    number: int
    offset: int
    advice: str
    """What the reader of a damaged chain can do."""

    def damage(self, what: str) -> JournalError:
        """Something changed the line."""
        return JournalError(
            f"The journal {self.path} is damaged at line {self.number} (byte {self.offset}): {what}.",
            why="Somebody edited the file, or the disk lost data.",
            next_action=f"Keep the file as evidence. {self.advice}",
        )

    def require_whole(self, line: bytes) -> None:
        """Raises JournalError for a line that was changed."""
        if not is_whole(line):
            raise self.damage("the checksum of the line is wrong")

    def chained(self, line: bytes, previous: str) -> dict[str, Any]:
        """The line as JSON, in its place in the chain. Raises JournalError."""
        try:
            record = decoded(line)
        except (ValueError, RecursionError):
            raise self.damage("the line is not JSON") from None
        if not isinstance(record, dict) or not isinstance(record.get("event"), dict):
            raise self.damage("the line is not a journal record")
        if record.get("prev") != previous:
            raise self.damage("the hash of the line before does not match")
        return record

    def require_number(self, seq: int | None) -> None:
        """Raises JournalError if the line's own number is not its place."""
        if seq != self.number - 1:
            raise self.damage(f"its sequence number is {seq} instead of {self.number - 1}")
