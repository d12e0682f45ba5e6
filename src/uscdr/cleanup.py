"""Temporary files, servers and databases of processes, and the cleanup after a killed process.

There is one register, `scratch` in the state directory. Each process has its own directory there and keeps it locked
while it lives. Everything that must not outlive the process is in it or noted in it: dumps and other unencrypted
files, clones, private servers, a drill's sandbox, databases on the operator's server. An empty register is removed, so
one call finds that nothing was left.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from uscdr import staging as elsewhere
from uscdr.errors import BadInput, ProviderError, UscdrError
from uscdr.files import clear_away, disk_errors, own_directory, private_directory
from uscdr.settings import SCRATCH
from uscdr.staging import STAGING, CleanupNote

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic import SecretStr

_REGISTER = "scratch"
_OWN_NAME = re.compile(r"\.uscdr-[0-9a-f]{16}")
SANDBOX = "sandbox"
"""The sandbox's name in the directory of its process."""


@contextmanager
def workplace(state: Path, name: str) -> Iterator[Path]:
    """A private directory of this process, removed at the end with everything noted in it. Raises MachineError."""
    register = state / _REGISTER
    place = register / name
    if place.exists():  # left by a killed process of the same run, with notes of things that cannot be removed yet
        place = register / f"{name}-{secrets.token_hex(4)}"
    try:
        with own_directory(place, above=private_directory, gone=_Clearing().tidy) as own:
            yield own
    finally:
        with suppress(OSError):
            register.rmdir()


def sweep(state: Path, scratch: SecretStr | None = None) -> tuple[str, ...]:
    """Remove what killed processes left, nothing of living ones. Returns what remains, in words.

    `scratch` is the URL of the operator's server for proofs, by default that of the environment. What was left there
    can be removed only with this URL.
    """
    register = state / _REGISTER
    if not register.exists():
        return ()
    clearing = _Clearing(scratch)
    with disk_errors(f"uscdr cannot remove the content of {register}."), suppress(FileNotFoundError):
        clear_away(register, clearing.clear)
    with suppress(OSError):
        register.rmdir()
    return tuple(clearing.left)


@dataclass
class _Clearing:
    scratch: SecretStr | None = None
    left: list[str] = field(default_factory=list)

    def clear(self, place: Path) -> None:
        """Removes everything of a dead process, starting with what could still write there."""
        from uscdr.pgserver.process import end_users_of

        try:
            end_users_of(place)
        except UscdrError as error:
            self._say(error)
        else:
            self.tidy(place)

    def tidy(self, place: Path) -> None:
        """Removes the things, then the directory that lists them: after a kill the next cleanup continues."""
        try:
            _end_sandbox(place / SANDBOX)
            for one in (*place.glob("server.json"), *place.glob("*/server.json")):
                _end_server(one.parent)
        except UscdrError as error:
            self._say(error)
            return
        remaining = [note for note in elsewhere.CleanupNote.all_in(place) if not self._removed(note)]
        _empty(place, keep={note.path for note in remaining})

    def _say(self, error: UscdrError) -> None:
        self.left.append(" ".join(filter(None, (f"{error.message.rstrip('.')}.", error.why, error.next_action))))

    def _removed(self, note: CleanupNote) -> bool:
        if note.kind == "directory":
            done = _directory_removed(Path(note.facts.get("path", "")))
        elif note.kind == "staging":
            done = _staging_cleared(Path(note.facts.get("path", "")))
        else:
            done = self._database_removed(note)
        if done:
            note.strike()
        return done

    def _database_removed(self, note: CleanupNote) -> bool:
        from uscdr.providers.postgres import scratch_own

        place, name, why = note.facts.get("server", ""), note.facts.get("name", ""), ""
        try:
            url = self.scratch or _scratch_of_environment()
            if url is not None and scratch_own.remove_left(url, note.facts):
                return True
        except ProviderError as error:
            why = f" ({error.message})"
        self.left.append(
            f"A killed proof left the database and the role {name}, with patient data, on the PostgreSQL at "
            f"{place}{why}. The next command with the server's URL (--scratch or {SCRATCH}) removes them."
        )
        return False


def _end_server(directory: Path) -> None:
    from uscdr.pgserver.server import reap

    reap(directory)


def _scratch_of_environment() -> SecretStr | None:
    """The server for proofs, for commands without the option `--scratch`."""
    from uscdr.providers.postgres.scratch_own import scratch_url

    with suppress(BadInput):
        return scratch_url(os.environ.get(SCRATCH, ""))
    return None


def _directory_removed(path: Path) -> bool:
    """Accepts only a name that uscdr itself creates, because a note may be damaged."""
    if _OWN_NAME.fullmatch(path.name):
        _remove_tree(path)
        return not path.exists()
    return True


def _remove_tree(path: Path) -> None:
    """Remove a tree as far as possible."""
    shutil.rmtree(path, ignore_errors=True)


def _staging_cleared(path: Path) -> bool:
    """Others may use the store: only unlocked directories are removed. A missing drive is skipped."""
    if path.name == STAGING and path.is_dir():
        with suppress(OSError):
            clear_away(path)
    return True


def _end_sandbox(root: Path) -> None:
    """End a drill's sandbox, and remove what is left of it."""
    if not root.is_dir():
        return
    from uscdr.sandbox import launch
    from uscdr.sandbox.state import StateDir

    if not StateDir(root).is_foreign():
        launch.down(StateDir(root), lambda _: None)


def _empty(place: Path, keep: set[Path]) -> None:
    """Removes everything except what is kept, and the directories above that."""
    if not keep:
        shutil.rmtree(place, ignore_errors=True)
        return
    kept = keep | {above for path in keep for above in path.parents}
    with suppress(OSError):
        for path in place.iterdir():
            if path not in kept:
                shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
