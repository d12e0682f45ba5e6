"""What is left of a server when its owner and its guard died at once, at any moment."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from uscdr.pgserver.process import _users_of, birth
from uscdr.pgserver.server import PLACE, LocalPostgres, _command_line, reap

STARTER = """
import sys
from pathlib import Path
from uscdr.pgserver.server import LocalPostgres
server = LocalPostgres.start(Path(sys.argv[1]), tied=True, by_socket=True)
print("up", flush=True)
sys.stdin.read()
"""


def eventually(condition: Callable[[], bool], limit: float = 60.0) -> None:
    deadline = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def record(directory: Path) -> dict[str, str]:
    found: dict[str, str] = json.loads((directory / "server.json").read_text())
    return found


def home_of(directory: Path) -> Path:
    eventually((directory / "server.json").exists)
    return Path(record(directory)["home"])


def kill_all(owner: subprocess.Popen[bytes], home: Path, *, server: bool) -> None:
    """The owner and the guard at once, and the server's first process too."""
    os.kill(owner.pid, signal.SIGSTOP)  # nobody starts another meanwhile
    try:
        for pid in _users_of(home):
            with suppress(FileNotFoundError, ProcessLookupError):  # a short-lived program may have ended by now
                line = Path(f"/proc/{pid}/cmdline").read_bytes()
                if b"uscdr-guard" in line or (server and b"postgres\0-D" in line):
                    os.kill(pid, signal.SIGKILL)
    finally:
        owner.kill()
        owner.wait()


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="picks its victims from /proc")
@pytest.mark.parametrize("moment", ["initdb", "starting", "up"])
@pytest.mark.parametrize("server", [False, True], ids=["server lives", "server killed"])
def test_nothing_is_left_whoever_was_killed(directory: Path, moment: str, server: bool) -> None:
    command = [sys.executable, "-c", STARTER, str(directory)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as owner:
        home = home_of(directory)
        seen = {"initdb": home / "data" / "global", "starting": home / "server.log", "up": home / "data/postmaster.pid"}
        eventually(seen[moment].exists)
        if moment == "up":
            assert owner.stdout is not None
            assert owner.stdout.readline() == b"up\n"
        kill_all(owner, home, server=server)
    reap(directory)
    assert not _users_of(home)
    assert not home.exists()
    assert not directory.exists()


def test_a_removal_that_was_cut_off_is_gone_on_with(directory: Path) -> None:
    """The record is the last that goes."""
    server = LocalPostgres.start(directory)
    wanted = record(directory)
    os.kill(server.pid, signal.SIGKILL)
    for path in sorted(server.home.rglob("*"), reverse=True)[::2]:
        if path.is_file():
            path.unlink()
    assert record(directory) == wanted
    reap(directory)
    assert not server.home.exists()
    assert not directory.exists()


def test_a_neighbours_server_under_the_same_roof_stays(directory: Path) -> None:
    other = directory.parent / "server2"
    with LocalPostgres.start(directory) as ours, LocalPostgres.start(other) as theirs:
        assert not set(_users_of(ours.home)) & set(_users_of(theirs.home))
        reap(directory)
        assert birth(ours.pid) is None
        assert birth(theirs.pid) is not None
        assert theirs.home.exists()


@pytest.mark.parametrize("field", ["home", "sockets"])
@pytest.mark.parametrize("place", ["/", "/etc", "..", "../kept", "/var/tmp", "/var/tmp/uscdr-postgres-x"])
def test_a_damaged_record_names_nothing_that_is_removed(tmp_path: Path, field: str, place: str) -> None:
    directory, kept = tmp_path / "server", tmp_path / "kept"
    directory.mkdir()
    kept.mkdir()
    text = json.dumps({"home": str(directory / "postgres"), field: str(directory / place)})
    (directory / "server.json").write_text(text)
    reap(directory)
    assert kept.exists()
    assert (directory / "server.json").read_text() == text


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's servers have their files elsewhere")
def test_a_server_is_found_when_the_place_for_files_has_changed_since(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with tempfile.TemporaryDirectory() as place:
        Path(place).chmod(0o755)
        monkeypatch.setenv(PLACE, place)
        server = LocalPostgres.start(directory)
        assert server.home.parent == Path(place)
        monkeypatch.delenv(PLACE)
        reap(directory)
    assert birth(server.pid) is None
    assert not server.home.exists()
    assert not directory.exists()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"home": 1}', "null"])
def test_a_record_that_is_none_is_left_alone(tmp_path: Path, text: str) -> None:
    (tmp_path / "server.json").write_text(text)
    reap(tmp_path)
    assert (tmp_path / "server.json").exists()


@pytest.mark.parametrize("pid", [-1, 0, 1 << 31, 10**30])
def test_no_process_has_such_a_number(pid: int) -> None:
    """A server that runs alone writes its number with a minus, and a damaged file may hold any."""
    assert _command_line(pid) == ""
    assert birth(pid) is None


def test_only_our_own_programs_are_ended(tmp_path: Path) -> None:
    """A person may look at what is there."""
    with subprocess.Popen(["sleep", "60"], cwd=tmp_path) as reader:
        assert _users_of(tmp_path) == []
        reader.kill()
