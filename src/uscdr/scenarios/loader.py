"""Read scenarios.yaml. Every error names the file, line and column, and what is allowed there.

Checks, the steps of each scenario and some sections are validated when one is first used: nothing acts on what was not
validated.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from pydantic import ValidationError
from typing_extensions import override

from uscdr.checks.check import CheckSpec
from uscdr.checks.registry import DESTINATIONS, SPECS
from uscdr.errors import ConfigFault
from uscdr.journal.reader import RENAMED
from uscdr.lazily import LEFT_OUT
from uscdr.models.base import Destination
from uscdr.scenarios.config import CHECK_NAME, LATER, LATER_DESTINATIONS, SCENARIOS, Config, Scenario, StepEntry
from uscdr.scenarios.config_errors import ConfigText, Location
from uscdr.scenarios.yaml_tree import content, parse

if TYPE_CHECKING:
    from pathlib import Path

    from uscdr.scenarios.steps.base import AnyStep


_T = TypeVar("_T")
ASKS_APPLICATION = "app.check"
"""The step that runs the checks of `after_recovery`."""


class _Section(Mapping[str, _T]):
    """One section of the file, by name. Reading its names validates nothing."""

    def __init__(self, source: ConfigText, written: Mapping[str, object]) -> None:
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
    """The checks by name. `config` has the other sections, `written` the section as it is in the file.

    `unsound`: sections that are wrong, and which `config` therefore does not have as they are in the file.
    """

    def __init__(
        self, source: ConfigText, config: Config, written: Mapping[str, Any], unsound: Collection[str] = ()
    ) -> None:
        super().__init__(source, written)
        self._config, self._written, self._unsound = config, written, unsound

    @override
    def __getitem__(self, name: str) -> CheckSpec:
        return self._made[name]

    def validate(self) -> None:
        """Build them all, and compare them with the sections that name them. Raises ConfigError."""
        _ = self._made

    @cached_property
    def _made(self) -> dict[str, CheckSpec]:
        made, found = self.built()
        if found:
            _refuse(self._source, found)
        return made

    def built(self) -> tuple[dict[str, CheckSpec], list[ConfigFault]]:
        """Those that can be built, and all that is wrong with the section."""
        made, found = dict[str, CheckSpec](), list[ConfigFault]()
        for name in self._written:
            one = self.one(name)
            if isinstance(one, CheckSpec):
                made[name] = one
            else:
                found += one
        found += self._loose_names()
        found += self._unfit(made)
        if not found and not self._unsound:
            found += self._unasked(made)
        return made, found

    def misnamed(self) -> list[ConfigFault]:
        """What is wrong with the names, which are known before a check is built."""
        return [
            self._source.fault(
                ("checks", name), f"`{name}` is not a check name: use a-z and digits, with single hyphens between them"
            )
            for name in self._written
            if not CHECK_NAME.fullmatch(name)
        ]

    def one(self, name: str) -> CheckSpec | list[ConfigFault]:
        """One check, or what is wrong with its fields."""
        at, fields = ("checks", name), self._written[name]
        if not isinstance(fields, dict):
            return [self._source.fault(at, f"`checks.{name}` must be a mapping with a `kind`")]
        kind = fields.get("kind")
        if not isinstance(kind, str) or kind not in SPECS:
            return [self._source.fault(at, f"`checks.{name}` needs a `kind`, one of: {', '.join(sorted(SPECS))}")]
        try:
            return SPECS[kind].model_validate(fields)
        except ValidationError as error:
            return self._source.invalid(error, SPECS[kind], at)

    def _loose_names(self) -> Iterator[ConfigFault]:
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
                yield self._source.fault(at, f"there is no check `{name}`; there are: {known}")
        if not {"checklists", "after_recovery"}.intersection(self._unsound):
            for name in self._written.keys() - {name for _, name in named}:
                yield self._source.fault(("checks", name), f"no checklist names the check `{name}`")

    def _unfit(self, made: Mapping[str, CheckSpec]) -> Iterator[ConfigFault]:
        """`after_recovery` has only checks that a recovery can run."""
        from uscdr.scenarios.checks import unfit_for_recovery

        for number, name in enumerate(self._config.after_recovery):
            if name in made and (reason := unfit_for_recovery(made[name])):
                yield self._source.fault(
                    ("after_recovery", number),
                    f"`{name}` {reason}",
                    "Remove it from after_recovery, and run it yourself after a recovery: uscdr verify all",
                )

    def _unasked(self, made: Mapping[str, CheckSpec]) -> Iterator[ConfigFault]:
        """`after_recovery` has a check of the application if a scenario checks that at its end."""
        asks = not self._config.model_copy(update={"checks": made}).application_checks()
        for name, scenario in self._config.scenarios.items():
            if asks and any(entry.use == ASKS_APPLICATION for entry in scenario.steps):
                yield self._source.fault(
                    ("scenarios", name),
                    f"`{name}` checks the application at its end, and "
                    "`after_recovery` has no check that asks it (kind http or agree)",
                )


class _Scenarios(_Section[Scenario]):
    """The scenarios by name; the steps of each are validated when it is first used."""

    def __init__(self, source: ConfigText, written: Mapping[str, Scenario]) -> None:
        super().__init__(source, written)
        self._written = written
        self._fit = set[str]()

    @override
    def __getitem__(self, name: str) -> Scenario:
        scenario = self._written[name]
        if name not in self._fit:
            if found := list(_unfit_steps(self._source, name, scenario)):
                _refuse(self._source, found)
            self._fit.add(name)
        return scenario

    def validate(self) -> None:
        """Check the steps of all. Raises ConfigError."""
        for name in self:
            _ = self[name]


def _unfit_steps(source: ConfigText, name: str, scenario: Scenario) -> Iterator[ConfigFault]:
    at: Location = ("scenarios", name, "steps")
    known, wrong = _known_steps(source, at, enumerate(scenario.steps))
    yield from wrong
    yield from _clashes(source, name, scenario, known)
    from uscdr.scenarios.order import faults

    fault = None if wrong else next(faults(name, [step for _, _, step in known]), None)
    if fault is not None:
        yield source.fault(
            (*at, fault.index),
            f"scenario `{name}`: {fault.words}",
            "The packaged configuration has all steps in order; to find it: uscdr config path",
        )


_KnownStep = tuple[int, StepEntry, "AnyStep"]
"""The number of an entry, itself, and its step."""


def _known_steps(
    source: ConfigText, at: Location, entries: Iterable[tuple[int, StepEntry]]
) -> tuple[list[_KnownStep], list[ConfigFault]]:
    """The steps that can be made, and what is wrong with the others."""
    known, wrong = list[_KnownStep](), list[ConfigFault]()
    for index, entry in entries:
        found = list(_wrong_with(source, (*at, index), entry))
        wrong += found
        if not found:
            from uscdr.scenarios.registry import chosen

            known.append((index, entry, chosen(entry)))
    return known, wrong


def _wrong_with(source: ConfigText, at: Location, entry: StepEntry) -> Iterator[ConfigFault]:
    """What is wrong with one step: its name or its parameters."""
    from uscdr.scenarios.registry import STEPS

    if entry.use in RENAMED:
        yield source.fault((*at, "use"), f"the step `{entry.use}` is now called `{RENAMED[entry.use]}`")
    elif entry.use not in STEPS:
        known = ", ".join(sorted(STEPS))
        yield source.fault((*at, "use"), f"there is no step `{entry.use}`; there are: {known}")
    else:
        yield from _wrong_parameters(source, (*at, "with"), STEPS[entry.use], entry)


def _clashes(source: ConfigText, name: str, scenario: Scenario, known: Iterable[_KnownStep]) -> Iterator[ConfigFault]:
    """Two steps of one id; phases without a budget."""
    seen: set[str] = set()
    for index, entry, step in known:
        at: Location = ("scenarios", name, "steps", index)
        step_id, phase = entry.id or step.default_id, entry.phase or step.phase
        if step_id in seen:
            yield source.fault(at, f"two steps of `{name}` have the id `{step_id}`; give one of them another id")
        seen.add(step_id)
        if phase not in scenario.budget:
            yield source.fault(at, f"phase `{phase}` has no budget; phases: {', '.join(scenario.budget)}")


def _wrong_parameters(source: ConfigText, at: Location, step: AnyStep, entry: StepEntry) -> Iterator[ConfigFault]:
    try:
        params = step.params.model_validate(entry.with_)
    except ValidationError as error:
        yield from source.parameters(error, step.params, at)
        return
    if reason := _forbidden(params):
        yield source.fault(
            (*at, "instruction"),
            reason.removesuffix("."),
            "Take the command out of the instruction; a follow-up may warn of it.",
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
    why: str = ""
    """Why this file is used, as part of a sentence: `named by --config`."""
    own: bool = False
    """Whether an operator chose it: it was named, or it differs from the packaged file."""
    decides: tuple[Decision, ...] = ()
    """Keys that send requests, credentials or code to other hosts than the providers' own, or take them from there."""


