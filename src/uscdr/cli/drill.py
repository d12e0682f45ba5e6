"""`uscdr drill`: a disaster on the sandbox, recovered, timed and reported."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from uscdr.cli.context import options, state

app = typer.Typer(no_args_is_help=True, help="Rehearse on a sandbox that is made for it and gone afterwards.")


@app.command()
def db(
    context: typer.Context,
    *,
    how: Annotated[str, typer.Option(help="What breaks: see `uscdr sandbox break db --help`.")] = "drop-table",
    patients: Annotated[int, typer.Option(help="Synthetic patients.")] = 200,
    report: Annotated[Path, typer.Option(help="Directory for report.md and report.json.")] = Path("reports"),
    as_json: Annotated[bool, typer.Option("--json", help="The report as JSON on stdout.")] = False,
) -> None:
    """Baseline, break, recover, verify, report; the sandbox is gone afterwards."""
    from uscdr.drills.database import DrillRequest, drill

    given = options(context)
    request = DrillRequest(how, patients, report, state(), given.config)
    raise typer.Exit(drill(request, given.output(json_lines=as_json)))
