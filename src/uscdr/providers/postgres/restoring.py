"""`pg_restore` run to its end: watched, cut short when asked, its complaints made fit to show."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from uscdr.errors import CheckFailed, Interrupted, MachineError
from uscdr.providers.postgres.complaints import (
    blames_machine,
    entry_of,
    is_newer_setting,
    lacked,
    lacking,
    reasons,
    tells_of_dead_server,
    tells_of_dead_worker,
    tells_of_rights,
    too_old,
)
from uscdr.words import plural

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from uscdr.providers.postgres.archive import Archive
    from uscdr.providers.postgres.contents import DumpEntry
    from uscdr.providers.postgres.selection import EntrySelection

_INTERVAL = 0.25
"""Seconds between two looks at the progress and at the stop token."""
_SHOWN = 3
_NOT_IN_QUESTION = "the backup itself is not in question"
_WITH_TRANSACTION_TIMEOUT = 17
"""The major version from which a server knows the setting."""


@dataclass(frozen=True)
class RestoreTarget:
    """An empty database that a dump is restored into. `environment` is libpq's, PGDATABASE among it.

    `server` is what a message calls it; `foreign_locale` the locale of the dump's database if the server lacks it.
    """

    environment: Mapping[str, str]
    server: str
    version: int
    foreign_locale: str = ""


class NoRight(Exception):
    """The role that restored may not make some entries: their numbers, none if nobody knows which; a reason."""

    def __init__(self, numbers: frozenset[int], reason: str) -> None:
        super().__init__(reason)
        self.numbers = numbers
        self.reason = reason


def run(
    archive: Archive,
    selection: EntrySelection,
    target: RestoreTarget,
    *,
    jobs: int,
    look: Callable[[], None],
    stop: threading.Event | None,
) -> None:
    """Restores of `archive` what is in `selection`.

    `look` is called several times a second meanwhile. On any exception pg_restore and its workers
    are killed before it leaves.

    Raises:
        CheckFailed: the dump did not restore without an error; how many, and the first few.
        MachineError: this machine failed, or the server lacks something; not the dump.
        NoRight: the role may not make some of it.
        Interrupted: `stop` was set.
    """
    process = _start(archive, target, jobs)
    found = _Complaints(old_server=target.version < _WITH_TRANSACTION_TIMEOUT)
    reader = threading.Thread(target=found.collect, args=(process.stderr,), daemon=True)
    reader.start()
    try:
        choose(process.stdin, selection.entries)
        code = _wait(process, look, stop)
        if code < 0:
            _kill(process)  # its workers live on, and hold its standard error
    except BaseException:
        _kill(process)
        process.wait()
        raise
    finally:
        reader.join()
    if found.barred and code >= 0:
        raise NoRight(frozenset(found.barred if jobs == 1 else ()), found.barred_by)
    _judge(0 if code == 1 and found.passed_over else code, found.shown, archive, target)


def _start(archive: Archive, target: RestoreTarget, jobs: int) -> subprocess.Popen[str]:
    command = [str(archive.tool.path), "--jobs", str(jobs), "--no-owner", "--no-acl", "--no-comments"]
    command += ["--verbose"] if jobs == 1 else []  # it then names the entry that an error is about
    command += ["--no-tablespaces", "--use-list", "/dev/stdin", "--dbname", target.environment["PGDATABASE"]]
    return subprocess.Popen(
        [*command, str(archive.dump)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        env={"PATH": "/usr/bin:/bin", "LC_ALL": "C", **target.environment},
        start_new_session=True,  # so that the workers can be killed with it, and Ctrl-C is ours to handle
    )


def _kill(process: subprocess.Popen[str]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def choose(stream: IO[str] | None, entries: Sequence[DumpEntry]) -> None:
    """Tells pg_restore by its standard input which entries are wanted, and in which order."""
    assert stream is not None  # noqa: S101 - for the type checker: it is a pipe
    with contextlib.suppress(BrokenPipeError), stream:
        stream.write("".join(f"{entry.number};\n" for entry in entries))


class _Complaints:
    """What may be shown of pg_restore's standard error; the rest is never held."""

    def __init__(self, *, old_server: bool) -> None:
        self._old_server = old_server
        self.shown: list[str] = []
        self.passed_over = False
        self.barred: list[int] = []
        """Entries for which a right is lacking: known for sure when one worker alone complains."""
        self.barred_by = ""
        self._entry = 0

    def collect(self, stream: IO[str]) -> None:
        """Read to the end."""
        with stream:
            for line in stream:
                self._entry = entry_of(line) or self._entry
                if self._old_server and is_newer_setting(line):
                    self.passed_over = True
                    continue
                for reason in reasons([line]):
                    self.shown.append(reason)
                    if tells_of_rights(reason):
                        self.barred.append(self._entry)
                        self.barred_by = reason


def _wait(process: subprocess.Popen[str], look: Callable[[], None], stop: threading.Event | None) -> int:
    while True:
        try:
            return process.wait(_INTERVAL)
        except subprocess.TimeoutExpired:
            if stop is not None and stop.is_set():
                raise Interrupted("the test restore was stopped", next_action="start it again") from None
            look()


def _judge(code: int, found: Sequence[str], archive: Archive, target: RestoreTarget) -> None:
    if code == 0 and not found:
        return
    shown = "; ".join(dict.fromkeys(found[: _SHOWN * 4])) or f"pg_restore ended with {code}"
    if code < 0 or (found and all(map(tells_of_dead_worker, found))):
        raise killed(code)
    if any(map(tells_of_dead_server, found)):
        raise MachineError(
            f"{target.server} ended while the dump was restored",
            why=f"perhaps it was killed, or had no memory or disk left; {_NOT_IN_QUESTION}",
            next_action="make room on the disk and free memory, then try again",
        )
    if any(map(blames_machine, found)):
        raise MachineError(
            "the test restore failed for want of something on this machine",
            why=shown,
            next_action=f"make room on the disk, then try again; {_NOT_IN_QUESTION}",
        )
    if lacks := [what for what in map(lacked, found) if what]:
        raise lacking(lacks, target.server)
    if target.foreign_locale and any(map(_by_order, found)):
        raise lacking([f"the locale {target.foreign_locale}"], target.server)
    if target.version < archive.dumped_from and any(map(_of_server, found)):
        raise too_old(target.version, archive.dumped_from, target.server)
    newer = f"; it was dumped from PostgreSQL {archive.dumped_from}" if archive.dumped_from else ""
    raise CheckFailed(
        f"the dump does not restore: {plural(max(1, len(found)), 'error')}",
        why=shown + newer,
        next_action="choose another backup",
    )


def killed(code: int) -> MachineError:
    """The error: somebody ended pg_restore, or one of its workers (`code` is then not negative)."""
    who = f"pg_restore was killed by signal {-code}" if code < 0 else "a worker of pg_restore was killed"
    return MachineError(
        who,
        why=f"perhaps by this system for want of memory; {_NOT_IN_QUESTION}",
        next_action="free memory, then try again",
    )


def _by_order(reason: str) -> bool:
    """Whether another order of texts may explain it: partitions and constraints may be made of one."""
    return any(
        words in reason for words in (": new row for relation", ": no partition of relation", ": check constraint")
    )


def _of_server(reason: str) -> bool:
    """Whether it was the server that refused, not pg_restore that could not read."""
    return reason.startswith(("could not execute query", "COPY failed", "error returned by PQ"))
