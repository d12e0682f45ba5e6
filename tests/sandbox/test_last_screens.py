"""What a tired stranger reads when a question of a recovery was not answered: every sentence is true."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pexpect
import pyte
import pytest

import forked
from forked import USCDR

INTERRUPTED, DECLINED = 130, 4
LIMIT = 90.0
"""Seconds within which a terminal shows what it is to show."""
BEGIN, PHRASE = "begin / stop> ", "To continue, type exactly"
QUESTIONS = {
    "db": (("recover", "db", "--new"), BEGIN),
    "app": (("recover", "app"), PHRASE),
    "media": (("recover", "media"), PHRASE),
    "backups": (("recover", "backups"), PHRASE),
}
DAMAGE = {"app": ("--how", "bad-release"), "media": ("--how", "deleted")}
ALARMS = ("may have been", "MAY HAVE", "DESTROY", "(failed)", "not known", "Traceback", "Internal error")
"""Words of alarm: none is true when nothing was sent."""


@dataclass(frozen=True)
class Way:
    """Keys at a question, and the exit code."""

    name: str
    keys: tuple[str, ...]
    code: int


WAYS = [
    Way("ctrl-c", ("\x03",), INTERRUPTED),
    Way("ctrl-d", ("\x04",), DECLINED),
    Way("stop", ("stop\r", "stop\r", "stop\r"), DECLINED),
    Way("three wrong", ("no\r", "wrong\r", "again\r"), DECLINED),
    Way("arrow keys, then ctrl-c", ("\x1b[A\x1b[D\x1b[C", "\x03"), INTERRUPTED),
    Way("pasted lines", ("yes\rof course\rgo\r",), DECLINED),
]


@dataclass
class Place:
    """A sandbox, and a terminal at it."""

    home: Path
    damaged: set[str] = field(default_factory=set)

    @property
    def env(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("USCDR", "HEROKU"))}
        python = {name: os.environ[name] for name in ("USCDR_SANDBOX_PYTHON", "USCDR_SANDBOX_STEADY")}
        state = {"USCDR_STATE_DIR": str(self.home), "USCDR_TARGET": "sandbox"}
        return {**kept, **python, **state, "TERM": "xterm", "PYTHONUTF8": "1"}

    def call(self, *words: str) -> str:
        done = forked.call(words, env=self.env, cwd=self.home)
        return done.stdout + done.stderr

    def damage(self, what: str) -> None:
        """Damage it once in this way, if the scenario has nothing to recover otherwise."""
        if what in DAMAGE and what not in self.damaged:
            self.call("sandbox", "break", what, *DAMAGE[what])
            self.damaged.add(what)


class Terminal:
    """The program at an emulated terminal, until it ends."""

    def __init__(self, place: Place, *words: str) -> None:
        self.screen = pyte.HistoryScreen(200, 60, history=1000)
        self._stream = pyte.Stream(self.screen)
        self.child = pexpect.spawn(
            "/bin/bash", ["--norc", "--noprofile", "-i"], env={**place.env, "PS1": "shell$ ", "HISTFILE": ""},
            cwd=str(place.home), dimensions=(60, 200), encoding="utf-8", timeout=60,
        )  # fmt: skip
        self.until("shell$ ")
        self.child.sendline(f"stty -a >before; {USCDR} {' '.join(words)}; echo code=$?; stty -a >after")

    def until(self, *texts: str, times: int = 1) -> None:
        end = time.monotonic() + LIMIT
        while not any("\n".join(self.screen.display).count(text) >= times for text in texts):
            assert time.monotonic() < end, self.text
            with suppress(pexpect.TIMEOUT, pexpect.EOF):
                self._stream.feed(self.child.read_nonblocking(65536, timeout=0.2))

    @property
    def text(self) -> str:
        """What the terminal shows, without the command that was typed, empty lines and blanks at the ends of lines."""
        lines = [line.rstrip() for line in self.screen.display]
        return "\n".join(line for line in lines if line and "stty" not in line)

    def answer(self, question: str, way: Way) -> int:
        """Give the keys, each when it is asked for; the exit code."""
        self.until(question)
        for number, keys in enumerate(way.keys, start=1):
            self.until("> ", times=1)
            self.child.send(keys)
            if number < len(way.keys) and keys.endswith("\r"):
                self.until("\ncode=", "Type one of", "more tr", times=1)
                if "\ncode=" in self.text:
                    break
        self.until("\ncode=")
        return int(re.findall(r"^code=([0-9]+)", self.text, re.MULTILINE)[-1])


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    place = Place(tmp_path_factory.mktemp("last"))
    said = place.call("sandbox", "up", "--patients", "20", "--backup-age", "3h")
    assert "is up" in said, said
    try:
        yield place
    finally:
        place.call("sandbox", "down")


def waits_for_its_phrase(place: Place) -> bool:
    """Whether the newest run is one of the database that stopped at its phrase, after it changed something."""
    said = place.call("runs", "show")
    return re.search(r"^Run: \S+-db-\S+ stands before 15/26", said, re.MULTILINE) is not None


def last_words(terminal: Terminal) -> str:
    """What stands between the last question and the prompt of the shell."""
    return terminal.text[terminal.text.rindex("Ended ") :]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)
@pytest.mark.parametrize("scenario", QUESTIONS)
def test_nothing_was_sent_and_nothing_else_is_said(place: Place, scenario: str, way: Way) -> None:
    words, question = QUESTIONS[scenario]
    place.damage(scenario)
    terminal = Terminal(place, *words)
    try:
        assert terminal.answer(question, way) == way.code, terminal.text
        said = last_words(terminal)
        assert not [alarm for alarm in ALARMS if alarm in said], said
        assert re.search(r"^Changed: nothing$", said, re.MULTILINE), said
        assert re.search(r"^Changed +nothing$", said, re.MULTILINE), said
        assert re.search(rf"^Run: \S+-{scenario}-\S+ stands before ", said, re.MULTILINE), said
        assert "Left " not in said
        assert "runs resume" not in said
        assert not terminal.screen.cursor.hidden
    finally:
        terminal.child.close(force=True)
    assert (place.home / "before").read_text() == (place.home / "after").read_text()


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)
def test_at_the_phrase_it_says_what_was_done_and_the_command_that_goes_on(place: Place, way: Way) -> None:
    waits = waits_for_its_phrase(place)
    terminal = Terminal(place, *(("runs", "resume") if waits else ("recover", "db", "--new")))
    try:
        if not waits:
            terminal.until(BEGIN)
            terminal.child.send("begin\r")
        assert terminal.answer(PHRASE, way) == way.code, terminal.text
        said = last_words(terminal)
        assert not [alarm for alarm in ALARMS if alarm in said], said
        assert re.search(
            r"^Run: \S+-db-\S+ stands before 15/26 Restore the backup; 14 of 26 steps done$", said, re.MULTILINE
        )
        assert "none overwritten" in said
        assert "maintenance mode: ON" in said
        assert re.search(r"Next: +uscdr runs resume \S+-db-\S+ --confirm 'usc-pis b001 lose ", said), said
        assert not terminal.screen.cursor.hidden
    finally:
        terminal.child.close(force=True)
    assert (place.home / "before").read_text() == (place.home / "after").read_text()


def test_runs_show_tells_every_step_what_is_waited_for_and_the_next_command(place: Place) -> None:
    if not waits_for_its_phrase(place):
        terminal = Terminal(place, "recover", "db", "--new")
        terminal.until(BEGIN)
        terminal.child.send("begin\r")
        terminal.answer(PHRASE, WAYS[0])
        terminal.child.close(force=True)
    said = place.call("runs", "show")
    assert re.search(r"^ 7  done +Enable maintenance mode: maintenance mode is on", said, re.MULTILINE)
    assert re.search(r"^15  waits for its phrase  Restore the backup", said, re.MULTILINE)
    assert re.search(r"^16  not begun ", said, re.MULTILINE)
    assert re.search(r"^RTO: .* of 2 h have passed", said, re.MULTILINE)
    (phrase,) = re.findall(r"^Waits for the phrase: (.*)$", said, re.MULTILINE)
    (command,) = re.findall(r"^Next: (uscdr runs resume .*)$", said, re.MULTILINE)
    assert command.endswith(f"--confirm '{phrase}'")
