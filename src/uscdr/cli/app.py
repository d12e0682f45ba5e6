"""The top-level command. Subcommands import what they need when they run."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

from uscdr.cli.options import GlobalOptions

EXITS = """\b
EXIT STATUS
  0 done and verified            1 a check failed or an objective was missed
  2 bad input: nothing called    3 a provider or this machine failed: resume the run
  4 not confirmed                5 outcome unknown: the message says what to check
  6 another run holds the lock   130 interrupted: resume the run"""

GROUPS = ("recover", "backup", "runs", "drill", "kit", "dns", "incident", "config", "sandbox", "self")
"""Each is a module of this package with a Typer application `app`."""
COMMANDS = {"doctor": "doctor", "runbook": "runbook", "verify": "verify", "watch": "verify", "docs": "docs"}
"""By name: the module of this package that has a function of that name."""


def load(arguments: Sequence[str]) -> typer.Typer:
    """The application with the commands that the arguments name, or with all: each command costs start-up time."""
    app = typer.Typer(
        name="uscdr",
        help="Recover USC-PIS: database, application, media, infrastructure and backups.",
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
    for command, module in COMMANDS.items():
        if command in named:
            app.command(command)(getattr(import_module(f"uscdr.cli.{module}"), command))
    return app


def _version(wanted: bool) -> None:  # noqa: FBT001 - Typer passes it by position
    if wanted:
        from uscdr import __version__

        typer.echo(f"uscdr {__version__}")
        raise typer.Exit


def root(
    context: typer.Context,
    *,
    config: Annotated[Path | None, typer.Option(metavar="FILE", help="Path of scenarios.yaml.")] = None,
    target: Annotated[
        str | None, typer.Option(metavar="TARGET", help="Target of scenarios.yaml, or `sandbox`.")
    ] = None,
    json_lines: Annotated[
        bool, typer.Option("--json", help="Print results or events as JSON lines on stdout.")
    ] = False,
    quiet: Annotated[bool, typer.Option(help="Print only results, warnings and errors.")] = False,
    verbose: Annotated[bool, typer.Option(help="Print more details.")] = False,
    no_color: Annotated[bool, typer.Option("--no-color", help="Print without colour.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """The global options, which come before the command."""
    del version
    context.obj = GlobalOptions(config, target, json_lines, quiet, verbose, False if no_color else None)
