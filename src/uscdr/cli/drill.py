"""`uscdr drill`: cause a disaster in a sandbox, recover it, and report times and losses."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand
from typing_extensions import override

from uscdr.cli.options import examples, targets_and_output
from uscdr.commands.housekeeping import state

app = typer.Typer(no_args_is_help=True, help="Rehearse a recovery in a sandbox of its own.")

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
AsJson = Annotated[bool, typer.Option("--json", help="Print the report as JSON on stdout.")]
Seed = Annotated[
    int | None,
    typer.Option(
        "--surprise", min=0, metavar="[SEED]",
        help="Make the sandbox misbehave during the recovery, and score what uscdr does. Without SEED: a random one.",
    ),
]  # fmt: skip
REPORTS = Path("reports")
SURPRISE, SEEDS = "--surprise", 10_000


class SeededCommand(TyperCommand):
    """A command whose `--surprise` may stand without a seed; then the seed is random."""

    @override
    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        following = [*args, ""][1:]
        seeded = [[one, str(secrets.randbelow(SEEDS))] if one == SURPRISE and not after.isdigit() else [one]
                  for one, after in zip(args, following, strict=True)]  # fmt: skip
        return super().parse_args(ctx, [word for words in seeded for word in words])


def _command(scenario: str, words: str, *sample: str) -> None:
    """Adds `uscdr drill SCENARIO`; `words` are its help. Its first kind of damage is the default."""
    kinds = KINDS[scenario]

    def run(
        context: typer.Context,
        *,
        how: str = typer.Option(kinds[0], metavar="KIND", help=f"Kind of damage: {', '.join(kinds)}."),
        patients: Patients = 200,
        report: Report = REPORTS,
        as_json: AsJson = False,
        surprise: Seed = None,
    ) -> None:
        _drill(context, scenario, how, patients, report, as_json=as_json, surprise=surprise)

    app.command(scenario, help=words, epilog=examples(*sample) if sample else None, cls=SeededCommand)(run)


_command(
    "db", "Damage the database and recover it. Compare it with its healthy state.",
    "drill db", "drill db --how delete-rows --patients 50 --report reports", "drill db --surprise 7",
)  # fmt: skip
_command("app", "Break the application and recover it. Compare the data with the healthy state.")
_command("media", "Damage media files and restore them. Use the service's backup and a kit. Compare every file.")
_command("infra", "Delete the application or its database. Rebuild it from a kit. Compare data and files.")
_command("backups", "Stop the backups, then schedule, capture, copy and prove one.")


def _drill(
    context: typer.Context, scenario: str, how: str, patients: int, report: Path, *, as_json: bool, surprise: int | None
) -> None:  # fmt: skip
    from uscdr.drills.drill import drill
    from uscdr.drills.environment import DrillRequest
    from uscdr.errors import BadInput

    if how not in KINDS[scenario]:
        raise BadInput(
            f"The drill {scenario} does not know the damage “{how}”.",
            next_action=f"Pass --how with one of: {', '.join(KINDS[scenario])}.",
        )
    targets, output = targets_and_output(context, as_json=as_json)
    targets.loaded()  # an invalid configuration ends the drill before it starts anything
    request = DrillRequest(how, patients, report, state(), targets.config, surprise)
    raise typer.Exit(drill(scenario, request, output))
