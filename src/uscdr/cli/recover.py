"""`uscdr recover`: run a scenario of the runbook."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from uscdr.cli.manual import RUNS, manual
from uscdr.cli.options import Command, Scratch, SendNotices, targets_and_output, with_options

if TYPE_CHECKING:
    from uscdr.scenarios.adapters import Request
    from uscdr.ui.console import Output
    from uscdr.wiring.targets import Targets

app = typer.Typer(no_args_is_help=True, help="Plan a recovery, ask for confirmation, and recover.")

DryRun = Annotated[bool, typer.Option("--dry-run", help="Check, prove and plan; change nothing.")]
Confirm = Annotated[str | None, typer.Option(metavar="PHRASE", help="Phrase that the dry run prints.")]
New = Annotated[bool, typer.Option("--new", help="Start a new run although an earlier run is not finished.")]
Since = Annotated[
    str | None,
    typer.Option(
        metavar="TIME", help="When the outage began (UTC): 02:10, 40m ago or ISO 8601; the RTO counts from it."
    ),
]
Ref = Annotated[
    str | None, typer.Option(metavar="REF", help="Branch, tag or commit to deploy; default: app.source.ref.")
]
Kit = Annotated[str | None, typer.Option(metavar="KIT", help="Escape kit: its id, `newest`, or STORE:ID.")]
IdentityFile = Annotated[
    Path | None,
    typer.Option(
        "--identity", envvar="USCDR_AGE_IDENTITY", metavar="FILE", help="Identity file: the kit's private key."
    ),
]
Files = Annotated[Path | None, typer.Option("--from", metavar="DIR", help="Directory with copies of the files.")]
Cloud = Annotated[str | None, typer.Option(metavar="CLOUD", help="Restore all files into this other cloud.")]
ReplacedSince = Annotated[
    str | None,
    typer.Option(metavar="TIME", help="Treat files replaced since this time, such as 2026-11-23T10:00Z, as damaged."),
]
AcceptReplaced = Annotated[
    bool, typer.Option("--accept-replaced", help="Accept replaced files that uscdr cannot compare with a copy.")
]
Backup = Annotated[
    str | None, typer.Option(metavar="BACKUP", help="Backup such as b001 or a002; default: the newest usable one.")
]


@dataclass(frozen=True)
class _PlanFiles:
    """Where a dry run saves its plan, and the saved plan to carry out."""

    save: Path | None = None
    use: Path | None = None


_KEPT = "uscdr.plan_files"
"""The key of the plan files among the context's values."""
_OPTIONS = (
    (
        "save_plan",
        Annotated[Path | None, typer.Option(metavar="FILE", help="Dry run that saves its plan in a new file.")],
    ),
    (
        "plan",
        Annotated[Path | None, typer.Option(metavar="FILE", help="Carry out this saved plan exactly, or refuse.")],
    ),
)


def planned(command: Command) -> Command:
    """Give a command `--save-plan` and `--plan`; `carry_out` reads them."""

    @wraps(command)
    def run(context: typer.Context, *, save_plan: Path | None, plan: Path | None, **given: object) -> None:
        context.meta[_KEPT] = _PlanFiles(save_plan, plan)
        command(context, **given)

    return with_options(run, inspect.signature(command, eval_str=True).parameters.values(), _OPTIONS)


def _plan_files(context: typer.Context) -> _PlanFiles:
    found = context.meta.get(_KEPT)
    return found if isinstance(found, _PlanFiles) else _PlanFiles()


@app.command()
@planned
@manual(
    reads="Heroku, the live database, the backups on the platform and in the store of copies, and their proofs.",
    changes="Nothing before you confirm, and nothing with --dry-run. Then it enables maintenance mode, stops "
    "all processes, captures the damaged database, replaces it with the backup, applies migrations "
    "and starts the application.",
    examples=(
        "recover db --dry-run",
        "recover db --backup b001",
        "recover db --backup b001 --confirm PHRASE --since 02:10",
    ),
    exits=RUNS,
    see=("backup list", "runs resume", "verify"),
)
def db(
    context: typer.Context,
    *,
    backup: Backup = None,
    dry_run: DryRun = False,
    confirm: Confirm = None,
    without_safety_capture: Annotated[
        bool, typer.Option("--without-safety-capture", help="Do not capture the damaged database before the restore.")
    ] = False,
    give_access_back: Annotated[
        bool, typer.Option("--give-access-back", help="Keep access as in the backup, even if it was revoked since.")
    ] = False,
    scratch: Scratch = None,
    since: Since = None,
    send_notices: SendNotices = False,
    new: New = False,
) -> None:
    """Restore a proven backup after database corruption or loss."""
    from uscdr.scenarios.adapters import Request

    request = Request(
        "db", backup, safety_capture=not without_safety_capture, give_access_back=give_access_back, since=since,
        anew=new,
    )  # fmt: skip
    carry_out(context, request, confirm=confirm, dry_run=dry_run, scratch=scratch, send_notices=send_notices)


@app.command("app")
@planned
@manual(
    reads="Heroku (releases, processes, logs), the migrations of the code and of the database.",
    changes="Nothing before you confirm, and nothing with --dry-run. Then it rolls back or deploys a "
    "release, applies migrations and restarts the processes.",
    examples=("recover app --dry-run", "recover app --release v12", "recover app --ref main --confirm PHRASE"),
    exits=RUNS,
    see=("recover db", "runs resume", "verify"),
)
def application(
    context: typer.Context,
    *,
    release: Annotated[
        str | None,
        typer.Option(metavar="RELEASE", help="Roll back to this release, such as v12; default: uscdr chooses."),
    ] = None,
    ref: Ref = None,
    dry_run: DryRun = False,
    confirm: Confirm = None,
    since: Since = None,
    send_notices: SendNotices = False,
    new: New = False,
) -> None:
    """Roll back, migrate or deploy after an application failure."""
    from uscdr.scenarios.adapters import Request

    request = Request("app", release=release, ref=ref, since=since, anew=new)
    carry_out(context, request, confirm=confirm, dry_run=dry_run, send_notices=send_notices)


