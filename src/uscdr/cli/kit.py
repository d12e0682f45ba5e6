"""`uscdr kit`: the off-platform escape kit."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from uscdr.cli.context import options

app = typer.Typer(no_args_is_help=True, help="The escape kit: all that a rebuild needs, encrypted, off the platform.")


class Omission(StrEnum):
    """What may be left out of a kit on purpose."""

    MEDIA = "media"
    DUMP = "dump"


JsonOption = Annotated[bool, typer.Option("--json", help="JSON lines on stdout.")]
PlaceOption = Annotated[Path | None, typer.Option("--to", help="The directory of the kits.")]
IdentityOption = Annotated[
    Path | None, typer.Option("--identity", envvar="USCDR_AGE_IDENTITY", help="File with an age or SSH private key.")
]
KitArgument = Annotated[
    str | None, typer.Argument(metavar="[KIT]", help="Id, its beginning, or path; default: newest.")
]


@app.command()
def build(
    context: typer.Context,
    *,
    to: PlaceOption = None,
    recipient: Annotated[list[str] | None, typer.Option(help="age1… or ssh-… public key; repeat for more.")] = None,
    without: Annotated[list[Omission] | None, typer.Option(help="Leave a part out.")] = None,
    backup: Annotated[str | None, typer.Option(help="The backup to keep, b012; default: the newest.")] = None,
    capture: Annotated[bool, typer.Option("--capture", help="Make a fresh backup first.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Collect everything, encrypt it, store it. Exit 1 when something could not be had."""
    from uscdr.cli import kitbuild

    wanted = kitbuild.BuildOptions(
        to, tuple(recipient or ()), frozenset(one.value for one in without or ()), backup, capture
    )
    raise typer.Exit(kitbuild.build_kit(options(context), wanted, as_json=as_json))


@app.command()
def check(
    context: typer.Context,
    kit: KitArgument = None,
    *,
    to: PlaceOption = None,
    identity: IdentityOption = None,
    as_json: JsonOption = False,
) -> None:
    """Is a kit whole, what is in it, how old, and what could not be rebuilt? Needs no network."""
    from uscdr.cli import kitlook

    raise typer.Exit(kitlook.check_kit(options(context), kitlook.Wanted(kit, to), identity, as_json=as_json))


@app.command("list")
def list_kits(context: typer.Context, *, to: PlaceOption = None, as_json: JsonOption = False) -> None:
    """Every kit, oldest first."""
    from uscdr.cli import kitlook

    kitlook.list_kits(options(context), to, as_json=as_json)


@app.command()
def card(
    context: typer.Context, kit: KitArgument = None, *, to: PlaceOption = None, as_json: JsonOption = False
) -> None:
    """Print the card of a kit, to keep away from the computers."""
    from uscdr.cli import kitlook

    kitlook.show_card(options(context), kitlook.Wanted(kit, to), as_json=as_json)