def load(path: Path, *, lazily: bool = False) -> LoadedConfig:
    """Read and check the file. Raises ConfigError with all that is wrong with it.

    `lazily`: checks, the steps of each scenario and the sections in LATER are validated when one is first used, and
    raise it then.
    """
    data = content(path)
    source = ConfigText(path, parse(path, data))
    written = dict(source.tree.value)
    fields = written.pop("checks", {})
    left_out = [name for name in LATER if not _may_decide(name, written.get(name))] if lazily else []
    base = _validated(source, written, left_out)
    places = tuple(Destination.paths_in(base))
    if left_out:
        base = base.without(left_out, lambda name: _section(source, written, name))
    if not isinstance(fields, dict):
        _refuse(source, [])
    checks = _Checks(source, base, fields)
    if found := checks.misnamed():
        _refuse(source, found)
    decides = tuple(_decision(source, at) for at in (*places, *_of_checks(source, checks, fields)))
    scenarios = _Scenarios(source, base.scenarios)
    if not lazily:
        checks.validate()
        scenarios.validate()
    config = base.model_copy(update={"checks": checks, "scenarios": scenarios})
    return LoadedConfig(
        config.anchored(path.absolute().parent), path, hashlib.sha256(data).hexdigest(), decides=decides
    )


def _refuse(source: ConfigText, found: Iterable[ConfigFault]) -> NoReturn:
    """Raise ConfigError with all that is wrong with the file, whatever part of it was asked for."""
    raise source.error([*found, *_every_fault(source)]) from None


