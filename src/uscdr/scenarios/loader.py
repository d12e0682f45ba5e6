"""Read scenarios.yaml. Every error names the file, line and column, and what is allowed there.

Checks, the steps of each scenario and some sections are validated when one is first used: nothing acts on what was not
validated.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from typing_extensions import override

from uscdr.checks.check import CheckSpec
from uscdr.checks.registry import DESTINATIONS, SPECS
from uscdr.errors import ConfigError
from uscdr.journal.reader import RENAMED
from uscdr.lazily import LEFT_OUT, Later
from uscdr.models.base import Destination
from uscdr.scenarios.config import CHECK_NAME, LATER, LATER_DESTINATIONS, Config, Scenario, StepEntry
from uscdr.scenarios.yaml_tree import Placed, content, parse
from uscdr.words import plural

if TYPE_CHECKING:
    from pathlib import Path

    from pydantic_core import ErrorDetails

    from uscdr.scenarios.steps.base import AnyStep


# Errors of scenarios.yaml in words, with file, line and column, and what is allowed there.


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


def _complaints(error: ValidationError, model: type[BaseModel], at: Location = ()) -> list[_Invalid]:
    """All complaints of pydantic about the value of `model` at `at`."""
    return [_Invalid(at, detail, model) for detail in error.errors(include_url=False)]


@dataclass(frozen=True)
class _ConfigText:
    """The text of a configuration file."""

    path: Path
    tree: Placed

    def wrong(self, at: Sequence[str | int], words: str, next_action: str = "") -> ConfigError:
        """The error with its file, line and column."""
        return ConfigError(f"{self.tree.place(self.path, at)}: {words}", next_action=next_action)

    def refuse(self, found: Sequence[_Invalid]) -> NoReturn:
        """Raise ConfigError for the first complaint, with the number of the others."""
        # an unknown key is usually why another is missing
        first = next((one for one in found if one.detail["type"] == "extra_forbidden"), found[0])
        more = f" ({plural(len(found) - 1, 'more error')})" if len(found) > 1 else ""
        raise self.wrong(
            first.location, f"{first}{more}.", "Fix it. The scenarios.yaml in the sources of uscdr shows every field."
        ) from None


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


_T = TypeVar("_T")
ASKS_APPLICATION = "app.check"
"""The step that runs the checks of `after_recovery`."""


class _Section(Mapping[str, _T]):
    """One section of the file, by name. Reading its names validates nothing."""

    def __init__(self, source: _ConfigText, written: Mapping[str, object]) -> None:
        self._source = source
        self._names = tuple(written)

    @override
    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    @override
    def __len__(self) -> int:
        return len(self._names)

    @override
    def __contains__(self, name: object) -> bool:
        return name in self._names


class _Checks(_Section[CheckSpec]):
    """The checks by name. `config` has the other sections, `written` the section as it is in the file."""

    def __init__(self, source: _ConfigText, config: Config, written: Mapping[str, Any]) -> None:
        super().__init__(source, written)
        self._config, self._written = config, written
        for name in written:
            if not CHECK_NAME.fullmatch(name):
                raise source.wrong(
                    ("checks", name),
                    f"`{name}` is not a check name: use a-z and digits, with single hyphens between them.",
                )

    @override
    def __getitem__(self, name: str) -> CheckSpec:
        return self._made[name]

    def validate(self) -> None:
        """Build them all, and compare them with the sections that name them. Raises ConfigError."""
        _ = self._made

    @cached_property
    def _made(self) -> dict[str, CheckSpec]:
        made, wrong = dict[str, CheckSpec](), list[_Invalid]()
        for name in self._written:
            found = self.one(name)
            if isinstance(found, CheckSpec):
                made[name] = found
            else:
                wrong += found
        if wrong:
            self._source.refuse(wrong)
        self._refuse_loose_names()
        self._refuse_unfit(made)
        return made

    def one(self, name: str) -> CheckSpec | list[_Invalid]:
        """One check, or the complaints about its fields. Raises ConfigError for a check without a kind."""
        at, fields = ("checks", name), self._written[name]
        if not isinstance(fields, dict):
            raise self._source.wrong(at, f"`checks.{name}` must be a mapping with a `kind`.")
        kind = fields.get("kind")
        if not isinstance(kind, str) or kind not in SPECS:
            raise self._source.wrong(at, f"`checks.{name}` needs a `kind`, one of: {', '.join(sorted(SPECS))}.")
        try:
            return SPECS[kind].model_validate(fields)
        except ValidationError as error:
            return _complaints(error, SPECS[kind], at)

    def _refuse_loose_names(self) -> None:
        """Checklists and `after_recovery` name existing checks, and a checklist names every check."""
        named: list[tuple[Location, str]] = [
            (("checklists", key, "items", number, "checks", place_), name)
            for key, one in self._config.checklists.items()
            for number, item in enumerate(one.items)
            for place_, name in enumerate(item.checks)
        ]
        named += [(("after_recovery", number), name) for number, name in enumerate(self._config.after_recovery)]
        for at, name in named:
            if name not in self._written:
                known = ", ".join(sorted(self._written))
                raise self._source.wrong(at, f"there is no check `{name}`; there are: {known}.")
        for name in self._written.keys() - {name for _, name in named}:
            raise self._source.wrong(("checks", name), f"no checklist names the check `{name}`.")

    def _refuse_unfit(self, made: Mapping[str, CheckSpec]) -> None:
        """`after_recovery` has only checks that a recovery can run, and one of the application if it is needed."""
        from uscdr.scenarios.checks import unfit_for_recovery

        for number, name in enumerate(self._config.after_recovery):
            if reason := unfit_for_recovery(made[name]):
                raise self._source.wrong(
                    ("after_recovery", number),
                    f"`{name}` {reason}.",
                    "Remove it from after_recovery, and run it yourself after a recovery: uscdr verify all",
                )
        asks = not self._config.model_copy(update={"checks": made}).application_checks()
        for name, scenario in self._config.scenarios.items():
            if asks and any(entry.use == ASKS_APPLICATION for entry in scenario.steps):
                raise self._source.wrong(
                    ("scenarios", name),
                    f"`{name}` checks the application at its end, and "
                    "`after_recovery` has no check that asks it (kind http or agree).",
                )


class _Scenarios(_Section[Scenario]):
    """The scenarios by name; the steps of each are validated when it is first used."""

    def __init__(self, source: _ConfigText, written: Mapping[str, Scenario]) -> None:
        super().__init__(source, written)
        self._written = written
        self._fit = set[str]()

    @override
    def __getitem__(self, name: str) -> Scenario:
        scenario = self._written[name]
        if name not in self._fit:
            _refuse_unfit_steps(self._source, name, scenario)
            self._fit.add(name)
        return scenario

    def validate(self) -> None:
        """Check the steps of all. Raises ConfigError."""
        for name in self:
            _ = self[name]


def _refuse_unfit_steps(source: _ConfigText, name: str, scenario: Scenario) -> None:
    at = ("scenarios", name, "steps")
    steps = [_checked_step(source, (*at, index), entry) for index, entry in enumerate(scenario.steps)]
    _check_ids(source, name, scenario, steps)
    from uscdr.scenarios.order import faults

    fault = next(faults(name, steps), None)
    if fault is not None:
        raise source.wrong(
            (*at, fault.index),
            f"scenario `{name}`: {fault.words}.",
            "uscdr runbook shows the steps of the packaged scenarios.yaml in order.",
        )


def _checked_step(source: _ConfigText, at: Location, entry: StepEntry) -> AnyStep:
    from uscdr.scenarios.registry import STEPS, chosen

    if entry.use in RENAMED:
        raise source.wrong((*at, "use"), f"the step `{entry.use}` is now called `{RENAMED[entry.use]}`.")
    if entry.use not in STEPS:
        known = ", ".join(sorted(STEPS))
        raise source.wrong((*at, "use"), f"there is no step `{entry.use}`; there are: {known}.")
    _check_parameters(source, at, STEPS[entry.use], entry)
    return chosen(entry)


def _check_ids(source: _ConfigText, name: str, scenario: Scenario, steps: Sequence[AnyStep]) -> None:
    seen: set[str] = set()
    for index, (entry, step) in enumerate(zip(scenario.steps, steps, strict=True)):
        at = ("scenarios", name, "steps", index)
        step_id, phase = entry.id or step.default_id, entry.phase or step.phase
        if step_id in seen:
            raise source.wrong(at, f"two steps of `{name}` have the id `{step_id}`; give one of them another id.")
        seen.add(step_id)
        if phase not in scenario.budget:
            raise source.wrong(at, f"phase `{phase}` has no budget; phases: {', '.join(scenario.budget)}.")


def _check_parameters(source: _ConfigText, at: Location, step: AnyStep, entry: StepEntry) -> None:
    try:
        params = step.params.model_validate(entry.with_)
    except ValidationError as error:
        detail = error.errors(include_url=False)[0]
        raise source.wrong((*at, "with", *detail["loc"]), f"{_Invalid((), detail, step.params)}.") from None
    if (reason := _forbidden(params)) is not None:
        raise source.wrong(
            (*at, "with", "instruction"), reason, "Take the command out of the instruction; a follow-up may warn of it."
        )


def _forbidden(params: object) -> str | None:
    """Why the instruction of a manual step is refused; None when it is not."""
    instruction = getattr(params, "instruction", None)
    if instruction is None:
        return None
    from uscdr.scenarios.media.repair import refusal

    return refusal(instruction) or None


# Read scenarios.yaml. Every error names file, line and column, and what is allowed there.


@dataclass(frozen=True)
class Decision:
    """A key such as `targets.production.web`, with its line and column."""

    key: str
    line: int
    column: int


@dataclass(frozen=True)
class LoadedConfig:
    """A configuration, where it came from, and its SHA-256."""

    config: Config
    path: Path
    digest: str
    own: bool = False
    """Whether an operator chose it: it was named, or it differs from the packaged file."""
    decides: tuple[Decision, ...] = ()
    """Keys that send requests, credentials or code to other hosts than the providers' own, or take them from there."""


