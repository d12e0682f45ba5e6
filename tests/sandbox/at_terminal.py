"""A command of the program at an emulated terminal, with a shell that can stop it and let it go on."""

from __future__ import annotations

import codecs
import fcntl
import json
import os
import re
import select
import signal
import struct
import tempfile
import termios
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import pyte

import forked

LIMIT = 120.0
"""Seconds within which a terminal shows what it is to show."""
CTRL_C, CTRL_D, CTRL_Z = "\x03", "\x04", "\x1a"
LEFT_ON = {"2004": "bracketed paste", "1049": "the alternate screen", "47": "the alternate screen",
           "1": "the keypad's other mode", "1000": "mouse reports", "1004": "focus reports"}  # fmt: skip
_MODE = re.compile(r"\x1b\[\?([0-9;]+)([hl])")
_COLOUR = re.compile(r"\x1b\[([0-9;]*)m")


class Terminal:
    """What the command shows, and what it does to the terminal."""

    def __init__(
        self, words: tuple[str, ...], env: Mapping[str, str], cwd: Path, *, columns: int = 200, rows: int = 60,
        term: str = "xterm",
    ) -> None:  # fmt: skip
        self.screen = pyte.HistoryScreen(columns, rows, history=2000, ratio=0.001)
        self._stream, self.raw = pyte.Stream(self.screen), ""
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._place = tempfile.TemporaryDirectory()
        self._notes, self._go = Path(self._place.name) / "notes", Path(self._place.name) / "go"
        self._notes.touch()
        os.mkfifo(self._go)
        self._master, self._slave = os.openpty()
        self.resize(columns, rows)
        self._writing = os.open(self._go, os.O_RDWR)
        self.shell = forked.start_at(
            os.ttyname(self._slave), words, env={**env, "TERM": term, "PYTHONUTF8": "1"}, cwd=cwd, notes=self._notes,
            go=self._go,
        )  # fmt: skip

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.code is None:
            for pid in (self._job, self.shell):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        for descriptor in (self._slave, self._master, self._writing):
            os.close(descriptor)
        self._place.cleanup()

    def until(self, done: str | Callable[[], bool], *, times: int = 1) -> None:
        """Feed the terminal until it shows that, so many times; raises AssertionError for a command that ended."""

        def shown() -> bool:
            return self.text.count(done) >= times if isinstance(done, str) else done()

        end = time.monotonic() + LIMIT
        while not shown():
            over = self.code is not None
            self._feed()
            if shown():
                return
            assert not over, f"it ended with {self.code} before it showed {done!r}\n{self.text}"
            assert time.monotonic() < end, f"it does not show {done!r}\n{self.text}"

    def _feed(self) -> None:
        if select.select([self._master], [], [], 0.05)[0]:
            text = self._decoder.decode(os.read(self._master, 1 << 16))  # a read may end within a character
            self.raw += text
            self._stream.feed(text)

    def send(self, keys: str) -> None:
        os.write(self._master, keys.encode())

    def paste(self, text: str) -> None:
        """As a terminal does, once the command asked for marks around a paste; until its last line is shown."""
        self.until(lambda: "bracketed paste" in self.on)
        shown, last = len(self.raw), text.rpartition("\n")[2]
        typed = text.replace("\n", "\r")
        self.send(f"\x1b[200~{typed}\x1b[201~")
        self.until(lambda: last in self.raw[shown:])

    def resize(self, columns: int, rows: int = 60) -> None:
        if hasattr(self, "shell"):
            self.screen.resize(rows, columns)
        fcntl.ioctl(self._slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def suspend(self) -> None:
        """Ctrl-Z, until the command stands still; the shell's terminal is as it was."""
        before = len(self.notes)
        self.send(CTRL_Z)
        self.until(lambda: len(self.notes) > before)
        self._drain()
        assert self.code is None, self.text
        self.undisturbed()

    def foreground(self) -> None:
        """What `fg` does."""
        os.write(self._writing, b"fg\n")

    def ended(self) -> int:
        """The exit code, once the command has ended; the terminal is as it was before it."""
        end = time.monotonic() + LIMIT
        while self.code is None:
            self._feed()
            assert time.monotonic() < end, f"it does not end\n{self.text}"
        self._drain()
        self.undisturbed()
        assert "Traceback" not in self.text, self.text
        assert "internal error" not in self.text, self.text
        assert self.code is not None
        return self.code

    def _drain(self) -> None:
        while select.select([self._master], [], [], 0)[0]:
            self._feed()

    @property
    def notes(self) -> list[dict[str, Any]]:
        """What the shell wrote down: see `forked.start_at`."""
        return [json.loads(line) for line in self._notes.read_text().splitlines(keepends=True) if line.endswith("\n")]

    @property
    def _job(self) -> int:
        """The process id of the command, which is the leader of its group."""
        return next((int(note["job"]) for note in self.notes if "job" in note), self.shell)

    @property
    def code(self) -> int | None:
        """The exit code of a command that has ended."""
        return next((note["code"] for note in self.notes if note.get("code") is not None), None)

    def undisturbed(self) -> None:
        """The terminal's modes are those of before the command, the cursor is shown, and nothing is switched on."""
        assert self.notes[-1]["modes"] == self.notes[0]["modes"], (self.notes[0], self.notes[-1], self.text)
        assert self.on == set(), self.text
        assert not self.screen.cursor.hidden, self.text
        colours = _COLOUR.findall(self.raw)
        assert not colours or colours[-1] in ("", "0", "39;49"), self.raw[-500:]

    @property
    def on(self) -> set[str]:
        """What of a terminal is on that no shell expects."""
        state = {one: turned for names, turned in _MODE.findall(self.raw) for one in names.split(";")}
        return {what for name, what in LEFT_ON.items() if state.get(name) == "h"}

    @property
    def lines(self) -> list[str]:
        """All lines, the scrolled ones first, without blanks at their ends."""
        past = ["".join(line[x].data for x in range(self.screen.columns)) for line in self.screen.history.top]
        return [line.rstrip() for line in (*past, *self.screen.display)]

    @property
    def text(self) -> str:
        """The lines that are not empty."""
        return "\n".join(line for line in self.lines if line)
