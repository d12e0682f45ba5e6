"""Errors of scenarios.yaml in words, with file, line and column, and what is allowed there: all of a file at once."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from uscdr.errors import ConfigError, ConfigFault
from uscdr.lazily import Later

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from pydantic_core import ErrorDetails

    from uscdr.scenarios.yaml_tree import Placed

Location = tuple[str | int, ...]
ALTERNATIVE = "literal["
"""How pydantic names one of several forms in a location; no file contains it."""
KEY = "[key]"
"""How pydantic marks that an error is about a mapping's key, not its value."""


_RENAMED_FIELDS: Mapping[Location, str] = {
    ("recovery", "silenced"): "mail_variables",
    ("recovery", "own_address"): "address_variables",
    ("recovery", "hosts"): "allowed_hosts_variable",
    ("recovery", "key"): "encryption_key_variable",
    ("recovery", "single"): "singletons",
}
"""Old places of fields that have another name now."""


@dataclass(frozen=True)
class _Invalid:
    """One complaint of pydantic about the value at `at`, which is of this model."""

    at: Location
    detail: ErrorDetails
    model: type[BaseModel]

    @property
    def location(self) -> Location:
        """Where in the file."""
        return (*self.at, *_without_kinds(self.model, self.detail["loc"]))

    def __str__(self) -> str:
        """In words; for an unknown field with those that are allowed."""
        location = ".".join(str(part) for part in self.location if not str(part).startswith(ALTERNATIVE))
        kind, key = self.detail["type"], self.location[-1] == KEY
        if kind == "extra_forbidden":
            return self._unknown()
        known = {
            "string_pattern_mismatch": f"`{location}` does not have the required form",
            "missing": f"`{location}` is missing",
            "too_short": f"`{location}` needs at least one entry",
            "string_too_short": f"`{location}` is empty; write a value",
            "union_tag_not_found": f"`{location}.kind` is missing",
            "union_tag_invalid": f"`{location}.kind` should be {self.detail.get('ctx', {}).get('expected_tags')}",
        }
        message = self.detail["msg"].removeprefix("Value error, ")
        if kind == "string_too_short" and key:
            return "a name is empty; write a name"
        if kind == "literal_error" and key:
            return f"`{self.location[-2]}` is not known here; allowed: {self.detail['ctx']['expected']}"
        if key or kind in known:
            return message if key else known[kind]
        wanted = message.removeprefix("Input should be ").replace("a valid tuple", "a list")
        if wanted != message:
            return f"`{location}` should be {wanted.replace('a valid mapping', 'a valid dictionary')}"
        return f"`{location}`: {message}"

    def _unknown(self) -> str:
        field = self.location[-1]
        if self.location in _RENAMED_FIELDS:
            return f"`{field}` is now called `{_RENAMED_FIELDS[self.location]}`"
        allowed = ", ".join(_fields_at(self.model, self.detail["loc"][:-1])) or "nothing, it has no parameters"
        return f"`{field}` is not known here; allowed: {allowed}"


_MOST = 20
"""Errors that are shown; of the others only the number is."""


@dataclass(frozen=True)
class ConfigText:
    """The text of a configuration file."""

    path: Path
    tree: Placed

    def fault(self, at: Sequence[str | int], words: str, advice: str = "") -> ConfigFault:
        """What is wrong at a place of the file; `words` is a sentence without its full stop, `advice` how to fix it."""
        line = words.replace("\n", "\\n")  # a key may have several lines
        return ConfigFault(str(self.path), *self.tree.position(at), f"{line}.", advice)

    def invalid(self, error: ValidationError, model: type[BaseModel], at: Location = ()) -> list[ConfigFault]:
        """All complaints of pydantic about the value of `model` at `at`."""
        found = (_Invalid(at, detail, model) for detail in error.errors(include_url=False))
        return [self.fault(one.location, str(one)) for one in found]

    def parameters(self, error: ValidationError, model: type[BaseModel], at: Location) -> list[ConfigFault]:
        """The same for the parameters of a step, which are called by their own names alone."""
        found = (_Invalid((), detail, model) for detail in error.errors(include_url=False))
        return [self.fault((*at, *one.location), str(one)) for one in found]

    def error(self, faults: Iterable[ConfigFault]) -> ConfigError:
        """All of them, each on its line, in the order of the file."""
        found = sorted(dict.fromkeys(faults), key=lambda one: (one.line, one.column))
        lines = [str(one) for one in found[:_MOST]]
        if len(found) > _MOST:
            lines.append(f"and {len(found) - _MOST} more")
        advice = found[0].advice if len(found) == 1 else ""
        return ConfigError("\n".join(lines), next_action=advice or self._next(len(found)), faults=tuple(found))

    def _next(self, count: int) -> str:
        fix = "Fix it" if count == 1 else "Fix these lines"
        return f"{fix}, then: uscdr config check {shlex.quote(str(self.path))}. Every key: uscdr config schema"


def _fields_at(model: type[BaseModel], location: Location) -> list[str]:
    current: Any = model
    for part in location:
        current = _below(current, part)
    if isinstance(current, type) and issubclass(current, BaseModel):
        return sorted(field.alias or name for name, field in current.model_fields.items())
    return []


def _below(annotation: Any, part: str | int) -> Any:  # noqa: ANN401 - type expressions
    """The type below `part`: a model's field, or the values of a `dict` or `tuple`; `X | None` counts as X.

    Of several models with a `kind`, the one whose kind `part` is: pydantic puts it into a location.
    """
    if _is_of_kinds(annotation):
        return next(
            (one for one in get_args(annotation) if part in get_args(one.model_fields["kind"].annotation)), None
        )
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        fields = annotation.model_fields.items()
        found: Any = next((field.annotation for name, field in fields if part in (name, field.alias)), None)
    else:
        inner = get_args(annotation)
        found = inner[-1] if get_origin(annotation) in (dict, Mapping) else next(iter(inner), None)
    while get_origin(found) in (Annotated, Union, UnionType) and not _is_of_kinds(found):
        found = get_args(found)[0]
    return found.model() if isinstance(found, type) and issubclass(found, Later) else found


def _is_of_kinds(annotation: Any) -> bool:  # noqa: ANN401 - type expressions
    """Whether it is one of several models, told apart by their field `kind`."""
    several = get_origin(annotation) in (Union, UnionType)
    return several and all("kind" in getattr(one, "model_fields", ()) for one in get_args(annotation))


def _without_kinds(model: type[BaseModel], location: Location) -> Location:
    """A location without the kinds that pydantic puts into it: no file contains them there."""
    current: Any = model
    kept: list[str | int] = []
    for part in location:
        if not _is_of_kinds(current):
            kept.append(part)
        current = _below(current, part)
    return tuple(kept)
