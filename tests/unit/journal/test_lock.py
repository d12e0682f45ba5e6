"""One recovery per target: real processes, real signals."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from uscdr.errors import ExitCode, LockHeld, MachineError
from uscdr.files import try_lock
from uscdr.journal import lock
from uscdr.journal import lock as presence
from uscdr.settings import Operator

HOLDER = """
import sys
from pathlib import Path
from uscdr.errors import UscdrError
from uscdr.journal import lock
from uscdr.settings import Operator
try:
    with lock.HeldLock.hold(Path(sys.argv[1]), sys.argv[2], Operator.of({"USER": "ada"}), "recovering the clinic"):
        print("held", flush=True)
        sys.stdin.readline()
except UscdrError as error:
    print(error.message, error.why, flush=True)
    sys.exit(int(error.exit_code))
"""
ME = Operator.of({"USER": "grace"})


class Holders:
    """Processes that hold, or try to."""

    def __init__(self, state: Path) -> None:
        self.state = state
        self.all: list[subprocess.Popen[str]] = []

    def start(self, target: str = "api usc-pis") -> subprocess.Popen[str]:
        arguments = [sys.executable, "-c", HOLDER, str(self.state), target]
        process = subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.all.append(process)
        return process

    def holding(self, target: str = "api usc-pis") -> subprocess.Popen[str]:
        process = self.start(target)
        assert said(process) == "held"
        return process


def said(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def released(process: subprocess.Popen[str]) -> None:
    process.communicate("\n", timeout=30)


@pytest.fixture
def holders(tmp_path: Path) -> Iterator[Holders]:
    started = Holders(tmp_path)
    yield started
    for process in started.all:
        if process.poll() is None:
            process.send_signal(signal.SIGCONT)
            process.kill()
        process.communicate()


def hold(state: Path, target: str = "api usc-pis", who: Operator = ME) -> lock._Holder:
    with lock.HeldLock.hold(state, target, who, "looking") as held:
        return held.holder


def test_the_loser_is_told_who_where_since_when_and_what_for(holders: Holders) -> None:
    process = holders.holding()
    with pytest.raises(LockHeld) as refused:
        hold(holders.state)
    error = refused.value
    assert error.exit_code is ExitCode.LOCKED
    for fact in ("ada", os.uname().nodename, str(process.pid), "since 20", "api usc-pis"):
        assert fact in error.message
    assert "recovering the clinic" in error.why
    assert hold(holders.state, "api another-app").user == "grace"
    released(process)
    assert hold(holders.state).user == "grace"
    assert hold(holders.state).pid == os.getpid()


def test_a_killed_holder_holds_nothing(holders: Holders) -> None:
    process = holders.holding()
    process.kill()
    process.wait()
    with lock.HeldLock.hold(holders.state, "api usc-pis", ME, "mine now"):
        loser = holders.start()
        words = said(loser)
        assert "grace" in words
        assert "ada" not in words
        assert loser.wait(30) == 6


def test_a_stopped_holder_still_holds(holders: Holders) -> None:
    process = holders.holding()
    process.send_signal(signal.SIGSTOP)
    with pytest.raises(LockHeld, match="ada"):
        hold(holders.state)
    process.send_signal(signal.SIGCONT)
    released(process)
    hold(holders.state)


def lock_file(state: Path) -> Path:
    (path,) = (state / "locks").iterdir()
    return path


def test_a_holder_on_another_machine_is_never_presumed_dead(tmp_path: Path) -> None:
    hold(tmp_path)
    other = {"user": "linus", "host": "elsewhere", "pid": 4, "since": "2026-11-23T02:00:00+00:00", "message": "m"}
    lock_file(tmp_path).write_text(json.dumps(other))
    with pytest.raises(LockHeld) as refused:
        hold(tmp_path)
    assert "linus on elsewhere" in refused.value.message
    assert str(lock_file(tmp_path)) in refused.value.next_action
    assert json.loads(lock_file(tmp_path).read_text()) == other
    lock_file(tmp_path).unlink()
    hold(tmp_path)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"user": "x"}', "\x00" * 50, "null"])
def test_what_a_crash_left_in_the_file_does_not_matter(tmp_path: Path, content: str) -> None:
    hold(tmp_path)
    lock_file(tmp_path).write_text(content)
    assert hold(tmp_path).user == "grace"
    assert lock_file(tmp_path).read_text() == ""


def test_the_lock_goes_with_an_error(tmp_path: Path) -> None:
    def fail() -> None:
        with lock.HeldLock.hold(tmp_path, "t", ME, "m"):
            raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        fail()
    hold(tmp_path, "t")


def test_of_many_racers_one_wins(holders: Holders) -> None:
    racers = [holders.start() for _ in range(24)]
    words = [said(racer) for racer in racers]
    assert words.count("held") == 1
    winner = racers[words.index("held")]
    losers = [line for line in words if line != "held"]
    assert all(f"process {winner.pid}" in line for line in losers), losers
    assert {racer.wait(30) for racer in racers if racer is not winner} == {6}
    released(winner)


def as_nobody(act: Callable[[], object]) -> str:
    """What `act` raises in a child that is an ordinary user."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        if os.geteuid() == 0:
            os.setgid(65534)
            os.setuid(65534)
        try:
            act()
            answer = "nothing"
        except MachineError as error:
            answer = f"{type(error).__name__}: {error.message} {error.why}"
        os.write(writer, answer.encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as answers:
        answer = answers.read()
    os.waitpid(child, 0)
    return answer


def test_a_directory_that_cannot_be_written_is_this_machines_fault(tmp_path: Path) -> None:
    for place in (tmp_path, *tmp_path.parents):
        if place.stat().st_uid == os.geteuid() and place != Path("/"):
            place.chmod(place.stat().st_mode | 0o055)
    (tmp_path / "state").mkdir()
    (tmp_path / "state").chmod(0o555)
    answer = as_nobody(lambda: hold(tmp_path / "state"))
    assert answer.startswith("MachineError: uscdr cannot use the state directory"), answer
    assert "Permission denied" in answer


def test_a_file_in_the_directorys_place_is_this_machines_fault(tmp_path: Path) -> None:
    (tmp_path / "locks").write_text("")
    with pytest.raises(MachineError, match="uscdr cannot use"):
        hold(tmp_path)
    (tmp_path / "2" / "locks").mkdir(parents=True)
    (tmp_path / "2" / "locks" / (lock._file_name("t") + ".lock")).mkdir()
    with pytest.raises(MachineError, match="lock file"):
        hold(tmp_path / "2", "t")


def _linked(path: Path) -> None:
    path.symlink_to(path.parent.parent / "notes")


@pytest.mark.parametrize("make", [os.mkfifo, Path.mkdir, _linked])
def test_what_is_no_file_is_no_lock_and_stays_as_it_is(tmp_path: Path, make: Callable[[Path], None]) -> None:
    hold(tmp_path)
    path, notes = lock_file(tmp_path), tmp_path / "notes"
    path.unlink()
    notes.write_text("a person's")
    make(path)
    with pytest.raises(MachineError, match="uscdr cannot use"):
        hold(tmp_path)
    assert notes.read_text() == "a person's"


def test_a_full_disk_is_this_machines_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(MachineError, match="lock file"):
        hold(tmp_path)
    monkeypatch.undo()
    hold(tmp_path)


def test_a_file_system_without_locks_is_this_machines_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*_: object) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr(fcntl, "flock", none)
    with pytest.raises(MachineError, match="lock file"):
        hold(tmp_path)


