"""Values that this machine knows offline, for the shell's completion. Nothing here asks a provider or fails."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

_Values = Iterator[tuple[str, str]]
"""Each value with a short description."""
_NAMED = re.compile(rb'"([ab][0-9]{3,6})"')
"""A backup's name in a journal, a card or a proof."""
_FILES, _BYTES = 40, 1_000_000
"""Most files of a kind, and bytes of each, that are looked at: a shell waits."""


def values_for(kind: str, config: str | None) -> list[tuple[str, str]]:
    """The known values of a kind, by a metavar such as `BACKUP`; `config` is what --config gave."""
    found = _KINDS.get(kind)
    if found is None:
        return []
    try:
        return sorted(dict(found(config)).items())
    except (OSError, ValueError):
        return []


def _state() -> Path:
    from uscdr.settings import Directories

    return Directories(os.environ).state


@cache
def _settings(config: str | None) -> Mapping[str, Any]:
    """scenarios.yaml without any check: only names are taken from it. Raises OSError or ValueError."""
    import yaml

    inside = Path(__file__).parents[1] / "scenarios" / "default.yaml"
    places = (config, os.environ.get("USCDR_CONFIG"), "scenarios.yaml", inside, inside.parents[3] / "scenarios.yaml")
    path = next(Path(one) for one in places if one and Path(one).is_file())
    try:
        found = yaml.load(path.read_bytes()[:_BYTES], Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506
    except yaml.YAMLError as error:
        raise ValueError(str(path)) from error
    return found if isinstance(found, dict) else {}


def _stores(config: str | None) -> list[Path]:
    """The directories that hold copies or kits."""
    settings = _settings(config)
    named = [settings.get(section) or {} for section in ("kit", "vault")]
    places = [str(one.get("to")) for one in named if isinstance(one, dict) and one.get("to")]
    return [Path(place) for place in dict.fromkeys(places) if "://" not in place] + [_state() / "vault"]


def _newest(files: Iterator[Path]) -> list[Path]:
    return sorted(files, reverse=True)[:_FILES]


def _backups(config: str | None) -> _Values:
    yield "newest", "the newest backup"
    journals = _newest((_state() / "runs").glob("*/journal.jsonl"))
    cards = [path for store in _stores(config) for path in islice(store.glob("*/*/*.json"), _FILES)]
    for path, said in [*((one, "in a copy or a proof") for one in cards), *((one, "in a run") for one in journals)]:
        if path.stat().st_size <= _BYTES:
            yield from ((name.decode(), said) for name in set(_NAMED.findall(path.read_bytes())))


def _kits(config: str | None) -> _Values:
    yield "newest", "the newest kit"
    for store in _stores(config):
        yield from ((path.parent.name, f"in {store}") for path in (store / "kits").glob("*/manifest.json.age"))


def _runs(config: str | None) -> _Values:
    del config
    from uscdr.journal.runs import scenario_in

    for path in _newest((_state() / "runs").glob("*/")):
        yield path.name, f"a run of {scenario_in(path.name)}"


def _incidents(config: str | None) -> _Values:
    del config
    yield from ((path.name, "an incident") for path in _newest((_state() / "incidents").glob("*/")))


def _targets(config: str | None) -> _Values:
    yield "sandbox", "the sandbox of this machine"
    yield from ((str(name), "of scenarios.yaml") for name in _settings(config).get("targets") or {})


def _checks(config: str | None) -> _Values:
    for name, one in (_settings(config).get("checks") or {}).items():
        yield str(name), f"kind {one.get('kind')}" if isinstance(one, dict) else ""


def _checklists(config: str | None) -> _Values:
    yield "all", "every checklist"
    for name, one in (_settings(config).get("checklists") or {}).items():
        yield str(name), str(one.get("title", "")) if isinstance(one, dict) else ""


def _scenarios(config: str | None) -> _Values:
    for name, one in (_settings(config).get("scenarios") or {}).items():
        yield str(name), str(one.get("title", "")) if isinstance(one, dict) else ""


def _exercises(config: str | None) -> _Values:
    for section in ("exercises", "supplies"):
        yield from ((str(one.get("name")), str(one.get("title", ""))) for one in _settings(config).get(section) or [])


def _words(text: str) -> Callable[[str | None], _Values]:
    return lambda _: ((word, "") for word in text.split())


_KINDS: Mapping[str, Callable[[str | None], _Values]] = {
    "BACKUP": _backups,
    "KIT": _kits,
    "RUN": _runs,
    "ID": _incidents,
    "TARGET": _targets,
    "CHECK": _checks,
    "CHECKLIST": _checklists,
    "SCENARIO": _scenarios,
    "NAME": _exercises,
    "GROUP": _words("team stakeholders users"),
    "SEVERITY": _words("critical major minor"),
    "STAGE": _words("first update completion"),
    "READERS": _words("internal users"),
    "FORMAT": _words("markdown json html"),
    "SHELL": _words("bash zsh fish"),
}
"""By metavar, without brackets and dots."""
