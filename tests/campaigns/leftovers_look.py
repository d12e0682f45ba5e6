"""What is there of one case: looked for in the process table and in the file system, not asked of the program."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path

NEIGHBOUR = "neighbour"


def processes() -> Iterator[tuple[int, str, str]]:
    """Number, command line and working directory of every process."""
    for place in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            line = (place / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            if line:
                yield int(place.name), line, str((place / "cwd").readlink())


def left_in(place: Path) -> list[str]:
    """Files under way below a store, and a sandbox."""
    names = (".staging/*", "daemon.json", "processes.jsonl", "postgres", "**/.*.part", "**/.uscdr-*")
    return [f"left: {path}" for name in names for path in place.glob(name)]


def _files(top: Path, pattern: str) -> Iterator[Path]:
    """What is called so below it, whatever goes away meanwhile."""
    for directory, directories, files in os.walk(top):
        yield from (Path(directory, name) for name in (*directories, *files) if fnmatch(name, pattern))


@dataclass
class Seen:
    """A case from outside: its state and temporary directories, and all that was seen of it so far."""

    state: Path
    temporary: Path
    databases: Callable[[], int]
    known: set[Path] = field(default_factory=set)
    ever: set[str] = field(default_factory=set)
    now: list[tuple[int, str, str]] = field(default_factory=list)

    def look(self) -> bool:
        """Take in what is there at this moment."""
        for record in (*_files(self._below(), "server.json"), *_files(self.store, "server.json")):
            with suppress(OSError, ValueError):
                found = json.loads(record.read_bytes())
                if NEIGHBOUR not in record.parts:
                    self.known |= {Path(found[name]) for name in ("home", "sockets") if found.get(name)}
        marks = [*map(str, (*self.known, self.temporary, self.store)), f"{self.state}/scratch/"]
        self.now = [
            one
            for one in processes()
            if any(mark in one[1] or one[2].startswith(mark) for mark in marks)
            and f"{self.state}/scratch/{NEIGHBOUR}" not in one[1] + one[2]
        ]
        self.ever |= {_program(line) for _, line, _ in self.now}
        return True

    def _below(self) -> Path:
        return self.state / "scratch"

    @property
    def store(self) -> Path:
        """Where the command may make things elsewhere."""
        return self.temporary.with_name(f"{self.temporary.name}-store")

    def places(self) -> list[Path]:
        """Directories of processes, but the neighbour's."""
        return [path for path in self._below().glob("*") if path.name != NEIGHBOUR]

    def homes(self) -> list[Path]:
        """Files of servers that are there."""
        return [path for path in self.known if path.exists()]

    def under(self, pattern: str) -> list[Path]:
        """Files in the directories of processes."""
        return [found for path in self.places() for found in _files(path, pattern)]

    def stored(self, pattern: str) -> bool:
        """Whether such a file is in the store."""
        return any(self.store.glob(pattern))

    def runs(self, program: str) -> bool:
        """Whether a program of this case runs now."""
        return any(_program(line) == program for _, line, _ in self.now)

    def ran(self, program: str) -> bool:
        """Whether it was seen at all."""
        return program in self.ever

    def victims(self, wanted: Sequence[str]) -> list[int]:
        """The processes of guards and of servers; the tool is its starter's to kill."""
        found = []
        for pid, line, _ in self.now:
            guard, server = "uscdr-guard" in line, _program(line) == "postgres" and " -D " in line
            daemon = "uscdr.sandbox.daemon" in line and "guard" in wanted  # tool and daemon at once, or the tool alone
            if (guard and "guard" in wanted) or (server and "server" in wanted) or daemon:
                found.append(pid)
        return found

    def left(self) -> list[str]:
        """Everything that should be gone."""
        self.look()
        paths = [*self.places(), *self.homes(), *self.temporary.iterdir(), *(self.state / "source").glob(".*")]
        strays = [f"process {pid}: {line[:160]}" for pid, line, _ in self.now]
        held = [f"{self.databases()} databases and roles"] if self.databases() else []
        return [*(f"left: {path}" for path in paths), *strays, *held]


def _program(line: str) -> str:
    return line.split(" ", 1)[0].rpartition("/")[2].rstrip(":")