def load(path: Path, *, lazily: bool = False) -> LoadedConfig:
    """Read and check the file. Raises ConfigError.

    `lazily`: checks, the steps of each scenario and the sections in LATER are validated when one is first used, and
    raise it then.
    """
    data = content(path)
    source = _ConfigText(path, parse(path, data))
    written = dict(source.tree.value)
    fields = written.pop("checks", {})
    left_out = [name for name in LATER if not _may_decide(name, written.get(name))] if lazily else []
    base = _validated(source, written, left_out)
    places = tuple(Destination.paths_in(base))
    if left_out:
        base = base.without(left_out, lambda name: _section(source, written, name))
    if not isinstance(fields, dict):
        raise source.wrong(("checks",), "`checks` must be a mapping of names to checks.")
    checks = _Checks(source, base, fields)
    decides = tuple(_decision(source, at) for at in (*places, *_of_checks(source, checks, fields)))
    scenarios = _Scenarios(source, base.scenarios)
    if not lazily:
        checks.validate()
        scenarios.validate()
    config = base.model_copy(update={"checks": checks, "scenarios": scenarios})
    return LoadedConfig(
        config.anchored(path.absolute().parent), path, hashlib.sha256(data).hexdigest(), decides=decides
    )


def _validated(source: _ConfigText, written: Mapping[str, Any], left_out: Collection[str] = ()) -> Config:
    """The file without its checks; the sections that are left out have no meaning in it. Raises ConfigError."""
    given = {name: value for name, value in written.items() if name not in left_out}
    made = {name: LEFT_OUT for name in left_out if Config.model_fields[name].default_factory}
    try:
        return Config.model_validate(given | made)
    except ValidationError as error:
        source.refuse(_complaints(error, Config))


