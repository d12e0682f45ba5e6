"""The guides for an outage are true: each message is one that the program prints, each symptom ends in one command."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from documented import parsed
from uscdr.cli.main import run

ROOT = Path(__file__).parents[3]
DOCS = ROOT / "docs"
TROUBLE, SYMPTOMS = (DOCS / name for name in ("troubleshooting.md", "symptoms.md"))
HOLE = "…"
ROW = re.compile(r"^\| “(.+)” \| ", re.MULTILINE)
LEAF = re.compile(r"^( *)- (.+)$", re.MULTILINE)
COMMAND = re.compile(r".+: `(uscdr [^`]+)`")


def _text(node: ast.expr) -> str | None:
    """A literal as a page writes it: with a hole for each value."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=values):
            return "".join(part for one in values if (part := _text(one)) is not None)
        case ast.FormattedValue():
            return HOLE
    return None


@cache
def printed() -> str:
    """Every text of the source, one a line."""
    found = []
    for path in (ROOT / "src" / "uscdr").rglob("*.py"):
        nodes = list(ast.walk(ast.parse(path.read_text())))
        told = {node.value for node in nodes if isinstance(node, ast.Expr)}  # docstrings
        found += [text for node in nodes if isinstance(node, ast.expr) and node not in told and (text := _text(node))]
    return "\n".join(found)


def messages() -> list[str]:
    return ROW.findall(TROUBLE.read_text())


def test_there_are_many_messages() -> None:
    rows = [line for line in TROUBLE.read_text().splitlines() if line.startswith("| ") and "---" not in line]
    told = [line for line in rows if not line.startswith("| message |")]
    assert len(messages()) == len(told) > 60, "a row without a message in quotation marks"


@pytest.mark.parametrize("message", messages())
def test_the_program_prints_it(message: str) -> None:
    assert message in printed()


def test_a_message_that_nobody_prints_is_found() -> None:
    assert "The database is on fire." not in printed()
    assert f"Run {HOLE} is finished." in printed()


def leaves() -> Iterator[str]:
    """The entries without entries below them."""
    found = [(len(one[1]), one[2]) for one in LEAF.finditer(SYMPTOMS.read_text())]
    for (depth, text), (following, _) in zip(found, [*found[1:], (0, "")], strict=True):
        if following <= depth:
            yield text


def test_each_symptom_ends_in_one_command() -> None:
    assert len(list(leaves())) > 40
    assert [text for text in leaves() if not COMMAND.fullmatch(text)] == []


@pytest.mark.parametrize("command", sorted({found[1] for text in leaves() if (found := COMMAND.fullmatch(text))}))
def test_its_command_can_be_typed(command: str) -> None:
    parsed(shlex.split(command)[1:])


def test_its_checks_are_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["verify", "--list", "all"]) == 0
    known = set(re.findall(r"[a-z-]+", capsys.readouterr().out))
    lines = re.findall(r"uscdr verify (?:all|db|app|integration) ([a-z][a-z -]+?)`", SYMPTOMS.read_text())
    wanted = {name for names in lines for name in names.split() if not name.startswith("--")}
    assert wanted
    assert wanted - known == set()
