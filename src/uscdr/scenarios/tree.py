"""YAML text to a tree that knows its lines, and to plain data. Whatever is wrong has a file, a line and a column."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.composer import Composer, ComposerError
from ruamel.yaml.constructor import DuplicateKeyError
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import Node, ScalarNode
from ruamel.yaml.reader import ReaderError
from ruamel.yaml.scalarbool import ScalarBoolean
from typing_extensions import override

from uscdr.errors import ConfigError
from uscdr.reading import whole

MOST_BYTES = 400_000
MOST_VALUES = 20_000
"""Keys and values with every alias written out: a few lines of aliases can stand for more than any memory holds."""
DEEPEST = 40
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")
"""Written as an escape; line feeds and tabs may stand in a query."""
_BROKEN = (YAMLError, ValueError, TypeError, AttributeError, LookupError, AssertionError, NotImplementedError)
"""What the parser raises for values that it recognises and cannot make, such as the 45th of a month."""


def content(path: Path) -> bytes:
    """The file's bytes. Raises ConfigError; reads no more than is allowed, even of a file without end."""
    try:
        return whole(path, MOST_BYTES)
    except OSError as error:
        raise ConfigError(
            f"{path}: cannot be read: {error.strerror}.", next_action="Name a readable file with --config."
        ) from error


def parse(path: Path, data: bytes) -> CommentedMap:
    """The tree, with the line and column of every key. Raises ConfigError."""
    text = _text(path, data)
    try:
        tree = _yaml().load(text)
    except DuplicateKeyError as error:
        _syntax(path, error, "this key stands twice in the same mapping")
    except MarkedYAMLError as error:
        _syntax(path, error, str(error.problem or error.context or "not YAML"))
    except ReaderError as error:
        _refuse(path, _position(text[: error.position]), "this character may not stand in YAML")
    except RecursionError:
        _refuse(path, (1, 1), "it is nested too deeply")
    except _BROKEN:
        _refuse(path, next(_unmakable(text), (1, 1)), "this value cannot be made sense of")
    if not isinstance(tree, CommentedMap):
        _refuse(path, (1, 1), "the file must be a mapping that begins with `version: 1`")
    return tree


class _Bounded(Composer):
    """Stops at once where there is too much, or too deep: what is read would take minutes to be made."""

    def __init__(self, loader: Any = None) -> None:  # noqa: ANN401 - of ruamel
        super().__init__(loader)
        self._made = self._deep = 0
        self._sizes: dict[int, int] = {}
        """By node: how many values it stands for, so that an alias counts as what it stands for."""

    @override
    def compose_node(self, parent: Node | None, index: Any) -> Node | None:
        before, self._deep = self._made, self._deep + 1
        self._count(1)
        node: Node | None = super().compose_node(parent, index)
        self._count(self._sizes.get(id(node), 0))
        self._sizes.setdefault(id(node), self._made - before)
        self._deep -= 1
        return node

    def _count(self, more: int) -> None:
        self._made += more
        if self._made > MOST_VALUES or self._deep > DEEPEST:
            what = f"there are more than {MOST_VALUES:,} values" if self._deep <= DEEPEST else "it is nested too deeply"
            raise ComposerError(None, None, what, self.loader.parser.peek_event().start_mark)


def _yaml() -> YAML:
    made = YAML(typ="rt", pure=True)
    made.Composer = _Bounded
    return made


def _text(path: Path, data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        _refuse(path, _position(data[: error.start].decode("utf-8")), "this is not UTF-8")


def _position(before: str) -> tuple[int, int]:
    """Line and column, from one, of what comes after `before`."""
    return before.count("\n") + 1, len(before) - before.rfind("\n")


def _unmakable(text: str) -> Iterator[tuple[int, int]]:
    """The places of scalars that cannot be made into values."""
    try:
        pending = [_yaml().compose(text)]
    except (*_BROKEN, RecursionError):
        return
    seen: set[int] = set()
    while pending:
        node = pending.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, ScalarNode):
            if node.style is None and not _makable(node.value):
                yield node.start_mark.line + 1, node.start_mark.column + 1
        elif node is not None:
            pending += [part for item in node.value for part in (item if isinstance(item, tuple) else (item,))]


