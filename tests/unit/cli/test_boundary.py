"""The edge of the program: every end has one message and the documented code, and no traceback."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from uscdr.cli import main
from uscdr.errors import (
    BadInput,
    CheckFailed,
    Declined,
    Interrupted,
    LockHeld,
    MachineError,
    OutcomeUnknown,
    ProviderError,
    UscdrError,
)
from uscdr.journal import runs

HEAVY = {
    "httpx",
    "psycopg",
    "cloudinary",
    "dns",
    "pydantic",
    "pydantic_core",
    "yaml",
    "starlette",
    "django",
    "uvicorn",
    "rich",
}


def uscdr(
    *arguments: str, stdout: object = subprocess.PIPE, before: str = "", env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """The program in a process of its own; `before` is run first in it."""
    script = f"import sys\n{before}\nfrom uscdr.cli.main import main\nsys.argv[0] = 'uscdr'\nmain()"
    done: subprocess.CompletedProcess[str] = subprocess.run(  # type: ignore[call-overload]
        [sys.executable, "-c", script, *arguments],
        stdout=stdout,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, **(env or {})},
    )
    return done


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("USCDR_STATE_DIR", str(tmp_path))
    return tmp_path


def ended(
    error: BaseException, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *more: str
) -> tuple[int, str, str]:
    def fail(place: runs.LocalRuns) -> list[runs.RunSummary]:
        raise error

    monkeypatch.setattr(runs.LocalRuns, "summaries", fail)
    code = main.run([*more, "runs", "list"])
    return code, *capsys.readouterr()


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (CheckFailed("A check failed."), 1),
        (BadInput("Bad input."), 2),
        (MachineError("Broken."), 3),
        (ProviderError("Refused.", provider="heroku"), 3),
        (UscdrError("Something."), 3),
        (Declined("No."), 4),
        (OutcomeUnknown("Who knows."), 5),
        (LockHeld("Held."), 6),
        (Interrupted("Stopped."), 130),
    ],
)
def test_each_error_has_its_code_and_one_message(
    state: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: UscdrError, code: int
) -> None:
    found, out, err = ended(error, monkeypatch, capsys)
    assert (found, out) == (code, "")
    assert err.count(error.message) == 1
    assert "Traceback" not in err
    assert "Next:" in err


def test_ctrl_c_is_130(state: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = ended(KeyboardInterrupt(), monkeypatch, capsys)
    assert code == 130
    assert "Interrupted" in err
    assert "Aborted" not in err


def test_the_end_of_input_is_no_success(
    state: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = ended(EOFError(), monkeypatch, capsys)
    assert code != 0
    assert "Traceback" not in err


def test_a_full_disk_is_this_machines_fault(
    state: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = ended(OSError(errno.ENOSPC, "No space left on device", "/state/x"), monkeypatch, capsys)
    assert code == 3
    assert "No space left on device (/state/x)" in err


def test_a_connection_that_breaks_is_not_taken_for_a_reader_who_left(
    state: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = ended(BrokenPipeError(errno.EPIPE, "Broken pipe"), monkeypatch, capsys)
    assert code == 3
    assert "This machine failed: Broken pipe." in err


def test_a_defect_names_type_and_place_and_nothing_else(
    state: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = ended(ZeroDivisionError("patient Ada Lovelace"), monkeypatch, capsys)
    assert code == 3
    assert "ZeroDivisionError at test_boundary.py:" in err
    assert "Lovelace" not in err
    assert "Traceback" not in err


def test_errors_are_json_when_asked_for(
    state: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = ended(BadInput("Bad."), monkeypatch, capsys, "--json")
    assert (code, err) == (2, "")
    assert '"exit_code": 2' in out


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["runs"],
        ["runs", "nonsense"],
        ["--nonsense"],
        ["recover", "db", "--backup"],
        ["runs", "show", "a", "b"],
        [],
    ],
)
def test_wrong_usage_is_2(state: Path, capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    assert main.run(arguments) == 2
    out, err = capsys.readouterr()
    assert "Traceback" not in out + err


@pytest.mark.parametrize(
    "arguments", [["--version"], ["--help"], ["runs", "--help"], ["runs", "list"], ["runs", "list", "--json"]]
)
def test_these_succeed(state: Path, capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    assert main.run(arguments) == 0


PRINTS = ("--version", "--help", "runs list", "runbook db", "runbook --json", "verify --list", "sandbox fault kinds")


def shell(line: str, **env: str) -> subprocess.CompletedProcess[str]:
    """A command line with `uscdr` in it, given to bash."""
    program = f"uscdr() {{ '{sys.executable}' -c 'from uscdr.cli.main import main; main()' \"$@\"; }}\n"
    return subprocess.run(
        ["bash", "-c", program + line], capture_output=True, text=True, timeout=60, check=False,
        env={**os.environ, **env}, stdin=subprocess.DEVNULL,
    )  # fmt: skip


@pytest.mark.parametrize("arguments", PRINTS)
def test_what_could_not_be_printed_is_no_success(state: Path, arguments: str) -> None:
    done = shell(f"uscdr {arguments} >/dev/full")
    assert done.returncode == 3
    assert "uscdr could not write standard output: No space left on device." in done.stderr
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


def test_a_file_that_a_full_disk_cuts_is_no_success(state: Path, tmp_path: Path) -> None:
    done = shell(f"ulimit -f 1; uscdr runbook >'{tmp_path}/runbook.md'")
    assert (tmp_path / "runbook.md").stat().st_size == 1024
    assert done.returncode == 3
    assert "uscdr could not write standard output: File too large." in done.stderr


def test_a_result_for_machines_tells_of_the_full_disk_where_there_is_room(state: Path) -> None:
    done = shell("uscdr --json runbook db >/dev/full")
    assert done.returncode == 3
    assert done.stderr.count("uscdr could not write standard output") == 1
    assert shell("uscdr runbook nonsense 2>/dev/full").returncode == 2  # the greater fault stays


def test_a_cut_output_is_told_beside_another_failure(state: Path) -> None:
    done = shell(
        f"'{sys.executable}' -c 'from uscdr.cli import main; "
        "main.run = lambda _: (print(0), 1)[1]; main.main()' >/dev/full"
    )
    assert done.returncode == 1
    assert "uscdr could not write standard output: No space left on device. The output is incomplete" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "closed", "code"),
    [
        ("runs list", ">&-", 3),
        ("--version", ">&-", 3),
        ("--help", ">&- 2>&-", 3),
        ("runs list", "2>&-", 0),
        ("runbook db", "2>&- <&-", 0),
        ("nonsense", ">&-", 2),
        ("nonsense", "2>&-", 2),
        ("nonsense", ">/dev/full 2>&1", 2),
    ],
)
def test_closed_outputs(state: Path, arguments: str, closed: str, code: int) -> None:
    done = shell(f"uscdr {arguments} {closed}")
    assert done.returncode == code
    assert "Traceback" not in done.stdout + done.stderr
    assert "Exception ignored" not in done.stderr


@pytest.mark.parametrize("arguments", ["--help", "runs list", "runbook"])
def test_a_reader_that_leaves_is_told_nothing(state: Path, arguments: str) -> None:
    done = shell(f"uscdr {arguments} | true; echo ${{PIPESTATUS[0]}}")
    assert (done.stdout, done.stderr) == ("0\n", "")


@pytest.mark.parametrize("arguments", ["runbook", "--help", "kit --help"])
def test_what_an_encoding_cannot_spell_is_escaped_and_nothing_is_cut(state: Path, arguments: str) -> None:
    whole = shell(f"uscdr {arguments}", PYTHONIOENCODING="utf-8", COLUMNS="200")
    plain = shell(f"uscdr {arguments}", PYTHONIOENCODING="ascii", COLUMNS="200")
    assert (plain.returncode, plain.stderr) == (0, "")
    assert plain.stdout == whole.stdout.encode("ascii", "backslashreplace").decode()


_LEAVES = """
import atexit, sys, threading
from uscdr.cli import main

