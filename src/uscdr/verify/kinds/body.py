"""What may be demanded of an answer's body. Bodies hold personal data: only numbers of them are ever told."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from uscdr.digits import whole
from uscdr.models.base import Fact
from uscdr.models.web import WebAnswer
from uscdr.verify.check import Bound, CheckSpec

Scalar = str | int | float | bool
Place = Annotated[str, Field(min_length=1)]
"""Names and numbers between dots, `*` for every item of a list; `$` is the whole."""


class JsonDemand(Fact):
    """What must be at a place of a JSON answer; a bare value in scenarios.yaml means `equals`."""

    equals: Scalar | None = None
    minimum: Bound | None = None
    maximum: Bound | None = None
    exists: bool | None = None
    """True: the field is there, and not null. False: it is not there."""
    filled: Literal[True] | None = None
    """The field is there and is neither null nor an empty text, list or object."""

    @model_validator(mode="after")
    def _demands(self) -> JsonDemand:
        bounds = (self.equals, self.minimum, self.maximum, self.filled)
        if self.exists is None and all(one is None for one in bounds):
            raise ValueError(
                "this demands nothing of the field: write the value that must be there, {filled: true}, "
                "{exists: true}, {minimum: N}, {maximum: N} or {exists: false}"
            )
        if self.exists is False and any(one is not None for one in bounds):
            raise ValueError("a field that must not be there has no value: write {exists: false} alone")
        return self

    @model_validator(mode="before")
    @classmethod
    def _bare(cls, value: Any) -> Any:  # noqa: ANN401 - what YAML holds
        return {"equals": value} if isinstance(value, str | int | float | bool) else value


class BodyCheck(CheckSpec):
    """What a check demands of a body."""

    contains: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()
    starts_with: str | None = None
    json_: dict[Place, JsonDemand] = Field(default_factory=dict, alias="json")
    """Path such as `results.0.id` -> what must be there."""
    min_bytes: Annotated[int, Field(ge=1)] | None = None
    max_bytes: Annotated[int, Field(ge=0)] | None = None


def wrong_body(answer: WebAnswer, spec: BodyCheck) -> str:
    """What is wrong with the body; empty when nothing is."""
    size = len(answer.body)
    missing = next((text for text in spec.contains if text.encode() not in answer.body), None)
    present = next((text for text in spec.lacks if text.encode() in answer.body), None)
    complaints = (
        (missing is not None, f"the page lacks “{missing}”"),
        (present is not None, f"the page has “{present}”"),
        (spec.starts_with is not None and not answer.body.startswith((spec.starts_with or "").encode()),
         f"does not begin with “{spec.starts_with}”"),
        (spec.min_bytes is not None and size < (spec.min_bytes or 0), f"only {size} bytes"),
        (spec.max_bytes is not None and size > (spec.max_bytes or 0), f"{size} bytes, more than {spec.max_bytes}"),
    )  # fmt: skip
    found = next((words for wrong, words in complaints if wrong), "")
    return found or next(filter(None, (_wrong_at(answer, *demand) for demand in spec.json_.items())), "")


def _wrong_at(answer: WebAnswer, path: str, demand: JsonDemand) -> str:
    found = list(values_at(answer, path))
    if demand.exists is False:
        return f"there is a JSON field “{path}”" if found else ""
    if not found:
        return f"no JSON field “{path}”"
    if (demand.exists and all(one is None for one in found)) or (demand.filled and not any(map(_filled, found))):
        return f"JSON “{path}” is empty"
    if demand.equals is not None and not any(_same(one, demand.equals) for one in found):
        return f"JSON “{path}” is {_shown(found[0])}, expected {demand.equals!r}"
    for bound, beyond in ((demand.minimum, -1), (demand.maximum, 1)):
        if bound is not None and not any(_number(one) and (one - bound) * beyond <= 0 for one in found):
            return f"JSON “{path}” is {_shown(found[0])}, expected at {'least' if beyond < 0 else 'most'} {bound:g}"
    return ""


def _same(one: object, wanted: Scalar) -> bool:
    return type(one) is type(wanted) and one == wanted


def _filled(value: object) -> bool:
    return value is not None and value not in ("", [], {})


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _shown(value: object) -> str:
    """A number or a boolean; of anything else only what it is."""
    return str(value).lower() if isinstance(value, int | float) else f"a {type(value).__name__}"


def parsed(answer: WebAnswer) -> object:
    """The JSON of the body; None when it is none."""
    try:
        return json.loads(answer.body)
    except (ValueError, RecursionError):
        return None


def values_at(answer: WebAnswer, path: str) -> Iterator[Any]:
    """Every value at `path`: names and numbers between dots, `*` for every item of a list; `$` is the whole."""
    found = [parsed(answer)]
    for part in path.split(".") if path != "$" else ():
        found = [below for one in found for below in _below(one, part)]
    yield from found


def _below(value: object, part: str) -> list[Any]:
    if isinstance(value, dict):
        return [value[part]] if part in value else []
    if isinstance(value, list):
        if part == "*":
            return value
        place = whole(part)
        return [] if place is None else value[place : place + 1]
    return []


def first_id(answer: WebAnswer, name: str) -> int | str | None:
    """What stands under `name` in the first item of a list, or of its `results`."""
    data = parsed(answer)
    items = data.get("results") if isinstance(data, dict) else data
    first = items[0] if isinstance(items, list) and items else None
    found = first.get(name) if isinstance(first, dict) else None
    return found if isinstance(found, int | str) else None


def link_in(answer: WebAnswer, pattern: str) -> str | None:
    """The path that the pattern's group finds in the page."""
    found = re.search(pattern, answer.body.decode(errors="replace"))
    return found.group(1) if found and found.groups() else None
