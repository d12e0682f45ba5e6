"""Workers started from a test."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from store_places import Place, process_environment


class Worker:
    """One process of `store_worker.py`."""

    def __init__(self, place: Place, *words: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("store_worker.py")), place.text, *words],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env=process_environment(place),
        )  # fmt: skip

    def says(self) -> str:
        """The next line; a worker that failed shows why."""
        line = _pipe(self.process.stdout).readline().strip()
        assert line, _pipe(self.process.stderr).read()
        return line

    def go(self) -> None:
        """Let it go on."""
        _pipe(self.process.stdin).write("\n")
        _pipe(self.process.stdin).flush()

    def ends_within(self, seconds: float) -> None:
        """Give it so much time."""
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(seconds)

    def kill(self) -> None:
        """SIGKILL."""
        self.process.kill()
        self.process.wait()

    def end(self) -> None:
        self.process.kill()
        self.process.communicate()


@contextmanager
def workers(place: Place, *lines: tuple[str, ...]) -> Iterator[list[Worker]]:
    """One worker a line, all of them ready to go."""
    started = [Worker(place, *words) for words in lines]
    try:
        for worker in started:
            assert worker.says() == "ready"
        yield started
    finally:
        for worker in started:
            worker.end()


def together(place: Place, *lines: tuple[str, ...]) -> list[str]:
    """What each says at its end, when all go at once."""
    with workers(place, *lines) as started:
        for worker in started:
            worker.go()
        return [worker.says() for worker in started]


def _pipe(pipe: IO[str] | None) -> IO[str]:
    assert pipe is not None
    return pipe
