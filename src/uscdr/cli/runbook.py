"""`uscdr runbook`: the runbook of scenarios.yaml, with the manual command for every step."""

from __future__ import annotations

from typing import Annotated

import typer

from uscdr.cli.manual import LOOKS, manual
from uscdr.cli.options import targets_and_output


@manual(
    reads="scenarios.yaml. With --online also every link in it.",
    changes="Nothing.",
    examples=("runbook", "runbook db", "runbook --online"),
    exits=LOOKS | {1: "a link does not answer (--online)"},
    see=("recover db", "drill due"),
)
def runbook(
    context: typer.Context,
    scenario: Annotated[
        str | None, typer.Argument(metavar="[SCENARIO]", help="Scenario: db, app, media, infra, …; default: all.")
    ] = None,
    *,
    online: Annotated[
        bool, typer.Option("--online", help="Also open each link. Exit 1 if one without a note does not answer.")
    ] = False,
) -> None:
    """Print the runbook. Without --online it needs no network, no credentials and no healthy platform."""
    from uscdr.report.runbook import Runbook
    from uscdr.ui.schemas import Schema

    targets, output = targets_and_output(context)
    config = targets.loaded(lazily=True).config
    if scenario is not None and scenario not in config.scenarios:
        from uscdr.cli.usage_errors import wrong_choice

        raise wrong_choice(f"There is no scenario “{scenario}”.", "runbook", scenario, list(config.scenarios))
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
