"""What a custom-format dump contains, checked before a restore."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Self

from uscdr.errors import CheckFailed, MachineError
from uscdr.files import opened
from uscdr.pgserver.cluster import Tool
from uscdr.providers.postgres import contents
from uscdr.providers.postgres.complaints import Complaint
from uscdr.providers.postgres.contents import ANOTHER_BACKUP, ROWS, DumpEntry
from uscdr.providers.postgres.selection import EntrySelection
from uscdr.words import duration, escape

if TYPE_CHECKING:
    from pathlib import Path

_MAGIC = b"PGDMP"
_LIST_LIMIT = 120.0

# From pg_backup_archiver.h: the first client version that reads each format.
_FIRST_READER = {(1, 14): 12, (1, 15): 16, (1, 16): 17}
_NEWEST_KNOWN = max(_FIRST_READER)

_DUMPED_FROM = re.compile(r"^;\s+Dumped from database version: (\d+)", re.MULTILINE)


def first_reader(server_major: int) -> int:
    """The oldest pg_restore, by major version, that reads dumps of that server; 0 for an unknown server."""
    return max((first for first in _FIRST_READER.values() if first <= server_major), default=0)


@dataclass(frozen=True)
class Archive:
    """A dump whose table of contents decodes. `dumped_from` is the server's major version, 0 if unknown."""

    dump: Path
    tool: Tool
    dumped_from: int
    entries: tuple[DumpEntry, ...]
    """Every entry of the dump, including those that no restore uses."""
    selection: EntrySelection
    """What a restore uses."""

    @property
    def extensions(self) -> tuple[str, ...]:
        """The entries that a restored database must have, as text for messages."""
        made = (entry for entry in self.selection.entries if entry.kind == "EXTENSION")
        return tuple(escape(entry.name) for entry in made if not entry.is_dispensable)

    @property
    def schemas(self) -> frozenset[str]:
        """The schemas that the dump creates."""
        return frozenset(entry.name for entry in self.selection.entries if entry.kind == "SCHEMA")

    @classmethod
    def read(cls, dump: Path, tools: Path | None) -> Self:
        """Decodes the table of contents with a `pg_restore` that is new enough, and checks that the rows exist.

        `tools` is a directory of PostgreSQL programs to use instead of those on PATH.

        Raises:
            CheckFailed: not a dump, damaged, made by a version too new for this machine, or without tables; or a
                restore would leave something out without an error.
            MachineError: the file cannot be read, its format is unknown to this version, or there is no pg_restore.
        """
        tool = _reader(_format(dump), tools)
        dumped_from, entries = _decoded(tool, dump, _state(dump))
        return cls(dump, tool, dumped_from, entries, EntrySelection.of(entries))


def _state(dump: Path) -> tuple[int, ...]:
    """What changes with any write to the file."""
    try:
        found = dump.stat()
    except OSError as error:
        raise MachineError(f"uscdr cannot read {dump}.", why=f"{error.strerror or type(error).__name__}.") from error
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


@lru_cache(maxsize=1)  # a proof decodes a dump, then restores it: the unchanged file is read through once
def _decoded(tool: Tool, dump: Path, _unchanged: tuple[int, ...]) -> tuple[int, tuple[DumpEntry, ...]]:
    """The server's version and every entry, if both pg_restore and we can read all of it. Raises as `Archive.read`."""
    answer = _listing(tool, dump)
    if answer.returncode != 0:
        why = "; ".join(Complaint.all_in(answer.stderr.splitlines())) or f"pg_restore exited with {answer.returncode}"
        raise CheckFailed("pg_restore cannot decode the dump.", why=why, next_action=ANOTHER_BACKUP)
    contents.check_blocks(dump)
    entries = contents.read_entries(dump)
    if not any(entry.kind == ROWS for entry in entries):
        raise CheckFailed(
            "The dump contains no table data.",
            why="It was taken of an empty database, or with the schema only.",
            next_action=ANOTHER_BACKUP,
        )
    found = _DUMPED_FROM.search(answer.stdout)
    return int(found[1]) if found else 0, entries


def _format(dump: Path) -> tuple[int, int]:
    """The archive format's version, from the file's head."""
    try:
        with opened(dump) as file:
            head = file.read(512)
    except OSError as error:
        raise MachineError(f"uscdr cannot read {dump}.", why=f"{error.strerror or type(error).__name__}.") from error
    if not head.startswith(_MAGIC) or len(head) < len(_MAGIC) + 2:
        raise CheckFailed("The file is not a database dump.", why=_looks_like(head), next_action=ANOTHER_BACKUP)
    return head[len(_MAGIC)], head[len(_MAGIC) + 1]


def _looks_like(head: bytes) -> str:
    text = head.lstrip().lower()
    if not head:
        return "The file is empty."
    if text.startswith((b"<!doctype", b"<html", b"<?xml", b"<")):
        return "It is a web page or an XML answer, perhaps from an expired link."
    if text.startswith((b"--", b"set ", b"create ", b"begin")):
        return "It is plain SQL; a custom-format dump (pg_dump -Fc) is needed."
    if head.startswith(b"\x1f\x8b"):
        return "It is compressed with gzip; run `gunzip` first."
    return "It does not start like a custom-format dump."


def _reader(version: tuple[int, int], tools: Path | None) -> Tool:
    """A pg_restore that reads this format."""
    written = ".".join(map(str, version))
    needed = _FIRST_READER.get(version, 0)
    if version <= _NEWEST_KNOWN:
        try:
            return Tool.find("pg_restore", minimum_major=needed, configured=tools)
        except MachineError as error:
            ours = Tool.find("pg_restore", configured=tools)
            raise _too_new(written, str(needed), ours) from error
    ours = Tool.find("pg_restore", minimum_major=_FIRST_READER[_NEWEST_KNOWN], configured=tools)
    if _knows(ours, version):
        return ours
    raise _too_new(written, f"{ours.version[0] + 1}", ours)


def _knows(tool: Tool, version: tuple[int, int]) -> bool:
    """Whether the client and the format are both newer than this table: such a client may work and is tried."""
    return version[0] == _NEWEST_KNOWN[0] and tool.version[0] > _FIRST_READER[_NEWEST_KNOWN] + 1


def _too_new(written: str, needed: str, ours: Tool) -> CheckFailed:
    return CheckFailed(
        f"The dump is too new for this machine: archive format {written} needs pg_restore {needed} or newer.",
        why=f"{ours.path} is version {ours.version[0]}.{ours.version[1]}; the dump itself may be valid.",
        next_action=f"Install the PostgreSQL {needed} client programs, then run the command again.",
    )


def _listing(tool: Tool, dump: Path) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            [tool.path, "-l", dump],
            capture_output=True,
            text=True,
            errors="replace",
            stdin=subprocess.DEVNULL,
            env={"PATH": "/usr/bin:/bin", "LC_ALL": "C"},
            timeout=_LIST_LIMIT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise CheckFailed(
            "pg_restore cannot decode the dump.",
            why=f"pg_restore listed no table of contents within {duration(_LIST_LIMIT)}.",
        ) from None
