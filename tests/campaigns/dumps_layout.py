"""Where the parts of a custom-format dump lie, and ways to damage them. Offsets and sizes are bytes."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import dataclass

_DATA, _INT = 1, 5
"""A block of rows; an integer is a sign and four bytes."""


@dataclass(frozen=True)
class Block:
    """The rows of one table, with the pieces that they come in."""

    start: int
    end: int
    pieces: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Layout:
    """Header and table of contents end where the first block begins."""

    header: int
    blocks: tuple[Block, ...]

    @property
    def contents(self) -> tuple[int, int]:
        """The table of contents."""
        return self.header, self.blocks[0].start

    @property
    def rows(self) -> tuple[int, int]:
        """All blocks."""
        return self.blocks[0].start, self.blocks[-1].end


def layout(data: bytes) -> Layout:
    """Of a whole dump: the first place from which blocks follow each other up to the end."""
    at = data.find(bytes([_DATA, 0]))
    while at >= 0:
        if blocks := _blocks(data, at):
            return Layout(_header(data), tuple(blocks))
        at = data.find(bytes([_DATA, 0]), at + 1)
    raise RuntimeError("no block of data was found in the dump")


def _header(data: bytes) -> int:
    """Up to the number of entries: magic, version, sizes, compression, seven numbers, three texts."""
    at = 11 + (1 if data[5:7] >= b"\x01\x0f" else _INT) + 7 * _INT
    for _ in range(3):
        at += _INT + max(0, _integer(data, at))
    return at + _INT


def _integer(data: bytes, at: int) -> int:
    value = int.from_bytes(data[at + 1 : at + _INT], "little")
    return -value if data[at : at + 1] != b"\0" else value


def _blocks(data: bytes, at: int) -> list[Block]:
    """Empty when what begins here does not end with the file."""
    found = []
    while at < len(data):
        if data[at] != _DATA or data[at + 1 : at + 2] not in (b"\0", b""):
            return []
        start, at, pieces = at, at + 1 + _INT, []
        while (size := _integer(data, at)) > 0:
            pieces.append((at + _INT, at + _INT + size))
            at += _INT + size
        at += _INT
        if size < 0 or at > len(data):
            return []
        found.append(Block(start, at, tuple(pieces)))
    return found


_ENTRY = re.compile(
    rb"\0.{4}\0(?P<rows>[\0\1])\0{3}\0.{4}\d+\0.{4}\d+\0.{4}[^\0]+\0.{4}[A-Z][A-Z ]+\0(?P<section>[\1-\4])\0{3}",
    re.DOTALL,
)
"""An entry of the table of contents up to its section."""


Damage = Callable[[bytes, Layout, random.Random], bytes]


def flip(start: int, end: int) -> Damage:
    """One bit somewhere between."""

    def damage(data: bytes, _: Layout, chance: random.Random) -> bytes:
        place = chance.randrange(start, end)
        changed = bytearray(data)
        changed[place] ^= 1 << chance.randrange(8)
        return bytes(changed)

    return damage


def flip_a_mark(data: bytes, where: Layout, chance: random.Random) -> bytes:
    """One bit of what says where an entry belongs, or that rows follow for it."""
    mark = chance.choice(("section", "section", "rows"))
    places = [hit.start(mark) for hit in _ENTRY.finditer(data, *where.contents)]
    if mark == "rows":
        places = [place for place in places if data[place]]
    return flip(at := chance.choice(places), at + chance.choice((1, 1, 4)))(data, where, chance)


def flip_in_rows(data: bytes, where: Layout, chance: random.Random) -> bytes:
    """One bit of what a table's rows were written as; never of the frame around it."""
    start, end = chance.choice([piece for block in where.blocks for piece in block.pieces])
    return flip(start, end)(data, where, chance)


def repeat(data: bytes, where: Layout, chance: random.Random) -> bytes:
    """A few bytes twice."""
    start = chance.randrange(where.rows[0], len(data))
    size = chance.choice((1, 2, 16, 512, 4096))
    return data[: start + size] + data[start : start + size] + data[start + size :]


def leave_out(data: bytes, where: Layout, chance: random.Random) -> bytes:
    """A few bytes less."""
    start = chance.randrange(where.header, len(data))
    return data[:start] + data[start + chance.choice((1, 2, 16, 512, 4096)) :]


def overwrite(data: bytes, where: Layout, chance: random.Random) -> bytes:
    """A sector of a disk that came back as zeros, or inverted."""
    start = chance.randrange(where.header, len(data))
    old = data[start : start + chance.choice((16, 512, 4096))]
    new = bytes(len(old)) if chance.random() < 0.5 else bytes(byte ^ 255 for byte in old)
    return data[:start] + new + data[start + len(old) :]


def swap_blocks(data: bytes, where: Layout, chance: random.Random) -> bytes:
    """Two tables' blocks in each other's place."""
    first, second = sorted(chance.sample(range(len(where.blocks)), 2))
    one, two = where.blocks[first], where.blocks[second]
    between = data[one.end : two.start]
    return data[: one.start] + data[two.start : two.end] + between + data[one.start : one.end] + data[two.end :]


def swap_sectors(data: bytes, where: Layout, chance: random.Random) -> bytes:
    """Two stretches of the same size in each other's place."""
    size = chance.choice((512, 4096))
    places = range(where.rows[0], len(data) - size, size)
    one, two = sorted(chance.sample(places, 2))
    return data[:one] + data[two : two + size] + data[one + size : two] + data[one : one + size] + data[two + size :]


def swap_contents(data: bytes, where: Layout, chance: random.Random) -> bytes:
    """The rows of one table under the number of another."""
    one, two = chance.sample(where.blocks, 2)
    changed = bytearray(data)
    numbers = [data[block.start + 1 : block.start + 1 + _INT] for block in (one, two)]
    for block, number in zip((two, one), numbers, strict=True):
        changed[block.start + 1 : block.start + 1 + _INT] = number
    return bytes(changed)


def lose_block(data: bytes, where: Layout, chance: random.Random) -> bytes:
    """One table's rows are not in the file at all."""
    lost = chance.choice(where.blocks)
    return data[: lost.start] + data[lost.end :]


def trail(data: bytes, _: Layout, chance: random.Random) -> bytes:
    """Something after the end."""
    size = chance.choice((1, 7, 4096))
    return data + chance.choice((bytes(size), chance.randbytes(size), data[:size], data[-size:]))
