"""`uscdr config`: which configuration is in use and why, what it says, whether it is valid, its schema."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from uscdr.cli.options import examples, options

app = typer.Typer(no_args_is_help=True, help="Show and check the configuration (scenarios.yaml).")


@app.command(epilog=examples("config path", "--config ./scenarios.yaml config path"))
def path(context: typer.Context) -> None:
    """Print the file in use and why, and the candidates that are not used. Reads no file."""
    from uscdr.commands.config import show_places

    given = options(context)
    show_places(given.config, given.output())


@app.command(epilog=examples("config show", "--target production config show"))
def show(context: typer.Context) -> None:
    """Print the configuration as it is in effect, with every default. Global option --target: only that target.

    Secrets are never part of it: they come from the environment.
    """
    from uscdr.commands.config import show_effective

    given = options(context)
    output = given.output()
    show_effective(given.targets(output), output)


@app.command(epilog=examples("config check", "config check ./scenarios.yaml"))
def check(
    context: typer.Context,
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="File to check; default: the one in use.")
    ] = None,
) -> None:
    """Check the whole file. Exit 2 with every error, a line each; exit 0 with what the file has."""
    from dataclasses import replace

    from uscdr.commands.config import check_file

    given = options(context)
    output = given.output()
    check_file(replace(given, config=file or given.config).targets(output), output)


@app.command(epilog=examples("config schema > scenarios.schema.json"))
def schema(context: typer.Context) -> None:
    """Print the JSON Schema of scenarios.yaml, for editors. Reads no file."""
    from uscdr.scenarios.schema import as_text

    options(context).output().result(as_text().removesuffix("\n"))
