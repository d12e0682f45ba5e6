"""`uscdr backup`: the platform's backups."""

from __future__ import annotations

from typing import Annotated

import typer

from uscdr.cli.context import options

app = typer.Typer(no_args_is_help=True, help="The platform's backups of the database.")
JsonOption = Annotated[bool, typer.Option("--json", help="JSON lines on stdout.")]


@app.command("list")
def list_backups(context: typer.Context, *, as_json: JsonOption = False) -> None:
    """Every backup: kind, state, age, size."""
    from uscdr.cli import backups

    backups.show(options(context), as_json=as_json)


@app.command()
def capture(context: typer.Context, *, as_json: JsonOption = False) -> None:
    """Make a backup now and wait for its end; its name on stdout."""
    from uscdr.cli import backups

    backups.capture(options(context), as_json=as_json)
