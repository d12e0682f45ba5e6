"""`uscdr dns`: undo a switch of the domain."""

from __future__ import annotations

import typer

from uscdr.cli.recover import AsJson, Confirm, DryRun, New, carry_out

app = typer.Typer(no_args_is_help=True, help="The domain.")


@app.callback()
def domain() -> None:
    """Keep `rollback` a word of its own."""


@app.command()
def rollback(
    context: typer.Context,
    *,
    dry_run: DryRun = False,
    confirm: Confirm = None,
    new: New = False,
    as_json: AsJson = False,
) -> None:
    """Swap back what the last `recover infra` on this target swapped, if it still is as it was left."""
    from uscdr.scenarios.adapters import Request

    carry_out(context, Request("dns", anew=new), confirm=confirm, dry_run=dry_run, as_json=as_json)
