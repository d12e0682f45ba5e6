"""A process that has imported the whole program and gives each command line a child of its own: `fork`, not `exec`.

Reads one JSON object a line: arguments, environment, directory and where the two streams go; answers with exit code
and seconds. A child is the program as its console script starts it; what it does to itself dies with it.
"""

from __future__ import annotations

import atexit
import importlib
import json
import os
import pkgutil
import select
import signal
import sys
import time
import traceback
from pathlib import Path
from typing import Any

LIMIT = 40.0
"""Seconds after which a child is killed."""
HUNG = 1000


def main() -> None:
    """Serve until the input ends."""
    _import_all()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    for line in sys.stdin:
        sys.stdout.write(json.dumps(_served(json.loads(line))) + "\n")
        sys.stdout.flush()


def _import_all() -> None:
    """What the program would import on its way; a child then has only its work to do."""
    import uscdr

    for module in pkgutil.walk_packages(uscdr.__path__, "uscdr."):
        if not module.name.startswith(("uscdr.sandbox", "uscdr.__main__")):
            importlib.import_module(module.name)


def _served(case: dict[str, Any]) -> dict[str, float]:
    began = time.monotonic()
    child = os.fork()
    if child == 0:
        _run(case)
    watched = os.pidfd_open(child)
    try:
        ready, _, _ = select.select([watched], [], [], LIMIT)
        seconds = _on_an_idle_machine(child, time.monotonic() - began)
        if not ready:
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
    finally:
        os.close(watched)
    return {"code": os.waitstatus_to_exitcode(status) if ready else HUNG, "seconds": seconds}


def _on_an_idle_machine(child: int, seconds: float) -> float:
    """Less what it waited for a processor, which another process had."""
    try:
        waited = int(Path(f"/proc/{child}/schedstat").read_text().split()[1]) / 1e9
    except (OSError, ValueError, IndexError):
        return seconds
    return max(0.0, seconds - waited)


def _run(case: dict[str, Any]) -> None:
    """The child: never returns."""
    code = 1
    try:
        _become(case)
        from uscdr.cli import main as boundary

        code = boundary.run(case["arguments"])
        sys.stdout.flush()
        sys.stderr.flush()
        atexit._run_exitfuncs()
    except BaseException:  # noqa: BLE001 - what came through the boundary is what is looked for
        traceback.print_exc()
        sys.stderr.flush()
    finally:
        os._exit(code)


def _become(case: dict[str, Any]) -> None:
    os.setsid()
    os.environ.clear()
    os.environ.update(case["env"])
    os.chdir(case["cwd"])
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    for number, name in ((1, "out"), (2, "err")):
        stream = os.open(case[name], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(stream, number)
    sys.argv = ["uscdr", *case["arguments"]]


if __name__ == "__main__":
    main()