class Kept:
    def __del__(self):
        print("taken apart")

kept, waits = Kept(), threading.Event()
kept.itself = sys.modules["kept"] = kept
atexit.register(lambda: print("told", flush=True))

def work():
    waits.wait({wait})
    print("worked", flush=True)

threading.Thread(target=work, daemon={daemon}).start()
main._leave(3)
"""


@pytest.mark.parametrize(("daemon", "wait", "said"), [(True, "None", ["told"]), (False, "0.01", ["worked", "told"])])
def test_a_process_waits_only_for_threads_that_hold_up_its_end(
    state: Path, daemon: bool, wait: str, said: list[str]
) -> None:
    program = _LEAVES.replace("{wait}", wait).replace("{daemon}", str(daemon))
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 3
    assert sorted(line for line in done.stdout.splitlines() if line != "taken apart") == sorted(said)
    assert ("taken apart" in done.stdout) is (not daemon)


def test_a_real_ctrl_c_is_130(state: Path) -> None:
    before = "import time\nfrom uscdr.journal import runs\n"
    before += "runs.LocalRuns.summaries = lambda place: (print('there', flush=True), time.sleep(60))"
    script = f"import sys\n{before}\nfrom uscdr.cli.main import main\nmain()"
    with subprocess.Popen(
        [sys.executable, "-c", script, "runs", "list"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "there\n"
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Traceback" not in err


def test_a_directory_that_is_gone_is_named_as_the_cause(state: Path, tmp_path: Path) -> None:
    done = shell(
        f"mkdir '{tmp_path}/gone' && cd '{tmp_path}/gone' && rmdir '{tmp_path}/gone'; uscdr kit list --to safe"
    )
    assert done.returncode == 3
    assert "The working directory no longer exists." in done.stderr


def test_signals_that_a_parent_ignored_or_blocked_are_heard(state: Path) -> None:
    ignored = (
        "import os, signal, sys; signal.signal(signal.SIGCHLD, signal.SIG_IGN); "
        "signal.signal(signal.SIGALRM, signal.SIG_IGN); "
        "signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM, signal.SIGINT, signal.SIGTERM}); "
        "os.execv(sys.executable, [sys.executable, '-c', sys.argv[1]])"
    )
    looks = (
        "import signal, subprocess; from uscdr.cli.main import prepare; prepare(); "
        "print(subprocess.run(['false']).returncode, signal.getsignal(signal.SIGALRM) is signal.SIG_DFL, "
        "signal.pthread_sigmask(signal.SIG_BLOCK, ()))"
    )
    done = subprocess.run([sys.executable, "-c", ignored, looks], capture_output=True, text=True, check=True)
    assert done.stdout == "1 True set()\n"


def loaded(*arguments: str) -> set[str]:
    before = "import atexit\natexit.register(lambda: sys.stderr.write('\\n'.join(['', *sys.modules])))"
    done = uscdr(*arguments, before=before)
    assert done.returncode == 0
    names = set(done.stderr.splitlines()) - {"httpx._main", "pydantic.plugin._loader"}  # not loaded: marked
    return {name.partition(".")[0] for name in names}


@pytest.mark.parametrize("arguments", [["--version"], ["runs", "list"], ["--help"], ["recover", "--help"]])
def test_starting_loads_nothing_heavy(state: Path, arguments: list[str]) -> None:
    assert loaded(*arguments) & HEAVY == set()


def test_no_other_package_sees_what_is_validated(state: Path, tmp_path: Path) -> None:
    """A plugin of pydantic would see every secret of the configuration; looking for one takes time, too."""
    facts = tmp_path / "watching-1.0.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: watching\nVersion: 1.0\n")
    (facts / "entry_points.txt").write_text("[pydantic]\nwatching = watching:plugin\n")
    (tmp_path / "watching.py").write_text("raise SystemExit('it watches')\n")
    given = {**os.environ, "PYTHONPATH": str(tmp_path)}
    uses = "from pydantic import BaseModel\nclass A(BaseModel): x: int\n"
    script = "import sys; from uscdr.cli.main import main; sys.argv[1:] = ['runbook', 'db']; main()"
    for code, ends in ((uses, 1), (script, 0)):
        done = subprocess.run([sys.executable, "-c", code], env=given, capture_output=True, text=True, check=False)
        assert (done.returncode, "it watches" in done.stderr) == (ends, bool(ends)), done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_reader_who_does_not_read_is_waited_for_until_somebody_asks_to_end(number: int) -> None:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(writing, b"x" * 4096)
    os.set_blocking(writing, True)
    script = (
        "import os, sys; from uscdr.ui.console import STANDARD; from uscdr.cli.main import main\n"
        "real = STANDARD.unwritten\n"
        "def told(): os.write(2, b'.'); return real()\n"
        "STANDARD.unwritten = told; sys.argv[1:] = ['--version']; main()"
    )
    process = subprocess.Popen([sys.executable, "-c", script], stdout=writing, stderr=subprocess.PIPE)
    try:
        assert process.stderr is not None
        assert process.stderr.read(1) == b"."
        until = time.monotonic() + 30
        while process.poll() is None and time.monotonic() < until:
            process.send_signal(number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(0.5)
        assert process.poll() == 130
    finally:
        process.kill()
        process.wait()
        os.close(reading)
        os.close(writing)
