"""Read YAML text as plain data with line numbers. Every error has a file, a line and a column."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field
from datetime import date, datetime
from types import NoneType
from typing import TYPE_CHECKING, Any, NoReturn

import yaml
from yaml import ScalarNode
from yaml.constructor import SafeConstructor

from uscdr.errors import ConfigError, ConfigFault
from uscdr.files import whole

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

# Which scalars of YAML 1.2 are booleans, numbers, dates or null; all others are text.


MERGE = "<<"
WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
}
"""`yes`, `no`, `on` and `off` are text: YAML 1.2 says so."""
NUMBER = frozenset("+-.0123456789")
"""First characters of a scalar that may be a number or a date."""
INTEGER = re.compile(r"([-+]?)(?:0b([01_]+)|0o?([0-7_]+)|([0-9_]+)|0x([0-9a-fA-F_]+))")
OCTAL = re.compile(r"[-+]?0o")
FRACTION = re.compile(
    r"[-+]?[0-9][0-9_]*\.[0-9_]*(?:[eE][-+]?[0-9]+)?|[-+]?[0-9][0-9_]*[eE][-+]?[0-9]+|[-+]?\.[0-9_]+(?:[eE][-+][0-9]+)?"
)
ENDLESS = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
MOMENT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt]|[ \t]+)[0-9]{1,2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]*)?"
    r"(?:[ \t]*(?:Z|[-+][0-9]{1,2}(?::[0-9]{2})?))?"
)
KINDS: dict[str, tuple[type, ...]] = {"bool": (bool,), "int": (int,), "float": (float, int), "null": (NoneType,)}


class _Unmakable(ValueError):
    """A scalar that looks like a value but is not valid; the text is for a person."""


def _value_of(text: str, *, plain: bool, kind: str | None = None) -> Any:  # noqa: ANN401 - a YAML scalar
    """The value of a scalar: None, bool, int, float or str; dates and times become text in one format.

    `plain`: it has no quotes. `kind`: from a tag such as `!!int`. Raises _Unmakable.
    """
    if kind is None:
        return _plain(text) if plain else text
    if kind == "str":
        return text
    if kind not in KINDS:
        raise _Unmakable("tags (`!…`) are not supported; write plain values")
    value = _plain(text)
    if type(value) not in KINDS[kind]:
        raise _Unmakable(f"this is not a value of type `!!{kind}`")
    return float(value) if kind == "float" else value


def _plain(text: str) -> Any:  # noqa: ANN401 - a YAML scalar
    if text in WORDS:
        return WORDS[text]
    if text[0] not in NUMBER:
        return text
    try:
        return _number(text)
    except (ValueError, OverflowError):
        raise _Unmakable("this looks like a number or a date but is not one; put text in quotes") from None


def _number(text: str) -> int | float | str:
    if FRACTION.fullmatch(text):
        return float(text.replace("_", ""))
    if ENDLESS.fullmatch(text):
        return float(text.replace(".", ""))
    if INTEGER.fullmatch(text):
        return _integer(text.replace("_", ""))
    return _moment(text) if MOMENT.fullmatch(text) else text


def _integer(text: str) -> int:
    """A leading zero alone does not make the number octal."""
    base = {"0b": 2, "0o": 8, "0x": 16}.get(text.lstrip("+-")[:2])
    value = int(text, base) if base else int(text)
    str(value)  # ValueError for too many digits to show
    return value


def _moment(text: str) -> str:
    made: date = SafeConstructor().construct_yaml_timestamp(ScalarNode("", text))
    if not isinstance(made, datetime):
        return made.isoformat()
    return made.isoformat("T" if "t" in text.lower() else " ")


MOST_BYTES = 400_000
MOST_VALUES = 20_000
"""Keys and values with every alias expanded: a few lines of aliases can expand to more than fits in memory."""
DEEPEST = 40
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")
"""Control characters from escapes; line feeds and tabs are allowed, since a query may have them."""
NO_TEXT = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffe\uffff]")
"""Not allowed in the text. The parser would take three more characters as line breaks that editors do not show."""
UNSEEN_BREAKS = "\x85\u2028\u2029"
TAG = "tag:yaml.org,2002:"
PARSER: type[Any] = yaml.CBaseLoader if yaml.__with_libyaml__ else yaml.BaseLoader
At = tuple[int, int]
"""Line and column, from one."""


@dataclass(slots=True)
class Placed:
    """A value of the file: as plain data, its position, and its parts by key or number."""

    at: At
    value: Any = None
    size: int = 1
    """How many values it has, and how deeply nested they are; an alias counts as what it stands for."""
    depth: int = 1
    parts: dict[str | int, Placed] = field(default_factory=dict)
    keys: dict[str | int, At] = field(default_factory=dict)
    """Positions of its keys or items; for merged keys, the position in the merged mapping."""
    merges: bool = False
    """Whether it is an unquoted `<<`."""

    def position(self, location: Sequence[str | int]) -> At:
        """Line and column, from one, of the deepest part of `location` that exists in the tree."""
        at, part = (1, 1), self
        for key in location:
            if key not in part.parts:
                break
            at, part = part.keys[key], part.parts[key]
        return at


def content(path: Path) -> bytes:
    """The file's bytes. Raises ConfigError; reads at most the allowed size, even from an endless file."""
    try:
        return whole(path, MOST_BYTES)
    except OSError as error:
        raise ConfigError(
            f"{path}: cannot be read: {error.strerror}.", next_action="Name a readable file with --config."
        ) from error


