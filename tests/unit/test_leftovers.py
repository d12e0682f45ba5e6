"""The register of things made: what a killed process left is removed by the next, what a living one uses stays."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import pytest

from uscdr import files, staging
from uscdr.cleanup import sweep, workplace
from uscdr.pgserver import process, server
from uscdr.pgserver.process import _users_of
from uscdr.pgserver.server import LocalPostgres
from uscdr.staging import noted
from uscdr.store.directory import LocalStore

MAKER = """
import sys
from pathlib import Path
from uscdr import staging
from uscdr.cleanup import workplace
with workplace(Path(sys.argv[1]), sys.argv[2]) as place:
    (place / "proof").mkdir()
    (place / "proof" / "b001.dump").write_text("patients")
    outside = Path(sys.argv[3]) / ".uscdr-0123456789abcdef"
    staging.CleanupNote.write(place, "directory", {"path": str(outside)})
    outside.mkdir()
    (outside / "patients").write_text("in the clear")
    print("made", flush=True)
    sys.stdin.read()
"""
SERVED = """
import sys
from pathlib import Path
from uscdr.cleanup import workplace
from uscdr.pgserver.server import LocalPostgres
from uscdr.staging import noted
from uscdr.store.directory import LocalStore
with workplace(Path(sys.argv[1]), "killed") as place:
    server = LocalPostgres.start(place / "scratch-1", tied=True, by_socket=True)
    print(server.home, flush=True)
    sys.stdin.read()
