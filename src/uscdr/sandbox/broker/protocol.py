"""The wire form of Redis' protocol: commands in, replies out, in its second and third version."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from uscdr.words import whole

_MOST_WORDS, _LONGEST_WORD = 10_000, 1 << 20
SECOND, THIRD = 2, 3


@dataclass(frozen=True)
class Status:
    """A short word of success."""

    text: str


@dataclass(frozen=True)
class Failure:
    """An error; the first word is its code."""

    text: str


@dataclass(frozen=True)
class Real:
    """A number with a fraction."""

    value: float


@dataclass(frozen=True)
class Push:
    """What a client gets because it listens."""

    words: tuple[bytes | int | None, ...]


@dataclass(frozen=True)
class Many:
    """Several messages as the answer to one command."""

    messages: tuple[Push, ...]


class _NoArray:
    """The answer of a blocking command that waited in vain."""


NO_ARRAY = _NoArray()
OK = Status("OK")
Reply = Status | Failure | _NoArray | Push | Many | Real | int | bytes | list["Reply"] | dict[bytes, "Reply"] | None


class ProtocolError(ValueError):
    """What came is no command; the connection cannot go on."""


async def read_command(reader: asyncio.StreamReader) -> list[bytes] | None:
    """One command as its words; None at the end of the stream. Raises ProtocolError."""
    line = await reader.readline()
    if not line:
        return None
    if not line.startswith(b"*"):
        return line.split()
    count = _number(line[1:], _MOST_WORDS)
    words = []
    for _ in range(count):
        head = await reader.readline()
        if not head.startswith(b"$"):
            raise ProtocolError("expected '$'")
        word = await reader.readexactly(_number(head[1:], _LONGEST_WORD) + 2)
        words.append(word[:-2])
    return words


def _number(text: bytes, most: int) -> int:
    number = whole(text.strip())
    if number is None or number > most:
        raise ProtocolError("invalid length")
    return number


def encode(reply: Reply, version: int = SECOND) -> bytes:
    """A reply as its bytes."""
    if isinstance(reply, Real):
        told = f"{reply.value:.17g}".encode()
        return b",%s\r\n" % told if version == THIRD else _scalar(told, version)
    if isinstance(reply, Many):
        return b"".join(encode(one, version) for one in reply.messages)
    if isinstance(reply, Push):
        sign = b">" if version == THIRD else b"*"
        return sign + b"%d\r\n" % len(reply.words) + b"".join(encode(one, version) for one in reply.words)
    if isinstance(reply, list):
        return b"*%d\r\n" % len(reply) + b"".join(encode(one, version) for one in reply)
    if isinstance(reply, dict):
        head = b"%%%d\r\n" % len(reply) if version == THIRD else b"*%d\r\n" % (2 * len(reply))
        return head + b"".join(encode(key, version) + encode(value, version) for key, value in reply.items())
    return _scalar(reply, version)


def _scalar(reply: Status | Failure | _NoArray | int | bytes | None, version: int) -> bytes:
    if isinstance(reply, Status):
        return f"+{reply.text}\r\n".encode()
    if isinstance(reply, Failure):
        return f"-{reply.text}\r\n".encode()
    if isinstance(reply, int):
        return b":%d\r\n" % reply
    if isinstance(reply, bytes):
        return b"$%d\r\n%s\r\n" % (len(reply), reply)
    if version == THIRD:
        return b"_\r\n"
    return b"$-1\r\n" if reply is None else b"*-1\r\n"
