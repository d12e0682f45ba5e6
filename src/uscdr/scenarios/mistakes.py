"""What is wrong in scenarios.yaml, in words, with file, line and column, and what is allowed there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, NoReturn, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from uscdr.errors import ConfigError
from uscdr.scenarios.tree import Placed, place

Location = tuple[str | int, ...]
ALTERNATIVE = "literal["
"""How pydantic names one of several forms in a location; it stands in no file."""
KEY = "[key]"
"""How pydantic says that a mapping's key is meant, not its value."""


@dataclass(frozen=True)
class Invalid:
    """One complaint of pydantic about what stands at `at`, which is of this model."""

    at: Location
    detail: ErrorDetails
    model: type[BaseModel]

    @property
    def location(self) -> Location:
        """Where in the file."""
        return (*self.at, *self.detail["loc"])

    def __str__(self) -> str:
        """In words, with the allowed fields for an unknown one."""
        location = ".".join(str(part) for part in self.location if not str(part).startswith(ALTERNATIVE))
        kind, key = self.detail["type"], self.location[-1] == KEY
        if kind == "extra_forbidden":
            allowed = ", ".join(_fields_at(self.model, self.detail["loc"][:-1])) or "nothing, it has no parameters"
            return f"`{self.detail['loc'][-1]}` is not known here; allowed: {allowed}"
        known = {
            "string_pattern_mismatch": f"`{location}` has another form than is allowed here",
            "missing": f"`{location}` is missing",
            "too_short": f"`{location}` needs at least one entry",
            "string_too_short": f"`{location}` is empty: write what it shall be",
        }
        message = self.detail["msg"].removeprefix("Value error, ")
        if kind == "string_too_short" and key:
            return "a name is empty: write what it shall be"
        if kind == "literal_error" and key:
            return f"`{self.location[-2]}` is not known here; allowed: {self.detail['ctx']['expected']}"
        if key or kind in known:
            return message if key else known[kind]
        wanted = message.removeprefix("Input should be ").replace("a valid tuple", "a list")
        if wanted != message:
            return f"`{location}` should be {wanted.replace('a valid mapping', 'a valid dictionary')}"
        return f"`{location}`: {message}"


def complaints(error: ValidationError, model: type[BaseModel], at: Location = ()) -> list[Invalid]:
    """All that pydantic says of a value of `model` that stands at `at`."""
    return [Invalid(at, detail, model) for detail in error.errors(include_url=False)]


@dataclass(frozen=True)
class Source:
    """A file as it was read."""

    path: Path
    tree: Placed

    def wrong(self, at: Sequence[str | int], words: str, next_action: str = "") -> ConfigError:
        """The error that says it, with its place."""
        return ConfigError(f"{place(self.path, self.tree, at)}: {words}", next_action=next_action)

    def refuse(self, found: Sequence[Invalid]) -> NoReturn:
        """Say the first of it, and how many others there are."""
        # an unknown key is usually the reason why another is missing
        first = next((one for one in found if one.detail["type"] == "extra_forbidden"), found[0])
        more = f" ({len(found) - 1} more errors)" if len(found) > 1 else ""
        raise self.wrong(
            first.location,
            f"{first}{more}.",
            f"Mend it; the packaged file shows every field: uscdr runbook, or {self.path.name} in the sources.",
        ) from None


def _fields_at(model: type[BaseModel], location: Location) -> list[str]:
    current: Any = model
    for part in location:
        current = _below(current, part)
    if isinstance(current, type) and issubclass(current, BaseModel):
        return sorted(field.alias or name for name, field in current.model_fields.items())
    return []


def _below(annotation: Any, part: str | int) -> Any:  # noqa: ANN401 - type expressions
    """What stands under `part`: a model's field, or the values of a `dict` or `tuple`; `X | None` counts as X."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        fields = annotation.model_fields.items()
        found: Any = next((field.annotation for name, field in fields if part in (name, field.alias)), None)
    else:
        inner = get_args(annotation)
        found = inner[-1] if get_origin(annotation) in (dict, Mapping) else next(iter(inner), None)
    while get_origin(found) in (Annotated, Union, UnionType):
        found = get_args(found)[0]
    return found
