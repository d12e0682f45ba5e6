"""Runs `pg_restore`: reports progress, stops it on request, and filters its errors for display."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import threading
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from uscdr.errors import CheckFailed, Interrupted, MachineError
from uscdr.providers.postgres.complaints import Complaint, first_upper, lacking, too_old
from uscdr.words import plural

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from uscdr.providers.postgres.archive import Archive
    from uscdr.providers.postgres.contents import DumpEntry
    from uscdr.providers.postgres.selection import EntrySelection

_ENTRY = re.compile(r"^pg_restore: from TOC entry (\d{1,9});")
_NEWER_SETTING = 'could not execute query: ERROR:  unrecognized configuration parameter "transaction_timeout"'
"""pg_restore 17 sets this even if the server does not know it."""
_INTERVAL = 0.25
"""Seconds between two checks of the progress and the stop token."""
_SHOWN = 3
_NOT_IN_QUESTION = "this does not mean that the backup is damaged"
_WITH_TRANSACTION_TIMEOUT = 17
"""The first major version of the server that knows the setting."""


@dataclass(frozen=True)
class RestoreTarget:
    """An empty database that a dump is restored into.

    `environment` has libpq's variables, including PGDATABASE. `server` is its name in messages. `foreign_locale` is the
    locale of the dump's database if the server lacks it.
    """

    environment: Mapping[str, str]
    server: str
    version: int
    foreign_locale: str = ""

    def restore(
        self,
        archive: Archive,
        selection: EntrySelection,
        *,
        jobs: int,
        look: Callable[[], None],
        stop: threading.Event | None,
    ) -> None:
        """Restores the entries of `selection` from `archive`.

        Calls `look` several times a second meanwhile. On any exception, pg_restore and its workers are killed first.

        Raises:
            CheckFailed: the restore had errors; how many, and the first few.
            MachineError: this machine failed, or the server lacks something; the dump may be valid.
            NoRight: the role may not create some of it.
            Interrupted: `stop` was set.
        """
        process = _start(archive, self, jobs)
        found = _Complaints(old_server=self.version < _WITH_TRANSACTION_TIMEOUT)
        reader = threading.Thread(target=found.collect, args=(process.stderr,), daemon=True)
        reader.start()
        try:
            choose(process.stdin, selection.entries)
            code = _wait(process, look, stop)
            if code < 0:
                _kill(process)  # its workers may still run and keep its standard error open
        except BaseException:
            _kill(process)
            process.wait()
            raise
        finally:
            reader.join()
        if found.barred and code >= 0:
            raise NoRight(frozenset(found.barred if jobs == 1 else ()), found.barred_by)
        _judge(0 if code == 1 and found.passed_over else code, found.shown, archive, self)


class NoRight(Exception):
    """The restoring role may not create some entries: their numbers (none if unknown) and the reason."""

    def __init__(self, numbers: frozenset[int], reason: str) -> None:
        super().__init__(reason)
        self.numbers = numbers
        self.reason = reason


def _start(archive: Archive, target: RestoreTarget, jobs: int) -> subprocess.Popen[str]:
    command = [str(archive.tool.path), "--jobs", str(jobs), "--no-owner", "--no-acl", "--no-comments"]
    command += ["--verbose"] if jobs == 1 else []  # with this option it names the entry of each error
    command += ["--no-tablespaces", "--use-list", "/dev/stdin", "--dbname", target.environment["PGDATABASE"]]
    return subprocess.Popen(
        [*command, str(archive.dump)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        env={"PATH": "/usr/bin:/bin", "LC_ALL": "C", **target.environment},
        start_new_session=True,  # so that its workers can be killed with it, and only we handle Ctrl-C
    )


def _kill(process: subprocess.Popen[str]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def choose(stream: IO[str] | None, entries: Sequence[DumpEntry]) -> None:
    """Sends pg_restore the list of entries to restore, in order, on its standard input."""
    assert stream is not None  # noqa: S101 - for the type checker: it is a pipe
    with contextlib.suppress(BrokenPipeError), stream:
        stream.write("".join(f"{entry.number};\n" for entry in entries))


class _Complaints:
    """The part of pg_restore's standard error that may be shown; the rest is discarded."""

    def __init__(self, *, old_server: bool) -> None:
        self._old_server = old_server
        self.shown: list[Complaint] = []
        self.passed_over = False
        self.barred: list[int] = []
        """Entries without the permission: certain only when a single worker reports the error."""
        self.barred_by = ""
        self._entry = 0

    def collect(self, stream: IO[str]) -> None:
        """Read to the end."""
        with stream:
            for line in stream:
                self._entry = _entry_of(line) or self._entry
                if self._old_server and _is_newer_setting(line):
                    self.passed_over = True
                    continue
                for reason in Complaint.all_in([line]):
                    self.shown.append(reason)
                    if reason.is_about_permissions:
                        self.barred.append(self._entry)
                        self.barred_by = reason


