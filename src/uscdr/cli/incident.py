"""`uscdr incident`: what happened and when, who is told, what is left to do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from uscdr.cli.audience import IdentityOption
from uscdr.cli.audience import app as audience
from uscdr.cli.manual import LOCAL, LOOKS, manual
from uscdr.cli.monitored import monitored
from uscdr.cli.options import options, targets_and_output

if TYPE_CHECKING:
    from uscdr.ui.console import Output
    from uscdr.wiring.target import Target

app = typer.Typer(no_args_is_help=True, help="Record an outage, tell people in time, and follow it up.")
app.add_typer(audience, name="audience")

Id = Annotated[
    str | None,
    typer.Option("--incident", metavar="ID", help="Incident (a unique part of its id); default: the open one."),
]
IdArgument = Annotated[str | None, typer.Argument(metavar="[ID]", help="Incident; default: the open one.")]
Since = Annotated[
    str | None, typer.Option(metavar="TIME", help="When the outage began: 02:10 (UTC), 40m (ago) or ISO 8601.")
]
Severity = Annotated[str, typer.Option(metavar="SEVERITY", help="critical, major or minor.")]
Readers = Annotated[str | None, typer.Option("--to", metavar="READERS", help="Only to: internal or users.")]


def _target(context: typer.Context) -> tuple[Target, Output]:
    targets, output = targets_and_output(context)
    return replace(targets, remind=lambda _: None).find(), output  # the command itself says it


def _end(
    context: typer.Context, work: Callable[[Target, Output], int], *, looks: bool = False
) -> NoReturn:  # fmt: skip
    """Do the work of a command, then send what waits; exit with the code of the work.

    A command that `looks` at the incident does so after that.
    """
    from uscdr.commands.incident_notices import retry_waiting

    target, output = _target(context)
    if looks:
        retry_waiting(target, output)
    code = work(target, output)
    if not looks:
        retry_waiting(target, output)
    raise typer.Exit(code)


@app.command("open")
@manual(
    reads="The incidents of this target, and what must be ready: contacts, document, maintenance page.",
    changes="A new incident. Its clocks run from now on, and recoveries of the target belong to it.",
    examples=(
        'incident open --since 02:10 --what "the database is damaged" --severity critical',
        'incident open --what "sign-in fails" --severity major --lead Ada',
    ),
    exits=LOOKS,
    see=("incident status", "incident notify", "recover db"),
)
def open_(
    context: typer.Context,
    *,
    what: Annotated[str, typer.Option(metavar="TEXT", help="What happened, in one sentence.")],
    severity: Severity = "critical",
    since: Since = None,
    detected: Annotated[
        str | None, typer.Option(metavar="TIME", help="When somebody noticed it; default: now.")
    ] = None,
    lead: Annotated[str, typer.Option(metavar="NAME", help="Who leads the recovery.")] = "",
) -> None:
    """Open an incident. From now on its clocks run, and runs on the target belong to it."""
    from uscdr.commands import incident

    target, output = _target(context)
    asked = incident.OpenOptions(what, severity, since, detected, lead)
    raise typer.Exit(incident.open_incident(target, output, asked))


@app.command()
@manual(
    reads="The journal of the incident.",
    changes="Nothing. Notices that wait are sent first.",
    examples=("incident status", "incident status ID --json"),
    exits=LOOKS,
    see=("incident notify", "incident list"),
)
def status(context: typer.Context, incident: IdArgument = None) -> None:
    """Show an incident: clocks, notices that are due, doubts, actions, the last lines of its timeline."""
    from uscdr.commands.incident import show_incident

    _end(context, lambda target, output: show_incident(target, output, incident), looks=True)


@app.command()
@manual(
    reads="The journal of the incident.",
    changes="A line of the timeline. Notices that wait are sent.",
    examples=(
        'incident note "the platform confirms a failed disk"',
        'incident note "restarted the broker" --incident ID',
    ),
    exits=LOOKS,
    see=("incident update", "incident status"),
)
def note(
    context: typer.Context,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="One line, without keys and patients' data.")],
    *,
    incident: Id = None,
) -> None:
    """Add a line to the timeline."""
    from uscdr.commands.incident import note as write

    _end(context, lambda target, output: write(target, output, incident, text))


@app.command()
@manual(
    reads="The journal of the incident.",
    changes="What the incident says. Notices that wait are sent.",
    examples=("incident update --expected 03:25-03:40", 'incident update --down-again "errors again"'),
    exits=LOOKS,
    see=("incident notify", "incident note"),
)
def update(
    context: typer.Context,
    *,
    incident: Id = None,
    what: Annotated[str | None, typer.Option(metavar="TEXT", help="What happened, as it is known now.")] = None,
    severity: Annotated[str | None, typer.Option(metavar="SEVERITY", help="critical, major or minor.")] = None,
    since: Since = None,
    expected: Annotated[
        str | None, typer.Option(metavar="TIMES", help="When service is expected back: 03:25-03:40 (UTC) or 45m.")
    ] = None,
    lead: Annotated[str | None, typer.Option(metavar="NAME", help="Who leads the recovery from now on.")] = None,
    down_again: Annotated[
        str | None, typer.Option("--down-again", metavar="TEXT", help="Service is down again, and why.")
    ] = None,
) -> None:
    """Change what is known. To tell people: uscdr incident notify."""
    from uscdr.commands import incident as work

    asked = work.ChangeOptions(what, severity, since, expected, lead, down_again)
    _end(context, lambda target, output: work.change(target, output, incident, asked))


@app.command()
@manual(
    reads="The journal of the incident and the list of people.",
    changes="Messages to people. What became of each is kept.",
    examples=(
        "incident notify",
        "incident notify --to users --show",
        'incident notify --by-hand "called the head nurse"',
        "incident notify --stage update --send",
    ),
    exits=LOOKS | {3: "a message reached nobody", 4: "sending was not confirmed"},
    see=("incident settle", "incident audience list"),
)
def notify(
    context: typer.Context,
    *,
    incident: Id = None,
    to: Readers = None,
    stage: Annotated[
        str | None, typer.Option(metavar="STAGE", help="first, update or completion; default: what is due.")
    ] = None,
    message: Annotated[str, typer.Option(metavar="TEXT", help="A sentence of your own for the notice.")] = "",
    summary: Annotated[str, typer.Option(metavar="TEXT", help="What happened, in words for users.")] = "",
    by_hand: Annotated[
        str, typer.Option("--by-hand", metavar="HOW", help="Record that people were told otherwise, and how.")
    ] = "",
    identity: IdentityOption = None,
    show: Annotated[bool, typer.Option("--show", help="Show the text; send nothing.")] = False,
    send: Annotated[bool, typer.Option("--send", help="Send without asking.")] = False,
) -> None:
    """Show the notices that are due, ask, and send them. Retry those that a service did not accept."""
    from uscdr.commands import incident_notices as work

    asked = work.NotifyOptions(
        work.readers_of(to), work.stage_of(stage), message, summary, by_hand, send=send, show=show, identity=identity
    )
    raise typer.Exit(work.notify(*_target(context), incident, asked))


@app.command()
@manual(
    reads="The journal of the incident.",
    changes="The outcome of one message. One that did not arrive is sent again.",
    examples=("incident settle n1 chat sent", "incident settle n1 mail not-sent"),
    exits=LOOKS,
    see=("incident status", "incident notify"),
)
def settle(
    context: typer.Context,
    notice: Annotated[str, typer.Argument(metavar="NOTICE", help="Such as n1.")],
    channel: Annotated[str, typer.Argument(metavar="CHANNEL", help="As in scenarios.yaml.")],
    answer: Annotated[str, typer.Argument(metavar="ANSWER", help="sent or not-sent.")],
    *,
    incident: Id = None,
) -> None:
    """Say whether a message of unknown outcome arrived. One that did not is sent again by the next notify."""
    from uscdr.commands import incident_notices as work

    arrived = work.answer_of(answer)
    raise typer.Exit(work.settle(*_target(context), incident, notice, channel, arrived=arrived))


@app.command()
@manual(
    reads="The journals of the incident and of its runs.",
    changes="The incident is restored; its follow-ups become actions. Notices that wait are sent.",
    examples=("incident resolve", 'incident resolve --at 03:31 --summary "a failed disk"'),
    exits=LOOKS,
    see=("incident actions", "incident review", "incident close"),
)
def resolve(
    context: typer.Context,
    *,
    incident: Id = None,
    at: Annotated[
        str | None, typer.Option(metavar="TIME", help="When service was restored; default: as the runs say, or now.")
    ] = None,
    summary: Annotated[str, typer.Option(metavar="TEXT", help="What happened, in words for users.")] = "",
) -> None:
    """Record that service is restored. The follow-ups become actions with a time."""
    from uscdr.commands.incident import resolve as work

    _end(context, lambda target, output: work(target, output, incident, at, summary))


@app.command()
@manual(
    reads="The journal of the incident.",
    changes="With an option: the actions of the incident.",
    examples=(
        "incident actions",
        "incident actions --assign a3 --owner Ben",
        'incident actions --done a3 --evidence "run …"',
        'incident actions --add "Within a week: alert on failed backups" --owner Ada',
    ),
    exits=LOOKS,
    see=("incident review", "incident close"),
)
def actions(
    context: typer.Context,
    *,
    incident: Id = None,
    add: Annotated[str | None, typer.Option(metavar="TEXT", help="A new action; `Within 24 h: …` dates it.")] = None,
    done: Annotated[list[str] | None, typer.Option(metavar="ACTION", help="It is done; repeat for more.")] = None,
    drop: Annotated[
        list[str] | None, typer.Option(metavar="ACTION", help="It is not needed; needs --evidence; repeat for more.")
    ] = None,
    assign: Annotated[
        list[str] | None, typer.Option(metavar="ACTION", help="Change its owner or time; repeat for more.")
    ] = None,
    owner: Annotated[str | None, typer.Option(metavar="NAME", help="Who does it.")] = None,
    due: Annotated[str | None, typer.Option(metavar="TIME", help="Until when: 2026-12-05 or ISO 8601.")] = None,
    evidence: Annotated[str | None, typer.Option(metavar="TEXT", help="What shows it, or why it is dropped.")] = None,
) -> None:
    """List the follow-ups with owner, time and state, or change them."""
    from uscdr.commands import incident_review as work

    asked = work.ActionOptions(
        add, tuple(done or ()), tuple(drop or ()), tuple(assign or ()), owner, due, evidence
    )  # fmt: skip
    raise typer.Exit(work.actions(*_target(context), incident, asked))


@app.command()
@manual(
    reads="The journals of the incident and of its runs.",
    changes="The answers of the review.",
    examples=("incident review", 'incident review --answer root-cause="a failed disk"'),
    exits=LOOKS | {4: "a question was not answered"},
    see=("incident actions", "incident close", "incident report"),
)
def review(
    context: typer.Context,
    *,
    incident: Id = None,
    answer: Annotated[
        list[str] | None, typer.Option(metavar="ID=TEXT", help="Answer a question; repeat for more.")
    ] = None,
    waive: Annotated[
        list[str] | None, typer.Option(metavar="ID=REASON", help="Waive a question, and why; repeat for more.")
    ] = None,
    editor: Annotated[bool, typer.Option("--editor", help="Answer in your editor ($VISUAL or $EDITOR).")] = False,
) -> None:
    """Answer the questions of the review. At a terminal uscdr asks those that are open."""
    from uscdr.commands import incident_review as work

    asked = work.ReviewOptions(tuple(answer or ()), tuple(waive or ()), editor=editor)
    raise typer.Exit(work.review(*_target(context), incident, asked))


@app.command()
@monitored()
@manual(
    reads="The incidents of this target.",
    changes="Nothing. Notices that wait are sent first.",
    examples=("incident check", "incident check --json"),
    exits=LOOKS | {1: "a notice or an action is overdue, or a message is in doubt"},
    see=("incident status", "incident notify"),
)
def check(context: typer.Context) -> None:
    """Check for overdue notices and actions and for messages in doubt. Made for cron."""
    from uscdr.commands.incident import check as work

    _end(context, work, looks=True)


@app.command()
@manual(
    reads="The journal of the incident.",
    changes="The incident is closed.",
    examples=("incident close", "incident close --duplicate-of ID"),
    exits=LOOKS | {1: "something is still open"},
    see=("incident review", "incident actions", "incident report"),
)
def close(
    context: typer.Context,
    *,
    incident: Id = None,
    duplicate_of: Annotated[
        str | None, typer.Option("--duplicate-of", metavar="ID", help="Close it as a duplicate of another incident.")
    ] = None,
) -> None:
    """Close an incident. Refused, with a list, while something is open."""
    from uscdr.commands.incident import close as work

    raise typer.Exit(work(*_target(context), incident, duplicate_of))


@app.command()
@manual(
    reads="Every journal of the incident.",
    changes="Nothing. With --output it writes a file.",
    examples=("incident report", "incident report --output incident.html", "incident report ID --format json"),
    exits=LOOKS,
    see=("incident list", "runs report"),
)
def report(
    context: typer.Context,
    incident: IdArgument = None,
    *,
    form: Annotated[
        str | None,
        typer.Option("--format", metavar="FORMAT", help="markdown, json or html; default: by the file's name."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", metavar="FILE", help="Write the report to a file; default: stdout.")
    ] = None,
) -> None:
    """Make the report of an incident: times, notices, decisions, checks, actions, review, evidence.

    It checks every journal of the incident, and makes no report if one byte was changed. Without ID: the open
    incident, else the newest one. The report of an open incident is a draft.
    """
    from uscdr.commands import incident_report as work

    chosen = "json" if options(context).json_lines and form is None else form
    asked = work.ReportOptions(incident, chosen, output)
    raise typer.Exit(work.report(*_target(context), asked))


@app.command("list")
@manual(
    reads="The incidents on this machine, and with USCDR_SHARED those of the team.",
    changes="Nothing. With --output it writes a file.",
    examples=("incident list", "incident list --trend --output trend.html"),
    exits=LOCAL,
    see=("incident status", "incident report"),
)
def list_(
    context: typer.Context,
    *,
    trend: Annotated[
        bool, typer.Option("--trend", help="Show RTO and RPO over time, of incidents, drills and recoveries.")
    ] = False,
    output: Annotated[
        Path | None, typer.Option("--output", metavar="FILE", help="Also write the history to an HTML file (--trend).")
    ] = None,
) -> None:
    """List the incidents that this machine knows, or the history of their times."""
    shown = options(context).output()
    if trend:
        from uscdr.commands.incident_report import show_trend

        show_trend(shown, output)
        return
    from uscdr.commands.incident import show_incidents
    from uscdr.errors import BadInput

    if output is not None:
        raise BadInput("--output needs --trend.", next_action="Run: uscdr incident list --trend --output FILE")
    show_incidents(shown)
