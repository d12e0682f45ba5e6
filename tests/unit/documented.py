"""Commands as the pages write them, and what of them the program does not know."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from functools import cache
from typing import Any

import typer.main

from uscdr.cli.app import load

CODE = re.compile(r"^ {4}(?P<block>.+)$|`(?P<span>[^`\n]+)`", re.MULTILINE)
VALUED = ("--target", "--config")
"""Options before the command, with a word that is none."""
PLACEHOLDER = re.compile(r"[\[\]|…]")


def commands(text: str) -> Iterator[str]:
    """The lines of code blocks and the words in backticks that begin with the program's name."""
    for found in CODE.finditer(text):
        code = (found["block"] or found["span"]).strip()
        if code.startswith("uscdr ") and not code.startswith(("uscdr …",)):
            yield code


def words(text: str) -> list[str]:
    return [word for word in shlex.split(PLACEHOLDER.sub(" ", text), comments=True) if word]


@cache
def program() -> Any:
    """The whole program as a click command; building it takes a second."""
    return typer.main.get_command(load([]))


@cache
def unknown(text: str) -> tuple[str, ...]:
    """Words of the command line that the program does not know."""
    command = program()
    known = {name for one in command.params for name in (*one.opts, *one.secondary_opts)}
    wrong: list[str] = []
    before = ""
    for word in words(text)[1:]:
        before, last = word, before
        if word.startswith("--"):
            wrong += [] if word.partition("=")[0] in known | {"--help"} else [word]
        elif hasattr(command, "commands") and last not in VALUED:
            if word not in command.commands:
                return (*wrong, word)
            command = command.commands[word]
            known |= {name for one in command.params for name in (*one.opts, *one.secondary_opts)}
    return tuple(wrong)


def alternatives(text: str) -> list[str]:
    """`uscdr drill db|app` names two."""
    found = re.search(r"\b[a-z]+(?:\|[a-z]+)+", text)
    return [text.replace(found[0], one) for one in found[0].split("|")] if found else [text]