def parse(path: Path, data: bytes) -> Placed:
    """The whole file: a mapping whose keys are text, with aliases and merges expanded. Raises ConfigError."""
    text = _text(path, data)
    try:
        return _Reader(text).document()
    except _Wrong as wrong:
        _refuse(path, wrong.at, wrong.words)


def _text(path: Path, data: bytes) -> str:
    try:
        text = data.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        _refuse(path, _position(data[: error.start].decode("utf-8")), "this is not UTF-8")
    if odd := NO_TEXT.search(text):
        hidden = "this is a line break that editors do not show" if odd[0] in UNSEEN_BREAKS else ""
        _refuse(path, _position(text[: odd.start()]), hidden or "this character is not allowed in YAML")
    return text


def _position(before: str) -> At:
    """Line and column of the text after `before`."""
    return before.count("\n") + 1, len(before) - before.rfind("\n")


def _refuse(path: Path, where: At, what: str) -> NoReturn:
    check = f"uscdr config check {shlex.quote(str(path))}"
    fault = ConfigFault(str(path), *where, f"{what}.", f"Fix that line, then: {check}")
    raise ConfigError(str(fault), next_action=fault.advice, faults=(fault,))


class _Wrong(Exception):
    """An error and its position."""

    def __init__(self, at: At, words: str) -> None:
        super().__init__(words)
        self.at, self.words = at, words


def _at(event: Any) -> At:  # noqa: ANN401 - of one of two parsers
    mark = event.start_mark
    return mark.line + 1, mark.column + 1


