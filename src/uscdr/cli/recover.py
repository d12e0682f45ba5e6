"""`uscdr recover`: carry a scenario of the runbook out."""

from __future__ import annotations

from typing import Annotated

import typer

from uscdr.cli.context import options

app = typer.Typer(no_args_is_help=True, help="Recover, after a plan and a typed confirmation.")


@app.command()
def db(
    context: typer.Context,
    *,
    backup: Annotated[str | None, typer.Option(help="b001, a002, …; default: the newest good one.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Look, prove and plan; change nothing.")] = False,
    confirm: Annotated[str | None, typer.Option(help="The phrase that the dry run prints.")] = None,
    without_safety_capture: Annotated[
        bool, typer.Option("--without-safety-capture", help="Do not keep the damaged state.")
    ] = False,
    new: Annotated[bool, typer.Option("--new", help="Begin although an earlier run is not finished.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Events as JSON lines on stdout.")] = False,
) -> None:
    """Database corruption or loss: restore a proven backup."""
    from uscdr.cli import conduct
    from uscdr.scenarios.deps import Request

    request = Request("db", backup, safety_capture=not without_safety_capture, anew=new)
    raise typer.Exit(conduct.recover(options(context), request, confirm=confirm, dry_run=dry_run, as_json=as_json))
