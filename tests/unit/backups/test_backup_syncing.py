"""Syncing while a file is written: it happens, a failure of it is not lost, and no thread is left."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

import pytest

from backup_world import Safe
from uscdr.backups import copy
from uscdr.backups.copy import _synced_meanwhile
from uscdr.errors import Interrupted, MachineError


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    yield
    assert "sync" not in {one.name for one in threading.enumerate()}


class Disk:
    """Stands in for `fsync`: counts, and fails when told to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, error: OSError | None = None) -> None:
        self.asked = threading.Event()
        self.error = error
        monkeypatch.setattr(copy, "_EVERY", 0.001)
        monkeypatch.setattr(os, "fsync", self.fsync)

    def fsync(self, _: int) -> None:
        self.asked.set()
        if self.error is not None:
            raise self.error


def written(path: Path, size: int, until: Callable[[], object]) -> None:
    with path.open("wb", buffering=0) as file, _synced_meanwhile(file):
        file.truncate(size)
        until()


def test_a_large_file_is_synced_before_it_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = Disk(monkeypatch)
    written(tmp_path / "large", copy.STEP, lambda: disk.asked.wait(30))
    assert disk.asked.is_set()


def test_a_sync_that_failed_is_told_though_a_later_one_would_succeed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk(monkeypatch, OSError(5, "Input/output error"))
    with pytest.raises(OSError, match="Input/output error"):
        written(tmp_path / "large", copy.STEP, lambda: disk.asked.wait(30))


def test_another_error_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = Disk(monkeypatch, OSError(5, "Input/output error"))

    def interrupted() -> NoReturn:
        disk.asked.wait(30)
        raise Interrupted("Interrupted.")

    with pytest.raises(Interrupted):
        written(tmp_path / "large", copy.STEP, interrupted)


def test_a_pull_whose_disk_fails_meanwhile_leaves_no_copy(quick: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    safe = Safe(quick)
    disk = Disk(monkeypatch, OSError(5, "Input/output error"))
    monkeypatch.setattr(copy, "STEP", 0)
    sealed = threading.Thread.start

    def started(thread: threading.Thread) -> None:
        sealed(thread)
        if thread.name == "sync":
            assert disk.asked.wait(30)

    monkeypatch.setattr(threading.Thread, "start", started)
    with pytest.raises(MachineError, match="could not write") as refused:
        safe.pull()
    assert refused.value.why == "Input/output error"
    assert safe.names() == []
