"""`uscdr kit`: the off-platform escape kit."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from uscdr.cli.manual import LOCAL, LOOKS, WRITES, manual
from uscdr.cli.monitored import monitored
from uscdr.cli.options import Scratch, options, targets_and_output
from uscdr.monitoring.observed import NEWEST_BACKUP, Observed

app = typer.Typer(no_args_is_help=True, help="Build, check and restore escape kits for a rebuild.")


class Omission(StrEnum):
    """Parts that the operator may leave out of a kit."""

    MEDIA = "media"
    DUMP = "dump"


class Exportable(StrEnum):
    """Parts that can be restored from a kit."""

    APP = "app"
    CONFIG = "config"
    DNS = "dns"
    DUMP = "dump"
    SOURCE = "source"
    MEDIA = "media"
    AUDIENCE = "audience"


StoreOption = Annotated[
    str | None, typer.Option("--to", metavar="STORE", help="Store of the kits: a directory or a bucket.")
]
IdentityOption = Annotated[
    Path | None,
    typer.Option(
        "--identity", envvar="USCDR_AGE_IDENTITY", metavar="FILE", help="Identity file: an age or SSH private key."
    ),
]
KitArgument = Annotated[
    str | None,
    typer.Argument(metavar="[KIT]", help="newest, a store, STORE:ID, an id or its beginning; default: newest."),
]
KitOption = Annotated[str | None, typer.Option("--kit", metavar="KIT", help="The kit as an option, as in `recover`.")]


@app.command()
@manual(
    reads="The file, if it exists.",
    changes="A new private key in a file of your own (0600), if there is none. Never overwrites a file.",
    examples=("kit key", "kit key keys/identity.txt"),
    exits=LOCAL,
    see=("kit build", "kit check"),
)
def key(
    context: typer.Context,
    file: Annotated[
        Path | None,
        typer.Argument(
            envvar="USCDR_AGE_IDENTITY",
            metavar="[FILE]",
            help="File of the private key; default: identity.txt beside your scenarios.yaml.",
        ),
    ] = None,
) -> None:
    """Make the key that opens kits, if there is none, and print its public key."""
    from uscdr.commands import kit_key

    kit_key.key(file, options(context).output())


@app.command()
@monitored(NEWEST_BACKUP)
@manual(
    reads="Heroku, Cloudinary, DNS, the application's source and a backup.",
    changes="A new encrypted kit in the store. With --capture also a new backup on the platform.",
    examples=('kit build --recipient "$(uscdr kit key)"', "kit build --capture --to s3://safe"),
    exits=WRITES | {1: "a part is incomplete"},
    see=("kit check", "kit card", "recover infra"),
)
def build(
    context: typer.Context,
    *,
    to: StoreOption = None,
    recipient: Annotated[
        list[str] | None, typer.Option(metavar="KEY", help="Public key, age1… or ssh-…; repeat for more.")
    ] = None,
    without: Annotated[
        list[Omission] | None, typer.Option(metavar="PART", help="Leave out media or dump; repeat for both.")
    ] = None,
    backup: Annotated[
        str | None, typer.Option(metavar="BACKUP", help="Backup to include, such as b012; default: the newest.")
    ] = None,
    capture: Annotated[bool, typer.Option("--capture", help="Capture a new backup first.")] = False,
    unproven: Annotated[
        bool, typer.Option("--unproven", help="Include the dump without a restore that proves it.")
    ] = False,
    scratch: Scratch = None,
    seen: Observed,
) -> None:
    """Build a kit: collect, prove, encrypt and store. Exit 1 if a part is incomplete."""
    from uscdr.commands import kit_build

    wanted = kit_build.BuildOptions(
        to, tuple(recipient or ()), frozenset(one.value for one in without or ()), backup, capture, unproven
    )
    targets, output = targets_and_output(context, scratch=scratch)
    raise typer.Exit(kit_build.build_kit(targets.find(), output, wanted, seen))


@app.command()
@manual(
    reads="The kit in its store. With --online also what is deployed now.",
    changes="Nothing. With --restore a private PostgreSQL on this machine, removed at the end.",
    examples=("kit check", "kit check newest --restore --identity key.txt", "kit check --online --minimum 80"),
    exits=LOOKS | {1: "the kit is damaged, incomplete or not fresh enough"},
    see=("kit list", "kit build"),
)
def check(
    context: typer.Context,
    kit: KitArgument = None,
    *,
    kit_option: KitOption = None,
    to: StoreOption = None,
    identity: IdentityOption = None,
    online: Annotated[bool, typer.Option("--online", help="Compare the kit with what is deployed now.")] = False,
    restore: Annotated[
        bool, typer.Option("--restore", help="Also restore its dump on this machine, with the kit's key and code.")
    ] = False,
    minimum: Annotated[
        int | None, typer.Option(min=0, max=100, metavar="POINTS", help="Exit 1 if the kit has fewer freshness points.")
    ] = None,
) -> None:
    """Check that a kit is intact and complete. It needs network access only to read the kit's store."""
    from uscdr.commands import kit as kitcheck
    from uscdr.commands import kit_list

    wanted = kit_list.KitChoice(kit_list.one_of(kit, kit_option), to, identity)
    asked = kitcheck.CheckOptions(wanted, online=online, restore=restore, minimum=minimum)
    targets, output = targets_and_output(context)
    raise typer.Exit(kitcheck.check_kit(targets, output, asked))


