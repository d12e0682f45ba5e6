"""Read scenarios.yaml. Every error names file, line and column, and what is allowed there."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.constructor import DuplicateKeyError
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from uscdr.errors import ConfigError
from uscdr.scenarios.model import Config
from uscdr.scenarios.registry import STEPS

MOST_BYTES = 2_000_000
MOST_VALUES = 50_000
"""Keys and values with every alias written out: a few lines of aliases can stand for more than any memory holds."""
Path_ = tuple[str | int, ...]


@dataclass(frozen=True)
class Loaded:
    """A configuration, where it came from, and its SHA-256."""

    config: Config
    path: Path
    digest: str


def load(path: Path) -> Loaded:
    """Read and check the file. Raises ConfigError."""
    data = _bytes(path)
    tree = _parse(path, data)
    try:
        config = Config.model_validate(_written_out(path, tree))
    except ValidationError as error:
        _refuse(path, tree, error)
    _check_steps(path, tree, config)
    return Loaded(config, path, hashlib.sha256(data).hexdigest())


def _bytes(path: Path) -> bytes:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConfigError(
            f"{path}: cannot be read: {error.strerror}.", next_action="Name a readable file with --config."
        ) from error
    if len(data) > MOST_BYTES:
        raise ConfigError(f"{path}: is larger than {MOST_BYTES} bytes; that is no scenarios.yaml.")
    return data


def _parse(path: Path, data: bytes) -> CommentedMap:
    try:
        tree = YAML(typ="rt", pure=True).load(data.decode("utf-8"))
    except DuplicateKeyError as error:
        _syntax(path, error, "this key stands twice in the same mapping")
    except MarkedYAMLError as error:
        _syntax(path, error, str(error.problem or error.context or "not YAML"))
    except (YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigError(f"{path}: is not YAML in UTF-8: {type(error).__name__}.") from error
    if not isinstance(tree, CommentedMap):
        raise ConfigError(f"{path}:1:1: the file must be a mapping that begins with `version: 1`.")
    return tree


def _syntax(path: Path, error: MarkedYAMLError, what: str) -> NoReturn:
    mark = error.problem_mark or error.context_mark
    place = f"{path}:{mark.line + 1}:{mark.column + 1}" if mark else str(path)
    raise ConfigError(f"{place}: {what}.", next_action="Mend that line; indentation is in spaces.") from error


def _written_out(path: Path, tree: CommentedMap) -> Any:  # noqa: ANN401 - a YAML tree
    """The tree as plain dicts and lists, so that pydantic sees no ruamel type."""
    try:
        return _plain(tree, itertools.count())
    except (OverflowError, RecursionError) as error:
        raise ConfigError(
            f"{path}: its aliases stand for more than {MOST_VALUES:,} values, or for themselves.",
            next_action="Write the values out instead of `&name` and `*name`.",
        ) from error


def _plain(node: Any, count: Iterator[int]) -> Any:  # noqa: ANN401 - a YAML tree
    if next(count) > MOST_VALUES:
        raise OverflowError(MOST_VALUES)
    if isinstance(node, dict):
        return {str(key): _plain(value, count) for key, value in node.items()}
    if isinstance(node, list):
        return [_plain(item, count) for item in node]
    for kind in (bool, int, float, str):
        if isinstance(node, kind):
            return kind(node)
    return node if node is None else str(node)


def place(path: Path, tree: CommentedMap, location: Sequence[str | int]) -> str:
    """`file:line:column` of the deepest part of `location` that exists in the tree."""
    line, column = 0, 0
    node: Any = tree
    for key in location:
        if isinstance(node, CommentedMap) and key in node:
            line, column = node.lc.key(key)
        elif isinstance(node, CommentedSeq) and isinstance(key, int) and key < len(node):
            line, column = node.lc.item(key)
        else:
            break
        node = node[key]
    return f"{path}:{line + 1}:{column + 1}"


def _refuse(path: Path, tree: CommentedMap, error: ValidationError) -> NoReturn:
    details = error.errors(include_url=False)
    first = details[0]
    more = f" ({len(details) - 1} more errors)" if len(details) > 1 else ""
    raise ConfigError(
        f"{place(path, tree, first['loc'])}: {explain(first, Config)}{more}.",
        next_action=f"Mend it; the packaged file shows every field: uscdr runbook, or {path.name} in the sources.",
    ) from None


def explain(detail: ErrorDetails, model: type[BaseModel]) -> str:
    """One pydantic complaint in words, with the allowed fields for an unknown one."""
    location = ".".join(str(part) for part in detail["loc"])
    if detail["type"] == "extra_forbidden":
        allowed = ", ".join(_fields_at(model, detail["loc"][:-1]))
        return f"`{detail['loc'][-1]}` is not known here; allowed: {allowed}"
    if detail["type"] == "missing":
        return f"`{location}` is missing"
    message = detail["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    return f"`{location}` should be {message}" if message != detail["msg"] else f"`{location}`: {message}"


def _fields_at(model: type[BaseModel], location: Path_) -> list[str]:
    current: Any = model
    for part in location:
        if isinstance(part, str) and isinstance(current, type) and issubclass(current, BaseModel):
            field = current.model_fields.get(part)
            current = _model_in(field.annotation) if field else None
    if isinstance(current, type) and issubclass(current, BaseModel):
        return sorted(field.alias or name for name, field in current.model_fields.items())
    return []


def _model_in(annotation: Any) -> Any:  # noqa: ANN401 - a type expression
    """The model inside `X | None`, `tuple[X, ...]` or `dict[str, X]`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    inner = (_model_in(argument) for argument in getattr(annotation, "__args__", ()))
    return next((model for model in inner if model is not None), None)


def _check_steps(path: Path, tree: CommentedMap, config: Config) -> None:
    for name, scenario in config.scenarios.items():
        seen: set[str] = set()
        for index, entry in enumerate(scenario.steps):
            at = ("scenarios", name, "steps", index)
            spec = STEPS.get(entry.use)
            if spec is None:
                raise ConfigError(
                    f"{place(path, tree, (*at, 'use'))}: there is no step `{entry.use}`; there are: "
                    + ", ".join(sorted(STEPS))
                    + "."
                )
            step_id = entry.id or spec.default_id
            if step_id in seen:
                raise ConfigError(
                    f"{place(path, tree, at)}: two steps of `{name}` have the id `{step_id}`; give an id."
                )
            seen.add(step_id)
            if (entry.phase or spec.phase) not in scenario.budget:
                phases = ", ".join(scenario.budget)
                raise ConfigError(
                    f"{place(path, tree, at)}: phase `{entry.phase or spec.phase}` has no budget; phases: {phases}."
                )
            try:
                spec.params.model_validate(entry.with_)
            except ValidationError as error:
                detail = error.errors(include_url=False)[0]
                raise ConfigError(
                    f"{place(path, tree, (*at, 'with', *detail['loc']))}: {explain(detail, spec.params)}."
                ) from None
