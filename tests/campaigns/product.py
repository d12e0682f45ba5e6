"""The product as a person has it: a process with arguments, two streams and an exit code."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PROGRAM = str(Path(sys.executable).parent / "uscdr")
LIMIT = 240.0
"""Seconds after which a run counts as hanging."""
HUNG = 1000
_TRACEBACK = re.compile(r"Traceback \(most recent call last\)|^\s+File \".*\", line \d+", re.MULTILINE)
_DEFECT = "uscdr failed with an internal error"
DOCUMENTED = frozenset({0, 1, 2, 3, 4, 5, 6, 130})
_LOOK = 0.002
LIVE: set[subprocess.Popen[Any]] = set()
"""What `end_all` ends, each with its group."""


@dataclass(frozen=True)
class Ended:
    """One finished process. `code` is HUNG when it had to be killed, negative after a signal."""

    code: int
    out: str
    err: str

    @property
    def text(self) -> str:
        """Both streams."""
        return self.out + "\n" + self.err

    def complaints(self, *allowed: int) -> list[str]:
        """An exit code not among `allowed` (default: the documented ones), a traceback, a defect message."""
        wanted = allowed or tuple(DOCUMENTED)
        found = [] if self.code in wanted else [f"exit {self.code}, wanted {wanted}: {self.last()}"]
        if _TRACEBACK.search(self.text):
            found.append("a traceback was shown: " + self.last())
        if _DEFECT in self.text:
            found.append("it called itself defective: " + self.last())
        return found

    def last(self) -> str:
        """The error's own lines, or the last ones."""
        lines = [line for line in self.err.splitlines() if line.startswith(("Error:", "Cause:", "Exit:"))]
        return " / ".join(lines or self.text.strip().splitlines()[-2:])[:400]


@dataclass(frozen=True)
class Product:
    """uscdr with a state directory of its own."""

    state: Path
    env: Mapping[str, str]

    def start(self, *arguments: str, env: Mapping[str, str] | None = None, cwd: Path | None = None) -> Running:
        """Start it without waiting. Nobody is at its standard input."""
        self.state.mkdir(parents=True, exist_ok=True)
        number = len(self.streams()) // 2
        out, err = (self.state.with_name(f"{self.state.name}.{number:03d}.{name}") for name in ("out", "err"))
        with out.open("wb") as out_file, err.open("wb") as err_file:
            process = subprocess.Popen(
                [PROGRAM, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=out_file,
                stderr=err_file,
                env={**self.env, "USCDR_STATE_DIR": str(self.state), **(env or {})},
                cwd=cwd or self.state.parent,
                start_new_session=True,
            )
        LIVE.add(process)
        return Running(process, out, err)

    def run(
        self, *arguments: str, env: Mapping[str, str] | None = None, limit: float = LIMIT, cwd: Path | None = None
    ) -> Ended:
        """Run it to its end."""
        return self.start(*arguments, env=env, cwd=cwd).wait(limit)

    def streams(self) -> list[Path]:
        """What every process of this product wrote to its two streams."""
        return sorted(self.state.parent.glob(f"{self.state.name}.[0-9][0-9][0-9].*"))

    def journals(self) -> list[Path]:
        """Every run's journal."""
        return sorted(self.state.glob("runs/*/journal.jsonl"))


@dataclass(frozen=True)
class Running:
    """A process under way."""

    process: subprocess.Popen[bytes]
    out: Path
    err: Path

    def wait(self, limit: float = LIMIT) -> Ended:
        """Its end; killed at the limit."""
        try:
            code = self.process.wait(limit)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            code = HUNG
        LIVE.discard(self.process)
        return Ended(code, self.out.read_text(errors="replace"), self.err.read_text(errors="replace"))

    def wait_for(self, seen: Callable[[], bool], limit: float) -> bool:
        """Observe until `seen`, the process's end or the limit; whether it was seen while the process lived."""
        until = time.monotonic() + limit
        while self.process.poll() is None and time.monotonic() < until:
            if seen():
                return True
            time.sleep(_LOOK)
        return False

    def send(self, number: int) -> None:
        """Send a signal to uscdr alone, as `kill` would."""
        self.process.send_signal(number)


def end_all() -> None:
    """End what is still under way, of every product."""
    for process in tuple(LIVE):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def journal_lines(state: Path) -> int:
    """How many records the newest journal under `state` has."""
    found = sorted(state.glob("runs/*/journal.jsonl"))
    return found[-1].read_bytes().count(b"\n") if found else 0


def environment(extra: Mapping[str, str] | None = None, *, without: Sequence[str] = ()) -> dict[str, str]:
    """This process's environment without what could reach a real platform."""
    left_out = {"HEROKU_API_KEY", "USCDR_CONFIG", "USCDR_TARGET", "USCDR_STATE_DIR", *without}
    kept = {name: value for name, value in os.environ.items() if name not in left_out}
    # HOME: no .netrc of this person shall ever be found, whatever a case does
    return {**kept, "NO_COLOR": "1", "HOME": tempfile.gettempdir(), **(extra or {})}
