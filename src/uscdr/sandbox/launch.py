"""Starting and stopping the sandbox from another process. Nothing here needs the daemon to be well."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

from uscdr.errors import BadInput, MachineError, MissingExtra
from uscdr.installation import CLINIC, SERVES
from uscdr.sandbox import processes
from uscdr.sandbox.boot.request import MOST_ASSETS, UpRequest
from uscdr.sandbox.lifeline import Lifeline, lifeline
from uscdr.sandbox.state import DAEMON, StateDir, read_contract, read_json, write_private

_STOP_LIMIT = 20.0  # seconds the daemon has to stop everything
_KEPT = frozenset({"lock", "daemon.log"})  # after a failed start
_DYING = 3.0  # seconds
_POLL = 0.02
_TOO_EARLY = "The sandbox ended before it was ready."
Tell = Callable[[str], None]


def contract(state: StateDir) -> dict[str, Any] | None:
    """The running sandbox's contract, or None if none runs. Raises BadInput for one that cannot be read."""
    document = read_contract(state.root)
    if document and processes.alive(document["pid"], document["pid_started"]):
        return document
    return None


def checked(request: UpRequest) -> UpRequest:
    """The request with absolute paths. Raises BadInput for what cannot be meant."""
    if request.patients < 1:
        raise BadInput("--patients must be 1 or more.")
    if not 0 <= request.assets <= MOST_ASSETS:
        raise BadInput(f"--assets must be 0 to {MOST_ASSETS}.")
    if request.app_source and request.assets:
        raise BadInput("--assets are files of the clinic: not with --app-source.")
    if not request.app_source and request.dump:
        raise BadInput("A dump is loaded for another application than the clinic only.")
    if not request.app_source and (request.procfile or request.python or request.env_file):
        raise BadInput("--python, --env-file and --procfile need --app-source.")
    for option, text in (("--env-file", request.env_file), ("--procfile", request.procfile)):
        if text and not Path(text).is_file():
            raise BadInput(f"{option}: there is no file {text}.")
    if request.app_source:
        _check_source(request)
    if request.python and not os.access(request.python, os.X_OK):
        raise BadInput(f"--python: {request.python} is no program that can be run.")
    names = ("app_source", "python", "env_file", "procfile", "dump")
    # Not resolved: a virtual environment's interpreter is a symlink whose place matters.
    paths = {name: str(Path(getattr(request, name)).absolute()) for name in names if getattr(request, name)}
    return replace(request, **paths)  # type: ignore[arg-type]  # these are all paths in text


def _check_source(request: UpRequest) -> None:
    root = Path(request.app_source)
    if not root.is_dir():
        raise BadInput(f"--app-source: there is no directory {root}.")
    if not request.procfile and not (root / "Procfile").is_file():
        raise BadInput(f"{root} has no Procfile.", next_action="Name one with --procfile.")


@contextlib.contextmanager
def _claimed(state: StateDir) -> Iterator[IO[str] | None]:
    """The state directory's lock, which the daemon keeps; None when somebody has it."""
    with state.lock.open("a", encoding="utf-8") as file:
        # A daemon that was killed a moment ago holds the lock until its last thread is gone.
        until = time.monotonic() + _DYING
        while not (ours := _locked(file)) and not _daemon_lives(state) and time.monotonic() < until:
            time.sleep(_POLL)
        yield file if ours else None