def _entry_of(line: str) -> int:
    """The number of the dump entry that the next lines are about; 0 when the line names none."""
    found = _ENTRY.match(line)
    return int(found[1]) if found else 0


def _is_newer_setting(line: str) -> bool:
    """Whether a line only says that the server does not know a setting of pg_restore."""
    return line.rstrip().endswith(_NEWER_SETTING)


def _wait(process: subprocess.Popen[str], look: Callable[[], None], stop: threading.Event | None) -> int:
    while True:
        try:
            return process.wait(_INTERVAL)
        except subprocess.TimeoutExpired:
            if stop is not None and stop.is_set():
                raise Interrupted(
                    "Interrupted during the test restore.", next_action="Run the command again."
                ) from None
            look()


def _judge(code: int, found: Sequence[Complaint], archive: Archive, target: RestoreTarget) -> None:
    if code == 0 and not found:
        return
    shown = "; ".join(dict.fromkeys(found[: _SHOWN * 4])) or f"pg_restore exited with {code}"
    if code < 0 or (found and all(one.tells_of_dead_worker for one in found)):
        raise killed(code)
    if any(one.tells_of_dead_server for one in found):
        raise MachineError(
            f"{first_upper(target.server)} ended while the dump was restored.",
            why=f"Perhaps it was killed, or ran out of memory or disk; {_NOT_IN_QUESTION}.",
            next_action="Free disk space and memory, then run the command again.",
        )
    if any(one.blames_machine for one in found):
        raise MachineError(
            "This machine could not complete the test restore.",
            why=shown,
            next_action=f"Free disk space, then run the command again; {_NOT_IN_QUESTION}.",
        )
    if lacks := [one.lacks for one in found if one.lacks]:
        raise lacking(lacks, target.server)
    if target.foreign_locale and any(map(_by_order, found)):
        raise lacking([f"the locale {target.foreign_locale}"], target.server)
    if target.version < archive.dumped_from and any(map(_of_server, found)):
        raise too_old(target.version, archive.dumped_from, target.server)
    newer = f"; it was dumped from PostgreSQL {archive.dumped_from}" if archive.dumped_from else ""
    raise CheckFailed(
        f"pg_restore could not restore the dump: {plural(max(1, len(found)), 'error')}.",
        why=shown + newer,
        next_action="Choose another backup.",
    )


def killed(code: int) -> MachineError:
    """The error for a killed pg_restore, or a killed worker (then `code` is not negative)."""
    who = f"Signal {-code} killed pg_restore." if code < 0 else "A signal killed a worker of pg_restore."
    return MachineError(
        who,
        why=f"Perhaps this system ran out of memory; {_NOT_IN_QUESTION}.",
        next_action="Free memory, then run the command again.",
    )


def _by_order(reason: str) -> bool:
    """Whether a different collation may explain it: partitions and constraints may depend on text order."""
    return any(
        words in reason for words in (": new row for relation", ": no partition of relation", ": check constraint")
    )


def _of_server(reason: str) -> bool:
    """Whether the server refused, as opposed to pg_restore failing to read the dump."""
    return reason.startswith(("could not execute query", "COPY failed", "error returned by PQ"))
