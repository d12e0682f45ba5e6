"""`pg_restore` run to its end: watched, cut short when asked, its complaints made fit to show."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping
from typing import IO

from uscdr.errors import CheckFailed, Interrupted, MachineError
from uscdr.providers.postgres.archive import Archive
from uscdr.providers.postgres.complaints import blames_machine, reasons
from uscdr.words import plural

_INTERVAL = 0.25
"""Seconds between two looks at the progress and at the stop token."""
_SHOWN = 3


def run(
    archive: Archive,
    environment: Mapping[str, str],
    *,
    jobs: int,
    look: Callable[[], None],
    stop: threading.Event | None,
) -> None:
    """Restores `archive` into the database of `environment` (libpq's variables, PGDATABASE among them).

    `look` is called several times a second meanwhile. On any exception pg_restore and its workers
    are killed before it leaves.

    Raises:
        CheckFailed: the dump did not restore without an error; how many, and the first few.
        MachineError: this machine failed, not the dump.
        Interrupted: `stop` was set.
    """
    command = [str(archive.tool.path), "--jobs", str(jobs), "--no-owner", "--no-acl", "--no-comments"]
    process = subprocess.Popen(
        [*command, "--dbname", environment["PGDATABASE"], str(archive.dump)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        env={"PATH": "/usr/bin:/bin", "LC_ALL": "C", **environment},
        start_new_session=True,  # so that the workers can be killed with it, and Ctrl-C is ours to handle
    )
    found: list[str] = []
    reader = threading.Thread(target=collect, args=(process.stderr, found), daemon=True)
    reader.start()
    try:
        code = _wait(process, look, stop)
    except BaseException:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise
    finally:
        reader.join()
    _judge(code, found, archive)


def collect(stream: IO[str], found: list[str]) -> None:
    """Keeps of pg_restore's standard error only what may be shown; the rest is never held."""
    with stream:
        for line in stream:
            found.extend(reasons([line]))


def _wait(process: subprocess.Popen[str], look: Callable[[], None], stop: threading.Event | None) -> int:
    while True:
        try:
            return process.wait(_INTERVAL)
        except subprocess.TimeoutExpired:
            if stop is not None and stop.is_set():
                raise Interrupted("the test restore was stopped", next_action="start it again") from None
            look()


def _judge(code: int, found: list[str], archive: Archive) -> None:
    if code == 0 and not found:
        return
    shown = "; ".join(dict.fromkeys(found[: _SHOWN * 4])) or f"pg_restore ended with {code}"
    if code < 0:
        raise MachineError(f"pg_restore was killed by signal {-code}", why="perhaps for want of memory")
    if any(map(blames_machine, found)):
        raise MachineError(
            "the test restore failed for want of something on this machine",
            why=shown,
            next_action="make room on the disk, then try again; the backup itself is not in question",
        )
    newer = f"; it was dumped from PostgreSQL {archive.dumped_from}" if archive.dumped_from else ""
    raise CheckFailed(
        f"the dump does not restore: {plural(max(1, len(found)), 'error')}",
        why=shown + newer,
        next_action="choose another backup",
    )