def _validated(source: ConfigText, written: Mapping[str, Any], left_out: Collection[str] = ()) -> Config:
    """The file without its checks; the sections that are left out have no meaning in it. Raises ConfigError."""
    given = {name: value for name, value in written.items() if name not in left_out}
    made = {name: LEFT_OUT for name in left_out if Config.model_fields[name].default_factory}
    try:
        return Config.model_validate(given | made)
    except ValidationError as error:
        _refuse(source, source.invalid(error, Config))


def _section(source: ConfigText, written: Mapping[str, Any], name: str) -> object:
    """A section that was left out, by the same rules: with what it is compared with, and what no file may lack."""
    needed = {name, *LATER[name], *(key for key, field in Config.model_fields.items() if field.is_required())}
    given = {key: value for key, value in written.items() if key in needed}
    return getattr(_validated(source, given, LATER.keys() - needed), name)


def _may_decide(name: str, value: object) -> bool:
    """Whether the section may decide where something goes, which is known of every file when it is loaded."""
    return isinstance(value, dict) and not LATER_DESTINATIONS.get(name, frozenset()).isdisjoint(value)


def _decision(source: ConfigText, at: Location) -> Decision:
    return Decision(".".join(map(str, at)), *source.tree.position(at))


def _of_checks(source: ConfigText, checks: _Checks, fields: Mapping[str, Any]) -> Iterator[Location]:
    """The same keys of checks. Only checks with such keys are validated now."""
    for name, written in fields.items():
        kind = written.get("kind") if isinstance(written, dict) else None
        if isinstance(kind, str) and DESTINATIONS.get(kind, frozenset()) & written.keys():
            found = checks.one(name)
            if isinstance(found, list):
                _refuse(source, found)
            yield from Destination.paths_in(found, ("checks", name))


