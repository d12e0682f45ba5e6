"""Help: every command says the same things in the same order, and what it says is true and fits the screen."""

from __future__ import annotations

import json
import os
import pty
import re
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from typer.core import TyperGroup

from documented import context_of, every, parsed
from uscdr.cli import main
from uscdr.cli.environment import ENVIRONMENT
from uscdr.cli.help_pages import page_of, plain, summary
from uscdr.cli.manual import EXIT_CODES, manual_of
from uscdr.errors import ExitCode

Captured = pytest.CaptureFixture[str]
SOURCE = Path(__file__).parents[3] / "src" / "uscdr"
COMMANDS = [(path, command) for path, command in every() if not isinstance(command, TyperGroup)]
EVERY = [path for path, _ in every()]
SECTIONS = ["Reads", "Changes", "Arguments", "Options", "Global options", "Examples", "Exit codes", "See also"]
NOT_IMPERATIVE = re.compile(r"(?:\w+(?:ing|ed)|The|This|A|For|It)\b")


def shown(path: Sequence[str], capsys: Captured, *options: str) -> str:
    capsys.readouterr()
    assert main.run([*path, *(options or ("--help",))]) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize(("path", "command"), COMMANDS, ids=lambda one: " ".join(one) if isinstance(one, tuple) else "")
def test_a_command_has_all_sections(path: tuple[str, ...], command: Any) -> None:
    said = manual_of(command.callback)
    assert said is not None, "it has no @manual"
    page = page_of(parsed_or_alone(path, command))
    assert [one.title for one in page.sections if one.title != "Arguments"] == [
        one for one in SECTIONS if one != "Arguments"
    ]
    assert not NOT_IMPERATIVE.match(page.text[0]), page.text[0]
    assert said.reads.endswith(".")
    assert said.changes.endswith(".")
    assert {0, 2} <= set(said.exits) <= {int(code) for code in ExitCode}
    assert all(words and words[0].islower() and not words.endswith(".") for words in said.exits.values())
    assert 2 <= len(said.examples) <= 5 or path[-1] == "kinds"
    assert said.see


def parsed_or_alone(path: tuple[str, ...], command: Any) -> Any:
    root = next(each for found, each in every() if found == ())
    parent = root.context_class(root, info_name="uscdr", help_option_names=["-h", "--help"])
    return command.context_class(command, info_name=" ".join(path), parent=parent)


EXAMPLES = [(path, text) for path, command in COMMANDS for text in getattr(manual_of(command.callback), "examples", ())]


@pytest.mark.parametrize(("path", "text"), EXAMPLES)
def test_an_example_can_be_pasted(path: tuple[str, ...], text: str) -> None:
    words = shlex.split(text.partition(" > ")[0])
    assert tuple(words[: len(path)]) == path
    assert parsed(words).command_path == " ".join(("uscdr", *path))


@pytest.mark.parametrize(("path", "command"), COMMANDS, ids=lambda one: " ".join(one) if isinstance(one, tuple) else "")
def test_related_commands_exist(path: tuple[str, ...], command: Any) -> None:
    said = manual_of(command.callback)
    assert said is not None
    assert all(tuple(one.split()) in EVERY for one in said.see), said.see
    assert " ".join(path) not in said.see


def test_metavars_say_the_kind_and_no_flag_has_a_twin() -> None:
    for path, command in COMMANDS:
        for one in command.get_params(context_of(command)):
            assert not one.secondary_opts, (path, one.name)
            if not getattr(one, "is_flag", False):
                assert one.metavar, (path, one.name)
                assert re.fullmatch(r"\[?[A-Z=|\[\]]+\]?…?", one.metavar), (path, one.metavar)


@pytest.mark.parametrize("width", [40, 80, 100])
@pytest.mark.parametrize("path", EVERY, ids=" ".join)
def test_no_word_is_broken(path: tuple[str, ...], width: int) -> None:
    command = dict(every())[path]
    page = page_of(parsed_or_alone(path, command) if path else context_of(command))
    words = [word for line in plain(page, width).splitlines() for word in line.split()]
    whole = [word for line in plain(page, 10_000).splitlines() for word in line.split()]
    assert [word for word in words if word != "\\"] == whole
    if width >= 80:
        assert all(len(line) <= width for line in plain(page, width).splitlines())


@pytest.mark.parametrize("words", ["--help", "-h", "--help recover", "help", "-h frob"])
def test_the_help_of_the_program_names_every_command(words: str, capsys: Captured) -> None:
    text = shown((), capsys, *words.split())
    headings = ["When something is broken", "Recover", "Check", "Back up", "Rehearse", "Incident", "Configure"]
    assert re.findall(r"^([A-Z][\w ]+):$", text, re.MULTILINE)[: len(headings)] == headings
    for path in EVERY:
        assert len(path) != 1 or re.search(rf"^  {path[0]} ", text, re.MULTILINE), path


@pytest.mark.parametrize(
    ("words", "command"),
    [
        ("--help --json", "uscdr"),
        ("--json -h", "uscdr"),
        ("help --json", "uscdr"),
        ("recover --help --json", "uscdr recover"),
        ("--json recover db --help", "uscdr recover db"),
        ("help kit check --json", "uscdr kit check"),
        ("help dates --json", "uscdr help dates"),
    ],
)
def test_with_json_help_is_one_object(words: str, command: str, capsys: Captured) -> None:
    (line,) = shown((), capsys, *words.split()).splitlines()
    page = json.loads(line)
    assert (page["schema"], page["command"]) == ("uscdr.help.v1", command)
    assert all(one["rows"] or one["lines"] or one["text"] for one in page["sections"])


