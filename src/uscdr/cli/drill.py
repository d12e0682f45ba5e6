"""`uscdr drill`: cause a disaster in a sandbox, recover it, report times and losses; the calendar of exercises."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typing_extensions import override

from uscdr.cli.command import Command
from uscdr.cli.manual import LOCAL, LOOKS, RUNS, manual
from uscdr.cli.monitored import monitored
from uscdr.cli.options import targets_and_output
from uscdr.commands.housekeeping import state

if TYPE_CHECKING:
    from uscdr.drills.own_data import OwnRequest

app = typer.Typer(
    no_args_is_help=True, help="Rehearse a recovery in a sandbox of its own, and keep the calendar of exercises."
)

KINDS = {
    "db": ("drop-table", "delete-rows", "truncate", "scramble-text", "wrong-data-load", "unreachable"),
    "app": ("bad-release", "crashed-web", "failing-release-phase", "lost-config", "missing-migration"),
    "media": ("deleted", "overwritten", "half-backed-up"),
    "infra": ("app-gone", "addon-gone"),
    "backups": ("stopped", "schedule-gone", "captures-fail"),
}
"""Kinds of damage that a recovery can repair. A failure that only the provider can repair is not a drill."""
Patients = Annotated[int, typer.Option(min=1, metavar="NUMBER", help="Number of synthetic patients.")]
Report = Annotated[Path, typer.Option(metavar="DIR", help="Directory for the reports (Markdown and JSON).")]
Seed = Annotated[
    int | None,
    typer.Option(
        "--surprise", min=0, metavar="[SEED]",
        help="Make the sandbox misbehave during the recovery, and score what uscdr does. Without SEED: a random one.",
    ),
]  # fmt: skip
REPORTS = Path("reports")
_FROM = "Use a masked copy of your own database: vault:newest, vault:BACKUP, kit:newest or kit:KIT."
_SOURCE = "Your application's code: a directory, or a Git repository. Default: app.source of scenarios.yaml."
_PYTHON = "Interpreter that has your application's requirements."
_IDENTITY = "File with the private key that decrypts the copy."
_PASSPHRASE = "File with the passphrase that decrypts the copy."  # noqa: S105 - a help text
_ENV_FILE = "File with NAME=value lines for your application's settings. Secrets and addresses are replaced."
SURPRISE, SEEDS = "--surprise", 10_000


class SeededCommand(Command):
    """A command whose `--surprise` may stand without a seed; then the seed is random."""

    @override
    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        following = [*args, ""][1:]
        seeded = [[one, str(secrets.randbelow(SEEDS))] if one == SURPRISE and not after.isdigit() else [one]
                  for one, after in zip(args, following, strict=True)]  # fmt: skip
        return super().parse_args(ctx, [word for words in seeded for word in words])


def _command(scenario: str, words: str, *samples: str) -> None:
    """Adds `uscdr drill SCENARIO`; `words` are its help. Its first kind of damage is the default."""
    kinds, hidden = KINDS[scenario], scenario != "db"

    @manual(
        reads="scenarios.yaml. With --from also a copy of your own database.",
        changes="Starts and removes a sandbox on this machine. Writes the reports and a record of the drill.",
        examples=samples,
        exits=RUNS | {1: "the recovery is not as it should be, or the data differ"},
        see=(f"recover {scenario}", "drill due", "drill list"),
    )
    def run(
        context: typer.Context,
        *,
        how: str = typer.Option(kinds[0], metavar="KIND", help=f"Kind of damage: {', '.join(kinds)}."),
        patients: Patients = 200,
        report: Report = REPORTS,
        surprise: Seed = None,
        copy: str = typer.Option("", "--from", metavar="COPY", hidden=hidden, help=_FROM),
        source: str = typer.Option("", metavar="DIR|GIT", hidden=hidden, help=_SOURCE),
        python: str = typer.Option("", metavar="PATH", hidden=hidden, help=_PYTHON),
        identity: str = typer.Option("", metavar="FILE", hidden=hidden, help=_IDENTITY),
        passphrase_file: str = typer.Option("", metavar="FILE", hidden=hidden, help=_PASSPHRASE),
        env_file: str = typer.Option("", metavar="FILE", hidden=hidden, help=_ENV_FILE),
    ) -> None:
        own = _own(context, scenario, copy, (source, python, identity, passphrase_file, env_file))
        _drill(context, scenario, how, patients, report, surprise=surprise, own=own)

    app.command(scenario, help=words, cls=SeededCommand)(run)


_command(
    "db", "Damage the database and recover it. Compare it with its healthy state.",
    "drill db", "drill db --how delete-rows --patients 50 --report reports", "drill db --surprise 7",
    "drill db --from vault:newest --identity ~/.config/uscdr/identity.txt --python app-venv/bin/python",
)  # fmt: skip
_command(
    "app", "Break the application and recover it. Compare the data with the healthy state.",
    "drill app", "drill app --how missing-migration --report reports",
)  # fmt: skip
_command(
    "media", "Damage media files and restore them. Use the service's backup and a kit. Compare every file.",
    "drill media", "drill media --how overwritten --patients 50",
)  # fmt: skip
_command(
    "infra", "Delete the application or its database. Rebuild it from a kit. Compare data and files.",
    "drill infra", "drill infra --how addon-gone --surprise",
)  # fmt: skip
_command(
    "backups", "Stop the backups, then schedule, capture, copy and prove one.",
    "drill backups", "drill backups --how captures-fail",
)  # fmt: skip


@app.command()
@monitored()
@manual(
    reads="scenarios.yaml, the records in the state directory, and the proofs in the store of copies.",
    changes="Nothing. With --ics it writes a file.",
    examples=("drill due", "drill due --ics exercises.ics", "drill due --json"),
    exits=LOOKS | {1: "something is overdue, or a record is damaged"},
    see=("drill list", "drill record"),
)
def due(
    context: typer.Context,
    *,
    ics: Annotated[
        Path | None, typer.Option("--ics", metavar="FILE", help="Also write the calendar as an iCalendar file.")
    ] = None,
) -> None:
    """Show which exercises, reviews and supplies are done, due, stale or overdue. Exit 1 if one is overdue.

    It reads scenarios.yaml, the records in the state directory and the proofs in the store of copies.
    """
    from uscdr.commands import exercises

    targets, output = targets_and_output(context)
    raise typer.Exit(exercises.due(targets, output, ics))


@app.command("comms")
@manual(
    reads="scenarios.yaml and the list of people whom an incident tells.",
    changes="Files with the messages, and a record in the state directory. With --send messages to people, "
    "marked as a drill.",
    examples=("drill comms", 'drill comms --ack "Ada Reyes=4" --ack "Ben Cruz=9"', "drill comms --send"),
    exits=LOOKS | {4: "sending was not confirmed"},
    see=("incident notify", "incident audience list"),
)
def communication(
    context: typer.Context,
    *,
    ack: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME[=MINUTES]", help="A contact who acknowledged the notice; repeat for more."),
    ] = None,
    send: Annotated[
        bool, typer.Option("--send", help="Send the messages, marked as a drill, over the channels of the target.")
    ] = False,
    identity: Annotated[
        Path | None,
        typer.Option(envvar="USCDR_AGE_IDENTITY", metavar="FILE", help="Identity file that opens the recipients."),
    ] = None,
) -> None:
    """Rehearse the notices of an incident. Record who acknowledged them, and when.

    Without --send the messages go into files and to channels on this machine: tell people by telephone.
    """
    from uscdr.commands.drill_comms import CommsOptions, rehearse

    targets, output = targets_and_output(context)
    raise typer.Exit(rehearse(targets.find(), output, CommsOptions(tuple(ack or ()), send, identity)))


@app.command("list")
@manual(
    reads="The records in the state directory, and with USCDR_SHARED those of the team.",
    changes="Nothing.",
    examples=("drill list", "drill list --json"),
    exits=LOCAL | {1: "a record is damaged"},
    see=("drill due", "drill record"),
)
def list_records(context: typer.Context) -> None:
    """List the recorded drills and what people recorded, oldest first. Exit 1 if a record is damaged."""
    from uscdr.commands import exercises

    _, output = targets_and_output(context)
    raise typer.Exit(exercises.show_records(output))


@app.command()
@manual(
    reads="scenarios.yaml and the evidence files.",
    changes="A new record in the state directory.",
    examples=(
        'drill record contacts-review --by "Ada Reyes"',
        'drill record staff-training --by "Ada Reyes" --attendee "Ben Cruz" --attendee "Cora Lim"',
        'drill record third-party-recovery --by "Ada Reyes" --on 2026-11-20 --evidence report.pdf',
    ),
    exits=LOCAL,
    see=("drill due", "drill list"),
)
def record(
    context: typer.Context,
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="Exercise or supply of scenarios.yaml, or document-approval.")
    ],
    *,
    by: Annotated[str, typer.Option(metavar="WHO", help="Name of the person who did it.")],
    on: Annotated[str | None, typer.Option(metavar="DATE", help="Day it was done, YYYY-MM-DD; default: today.")] = None,
    note: Annotated[str, typer.Option(metavar="TEXT", help="A note; no secrets, no patients' data.")] = "",
    attendee: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Person who took part; repeat for more.")
    ] = None,
    evidence: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TEXT|FILE", help="A file, of which the SHA-256 is kept, or a text such as an address; repeat."
        ),
    ] = None,
) -> None:
    """Record a review, a training, an approval or a supply that is at hand. Drills and proofs record themselves."""
    from uscdr.commands import exercises
    from uscdr.exercises.attest import Attestation

    targets, output = targets_and_output(context)
    given = Attestation(name, by, on, note, tuple(attendee or ()), tuple(evidence or ()))
    exercises.record(targets, output, given)


def _own(
    context: typer.Context, scenario: str, copy: str,
    more: tuple[str, ...],
) -> OwnRequest | None:  # fmt: skip
    """What is said of the operator's own data and code; None for a drill with the clinic's. Raises BadInput."""
    from uscdr.cli.options import options
    from uscdr.errors import BadInput

    if (copy or any(more)) and (scenario != "db" or not copy):
        raise BadInput(
            "Options on your own data and code are for a drill of the database with --from.",
            next_action="uscdr drill db --from vault:newest --identity FILE --source DIR --python PATH",
        )
    if not copy:
        return None
    from uscdr.drills.own_data import OwnRequest

    source, *named = more
    python, identity, passphrase_file, env_file = (Path(one) if one else None for one in named)
    target = options(context).target
    return OwnRequest(copy, source or None, python, identity, passphrase_file, env_file, target)


def _drill(
    context: typer.Context, scenario: str, how: str, patients: int, report: Path, *,
    surprise: int | None, own: OwnRequest | None,
) -> None:  # fmt: skip
    from uscdr.drills.drill import drill
    from uscdr.drills.environment import DrillRequest
    from uscdr.errors import BadInput

    if how not in KINDS[scenario]:
        raise BadInput(
            f"The drill {scenario} does not know the damage “{how}”.",
            next_action=f"Pass --how with one of: {', '.join(KINDS[scenario])}.",
        )
    targets, output = targets_and_output(context)
    targets.loaded()  # an invalid configuration ends the drill before it starts anything
    request = DrillRequest(how, patients, report, state(), targets.config, surprise, own)
    raise typer.Exit(drill(scenario, request, output))
