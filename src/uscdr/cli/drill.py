"""`uscdr drill`: cause a disaster in a sandbox, recover it, and report times and losses."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from uscdr.cli.options import examples, targets_and_output
from uscdr.commands.housekeeping import state

if TYPE_CHECKING:
    from uscdr.drills.own_data import OwnRequest

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
_FROM = "Use a masked copy of your own database: vault:newest, vault:BACKUP, kit:newest or kit:KIT."
_SOURCE = "Your application's code: a directory, or a Git repository. Default: app.source of scenarios.yaml."
_PYTHON = "Interpreter that has your application's requirements."
_IDENTITY = "File with the private key that decrypts the copy."
_PASSPHRASE = "File with the passphrase that decrypts the copy."  # noqa: S105 - a help text
_ENV_FILE = "File with NAME=value lines for your application's settings. Secrets and addresses are replaced."


def _command(scenario: str, words: str, *sample: str) -> None:
    """Adds `uscdr drill SCENARIO`; `words` are its help. Its first kind of damage is the default."""
    kinds, hidden = KINDS[scenario], scenario != "db"

    def run(
        context: typer.Context,
        *,
        how: str = typer.Option(kinds[0], metavar="KIND", help=f"Kind of damage: {', '.join(kinds)}."),
        patients: Patients = 200,
        report: Report = REPORTS,
        as_json: AsJson = False,
        copy: str = typer.Option("", "--from", metavar="COPY", hidden=hidden, help=_FROM),
        source: str = typer.Option("", metavar="DIR|GIT", hidden=hidden, help=_SOURCE),
        python: str = typer.Option("", metavar="PATH", hidden=hidden, help=_PYTHON),
        identity: str = typer.Option("", metavar="FILE", hidden=hidden, help=_IDENTITY),
        passphrase_file: str = typer.Option("", metavar="FILE", hidden=hidden, help=_PASSPHRASE),
        env_file: str = typer.Option("", metavar="FILE", hidden=hidden, help=_ENV_FILE),
    ) -> None:
        own = _own(context, scenario, copy, (source, python, identity, passphrase_file, env_file))
        _drill(context, scenario, how, patients, report, as_json=as_json, own=own)

    app.command(scenario, help=words, epilog=examples(*sample) if sample else None)(run)


_command(
    "db", "Damage the database and recover it. Compare it with its healthy state.",
    "drill db", "drill db --how delete-rows --patients 50 --report reports",
    "drill db --from vault:newest --identity ~/.config/uscdr/identity.txt --python app-venv/bin/python",
)  # fmt: skip
_command("app", "Break the application and recover it. Compare the data with the healthy state.")
_command("media", "Damage media files and restore them. Use the service's backup and a kit. Compare every file.")
_command("infra", "Delete the application or its database. Rebuild it from a kit. Compare data and files.")
_command("backups", "Stop the backups, then schedule, capture, copy and prove one.")


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
    context: typer.Context, scenario: str, how: str, patients: int, report: Path, *, as_json: bool,
    own: OwnRequest | None,
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
    request = DrillRequest(how, patients, report, state(), targets.config, own)
    raise typer.Exit(drill(scenario, request, output))