def test_what_to_type_when_something_is_broken_comes_first_and_exists() -> None:
    section = page_of(context_of(dict(every())[()])).sections[0]
    assert section.title == "When something is broken"
    assert [parsed(shlex.split(name)[1:]).command_path for name, _ in section.rows] == [
        " ".join(name.partition(" --")[0].split()) for name, _ in section.rows
    ]
    assert {name.split()[2] for name, _ in section.rows if " recover " in name} == {
        path[1] for path in EVERY if path[:1] == ("recover",) and len(path) > 1
    }


def test_the_help_of_a_group_names_every_command_of_it(capsys: Captured) -> None:
    text = shown(("recover",), capsys, "--help", "db")
    assert all(re.search(rf"^  {name} ", text, re.MULTILINE) for name in ("db", "app", "media", "infra", "backups"))


@pytest.mark.parametrize("path", [("recover", "db"), ("backup",), ("sandbox", "fault", "add"), ("verify",)])
def test_three_ways_to_the_same_help(path: tuple[str, ...], capsys: Captured) -> None:
    text = shown(path, capsys)
    assert text == shown(path, capsys, "-h") == shown(("help",), capsys, *path)
    assert text.startswith(f"Usage: uscdr {' '.join(path)} ")


def read_by_the_source() -> set[str]:
    """The variables that the program reads: those of its own name, and what is asked of the environment."""
    found: set[str] = set()
    for path in SOURCE.rglob("*.py"):
        inside = path.relative_to(SOURCE)
        text = path.read_text()
        if inside.parts[0] != "sandbox" and inside.name != "environment.py":
            found |= set(re.findall(r"\bUSCDR_[A-Z_]*[A-Z]\b", text))
            found |= set(re.findall(r"\benv(?:iron)?(?:\.get\(|\[)\"([A-Z_]+)\"", text))
    return found - {"USCDR_CLOUDINARY"}


def test_every_variable_is_in_the_table(capsys: Captured) -> None:
    assert sorted(read_by_the_source() - {one.name for one in ENVIRONMENT}) == []
    text = shown(("help", "environment"), capsys, "-q")
    assert all(one.name in text for one in ENVIRONMENT)
    records = [json.loads(line) for line in shown(("help", "environment"), capsys, "--json").splitlines()]
    assert [one["name"] for one in records] == [one.name for one in ENVIRONMENT]
    secret = {one["name"] for one in records if one["secret"]}
    assert {name for name in secret | {"X_TOKEN"} if re.search(r"TOKEN|PASSWORD|SECRET|API_KEY", name)} <= secret | {
        "X_TOKEN"
    }
    assert {"HEROKU_API_KEY", "USCDR_PING", "USCDR_SCRATCH", "USCDR_DNS_KEY"} <= secret


def test_every_exit_code_is_explained(capsys: Captured) -> None:
    assert set(EXIT_CODES) == {int(code) for code in ExitCode}
    text = shown(("help", "exit-codes"), capsys, "-q")
    assert all(re.search(rf"^  {code} +\w", text, re.MULTILINE) for code in EXIT_CODES)
    assert "40m" in shown(("help", "dates"), capsys, "-q")


def test_a_summary_is_the_first_sentence() -> None:
    assert summary("Do this. Then that.") == "Do this"
    assert (
        summary("Print scenarios.yaml as it is read. Without a file, the default.")
        == "Print scenarios.yaml as it is read"
    )
    assert summary("List every run") == "List every run"


PROGRAM = "import sys; from uscdr.cli.main import main; sys.argv[0] = 'uscdr'; main()"


def at_a_terminal(*words: str, **env: str) -> str:
    """What the program prints where stdout is a terminal."""
    ours, theirs = pty.openpty()
    kept = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "COLUMNS")}
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *words], stdout=theirs, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL,
        env={**kept, "TERM": "xterm-256color", **env},
    ) as process:  # fmt: skip
        os.close(theirs)
        said = b""
        while True:
            try:
                more = os.read(ours, 65536)
            except OSError:  # the other end is closed
                break
            if not more:
                break
            said += more
    os.close(ours)
    assert process.returncode == 0
    return said.decode()


def test_a_terminal_gets_colour_and_a_pipe_does_not() -> None:
    assert "\x1b[" in at_a_terminal("recover", "db", "--help")
    for words, env in (
        (["recover", "db", "--help"], {"NO_COLOR": "1"}),
        (["recover", "db", "--help"], {"TERM": "dumb"}),
        (["recover", "db", "--no-color", "--help"], {}),
        (["--no-color", "recover", "db", "--help"], {}),
        (["recover", "db", "--help", "--no-color"], {}),
    ):
        assert "\x1b[" not in at_a_terminal(*words, **env), (words, env)
    piped = subprocess.run([sys.executable, "-c", PROGRAM, "-h"], capture_output=True, text=True, check=True)
    assert "\x1b[" not in piped.stdout


def test_colour_says_the_same() -> None:
    text = re.sub(r"\x1b\[[0-9;]*m|[│╭╮╰╯─]", " ", at_a_terminal("kit", "check", "--help")).split()
    command = dict(every())["kit", "check"]
    page = page_of(parsed_or_alone(("kit", "check"), command))
    for section in page.sections:
        for name, words in section.rows:
            assert set(f"{name} {words}".split()) <= set(text)
