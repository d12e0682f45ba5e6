"""What the parser refuses, in our own words: one error with one next step."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from typing import Any

import typer
from typer.core import TyperGroup

from uscdr.cli.global_options import ARGUMENTS
from uscdr.cli.manual import manual_of
from uscdr.cli.options import options
from uscdr.errors import BadInput, ExitCode


def in_our_words(error: Any, context: Any) -> BaseException:  # noqa: ANN401 - Click's types are private
    """The error to raise in place of the parser's; its kinds have no public names."""
    match type(error).__name__:
        case "NoArgsIsHelpError" | "UsageError" if isinstance(context.command, TyperGroup):
            return missing_command(context)
        case "NoSuchOption":
            from uscdr.cli.option_hints import unknown_option

            return unknown_option(context, error.option_name)
        case "BadOptionUsage":
            return _bad_option(context, error.option_name)
        case "MissingParameter":
            return _missing(context, error.param)
        case "BadParameter":
            return _bad_value(context, error)
        case _:
            return BadInput(f"{error.format_message().rstrip('.')}.", next_action=_help(context))


def missing_command(context: Any) -> BaseException:  # noqa: ANN401 - Click's types are private
    """The help of the group on stderr; with --json one error."""
    if not options(context).json_lines:
        typer.echo(context.get_help(), err=True)
        return typer.Exit(ExitCode.BAD_INPUT)
    names = ", ".join(context.command.list_commands(context))
    return BadInput(f"{context.command_path} needs a command: {names}.", next_action=_help(context))


def unknown_command(context: Any, words: Sequence[str]) -> BadInput:  # noqa: ANN401 - Click's types are private
    """A word where a command is expected."""
    from uscdr.cli.hints import hint

    found = hint(context, typed(context))
    return BadInput(
        f"{context.command_path} has no command “{words[0]}”.",
        next_action=found.sentence() if found else _help(context),
    )


def extra_words(context: Any, words: Sequence[str]) -> BadInput:  # noqa: ANN401 - Click's types are private
    """More arguments than the command takes."""
    from uscdr.cli.hints import hint_for_extra

    which = " ".join(f"“{one}”" for one in words)
    takes = "takes no argument" if not _arguments(context) else "takes fewer arguments"
    found = hint_for_extra(context, words, typed(context))
    return BadInput(f"{context.command_path} {takes}: {which}.", next_action=found.sentence())


def wrong_choice(message: str, command: str, word: str, known: Sequence[str]) -> BadInput:
    """A value that is none of those that the command knows; `command` comes before the right one."""
    from uscdr.cli.hints import checked_by, likeliest

    other = checked_by(word) if command in ("verify", "watch") else None
    if other is not None and not other.startswith("verify"):
        return BadInput(message, next_action=f"Run: uscdr {other}")
    if (found := likeliest(word, known)) is not None:
        return BadInput(message, next_action=f"Run: uscdr {command} {found}")
    return BadInput(message, next_action=f"Choose one: {', '.join(known)}.")


def typed(context: Any) -> tuple[str, ...]:  # noqa: ANN401 - Click's types are private
    """The whole command line, without the program's name."""
    return tuple(context.find_root().meta.get(ARGUMENTS, ()))


def _arguments(context: Any) -> list[Any]:  # noqa: ANN401 - Click's types are private
    return [one for one in context.command.params if one.param_type_name == "argument"]


def _help(context: Any) -> str:  # noqa: ANN401 - Click's types are private
    return f"Run: {context.command_path} --help"


def _bad_option(context: Any, name: str) -> BadInput:  # noqa: ANN401 - Click's types are private
    """An option without its value, or a flag with one."""
    option = next((one for one in context.command.get_params(context) if name in one.opts), None)
    line = ["uscdr", *typed(context)]
    if option is None or getattr(option, "is_flag", False):
        fixed = [name if one.startswith(f"{name}=") else one for one in line]
        return BadInput(f"{name} takes no value.", next_action=f"Run: {shlex.join(fixed)}")
    value = "newest" if option.metavar == "KIT" else option.metavar
    return BadInput(f"{name} needs a value: {option.metavar}.", next_action=f"Run: {shlex.join(line)} {value}")


def _missing(context: Any, param: Any) -> BadInput:  # noqa: ANN401 - Click's types are private
    name = f"{param.opts[-1]} {param.metavar}" if param.param_type_name == "option" else str(param.metavar)
    return BadInput(f"{context.command_path} needs {name}.", next_action=_example(context, name))


def _example(context: Any, name: str) -> str:  # noqa: ANN401 - Click's types are private
    """An example that begins as the line does; of another choice than the operator's none would help."""
    said, line = manual_of(context.command.callback), shlex.join(typed(context))
    if said is None:
        return _help(context)
    if found := next((one for one in said.examples if one.startswith(line)), None):
        return f"For example: uscdr {found}"
    return f"Run: uscdr {line} {name}. What may stand there: {context.command_path} --help"


def _bad_value(context: Any, error: Any) -> BadInput:  # noqa: ANN401 - Click's types are private
    name = error.param.opts[-1] if error.param is not None and error.param.opts else ""
    if error.param is not None and error.param.param_type_name == "argument":
        name = str(error.param.metavar)
    said = re.sub(r"'([^']*)'", r"“\1”", error.message).rstrip(".")
    return BadInput(f"{name}: {said}." if name else f"{said}.", next_action=_help(context))
