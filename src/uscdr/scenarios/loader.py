"""Read scenarios.yaml. Every error names file, line and column, and what is allowed there."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, NoReturn, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from uscdr.errors import ConfigError
from uscdr.models.destination import destinations
from uscdr.scenarios.build import chosen
from uscdr.scenarios.checks import application_checks, unfit_for_recovery
from uscdr.scenarios.media.forbidden import refusal
from uscdr.scenarios.model import Config, Scenario, StepEntry, anchored
from uscdr.scenarios.order import faults
from uscdr.scenarios.registry import STEPS
from uscdr.scenarios.steps.application import CheckApplication
from uscdr.scenarios.steps.base import AnyStep
from uscdr.scenarios.steps.manual import ManualParams
from uscdr.scenarios.tree import Placed, content, parse, place, position
from uscdr.verify.registry import SPECS

Path_ = tuple[str | int, ...]
ALTERNATIVE = "literal["
"""How pydantic names one of several forms in a location; it stands in no file."""
TAG = 2
"""Where it names the kind of a check: `checks`, the check's name, its kind."""
KEY = "[key]"
"""How pydantic says that a mapping's key is meant, not its value."""


@dataclass(frozen=True)
class Decision:
    """A key, as `targets.production.web`, and the line and column where it stands."""

    key: str
    line: int
    column: int


@dataclass(frozen=True)
class Loaded:
    """A configuration, where it came from, and its SHA-256."""

    config: Config
    path: Path
    digest: str
    own: bool = False
    """Whether an operator chose it: it was named, or it says other things than the packaged file."""
    decides: tuple[Decision, ...] = ()
    """What it says of where requests, credentials or code go to or come from, beside the providers' own places."""


def load(path: Path) -> Loaded:
    """Read and check the file. Raises ConfigError."""
    data = content(path)
    tree = parse(path, data)
    try:
        config = Config.model_validate(tree.value)
    except ValidationError as error:
        _refuse(path, tree, error)
    _check_names(path, tree, config)
    _check_steps(path, tree, config)
    decides = _decisions(tree, config)
    config = anchored(config, path.absolute().parent)
    return Loaded(config, path, hashlib.sha256(data).hexdigest(), decides=decides)


def _decisions(tree: Placed, config: Config) -> tuple[Decision, ...]:
    return tuple(Decision(".".join(map(str, at)), *position(tree, at)) for at in destinations(config))


def _refuse(path: Path, tree: Placed, error: ValidationError) -> NoReturn:
    details = error.errors(include_url=False)
    # an unknown key is usually the reason why another is missing
    first = next((detail for detail in details if detail["type"] == "extra_forbidden"), details[0])
    more = f" ({len(details) - 1} more errors)" if len(details) > 1 else ""
    raise ConfigError(
        f"{place(path, tree, _written(first['loc']))}: {explain(first, Config)}{more}.",
        next_action=f"Mend it; the packaged file shows every field: uscdr runbook, or {path.name} in the sources.",
    ) from None


def explain(detail: ErrorDetails, model: type[BaseModel]) -> str:
    """One pydantic complaint in words, with the allowed fields for an unknown one."""
    location = ".".join(str(part) for part in _written(detail["loc"]) if not str(part).startswith(ALTERNATIVE))
    kind, key = detail["type"], detail["loc"][-1] == KEY
    if kind == "extra_forbidden":
        allowed = ", ".join(_fields_at(model, detail["loc"][:-1])) or "nothing, it has no parameters"
        return f"`{detail['loc'][-1]}` is not known here; allowed: {allowed}"
    known = {
        "union_tag_invalid": f"`{location}` needs a `kind`; there are: {', '.join(sorted(SPECS))}",
        "union_tag_not_found": f"`{location}` needs a `kind`; there are: {', '.join(sorted(SPECS))}",
        "string_pattern_mismatch": f"`{location}` has another form than is allowed here",
        "missing": f"`{location}` is missing",
        "too_short": f"`{location}` needs at least one entry",
        "string_too_short": f"`{location}` is empty: write what it shall be",
    }
    if kind == "string_too_short" and key:
        return "a name is empty: write what it shall be"
    if kind == "literal_error" and key:
        return f"`{detail['loc'][-2]}` is not known here; allowed: {detail['ctx']['expected']}"
    if key or kind in known:
        return detail["msg"].removeprefix("Value error, ") if key else known[kind]
    message = detail["msg"].removeprefix("Input should be ").replace("a valid tuple", "a list")
    if message != detail["msg"]:
        return f"`{location}` should be {message}"
    return f"`{location}`: {message.removeprefix('Value error, ')}"


