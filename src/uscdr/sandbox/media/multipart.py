"""Forms as HTTP clients send them. A large body goes to a file, and is never in memory."""

from __future__ import annotations

import asyncio
import re
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from mmap import ACCESS_READ, mmap
from pathlib import Path
from urllib.parse import parse_qsl

from starlette.requests import Request

from uscdr.sandbox.media.errors import bad

Body = bytes | mmap
_NAME = re.compile(rb'\bname="((?:\\.|[^"\\])*)"')
_FILENAME = re.compile(rb'\bfilename="((?:\\.|[^"\\])*)"')
_LONGEST_HEAD = 16 * 1024
SMALL = 1024 * 1024
"""Bytes that are worth neither a file nor a thread of their own."""


@dataclass(frozen=True)
class Part:
    """Where one part's content lies in the body; `filename` is None for a plain field."""

    name: str
    filename: str | None
    start: int
    end: int


@dataclass
class Form:
    """The fields of a form: a name that ends in `[]` is a list."""

    parameters: dict[str, str | list[str]] = field(default_factory=dict)
    body: Body = b""
    file: Part | None = None

    def text(self, name: str) -> str:
        """One field; empty when it is not there."""
        value = self.parameters.get(name, "")
        return value if isinstance(value, str) else ",".join(value)

    def many(self, name: str) -> list[str]:
        """A list; one value counts as a list of one."""
        value = self.parameters.get(name, [])
        return value if isinstance(value, list) else [value]

    def add(self, name: str, value: str) -> None:
        """Take one field in."""
        plain = name.removesuffix("[]")
        if plain == name:
            self.parameters[plain] = value
            return
        values = self.parameters.setdefault(plain, [])
        if isinstance(values, list):
            values.append(value)

    def head(self, size: int) -> bytes:
        """The first bytes of the file."""
        return self.body[self.file.start : min(self.file.end, self.file.start + size)] if self.file else b""


@asynccontextmanager
async def read_form(request: Request, directory: Path) -> AsyncIterator[Form]:
    """The request's form; the file in it can be read until the block ends. Raises 400."""
    kind, small, stream = request.headers.get("content-type", ""), bytearray(), request.stream()
    async for chunk in stream:
        small += chunk
        if len(small) > SMALL:
            break
    else:
        yield _read(bytes(small), kind)
        return
    with tempfile.TemporaryFile(dir=directory) as spool:
        spool.write(small)
        del small
        async for chunk in stream:
            spool.write(chunk)
        spool.flush()
        if not kind.startswith("multipart/form-data"):
            spool.seek(0)
            yield _urlencoded(spool.read())
        else:
            with mmap(spool.fileno(), 0, access=ACCESS_READ) as body:
                yield await asyncio.to_thread(_multipart, body, _boundary(kind))


def _read(raw: bytes, kind: str) -> Form:
    """A form that is in memory."""
    if not raw:
        return Form()
    return _multipart(raw, _boundary(kind)) if kind.startswith("multipart/form-data") else _urlencoded(raw)


def _urlencoded(raw: bytes) -> Form:
    form = Form()
    for name, value in parse_qsl(raw.decode("utf-8", "replace"), keep_blank_values=True):
        form.add(name, value)
    return form


def _boundary(kind: str) -> bytes:
    found = re.search(r'boundary="?([^";]+)"?', kind)
    if not found:
        raise bad("Invalid multipart body: no boundary")
    return b"--" + found[1].encode()


def _multipart(body: Body, mark: bytes) -> Form:
    form = Form(body=body)
    for part in _parts(body, mark):
        if part.filename is None:
            form.add(part.name, body[part.start : part.end].decode("utf-8", "replace"))
        elif part.name == "file":
            form.file = part
    return form


def _parts(body: Body, mark: bytes) -> Iterator[Part]:
    at = body.find(mark)
    while at >= 0 and body[at + len(mark) : at + len(mark) + 2] == b"\r\n":
        start = at + len(mark) + 2
        blank = body.find(b"\r\n\r\n", start, start + _LONGEST_HEAD)
        end = body.find(b"\r\n" + mark, max(blank, start))
        if blank < 0 or end < 0:
            raise bad("Invalid multipart body")
        yield _part(body[start:blank], blank + 4, end)
        at = end + 2
    if at < 0:
        raise bad("Invalid multipart body")


def _part(head: bytes, start: int, end: int) -> Part:
    name, filename = _NAME.search(head), _FILENAME.search(head)
    if name is None:
        raise bad("Invalid multipart body: a part without a name")
    return Part(_text(name[1]), _text(filename[1]) if filename else None, start, end)


def _text(raw: bytes) -> str:
    return re.sub(r"\\(.)", r"\1", raw.decode("utf-8", "replace"))
