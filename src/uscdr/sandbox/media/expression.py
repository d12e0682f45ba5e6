"""Search expressions: `field:value`, `field=value`, comparisons, AND, OR, NOT, parentheses, and bare words."""

from __future__ import annotations

import fnmatch
import operator
import re
from collections.abc import Callable, Mapping
from typing import Any

from uscdr.sandbox.media.errors import bad
from uscdr.words import whole

Fields = Mapping[str, Any]
Predicate = Callable[[Fields], bool]
_TOKEN = re.compile(
    r"\s*(?:(?P<open>\()|(?P<close>\))|(?P<term>[\w.]+)\s*(?P<op>>=|<=|>|<|:|=)\s*(?P<group>\()?"
    r"|(?P<quoted>\"(?:\\.|[^\"])*\")|(?P<word>[^\s()]+))"
)
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    ">": operator.gt,
    "<": operator.lt,
    ">=": operator.ge,
    "<=": operator.le,
}


def parse(text: str, known: frozenset[str]) -> Predicate:
    """A test of one row's fields. Raises 400 for an expression or a field that is not understood."""
    tokens = [match for match in _TOKEN.finditer(text.strip()) if match.group(0).strip()]
    if "".join(one.group(0) for one in tokens).strip() != text.strip():
        raise bad(f"Invalid expression: {text}")
    reader = _Reader(tokens, known, text)
    return reader.whole()


class _Reader:
    def __init__(self, tokens: list[re.Match[str]], known: frozenset[str], text: str) -> None:
        self._tokens, self._known, self._text, self._at = tokens, known, text, 0

    def whole(self) -> Predicate:
        if not self._tokens:
            return lambda _row: True
        found = self._any()
        if self._at < len(self._tokens):
            raise bad(f"Invalid expression: {self._text}")
        return found

    def _peek(self) -> str:
        return self._tokens[self._at].group(0).strip() if self._at < len(self._tokens) else ""

    def _next(self) -> re.Match[str]:
        if self._at >= len(self._tokens):
            raise bad(f"Invalid expression: {self._text}")
        self._at += 1
        return self._tokens[self._at - 1]

    def _any(self) -> Predicate:
        options = [self._all()]
        while self._peek() in ("OR", "||"):
            self._next()
            options.append(self._all())
        return options[0] if len(options) == 1 else lambda row: any(one(row) for one in options)

    def _all(self) -> Predicate:
        conditions = [self._one()]
        while self._peek() not in ("", ")", "OR", "||"):
            if self._peek() in ("AND", "&&"):
                self._next()
            conditions.append(self._one())
        return conditions[0] if len(conditions) == 1 else lambda row: all(one(row) for one in conditions)

    def _one(self) -> Predicate:
        token = self._next()
        text = token.group(0).strip()
        if text in ("NOT", "!"):
            denied = self._one()
            return lambda row: not denied(row)
        if token.group("open"):
            inner = self._any()
            self._close()
            return inner
        if token.group("close"):
            raise bad(f"Invalid expression: {self._text}")
        return self._field(token) if token.group("term") else _word(_unquoted(text))

    def _close(self) -> None:
        if not self._next().group("close"):
            raise bad(f"Invalid expression: {self._text}")

    def _field(self, token: re.Match[str]) -> Predicate:
        name, sign = token.group("term"), token.group("op")
        if name not in self._known and name.partition(".")[0] not in ("context", "metadata"):
            raise bad(f"Unknown field {name} in the expression.")
        if not token.group("group"):
            return _matches(name, sign, _unquoted(self._next().group(0).strip()))
        options = []
        while not (value := self._next()).group("close"):
            if value.group(0).strip() != "OR":
                options.append(_matches(name, sign, _unquoted(value.group(0).strip())))
        return lambda row: any(one(row) for one in options)


def _like(value: Any, pattern: str) -> bool:  # noqa: ANN401 - any JSON scalar
    return fnmatch.fnmatchcase(str(value), pattern.replace("[", "[[]"))


def _unquoted(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text[1:-1]) if text.startswith('"') else text


def _word(text: str) -> Predicate:
    pattern = text if "*" in text else f"*{text}*"
    return lambda row: any(_like(one, pattern) for one in (row.get("public_id"), *row["tags"]))


def _matches(name: str, sign: str, text: str) -> Predicate:
    if sign in _COMPARE:
        compare = _COMPARE[sign]
        number = whole(text)
        wanted = text if number is None else number
        return lambda row: compare(type(wanted)(row[name]), wanted)
    if name in ("folder", "asset_folder") and text.endswith("/*"):
        top = text.removesuffix("/*")
        return lambda row: row[name] == top or str(row[name]).startswith(f"{top}/")

    def equal(row: Fields) -> bool:
        values = row.get(name)
        several = values if isinstance(values, list | tuple) else [values]
        return any(_like(one, text) for one in several)

    return equal
