"""Contextual metadata in the service's own notation: `k=v|k2=v2`, with `=` and `|` escaped by a backslash."""

from __future__ import annotations

import re

_PAIR = re.compile(r"((?:\\.|[^=|\\])+)=((?:\\.|[^|\\])*)")


def parse(text: str) -> dict[str, str]:
    """The pairs."""
    return {_plain(key): _plain(value) for key, value in _PAIR.findall(text)}


def _plain(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text)


def words(text: str) -> list[str]:
    """A comma-separated list, each word once, in order."""
    return list(dict.fromkeys(word.strip() for word in text.split(",") if word.strip()))