def _makable(value: str) -> bool:
    try:
        _yaml().load(value)
    except _BROKEN:
        return False
    return True


def _syntax(path: Path, error: MarkedYAMLError, what: str) -> NoReturn:
    mark = error.problem_mark or error.context_mark
    _refuse(path, (mark.line + 1, mark.column + 1) if mark else (1, 1), " ".join(what.split()))


def _refuse(path: Path, where: tuple[int, int], what: str) -> NoReturn:
    line, column = where
    raise ConfigError(f"{path}:{line}:{column}: {what}.", next_action="Mend that line; indentation is in spaces.")


def plain(path: Path, tree: CommentedMap) -> Any:  # noqa: ANN401 - a YAML tree
    """The tree as plain dicts and lists, so that pydantic sees no ruamel type; aliases are written out."""
    return _Copier(path).copy(tree, 0)


class _Copier:
    """Copies a tree of bounded size and depth: aliases can make a small file endless."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._nodes = 0

    def copy(self, node: Any, depth: int) -> Any:  # noqa: ANN401 - a YAML tree
        """One node with all that is below it."""
        self._nodes += 1
        if depth > DEEPEST or self._nodes > MOST_VALUES:
            mark = getattr(node, "lc", None)
            where = (mark.line + 1, mark.col + 1) if mark is not None and mark.line is not None else (1, 1)
            _refuse(
                self._path,
                where,
                f"aliases stand for more than {MOST_VALUES:,} values or for themselves, or it is nested too deeply",
            )
        if isinstance(node, dict):
            self._refuse_odd(node, node.items())
            return {str(key): self.copy(value, depth + 1) for key, value in node.items()}
        if isinstance(node, list):
            self._refuse_odd(node, enumerate(node))
            return [self.copy(item, depth + 1) for item in node]
        return _scalar(node)

    def _refuse_odd(self, node: Any, items: Iterable[tuple[Any, Any]]) -> None:  # noqa: ANN401 - a YAML tree
        """Bytes are no text; an escape may make a NUL, which no path, name, address or query may hold."""
        for key, value in items:
            odd = next((found for found in map(_oddity, (key, value)) if found), None)
            if odd is not None:
                # a key that was merged in with `<<` has no place of its own here
                line, column = (node.lc.data or {}).get(key, (node.lc.line, node.lc.col))[-2:]
                _refuse(self._path, (line + 1, column + 1), odd)


def _oddity(node: Any) -> str | None:  # noqa: ANN401 - a YAML tree
    if isinstance(node, bytes):
        return "this is binary data; write plain text"
    if isinstance(node, str) and CONTROL.search(node):
        return "this text holds a control character"
    return None


def _scalar(node: Any) -> Any:  # noqa: ANN401 - a YAML tree
    if isinstance(node, ScalarBoolean):
        return bool(node)
    for kind in (bool, int, float, str):
        if isinstance(node, kind):
            return kind(node)
    return node if node is None else str(node)


def place(path: Path, tree: CommentedMap, location: Sequence[str | int]) -> str:
    """`file:line:column` of the deepest part of `location` that exists in the tree."""
    line, column = position(tree, location)
    return f"{path}:{line}:{column}"


def position(tree: CommentedMap, location: Sequence[str | int]) -> tuple[int, int]:
    """Line and column, from one, of the deepest part of `location` that exists in the tree."""
    line, column = 0, 0
    node: Any = tree
    for key in location:
        if isinstance(node, CommentedMap) and key in node and key in (node.lc.data or {}):
            line, column = node.lc.key(key)
        elif isinstance(node, CommentedSeq) and isinstance(key, int) and key < len(node):
            line, column = node.lc.item(key)
        else:
            break
        node = node[key]
    return line + 1, column + 1
