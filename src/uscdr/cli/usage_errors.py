"""What the parser refuses, in our own words: one error with one next step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import typer
from typer.core import TyperGroup

from uscdr.cli.options import options
from uscdr.errors import BadInput, ExitCode


def in_our_words(error: typer.TyperException, context: Any) -> BaseException:  # noqa: ANN401
    """The error to raise in place of the parser's."""
    if isinstance(context.command, TyperGroup) and type(error).__name__ in ("NoArgsIsHelpError", "UsageError"):
        return missing_command(context)
    return BadInput(error.format_message(), next_action=f"{context.command_path} --help")


def missing_command(context: Any) -> BaseException:  # noqa: ANN401 - Click's types are private
    """The help of the group on stderr; with --json one error."""
    if not options(context).json_lines:
        typer.echo(context.get_help(), err=True)
        return typer.Exit(ExitCode.BAD_INPUT)
    names = ", ".join(context.command.list_commands(context))
    return BadInput(
        f"{context.command_path} needs a command: {names}.", next_action=f"Run: {context.command_path} --help"
    )


def unknown_command(context: Any, words: Sequence[str]) -> BadInput:  # noqa: ANN401 - Click's types are private
    """A word where a command is expected."""
    return BadInput(
        f"{context.command_path} has no command “{words[0]}”.", next_action=f"{context.command_path} --help"
    )
