"""Bare repositories of the git host: made on demand, read and written by git's own services."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Self

OnPush = Callable[[str, Path, str], AsyncIterator[bytes]]

_CHUNK = 65536
_CONFIG = (
    ("gc.auto", "0"),  # no work in the background: nothing may outlive the sandbox
    ("receive.autogc", "false"),
    ("core.logallrefupdates", "true"),
)

# The hook runs among git's own environment, where alone the pushed objects can be seen. It reports
# through pipes that it inherits: what to build, then our output, then the verdict.
_HOOK = """#!/bin/sh
build=
while read -r old new ref; do
  case $ref in
    refs/heads/main | refs/heads/master)
      case $new in *[!0]*) build=${build:-$new} ;; esac ;;
    *) echo "Pushed to non-main branch, skipping build." ;;
  esac
done
[ -n "$build" ] || exit 0
git archive --format=tar.gz -o "$USCDR_PUSH_TARBALL" "$build" || exit 1
echo "$build" >"/dev/fd/$USCDR_PUSH_REQUEST"
cat "/dev/fd/$USCDR_PUSH_OUTPUT"
read -r verdict <"/dev/fd/$USCDR_PUSH_VERDICT"
[ "$verdict" = accepted ]
"""


class PushRejected(Exception):
    """Raised by a push handler to refuse the push; what the person shall read was yielded before."""


def prepare(repositories: Path, app: str) -> Path:
    """The bare repository of `app`, made if it is not there yet. Blocks for some milliseconds."""
    repository = repositories / f"{app}.git"
    if repository.exists():
        return repository
    repositories.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=f".{app}-", dir=repositories))
    _git_now("init", "--quiet", "--bare", "--initial-branch=main", "--template=", str(fresh))
    for name, value in _CONFIG:
        _git_now("-C", str(fresh), "config", name, value)
    hook = fresh / "hooks" / "pre-receive"
    hook.parent.mkdir()
    hook.write_text(_HOOK, encoding="utf-8")
    hook.chmod(0o755)
    try:
        fresh.rename(repository)
    except OSError:
        shutil.rmtree(fresh)  # another request made it first
    return repository


async def advertise(repository: Path, service: str, protocol: str) -> bytes:
    """The refs of `repository` as `service` ("git-receive-pack" or "git-upload-pack") tells them."""
    command = [service.removeprefix("git-"), "--stateless-rpc", "--advertise-refs", str(repository)]
    refs = await _git(command, {"GIT_PROTOCOL": protocol})
    line = f"# service={service}\n"
    return f"{len(line) + 4:04x}{line}0000".encode() + refs


async def upload_pack(repository: Path, body: IO[bytes], protocol: str) -> AsyncIterator[bytes]:
    """Answers a fetch or clone; `body` is the request."""
    command = ["upload-pack", "--stateless-rpc", str(repository)]
    process = await _spawn(command, body, {"GIT_PROTOCOL": protocol})
    async for chunk in _output(process):
        yield chunk


async def receive_pack(repository: Path, body: IO[bytes], app: str, on_push: OnPush) -> AsyncIterator[bytes]:
    """Answers a push; `body` is the request. A build is run by `on_push` before it is accepted."""
    with (
        tempfile.TemporaryDirectory(prefix=".push-", dir=repository.parent) as scratch,
        _HookPipes(Path(scratch) / "source.tar.gz") as pipes,
    ):
        command = ["receive-pack", "--stateless-rpc", str(repository)]
        process = await _spawn(command, body, pipes.environment(), pipes.theirs)
        pipes.let_go()
        building = asyncio.create_task(_build(pipes, app, on_push))
        try:
            async for chunk in _output(process):
                yield chunk
            await building
        finally:
            building.cancel()


class _HookPipes:
    """Three pipes between us and the hook, and where the hook shall put the source."""

    def __init__(self, tarball: Path) -> None:
        self.tarball = tarball
        request, their_request = os.pipe()
        their_output, output = os.pipe()
        their_verdict, verdict = os.pipe()
        self.theirs = [their_request, their_output, their_verdict]
        self.request = os.fdopen(request, "rb")
        self.output = os.fdopen(output, "wb", buffering=0)
        self.verdict = os.fdopen(verdict, "wb", buffering=0)

    def environment(self) -> dict[str, str]:
        names = ("USCDR_PUSH_REQUEST", "USCDR_PUSH_OUTPUT", "USCDR_PUSH_VERDICT")
        numbers = dict(zip(names, map(str, self.theirs), strict=True))
        return {**numbers, "USCDR_PUSH_TARBALL": str(self.tarball)}

    def let_go(self) -> None:
        """Closes the hook's ends here, so that its end is seen."""
        while self.theirs:
            os.close(self.theirs.pop())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.let_go()
        for file in (self.request, self.output, self.verdict):
            file.close()


async def _build(pipes: _HookPipes, app: str, on_push: OnPush) -> None:
    """Waits for the hook's request, runs the build, and hands its output and verdict to the hook."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), pipes.request)
    commit = (await reader.readline()).decode().strip()
    if not commit:
        return  # nothing to build was pushed
    verdict = b"rejected\n"
    try:
        async for text in on_push(app, pipes.tarball, commit):
            await asyncio.to_thread(_write_all, pipes.output, text)
        verdict = b"accepted\n"
    except PushRejected:
        pass  # why was said in the output
    finally:
        pipes.output.close()
        _write_all(pipes.verdict, verdict)
        pipes.verdict.close()


def _write_all(file: IO[bytes], data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[file.write(view) :]


async def _output(process: asyncio.subprocess.Process) -> AsyncIterator[bytes]:
    """The output of a git service as it comes; ends the service if the client goes away."""
    try:
        while process.stdout is not None and (chunk := await process.stdout.read(_CHUNK)):
            yield chunk
        await process.wait()
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()


async def _git(arguments: Sequence[str], environment: Mapping[str, str]) -> bytes:
    process = await _spawn(arguments, subprocess.DEVNULL, environment)
    output, _ = await process.communicate()
    if process.returncode != 0:
        raise OSError(f"git {arguments[0]} failed with status {process.returncode}")
    return output


async def _spawn(
    arguments: Sequence[str], body: IO[bytes] | int, environment: Mapping[str, str], inherited: Sequence[int] = ()
) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        "git",
        *arguments,
        stdin=body,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={**git_environment(), **environment},
        pass_fds=tuple(inherited),
        start_new_session=True,
    )


def _git_now(*arguments: str) -> None:
    subprocess.run(["git", *arguments], env=git_environment(), check=True, capture_output=True)


def git_environment() -> dict[str, str]:
    """What git runs under here."""
    # Nothing of the person's own git configuration applies here.
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": "/nonexistent",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "LC_ALL": "C",
    }
