"""The configuration in sight: where it may be, what is in effect, and whether a file is valid."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from pydantic import BaseModel, BeforeValidator
from typing_extensions import TypedDict

from uscdr.errors import BadInput, ConfigError, MachineError
from uscdr.files import disk_errors, new_file
from uscdr.models.base import SECONDS, seconds
from uscdr.scenarios.config import SANDBOX, Config
from uscdr.scenarios.config_file import packaged, passed_over, places
from uscdr.settings import Directories
from uscdr.ui.schemas import Schema
from uscdr.words import plural

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic.fields import FieldInfo

    from uscdr.scenarios.config_file import ConfigPlace
    from uscdr.scenarios.loader import LoadedConfig
    from uscdr.ui.console import Output
    from uscdr.wiring.targets import Targets


class _PlaceObject(TypedDict):
    path: str
    used: bool
    exists: bool
    why: str


class _FaultObject(TypedDict):
    file: str
    line: int | None
    column: int | None
    valid: bool
    message: str


class _ValidObject(TypedDict):
    file: str
    why: str
    valid: bool
    sha256: str
    targets: list[str]
    scenarios: list[str]
    checks: list[str]
    invariants: list[str]
    decides: list[str]


class _ConfigObject(TypedDict):
    file: str
    why: str
    target: str
    configuration: str
    """YAML that could be the file."""


def show_places(given: Path | None, output: Output) -> None:
    """Print each place, the one in use first; no file is read. Raises MachineError without a home directory."""
    found = list(_known_places(given))
    used = next(one for one in found if one.counts)
    for place in (used, *(one for one in found if one is not used)):
        _show_place(place, output, used=place is used)
    if words := passed_over(used.path):
        if output.json_lines:
            here = str(Path("scenarios.yaml").absolute())
            why = "in the current directory"
            output.record(Schema.CONFIG_PLACE, _PlaceObject(path=here, used=False, exists=True, why=why))
        else:
            output.result(words)


def _known_places(given: Path | None) -> Iterator[ConfigPlace]:
    """All; without a home directory only those that are named, if any is."""
    named = False
    try:
        for one in places(given, os.environ):
            named = named or one.named
            yield one
    except MachineError:
        if not named:
            raise


def _show_place(place: ConfigPlace, output: Output, *, used: bool) -> None:
    path, exists = place.path.absolute(), os.path.lexists(place.path)
    if output.json_lines:
        output.record(Schema.CONFIG_PLACE, _PlaceObject(path=str(path), used=used, exists=exists, why=place.why))
        return
    state = "used" if used else "not used"
    output.result(f"{state}: {path} ({place.why}{'' if exists else '; it does not exist'})")


def create(output: Output) -> None:
    """Put the packaged file into the user's configuration directory, for editing. Raises BadInput if one is there."""
    path = Directories(os.environ).config / "scenarios.yaml"
    with disk_errors(f"uscdr cannot write {path}.", "Free disk space, or fix its permissions."):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            with new_file(path) as file:
                file.write(packaged().read_bytes())
        except FileExistsError:
            raise BadInput(
                f"{path} exists; uscdr does not overwrite it.", next_action="Check it: uscdr config check"
            ) from None
    if output.json_lines:
        why = "in your configuration directory"
        place = _PlaceObject(path=str(path), used=True, exists=True, why=why)
        output.record(Schema.CONFIG_PLACE, place)
    else:
        output.result(f"Created: {path}. Put your application in, then: uscdr config check")


def check_file(targets: Targets, output: Output) -> None:
    """Say what a valid file has. Raises ConfigError with all that is wrong with another one."""
    try:
        loaded = targets.loaded()
    except ConfigError as error:
        for fault in error.faults if output.json_lines else ():
            found = _FaultObject(
                file=fault.file, line=fault.line, column=fault.column, valid=False, message=fault.words
            )
            output.record(Schema.CONFIG_FAULT, found)
        raise
    config = loaded.config
    if output.json_lines:
        valid: _ValidObject = {
            "file": str(loaded.path.absolute()), "why": loaded.why, "valid": True, "sha256": loaded.digest,
            "targets": list(config.targets), "scenarios": list(config.scenarios), "checks": list(config.checks),
            "invariants": [one.name for one in config.invariants], "decides": [one.key for one in loaded.decides],
        }  # fmt: skip
        output.record(Schema.CONFIG_VALID, valid)
        return
    counts = (
        f"{plural(len(config.targets), 'target')} ({', '.join(config.targets)})",
        f"{plural(len(config.scenarios), 'scenario')} ({', '.join(config.scenarios)})",
        plural(len(config.checks), "check"),
        plural(len(config.invariants), "invariant"),
    )
    output.result(f"{loaded.path.absolute()} is valid: {', '.join(counts)}.")


def show_effective(targets: Targets, output: Output) -> None:
    """Print the configuration with every default, as YAML that could be its file. Raises as `Targets.loaded`."""
    import yaml

    loaded = targets.loaded()
    name = targets.name or os.environ.get("USCDR_TARGET") or ""
    written = _written(_of_target(loaded, name))
    text = yaml.safe_dump(written, sort_keys=False, allow_unicode=True, width=120)
    if output.json_lines:
        file = str(loaded.path.absolute())
        output.record(Schema.CONFIG, _ConfigObject(file=file, why=loaded.why, target=name, configuration=text))
        return
    output.result(text.rstrip("\n"))


def _of_target(loaded: LoadedConfig, name: str) -> Config:
    """The configuration with only the target `name`; of the sandbox, as the sandbox changes it. Raises BadInput."""
    from uscdr.wiring.targets import find_target, services_of

    if not name:
        return loaded.config
    if name == SANDBOX:
        found = find_target(loaded, name, os.environ)
        return found.config.model_copy(update={"targets": {name: found.services}})
    return loaded.config.model_copy(update={"targets": {name: services_of(loaded, name)}})


def _written(value: Any, field: FieldInfo | None = None) -> Any:  # noqa: ANN401 - a model's values
    """As in a file: durations as text; without what is empty by default."""
    if isinstance(value, BaseModel):
        fields = type(value).model_fields.items()
        return {(one.alias or name): _written(found, one) for name, one in fields
                if (found := getattr(value, name)) or found != one.get_default(call_default_factory=True)}  # fmt: skip
    if isinstance(value, Mapping):
        return {name: _written(one, field) for name, one in value.items()}
    if isinstance(value, tuple | list | frozenset):
        return [_written(one, field) for one in value]
    if field and isinstance(value, float) and _is_duration(field):
        return _duration(value)
    return value if value is None or type(value) in (str, bool, int, float) else str(value)


def _is_duration(field: FieldInfo) -> bool:
    """Whether the field, or each value of it, is written as a duration."""
    metadata = [*field.metadata, *(mark for one in get_args(field.annotation) for mark in get_args(one)[1:])]
    return any(isinstance(mark, BeforeValidator) and mark.func is seconds for mark in metadata)


def _duration(value: float) -> str:
    unit = next(one for one in reversed(SECONDS) if value % SECONDS[one] == 0 or one == "s")
    return f"{value / SECONDS[unit]:g}{unit}"
