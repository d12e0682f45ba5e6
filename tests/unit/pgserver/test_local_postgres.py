"""A private server for real: started, reached, found again, removed, and not outliving its owner."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from attached import attach

from uscdr.errors import MachineError
from uscdr.pgserver import cluster
from uscdr.pgserver.cluster import TlsFiles, find_server
from uscdr.pgserver.process import birth
from uscdr.pgserver.server import PLACE, LocalPostgres, reap

STARTER = """
import sys
from pathlib import Path
from typing import Any
from uscdr.pgserver.server import LocalPostgres
server = LocalPostgres.start(Path(sys.argv[1]), tied=sys.argv[2] == "tied")
print(server.pid, server.home, flush=True)
sys.stdin.read()
"""


def eventually(condition: Callable[[], bool], limit: float = 60.0) -> bool:
    deadline = time.monotonic() + limit
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def ask(server: LocalPostgres, query: str, **options: Any) -> object:
    with psycopg.connect(server.dsn(), **options) as connection:
        row = connection.execute(query.encode()).fetchone()
    return row[0] if row else None


def test_start_answers_and_destroy_leaves_nothing(directory: Path) -> None:
    with LocalPostgres.start(directory) as server:
        assert ask(server, "SHOW server_encoding") == "UTF8"
        assert ask(server, "SHOW unix_socket_directories") == ""
        assert ask(server, "SHOW listen_addresses") == "127.0.0.1"
        assert (directory.stat().st_mode & 0o777) == 0o700
        assert ((directory / "server.json").stat().st_mode & 0o777) == 0o600
    assert birth(server.pid) is None
    assert not server.home.exists()
    assert not directory.exists()


@pytest.mark.parametrize("short", [True, False])
def test_a_socket_is_the_only_way_in_when_it_is_wanted(
    directory: Path, short: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long the path of the files is; found again, and gone with the server."""
    if not short:
        monkeypatch.setattr("uscdr.pgserver.server._LONGEST_SOCKET", 5)
    with LocalPostgres.start(directory, by_socket=True) as server:
        sockets = Path(server.host)
        assert ask(server, "SHOW listen_addresses") == ""
        assert (sockets == server.home) is short
        assert (sockets.stat().st_mode & 0o777) == 0o700
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(server.dsn(password="wrong"))
        assert attach(directory) == server
    assert not sockets.exists()
    assert not server.home.exists()


def test_pgcrypto_and_parameters(directory: Path) -> None:
    with LocalPostgres.start(directory, parameters={"work_mem": "13MB"}) as server:
        assert ask(server, "SHOW work_mem") == "13MB"
        with psycopg.connect(server.dsn(), autocommit=True) as connection:
            connection.execute("CREATE EXTENSION pgcrypto")
            query = "SELECT pgp_sym_decrypt(pgp_sym_encrypt('a', 'key'), 'key')"
            assert connection.execute(query).fetchone() == ("a",)


def test_password_is_needed_and_not_shown(directory: Path) -> None:
    with LocalPostgres.start(directory) as server:
        assert server.password not in repr(server)
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(server.dsn(password="wrong"))
        processes = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
        assert server.password not in processes


def test_environment_serves_client_tools(directory: Path) -> None:
    with LocalPostgres.start(directory) as server:
        tool = str(find_server() / "psql")
        environment = {**server.environment(), "PATH": "/usr/bin:/bin"}
        command = [tool, "-Atc", "SELECT current_user || current_database()"]
        answer = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        assert answer.stdout.strip() == "postgrespostgres"


def test_tls_connection_is_verified(directory: Path, tmp_path: Path) -> None:
    trustme = pytest.importorskip("trustme")
    authority = trustme.CA()
    leaf = authority.issue_cert("localhost", "127.0.0.1")
    certificate, key, ca = tmp_path / "leaf.pem", tmp_path / "leaf.key", tmp_path / "ca.pem"
    leaf.cert_chain_pems[0].write_to_path(certificate)
    leaf.private_key_pem.write_to_path(key)
    authority.cert_pem.write_to_path(ca)
    with LocalPostgres.start(directory, tls=TlsFiles(certificate, key)) as server:
        query = "SELECT ssl::text FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
        assert ask(server, query, sslmode="verify-full", sslrootcert=str(ca)) == "true"