@app.command("list")
@manual(
    reads="The store of the kits.",
    changes="Nothing.",
    examples=("kit list", "kit list --to s3://safe --json"),
    exits=LOOKS | {1: "a kit is damaged"},
    see=("kit check", "kit card"),
)
def list_kits(
    context: typer.Context,
    kit: Annotated[
        str | None, typer.Argument(metavar="[STORE|KIT]", help="Store, or the one kit to list; default: every kit.")
    ] = None,
    *,
    kit_option: KitOption = None,
    to: StoreOption = None,
    identity: Annotated[
        Path | None,
        typer.Option(
            "--identity", metavar="FILE", help="Identity file: check the sealed manifests, not only the cards."
        ),
    ] = None,
) -> None:
    """List every kit, oldest first."""
    from uscdr.commands import kit_list

    targets, output = targets_and_output(context)
    kit_list.list_kits(targets, output, kit_list.KitChoice(kit_list.one_of(kit, kit_option), to, identity))


@app.command()
@manual(
    reads="One kit.",
    changes="Nothing.",
    examples=("kit card", "kit card newest --html"),
    exits=LOOKS | {1: "the kit is damaged"},
    see=("kit list", "kit check"),
)
def card(
    context: typer.Context,
    kit: KitArgument = None,
    *,
    kit_option: KitOption = None,
    to: StoreOption = None,
    identity: IdentityOption = None,
    html: Annotated[bool, typer.Option("--html", help="Print an HTML page with contacts and freshness.")] = False,
) -> None:
    """Print the card of a kit. Keep it on paper."""
    from uscdr.commands import kit_list

    wanted = kit_list.KitChoice(kit_list.one_of(kit, kit_option), to, identity)
    targets, output = targets_and_output(context)
    kit_list.show_card(targets, output, wanted, html=html)


@app.command()
@manual(
    reads="One kit, with the private key that opens it.",
    changes="Files in the directory; existing files stay.",
    examples=(
        "kit restore --into files --identity key.txt",
        "kit restore newest --part dump --into files --identity key.txt",
    ),
    exits=LOOKS | {1: "the kit is damaged"},
    see=("kit list", "recover infra", "recover media"),
)
def restore(
    context: typer.Context,
    kit: KitArgument = None,
    *,
    into: Annotated[
        Path, typer.Option(metavar="DIR", help="Directory for the files; existing files are not overwritten.")
    ],
    kit_option: KitOption = None,
    part: Annotated[
        list[Exportable] | None,
        typer.Option(metavar="PART", help="Only app, config, dns, dump, source, media or audience; repeat for more."),
    ] = None,
    to: StoreOption = None,
    identity: IdentityOption = None,
) -> None:
    """Decrypt parts of a kit into plain files that only you can read."""
    from uscdr.commands import kit as kitrestore
    from uscdr.commands import kit_list

    wanted = kit_list.KitChoice(kit_list.one_of(kit, kit_option), to, identity)
    targets, output = targets_and_output(context)
    kitrestore.restore(targets, output, wanted, tuple(one.value for one in part or ()), into)