def _written(location: Path_) -> Path_:
    """The location as it stands in the file: pydantic puts a check's kind after its name."""
    tagged = len(location) > TAG and location[0] == "checks" and location[TAG] in SPECS
    return (*location[:TAG], *location[TAG + 1 :]) if tagged else location


def _fields_at(model: type[BaseModel], location: Path_) -> list[str]:
    current: Any = model
    if _written(location) != location:
        current, location = SPECS[str(location[TAG])], location[TAG + 1 :]
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
        found = inner[-1] if get_origin(annotation) is dict else next(iter(inner), None)
    while get_origin(found) in (Annotated, Union, UnionType):
        found = get_args(found)[0]
    return found


def _check_names(path: Path, tree: Placed, config: Config) -> None:
    """Checklists and `after_recovery` name checks that there are; every check stands for something."""
    named: list[tuple[Path_, str]] = [
        (("checklists", key, "items", number, "checks", place_), name)
        for key, one in config.checklists.items()
        for number, item in enumerate(one.items)
        for place_, name in enumerate(item.checks)
    ]
    named += [(("after_recovery", number), name) for number, name in enumerate(config.after_recovery)]
    for at, name in named:
        if name not in config.checks:
            known = ", ".join(sorted(config.checks))
            raise ConfigError(f"{place(path, tree, at)}: there is no check `{name}`; there are: {known}.")
    for number, name in enumerate(config.after_recovery):
        if reason := unfit_for_recovery(config.checks[name]):
            raise ConfigError(
                f"{place(path, tree, ('after_recovery', number))}: `{name}` {reason}.",
                next_action="Take it out of after_recovery, and run it yourself after a recovery: uscdr verify all",
            )
    for name in config.checks.keys() - {name for _, name in named}:
        raise ConfigError(f"{place(path, tree, ('checks', name))}: no checklist names the check `{name}`.")


def _check_steps(path: Path, tree: Placed, config: Config) -> None:
    for name, scenario in config.scenarios.items():
        at = ("scenarios", name, "steps")
        steps = [_checked_step(path, tree, (*at, index), entry) for index, entry in enumerate(scenario.steps)]
        _check_ids(path, tree, name, scenario, steps)
        fault = next(faults(name, steps), None)
        if fault is not None:
            raise ConfigError(
                f"{place(path, tree, (*at, fault.index))}: scenario `{name}`: {fault.words}.",
                next_action="The packaged scenarios.yaml has every step in its place: uscdr runbook shows the order.",
            )
        if CheckApplication in steps and not application_checks(config):
            raise ConfigError(
                f"{place(path, tree, ('scenarios', name))}: `{name}` ends by checking the application, and "
                "`after_recovery` names no check that asks it (kind http or agree)."
            )


def _checked_step(path: Path, tree: Placed, at: Path_, entry: StepEntry) -> AnyStep:
    if entry.use not in STEPS:
        known = ", ".join(sorted(STEPS))
        raise ConfigError(f"{place(path, tree, (*at, 'use'))}: there is no step `{entry.use}`; there are: {known}.")
    _check_parameters(path, tree, at, STEPS[entry.use], entry)
    return chosen(entry)


def _check_ids(
    path: Path, tree: Placed, name: str, scenario: Scenario, steps: Sequence[AnyStep]
) -> None:  # fmt: skip
    seen: set[str] = set()
    for index, (entry, step) in enumerate(zip(scenario.steps, steps, strict=True)):
        at = ("scenarios", name, "steps", index)
        step_id, phase = entry.id or step.default_id, entry.phase or step.phase
        if step_id in seen:
            raise ConfigError(f"{place(path, tree, at)}: two steps of `{name}` have the id `{step_id}`; give an id.")
        seen.add(step_id)
        if phase not in scenario.budget:
            phases = ", ".join(scenario.budget)
            raise ConfigError(f"{place(path, tree, at)}: phase `{phase}` has no budget; phases: {phases}.")


def _check_parameters(path: Path, tree: Placed, at: Path_, step: AnyStep, entry: StepEntry) -> None:
    try:
        params = step.params.model_validate(entry.with_)
    except ValidationError as error:
        detail = error.errors(include_url=False)[0]
        raise ConfigError(
            f"{place(path, tree, (*at, 'with', *detail['loc']))}: {explain(detail, step.params)}."
        ) from None
    if isinstance(params, ManualParams) and (reason := refusal(params.instruction)):
        raise ConfigError(
            f"{place(path, tree, (*at, 'with', 'instruction'))}: {reason}",
            next_action="Take the command out of the instruction; a follow-up may warn of it.",
        )
