"""`uscdr dns`: roll back a DNS switch."""

from __future__ import annotations

import typer

from uscdr.cli.manual import RUNS, manual
from uscdr.cli.recover import Confirm, DryRun, New, carry_out, planned

app = typer.Typer(no_args_is_help=True, help="Roll back the DNS switch of a recovery.")


@app.callback()
def domain() -> None:
    """Keep `rollback` a subcommand: Typer merges a single command into its group."""


@app.command()
@planned
@manual(
    reads="The journal of the last `recover infra` on this target, and the DNS records of now.",
    changes="Nothing before you confirm, and nothing with --dry-run. Then it writes the records that were "
    "there before, unless somebody changed them since.",
    examples=("dns rollback --dry-run", "dns rollback --confirm PHRASE"),
    exits=RUNS,
    see=("recover infra", "runs resume"),
)
def rollback(context: typer.Context, *, dry_run: DryRun = False, confirm: Confirm = None, new: New = False) -> None:
    """Restore the previous DNS records. Undo the last `recover infra` on this target, if nobody changed them since."""
    from uscdr.scenarios.adapters import Request

    carry_out(context, Request("dns", anew=new), confirm=confirm, dry_run=dry_run)