class _Reader:
    """Builds values from the parser's events, and stops at once when they are too many or too deep."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._parser = PARSER(text)
        self._anchors: dict[str, Placed | None] = {}
        """None while the anchored value is incomplete."""
        self._made = 0
        self._last: Any = None
        """The last event that was read."""

    def document(self) -> Placed:
        """The only document of the text. Raises _Wrong."""
        self._next()
        event = self._next()
        if isinstance(event, yaml.StreamEndEvent):
            raise _Wrong((1, 1), _NO_MAPPING)
        if getattr(event, "version", None) not in (None, (1, 2)):
            raise _Wrong(_at(event), "this file is always read as YAML 1.2; remove this line")
        event = self._next()
        top = self._part(event, _at(event), 1)
        self._next()
        event = self._next()
        if not isinstance(event, yaml.StreamEndEvent):
            raise _Wrong(_at(event), "a second document begins here; the file must have only one")
        if not isinstance(top.value, dict):
            raise _Wrong((1, 1), _NO_MAPPING)
        return top

    def _next(self) -> Any:  # noqa: ANN401 - of one of two parsers
        try:
            event = self._parser.get_event()
        except yaml.MarkedYAMLError as error:
            begun = any(part in str(error.problem) for part in WITHOUT_END)
            mark = (error.context_mark if begun else error.problem_mark) or error.problem_mark or error.context_mark
            at = (mark.line + 1, mark.column + 1) if mark else self._here()
            raise _Wrong(at, _in_words(error, self._character(at))) from None
        except (yaml.YAMLError, ValueError, OverflowError):  # such as an escape beyond Unicode
            raise _Wrong(self._here(), "the parser cannot read what follows") from None
        self._last = event
        return event

    def _here(self) -> At:
        return (1, 1) if self._last is None else _at(self._last)

    def _character(self, at: At) -> str:
        """The character there; empty at the end of a line."""
        lines = self._text.splitlines()
        line = lines[at[0] - 1] if at[0] <= len(lines) else ""
        return line[at[1] - 1 : at[1]]

    def _count(self, more: int, at: At) -> None:
        self._made += more
        if self._made > MOST_VALUES:
            raise _Wrong(
                at, f"there are more than {MOST_VALUES:,} values (an alias counts as everything that it stands for)"
            )

    def _part(self, event: Any, at: At, depth: int) -> Placed:  # noqa: ANN401 - of one of two parsers
        self._count(1, at)
        if depth > DEEPEST:
            raise _Wrong(at, "it is nested too deeply")
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event.anchor, at, depth)
        if event.anchor is not None:
            self._anchors[event.anchor] = None
        before = self._made
        part = self._made_of(event, at, depth)
        if part.parts:
            part.size = self._made - before + 1
            part.depth = 1 + max([one.depth for one in part.parts.values()])
        if event.anchor is not None:
            self._anchors[event.anchor] = part
        return part

    def _alias(self, name: str, at: At, depth: int) -> Placed:
        if name not in self._anchors:
            raise _Wrong(at, f"`*{name}` is not defined: no `&{name}` comes before it")
        part = self._anchors[name]
        if part is None:
            raise _Wrong(at, f"`*{name}` is inside `&{name}`: an alias must not contain itself")
        self._count(part.size, at)
        if depth + part.depth - 1 > DEEPEST:
            raise _Wrong(at, f"it is nested too deeply when `*{name}` is expanded")
        return part

    def _made_of(self, event: Any, at: At, depth: int) -> Placed:  # noqa: ANN401 - of one of two parsers
        if isinstance(event, yaml.ScalarEvent):
            return _scalar(event, at)
        listed = isinstance(event, yaml.SequenceStartEvent)
        if event.tag not in (None, "!", f"{TAG}{'seq' if listed else 'map'}"):
            raise _Wrong(at, _TAG)
        return self._sequence(at, depth) if listed else self._mapping(at, depth)

    def _sequence(self, at: At, depth: int) -> Placed:
        made = Placed(at, [])
        while not isinstance(event := self._next(), yaml.SequenceEndEvent):
            where, number = _at(event), len(made.value)
            item = self._part(event, where, depth + 1)
            made.value.append(item.value)
            made.parts[number], made.keys[number] = item, where
        return made

    def _mapping(self, at: At, depth: int) -> Placed:
        made, merged = Placed(at, {}), list[Placed]()
        while not isinstance(event := self._next(), yaml.MappingEndEvent):
            where = _at(event)
            key = self._part(event, where, depth + 1)
            event = self._next()
            value = self._part(event, _at(event), depth + 1)
            name = _key(key, where)
            if name in made.value or (key.merges and merged):
                raise _Wrong(where, "this key is used twice in the same mapping")
            if key.merges:
                merged = _merged(value)
            else:
                made.value[name], made.parts[name], made.keys[name] = value.value, value, where
        for one in merged:
            for key_, part in one.parts.items():
                if key_ not in made.value:
                    made.value[key_], made.parts[key_], made.keys[key_] = part.value, part, one.keys[key_]
        return made


_NO_MAPPING = "the file must be a mapping that begins with `version: 1`"
_HERE = "this does not fit the lines above; check the indentation, and look for an unclosed bracket or quote"
_ESCAPE = r'this escape is not valid in "…"; write a backslash as \\, or the text in single quotes'
_NAME = "after `&` or `*` write a name of letters, digits, `-` and `_`"
_BLOCK = "after `|` or `>` the text begins on the next line"
_TAG = "tags (`!…`) are not supported; write plain values"
_PERCENT = "a line must not begin with `%`; put text in quotes"
FAULTS: tuple[tuple[str, str], ...] = (
    (
        "expected ',' or ']'",
        "the list in brackets that begins on line {line} is not closed here, or a comma is missing",
    ),
    (
        "expected ',' or '}'",
        "the mapping in braces that begins on line {line} is not closed here, or a comma is missing",
    ),
    ("nesting depth", "it is nested too deeply"),
    ("mapping values are not allowed", "a `:` is not allowed here; check the indentation, or put the text in quotes"),
    ("sequence entries are not allowed", "a `- ` is not allowed here; write each item of a list on its own line"),
    ("mapping keys are not allowed", "a `? ` is not allowed here; put the text in quotes"),
    ("expected ':'", "this key has no `:` with a space after it"),
    ("unexpected end of stream", "the quoted text that begins here is not closed"),
    ("document indicator", "the quoted text that begins here is not closed"),
    ("document separator", "the quoted text that begins here is not closed"),
    ("escape", _ESCAPE),
    ("hexadecimal", _ESCAPE),
    ("hexdecimal", _ESCAPE),
    ("comment or a line break", _BLOCK),
    ("comment or line break", _BLOCK),
    ("chomping or indentation", _BLOCK),
    ("indentation indicator", "after `|` or `>` write 1 to 9, not 0"),
    ("tab character", "a tab is not allowed here; indent with spaces"),
    ("tag", _TAG),
    ("YAML d", "this line does not name a version of YAML; remove it"),
    ("directive", _PERCENT),
    ("node content", "a value is missing before this"),
    ("block end", _HERE),
    ("expected key", _HERE),
    ("'-' indicator", _HERE),
    ("document start", _HERE),
)
"""A part of either parser's message, and what a person is told; the first match counts."""


