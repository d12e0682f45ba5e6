"""`uscdr recover`: carry a scenario of the runbook out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from uscdr.cli.options import Scratch, options

if TYPE_CHECKING:
    from uscdr.scenarios.adapters import Request

app = typer.Typer(no_args_is_help=True, help="Recover, after a plan and a typed confirmation.")

DryRun = Annotated[bool, typer.Option("--dry-run", help="Look, prove and plan; change nothing.")]
Confirm = Annotated[str | None, typer.Option(help="The phrase that the dry run prints.")]
New = Annotated[bool, typer.Option("--new", help="Begin although an earlier run is not finished.")]
AsJson = Annotated[bool, typer.Option("--json", help="Events as JSON lines on stdout.")]
Ref = Annotated[str | None, typer.Option(help="Branch, tag or commit to deploy; default: app.source.ref.")]
Kit = Annotated[str | None, typer.Option(help="Escape kit: its id, `newest`, or PLACE:ID.")]
IdentityFile = Annotated[
    Path | None, typer.Option("--identity", envvar="USCDR_AGE_IDENTITY", help="File with the kit's private key.")
]
Backup = Annotated[str | None, typer.Option(help="b001, a002, …; default: the newest good one.")]


@app.command()
def db(
    context: typer.Context,
    *,
    backup: Backup = None,
    dry_run: DryRun = False,
    confirm: Confirm = None,
    without_safety_capture: Annotated[
        bool, typer.Option("--without-safety-capture", help="Do not keep the damaged state.")
    ] = False,
    give_access_back: Annotated[
        bool, typer.Option("--give-access-back", help="Leave access as the backup has it, even if withdrawn since.")
    ] = False,
    scratch: Scratch = None,
    new: New = False,
    as_json: AsJson = False,
) -> None:
    """Database corruption or loss: restore a proven backup."""
    from uscdr.scenarios.adapters import Request

    request = Request(
        "db", backup, safety_capture=not without_safety_capture, give_access_back=give_access_back, anew=new
    )
    carry_out(context, request, confirm=confirm, dry_run=dry_run, as_json=as_json, scratch=scratch)


@app.command("app")
def application(
    context: typer.Context,
    *,
    release: Annotated[str | None, typer.Option(help="Roll back to this release, v12; default: judged.")] = None,
    ref: Ref = None,
    dry_run: DryRun = False,
    confirm: Confirm = None,
    new: New = False,
    as_json: AsJson = False,
) -> None:
    """Application failure: roll back, migrate, or deploy from source."""
    from uscdr.scenarios.adapters import Request

    request = Request("app", release=release, ref=ref, anew=new)
    carry_out(context, request, confirm=confirm, dry_run=dry_run, as_json=as_json)


@app.command()
def media(
    context: typer.Context,
    *,
    files: Annotated[Path | None, typer.Option("--from", help="Folder with copies of the files.")] = None,
    cloud: Annotated[str | None, typer.Option(help="Put everything into this other cloud.")] = None,
    replaced_since: Annotated[
        str | None, typer.Option(help="Files replaced since then, 2026-11-23T10:00Z, are damaged.")
    ] = None,
    accept_replaced: Annotated[
        bool, typer.Option("--accept-replaced", help="Replaced files that nothing judges are right.")
    ] = False,
    kit: Kit = None,
    identity: IdentityFile = None,
    dry_run: DryRun = False,
    confirm: Confirm = None,
    new: New = False,
    as_json: AsJson = False,
) -> None:
    """Media files lost: from Cloudinary's own backup, else from a kit or a folder."""
    from uscdr.scenarios.adapters import Request
    from uscdr.settings import user_path

    folder = str(user_path(files).absolute()) if files else None
    request = Request(
        "media", cloud=cloud, files=folder, kit=kit, anew=new,
        replaced_since=replaced_since, accept_replaced=accept_replaced,
    )  # fmt: skip
    carry_out(context, request, confirm=confirm, dry_run=dry_run, as_json=as_json, identity=identity)


@app.command()
def infra(
    context: typer.Context,
    *,
    app_name: Annotated[
        str | None, typer.Option("--app", help="Name of the new application; default: recovery.app.")
    ] = None,
    in_place: Annotated[
        bool, typer.Option("--in-place-if-possible", help="Rebuild in the old application if it still exists.")
    ] = False,
    backup: Backup = None,
    ref: Ref = None,
    kit: Kit = None,
    identity: IdentityFile = None,
    scratch: Scratch = None,
    dry_run: DryRun = False,
    confirm: Confirm = None,
    new: New = False,
    as_json: AsJson = False,
) -> None:
    """Everything lost: a new application from the old one's facts or from a kit."""
    from uscdr.commands import recover as conduct
    from uscdr.scenarios.adapters import Request

    given = options(context)
    output = given.output()
    name = conduct.new_application(given.targets(output).find(), output, app_name, in_place=in_place)
    request = Request("infra", backup, ref=ref, app=name, kit=kit, anew=new)
    carry_out(context, request, confirm=confirm, dry_run=dry_run, as_json=as_json, identity=identity, scratch=scratch)


@app.command()
def backups(
    context: typer.Context,
    *,
    to: Annotated[str | None, typer.Option(help="Where copies are kept: a directory or a bucket.")] = None,
    recipient: Annotated[list[str] | None, typer.Option(help="age1… or ssh-… public key; repeat for more.")] = None,
    identity: IdentityFile = None,
    evict: Annotated[
        bool, typer.Option("--evict", help="Even if the platform then drops the newest proven backup.")
    ] = False,
    dry_run: DryRun = False,
    confirm: Confirm = None,
    new: New = False,
    as_json: AsJson = False,
) -> None:
    """Backups fail, or are not scheduled: schedule, capture, copy, prove by a restore, judge the RPO."""
    from uscdr.commands.recover import lasting
    from uscdr.scenarios.adapters import Request

    place, readers = lasting(to, tuple(recipient or ()))
    request = Request("backups", to=place, recipients=readers, evict=evict, anew=new)
    carry_out(context, request, confirm=confirm, dry_run=dry_run, as_json=as_json, identity=identity)


def carry_out(
    context: typer.Context,
    request: Request,
    *,
    confirm: str | None,
    dry_run: bool,
    as_json: bool,
    identity: Path | None = None,
    scratch: str | None = None,
) -> None:
    """Run it and leave with its exit code."""
    from uscdr.commands import recover as conduct

    asked = conduct.RecoverOptions(request, confirm=confirm, dry_run=dry_run, identity=identity)
    given = options(context)
    output = given.output(json_lines=as_json)
    raise typer.Exit(conduct.recover(given.targets(output, scratch).find(), output, asked))
