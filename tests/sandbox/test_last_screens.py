"""What a tired stranger reads when a question of a recovery was not answered: every sentence is true."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

import forked
from at_terminal import CTRL_C, CTRL_D, Terminal

INTERRUPTED, DECLINED, UNKNOWN, FAILED = 130, 4, 5, 1
BEGIN, PHRASE = "begin / stop>", "To continue, type exactly"
QUESTIONS = {
    "db": (("recover", "db", "--new"), BEGIN),
    "app": (("recover", "app"), PHRASE),
    "media": (("recover", "media"), PHRASE),
    "backups": (("recover", "backups"), PHRASE),
    "infra": (("recover", "infra", "--new"), PHRASE),
}
DAMAGE = {"app": ("--how", "bad-release"), "media": ("--how", "deleted")}
ALARMS = ("may have been", "MAY HAVE", "DESTROY", "(failed)", "not known", "Traceback", "Internal error")
"""Words of alarm: none is true when nothing was sent."""


PACKAGED = Path(__file__).parents[2] / "scenarios.yaml"
LINES = "yes\nof course\ngo on"


@dataclass(frozen=True)
class Way:
    """Keys at a question, and the exit code."""

    name: str
    keys: tuple[str, ...]
    code: int
    stopped: bool = False
    """Whether the run is stopped by Ctrl-Z before, and brought back."""
    columns: int = 0
    """The width of the terminal while it is asked."""


WAYS = [
    Way("ctrl-c", (CTRL_C,), INTERRUPTED),
    Way("ctrl-d", (CTRL_D,), DECLINED),
    Way("stop", ("stop\r",), DECLINED),
    Way("three wrong", ("no\r", "wrong\r", "again\r"), DECLINED),
    Way("arrow keys, then ctrl-c", ("\x1b[A\x1b[D\x1b[C", CTRL_C), INTERRUPTED),
    Way("pasted lines, then ctrl-c", (LINES, CTRL_C), INTERRUPTED),
    Way("pasted lines, enter, ctrl-d", (LINES, "\r", CTRL_D), DECLINED),
    Way("ctrl-z and fg, then ctrl-c", (CTRL_C,), INTERRUPTED, stopped=True),
    Way("ctrl-z and fg, pasted lines, then ctrl-c", (LINES, CTRL_C), INTERRUPTED, stopped=True),
    Way("a wider terminal, then ctrl-d", (CTRL_D,), DECLINED, columns=240),
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
        return {**kept, **python, **state}

    def call(self, *words: str) -> str:
        done = forked.call(words, env=self.env, cwd=self.home, look=0.5)
        return done.stdout + done.stderr

    def damage(self, what: str) -> None:
        """Damage it once in this way, if the scenario has nothing to recover otherwise."""
        if what in DAMAGE and what not in self.damaged:
            self.call("sandbox", "break", what, *DAMAGE[what])
            self.damaged.add(what)


def _give(terminal: Terminal, keys: str) -> None:
    """Give the keys, and wait for what they bring about. A paste is one text, and no answer before Enter."""
    if keys == LINES:
        terminal.paste(keys)
        return
    shown = len(terminal.raw)
    terminal.send(keys)
    if keys.endswith("\r"):
        terminal.until(lambda: terminal.code is not None or terminal.raw[shown:].endswith("> "))


def answered(terminal: Terminal, question: str, way: Way) -> int:
    """Give the keys at the question, each when it is asked for; the exit code."""
    terminal.until(question)
    terminal.until(lambda: terminal.raw.endswith("> "))
    if way.columns:
        terminal.resize(way.columns)
    if way.stopped:
        shown = len(terminal.raw)
        terminal.suspend()
        terminal.foreground()
        terminal.until(lambda: terminal.raw[shown:].endswith("> "))
    for keys in way.keys:
        _give(terminal, keys)
        if terminal.code is not None:
            break
    return terminal.ended()


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


OF_INFRA = ("ctrl-c", "three wrong", "ctrl-z and fg, pasted lines, then ctrl-c")
"""Its plan takes its time: it proves a backup."""
ASKED = [(scenario, way) for scenario in QUESTIONS for way in WAYS if scenario != "infra" or way.name in OF_INFRA]


@pytest.mark.parametrize(("scenario", "way"), ASKED, ids=lambda one: getattr(one, "name", one))
def test_nothing_was_sent_and_nothing_else_is_said(place: Place, scenario: str, way: Way) -> None:
    words, question = QUESTIONS[scenario]
    place.damage(scenario)
    with Terminal(words, place.env, place.home) as terminal:
        assert answered(terminal, question, way) == way.code, terminal.text
        said = last_words(terminal)
        assert not [alarm for alarm in ALARMS if alarm in said], said
        assert re.search(r"^Changed: nothing$", said, re.MULTILINE), said
        assert re.search(r"^Changed +nothing$", said, re.MULTILINE), said
        assert re.search(rf"^Run: \S+-{scenario}-\S+ stands before ", said, re.MULTILINE), said
        assert "Left " not in said
        assert "runs resume" not in said


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)
def test_at_the_phrase_it_says_what_was_done_and_the_command_that_goes_on(place: Place, way: Way) -> None:
    waits = waits_for_its_phrase(place)
    words = ("runs", "resume") if waits else ("recover", "db", "--new")
    with Terminal(words, place.env, place.home) as terminal:
        if not waits:
            terminal.until(BEGIN)
            terminal.send("begin\r")
        assert answered(terminal, PHRASE, way) == way.code, terminal.text
        said = last_words(terminal)
        assert not [alarm for alarm in ALARMS if alarm in said], said
        assert re.search(
            r"^Run: \S+-db-\S+ stands before 15/26 Restore the backup; 14 of 26 steps done$", said, re.MULTILINE
        )
        assert "none overwritten" in said
        assert "maintenance mode: ON" in said
        assert re.search(r"Next: +uscdr runs resume \S+-db-\S+ --confirm 'usc-pis b001 lose ", said), said


def test_runs_show_tells_every_step_what_is_waited_for_and_the_next_command(place: Place) -> None:
    if not waits_for_its_phrase(place):
        with Terminal(("recover", "db", "--new"), place.env, place.home) as terminal:
            terminal.until(BEGIN)
            terminal.send("begin\r")
            answered(terminal, PHRASE, WAYS[0])
    said = place.call("runs", "show")
    assert re.search(r"^ 7  done +Enable maintenance mode: maintenance mode is on", said, re.MULTILINE)
    assert re.search(r"^15  waits for its phrase  Restore the backup", said, re.MULTILINE)
    assert re.search(r"^16  not begun ", said, re.MULTILINE)
    assert re.search(r"^RTO: .* of 2 h have passed", said, re.MULTILINE)
    (phrase,) = re.findall(r"^Waits for the phrase: (.*)$", said, re.MULTILINE)
    (command,) = re.findall(r"^Next: (uscdr runs resume .*)$", said, re.MULTILINE)
    assert command.endswith(f"--confirm '{phrase}'")


LOOK_AGAIN, LATER = "look again / send again / stop>", "yes / no / later>"
NOT_SEEN = Way("stop", ("stop\r",), UNKNOWN)
LOST = [
    Way("ctrl-c", (CTRL_C,), INTERRUPTED),
    NOT_SEEN,
    Way("pasted lines, enter, ctrl-d", (LINES, "\r", CTRL_D), UNKNOWN),
    Way("ctrl-z and fg, then ctrl-c", (CTRL_C,), INTERRUPTED, stopped=True),
    Way("three wrong", ("yes\r", "no\r", "again\r"), UNKNOWN),
]


@pytest.fixture(scope="module")
def lost(place: Place) -> Iterator[str]:
    """A capture whose request was lost, in a run that waits for somebody who knows: its id."""
    place.call("sandbox", "fault", "add", "reset-before", "--method", "POST", "--path", "*/backups")
    with Terminal(("backup", "capture"), place.env, place.home) as terminal:
        assert answered(terminal, LOOK_AGAIN, LOST[0]) == INTERRUPTED
    yield max(path.name for path in (place.home / "runs").iterdir() if "-capture-" in path.name)
    place.call("sandbox", "fault", "clear")


@pytest.mark.parametrize("way", LOST, ids=lambda way: way.name)
def test_what_is_not_known_stays_so_until_somebody_says(place: Place, lost: str, way: Way) -> None:
    with Terminal(("runs", "resume", lost), place.env, place.home) as terminal:
        assert answered(terminal, LOOK_AGAIN, way) == way.code, terminal.text
        said = last_words(terminal)
    assert re.search(r"^Changed +Capture a backup \(unknown\)$", said, re.MULTILINE), said
    assert "uscdr runs resume" in said
    assert "othing was changed" not in said
    assert "sent nothing" not in said
    assert " takes effect: it cannot see an effect yet." in said or way.code == INTERRUPTED


INSTRUCTION = "Tell the ward that files come back."
BY_HAND = [
    Way("ctrl-c", (CTRL_C,), INTERRUPTED),
    Way("ctrl-d", (CTRL_D,), DECLINED),
    Way("three empty lines", ("\r", "\r", "\r"), DECLINED),
    Way("pasted lines, then ctrl-c", (LINES, CTRL_C), INTERRUPTED),
    Way("ctrl-z and fg, then ctrl-c", (CTRL_C,), INTERRUPTED, stopped=True),
]


@pytest.fixture(scope="module")
def by_hand(place: Place) -> dict[str, str]:
    """The environment of a media recovery that first asks a person to do something."""
    place.damage("media")
    before, media, rest = PACKAGED.read_text().partition("\n  media:\n    title")
    look = "      - {use: media.look"
    step = f'      - {{use: manual, with: {{instruction: "{INSTRUCTION}"}}}}\n'
    config = place.home / "by-hand.yaml"
    config.write_text(before + media + rest.replace(look, step + look, 1))
    return {**place.env, "USCDR_CONFIG": str(config)}


@pytest.mark.parametrize("way", BY_HAND, ids=lambda way: way.name)
def test_an_instruction_that_nobody_answers_changed_nothing(place: Place, by_hand: dict[str, str], way: Way) -> None:
    with Terminal(("recover", "media", "--new"), by_hand, place.home) as terminal:
        terminal.until(BEGIN)
        terminal.send("begin\r")
        assert answered(terminal, f"{INSTRUCTION}\n>", way) == way.code, terminal.text
        said = last_words(terminal)
    assert re.search(r"^Changed: nothing$", said, re.MULTILINE), said
    assert not [alarm for alarm in ALARMS if alarm in said], said


CHECKED = [
    Way("ctrl-c", (CTRL_C,), INTERRUPTED),
    Way("ctrl-d", (CTRL_D,), FAILED),
    Way("three wrong", ("y\r", "n\r", "?\r"), FAILED),
    Way("later", ("later\r",), FAILED),
    Way("pasted lines, then ctrl-c", (LINES, CTRL_C), INTERRUPTED),
    Way("ctrl-z and fg, then ctrl-c", (CTRL_C,), INTERRUPTED, stopped=True),
]


@pytest.mark.parametrize("way", CHECKED, ids=lambda way: way.name)
def test_a_check_by_eye_that_nobody_answers_does_not_pass(place: Place, way: Way) -> None:
    with Terminal(("verify", "all", "menus-by-eye"), place.env, place.home) as terminal:
        assert answered(terminal, LATER, way) == way.code, terminal.text
        said = terminal.text[terminal.text.rindex(LATER) :]
    assert sum(line.startswith("verify all of usc-pis") for line in said.splitlines()) == 1, said
    assert "0 passed, 0 failed" in said, said
    assert "runs resume" not in said, said


WHERE = {"40": (40, "xterm", {}), "80": (80, "xterm", {}), "120": (120, "xterm", {}), "dumb": (80, "dumb", {}),
         "without colour": (80, "xterm", {"NO_COLOR": "1"})}  # fmt: skip
SHOWN = {"help": (("--help",), 0), "backups": (("backup", "list"), 0), "doctor": (("doctor",), 0)}
LAID_OUT = ("help", "backups")
"""Screens of which every line is broken by the program. Commands and paths elsewhere stay whole, to be copied."""


def words_of(text: str) -> set[str]:
    """The words of letters alone: numbers and times differ between two calls."""
    return set(re.findall(r"(?<![\w./-])[A-Za-z]{4,}(?![\w./-])", text))


@pytest.mark.parametrize("where", WHERE)
@pytest.mark.parametrize("what", SHOWN)
def test_a_screen_fits_its_terminal(place: Place, what: str, where: str) -> None:
    (words, code), (columns, term, more) = SHOWN[what], WHERE[where]
    with Terminal(words, {**place.env, **more}, place.home, columns=columns, term=term) as terminal:
        assert terminal.ended() == code, terminal.text
    if term == "dumb":
        assert "\x1b" not in terminal.raw
    if more:
        assert not re.search(r"\x1b\[[0-9;]*(3[0-7]|9[0-7]|38;[0-9;]*)m", terminal.raw)
    if what in LAID_OUT:
        bare = re.sub(r"\x1b\[[0-9;]*m", "", terminal.raw).replace("\r", "")
        bare = re.sub(r"(?m)^Incident .* is (open|not closed).*\n", "", bare)  # the reminder, if another test left one
        assert max(map(len, bare.splitlines())) <= columns, bare
        wide = place.call(*words)
        assert words_of(bare) <= words_of(wide), words_of(bare) - words_of(wide)