WITHOUT_END = ("expected ':'", "unexpected end of stream", "document indicator", "document separator")
"""For these errors a person looks for the beginning."""


def _in_words(error: yaml.MarkedYAMLError, character: str) -> str:
    problem = str(error.problem or error.context or "")
    if "cannot start any token" in problem:
        problem = "tab character" if character == "\t" else ""
        if not problem:
            return f"text must not begin with “{character}”; put it in quotes"
    if "alphabetic" in problem:
        return _NAME if any(one in str(error.context) for one in ("anchor", "alias")) else _PERCENT
    words = next((words for part, words in FAULTS if part in problem), " ".join(problem.split()) or "this is not YAML")
    return words.replace("{line}", str(error.context_mark.line + 1 if error.context_mark else 1))


def _key(key: Placed, at: At) -> str:
    if isinstance(key.value, dict | list):
        raise _Wrong(at, "a key must be text, not a list or a mapping")
    return str(key.value)


def _merged(value: Placed) -> list[Placed]:
    """The mappings that a `<<` merges."""
    found = list(value.parts.values()) if isinstance(value.value, list) else [value]
    for one in found:
        if not isinstance(one.value, dict):
            raise _Wrong(one.at, "after `<<:` write a mapping, or a list of mappings, to merge")
    return found


def _scalar(event: Any, at: At) -> Placed:  # noqa: ANN401 - of one of two parsers
    plain = not event.style and event.implicit[0]
    tag = None if event.tag in (None, "!") else event.tag
    if tag == f"{TAG}binary":
        raise _Wrong(at, "this is binary data; write plain text")
    if tag is not None and not tag.startswith(TAG):
        raise _Wrong(at, _TAG)
    try:
        value = _value_of(event.value, plain=plain, kind=tag and tag.removeprefix(TAG))
    except _Unmakable as error:
        raise _Wrong(at, str(error)) from None
    if isinstance(value, str) and CONTROL.search(value):
        raise _Wrong(at, "this text contains a control character")
    return Placed(at, value, merges=plain and tag is None and event.value == MERGE)