@app.command()
@planned
@manual(
    reads="Cloudinary and its backups, the references in the database, and with --kit or --from other "
    "copies of the files.",
    changes="Nothing before you confirm, and nothing with --dry-run. Then it restores lost and damaged files.",
    examples=(
        "recover media --dry-run",
        "recover media --kit newest --identity key.txt",
        "recover media --from copies --replaced-since 2026-11-23T10:00Z",
    ),
    exits=RUNS,
    see=("kit list", "runs resume", "verify"),
)
def media(
    context: typer.Context,
    *,
    files: Files = None,
    cloud: Cloud = None,
    replaced_since: ReplacedSince = None,
    accept_replaced: AcceptReplaced = False,
    kit: Kit = None,
    identity: IdentityFile = None,
    dry_run: DryRun = False,
    confirm: Confirm = None,
    since: Since = None,
    send_notices: SendNotices = False,
    new: New = False,
) -> None:
    """Restore lost media files. Use Cloudinary's backup first, then a kit or a directory."""
    from uscdr.scenarios.adapters import Request
    from uscdr.settings import user_path

    folder = str(user_path(files).absolute()) if files else None
    request = Request(
        "media", cloud=cloud, files=folder, kit=kit, since=since, anew=new,
        replaced_since=replaced_since, accept_replaced=accept_replaced,
    )  # fmt: skip
    carry_out(context, request, confirm=confirm, dry_run=dry_run, identity=identity, send_notices=send_notices)


@app.command()
@planned
@manual(
    reads="The old application if it still exists, or an escape kit; Heroku, Cloudinary and DNS.",
    changes="Nothing before you confirm, and nothing with --dry-run. Then it creates an application with its "
    "add-ons, restores data and files, and switches the domain to it. Plans cost money.",
    examples=(
        "recover infra --dry-run",
        "recover infra --app usc-pis-recovery --kit newest --identity key.txt",
        "recover infra --in-place-if-possible",
    ),
    exits=RUNS,
    see=("kit list", "dns rollback", "runs resume"),
)
def infra(
    context: typer.Context,
    *,
    app_name: Annotated[
        str | None, typer.Option("--app", metavar="APP", help="Name of the new application; default: recovery.app.")
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
    since: Since = None,
    send_notices: SendNotices = False,
    new: New = False,
) -> None:
    """Rebuild everything in a new application. Use the old application or a kit."""
    from uscdr.commands import recover as conduct
    from uscdr.scenarios.adapters import Request

    targets, output = opened = targets_and_output(context, scratch=scratch)
    given = app_name is not None or _plan_files(context).use is None
    name = conduct.new_application(targets.find(), output, app_name, in_place=in_place) if given else None
    request = Request("infra", backup, ref=ref, app=name, kit=kit, since=since, anew=new)
    carry_out(
        context, request, confirm=confirm, dry_run=dry_run, identity=identity, opened=opened, send_notices=send_notices
    )


@app.command()
@planned
@manual(
    reads="The backups and schedules on the platform, the copies and their proofs.",
    changes="Nothing before you confirm, and nothing with --dry-run. Then it creates a schedule, captures a "
    "backup, copies it off the platform and proves it.",
    examples=("recover backups --dry-run", "recover backups --to s3://safe --recipient KEY"),
    exits=RUNS,
    see=("backup status", "backup list", "runs resume"),
)
def backups(
    context: typer.Context,
    *,
    to: Annotated[
        str | None, typer.Option(metavar="STORE", help="Store of the copies: a directory or a bucket.")
    ] = None,
    recipient: Annotated[
        list[str] | None, typer.Option(metavar="KEY", help="Public key, age1… or ssh-…; repeat for more.")
    ] = None,
    identity: IdentityFile = None,
    evict: Annotated[
        bool, typer.Option("--evict", help="Capture even if the platform then drops the newest proven backup.")
    ] = False,
    dry_run: DryRun = False,
    confirm: Confirm = None,
    since: Since = None,
    send_notices: SendNotices = False,
    new: New = False,
) -> None:
    """Schedule, capture, copy and prove a backup. Use it when backups fail or are not scheduled. Check the RPO."""
    from uscdr.commands.option_forms import lasting
    from uscdr.scenarios.adapters import Request

    store, readers = lasting(to, tuple(recipient or ()))
    request = Request("backups", to=store, recipients=readers, evict=evict, since=since, anew=new)
    carry_out(context, request, confirm=confirm, dry_run=dry_run, identity=identity, send_notices=send_notices)


def carry_out(
    context: typer.Context,
    request: Request,
    *,
    confirm: str | None,
    dry_run: bool,
    identity: Path | None = None,
    scratch: str | None = None,
    opened: tuple[Targets, Output] | None = None,
    send_notices: bool = False,
) -> None:
    """Run the request and exit with its exit code. `opened`: where the command looked before; it warns once."""
    from uscdr.commands import recover as conduct

    files = _plan_files(context)
    asked = conduct.RecoverOptions(
        request, confirm, dry_run or files.save is not None, identity, send_notices, files.save, files.use
    )
    targets, output = opened or targets_and_output(context, scratch=scratch)
    raise typer.Exit(conduct.recover(targets.find(), output, asked))
