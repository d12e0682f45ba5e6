"""The top-level command. Sub-commands import what they need when they run."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

from uscdr.cli.invocation import Globals

EXITS = """\b
EXIT STATUS
  0 done and verified            1 a check failed or an objective is missed
  2 bad input: nothing called    3 a provider or this machine failed; resume goes on
  4 not confirmed                5 outcome unknown: says what to look at
  6 another operator's lock      130 interrupted; the journal says where"""

GROUPS = ("recover", "backup", "runs", "drill", "kit", "dns", "sandbox")
"""Each is a module beside this one with a Typer application `app`."""
COMMANDS = ("runbook", "verify", "watch")
"""Each is a module beside this one with a function of its own name."""


def load(arguments: Sequence[str]) -> typer.Typer:
    """The application with those commands that the arguments name, or with all: each costs start-up time."""
    app = typer.Typer(
        name="uscdr",
        help="Bring USC-PIS back: database, application, media, infrastructure.",
        epilog=EXITS,
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        add_completion=False,
    )
    app.callback()(root)
    named = set(arguments) & {*GROUPS, *COMMANDS} or {*GROUPS, *COMMANDS}
    for group in GROUPS:
        if group in named:
            app.add_typer(import_module(f"uscdr.cli.{group}").app, name=group)
    for command in COMMANDS:
        if command in named:
            app.command(command)(getattr(import_module(f"uscdr.cli.{command}"), command))
    return app


def _version(wanted: bool) -> None:  # noqa: FBT001 - Typer calls it so
    if wanted:
        from uscdr import __version__

        typer.echo(f"uscdr {__version__}")
        raise typer.Exit


def root(
    context: typer.Context,
    *,
    config: Annotated[Path | None, typer.Option(help="scenarios.yaml to use.")] = None,
    target: Annotated[str | None, typer.Option(help="A target of scenarios.yaml, or `sandbox`.")] = None,
    json_lines: Annotated[bool, typer.Option("--json", help="Results or events as JSON lines on stdout.")] = False,
    quiet: Annotated[bool, typer.Option(help="Only results and what must be seen.")] = False,
    verbose: Annotated[bool, typer.Option(help="More words.")] = False,
    no_color: Annotated[bool, typer.Option("--no-color", help="Without colour.")] = False,
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True)] = False,
) -> None:
    """Options that stand before every command."""
    del version
    context.obj = Globals(config, target, json_lines, quiet, verbose, False if no_color else None)
