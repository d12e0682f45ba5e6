"""Which scenarios.yaml a command uses and why, and what that file may decide by who could have written it."""

from __future__ import annotations

import hashlib
import os
import shlex
import stat
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from uscdr.errors import ConfigError
from uscdr.files import whole
from uscdr.scenarios.loader import Decision, LoadedConfig, load
from uscdr.scenarios.yaml_tree import MOST_BYTES
from uscdr.settings import Directories
from uscdr.words import first_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_FILE_NAME = "scenarios.yaml"


@dataclass(frozen=True)
class ConfigPlace:
    """Where a configuration may be; `why` it would be used. One that is `named` is used or refused, never skipped."""

    path: Path
    why: str
    named: bool = False

    @property
    def counts(self) -> bool:
        """Whether it is used unless an earlier place counts. What has the name and is no file is refused later."""
        return self.named or os.path.lexists(self.path)


def places(given: Path | None, env: Mapping[str, str]) -> Iterator[ConfigPlace]:
    """`--config`, `$USCDR_CONFIG`, the user's configuration directory, the packaged default: the first that counts.

    The current directory is none: whoever may write there would decide what uscdr does.
    """
    if given is not None:
        yield ConfigPlace(given, "named by --config", named=True)
    if env.get("USCDR_CONFIG"):
        yield ConfigPlace(Path(env["USCDR_CONFIG"]), "named by USCDR_CONFIG", named=True)
    yield ConfigPlace(Directories(env).config / _FILE_NAME, "in your configuration directory")
    yield ConfigPlace(packaged(), "packaged with uscdr")


def load_config(given: Path | None, env: Mapping[str, str], *, lazily: bool = False) -> LoadedConfig:
    """The configuration in the first of the `places` that counts.

    `lazily`: checks and steps are validated when they are asked for. Raises ConfigError, also for one that decides
    what it may not.
    """
    place = next(one for one in places(given, env) if one.counts)
    found = replace(load(place.path, lazily=lazily), why=place.why)
    return _trusted(replace(found, own=place.named or found.digest != _digest(packaged())))


def _digest(path: Path) -> str:
    return hashlib.sha256(whole(path, MOST_BYTES)).hexdigest()


def packaged() -> Path:
    """The default that ships with uscdr."""
    inside = Path(__file__).with_name("default.yaml")
    return inside if inside.is_file() else inside.parents[3] / _FILE_NAME


def passed_over(used: Path) -> str:
    """What a person is told of a `./scenarios.yaml` that says something else than the file in use; else empty."""
    here = Path(_FILE_NAME)
    try:
        if not os.path.lexists(here) or (here.exists() and here.samefile(used)):
            return ""
        if here.is_file() and _digest(here) == _digest(used):
            return ""
    except OSError:
        pass
    return "The scenarios.yaml in this directory is not used. To use it: uscdr --config ./scenarios.yaml …"


# What a scenarios.yaml may decide, by who could have written it.


_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
_ROOT = 0


def _trusted(loaded: LoadedConfig) -> LoadedConfig:
    """A file that the operator named or keeps. Raises ConfigError when others could have written what it decides."""
    if loaded.decides and (problem := _foreign(loaded.path)):
        raise ConfigError(
            f"{loaded.path} decides where requests, credentials or code go, and {problem[0]}.",
            why=f"It says {_words(loaded.decides)}.",
            next_action=f"Check that it says what you mean, then: {problem[1]}",
        )
    return loaded


def notice(loaded: LoadedConfig) -> str:
    """The first line of a command: the file in use, and why."""
    return f"Configuration: {loaded.path.absolute()} ({loaded.why})."


def warning(loaded: LoadedConfig) -> str:
    """The same of a file that decides where things go, with what it decides; empty when it does not."""
    if not loaded.decides:
        return ""
    return f"{notice(loaded).removesuffix('.')} decides where requests go: {_words(loaded.decides)}."


def _foreign(path: Path) -> tuple[str, str] | None:
    """Who but the user and root can write the file or put another in its place, and the command that ends it."""
    real, near = path.resolve(), path.absolute().parent
    for one in dict.fromkeys((real, real.parent, near, *_passed(path.absolute()))):
        found, farther = one.stat(), one not in (real, real.parent, near)
        if found.st_uid not in (os.geteuid(), _ROOT) and not farther:
            return f"{one} belongs to another user (uid {found.st_uid})", f"chown {os.geteuid()} {_quoted(one)}"
        # in a directory with the sticky bit nobody replaces what is another's
        kept = stat.S_ISDIR(found.st_mode) and found.st_mode & stat.S_ISVTX
        if found.st_mode & (stat.S_IWOTH if farther else _OTHERS_WRITE) and not kept:
            return f"others may write {one}", f"chmod {'o' if farther else 'go'}-w {_quoted(one)}"
    return None


def _passed(path: Path) -> set[Path]:
    """All that a look for `path` leads through: directories up to the root, and those of the links on the way.

    Of what is farther away only that everybody may write there is wrong: a group may be the user's alone.
    """
    found, left = set[Path](), [path]
    while left:
        one = left.pop()
        if one not in found:
            found.add(one)
            left += [one.parent, *([one.parent / one.readlink()] if one.is_symlink() else [])]
    return {one for one in found if not one.is_symlink()}


def _quoted(path: Path) -> str:
    return shlex.quote(str(path))


def _words(decides: Sequence[Decision]) -> str:
    return first_of([f"{one.key} (line {one.line})" for one in decides])
