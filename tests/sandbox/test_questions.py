"""Every question that needs no platform, at a terminal: not answered, it changes nothing and says only what is so."""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

import forked
from at_terminal import CTRL_C, CTRL_D, Terminal

INTERRUPTED, DECLINED = 130, 4
PACKAGED = Path(__file__).parents[2] / "scenarios.yaml"
LINES = "of course\nplease\ngo on"


@dataclass(frozen=True)
class Question:
    """A command that asks, what its question ends with, and what is so if nobody answers."""

    words: tuple[str, ...]
    asks: str
    so: str
    again: str = "Type one of"
    """What is said to a wrong answer."""


QUESTIONS = {
    "notice": Question(("incident", "notify"), "send / stop>", "uscdr did not send this notice."),
    "review": Question(("incident", "review"), "answer later)\n>", "uscdr recorded no answer.", again=">\n>"),
    "comms": Question(("drill", "comms"), "yes / no>", "uscdr recorded no drill."),
    "journals": Question(("self", "uninstall", "--state"), "keep / remove>", "uscdr removed nothing."),
    "phrase": Question(
        ("self", "uninstall", "--state", "--journals", "remove"), "stops):", "uscdr removed nothing.",
        again="That is not the phrase",
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with an open incident, and without an account; its platform is a closed port."""
    home = tmp_path_factory.mktemp("asked")
    config = home / "config" / "uscdr"
    config.mkdir(parents=True)
    text = PACKAGED.read_text().replace(
        "heroku: {app: usc-pis}", 'heroku: {app: usc-pis, api_url: "http://127.0.0.1:9"}'
    )
    (config / "scenarios.yaml").write_text(
        text.replace("\ncontacts:\n", '\ncontacts:\n  - {role: Lead, name: Ada, how: "+1 555"}\n')
    )
    done = forked.call(("incident", "open", "--what", "the site is down"), env=environment(home), cwd=home)
    assert done.returncode == 0, done.stderr
    (home / "state" / "baselines").mkdir()
    (home / "state" / "baselines" / "production.json").write_text("{}")
    return home


def environment(home: Path) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "USCDR_TEST_RUN") if name in os.environ}
    return {**kept, "HOME": str(home), "USCDR_STATE_DIR": str(home / "state"), "XDG_CONFIG_HOME": str(home / "config"),
            "HEROKU_API_KEY": "planted-token", "USCDR_OPERATOR": "ada"}  # fmt: skip


@pytest.fixture
def home(template: Path, tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    home = tmp_path / "home"
    shutil.copytree(template, home)
    if request.node.callspec.params.get("name") == "phrase":
        shutil.rmtree(home / "state" / "incidents")
        (home / "state" / "outbox" / "i").mkdir(parents=True)
        (home / "state" / "outbox" / "i" / "n1.txt").write_text("sent")
    return home


def kept(home: Path) -> dict[str, bytes]:
    """What the state directory holds, but for locks and what a rehearsal of the notices writes."""
    files = (path for path in (home / "state").rglob("*") if path.is_file())
    return {str(path): path.read_bytes() for path in files if "locks" not in path.parts and path.stat().st_size}


@dataclass(frozen=True)
class Way:
    """Keys at a question, in parts: each is sent when the one before it has been answered."""

    keys: tuple[str, ...]
    code: int = INTERRUPTED
    stopped: bool = False
    """Whether the command is stopped by Ctrl-Z before, and brought back."""
    columns: int = 0
    """The width of the terminal while it is asked."""


WAYS = {
    "ctrl-c": Way((CTRL_C,)),
    "ctrl-backslash": Way(("\x1c",)),
    "tab, then ctrl-c": Way(("\t\t\x1b?", CTRL_C)),
    "ctrl-d": Way((CTRL_D,), DECLINED),
    "arrow keys, then ctrl-c": Way(("\x1b[A\x1b[D\x1b[C\x1bOA", CTRL_C)),
    "half a line, then ctrl-c": Way(("sen", CTRL_C)),
    "a wrong answer, then ctrl-d": Way(("yep\r", CTRL_D), DECLINED),
    "pasted lines, then ctrl-c": Way((LINES, CTRL_C)),
    "pasted lines, then enter and ctrl-d": Way((LINES, "\r", CTRL_D), DECLINED),
    "ctrl-z and fg, then ctrl-c": Way((CTRL_C,), stopped=True),
    "ctrl-z, fg, pasted lines, then ctrl-c": Way((LINES, CTRL_C), stopped=True),
    "ctrl-z and fg, then ctrl-d": Way((CTRL_D,), DECLINED, stopped=True),
    "a narrow terminal, then ctrl-c": Way((CTRL_C,), columns=40),
    "a wide terminal, then ctrl-d": Way((CTRL_D,), DECLINED, columns=300),
}


def asked(terminal: Terminal, question: Question, way: Way) -> int:
    """Go the way; the exit code."""
    terminal.until(question.asks)
    terminal.until(lambda: terminal.raw.rstrip().endswith(">"))  # before, the terminal would still edit the line itself
    if way.columns:
        terminal.resize(way.columns)
    if way.stopped:
        terminal.suspend()
        shown = len(terminal.raw)
        terminal.foreground()
        terminal.until(lambda: "> " in terminal.raw[shown:])
    for keys in way.keys:
        given(terminal, keys)
    return terminal.ended()


def given(terminal: Terminal, keys: str) -> None:
    """Give the keys, and wait until the command has taken them. A paste is one text, and no answer before Enter."""
    if keys == LINES:
        terminal.paste(keys)
        return
    shown = len(terminal.raw)
    terminal.send(keys)
    if keys.endswith("\r"):
        terminal.until(lambda: terminal.raw[shown:].rstrip().endswith(">"))
    elif keys.isprintable():
        terminal.until(lambda: keys in terminal.raw[shown:])


ANSWERS_ONE = ("pasted lines, then enter and ctrl-d", "a wrong answer, then ctrl-d")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", QUESTIONS)
def test_what_is_not_answered_changes_nothing_and_says_so(home: Path, name: str, way: str) -> None:
    question, before = QUESTIONS[name], kept(home)
    answers = name == "review" and way in ANSWERS_ONE
    with Terminal(question.words, environment(home), home) as terminal:
        assert asked(terminal, question, WAYS[way]) == WAYS[way].code, terminal.text
        said = terminal.text[terminal.text.rindex("Error: ") :]
    assert ("uscdr recorded 1 answer." if answers else question.so) in said.replace("\n", " "), said
    assert "recovery" not in said, said
    assert not re.search(r"config/\s+state/", terminal.raw), "Tab lists the files of the working directory"
    after = kept(home)
    if name == "comms":  # the notices of its made-up incident are written before
        assert not list((home / "state").glob("exercises/records/*"))
    elif not answers:
        assert after == before


@pytest.mark.parametrize("keys", ["stop\r", CTRL_C, CTRL_D])
def test_what_is_said_of_the_second_notice_is_true_after_the_first_was_sent(home: Path, keys: str) -> None:
    question = QUESTIONS["notice"].asks
    with Terminal(("incident", "notify"), environment(home), home) as terminal:
        terminal.until(question)
        terminal.send("send\r")
        terminal.until(question, times=2)
        terminal.send(keys)
        assert terminal.ended() == (INTERRUPTED if keys == CTRL_C else DECLINED)
        said = terminal.text[terminal.text.rindex(question) :]
    assert re.search("uscdr did not send (it|this notice)", said)
    assert "othing was sent" not in said
    assert "sent nothing" not in said
    assert len(list((home / "state" / "outbox").rglob("*.txt"))) == 1
