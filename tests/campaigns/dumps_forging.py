"""A custom-format dump taken apart, changed and put together again, as somebody would who wants it to do something."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

_INT = 5
"""A sign and four bytes."""
_NOT_SET, _SET = 1, 2
"""What a dump says of where an entry's rows lie."""


@dataclass(frozen=True)
class Item:
    """One entry of the table of contents, as PostgreSQL 17 writes it. `needs` are numbers of others."""

    number: int
    rows: int
    ids: tuple[bytes | None, bytes | None]
    name: bytes
    kind: bytes
    section: int
    definition: bytes
    removal: bytes | None
    copy: bytes
    schema: bytes | None
    tablespace: bytes | None
    method: bytes | None
    relation: int
    owner: bytes
    mark: bytes | None
    needs: tuple[bytes, ...]
    place: bytes


@dataclass(frozen=True)
class Forged:
    """`head` is all before the number of entries, `tail` the blocks of rows."""

    head: bytes
    items: tuple[Item, ...]
    tail: bytes

    def with_first(self, kind: bytes, change: Callable[[Item], Item], name: bytes = b"") -> Forged:
        """The same, with the first entry of a kind (and name) changed."""
        for place, item in enumerate(self.items):
            if item.kind == kind and name in (b"", item.name):
                return replace(self, items=(*self.items[:place], change(item), *self.items[place + 1 :]))
        raise RuntimeError(f"the dump has no {kind.decode()} {name.decode()}")

    def with_more(self, kind: bytes, name: bytes, definition: bytes, *, schema: bytes = b"public") -> Forged:
        """The same, with another entry before the first table."""
        at = next(place for place, item in enumerate(self.items) if item.kind == b"TABLE")
        number = max(item.number for item in self.items) + 1
        item = replace(
            self.items[at], number=number, rows=0, ids=(b"0", b"0"), name=name, kind=kind, definition=definition,
            removal=None, copy=b"", schema=schema, method=None, relation=0, needs=(),
        )  # fmt: skip
        return replace(self, items=(*self.items[:at], item, *self.items[at:]))

    def bytes(self) -> bytes:
        """The file."""
        return self.head + _number(len(self.items)) + b"".join(map(_written, self.items)) + self.tail


def opened(data: bytes) -> Forged:
    """Take one of PostgreSQL 17 or 18 apart."""
    reader = _Reader(data, 12)
    for _ in range(7):
        reader.number()
    for _ in range(3):
        reader.text()
    head = data[: reader.at]
    items = tuple(reader.item() for _ in range(reader.number()))
    return Forged(head, items, data[reader.at :])


class _Reader:
    def __init__(self, data: bytes, at: int) -> None:
        self.data = data
        self.at = at

    def take(self, size: int) -> bytes:
        self.at += size
        return self.data[self.at - size : self.at]

    def number(self) -> int:
        taken = self.take(_INT)
        value = int.from_bytes(taken[1:], "little")
        return -value if taken[0] else value

    def text(self) -> bytes | None:
        size = self.number()
        return None if size < 0 else self.take(size)

    def item(self) -> Item:
        number, rows, ids = self.number(), self.number(), (self.text(), self.text())
        name, kind, section = self.text() or b"", self.text() or b"", self.number()
        definition, removal, copy = self.text() or b"", self.text(), self.text() or b""
        schema, tablespace, method = self.text(), self.text(), self.text()
        relation, owner, mark = self.number(), self.text() or b"", self.text()
        needs = []
        while (one := self.text()) is not None:
            needs.append(one)
        return Item(
            number, rows, ids, name, kind, section, definition, removal, copy, schema, tablespace, method, relation,
            owner, mark, tuple(needs), self.take(9),
        )  # fmt: skip


def _number(value: int) -> bytes:
    return bytes([value < 0]) + abs(value).to_bytes(_INT - 1, "little")


def _text(value: bytes | None) -> bytes:
    return _number(-1) if value is None else _number(len(value)) + value


def _written(item: Item) -> bytes:
    place = bytes([_NOT_SET]) + bytes(8) if item.place[0] == _SET else item.place
    texts = (item.definition, item.removal, item.copy, item.schema, item.tablespace, item.method)
    parts = [_number(item.number), _number(item.rows), *map(_text, item.ids), _text(item.name), _text(item.kind)]
    parts += [_number(item.section), *map(_text, texts), _number(item.relation), _text(item.owner), _text(item.mark)]
    return b"".join([*parts, *map(_text, item.needs), _text(None), place])
