"""`uscdr backup`: the platform's backups, and copies of them off the platform."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from uscdr.cli.manual import LOOKS, WRITES, manual
from uscdr.cli.monitored import monitored
from uscdr.cli.options import Scratch, targets_and_output
from uscdr.monitoring.observed import NEWEST_BACKUP, NEWEST_PROOF, RPO_MARGIN, RPO_MET, Observed

app = typer.Typer(no_args_is_help=True, help="List, capture, copy, prove and prune backups of the database.")
StoreOption = Annotated[
    str | None, typer.Option("--to", metavar="STORE", help="Store of the copies: a directory or a bucket.")
]
PassphraseOption = Annotated[
    Path | None,
    typer.Option(
        "--passphrase-file",
        metavar="FILE",
        help="File with the passphrase of the copies; or set $USCDR_VAULT_PASSPHRASE_FILE.",
    ),
]


@app.command("list")
@manual(
    reads="The backups on the platform, the copies in the store, and the proofs of both.",
    changes="Nothing.",
    examples=("backup list", "backup list --to s3://safe --json"),
    exits=LOOKS,
    see=("backup status", "backup prove", "recover db"),
)
def list_backups(context: typer.Context, *, to: StoreOption = None) -> None:
    """List every backup, on and off the platform. Show age, size, where it is, and how well it is proven."""
    from uscdr.commands import backup as backups

    targets, output = targets_and_output(context)
    backups.show(targets.find(lazily=True), output, to)


@app.command()
@monitored(NEWEST_BACKUP)
@manual(
    reads="The backups on the platform, and the proofs of those that it would drop.",
    changes="A new backup on the platform, which may then drop its oldest one.",
    examples=("backup capture", "backup capture --json"),
    exits=WRITES | {1: "refused: the platform would drop the newest proven backup"},
    see=("backup pull", "backup prove", "backup list"),
)
def capture(
    context: typer.Context,
    *,
    to: StoreOption = None,
    evict: Annotated[
        bool, typer.Option("--evict", help="Capture even if the platform then drops the newest proven backup.")
    ] = False,
    seen: Observed,
) -> None:
    """Capture a backup and wait until it is complete. Print its name on stdout."""
    from uscdr.commands import backup_schedule

    targets, output = targets_and_output(context)
    backup_schedule.capture(targets.find(), output, seen, to, evict=evict)


@app.command()
@monitored(NEWEST_BACKUP, NEWEST_PROOF, RPO_MARGIN)
@manual(
    reads="One backup on the platform.",
    changes="A new encrypted copy in the store.",
    examples=("backup pull", "backup pull --backup b012 --to s3://safe --recipient KEY"),
    exits=LOOKS | {1: "the backup is damaged"},
    see=("backup prove", "backup prune", "kit build"),
)
def pull(
    context: typer.Context,
    *,
    backup: Annotated[
        str, typer.Option(metavar="BACKUP", help="Name of the backup on the platform, such as b012, or newest.")
    ] = "newest",
    to: StoreOption = None,
    recipient: Annotated[
        list[str] | None, typer.Option(metavar="KEY", help="Public key, age1… or ssh-…; repeat for more.")
    ] = None,
    passphrase_file: PassphraseOption = None,
    seen: Observed,
) -> None:
    """Copy a backup off the platform, encrypted. Skip a backup that already has a copy."""
    from uscdr.commands import backup_copies

    wanted = backup_copies.PullOptions(backup, to, tuple(recipient or ()), passphrase_file)
    targets, output = targets_and_output(context)
    backup_copies.pull(targets.find(), output, wanted, seen)


@app.command()
@monitored(NEWEST_BACKUP, NEWEST_PROOF, RPO_MARGIN)
@manual(
    reads="A backup on the platform or a copy, the application's encryption key, and the invariants of scenarios.yaml.",
    changes="A private PostgreSQL on this machine, removed at the end. The proof is kept.",
    examples=("backup prove", "backup prove b011 b012 --identity key.txt"),
    exits=LOOKS | {1: "a grade is below “satisfies the invariants”"},
    see=("backup list", "recover db"),
)
def prove(
    context: typer.Context,
    backup: Annotated[
        list[str] | None,
        typer.Argument(metavar="[BACKUP]…", help="A backup such as b012, the id of a copy, or newest."),
    ] = None,
    *,
    to: StoreOption = None,
    identity: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Identity file: an age or SSH private key; or set $USCDR_AGE_IDENTITY."),
    ] = None,
    passphrase_file: PassphraseOption = None,
    kit: Annotated[
        str | None,
        typer.Option(metavar="KIT", help="Escape kit that has the encryption key, if the application is unavailable."),
    ] = None,
    scratch: Scratch = None,
    seen: Observed,
) -> None:
    """Restore a backup on this machine and grade it. Exit 1 if the grade is below “satisfies the invariants”."""
    from uscdr.commands import backup_copies

    wanted = backup_copies.ProveOptions(tuple(backup or ("newest",)), to, identity, passphrase_file, kit)
    targets, output = targets_and_output(context, scratch=scratch)
    raise typer.Exit(backup_copies.prove(targets.find(), output, wanted, seen))


@app.command()
@monitored(NEWEST_BACKUP, NEWEST_PROOF, RPO_MARGIN, RPO_MET)
@manual(
    reads="The backups on the platform, the copies and the proofs.",
    changes="Nothing.",
    examples=("backup status", "backup status --to s3://safe --json"),
    exits=LOOKS | {1: "the backups do not meet the RPO"},
    see=("backup list", "recover backups", "backup schedule"),
)
def status(context: typer.Context, *, to: StoreOption = None, seen: Observed) -> None:
    """Show whether the backups meet the RPO now. Exit 1 if they do not; run it from cron."""
    from uscdr.commands import backup as backups

    targets, output = targets_and_output(context)
    raise typer.Exit(backups.status(targets.find(lazily=True), output, to, seen))


@app.command()
@manual(
    reads="The backup schedules of the platform, and scenarios.yaml.",
    changes="Nothing. With --apply it creates the daily schedule if there is none.",
    examples=("backup schedule", "backup schedule --apply"),
    exits=WRITES | {1: "no daily backup is scheduled"},
    see=("backup status", "recover backups"),
)
def schedule(
    context: typer.Context,
    *,
    apply: Annotated[
        bool, typer.Option("--apply", help="Create the daily schedule of scenarios.yaml if there is none.")
    ] = False,
    to: StoreOption = None,
    install_from: Annotated[
        str | None,
        typer.Option(
            metavar="PATH|URL", help="Checkout, wheel or address for the workflow; default: where uscdr came from."
        ),
    ] = None,
) -> None:
    """Show the backup schedules of the platform. Print a cron line that meets the RPO. Exit 1 without a schedule."""
    from uscdr.commands import backup_schedule

    targets, output = targets_and_output(context)
    raise typer.Exit(backup_schedule.schedule(targets.find(), output, to, install_from, apply=apply))


@app.command()
@manual(
    reads="The copies in the store, their proofs, and the retention of scenarios.yaml.",
    changes="Nothing. With --confirm it removes copies, but never the newest proven one.",
    examples=("backup prune", "backup prune --confirm PHRASE"),
    exits=WRITES | {1: "a copy is damaged"},
    see=("backup list", "backup pull"),
)
def prune(
    context: typer.Context,
    *,
    to: StoreOption = None,
    confirm: Annotated[str | None, typer.Option(metavar="PHRASE", help="Phrase that the dry run prints.")] = None,
) -> None:
    """Show which copies retention removes. With --confirm, remove them, but never the newest proven copy."""
    from uscdr.commands import backup_copies

    targets, output = targets_and_output(context)
    backup_copies.prune(targets.find(), output, to, confirm)
