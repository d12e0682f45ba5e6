"""Which scenarios.yaml a command uses, and what that file may decide by where it lies."""

from __future__ import annotations

import hashlib
import os
import shlex
import stat
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from uscdr.errors import ConfigError
from uscdr.scenarios.loader import Decision, LoadedConfig, load
from uscdr.settings import Directories
from uscdr.words import first_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_FILE_NAME = "scenarios.yaml"


def load_config(given: Path | None, env: Mapping[str, str], *, lazily: bool = False) -> LoadedConfig:
    """`--config`, `$USCDR_CONFIG`, `./scenarios.yaml`, the user's configuration directory, the packaged default.

    `lazily`: checks and steps are validated when they are asked for. Raises ConfigError, also for one that decides
    what it may not.
    """
    named = given or (Path(env["USCDR_CONFIG"]) if env.get("USCDR_CONFIG") else None)
    if named is not None:
        return _trusted(replace(load(named, lazily=lazily), own=True))
    here, users = Path(_FILE_NAME), Directories(env).config / _FILE_NAME
    # what has the name and is no file is refused, not passed by
    if os.path.lexists(here) and not _is_beside(here, users):
        return _found(_compared(here, lazily=lazily))
    return (
        _trusted(_compared(users, lazily=lazily)) if os.path.lexists(users) else _found(load(packaged(), lazily=lazily))
    )


def _is_beside(here: Path, users: Path) -> bool:
    """Whether the current directory is the user's configuration directory."""
    try:
        return here.absolute().parent.samefile(users.parent)
    except OSError:
        return False


def _compared(path: Path, *, lazily: bool) -> LoadedConfig:
    loaded = load(path, lazily=lazily)
    return replace(loaded, own=loaded.digest != hashlib.sha256(packaged().read_bytes()).hexdigest())


def packaged() -> Path:
    """The default that ships with uscdr."""
    inside = Path(__file__).with_name("default.yaml")
    return inside if inside.is_file() else inside.parents[3] / _FILE_NAME


# What a scenarios.yaml may decide, by where it lies.


_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
_ROOT = 0


def _found(loaded: LoadedConfig) -> LoadedConfig:
    """A file that nobody named. Raises ConfigError when it decides where things go."""
    if not loaded.decides:
        return loaded
    first = loaded.decides[0]
    raise ConfigError(
        f"{loaded.path}:{first.line}:{first.column}: only a file that you name may decide where requests, "
        f"credentials or code go: {_words(loaded.decides)}.",
        why="uscdr found this file in the current directory, where anybody may have put it. No request was sent.",
        next_action="Look at these lines. If you mean them, name the file before the command: "
        f"uscdr --config {shlex.quote(_spelt(loaded.path))}",
    )


def _spelt(path: Path) -> str:
    return str(path) if path.is_absolute() else f"./{path}"


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
    """What the first line of a command says of a file that decides where things go; empty when it does not."""
    if not loaded.decides:
        return ""
    return f"Configuration: {loaded.path.absolute()} decides where requests go: {_words(loaded.decides)}."


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
