"""`uscdr drill`: a disaster on the sandbox, recovered, timed and reported."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from uscdr.cli.options import options
from uscdr.commands.housekeeping import state

app = typer.Typer(no_args_is_help=True, help="Rehearse on a sandbox that is made for it and gone afterwards.")

KINDS = {
    "db": ("drop-table", "delete-rows", "truncate", "scramble-text", "wrong-data-load", "unreachable"),
    "app": ("bad-release", "crashed-web", "failing-release-phase", "lost-config", "missing-migration"),
    "media": ("deleted", "overwritten", "half-backed-up"),
    "infra": ("app-gone", "addon-gone"),
    "backups": ("stopped", "schedule-gone", "captures-fail"),
}
"""Damage that a recovery can end; what only a provider can end is no drill."""
Patients = Annotated[int, typer.Option(min=1, help="Synthetic patients.")]
Report = Annotated[Path, typer.Option(help="Directory for the reports, Markdown and JSON.")]
AsJson = Annotated[bool, typer.Option("--json", help="The report as JSON on stdout.")]
REPORTS = Path("reports")


def _how(scenario: str) -> typer.models.OptionInfo:
    option: typer.models.OptionInfo = typer.Option(help=f"What breaks: {', '.join(KINDS[scenario])}.")
    return option


@app.command()
def db(
    context: typer.Context,
    *,
    how: Annotated[str, _how("db")] = "drop-table",
    patients: Patients = 200,
    report: Report = REPORTS,
    as_json: AsJson = False,
) -> None:
    """The database is damaged: baseline, break, recover, verify, report."""
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
    """The application fails: a bad release, lost config, a missing migration."""
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
    """Media files are lost: from the service's own backup, and from a kit."""
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
    """Everything at the platform is lost: a new application from a kit."""
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
    """The schedule is gone and the last backup failed: schedule, capture, copy, prove."""
    _drill(context, "backups", how, patients, report, as_json=as_json)


def _drill(context: typer.Context, scenario: str, how: str, patients: int, report: Path, *, as_json: bool) -> None:
    from uscdr.drills.drill import drill
    from uscdr.drills.environment import DrillRequest
    from uscdr.errors import BadInput

    if how not in KINDS[scenario]:
        raise BadInput(f"“{how}” is no damage of this drill.", next_action=f"One of: {', '.join(KINDS[scenario])}.")
    given = options(context)
    output = given.output(json_lines=as_json)
    given.targets(output).loaded()  # a wrong one ends the drill before anything is started
    request = DrillRequest(how, patients, report, state(), given.config)
    raise typer.Exit(drill(scenario, request, output))
