"""Read scenarios.yaml. Every error names file, line and column, and what is allowed there."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from uscdr.checks.registry import DESTINATIONS
from uscdr.models.base import Destination
from uscdr.scenarios.config import Config, anchored
from uscdr.scenarios.sections import Checks, ConfigText, Location, Scenarios, complaints
from uscdr.scenarios.yaml_tree import content, parse, position

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path


@dataclass(frozen=True)
class Decision:
    """A key, as `targets.production.web`, and the line and column where it stands."""

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
    """Whether an operator chose it: it was named, or it says other things than the packaged file."""
    decides: tuple[Decision, ...] = ()
    """What it says of where requests, credentials or code go to or come from, beside the providers' own places."""


def load(path: Path, *, lazily: bool = False) -> LoadedConfig:
    """Read and check the file. Raises ConfigError.

    `lazily`: its checks, and the steps of each scenario, are validated when one is first asked for, and raise it then.
    """
    data = content(path)
    source = ConfigText(path, parse(path, data))
    written = dict(source.tree.value)
    fields = written.pop("checks", {})
    try:
        base = Config.model_validate(written)
    except ValidationError as error:
        source.refuse(complaints(error, Config))
    if not isinstance(fields, dict):
        raise source.wrong(("checks",), "`checks` should be a mapping of names to checks.")
    checks = Checks(source, base, fields)
    decides = tuple(_decision(source, at) for at in (*Destination.paths_in(base), *_of_checks(source, checks, fields)))
    scenarios = Scenarios(source, base.scenarios)
    if not lazily:
        checks.validate()
        scenarios.validate()
    config = base.model_copy(update={"checks": checks, "scenarios": scenarios})
    return LoadedConfig(
        anchored(config, path.absolute().parent), path, hashlib.sha256(data).hexdigest(), decides=decides
    )


def _decision(source: ConfigText, at: Location) -> Decision:
    return Decision(".".join(map(str, at)), *position(source.tree, at))


def _of_checks(source: ConfigText, checks: Checks, fields: Mapping[str, Any]) -> Iterator[Location]:
    """Where checks say such things. Only those are made now: nobody may be misled by what was not read yet."""
    for name, written in fields.items():
        kind = written.get("kind") if isinstance(written, dict) else None
        if isinstance(kind, str) and DESTINATIONS.get(kind, frozenset()) & written.keys():
            found = checks.one(name)
            if isinstance(found, list):
                source.refuse(found)
            yield from Destination.paths_in(found, ("checks", name))
