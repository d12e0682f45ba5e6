"""Which writes the providers received that no line of the plan announced."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from typing import Any

from uscdr.models.events import Call

HOLE = re.compile(r"…|\{[a-z]+\}")
"""What a plan leaves open: an id that is only known later, a resource type."""
BLOB = "/source-blobs/"
"""Where `POST /sources` says that the archive goes."""
DNS, HEROKU = "dns", "heroku"
ACCEPTED = 400


def of(writes: Iterable[dict[str, Any]], method: str, path: str) -> list[dict[str, Any]]:
    """Those of that method whose path fits the pattern and that the provider accepted."""
    return [one for one in writes if one["method"] == method and fnmatchcase(one["path"], path) and _accepted(one)]


def _accepted(write: dict[str, Any]) -> bool:
    return bool(write["status"] < ACCEPTED)


def planned_calls(events: Iterable[dict[str, Any]]) -> tuple[Call, ...]:
    """Every call that the plans of a journal show."""
    plans = (event for event in events if event["kind"] == "plan.ready")
    return tuple(Call.model_validate(call) for plan in plans for step in plan["steps"] for call in step["calls"])


def beyond(writes: Iterable[dict[str, Any]], planned: Sequence[Call]) -> tuple[str, ...]:
    """`provider METHOD path` of every write that fits no planned call."""
    announced = [call for call in planned if call.writes]
    strange = [one for one in writes if not any(_fits(one, call) for call in announced)]
    return tuple(dict.fromkeys(f"{one['provider']} {one['method']} {one['path']}" for one in strange))


def _fits(write: dict[str, Any], call: Call) -> bool:
    if write["provider"] != call.provider:
        return False
    if call.provider == DNS:  # a plan names records, a server is sent messages
        return True
    method, _, rest = call.request.partition(" ")
    path = HOLE.sub("*", rest.partition(" ")[0])
    if path == "/sources" and write["method"] == "PUT" and write["path"].startswith(BLOB):
        return True
    # the media service's paths begin with its version and the cloud
    return bool(write["method"] == method) and fnmatchcase(
        write["path"], path if call.provider == "heroku" else f"*{path}"
    )
