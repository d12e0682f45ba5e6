"""List pagination by `Range` and `Next-Range`, tolerant as the provider's."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from uscdr.sandbox.web.errors import ApiError
from uscdr.words import whole

DEFAULT_PAGE, LARGEST_PAGE = 200, 1000
SAME_AS = {"started_at": "created_at"}
"""Builds are listed by their start, which is not among their fields."""
_RANGE = re.compile(r"^(?P<attribute>[a-z_]+)\s*(?P<after>\]?)(?P<start>[^;,]*?)\s*\.\.\s*(?P<end>[^;,\s]*)")


@dataclass(frozen=True)
class Window:
    """A parsed `Range` header. `start` is exclusive when `after` is set."""

    attribute: str = "id"
    start: str = ""
    after: bool = False
    end: str = ""
    limit: int = DEFAULT_PAGE
    descending: bool = False


@dataclass(frozen=True)
class Page:
    """One page of a list with the headers that belong to it."""

    items: list[dict[str, Any]]
    status: int
    headers: dict[str, str]


def parse(header: str | None) -> Window:
    """Read a header. Raises 416 when it cannot be understood."""
    if not header or not header.strip():
        return Window()
    found = _RANGE.match(header.strip())
    if not found:
        raise ApiError(416, "requested_range_not_satisfiable", "Range header could not be understood.")
    options = header[found.end() :]
    limit = re.search(r"max\s*=\s*(\d+)", options)
    order = re.search(r"order\s*=\s*(asc|desc)", options)
    size = int(limit.group(1)) if limit else DEFAULT_PAGE
    return Window(
        attribute=SAME_AS.get(found["attribute"], found["attribute"]),
        start=found["start"],
        after=bool(found["after"]),
        end=found["end"],
        limit=max(1, min(size, LARGEST_PAGE)),
        descending=bool(order and order.group(1) == "desc"),
    )


def _position(items: Sequence[dict[str, Any]], window: Window) -> int:
    if not window.start:
        return 0
    for index, item in enumerate(items):
        if str(item.get(window.attribute)) == window.start:
            return index + window.after
    return len(items) if window.attribute == "id" else _insertion(items, window)


def _insertion(items: Sequence[dict[str, Any]], window: Window) -> int:
    key = _comparable(window.start)
    for index, item in enumerate(items):
        value = _comparable(item[window.attribute])
        if (value <= key) if window.descending else (value >= key):
            return index
    return len(items)


def _within(item: dict[str, Any], window: Window) -> bool:
    value, end = _comparable(item[window.attribute]), _comparable(window.end)
    return value >= end if window.descending else value <= end


def _comparable(value: Any) -> tuple[int, str]:  # noqa: ANN401 - any JSON scalar
    text = str(value)
    number = whole(text)
    return (0, text) if number is None else (number, "")


def paginate(items: Sequence[dict[str, Any]], header: str | None) -> Page:
    """Cut one page; 206 with `Next-Range` while more remains. `id` keeps the order of creation."""
    window = parse(header)
    attributes = [key for key, value in items[0].items() if not isinstance(value, dict | list)] if items else []
    if items and window.attribute not in {*attributes, "id"}:
        raise ApiError(416, "requested_range_not_satisfiable", f"Cannot range over {window.attribute}.")
    ordered = list(items)
    if window.attribute != "id":
        ordered.sort(key=lambda item: _comparable(item[window.attribute]))
    if window.descending:
        ordered.reverse()
    start = _position(ordered, window)
    if window.end:
        ordered = [*ordered[:start], *(one for one in ordered[start:] if _within(one, window))]
    page = ordered[start : start + window.limit]
    headers = {"Accept-Ranges": ", ".join(a for a in attributes if a in {"id", "name", "version", "created_at"})}
    if page:
        first, last = page[0][window.attribute], page[-1][window.attribute]
        headers["Content-Range"] = f"{window.attribute} {first}..{last}"
    if start + window.limit >= len(ordered):
        return Page(page, 200, headers)
    order = ", order=desc" if window.descending else ""
    headers["Next-Range"] = f"{window.attribute} ]{page[-1][window.attribute]}..{window.end}; max={window.limit}{order}"
    return Page(page, 206, headers)
