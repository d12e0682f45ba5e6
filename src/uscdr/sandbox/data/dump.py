"""The real client programs behind transfers: pg_dump out of a database, pg_restore into one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from uscdr.pgserver.cluster import Tool
from uscdr.sandbox.data import provided

_CHUNK = 256 * 1024
_WATCH = 0.05  # seconds between two looks at a growing file
_MAJOR = 17
_AS_IT_CAME = "surrogateescape"
Progress = Callable[[int], None]


@dataclass(frozen=True)
class Outcome:
    """Exit code and the lines of stderr."""

    code: int
    messages: tuple[str, ...]


def _environment(connection: dict[str, str]) -> dict[str, str]:
    return {"PATH": "/usr/bin:/bin", "LC_ALL": "C", **connection}


async def dump(
    connection: dict[str, str], target: Path, progress: Progress, *, without_rows: bool = False
) -> Outcome:  # fmt: skip
    """Write a custom-format dump of the database that libpq variables name to `target` (0600).

    `progress` gets the bytes written so far.
    """
    program = Tool.find("pg_dump", minimum_major=_MAJOR).path
    target.touch(mode=0o600)  # noqa: ASYNC240 - one inode
    process = await asyncio.create_subprocess_exec(
        str(program),
        "--format=custom",
        *(("--schema-only",) if without_rows else ()),
        f"--file={target}",
        env=_environment(connection),
        stdin=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    watcher = asyncio.create_task(_watch(target, progress))
    try:
        return await _outcome(process)
    finally:
        watcher.cancel()
        await _end(process)
        progress(_size(target))


async def contents(source: Path, target: Path) -> Path | None:
    """Write what is to be loaded of a dump to `target`; none when its table of contents cannot be read."""
    program = Tool.find("pg_restore", minimum_major=_MAJOR).path
    process = await asyncio.create_subprocess_exec(
        str(program), "--list", str(source), env=_environment({}), stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    listed, _ = await process.communicate()
    if process.returncode != 0:
        return None
    # what a dump calls its objects need not be UTF-8, and goes back to pg_restore as it came
    listing = provided.without(listed.decode(errors=_AS_IT_CAME))
    target.write_text(listing, encoding="utf-8", errors=_AS_IT_CAME)  # noqa: ASYNC240 - some kilobytes
    return target


async def restore(
    connection: dict[str, str], source: Path, progress: Progress, *, part: float = 1.0, listing: Path | None = None
) -> Outcome:
    """Load a dump, or what `listing` names of it, into an empty database as the role that `connection` names.

    Nobody else's rights are at hand: a role that was only set is undone by a dump's own statement. `progress` gets
    the bytes read so far. With `part` below 1 the dump breaks off there.
    """
    program = Tool.find("pg_restore", minimum_major=_MAJOR).path
    process = await asyncio.create_subprocess_exec(
        str(program),
        *(("--use-list", str(listing)) if listing else ()),
        "--no-owner",
        "--no-acl",
        f"--dbname={connection['PGDATABASE']}",
        env=_environment(connection),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        outcome, _ = await asyncio.gather(_outcome(process), _feed(process, source, progress, part))
    finally:
        await _end(process)
    return outcome


async def _outcome(process: asyncio.subprocess.Process) -> Outcome:
    if process.stderr is None:
        raise RuntimeError("started without a pipe for stderr")
    messages = [line.decode(errors="replace").rstrip() async for line in process.stderr]
    return Outcome(await process.wait(), tuple(messages))


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.kill()
        await process.wait()


def _size(path: Path) -> int:
    return path.stat().st_size


async def _watch(target: Path, progress: Progress) -> None:
    while True:
        progress(_size(target))
        await asyncio.sleep(_WATCH)


async def _feed(process: asyncio.subprocess.Process, source: Path, progress: Progress, part: float) -> None:
    if process.stdin is None:
        raise RuntimeError("started without a pipe for stdin")
    done, end = 0, int(_size(source) * part)
    with source.open("rb") as file:
        while chunk := await asyncio.to_thread(file.read, min(_CHUNK, end - done)):
            try:
                process.stdin.write(chunk)
                await process.stdin.drain()
            except (BrokenPipeError, ConnectionResetError):
                return  # its exit code and stderr say why
            done += len(chunk)
            progress(done)
    process.stdin.close()
