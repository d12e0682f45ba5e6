"""Which fields of scenarios.yaml decide where requests, credentials, keys or code go to or come from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel


def _never(_value: Any) -> bool:  # noqa: ANN401 - of any field
    return False


@dataclass(frozen=True)
class Destination:
    """Marks such a field, as `Annotated[str, Destination()]`. Its default is the provider's own.

    `harmless` tells of another value that anybody may give.
    """

    harmless: Callable[[Any], bool] = _never


def is_directory(place: str | None) -> bool:
    """Whether a store is a directory of this machine: no credentials go there."""
    return place is None or "://" not in place


Location = tuple[str | int, ...]


def destinations(node: Any, at: Location = ()) -> Iterator[Location]:  # noqa: ANN401 - a model's values
    """Where in a model such a field has another value than its default; keys are spelt as in the file."""
    if isinstance(node, BaseModel):
        for name, field in type(node).model_fields.items():
            value, here = getattr(node, name), (*at, field.alias or name)
            mark = next((one for one in field.metadata if isinstance(one, Destination)), None)
            if mark is None:
                yield from destinations(value, here)
            elif value != field.get_default(call_default_factory=True) and not mark.harmless(value):
                yield here
    elif isinstance(node, Mapping):
        for key, value in node.items():
            yield from destinations(value, (*at, key))
    elif isinstance(node, tuple):
        for place, value in enumerate(node):
            yield from destinations(value, (*at, place))
