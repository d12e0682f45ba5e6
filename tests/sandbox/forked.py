"""The program's commands without its start: a process that has imported it all gives each command a child of its own.

`python forked.py` reads one JSON object a line (arguments, environment, directory, files for the outputs) and answers
with the exit code. Tests of a start itself run the installed program.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import pkgutil
import select
import signal
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, NoReturn, TextIO

USCDR = str(Path(sys.executable).parent / "uscdr")


class _Host:
    """The process that forks, for as long as this one lives."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def code(self, case: dict[str, Any]) -> int:
        """What the command ended with; negative: the signal that killed it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(case) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())


@cache
def _host() -> _Host:
    return _Host()


def call(
    arguments: tuple[str, ...], *, env: Mapping[str, str], cwd: Path, timeout: float = 300, look: float | None = None
) -> subprocess.CompletedProcess[str]:
    """As `subprocess.run([USCDR, *arguments])` with captured outputs and no terminal. Raises TimeoutExpired.

    `look`: for how many seconds it looks for what an earlier process may have done, where nothing is to be found.
    """
    with tempfile.TemporaryDirectory() as place:
        out, err = Path(place) / "out", Path(place) / "err"
        case = {"arguments": arguments, "env": dict(env), "cwd": str(cwd), "out": str(out), "err": str(err)}
        code = _host().code({**case, "timeout": timeout, "look": look})
        return subprocess.CompletedProcess([USCDR, *arguments], code, out.read_text(), err.read_text())


def start_at(
    terminal: str, arguments: tuple[str, ...], *, env: Mapping[str, str], cwd: Path, notes: Path, go: Path
) -> int:
    """Start the command at a terminal, under a shell of one job; the shell's process id.

    `notes`: the shell writes one JSON object a line: the terminal's modes before the command, whenever it stopped, and
    after it, with its exit code. `go`: a FIFO; each line brings the stopped command to the foreground again.
    """
    case = {"arguments": arguments, "env": dict(env), "cwd": str(cwd), "terminal": terminal, "look": 0.5}
    return _host().code({**case, "notes": str(notes), "go": str(go)})


def _serve() -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.path.insert(0, str(Path(__file__).parents[1]))
    from campaigns import printed

    printed.watch()  # before anything takes the function that it stands in for
    _import_all()
    for line in sys.stdin:
        sys.stdout.write(f"{_served(json.loads(line))}\n")
        sys.stdout.flush()


def _import_all() -> None:
    import uscdr

    for module in pkgutil.walk_packages(uscdr.__path__, "uscdr."):
        if not module.name.startswith(("uscdr.sandbox.clinic", "uscdr.__main__")):
            importlib.import_module(module.name)
    from uscdr.scenarios.config_file import packaged
    from uscdr.scenarios.loader import load

    load(packaged())  # what its models are checked by is made when they are first needed
    gc.freeze()


def _served(case: dict[str, Any]) -> int:
    child = os.fork()
    if "terminal" in case:
        if child == 0:
            _shell(case)
        return child
    if child == 0:
        _run(case)
    watched = os.pidfd_open(child)
    if not select.select([watched], [], [], case["timeout"])[0]:
        os.kill(child, signal.SIGKILL)
    os.close(watched)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


def _run(case: dict[str, Any]) -> NoReturn:
    code = 1
    try:
        _become(case)
        from uscdr.cli import main as boundary
        from uscdr.engine import reconcile

        if case["look"] is not None:
            reconcile.LOOK_SECONDS = case["look"]
        boundary.main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:  # noqa: BLE001 - what came through the boundary is what a test looks for
        traceback.print_exc()
    finally:
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _shell(case: dict[str, Any]) -> NoReturn:
    """A shell without a prompt, whose terminal this becomes: one job, in the foreground whenever it runs."""
    os.setsid()
    terminal = os.open(case["terminal"], os.O_RDWR)
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    code = None
    with Path(case["notes"]).open("w", encoding="utf-8") as notes, Path(case["go"]).open(encoding="utf-8") as go:
        _note(notes, {"modes": _modes(terminal)})
        job = os.fork()
        if job == 0:
            os.setpgid(0, 0)
            os.tcsetpgrp(terminal, os.getpgrp())
            signal.signal(signal.SIGTTOU, signal.SIG_DFL)
            for number in range(3):
                os.dup2(terminal, number)
            _run(case)
        _note(notes, {"job": job})
        while code is None:
            _, status = os.waitpid(job, os.WUNTRACED)
            os.tcsetpgrp(terminal, os.getpgrp())
            code = None if os.WIFSTOPPED(status) else os.waitstatus_to_exitcode(status)
            _note(notes, {"modes": _modes(terminal), "code": code})
            if code is None and go.readline():
                os.tcsetpgrp(terminal, job)
                os.kill(job, signal.SIGCONT)
    os._exit(0)


def _modes(terminal: int) -> list[object]:
    import termios

    *flags, keys = termios.tcgetattr(terminal)
    return [*flags, [key.hex() if isinstance(key, bytes) else key for key in keys]]


def _note(notes: TextIO, note: Mapping[str, object]) -> None:
    notes.write(json.dumps(note) + "\n")
    notes.flush()


def _become(case: dict[str, Any]) -> None:
    os.environ.clear()
    os.environ.update(case["env"])
    os.chdir(case["cwd"])
    if "terminal" not in case:
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for number, name in ((1, "out"), (2, "err")) if "terminal" not in case else ():
        os.dup2(os.open(case[name], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), number)
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - for the rest of this process's life
    sys.argv = [USCDR, *case["arguments"]]


if __name__ == "__main__":
    _serve()