# Everything that is wrong with a file of which one error is known.


_STAND_INS: Mapping[str, Any] = {
    "version": 1,
    "objectives": {"rpo": "1h", "rto": "1h"},
    "app": {"name": "app"},
    "targets": {"target": {"heroku": {"app": "app"}}},
    "scenarios": {"dns": {"title": "dns", "budget": {}, "steps": [{"use": "dns.look"}]}},
}
"""For sections that no file may lack: where one is wrong, the others are checked all the same."""


def _every_fault(source: ConfigText) -> Iterator[ConfigFault]:
    """All faults of the file; not those that would only follow from others."""
    written = dict(source.tree.value)
    fields = written.pop("checks", {})
    base, found, unsound = _as_far_as_sound(source, written)
    yield from found
    if not isinstance(fields, dict):
        yield source.fault(("checks",), "`checks` must be a mapping of names to checks")
        fields, unsound = {}, {*unsound, "checks", "checklists"}
        base = base.model_copy(update={"checklists": {}, "after_recovery": ()})
    checks = _Checks(source, base, fields, unsound)
    yield from checks.misnamed()
    yield from checks.built()[1]
    yield from _faults_of_scenarios(source, written.get("scenarios"))


def _as_far_as_sound(source: ConfigText, written: Mapping[str, Any]) -> tuple[Config, list[ConfigFault], set[str]]:
    """The file without what is wrong, all that is wrong with its fields, and the sections that it concerns."""
    given, found, unsound = dict(written), list[ConfigFault](), set[str]()
    while True:
        try:
            return Config.model_validate(given), found, unsound
        except ValidationError as error:
            # what is wrong only since another section was taken out is no fault of the file
            found = found or source.invalid(error, Config)
            wrong = {str(detail["loc"][0]) for detail in error.errors(include_url=False)}
            unsound |= wrong
            given = _without(given, wrong, error)


def _without(given: Mapping[str, Any], wrong: Collection[str], error: ValidationError) -> dict[str, Any]:
    """Without the wrong sections; of the scenarios only without those that are wrong."""
    kept = {name: value for name, value in given.items() if name not in wrong}
    if "scenarios" in wrong and isinstance(given.get("scenarios"), dict):
        bad = {detail["loc"][1] for detail in error.errors(include_url=False)
               if detail["loc"][0] == "scenarios" and len(detail["loc"]) > 1}  # fmt: skip
        sound = {name: value for name, value in given["scenarios"].items() if name not in bad}
        kept |= {"scenarios": sound} if bad and sound else {}
    return {**_STAND_INS, **kept}


def _faults_of_scenarios(source: ConfigText, written: object) -> Iterator[ConfigFault]:
    """Of their steps; of a scenario that is wrong itself, those of each step alone."""
    for name, fields in written.items() if isinstance(written, dict) else ():
        try:
            scenario = Scenario.model_validate(fields)
        except ValidationError:
            scenario = None
        if scenario is not None and name in SCENARIOS:
            yield from _unfit_steps(source, name, scenario)
            continue
        steps = fields.get("steps") if isinstance(fields, dict) else None
        for index, step in enumerate(steps if isinstance(steps, list) else ()):
            with suppress(ValidationError):  # which the scenario's own faults say
                yield from _wrong_with(source, ("scenarios", name, "steps", index), StepEntry.model_validate(step))
