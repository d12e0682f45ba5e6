"""`uscdr runs`: every run ever made on this machine, from its journal. `list` loads nothing heavy."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from uscdr.cli.context import options

app = typer.Typer(no_args_is_help=True, help="Every run, from its journal.")
RunArgument = Annotated[str | None, typer.Argument(help="A run's id or its beginning; default: the newest that fits.")]
JsonOption = Annotated[bool, typer.Option("--json", help="JSON lines on stdout.")]


@app.command("list")
def list_runs(context: typer.Context, *, as_json: JsonOption = False) -> None:
    """Every run, oldest first."""
    from uscdr.cli.listing import show_runs

    show_runs(options(context).output(json_lines=as_json))


@app.command()
def show(context: typer.Context, run: RunArgument = None, *, as_json: JsonOption = False) -> None:
    """Where a run stands, step by step."""
    from uscdr.cli.reports import load_report, newest
    from uscdr.report.summary import summarise

    output = options(context).output(json_lines=as_json)
    path = newest(run)
    report = load_report(path)
    if output.json_lines:
        output.record(report.model_dump(mode="json"))
    else:
        output.result(summarise(report, journal=str(path)))


@app.command()
def report(context: typer.Context, run: RunArgument = None, *, as_json: JsonOption = False) -> None:
    """A run's report: Markdown, or JSON with --json."""
    from uscdr.cli.reports import load_report, newest
    from uscdr.report.markdown import to_markdown

    output = options(context).output(json_lines=as_json)
    made = load_report(newest(run))
    if output.json_lines:
        output.record(made.model_dump(mode="json"))
    else:
        output.result(to_markdown(made))


@app.command()
def resume(
    context: typer.Context,
    run: RunArgument = None,
    *,
    confirm: Annotated[str | None, typer.Option(help="The phrase, if the run waits for it.")] = None,
    identity: Annotated[
        Path | None, typer.Option(envvar="USCDR_AGE_IDENTITY", help="The kit's private key, if the run uses one.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Go on with a run that was cut off: looks first, repeats nothing."""
    from uscdr.cli import conduct

    raise typer.Exit(conduct.resume(options(context), run, confirm=confirm, identity=identity, as_json=as_json))
