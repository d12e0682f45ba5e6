"""`uscdr kit`: the off-platform escape kit."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from uscdr.cli.options import Scratch, options

app = typer.Typer(no_args_is_help=True, help="The escape kit: all that a rebuild needs, encrypted, off the platform.")


class Omission(StrEnum):
    """What may be left out of a kit on purpose."""

    MEDIA = "media"
    DUMP = "dump"


class Exportable(StrEnum):
    """What can be taken out of a kit."""

    APP = "app"
    CONFIG = "config"
    DNS = "dns"
    DUMP = "dump"
    SOURCE = "source"
    MEDIA = "media"


JsonOption = Annotated[bool, typer.Option("--json", help="JSON lines on stdout.")]
PlaceOption = Annotated[str | None, typer.Option("--to", help="Where kits are kept: a directory or a bucket.")]
IdentityOption = Annotated[
    Path | None, typer.Option("--identity", envvar="USCDR_AGE_IDENTITY", help="File with an age or SSH private key.")
]
KitArgument = Annotated[
    str | None, typer.Argument(metavar="[KIT]", help="Id, its beginning, newest, PLACE:ID or a path; default: newest.")
]
KitOption = Annotated[str | None, typer.Option("--kit", help="The same as an option, as `recover` has it.")]


@app.command()
def build(
    context: typer.Context,
    *,
    to: PlaceOption = None,
    recipient: Annotated[list[str] | None, typer.Option(help="age1… or ssh-… public key; repeat for more.")] = None,
    without: Annotated[list[Omission] | None, typer.Option(help="Leave a part out.")] = None,
    backup: Annotated[str | None, typer.Option(help="The backup to keep, b012; default: the newest.")] = None,
    capture: Annotated[bool, typer.Option("--capture", help="Make a fresh backup first.")] = False,
    unproven: Annotated[bool, typer.Option("--unproven", help="Keep the dump without restoring it first.")] = False,
    scratch: Scratch = None,
    as_json: JsonOption = False,
) -> None:
    """Collect everything, prove the dump, encrypt, store. Exit 1 when something could not be had."""
    from uscdr.commands import kit_build

    wanted = kit_build.BuildOptions(
        to, tuple(recipient or ()), frozenset(one.value for one in without or ()), backup, capture, unproven
    )
    given = options(context)
    output = given.output(json_lines=as_json)
    raise typer.Exit(kit_build.build_kit(given.targets(output, scratch).find(), output, wanted))


@app.command()
def check(
    context: typer.Context,
    kit: KitArgument = None,
    *,
    kit_option: KitOption = None,
    to: PlaceOption = None,
    identity: IdentityOption = None,
    online: Annotated[bool, typer.Option("--online", help="Compare with what is deployed now.")] = False,
    restore: Annotated[
        bool, typer.Option("--restore", help="Restore its dump on this machine, with its own key and code, too.")
    ] = False,
    minimum: Annotated[
        int | None, typer.Option(min=0, max=100, help="Exit 1 when the kit earns fewer points of freshness.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Could the application be rebuilt from a kit today, without the platform? Needs no network but the kit's own."""
    from uscdr.commands import kit as kitcheck
    from uscdr.commands import kit_list

    wanted = kit_list.KitChoice(kit_list.one_of(kit, kit_option), to, identity)
    asked = kitcheck.CheckOptions(wanted, online=online, restore=restore, minimum=minimum)
    given = options(context)
    output = given.output(json_lines=as_json)
    raise typer.Exit(kitcheck.check_kit(given.targets(output), output, asked))


@app.command("list")
def list_kits(
    context: typer.Context,
    *,
    to: PlaceOption = None,
    identity: Annotated[
        Path | None, typer.Option("--identity", help="Private key: by what is sealed, not by what the cards say.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Every kit, oldest first."""
    from uscdr.commands import kit_list

    given = options(context)
    output = given.output(json_lines=as_json)
    kit_list.list_kits(given.targets(output), output, to, identity)


@app.command()
def card(
    context: typer.Context,
    kit: KitArgument = None,
    *,
    kit_option: KitOption = None,
    to: PlaceOption = None,
    identity: IdentityOption = None,
    html: Annotated[bool, typer.Option("--html", help="A page to print, with contacts and freshness.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Print the card of a kit, to keep away from the computers."""
    from uscdr.commands import kit_list

    wanted = kit_list.KitChoice(kit_list.one_of(kit, kit_option), to, identity)
    given = options(context)
    output = given.output(json_lines=as_json)
    kit_list.show_card(given.targets(output), output, wanted, html=html)


@app.command()
def restore(
    context: typer.Context,
    kit: KitArgument = None,
    *,
    into: Annotated[Path, typer.Option(help="Directory for the files; nothing there is overwritten.")],
    kit_option: KitOption = None,
    part: Annotated[list[Exportable] | None, typer.Option(help="Only this part; repeat for more.")] = None,
    to: PlaceOption = None,
    identity: IdentityOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take parts of a kit out as plain files, which only you can read."""
    from uscdr.commands import kit as kitrestore
    from uscdr.commands import kit_list

    wanted = kit_list.KitChoice(kit_list.one_of(kit, kit_option), to, identity)
    given = options(context)
    output = given.output(json_lines=as_json)
    kitrestore.restore(given.targets(output), output, wanted, tuple(one.value for one in part or ()), into)
