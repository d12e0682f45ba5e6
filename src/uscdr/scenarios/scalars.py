"""Which words of YAML 1.2 are switches, numbers, dates or nothing; all others are text."""

from __future__ import annotations

import re
from datetime import date, datetime
from types import NoneType
from typing import Any

from yaml import ScalarNode
from yaml.constructor import SafeConstructor

MERGE = "<<"
WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
}
"""`yes`, `no`, `on` and `off` are text: YAML 1.2 says so."""
NUMBER = frozenset("+-.0123456789")
"""How what is neither a word nor text begins."""
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
KINDS: dict[str, tuple[type, ...]] = {
    "bool": (bool,),
    "int": (int,),
    "float": (float, int),
    "null": (NoneType,),
}


class Unmakable(ValueError):
    """A scalar that looks like a value and is none; the text says so to a person."""


def value_of(text: str, *, plain: bool, kind: str | None = None) -> Any:  # noqa: ANN401 - a YAML scalar
    """What a scalar stands for: None, bool, int, float or str; dates and times are text in one spelling.

    `plain`: it stands without quotes. `kind`: of a tag such as `!!int`. Raises Unmakable.
    """
    if kind is None:
        return _plain(text) if plain else text
    if kind == "str":
        return text
    if kind not in KINDS:
        raise Unmakable("a tag (`!…`) has no meaning here; write plain values")
    value = _plain(text)
    if type(value) not in KINDS[kind]:
        raise Unmakable(f"this is no value of the kind `!!{kind}`")
    return float(value) if kind == "float" else value


def _plain(text: str) -> Any:  # noqa: ANN401 - a YAML scalar
    if text in WORDS:
        return WORDS[text]
    if text[0] not in NUMBER:
        return text
    try:
        return _number(text)
    except (ValueError, OverflowError):
        raise Unmakable("this begins as a number or a date and is none; if a text is meant, put it in quotes") from None


def _number(text: str) -> int | float | str:
    if FRACTION.fullmatch(text):
        return float(text.replace("_", ""))
    if ENDLESS.fullmatch(text):
        return float(text.replace(".", ""))
    if INTEGER.fullmatch(text):
        return _integer(text.replace("_", ""))
    return _moment(text) if MOMENT.fullmatch(text) else text


def _integer(text: str) -> int:
    """A leading zero alone makes no octal number."""
    base = {"0b": 2, "0o": 8, "0x": 16}.get(text.lstrip("+-")[:2])
    value = int(text, base) if base else int(text)
    str(value)  # of so many digits that nothing may show it: ValueError
    return value


def _moment(text: str) -> str:
    made: date = SafeConstructor().construct_yaml_timestamp(ScalarNode("", text))
    if not isinstance(made, datetime):
        return made.isoformat()
    return made.isoformat("T" if "t" in text.lower() else " ")
