"""Looks of `uscdr doctor` at this machine alone: programs, room, state, libraries, terminal. None needs the network."""

from __future__ import annotations

import os
import platform
import resource
import stat
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from uscdr.errors import MachineError, UscdrError
from uscdr.files import exposure
from uscdr.installation import CLINIC, MODULES, PURPOSES, SERVES, install, lacks
from uscdr.words import size

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from uscdr.providers.ports.probes import Machine
    from uscdr.scenarios.room import Demand
    from uscdr.ui.console import OutputStream

_USUAL = 17
"""The server's major version where the platform's is not known: what the platform gives to new applications."""
_NARROW = 80
_FEW_FILES = 256
"""Below this not even a proof can be made."""
_EXTRAS: Mapping[str, tuple[str, ...]] = {
    "vault": MODULES["vault"], "notify": MODULES["notify"], "sandbox": (*SERVES, *CLINIC)
}  # fmt: skip
"""The modules of the extras that have a line. PostgreSQL has lines of its own."""
_PLAIN_LOCALES = frozenset({"C", "POSIX"})


@dataclass(frozen=True)
class LookResult:
    """What one look found, in a line; for a warning or a problem also what to type."""

    name: str
    state: Literal["ok", "warning", "problem", "not applicable"]
    found: str
    fix: str = ""

    @classmethod
    def of_error(cls, name: str, error: UscdrError) -> LookResult:
        """The problem that the error tells of."""
        return cls(name, "problem", error.reason, error.next_action)


def python() -> LookResult:
    """The interpreter; an older one than is supported cannot get here."""
    return LookResult("python", "ok", f"Python {platform.python_version()} ({sys.executable})")


def postgres_client(server: int) -> LookResult:
    """The programs that restore a dump of a server of that major version (0: unknown), as a proof finds them."""
    from uscdr.pgserver.cluster import Tool
    from uscdr.providers.postgres.archive import first_reader

    name, found = "postgresql client", list[str]()
    try:
        restores = Tool.find("pg_restore", minimum_major=first_reader(server or _USUAL))
    except MachineError as error:
        return _too_old(LookResult.of_error(name, error), known=server != 0)
    found.append(f"pg_restore {_version(restores.version)} ({restores.path})")
    for program in ("pg_dump", "psql"):
        try:
            found.append(f"{program} {_version(Tool.find(program).version)}")
        except MachineError as error:
            return LookResult(name, "warning", f"{program} is missing, for steps by hand.", error.next_action)
    return LookResult(name, "ok", ", ".join(found))


def _too_old(problem: LookResult, *, known: bool) -> LookResult:
    """Only a warning if there is a pg_restore, and it is not `known` which server's dumps it must read."""
    from uscdr.pgserver.cluster import Tool

    try:
        Tool.find("pg_restore")
    except MachineError:
        return problem
    words = f"{problem.found} The platform's version is not known: an older server's dumps can be read."
    return problem if known else replace(problem, state="warning", found=words)


def postgres_server(theirs: int, *, own: bool) -> LookResult:
    """The server for proofs against the major version at the platform (0: unknown); `own`: the operator has one."""
    from uscdr.pgserver.cluster import Tool, find_server

    name = "postgresql server"
    if own:
        return LookResult(name, "not applicable", "Proofs use the server of USCDR_SCRATCH.")
    try:
        directory = find_server()
        ours = Tool.find("postgres", configured=directory)
    except MachineError as error:
        return LookResult.of_error(name, error)
    if theirs > ours.version[0]:
        words = f"PostgreSQL {ours.version[0]} is older than {theirs} on the platform: a proof may fail only for that."
        return LookResult(name, "warning", words, f"sudo apt-get install postgresql-{theirs}")
    return LookResult(name, "ok", f"postgres {_version(ours.version)} with initdb in {directory}")


def _version(version: tuple[int, int]) -> str:
    return ".".join(map(str, version))


def room(machine: Machine, demand: Demand, source: str) -> LookResult:
    """Free disk for the proof of the newest backup; `source` says how its size is known."""
    try:
        here, there = machine.downloads(), machine.databases()
    except MachineError:
        return LookResult("disk", "not applicable", "The state directory cannot be used.")
    needed = f"a proof needs about {size(demand.whole)} ({source})"
    if lacking := demand.lacking(here, there):
        words = " ".join(one.message for one in lacking)
        return LookResult("disk", "problem", f"{words} ({source})", lacking[0].next_action)
    least = min((here, there or here), key=lambda one: one.free)
    return LookResult("disk", "ok", f"{size(least.free)} free in {least.place}; {needed}")


def existing(path: Path) -> Path:
    """The path, or the nearest directory above it that is there."""
    return next((one for one in (path, *path.parents) if os.path.lexists(one)), Path("/"))


