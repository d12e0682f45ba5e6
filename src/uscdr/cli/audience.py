"""`uscdr incident audience`: whom an incident tells."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from uscdr.cli.manual import LOOKS, manual
from uscdr.cli.options import targets_and_output

app = typer.Typer(no_args_is_help=True, help="Keep the list of people whom an incident tells.")


class GroupName(StrEnum):
    """The groups of recipients."""

    TEAM = "team"
    STAKEHOLDERS = "stakeholders"
    USERS = "users"


IdentityOption = Annotated[
    Path | None,
    typer.Option("--identity", envvar="USCDR_AGE_IDENTITY", metavar="FILE", help="Identity file that opens the list."),
]
AddressArgument = Annotated[str, typer.Argument(metavar="ADDRESS", help="Mail address of the person.")]
GroupOption = Annotated[
    GroupName, typer.Option("--group", metavar="GROUP", help="Group of the person: team or stakeholders.")
]


@app.command("import")
@manual(
    reads="The application's database, a file, or an escape kit.",
    changes="The encrypted list of people.",
    examples=(
        "incident audience import",
        "incident audience import --from team.csv --group team --identity key.txt",
        "incident audience import --kit newest --identity key.txt",
    ),
    exits=LOOKS | {1: "the list would have less than half the length"},
    see=("incident audience list", "drill comms"),
)
def import_people(
    context: typer.Context,
    *,
    file: Annotated[
        Path | None, typer.Option("--from", metavar="FILE", help="CSV or one address a line; default: the database.")
    ] = None,
    kit: Annotated[
        str | None, typer.Option("--kit", metavar="KIT", help="Put the list of this escape kit in place.")
    ] = None,
    group: Annotated[
        GroupName,
        typer.Option(
            "--group", metavar="GROUP", help="Group of the file's people that name none: team, stakeholders or users."
        ),
    ] = GroupName.USERS,
    identity: IdentityOption = None,
    recipient: Annotated[
        list[str] | None, typer.Option(metavar="KEY", help="Public key, age1… or ssh-…; repeat for more.")
    ] = None,
    accept_fewer: Annotated[
        bool, typer.Option("--accept-fewer", help="Accept a list of less than half the length.")
    ] = False,
) -> None:
    """Import the users from the application's database (read-only), people from a file, or the list of a kit.

    The list is encrypted to the recipients of kits. Run it every month while the application works.
    """
    from uscdr.commands import audience
    from uscdr.commands.kit_list import KitChoice
    from uscdr.errors import BadInput

    targets, output = targets_and_output(context)
    if kit is not None and file is not None:
        raise BadInput("--from and --kit exclude each other.", next_action="Pass one of them.")
    if kit is not None:
        audience.restore(targets, output, KitChoice(kit, None, identity))
        return
    wanted = audience.ImportOptions(file, group.value, identity, accept_fewer, tuple(recipient or ()))
    audience.import_people(targets, output, wanted)


@app.command("list")
@manual(
    reads="The encrypted list, without its key.",
    changes="Nothing.",
    examples=("incident audience list", "incident audience list --json"),
    exits=LOOKS,
    see=("incident audience import", "incident notify"),
)
def list_people(context: typer.Context) -> None:
    """Print how many people are in each group, and the age of the list. Needs no key; prints no address."""
    from uscdr.commands import audience

    targets, output = targets_and_output(context)
    audience.show(targets, output)


@app.command()
@manual(
    reads="The encrypted list of people.",
    changes="One entry of the team or the stakeholders.",
    examples=(
        "incident audience add ann@example.org --role 'database on call' --identity key.txt",
        "incident audience add dean@example.org --group stakeholders --identity key.txt",
    ),
    exits=LOOKS,
    see=("incident audience remove", "incident audience list"),
)
def add(
    context: typer.Context,
    address: AddressArgument,
    *,
    group: GroupOption = GroupName.TEAM,
    name: Annotated[str, typer.Option(metavar="NAME", help="Name of the person.")] = "",
    role: Annotated[str, typer.Option(metavar="ROLE", help="Role of the person.")] = "",
    identity: IdentityOption = None,
) -> None:
    """Add one person to the team or the stakeholders, or replace the entry of that address."""
    from uscdr.commands import audience

    targets, output = targets_and_output(context)
    audience.add(targets, output, audience.person(group.value, address, name, role), identity)


@app.command()
@manual(
    reads="The encrypted list of people.",
    changes="One entry of the team or the stakeholders.",
    examples=(
        "incident audience remove ann@example.org --identity key.txt",
        "incident audience remove dean@example.org --group stakeholders --identity key.txt",
    ),
    exits=LOOKS,
    see=("incident audience add", "incident audience list"),
)
def remove(
    context: typer.Context,
    address: AddressArgument,
    *,
    group: GroupOption = GroupName.TEAM,
    identity: IdentityOption = None,
) -> None:
    """Remove one person from the team or the stakeholders."""
    from uscdr.commands import audience

    targets, output = targets_and_output(context)
    audience.remove(targets, output, audience.person(group.value, address, "", ""), identity)
