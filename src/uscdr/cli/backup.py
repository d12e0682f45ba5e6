"""`uscdr backup`: the platform's backups, and proven copies of them off the platform."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from uscdr.cli.options import Scratch, options

app = typer.Typer(no_args_is_help=True, help="Backups of the database, on the platform and off it.")
JsonOption = Annotated[bool, typer.Option("--json", help="JSON lines on stdout.")]
PlaceOption = Annotated[str | None, typer.Option("--to", help="Where copies are kept: a directory or a bucket.")]
PassphraseOption = Annotated[
    Path | None,
    typer.Option("--passphrase-file", help="File with a passphrase for copies; $USCDR_VAULT_PASSPHRASE_FILE."),
]


@app.command("list")
def list_backups(context: typer.Context, *, to: PlaceOption = None, as_json: JsonOption = False) -> None:
    """Every backup, on the platform and off it: age, size, where, and how far it can be relied on."""
    from uscdr.commands import backup as backups

    given = options(context)
    output = given.output(json_lines=as_json)
    backups.show(given.targets(output).find(lazily=True), output, to)


@app.command()
def capture(
    context: typer.Context,
    *,
    to: PlaceOption = None,
    evict: Annotated[
        bool, typer.Option("--evict", help="Even if the platform then drops the newest proven backup.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Make a backup now and wait for its end; its name on stdout."""
    from uscdr.commands import backup_schedule

    given = options(context)
    output = given.output(json_lines=as_json)
    backup_schedule.capture(given.targets(output).find(), output, to, evict=evict)


@app.command()
def pull(
    context: typer.Context,
    *,
    backup: Annotated[str, typer.Option(help="The platform's name, b012, or newest.")] = "newest",
    to: PlaceOption = None,
    recipient: Annotated[list[str] | None, typer.Option(help="age1… or ssh-… public key; repeat for more.")] = None,
    passphrase_file: PassphraseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Copy a backup off the platform, encrypted on the way; one that is there already is left alone."""
    from uscdr.commands import backup_copies

    wanted = backup_copies.PullOptions(backup, to, tuple(recipient or ()), passphrase_file)
    given = options(context)
    output = given.output(json_lines=as_json)
    backup_copies.pull(given.targets(output).find(), output, wanted)


@app.command()
def prove(
    context: typer.Context,
    backup: Annotated[
        list[str] | None, typer.Argument(metavar="[BACKUP]…", help="b012, the id of a copy, or newest.")
    ] = None,
    *,
    to: PlaceOption = None,
    identity: Annotated[
        Path | None, typer.Option(help="File with an age or SSH private key; $USCDR_AGE_IDENTITY.")
    ] = None,
    passphrase_file: PassphraseOption = None,
    kit: Annotated[str | None, typer.Option(help="Escape kit to take the key from if the app cannot be asked.")] = None,
    scratch: Scratch = None,
    as_json: JsonOption = False,
) -> None:
    """Restore a backup on this machine and see what it is worth. Exit 1 below “satisfies the invariants”."""
    from uscdr.commands import backup_copies

    wanted = backup_copies.ProveOptions(tuple(backup or ("newest",)), to, identity, passphrase_file, kit)
    given = options(context)
    output = given.output(json_lines=as_json)
    raise typer.Exit(backup_copies.prove(given.targets(output, scratch).find(), output, wanted))


@app.command()
def status(context: typer.Context, *, to: PlaceOption = None, as_json: JsonOption = False) -> None:
    """Is the RPO met, and would it be if the database were lost now? Exit 1 when not; fit for cron."""
    from uscdr.commands import backup as backups

    given = options(context)
    output = given.output(json_lines=as_json)
    raise typer.Exit(backups.status(given.targets(output).find(lazily=True), output, to))


@app.command()
def schedule(
    context: typer.Context,
    *,
    apply: Annotated[bool, typer.Option("--apply", help="Create the daily one of scenarios.yaml if missing.")] = False,
    to: PlaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """The platform's daily schedules, and what runs captures often enough. Exit 1 when none is scheduled."""
    from uscdr.commands import backup_schedule

    given = options(context)
    output = given.output(json_lines=as_json)
    raise typer.Exit(backup_schedule.schedule(given.targets(output).find(), output, to, apply=apply))


@app.command()
def prune(
    context: typer.Context,
    *,
    to: PlaceOption = None,
    confirm: Annotated[str | None, typer.Option(help="The phrase that the dry run prints.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Show which copies retention would remove; with the phrase, remove them. Never the newest proven one."""
    from uscdr.commands import backup_copies

    given = options(context)
    output = given.output(json_lines=as_json)
    backup_copies.prune(given.targets(output).find(), output, to, confirm)
