"""The clinic's programs without their start: one process has imported Django, and each program is a child of it.

A start of Django costs a third of a second of the processor, and these tests make more than a thousand. `WarmPython`
makes a directory with a `python` and a `gunicorn` that pass their arguments, environment, directory and streams to that
process, stay in its place, hand on signals, and end as the program ended. Whatever is not `manage.py` or gunicorn is
run by the interpreter itself. What is killed takes the program with it, and the program takes what it started.
"""

from __future__ import annotations

import array
import contextlib
import gc
import importlib
import json
import os
import runpy
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any, Self

PROGRAMS = ("python", "python3", "gunicorn")
AHEAD = (
    "django.contrib.admin.sites",
    "django.contrib.auth.hashers",
    "django.contrib.staticfiles.finders",
    "django.core.mail",
    "django.core.mail.backends.smtp",
    "django.core.management.commands.check",
    "django.core.management.commands.migrate",
    "django.core.servers.basehttp",
    "django.core.wsgi",
    "django.db.backends.postgresql.base",
    "django.db.migrations.executor",
    "django.db.models",
    "django.forms",
    "django.http",
    "django.template.backends.django",
    "django.template.loader",
    "django.test.signals",
    "django.urls",
    "django.utils.translation.trans_null",
    "django.views.static",
    "email.mime.text",
    "fractions",
    "getpass",
    "gunicorn.glogging",
    "gunicorn.http",
    "gunicorn.sock",
    "gunicorn.util",
    "gunicorn.workers.sync",
    "http.client",
    "multiprocessing.reduction",
    "psycopg",
    "redis",
    "statistics",
    "urllib.request",
    "uuid",
    "zipfile",
)
"""What looks neither at an application's settings nor at the directory when it is imported, as gunicorn.config does."""
LAUNCHER = """\
#!{interpreter} -IS
import _socket, json, os, signal, sys
program, arguments = os.path.basename(sys.argv[0]), sys.argv[1:]
if not (program == "gunicorn" or arguments and arguments[0].endswith("manage.py")):
    os.execv({bin!r} + "/" + program, [{bin!r} + "/" + program, *arguments])
host = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
host.connect({address!r})
for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2):
    signal.signal(number, lambda number, _: host.send(bytes([number])))
case = [program, arguments, dict(os.environ), os.getcwd()]
sent = json.dumps(case).encode()
streams = b"".join(number.to_bytes(4, sys.byteorder) for number in (0, 1, 2))
host.sendmsg([len(sent).to_bytes(4, "big")], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, streams)])
while sent:
    sent = sent[host.send(sent):]
answer = host.recv(4)
code = int.from_bytes(answer, "big", signed=True) if len(answer) == 4 else 1
if code < 0:
    signal.signal(-code, signal.SIG_DFL)
    os.kill(os.getpid(), -code)
os._exit(code)
"""


class WarmPython:
    """The directory and the process, until the end of the `with`; `python` is what to give for an interpreter."""

    def __init__(self) -> None:
        self._place = Path(tempfile.mkdtemp(prefix="uscdr-warm-"))
        self.python = self._place / "python"

    def __enter__(self) -> Self:
        address = str(self._place / "host")
        programs = Path(sys.executable).parent
        for name in PROGRAMS:
            text = LAUNCHER.format(interpreter=Path(sys.executable).resolve(), bin=str(programs), address=address)
            (self._place / name).write_text(text)
            (self._place / name).chmod(0o700)
        mark = {name: os.environ[name] for name in ("USCDR_TEST_RUN",) if name in os.environ}
        self._host = subprocess.Popen(
            [sys.executable, __file__, address],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd="/",
            env={"LANG": "C.UTF-8", "PYTHONUNBUFFERED": "1", **mark},
        )
        assert self._host.stdout is not None
        assert self._host.stdout.readline() == b"listening\n"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._host.stdin is not None
        self._host.stdin.close()
        self._host.wait()
        shutil.rmtree(self._place)


def serve(address: str) -> tuple[list[Any], list[int]] | None:
    """Until standard input ends; in a child: what program it is to be, and its streams."""
    for name in AHEAD:
        importlib.import_module(name)
    gc.freeze()
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(address)
        door.listen(64)
        os.write(1, b"listening\n")
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        while True:
            ready, _, _ = select.select([door.fileno(), 0], [], [])
            if 0 in ready:
                return None
            client, _ = door.accept()
            with client:
                if os.fork() == 0:
                    door.close()
                    return _attend(client)


def _attend(client: socket.socket) -> tuple[list[Any], list[int]]:
    """Start what is asked for, hand on signals, tell how it ended, and end; returns in what was started."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    child = -1
    try:
        case, streams = _received(client)
        child = os.fork()
        if child == 0:
            return case, streams
        for stream in streams:
            os.close(stream)
        _follow(client, child)
    finally:
        if child != 0:
            os._exit(0)
    raise AssertionError


def _received(client: socket.socket) -> tuple[list[Any], list[int]]:
    streams = array.array("i")
    length, ancillary, _, _ = client.recvmsg(4, socket.CMSG_SPACE(3 * streams.itemsize))
    for _, _, data in ancillary:
        streams.frombytes(data)
    wanted, text = int.from_bytes(length, "big"), b""
    while len(text) < wanted:
        if not (piece := client.recv(wanted - len(text))):
            raise ConnectionError
        text += piece
    return json.loads(text), list(streams)


def _follow(client: socket.socket, child: int) -> None:
    watched = os.pidfd_open(child)
    while True:
        ready, _, _ = select.select([watched, client.fileno()], [], [])
        if watched in ready:
            break
        number = client.recv(1)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child, number[0] if number else signal.SIGKILL)
        if not number:
            return
    _, status = os.waitpid(child, 0)
    with contextlib.suppress(OSError):
        client.send(os.waitstatus_to_exitcode(status).to_bytes(4, "big", signed=True))
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)


def become(case: list[Any], streams: list[int]) -> None:
    """Be the program, in a session of its own; what it leaves running in its group ends with it."""
    program, arguments, environment, directory = case
    os.setsid()
    for wanted, stream in enumerate(streams):
        os.dup2(stream, wanted)
        os.close(stream)
    os.chdir(directory)
    os.environ.clear()
    os.environ.update(environment)
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - for the rest of this process's life
    if program == "gunicorn":
        sys.argv = [program, *arguments]
        importlib.import_module("gunicorn.app.wsgiapp").run()
    else:
        sys.argv = arguments
        sys.path[0] = str(Path(arguments[0]).resolve().parent)
        runpy.run_path(arguments[0], run_name="__main__")


if __name__ == "__main__":
    asked = serve(sys.argv[1])
    if asked is not None:
        become(*asked)