def state_directory(machine: Machine, path: Path) -> LookResult:
    """Whether runs can be recorded, and only the operator can read them."""
    name = "state directory"
    try:
        machine.downloads()
        found = existing(path).stat()
    except (MachineError, OSError) as error:
        why = error.reason if isinstance(error, MachineError) else str(error.strerror)
        return LookResult(name, "problem", why, "export USCDR_STATE_DIR=DIRECTORY, one of your own on a disk with room")
    if existing(path) != path:
        return LookResult(name, "ok", f"{path} does not exist yet and can be created")
    if found.st_uid not in (os.geteuid(), 0):
        return LookResult(name, "problem", f"{path} belongs to uid {found.st_uid}.", f"sudo chown -R $USER {path}")
    if stat.S_IMODE(found.st_mode) & 0o077:
        return LookResult(name, "warning", f"Other users can look into {path}.", f"chmod 700 {path}")
    return LookResult(name, "ok", f"{path} is writable, and private")


def secret_files(named: Mapping[str, str]) -> LookResult:
    """Key files by the variable, or the words, that name them: they are there, and nobody else can read them."""
    name = "secret files"
    for what, text in named.items():
        path = Path(text).expanduser()
        if words := exposure(path):
            return LookResult(name, "problem", f"{words.partition('. Run: ')[0]} ({what}).", f"chmod 600 {path}")
        if not os.access(path, os.R_OK):
            return LookResult(name, "problem", f"{path} ({what}) cannot be read.", f"ls -l {path}; export {what}=FILE")
    if not named:
        return LookResult(name, "not applicable", "No variable names a key file, and there is no netrc.")
    return LookResult(name, "ok", f"only you can read: {', '.join(named.values())}")


def git(*, needed: bool) -> LookResult:
    """For the code that a recovery deploys or compares; `needed`: whether the configuration names a repository."""
    from uscdr.settings import program

    if found := program("git"):
        return LookResult("git", "ok", str(found))
    what = "deploys and comparisons with the code need it" if needed else "the configuration names no repository so far"
    words = f"git is not on the PATH: {what}."
    return LookResult("git", "problem" if needed else "warning", words, "sudo apt-get install git")


def extras(needed: Iterable[str]) -> list[LookResult]:
    """The optional parts; those that the configuration needs must be installed."""
    return [_extra(extra, needed=extra in set(needed)) for extra in _EXTRAS]


def _extra(extra: str, *, needed: bool) -> LookResult:
    missing = lacks(_EXTRAS[extra])
    if not missing:
        return LookResult(f"extra {extra}", "ok", f"installed: uscdr can {PURPOSES[extra]}")
    words = f"Not installed ({', '.join(missing)}). With it uscdr can {PURPOSES[extra]}."
    if needed:
        words += " The configuration needs it."
    return LookResult(f"extra {extra}", "problem" if needed else "warning", words, install(extra))


def terminal(stream: OutputStream) -> LookResult:
    """Whether questions can be asked and the screen can be drawn on `stream`."""
    if not stream.is_tty and not _asks():
        words = "No terminal: a run is confirmed with --confirm, and prints plain lines."
        return LookResult("terminal", "not applicable", words)
    term, columns = os.environ.get("TERM", ""), stream.width
    if not _asks():
        words = "Standard input is no terminal: nothing can be asked."
        return LookResult("terminal", "warning", words, "uscdr … </dev/tty")
    if stream.is_tty and not stream.moves:
        words = f"TERM is “{term}”: uscdr prints plain lines instead of its screen."
        return LookResult("terminal", "warning", words, "export TERM=xterm-256color")
    if columns < _NARROW:
        return LookResult(
            "terminal", "warning", f"{columns} columns: lines are cut.", f"Widen it to {_NARROW} columns."
        )
    return LookResult("terminal", "ok", f"{term}, {columns} columns")


def _asks() -> bool:
    return sys.stdin is not None and not sys.stdin.closed and sys.stdin.isatty()


def locale(env: Mapping[str, str], stream: OutputStream) -> LookResult:
    """Whether names and signs outside of ASCII are shown and read."""
    named = next((name for name in ("LC_ALL", "LC_CTYPE", "LANG") if env.get(name)), "")
    encoding = (getattr(stream.raw, "encoding", None) or "").lower()
    if env.get(named, "") in _PLAIN_LOCALES or (encoding and encoding.replace("-", "") != "utf8"):
        words = f"{named or 'The locale'} is {env.get(named, 'not set')}, output is {encoding}: other letters are lost."
        return LookResult("locale", "warning", words, "export LC_ALL=C.UTF-8")
    return LookResult("locale", "ok", f"{env.get(named) or 'no variable set'}, {encoding or 'no output'}")


def open_files(needed: int) -> LookResult:
    """How many files this process may open, after uscdr raised its own limit as far as it may."""
    now = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if now == resource.RLIM_INFINITY or now >= needed:
        return LookResult("open files", "ok", "no limit" if now == resource.RLIM_INFINITY else f"at most {now:,}")
    state: Literal["warning", "problem"] = "problem" if now < _FEW_FILES else "warning"
    words = f"A process may open {now:,} files; a recovery may need {needed:,}."
    return LookResult("open files", state, words, f"ulimit -Hn {needed} (as root, or in /etc/security/limits.conf)")