@pytest.mark.parametrize(("pid", "named"), [(10**30, "ada on "), ("seven", "an unknown process")])
def test_a_lock_file_that_says_nonsense_still_holds(
    pid: object, named: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock, "NAMING_LIMIT", 0.0)
    path = tmp_path / "locks" / (lock._file_name("t") + ".lock")
    path.parent.mkdir()
    said = {"user": "ada", "host": os.uname().nodename, "pid": pid, "since": "2026-11-23T02:00:00+00:00", "message": ""}
    path.write_text(json.dumps(said))
    with path.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(LockHeld, match=named):
            hold(tmp_path, "t")


class Way:
    """What may happen to a lock file behind its holder's back."""

    @staticmethod
    def deleted(path: Path) -> None:
        path.unlink()

    @staticmethod
    def its_directory_deleted(path: Path) -> None:
        shutil.rmtree(path.parent)

    @staticmethod
    def moved_away(path: Path) -> None:
        path.rename(path.with_suffix(".bak"))

    @staticmethod
    def replaced_by_a_copy(path: Path) -> None:
        copy = path.with_suffix(".copy")
        copy.write_bytes(path.read_bytes())
        copy.replace(path)

    @staticmethod
    def replaced_by_an_empty_one(path: Path) -> None:
        path.unlink()
        path.touch()


WAYS = [Way.deleted, Way.its_directory_deleted, Way.moved_away, Way.replaced_by_a_copy, Way.replaced_by_an_empty_one]


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(presence, "LIMIT", 0.1)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("way", WAYS)
def test_the_next_comer_is_kept_out_though_the_lock_file_is_gone(holders: Holders, way: Callable[[Path], None]) -> None:
    process = holders.holding()
    way(lock_file(holders.state))
    for _ in range(2):
        with pytest.raises(LockHeld, match=f"Process {process.pid} already works in") as refused:
            hold(holders.state)
        assert "deleted or replaced" in refused.value.why
    released(process)
    assert hold(holders.state).user == "grace"


