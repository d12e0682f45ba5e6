"""`uscdr runs`: the runs of this machine and of the team, from their journals. `list` imports little."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from uscdr.cli.options import examples, options, targets_and_output

if TYPE_CHECKING:
    from uscdr.ui.console import Output

app = typer.Typer(no_args_is_help=True, help="List, show and resume runs, from their journals.")
RunArgument = Annotated[
    str | None, typer.Argument(metavar="[RUN]", help="Id of a run or its beginning; default: the newest run that fits.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON lines on stdout.")]


@app.command("list")
def list_runs(context: typer.Context, *, as_json: JsonOption = False) -> None:
    """List every run, oldest first. With shared state, also list the runs of other machines."""
    from uscdr.commands.runs import show_runs

    output = options(context).output(json_lines=as_json)
    _look_around(output)
    show_runs(output)


@app.command()
def show(context: typer.Context, run: RunArgument = None, *, as_json: JsonOption = False) -> None:
    """Show the state of a run, step by step."""
    from uscdr.commands.runs import load, newest
    from uscdr.report.summary import summarise

    output = options(context).output(json_lines=as_json)
    _look_around(output)
    path = newest(run)
    loaded = load(path, output)
    if loaded.journal.is_copy:
        output.say(f"Another machine owns this run. Last operator: {loaded.journal.operator}.")
    if output.json_lines:
        output.record(loaded.report.model_dump(mode="json"))
    else:
        output.result(summarise(loaded.report, journal=str(path)))
    if loaded.damage is not None:
        raise loaded.damage


@app.command()
def report(context: typer.Context, run: RunArgument = None, *, as_json: JsonOption = False) -> None:
    """Print the report of a run: Markdown, or JSON with --json."""
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


@app.command(epilog=examples("runs resume", "runs resume RUN --take-over", "runs resume --confirm PHRASE"))
def resume(
    context: typer.Context,
    run: RunArgument = None,
    *,
    confirm: Annotated[
        str | None, typer.Option(metavar="PHRASE", help="Confirmation phrase, if the run waits for it.")
    ] = None,
    identity: Annotated[
        Path | None,
        typer.Option(
            envvar="USCDR_AGE_IDENTITY",
            metavar="FILE",
            help="Identity file: the kit's private key, if the run uses a kit.",
        ),
    ] = None,
    take_over: Annotated[
        bool, typer.Option("--take-over", help="Resume here a run that another machine began (USCDR_SHARED).")
    ] = False,
    send_again: Annotated[
        bool,
        typer.Option("--send-again", help="Send the change of unknown outcome again: you saw that it had no effect."),
    ] = False,
    without_shared: Annotated[
        bool,
        typer.Option("--without-shared", help="Resume while the shared state is unavailable: the team cannot see it."),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Resume an interrupted run. Check the provider first, and repeat no finished step."""
    from uscdr.commands import recover

    asked = recover.ResumeOptions(
        run, confirm, identity, take_over=take_over, without_shared=without_shared, send_again=send_again
    )
    targets, output = targets_and_output(context, as_json=as_json)
    raise typer.Exit(recover.resume(targets, output, asked))


def _look_around(output: Output) -> None:
    """Update the copies of other machines' runs, if state is shared; import nothing if it is not."""
    import os

    if os.environ.get("USCDR_SHARED"):
        from uscdr.commands.recover import look_around

        look_around(output)
