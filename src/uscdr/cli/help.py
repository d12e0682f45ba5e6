"""`uscdr help`: the help of a command, and of what concerns all commands."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup
from typing_extensions import TypedDict

from uscdr.cli.manual import EXIT_CODES, LOCAL, manual
from uscdr.cli.options import options
from uscdr.ui.schemas import Schema

if TYPE_CHECKING:
    from uscdr.ui.console import Output


@manual(
    reads="Nothing.",
    changes="Nothing.",
    examples=("help", "help recover db", "help recover db --json", "help environment", "help dates"),
    exits=LOCAL,
    see=("runbook", "version"),
)
def show_help(
    context: typer.Context,
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[COMMAND]…", help="A command, or: environment, exit-codes, dates. Default: all commands."
        ),
    ] = None,
) -> None:
    """Show the help of a command, of environment variables, exit codes or dates."""
    output = options(context).output()
    match tuple(words or ()):
        case ("environment",):
            _environment(output)
        case ("exit-codes",):
            _exit_codes(output)
        case ("dates",):
            _dates(output)
        case named:
            _command(context, named)


def _command(context: Any, words: Sequence[str]) -> None:  # noqa: ANN401 - Click's types are private
    """Raises BadInput with a hint for a command that does not exist."""
    found = context.find_root()
    for place, word in enumerate(words):
        group = found.command
        command = group.get_command(found, word) if isinstance(group, TyperGroup) else None
        if command is None:
            from uscdr.cli.usage_errors import unknown_command

            raise unknown_command(found, words[place:])
        found = command.context_class(command, info_name=word, parent=found)
    typer.echo(found.get_help())


def _dates(output: Output) -> None:
    from uscdr.cli.help_pages import HelpPage, HelpSection, as_json, plain, width_of

    times = (
        ("2026-11-23T10:00Z", "a date and time (ISO 8601)"),
        ("2026-11-23T18:00+08:00", "the same with another zone"),
        ("02:10", "the last 02:10 UTC (options that ask for a past time)"),
        ("40m, 3h, 2 days ago", "that long ago (the same options)"),
        ("03:25-03:40, 45m", "a time to come (uscdr incident update --expected)"),
    )
    sections = (
        HelpSection("Times", rows=times),
        HelpSection("Durations", text=("90s, 5m, 3h, 2d",)),
        HelpSection("In JSON", text=("Every time is ISO 8601 with its zone, and every duration is in seconds.",)),
    )
    page = HelpPage("uscdr help dates", "", ("Times are UTC unless they carry a zone.",), sections)
    if output.json_lines:
        output.out.offer(as_json(page) + "\n")
    else:
        output.result(plain(page, width_of(output.out.width, terminal=output.out.is_tty)))


class _VariableObject(TypedDict):
    name: str
    meaning: str
    used_by: str
    secret: bool


class _CodeObject(TypedDict):
    exit_code: int
    meaning: str


def _environment(output: Output) -> None:
    from uscdr.cli.environment import ENVIRONMENT
    from uscdr.cli.help_pages import rows_as_text, width_of

    if output.json_lines:
        for one in ENVIRONMENT:
            shown: _VariableObject = {
                "name": one.name,
                "meaning": one.meaning,
                "used_by": one.used,
                "secret": one.secret,
            }
            output.record(Schema.VARIABLE, shown)
        return
    rows = [(one.name, f"{one.meaning} [{one.used}]{' SECRET' if one.secret else ''}") for one in ENVIRONMENT]
    width = width_of(output.out.width, terminal=output.out.is_tty)
    first = "Variables that uscdr reads [the option that overrides it, or the commands that use it]:"
    output.result(textwrap.fill(first, width))
    output.result("\n".join(rows_as_text(rows, width)))
    last = "Put no SECRET on a command line. Channels of an incident name further variables in scenarios.yaml."
    output.result(textwrap.fill(last, width))


def _exit_codes(output: Output) -> None:
    from uscdr.cli.help_pages import rows_as_text, width_of

    if output.json_lines:
        for code, words in EXIT_CODES.items():
            output.record(Schema.EXIT_CODE, _CodeObject(exit_code=code, meaning=words))
        return
    rows = [(str(code), words) for code, words in EXIT_CODES.items()]
    output.result("\n".join(rows_as_text(rows, width_of(output.out.width, terminal=output.out.is_tty))))