@pytest.mark.usefixtures("impatient")
def test_work_on_another_target_does_not_hide_whose_lock_file_is_gone(holders: Holders) -> None:
    process = holders.holding()
    lock_file(holders.state).unlink()
    with pytest.raises(LockHeld, match=f"Process {process.pid} "):
        hold(holders.state, "api another-app")
    released(process)
    other = holders.holding("api another-app")
    process = holders.holding()
    (holders.state / "locks" / (lock._file_name("api usc-pis") + ".lock")).unlink()
    with pytest.raises(LockHeld, match=f"Process {process.pid} "):
        hold(holders.state)
    released(other)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("names", [True, False])
def test_where_nobody_tells_who_works_there_the_next_comer_is_kept_out_as_well(
    holders: Holders, monkeypatch: pytest.MonkeyPatch, names: bool
) -> None:
    monkeypatch.setattr(presence, "_who", lambda descriptor: set())
    process = holders.holding()
    if names:
        assert hold(holders.state, "api another-app").user == "grace"
    else:
        lock_file(holders.state).unlink()
        with pytest.raises(LockHeld, match="Another process already works"):
            hold(holders.state)
    released(process)


@pytest.mark.parametrize("way", [Way.deleted, Way.its_directory_deleted, Way.moved_away, Way.replaced_by_an_empty_one])
def test_the_holder_takes_it_again_and_says_so_once(
    tmp_path: Path, holders: Holders, way: Callable[[Path], None]
) -> None:
    with lock.HeldLock.hold(tmp_path, "api usc-pis", ME, "recovering") as held:
        path = lock_file(tmp_path)
        assert held.check() == ""
        way(path)
        assert "during this run" in held.check()
        assert held.check() == ""
        assert json.loads(path.read_text())["user"] == "grace"
        late = holders.start()
        assert "grace" in said(late)
        assert late.wait(30) == 6
    assert path.read_text() == ""
    hold(tmp_path)


def test_the_holder_does_not_act_beside_one_that_has_the_new_file(tmp_path: Path) -> None:
    with lock.HeldLock.hold(tmp_path, "api usc-pis", ME, "recovering") as held:
        path = lock_file(tmp_path)
        path.unlink()
        other = held.holder.model_copy(update={"user": "linus"})
        with path.open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.write(other.model_dump_json())
            file.flush()
            for _ in range(2):
                with pytest.raises(LockHeld, match="deleted or replaced the lock file") as refused:
                    held.check()
                assert "linus" in refused.value.why
                assert "uscdr runs resume" in refused.value.next_action
        with pytest.raises(LockHeld, match="deleted or replaced the lock file"):
            held.check()  # it ended, and may have changed everything
    assert json.loads(path.read_text())["user"] == "linus"


def test_where_the_next_comer_cannot_be_told_the_holder_does_not_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a network file system that has no locks of directories."""
    whole = try_lock

    def of_files_only(descriptor: int) -> bool:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(9, "Bad file descriptor")
        return whole(descriptor)

    monkeypatch.setattr("uscdr.journal.lock.try_lock", of_files_only)
    with lock.HeldLock.hold(tmp_path, "t", ME, "recovering") as held:
        assert held.check() == ""
        lock_file(tmp_path).unlink()
        with pytest.raises(LockHeld, match="deleted or replaced the lock file"):
            held.check()


def test_one_who_only_looks_keeps_nobody_out(tmp_path: Path) -> None:
    """Whether a lock file is held is asked by taking it for a moment."""
    hold(tmp_path)
    with lock_file(tmp_path).open("r+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        timer = threading.Timer(0.1, file.close)
        timer.start()
        assert hold(tmp_path).user == "grace"
        timer.join()


def test_a_dead_holder_of_this_kernel_under_another_name_holds_nothing(tmp_path: Path) -> None:
    """A container has another name each time; a laptop has one in each network."""
    hold(tmp_path)
    left = {"user": "ada", "host": "3f2a", "pid": 4, "since": "2026-11-23T02:00:00+00:00", "message": "m"}
    lock_file(tmp_path).write_text(json.dumps({**left, "boot": lock._boot()}))
    assert hold(tmp_path).user == "grace"
    lock_file(tmp_path).write_text(json.dumps({**left, "boot": "another"}))
    with pytest.raises(LockHeld, match="ada on 3f2a"):
        hold(tmp_path)
