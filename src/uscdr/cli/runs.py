"""`uscdr runs`: every run of this machine and of the team, from its journal. `list` loads nothing heavy."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from uscdr.cli.options import options

if TYPE_CHECKING:
    from uscdr.ui.console import Output

app = typer.Typer(no_args_is_help=True, help="Every run, from its journal.")
RunArgument = Annotated[str | None, typer.Argument(help="A run's id or its beginning; default: the newest that fits.")]
JsonOption = Annotated[bool, typer.Option("--json", help="JSON lines on stdout.")]


@app.command("list")
def list_runs(context: typer.Context, *, as_json: JsonOption = False) -> None:
    """Every run, oldest first; of other machines, too, where state is shared."""
    from uscdr.commands.runs import show_runs

    output = options(context).output(json_lines=as_json)
    _look_around(output)
    show_runs(output)


@app.command()
def show(context: typer.Context, run: RunArgument = None, *, as_json: JsonOption = False) -> None:
    """Where a run stands, step by step."""
    from uscdr.commands.runs import load, newest
    from uscdr.report.summary import summarise

    output = options(context).output(json_lines=as_json)
    _look_around(output)
    path = newest(run)
    loaded = load(path, output)
    if loaded.journal.is_copy:
        hand = loaded.journal.operator
        output.say(f"This run is not this machine's: {hand} has it, or had it last.")
    if output.json_lines:
        output.record(loaded.report.model_dump(mode="json"))
    else:
        output.result(summarise(loaded.report, journal=str(path)))
    if loaded.damage is not None:
        raise loaded.damage


@app.command()
def report(context: typer.Context, run: RunArgument = None, *, as_json: JsonOption = False) -> None:
    """A run's report: Markdown, or JSON with --json."""
    from uscdr.commands.runs import load, newest
    from uscdr.report.markdown import to_markdown

    output = options(context).output(json_lines=as_json)
    _look_around(output)
    loaded = load(newest(run), output)
    if output.json_lines:
        output.record(loaded.report.model_dump(mode="json"))
    else:
        output.result(to_markdown(loaded.report))
    if loaded.damage is not None:
        raise loaded.damage


@app.command()
def resume(
    context: typer.Context,
    run: RunArgument = None,
    *,
    confirm: Annotated[str | None, typer.Option(help="The phrase, if the run waits for it.")] = None,
    identity: Annotated[
        Path | None, typer.Option(envvar="USCDR_AGE_IDENTITY", help="The kit's private key, if the run uses one.")
    ] = None,
    take_over: Annotated[
        bool, typer.Option("--take-over", help="Go on here with a run that another machine had (USCDR_SHARED).")
    ] = False,
    send_again: Annotated[
        bool,
        typer.Option("--send-again", help="A change whose effect was looked for in vain: you saw that it never came."),
    ] = False,
    without_shared: Annotated[
        bool, typer.Option("--without-shared", help="Although the shared state cannot be had: nobody sees it.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Go on with a run that was cut off: looks first, repeats nothing."""
    from uscdr.commands import recover

    asked = recover.ResumeOptions(
        run, confirm, identity, take_over=take_over, without_shared=without_shared, send_again=send_again
    )
    given = options(context)
    output = given.output(json_lines=as_json)
    raise typer.Exit(recover.resume(given.targets(output), output, asked))


def _look_around(output: Output) -> None:
    """What other machines did, where state is shared; nothing heavy is loaded where it is not."""
    import os

    if os.environ.get("USCDR_SHARED"):
        from uscdr.commands.recover import look_around

        look_around(output)
