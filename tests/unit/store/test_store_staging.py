"""Directories for files under way, made and cleared away by many processes at once, some of them killed or stopped."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

from uscdr.errors import MachineError
from uscdr.staging import STAGING, staging_below
from uscdr.store.directory import LocalStore

STOPS = 60
WRITER = """
import sys
from itertools import count
from pathlib import Path
from uscdr.store.directory import LocalStore
store = LocalStore(Path(sys.argv[1]))
for number in count():
    store.put_once(f"theirs/{number}", b"x")
    sys.stdout.write(".")
    sys.stdout.flush()
"""
MOST = 4096


def go_on(writer: subprocess.Popen[bytes], times: int) -> None:
    """Let it write so many more; it tells each one, also those before it was stopped."""
    assert writer.stdout is not None
    told = writer.stdout.fileno()
    os.set_blocking(told, False)
    with suppress(BlockingIOError):
        while os.read(told, MOST):
            continue
    os.set_blocking(told, True)
    writer.send_signal(signal.SIGCONT)
    while times > 0:
        more = os.read(told, MOST)
        assert more, writer.poll()
        times -= len(more)


def test_a_process_that_is_stopped_at_any_moment_keeps_nobody_waiting(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE)
    try:
        go_on(writer, 1)
        for number in range(STOPS):
            writer.send_signal(signal.SIGSTOP)
            ours = threading.Thread(target=store.put_once, args=(f"ours/{number}", b"y"), daemon=True)
            ours.start()
            ours.join(10)
            assert not ours.is_alive(), f"stop {number}"
            go_on(writer, 1 + number % 3)
            for _ in range(number % 7):  # the next stop is wherever it is then
                store.names("ours")
    finally:
        writer.kill()
        writer.communicate()
    assert len(store.names("ours")) == STOPS
    assert store.names("theirs")


def test_what_a_killed_process_left_is_removed_and_what_a_living_one_uses_stays(tmp_path: Path) -> None:
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE)
    go_on(writer, 1)
    below = tmp_path / STAGING
    while not any(below.glob("[0-9a-f]*")):
        assert writer.poll() is None
    writer.kill()
    writer.communicate()
    with staging_below(below) as used, staging_below(below) as own:
        assert {one for one in below.iterdir() if not one.name.startswith(".new-")} == {used, own}
    assert not list(below.glob("[0-9a-f]*"))


def test_one_that_is_being_made_is_left_alone_for_a_minute(tmp_path: Path) -> None:
    young, old = tmp_path / ".new-young", tmp_path / ".new-old"
    young.mkdir()
    old.mkdir()
    before = time.time() - 60 - 5
    os.utime(old, (before, before))
    with staging_below(tmp_path) as place:
        assert set(tmp_path.iterdir()) == {young, place}


def test_a_place_that_is_gone(tmp_path: Path) -> None:
    with pytest.raises(MachineError, match="uscdr cannot write to"), staging_below(tmp_path / "gone"):
        pass
