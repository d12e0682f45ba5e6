"""Commands as the pages write them, and what of them the program does not know."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

from typer.core import TyperGroup

from uscdr.cli import app

CODE = re.compile(r"^ {4}(?P<block>.+)$|`(?P<span>[^`\n]+)`", re.MULTILINE)
VALUED = ("--target", "--config")
"""Options of every command, with a word that is none."""
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
    """The whole program as a click command."""
    return app.program()


def context_of(command: Any) -> Any:
    """For what a command says only in one: its parameters, its commands."""
    return command.context_class(command, help_option_names=["-h", "--help"])


def names(command: Any) -> set[str]:
    """The options that a command takes, with those of every command."""
    return {name for one in command.get_params(context_of(command)) for name in (*one.opts, *one.secondary_opts)}


def every(command: Any = None, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command of the tree with its words, groups before what is in them."""
    command = command or program()
    yield path, command
    context = context_of(command)
    for name in command.list_commands(context) if isinstance(command, TyperGroup) else ():
        yield from every(command.get_command(context, name), (*path, name))


def parsed(words: Iterable[str]) -> Any:
    """The context of the command that a command line names; nothing is run. Raises what the parser raises."""
    root = program()
    found: Any = root.make_context("uscdr", list(words))
    while rest := [*found._protected_args, *found.args]:
        if not isinstance(found.command, TyperGroup):
            break
        resolved: Any = found.command.resolve_command(found, rest)
        name, command, rest = resolved
        found = command.make_context(name, rest, parent=found)
    return found


@cache
def unknown(text: str) -> tuple[str, ...]:
    """Words of the command line that the program does not know."""
    command = program()
    known = names(command)
    wrong: list[str] = []
    before = ""
    for word in words(text)[1:]:
        before, last = word, before
        if word.startswith("--"):
            wrong += [] if word.partition("=")[0] in known else [word]
        elif isinstance(command, TyperGroup) and last not in VALUED:
            found: Any = command.get_command(context_of(command), word)
            if found is None:
                return (*wrong, word)
            command = found
            known |= names(command)
    return tuple(wrong)


def alternatives(text: str) -> list[str]:
    """`uscdr drill db|app` names two."""
    found = re.search(r"\b[a-z]+(?:\|[a-z]+)+", text)
    return [text.replace(found[0], one) for one in found[0].split("|")] if found else [text]