def _section(source: _ConfigText, written: Mapping[str, Any], name: str) -> object:
    """A section that was left out, by the same rules: with what it is compared with, and what no file may lack."""
    needed = {name, *LATER[name], *(key for key, field in Config.model_fields.items() if field.is_required())}
    given = {key: value for key, value in written.items() if key in needed}
    return getattr(_validated(source, given, LATER.keys() - needed), name)


def _may_decide(name: str, value: object) -> bool:
    """Whether the section may decide where something goes, which is known of every file when it is loaded."""
    return isinstance(value, dict) and not LATER_DESTINATIONS.get(name, frozenset()).isdisjoint(value)


def _decision(source: _ConfigText, at: Location) -> Decision:
    return Decision(".".join(map(str, at)), *source.tree.position(at))


def _of_checks(source: _ConfigText, checks: _Checks, fields: Mapping[str, Any]) -> Iterator[Location]:
    """The same keys of checks. Only checks with such keys are validated now."""
    for name, written in fields.items():
        kind = written.get("kind") if isinstance(written, dict) else None
        if isinstance(kind, str) and DESTINATIONS.get(kind, frozenset()) & written.keys():
            found = checks.one(name)
            if isinstance(found, list):
                source.refuse(found)
            yield from Destination.paths_in(found, ("checks", name))
