"""The live screen on an emulated terminal: other widths, Ctrl-Z and fg, terminals without colour or movement."""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pexpect
import pyte
import pytest

EVENTS = Path(__file__).parents[2] / "golden" / "events"
PROGRAM = f"""
import os, signal, sys
from pathlib import Path
from uscdr.models.events import Stamped
from uscdr.ui.console import Output
from uscdr.wiring.session import process
steps, until = open(sys.argv[1]), sys.argv[2]
with process(Output(), Path("/"), os.environ, stdout=False) as this:
    for line in open({str(EVENTS / "good.jsonl")!r}):
        item = Stamped.model_validate_json(line)
        for viewer in this.viewers:
            viewer(item)
        if item.event.kind == until:
            steps.readline()
print("THE END")
"""
WIDTHS = [40, 80, 120]


class Emulated:
    """A program at an emulated terminal."""

    def __init__(self, command: str, *arguments: str, width: int, term: str = "xterm", **env: str) -> None:
        self.screen = pyte.Screen(width, 30)
        self._stream = pyte.Stream(self.screen)
        self.raw = ""
        self.child = pexpect.spawn(
            command, list(arguments), dimensions=(30, width), encoding="utf-8", timeout=30,
            env={"TERM": term, "PYTHONUTF8": "1", "PATH": "/usr/bin:/bin", "PS1": "shell$ ", **env},
        )  # fmt: skip

    def until(self, done: Callable[[], bool], limit: float = 60) -> None:
        """Feed the terminal until it shows that."""
        end = time.monotonic() + limit
        while not done():
            assert time.monotonic() < end, "\n".join(self.lines)
            with suppress(pexpect.TIMEOUT, pexpect.EOF):
                text = self.child.read_nonblocking(65536, timeout=0.1)
                self.raw += text
                self._stream.feed(text)

    @property
    def lines(self) -> list[str]:
        return [line.rstrip() for line in self.screen.display]

    def shows(self, text: str) -> bool:
        return any(text in line for line in self.lines)

    def resize(self, width: int) -> None:
        self.screen.resize(30, width)
        self.child.setwinsize(30, width)


@pytest.fixture
def steps(tmp_path: Path) -> Iterator[Callable[[], None]]:
    """Lets the program go on after it has shown the event that it waits at."""
    place = tmp_path / "steps"
    os.mkfifo(place)
    descriptor = os.open(place, os.O_RDWR)
    try:
        yield lambda: (os.write(descriptor, b"\n"), None)[1]
    finally:
        os.close(descriptor)


def whole(terminal: Emulated) -> None:
    """The screen is there once, with its cursor hidden, and nothing of an earlier one is left."""
    for head in ("Clock ", "Now ", "Next ", "Changed "):
        assert sum(line.startswith(head) for line in terminal.lines) == 1, terminal.lines
    assert terminal.screen.cursor.hidden
    assert all("█" not in line or re.search(r"[0-9]/[0-9]", line) for line in terminal.lines)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("other", WIDTHS)
def test_after_a_resize_the_screen_is_drawn_anew(
    tmp_path: Path, steps: Callable[[], None], width: int, other: int
) -> None:
    terminal = Emulated(sys.executable, "-c", PROGRAM, str(tmp_path / "steps"), "gate.asked", width=width)
    try:
        terminal.until(lambda: terminal.shows("waiting for the phrase"))
        whole(terminal)
        terminal.resize(other)
        terminal.until(lambda: terminal.shows("waiting for the phrase") and terminal.shows("Changed"))
        if other != width:
            terminal.until(lambda: "\x1b[2J" in terminal.raw and terminal.screen.cursor.hidden)
            terminal.until(lambda: terminal.shows("Changed"))
        whole(terminal)
        steps()
        terminal.until(lambda: terminal.shows("THE END"))
        assert terminal.shows("Ended")
        assert not terminal.screen.cursor.hidden
    finally:
        terminal.child.close(force=True)


@pytest.mark.parametrize("width", WIDTHS)
def test_ctrl_z_gives_the_terminal_back_and_fg_draws_the_screen_again(
    tmp_path: Path, steps: Callable[[], None], width: int
) -> None:
    terminal = Emulated("/bin/bash", "--norc", "--noprofile", "-i", width=width)
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    try:
        terminal.until(lambda: terminal.shows("shell$"))
        terminal.child.sendline(f"stty -a >{tmp_path}/before; {sys.executable} {program} {tmp_path}/steps gate.asked")
        terminal.until(lambda: terminal.shows("waiting for the phrase"))
        terminal.child.send("\x1a")
        terminal.until(lambda: terminal.shows("Stopped"))
        assert not terminal.screen.cursor.hidden
        terminal.child.sendline(f"stty -a >{tmp_path}/stopped; clear; fg")
        terminal.until(lambda: terminal.screen.cursor.hidden and terminal.shows("Changed"))
        whole(terminal)
        steps()
        terminal.until(lambda: terminal.shows("THE END"))
        assert not terminal.screen.cursor.hidden
        terminal.child.sendline(f"stty -a >{tmp_path}/after; echo all done")
        terminal.until(lambda: "all done" in terminal.lines)
        modes = [(tmp_path / name).read_text() for name in ("before", "stopped", "after")]
        assert modes[0] == modes[1] == modes[2]
    finally:
        terminal.child.close(force=True)


@pytest.mark.parametrize(("term", "env"), [("dumb", {}), ("xterm", {"NO_COLOR": "1"})])
def test_a_terminal_without_movement_or_colour_gets_none(
    tmp_path: Path, steps: Callable[[], None], term: str, env: dict[str, str]
) -> None:
    terminal = Emulated(sys.executable, "-c", PROGRAM, str(tmp_path / "steps"), "none", width=80, term=term, **env)
    try:
        terminal.until(lambda: terminal.shows("THE END"))
    finally:
        terminal.child.close(force=True)
    if term == "dumb":
        assert "\x1b" not in terminal.raw
    assert not re.search(r"\x1b\[(3[0-7]|9[0-7]|[0-9;]*3[0-7])m", terminal.raw)