def _locked(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _daemon_lives(state: StateDir) -> bool:
    document = read_json(state.daemon, DAEMON)
    return document is not None and processes.alive(document["pid"], document["started"])


def up(state: StateDir, request: UpRequest, tell: Tell, tie: Lifeline | None = None) -> dict[str, Any]:
    """Start the sandbox and wait until it is ready; returns its contract.

    It ends and is removed when this process dies before that; with a `tie` also later. A sandbox that runs already
    with the same parameters is left alone. Raises BadInput if it runs with others, MachineError if it does not start.
    """
    wanted = checked(request)
    _demand_libraries(SERVES if wanted.app_source else (*SERVES, *CLINIC))
    state.prepare()
    with _claimed(state) as lock:
        if lock is None:
            return _existing(state, wanted, tell)
        if state.daemon.exists():
            tell("Removing leftovers of an earlier sandbox")
            clear(state, keep={"lock"})
            state.prepare()
        write_private(state.request, wanted.document())
        if tie is not None:
            return _start(state, lock, tell, tie)
        with lifeline() as line:
            document = _start(state, lock, tell, line)
            line.release()
            return document


def _demand_libraries(names: tuple[str, ...]) -> None:
    """The daemon's own complaint would only be a traceback in its log. Raises MissingExtra.

    PostgreSQL's programs may also come from elsewhere.
    """
    from uscdr.pgserver.cluster import find_server

    needs = "The sandbox needs libraries that are not installed."
    MissingExtra.refuse(needs, "sandbox", names)
    try:
        find_server()
    except MachineError as error:
        raise MissingExtra(needs, extra="sandbox", module="PostgreSQL") from error


def _existing(state: StateDir, wanted: UpRequest, tell: Tell) -> dict[str, Any]:
    document = contract(state)
    if document is None:
        raise MachineError(
            f"Another command is starting or stopping the sandbox in {state.root}.",
            next_action="Wait a moment, then look with `uscdr sandbox status`.",
        )
    if read_json(state.request) != wanted.document():
        raise BadInput(
            "A sandbox with other parameters runs already.",
            next_action="Stop it with `uscdr sandbox down`, or use another directory with --state.",
        )
    tell("The sandbox runs already.")
    return document


def _start(state: StateDir, lock: IO[str], tell: Tell, line: Lifeline) -> dict[str, Any]:
    descriptor = os.open(state.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(descriptor, "ab") as log:
        daemon = subprocess.Popen(
            [sys.executable, "-P", "-m", "uscdr.sandbox.daemon", str(state.root)],
            stdin=line.reading,
            stdout=subprocess.PIPE,
            stderr=log,
            start_new_session=True,
            pass_fds=(lock.fileno(),),
            cwd="/",
        )
    line.hand_over()
    try:
        failure = _follow(daemon, tell)
    except BaseException:
        # An impatient person leaves no half-started sandbox behind.
        daemon.terminate()
        daemon.wait()
        clear(state, keep=_KEPT)
        raise
    document = contract(state)
    if failure is None and document is not None:
        return document
    daemon.wait()
    clear(state, keep=_KEPT)
    raise failure or _ended_early(state)


def _ended_early(state: StateDir) -> MachineError:
    """The daemon said nothing before it ended: the last line of its log does."""
    with contextlib.suppress(OSError):
        lines = state.log.read_text(encoding="utf-8", errors="replace").split("\n")
        said = next((line.strip() for line in reversed(lines) if line.strip()), "")
        return MachineError(_TOO_EARLY, why=said, next_action=f"Its log: {state.log}. Then: uscdr sandbox up")
    return MachineError(_TOO_EARLY, next_action="Run the command again: uscdr sandbox up")


def _follow(daemon: subprocess.Popen[bytes], tell: Tell) -> MachineError | None:
    """Pass its progress on; returns why it could not start, None when it is ready or has said nothing."""
    if daemon.stdout is None:
        raise RuntimeError("started without a pipe for stdout")
    for line in daemon.stdout:
        message = json.loads(line)
        if "stage" in message:
            tell(message["stage"])
        elif "failed" in message:
            return MachineError(message["failed"], why=message["why"], next_action=message["next"])
        else:
            return None
    return None


def down(state: StateDir, tell: Tell) -> bool:
    """Stop everything and remove the directory; false if there was nothing."""
    if not state.root.exists():
        return False
    document = read_json(state.daemon, DAEMON)
    if state.is_foreign():
        raise BadInput(f"{state.root} is not a sandbox directory; it is left alone.")
    if document is not None:
        tell("Stopping the sandbox")
        _stop(document["pid"], document["started"])
    _remove(state)
    return True


def _remove(state: StateDir) -> None:
    """Clear everything, after any other command that is clearing too; raises MachineError if it never ends."""
    with contextlib.suppress(FileNotFoundError), state.lock.open("a", encoding="utf-8") as file:
        until = time.monotonic() + _STOP_LIMIT
        while not _locked(file):
            if time.monotonic() > until:
                raise MachineError(f"Another command holds {state.lock}.")
            time.sleep(_POLL)
        if state.lock.exists():
            clear(state, keep=frozenset())


def _stop(pid: int, started: str) -> None:
    for number, limit in ((signal.SIGTERM, _STOP_LIMIT), (signal.SIGKILL, _STOP_LIMIT)):
        if not processes.alive(pid, started):
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
        until = time.monotonic() + limit
        while processes.alive(pid, started) and time.monotonic() < until:
            time.sleep(_POLL)
    if processes.alive(pid, started):
        raise MachineError(f"The sandbox's process {pid} could not be stopped.")


def clear(state: StateDir, *, keep: AbstractSet[str]) -> None:
    """End what the daemon did not end itself, and remove the files; what names it is removed last."""
    from uscdr.pgserver.server import reap

    processes.Ledger(state.processes).reap()
    reap(state.postgres)
    for path in sorted(state.root.iterdir(), key=lambda path: path in (state.processes, state.daemon, state.lock)):
        if path.name in keep:
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
    if not keep:
        state.root.rmdir()
