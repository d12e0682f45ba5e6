"""Every command and option that README and docs name is one that there is; every variable, too."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

from uscdr.cli.app import load

ROOT = Path(__file__).parents[3]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])
CODE = re.compile(r"^ {4}(?P<block>.+)$|`(?P<span>[^`\n]+)`", re.MULTILINE)
VALUED = ("--target", "--config")
"""Options before the command, with a word that is none."""
PLACEHOLDER = re.compile(r"[\[\]|…]")


def commands(page: Path) -> Iterator[str]:
    for found in CODE.finditer(page.read_text()):
        text = (found["block"] or found["span"]).strip()
        if text.startswith("uscdr ") and not text.startswith(("uscdr …",)):
            yield text


def words(text: str) -> list[str]:
    return [word for word in shlex.split(PLACEHOLDER.sub(" ", text), comments=True) if word]


def unknown(text: str) -> list[str]:
    """Words of the command line that the program does not know."""
    command: Any = typer.main.get_command(load([]))
    known = {name for one in command.params for name in (*one.opts, *one.secondary_opts)}
    wrong: list[str] = []
    before = ""
    for word in words(text)[1:]:
        before, last = word, before
        if word.startswith("--"):
            wrong += [] if word.partition("=")[0] in known | {"--help"} else [word]
        elif hasattr(command, "commands") and last not in VALUED:
            if word not in command.commands:
                return [*wrong, word]
            command = command.commands[word]
            known |= {name for one in command.params for name in (*one.opts, *one.secondary_opts)}
    return wrong


def alternatives(text: str) -> list[str]:
    """`uscdr drill db|app` names two."""
    found = re.search(r"\b[a-z]+(?:\|[a-z]+)+", text)
    return [text.replace(found[0], one) for one in found[0].split("|")] if found else [text]


CASES = [(page.name, text) for page in PAGES for long in commands(page) for text in alternatives(long)]


def test_there_are_many() -> None:
    assert len(CASES) > 50


@pytest.mark.parametrize(("page", "text"), CASES)
def test_it_is_a_command(page: str, text: str) -> None:
    assert unknown(text) == [], f"{page}: {text}"


def test_a_wrong_one_is_found() -> None:
    assert unknown("uscdr recover everything") == ["everything"]
    assert unknown("uscdr recover app --releases v1") == ["--releases"]


def test_every_variable_of_the_environment_is_documented() -> None:
    code = ROOT / "src" / "uscdr"
    ours = [path for path in code.rglob("*.py") if path.relative_to(code).parts[0] != "sandbox"]
    source = "".join(path.read_text() for path in ours)
    read = set(re.findall(r"\bUSCDR_[A-Z_]*[A-Z]\b", source))
    said = (ROOT / "docs" / "configuration.md").read_text()
    internal = {name for name in read if f'"{name}"' not in source and f"'{name}'" not in source}
    assert sorted(name for name in read - internal if name not in said) == []
