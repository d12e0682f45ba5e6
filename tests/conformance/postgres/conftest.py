"""A real PostgreSQL with a small database, and PgBouncer in front of it as many are set up."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest
from pooled import Pooled

from uscdr.pgserver.server import LocalPostgres

BOUNCER = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
SCRIPT = """
CREATE TABLE patient (id int PRIMARY KEY, name text, at timestamptz);
INSERT INTO patient SELECT g, 'x' || g, '2026-01-01Z' FROM generate_series(1, 50) g;
CREATE TABLE visit (id int PRIMARY KEY, patient int REFERENCES patient); INSERT INTO visit VALUES (1, 1), (2, 50);
CREATE TABLE django_migrations (id int, app text, name text);
"""


@pytest.fixture(scope="session")
def server() -> Iterator[LocalPostgres]:
    with tempfile.TemporaryDirectory() as parent, LocalPostgres.start(Path(parent) / "server", tied=True) as running:
        with psycopg.connect(running.dsn(), autocommit=True) as connection:
            connection.execute(SCRIPT)
        yield running


@pytest.fixture
def pooled(server: LocalPostgres) -> Iterator[Callable[[str], Pooled]]:
    """What starts PgBouncer in one of its modes."""
    if BOUNCER is None:
        reason = "pgbouncer not installed: run tests/conformance/install_packages.sh"
        # Root can install it: its absence is a failure there.
        assert os.geteuid() != 0, reason
        pytest.skip(reason)
    with ExitStack() as stack:

        def begin(mode: str) -> Pooled:
            place = Path(stack.enter_context(tempfile.TemporaryDirectory(dir="/tmp")))
            port = _free_port()
            process = _started(place, port, mode, server)
            stack.callback(process.wait)
            stack.callback(process.terminate)
            _await(port, process)
            return Pooled(f"postgres://postgres:{server.password}@127.0.0.1:{port}/postgres", server)

        yield begin


def _started(place: Path, port: int, mode: str, server: LocalPostgres) -> subprocess.Popen[bytes]:
    parts = psycopg.conninfo.conninfo_to_dict(server.dsn())
    (place / "users").write_text(f'"postgres" "{server.password}"\n')
    (place / "bouncer.ini").write_text(
        f"[databases]\npostgres = host={parts['host']} port={parts['port']} dbname=postgres\n[pgbouncer]\n"
        f"listen_addr=127.0.0.1\nlisten_port={port}\nauth_type=plain\nauth_file={place}/users\npool_mode={mode}\n"
        "unix_socket_dir=\nignore_startup_parameters=extra_float_digits,options\n"
    )
    command = [str(BOUNCER), str(place / "bouncer.ini")]
    if os.geteuid() == 0:  # it refuses to run as root
        place.chmod(0o755)
        command = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", *command]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _free_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port: int = held.getsockname()[1]
        return port


def _await(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        assert process.poll() is None, "pgbouncer ended"
        with socket.socket() as tried:
            if tried.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)  # an interval between two looks
    raise AssertionError("pgbouncer does not listen")