"""


@contextmanager
def maker(state: Path, name: str, beside: Path) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-c", MAKER, str(state), name, str(beside)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"made\n"
        yield process
        process.kill()


def test_what_a_killed_process_left_goes_and_what_a_living_one_has_stays(tmp_path: Path) -> None:
    state, dead, alive = tmp_path / "state", tmp_path / "dead", tmp_path / "alive"
    dead.mkdir()
    alive.mkdir()
    with maker(state, "living", alive), maker(state, "killed", dead) as killed:
        killed.kill()
        killed.wait()
        assert sweep(state) == ()
        assert [path.name for path in (state / "scratch").iterdir()] == ["living"]
        assert list(dead.iterdir()) == []
        assert (alive / ".uscdr-0123456789abcdef" / "patients").exists()
        assert (state / "scratch" / "living" / "proof" / "b001.dump").exists()
    assert sweep(state) == ()
    assert list(state.iterdir()) == []
    assert list(alive.iterdir()) == []


def test_a_copy_of_the_register_owns_nothing_that_lies_elsewhere(tmp_path: Path) -> None:
    state, copy, outside = tmp_path / "state", tmp_path / "copy", tmp_path / ".uscdr-0123456789abcdef" / "patients"
    with maker(state, "alive", tmp_path):
        shutil.copytree(state, copy)
        assert sweep(copy) == ()
        assert not (copy / "scratch").exists()
        assert outside.exists()
    shutil.copytree(state, copy, dirs_exist_ok=True)  # its process is dead by now, and it is the original's still
    assert sweep(copy) == ()
    assert outside.exists()
    assert sweep(state) == ()
    assert not outside.exists()


@pytest.mark.parametrize("across_disks", [False, True])
def test_a_register_that_was_moved_owns_all_it_had(tmp_path: Path, *, across_disks: bool) -> None:
    state, moved, outside = tmp_path / "state", tmp_path / "moved", tmp_path / ".uscdr-0123456789abcdef" / "patients"
    with maker(state, "killed", tmp_path):
        pass
    if across_disks:
        shutil.copytree(state, moved)
        shutil.rmtree(state)
    else:
        state.rename(moved)
    assert sweep(moved) == ()
    assert not outside.exists()
    assert not (moved / "scratch").exists()


def test_a_run_goes_on_while_something_of_its_killed_process_cannot_be_removed(tmp_path: Path) -> None:
    left = tmp_path / "scratch" / "db-1"
    staging.CleanupNote.write(left, "database", {"server": "db.example:5432", "name": "uscdr_proof_" + "0" * 24})
    (left / "b001.dump").write_text("patients")
    for _ in range(2):
        (said,) = sweep(tmp_path)
        assert "db.example:5432" in said
        assert [path.name for path in left.iterdir()] == [".elsewhere"]
        with workplace(tmp_path, "db-1") as place:
            assert place.is_dir()
    assert list((tmp_path / "scratch").iterdir()) == [left]


def test_a_look_where_nothing_is_left_is_one_call(tmp_path: Path) -> None:
    with workplace(tmp_path, "over"):
        pass
    with mock.patch.object(os, "stat", side_effect=os.stat) as stat, mock.patch.object(os, "scandir") as listed:
        assert sweep(tmp_path) == ()
    assert stat.call_count == 1
    assert not listed.called
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="picks its victims from /proc")
def test_a_server_whose_owner_and_guard_died_at_once(tmp_path: Path) -> None:
    """Its files lie elsewhere when we are root; the record that says where goes after them."""
    command = [sys.executable, "-c", SERVED, str(tmp_path)]
    with (
        workplace(tmp_path, "neighbour") as place,
        LocalPostgres.start(place / "scratch-1", tied=True, by_socket=True) as neighbour,
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as owner,
    ):
        assert owner.stdout is not None
        home = Path(owner.stdout.readline().strip())
        owner.send_signal(signal.SIGSTOP)
        guards = [pid for pid in _users_of(home) if process.GUARD in server._command_line(pid)]
        for pid in (*guards, owner.pid):
            os.kill(pid, signal.SIGKILL)
        owner.wait()
        assert len(guards) == 1
        assert len(_users_of(home)) > 1
        assert sweep(tmp_path) == ()
        assert not _users_of(home)
        assert not home.exists()
        assert [path.name for path in (tmp_path / "scratch").iterdir()] == ["neighbour"]
        assert neighbour.runs
    assert list(tmp_path.iterdir()) == []


def test_a_clone_under_way_is_ended_before_its_directory_goes(tmp_path: Path) -> None:
    left = tmp_path / "scratch" / "left"
    left.mkdir(parents=True)
    subprocess.run(["git", "init", "--quiet", "--bare", left / "x.git"], check=True)
    command = ["git", "--git-dir", str(left / "x.git"), "cat-file", "--batch"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True) as clone:
        while clone.pid not in _users_of(left):
            assert clone.poll() is None
        assert sweep(tmp_path) == ()
        assert clone.wait(5) < 0
    assert not left.exists()


def test_a_removal_that_was_cut_off_is_gone_on_with(tmp_path: Path) -> None:
    """The notes are the last that goes, and each after its thing."""
    first, second = tmp_path / ".uscdr-aaaaaaaaaaaaaaaa", tmp_path / ".uscdr-bbbbbbbbbbbbbbbb"
    left = tmp_path / "scratch" / "left"
    for path in (first, second):
        path.mkdir()
        staging.CleanupNote.write(left, "directory", {"path": str(path)})
    with (
        mock.patch("uscdr.cleanup._remove_tree", side_effect=[None, KeyboardInterrupt]),
        pytest.raises(KeyboardInterrupt),
    ):
        sweep(tmp_path)
    assert len(list(staging.CleanupNote.all_in(left))) == 2
    assert sweep(tmp_path) == ()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("path", ["/", "/etc", "", "kept", ".uscdr-x", "../.uscdr-0123456789abcde"])
def test_a_damaged_note_names_nothing_that_is_removed(tmp_path: Path, path: str) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    left = tmp_path / "scratch" / "left"
    staging.CleanupNote.write(left, "directory", {"path": path if path != "kept" else str(kept)})
    torn = left / ".elsewhere" / "torn.json"
    torn.write_text('{"kind": "direc')
    assert sweep(tmp_path) == ()
    assert kept.exists()
    assert not left.exists()


def test_the_register_may_vanish_while_one_is_made_in_it(tmp_path: Path) -> None:
    register = tmp_path / "scratch"
    removed = iter([True, True])

    def above(path: Path) -> None:
        files.private_directory(path)
        if next(removed, False):
            path.rmdir()

    with files.own_directory(register / "ours", above=above) as place:
        assert place.is_dir()


def test_the_guard_is_known_by_its_name(tmp_path: Path) -> None:
    """It is ended with the rest, so that two do not remove the same."""
    watch = server.Guard.start(tmp_path / "data", [tmp_path / "data"])
    while not (found := _users_of(tmp_path)):
        assert watch.process.poll() is None
    assert found == [watch.process.pid]
    watch.release()


def test_what_a_pull_that_was_killed_left_in_a_store_goes_and_what_another_has_there_stays(tmp_path: Path) -> None:
    store, left = LocalStore(tmp_path / "safe"), tmp_path / "state" / "scratch" / "left"
    half = tmp_path / "safe" / ".staging" / "0123456789abcdef"
    half.mkdir(parents=True)
    staging.CleanupNote.write(left, "staging", {"path": str(half.parent)})
    with workplace(tmp_path / "state", "another") as place, noted(store.place, place), store.staging() as used:
        half.mkdir(exist_ok=True)  # what it cleared away itself
        assert sweep(tmp_path / "state") == ()
        assert list(half.parent.iterdir()) == [used]
        assert len(list(staging.CleanupNote.all_in(place))) == 1
    assert list((tmp_path / "state").iterdir()) == []
