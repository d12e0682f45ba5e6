"""`uscdr runs`: the runs of this machine and of the team, from their journals. `list` imports little."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from uscdr.cli.manual import LOCAL, RUNS, manual
from uscdr.cli.options import SendNotices, options, targets_and_output

app = typer.Typer(no_args_is_help=True, help="List, show and resume runs, from their journals.")
RunArgument = Annotated[
    str | None, typer.Argument(metavar="[RUN]", help="Id of a run or its beginning; default: the newest run that fits.")
]


@app.command("list")
@manual(
    reads="The journals of this machine, and with USCDR_SHARED those of the team.",
    changes="Nothing.",
    examples=("runs list", "runs list --json"),
    exits=LOCAL,
    see=("runs show", "runs resume"),
)
def list_runs(context: typer.Context) -> None:
    """List every run, oldest first. With shared state, also list the runs of other machines."""
    from uscdr.commands.runs import show_runs

    show_runs(options(context).output())


@app.command()
@manual(
    reads="The journal of one run.",
    changes="Nothing.",
    examples=("runs show", "runs show RUN --json", "runs show RUN --follow"),
    exits=LOCAL | {130: "interrupted: the run goes on"},
    see=("runs report", "runs resume"),
)
def show(
    context: typer.Context,
    run: RunArgument = None,
    *,
    follow: Annotated[
        bool,
        typer.Option("--follow", help="Keep it up to date until the run ends. Ctrl-C ends this command, not the run."),
    ] = False,
) -> None:
    """Show where a run stands: every step, what it waits for, and the next command.

    With --follow, exit with the exit code of the run.
    """
    output = options(context).output()
    if follow:
        from uscdr.commands.follow import follow_run

        raise typer.Exit(follow_run(run, output))
    from uscdr.commands.runs import show_run

    show_run(run, output)


@app.command()
@manual(
    reads="The journal of one run.",
    changes="Nothing.",
    examples=("runs report", "runs report RUN --json", "runs report --times"),
    exits=LOCAL,
    see=("runs show", "incident report"),
)
def report(
    context: typer.Context,
    run: RunArgument = None,
    *,
    times: Annotated[
        bool, typer.Option("--times", help="Print only what the time was spent on: providers, this machine, a person.")
    ] = False,
) -> None:
    """Print the report of a run: Markdown, or JSON with --json."""
    from uscdr.commands.runs import report_run, times_of_run

    (times_of_run if times else report_run)(run, options(context).output())


@app.command()
@manual(
    reads="The journal of the run, and each provider that the run has to do with.",
    changes="What the rest of the run changes. A finished step is not repeated; a change of unknown outcome "
    "is looked for first.",
    examples=("runs resume", "runs resume RUN --take-over", "runs resume --confirm PHRASE"),
    exits=RUNS,
    see=("runs show", "runs list"),
)
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
    send_notices: SendNotices = False,
) -> None:
    """Resume an interrupted run. Check the provider first, and repeat no finished step."""
    from uscdr.commands import recover

    asked = recover.ResumeOptions(
        run, confirm, identity, take_over=take_over, without_shared=without_shared, send_again=send_again,
        send_notices=send_notices,
    )  # fmt: skip
    targets, output = targets_and_output(context)
    raise typer.Exit(recover.resume(targets, output, asked))
