"""Reads fields from decoded JSON. A missing field or wrong type raises `ShapeError`, which names only the field."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Self, TypeVar
from urllib.parse import urlsplit

import httpx

from uscdr.models.base import is_ours
from uscdr.words import MOST, whole

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")
_ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)
"""As most services write a time."""


_EMPTY = (None, "")


class ShapeError(ValueError):
    """The body is not as documented. The text names fields and types, never values."""


class JsonObject(dict[str, object]):
    """A JSON object. Its readers raise `ShapeError` for a missing field or a wrong type."""

    @classmethod
    def of(cls, value: object) -> Self:
        """The decoded value, which must be an object."""
        if not isinstance(value, dict):
            raise ShapeError(f"expected an object, got {_kind(value)}")
        return cls(value)

    def text(self, name: str) -> str:
        """A required, non-empty string."""
        value = self.get(name)
        if not isinstance(value, str) or not value:
            raise self._missing(name)
        # JSON may contain a lone surrogate, which cannot be written to a file or screen.
        if not value.isascii() and any("\ud800" <= character <= "\udfff" for character in value):
            raise ShapeError(f"`{name}` is not valid text")
        return value

    def optional_text(self, name: str) -> str:
        """A string, or an empty one when it is absent or null."""
        return self.text(name) if self.get(name) not in _EMPTY else ""

    def web_address(self, name: str) -> str:
        """The required address of a page or file; the caller decides whether to request it."""
        value = self.text(name)
        try:
            host = urlsplit(value).hostname and httpx.URL(value).host
        except (ValueError, httpx.InvalidURL):
            host = ""
        if not host or not value.startswith(("https://", "http://")):
            raise ShapeError(f"`{name}` is not an address")
        return value

    def optional_web_address(self, name: str) -> str:
        """The address of a page or file, or an empty string when it is absent or null."""
        return "" if self.get(name) in (None, "") else self.web_address(name)

    def flag(self, name: str) -> bool:
        """A required boolean."""
        value = self.get(name)
        if not isinstance(value, bool):
            raise self._missing(name)
        return value

    def number(self, name: str) -> int:
        """A required whole number, as a number or as digits in a string."""
        value = self.get(name)
        if isinstance(value, str) and (found := whole(value)) is not None:
            return found
        if isinstance(value, bool) or not isinstance(value, int) or abs(value) >= MOST:
            raise self._missing(name)
        return value

    def optional_number(self, name: str) -> int | None:
        """A whole number, or None when it is absent or null."""
        return None if self.get(name) is None else self.number(name)

    def nested(self, name: str) -> JsonObject:
        """An object inside, or an empty one when it is absent or null."""
        value = self.get(name)
        return JsonObject() if value is None else JsonObject.of(value)

    def moment(self, name: str) -> datetime:
        """A required time, as an aware UTC datetime."""
        found = self.optional_moment(name)
        if found is None:
            raise ShapeError(f"`{name}` is missing or is not a time")
        return found

    def optional_moment(self, name: str) -> datetime | None:
        """A time, or None when it is absent, null or unreadable."""
        value = self.get(name)
        return _parse_moment(value) if isinstance(value, str) else None

    def _missing(self, name: str) -> ShapeError:
        return ShapeError(f"`{name}` is missing or is {_kind(self.get(name))}")


def items(value: object, decode: Callable[[object], T]) -> tuple[T, ...]:
    """A JSON array, each item decoded."""
    if not isinstance(value, list):
        raise ShapeError(f"expected a list, got {_kind(value)}")
    return tuple(decode(item) for item in value)


def about(ref: str, decode: Callable[[object], T], called: Callable[[T], tuple[object, ...]]) -> Callable[[object], T]:
    """The same decoder, which refuses an answer about anything other than `ref`."""

    def checked(body: object) -> T:
        found = decode(body)
        if ref.casefold() not in (str(name).casefold() for name in called(found)):
            raise ShapeError("it is about another object than the requested one")
        return found

    return checked


def distinct(value: object) -> object:
    """The list without repeated ids; any other value unchanged."""
    if not isinstance(value, list):
        return value
    seen: dict[str, object] = {}
    kept = []
    for item in value:
        name = (item.get("uuid") or item.get("id")) if isinstance(item, dict) else None
        if isinstance(name, str):
            if seen.get(name) == item:
                continue
            seen[name] = item
        kept.append(item)
    return kept


def _parse_moment(value: str) -> datetime | None:
    """ISO 8601 or `2026-11-23 09:33:54 +0000`, as aware UTC; None when malformed or implausible."""
    try:
        found = datetime.fromisoformat(value if _ISO.fullmatch(value) else _compact(value))
        at = found.replace(tzinfo=found.tzinfo or UTC).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return at if is_ours(at) else None


def _compact(value: str) -> str:
    """The time without what ISO 8601 does not know."""
    return re.sub(r"\s+(?=[+-]\d\d:?\d\d$)", "", re.sub(r"\s*(UTC|GMT)$", "+00:00", value.strip()))


def _kind(value: object) -> str:
    names = {dict: "an object", list: "a list", str: "text", bool: "a boolean", int: "a number", float: "a number"}
    return "nothing" if value is None else names.get(type(value), "something else")
