"""Answers that are whole and say what is not so: each a change of the body that the application gave."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

_COUNT = itertools.count(1)
_IDS = ("uuid", "id", "public_id")


class Memory:
    """What has been answered before: another thing's answer is taken from here."""

    def __init__(self) -> None:
        self._seen: list[dict[str, Any]] = []

    def keep(self, body: bytes) -> None:
        """Remember each object that has an id."""
        found = _decoded(body)
        for one in found if isinstance(found, list) else [found]:
            if isinstance(one, dict) and _id(one):
                self._seen = [*(old for old in self._seen if _id(old) != _id(one)), one][-200:]

    def another(self, body: bytes) -> bytes:
        """The oldest object of the same kind but for that one; the body itself when there is none."""
        own = _decoded(body)
        if not isinstance(own, dict):
            return body
        alike = (one for one in self._seen if _id(one) != _id(own) and ("uuid" in one) == ("uuid" in own))
        return json.dumps(next(alike, own)).encode()


def wrong_types(body: bytes) -> bytes:
    """JSON of the same shape in which numbers are text, text is numbers and lists are objects."""
    return json.dumps(_turned(json.loads(body or b"null"))).encode()


def lagging(body: bytes, seconds: float) -> bytes:
    """A list without what was made in the last seconds."""
    found = _decoded(body)
    if not isinstance(found, list):
        return body
    until = datetime.now(UTC) - timedelta(seconds=seconds)
    return json.dumps([one for one in found if _made(one) <= until]).encode()


def twice_listed(body: bytes) -> bytes:
    """A list with each entry twice."""
    found = _decoded(body)
    return json.dumps([one for one in found for _ in range(2)]).encode() if isinstance(found, list) else body


def untold(body: bytes) -> bytes:
    """What has ended, without how."""
    return _each(body, lambda one: one | {"succeeded": None} if one.get("finished_at") else one)


def backwards(body: bytes) -> bytes:
    """What has ended is under way again, with less done."""

    def back(one: dict[str, Any]) -> dict[str, Any]:
        return one | {"finished_at": None, "succeeded": None, "processed_bytes": 1} if one.get("finished_at") else one

    return _each(body, back)


def endless(body: bytes) -> tuple[bytes, dict[str, str]]:
    """A list that names another page each time."""
    number = next(_COUNT)
    found = _decoded(body)
    if isinstance(found, dict):
        if "result_info" in found:
            found["result_info"] = {**found["result_info"], "total_pages": 10**9}
        else:
            found["next_cursor"] = f"cursor-{number}"
        body = json.dumps(found).encode()
    return body, {"next-range": f"id ]{number:012d}..; max=200"}


CHANGES: dict[str, Callable[[bytes], bytes]] = {
    "wrong-types": wrong_types,
    "listed-twice": twice_listed,
    "untold": untold,
    "backwards": backwards,
}


def _each(body: bytes, change: Callable[[dict[str, Any]], dict[str, Any]]) -> bytes:
    found = _decoded(body)
    if isinstance(found, dict):
        return json.dumps(change(found)).encode()
    if isinstance(found, list):
        return json.dumps([change(one) if isinstance(one, dict) else one for one in found]).encode()
    return body


def _decoded(body: bytes) -> Any:  # noqa: ANN401 - any JSON value
    try:
        return json.loads(body or b"null")
    except ValueError:
        return None


def _id(one: dict[str, Any]) -> str:
    return next((str(one[name]) for name in _IDS if one.get(name)), "")


def _made(one: object) -> datetime:
    told = one.get("created_at") if isinstance(one, dict) else None
    try:
        return datetime.fromisoformat(str(told).replace(" +0000", "+00:00")).astimezone(UTC)
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)


def _turned(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    if isinstance(value, dict):
        return {key: _turned(one) for key, one in value.items()}
    if isinstance(value, list):
        return {"items": [_turned(one) for one in value]}
    if isinstance(value, bool) or value is None:
        return "maybe"
    return [value] if isinstance(value, str) else str(value)
