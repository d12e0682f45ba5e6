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
    online: Annotated[
        bool, typer.Option("--online", help="Also open each link. Exit 1 if one without a note does not answer.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON lines on stdout.")] = False,
) -> None:
    """Print the runbook. Without --online it needs no network, no credentials and no healthy platform."""
    from uscdr.report.runbook import Runbook
    from uscdr.ui.schemas import Schema

    targets, output = targets_and_output(context, as_json=as_json)
    config = targets.loaded(lazily=True).config
    found = Runbook(config, scenario)
    if output.json_lines:
        for row in found.rows():
            output.record(Schema.RUNBOOK_STEP, row)
    else:
        output.result(found.to_markdown())
    if online:
        from uscdr.commands.links import look_at_links
        from uscdr.providers.probes.links import LinkProbe

        raise typer.Exit(look_at_links(config, LinkProbe(), output))
