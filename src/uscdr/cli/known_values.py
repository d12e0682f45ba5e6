"""Values that this machine knows offline, for the shell's completion. Nothing here asks a provider or fails."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

_Values = Iterator[tuple[str, str]]
"""Each value with a short description."""
_BACKUP = re.compile(r"[ab][0-9]{3,6}")
_FILES, _BYTES = 40, 1_000_000
"""Most files of a kind, and bytes of each, that are looked at: a shell waits."""
_SANDBOX = "sandbox"


@dataclass(frozen=True)
class NamedPlace:
    """What the unfinished command line gave for --config and --target."""

    config: str | None = None
    target: str | None = None


def values_for(kind: str, named: NamedPlace) -> list[tuple[str, str]]:
    """The known values of a kind, by a metavar such as `BACKUP`."""
    found = _KINDS.get(kind)
    if found is None:
        return []
    try:
        return sorted(dict(found(named)).items())
    except (OSError, ValueError):
        return []


def _state() -> Path:
    from uscdr.settings import Directories

    return Directories(os.environ).state


@cache
def _settings(config: str | None) -> Mapping[str, Any]:
    """scenarios.yaml without any check: only names are taken from it. Raises OSError or ValueError."""
    import yaml

    from uscdr.settings import Directories

    inside = Path(__file__).parents[1] / "scenarios" / "default.yaml"
    own = Directories(os.environ).config / "scenarios.yaml"
    places = (config, os.environ.get("USCDR_CONFIG"), own, inside, inside.parents[3] / "scenarios.yaml")
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


@dataclass(frozen=True)
class _Application:
    """What a target consists of now, as far as this machine knows without a request."""

    target: str
    app: str
    identity: str = ""
    """Of the running sandbox; empty for an application at the platform."""
    since: float = 0.0
    """When that sandbox began; seconds since 1970."""

    def began(self, line: bytes) -> bool:
        """Whether it is this application's run whose journal begins with this line."""
        event = _object(line).get("event")
        if not isinstance(event, dict) or (event.get("target"), event.get("app")) != (self.target, self.app):
            return False
        key = str((event.get("request") or {}).get("key", ""))
        return not self.identity or key.endswith(f" {self.identity}")


def _application(named: NamedPlace) -> _Application | None:
    """The application that a command would work on; None if the command line does not decide that."""
    targets = _settings(named.config).get("targets") or {}
    name = named.target or os.environ.get("USCDR_TARGET") or (next(iter(targets)) if len(targets) == 1 else "")
    if name == _SANDBOX:
        place = _state() / _SANDBOX / "sandbox.json"
        facts = _object(place.read_bytes()) if place.is_file() else {}
        app, identity = str((facts.get("heroku") or {}).get("app", "")), str(facts.get("identity", ""))
        return _Application(name, app, identity, place.stat().st_mtime) if app and identity else None
    heroku = (targets.get(name) or {}).get("heroku") or {}
    return _Application(name, str(heroku["app"])) if heroku.get("app") else None


def _backups(named: NamedPlace) -> _Values:
    """Those that were seen to exist: by a run on the application, by a proof or in a copy of one of its backups."""
    yield "newest", "the newest backup"
    if (application := _application(named)) is None:
        return
    journals = [lines for path in _newest((_state() / "runs").glob("*/journal.jsonl"))
                if application.began((lines := _read(path).splitlines() or [b""])[0])]  # fmt: skip
    for lines in journals:
        yield from ((name, "in a run") for line in lines[1:] for name in _names_in(_object(line)))
    for store in _stores(named.config):
        yield from _stored(store, application, b"\n".join(line for lines in journals for line in lines))


def _stored(store: Path, application: _Application, seen: bytes) -> _Values:
    """The application's backups among the proofs and copies of a store; `seen`: what its runs recorded."""
    proven = set[str]()
    for path in islice((store / "proofs").glob("*/*.json"), _FILES):
        proof = _object(_read(path))
        if (proof.get("app"), proof.get("identity")) == (application.app, application.identity):
            proven.add(str(proof.get("sha256")))
            yield str(proof.get("backup")), "in a proof"
    for path in islice((store / "backups").glob("*/card.json"), _FILES):
        card = _object(_read(path))
        origin, dump = card.get("origin") or {}, card.get("dump") or {}
        addon = str(origin.get("addon_id") or "")
        ours = dump.get("plain_sha256") in proven or (addon and f'"{addon}"'.encode() in seen)
        fresh = application.identity and path.stat().st_mtime >= application.since
        if origin.get("app") == application.app and (ours or fresh):
            yield str(origin.get("name")), "in a copy"


def _names_in(value: object) -> Iterator[str]:
    """Every text that is the name of a backup."""
    match value:
        case str() if _BACKUP.fullmatch(value):
            yield value
        case dict():
            yield from (name for one in value.values() for name in _names_in(one))
        case list():
            yield from (name for one in value for name in _names_in(one))
        case _:
            return


def _read(path: Path) -> bytes:
    return path.read_bytes() if path.stat().st_size <= _BYTES else b""


def _object(text: bytes) -> dict[str, Any]:
    """A JSON object; an empty one for anything else."""
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _kits(named: NamedPlace) -> _Values:
    yield "newest", "the newest kit"
    for store in _stores(named.config):
        yield from ((path.parent.name, f"in {store}") for path in (store / "kits").glob("*/manifest.json.age"))


def _runs(named: NamedPlace) -> _Values:
    del named
    from uscdr.journal.runs import scenario_in

    for path in _newest((_state() / "runs").glob("*/")):
        yield path.name, f"a run of {scenario_in(path.name)}"


def _incidents(named: NamedPlace) -> _Values:
    del named
    yield from ((path.name, "an incident") for path in _newest((_state() / "incidents").glob("*/")))


def _targets(named: NamedPlace) -> _Values:
    yield "sandbox", "the sandbox of this machine"
    yield from ((str(name), "of scenarios.yaml") for name in _settings(named.config).get("targets") or {})


def _checks(named: NamedPlace) -> _Values:
    for name, one in (_settings(named.config).get("checks") or {}).items():
        yield str(name), f"kind {one.get('kind')}" if isinstance(one, dict) else ""


def _checklists(named: NamedPlace) -> _Values:
    yield "all", "every checklist"
    for name, one in (_settings(named.config).get("checklists") or {}).items():
        yield str(name), str(one.get("title", "")) if isinstance(one, dict) else ""


def _scenarios(named: NamedPlace) -> _Values:
    for name, one in (_settings(named.config).get("scenarios") or {}).items():
        yield str(name), str(one.get("title", "")) if isinstance(one, dict) else ""


def _exercises(named: NamedPlace) -> _Values:
    for section in ("exercises", "supplies"):
        yield from (
            (str(one.get("name")), str(one.get("title", ""))) for one in _settings(named.config).get(section) or []
        )


def _words(text: str) -> Callable[[NamedPlace], _Values]:
    return lambda _: ((word, "") for word in text.split())


_KINDS: Mapping[str, Callable[[NamedPlace], _Values]] = {
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