def test_attach_finds_the_running_server_only(directory: Path) -> None:
    assert attach(directory) is None
    server = LocalPostgres.start(directory)
    found = attach(directory)
    assert found == server
    assert ask(found, "SELECT 1") == 1
    found.stop()
    assert attach(directory) is None
    found.stop()
    found.destroy()
    assert not directory.exists()


def test_directory_in_use_is_refused_and_kept(directory: Path) -> None:
    directory.mkdir()
    kept = directory / "kept"
    kept.write_text("x")
    with pytest.raises(MachineError, match="not empty"):
        LocalPostgres.start(directory)
    reap(directory)
    assert kept.exists()
    kept.unlink()
    directory.rmdir()


@pytest.mark.parametrize("tied", [True, False], ids=["tied", "not tied"])
def test_a_server_that_cannot_start_says_why_and_leaves_nothing(directory: Path, tied: bool) -> None:
    with pytest.raises(MachineError) as caught:
        LocalPostgres.start(directory, parameters={"shared_buffers": "nonsense"}, tied=tied)
    assert "shared_buffers" in caught.value.why
    assert not directory.exists()


def test_tied_server_dies_with_its_killed_owner(directory: Path) -> None:
    command = [sys.executable, "-c", STARTER, str(directory), "tied"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        pid, home = owner.stdout.readline().split()
        assert birth(int(pid)) is not None
        assert os.getsid(int(pid)) != os.getsid(0)
        owner.kill()
    assert eventually(lambda: birth(int(pid)) is None)
    assert eventually(lambda: not Path(home).exists() and not directory.exists())


def test_owner_killed_while_starting_leaves_nothing(directory: Path) -> None:
    command = [sys.executable, "-c", STARTER, str(directory), "tied"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as owner:
        homes = Path(os.environ.get(PLACE, "/var/tmp")) if os.geteuid() == 0 else directory
        assert eventually(lambda: any((home / "data").exists() for home in homes.glob("*postgres*")))
        owner.kill()
    assert eventually(lambda: not directory.exists())


def test_reap_removes_what_a_killed_owner_left(directory: Path) -> None:
    command = [sys.executable, "-c", STARTER, str(directory), "untied"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        pid, home = owner.stdout.readline().split()
        owner.kill()
    assert birth(int(pid)) is not None
    reap(directory)
    assert birth(int(pid)) is None
    assert not Path(home).exists()
    assert not directory.exists()
    reap(directory)


def test_terminal_interrupt_does_not_reach_it(directory: Path) -> None:
    command = [sys.executable, "-c", STARTER, str(directory), "untied"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    ) as owner:
        assert owner.stdout is not None
        pid = int(owner.stdout.readline().split()[0])
        os.killpg(owner.pid, signal.SIGINT)
        owner.wait()
    found = attach(directory)
    assert found is not None
    assert found.pid == pid
    assert ask(found, "SELECT 1") == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="only root must hand the server to another user")
def test_root_with_programs_and_directory_out_of_reach(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "_reachable", lambda program: False)
    parent_mode = directory.parent.stat().st_mode
    with LocalPostgres.start(directory) as server:
        assert ask(server, "SELECT 1") == 1
        assert server.binaries.is_relative_to(server.home)
        assert Path(f"/proc/{server.pid}").stat().st_uid != 0
        assert directory.parent.stat().st_mode == parent_mode


@pytest.mark.skipif(os.geteuid() != 0, reason="looks at modes as root")
def test_reach_is_judged_by_every_parent(tmp_path: Path) -> None:
    program = tmp_path / "bin" / "postgres"
    program.parent.mkdir()
    program.touch(0o755)
    for parent in program.parents:
        if parent.is_relative_to(tmp_path):
            parent.chmod(0o755)
    (tmp_path / "bin").chmod(0o700)
    assert not cluster._reachable(program)
