"""`uscdr drill`: cause a disaster in a sandbox, recover it, and report times and losses."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from uscdr.cli.options import examples, options
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
REPORTS = Path("reports")


def _how(scenario: str) -> typer.models.OptionInfo:
    option: typer.models.OptionInfo = typer.Option(
        metavar="KIND", help=f"Kind of damage: {', '.join(KINDS[scenario])}."
    )
    return option


@app.command(epilog=examples("drill db", "drill db --how delete-rows --patients 50 --report reports"))
def db(
    context: typer.Context,
    *,
    how: Annotated[str, _how("db")] = "drop-table",
    patients: Patients = 200,
    report: Report = REPORTS,
    as_json: AsJson = False,
) -> None:
    """Damage the database and recover it. Compare it with its healthy state."""
    _drill(context, "db", how, patients, report, as_json=as_json)


@app.command("app")
def application(
    context: typer.Context,
    *,
    how: Annotated[str, _how("app")] = "bad-release",
    patients: Patients = 200,
    report: Report = REPORTS,
    as_json: AsJson = False,
) -> None:
    """Break the application and recover it. Compare the data with the healthy state."""
    _drill(context, "app", how, patients, report, as_json=as_json)


@app.command()
def media(
    context: typer.Context,
    *,
    how: Annotated[str, _how("media")] = "deleted",
    patients: Patients = 200,
    report: Report = REPORTS,
    as_json: AsJson = False,
) -> None:
    """Damage media files and restore them. Use the service's backup and a kit. Compare every file."""
    _drill(context, "media", how, patients, report, as_json=as_json)


@app.command()
def infra(
    context: typer.Context,
    *,
    how: Annotated[str, _how("infra")] = "app-gone",
    patients: Patients = 200,
    report: Report = REPORTS,
    as_json: AsJson = False,
) -> None:
    """Delete the application or its database. Rebuild it from a kit. Compare data and files."""
    _drill(context, "infra", how, patients, report, as_json=as_json)


@app.command()
def backups(
    context: typer.Context,
    *,
    how: Annotated[str, _how("backups")] = "stopped",
    patients: Patients = 200,
    report: Report = REPORTS,
    as_json: AsJson = False,
) -> None:
    """Stop the backups, then schedule, capture, copy and prove one."""
    _drill(context, "backups", how, patients, report, as_json=as_json)


def _drill(context: typer.Context, scenario: str, how: str, patients: int, report: Path, *, as_json: bool) -> None:
    from uscdr.drills.drill import drill
    from uscdr.drills.environment import DrillRequest
    from uscdr.errors import BadInput

    if how not in KINDS[scenario]:
        raise BadInput(
            f"The drill {scenario} does not know the damage “{how}”.",
            next_action=f"Pass --how with one of: {', '.join(KINDS[scenario])}.",
        )
    given = options(context)
    output = given.output(json_lines=as_json)
    given.targets(output).loaded()  # an invalid configuration ends the drill before it starts anything
    request = DrillRequest(how, patients, report, state(), given.config)
    raise typer.Exit(drill(scenario, request, output))
