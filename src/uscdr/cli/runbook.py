"""`uscdr runbook`: the runbook of scenarios.yaml, with the manual command for every step."""

from __future__ import annotations

from typing import Annotated

import typer

from uscdr.cli.options import targets_and_output


def runbook(
    context: typer.Context,
    scenario: Annotated[
        str | None, typer.Argument(metavar="[SCENARIO]", help="Scenario: db, app, media, infra, …; default: all.")
    ] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON lines on stdout.")] = False,
) -> None:
    """Print the runbook. It needs no network, no credentials and no healthy platform."""
    from uscdr.report.runbook import Runbook

    targets, output = targets_and_output(context, as_json=as_json)
    found = Runbook(targets.loaded(lazily=True).config, scenario)
    if output.json_lines:
        for row in found.rows():
            output.record(row)
    else:
        output.result(found.to_markdown())
