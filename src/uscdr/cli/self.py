"""`uscdr self`: this installation."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from uscdr.cli.manual import LOCAL, manual
from uscdr.cli.options import options

app = typer.Typer(no_args_is_help=True, help="Look after this installation.")


class JournalsChoice(StrEnum):
    """What happens to journals when the state is removed."""

    KEEP = "keep"
    REMOVE = "remove"


@app.command()
@manual(
    reads="The state directory of this machine.",
    changes="Nothing. With --state it removes the state, after a phrase.",
    examples=("self uninstall", "self uninstall --state", "self uninstall --state --journals keep"),
    exits=LOCAL | {4: "not confirmed: nothing was removed", 6: "a command of uscdr runs"},
    see=("runs list", "config path"),
)
def uninstall(
    context: typer.Context,
    *,
    state: Annotated[
        bool, typer.Option("--state", help="Remove the state of this machine, after a confirmation phrase.")
    ] = False,
    journals: Annotated[
        JournalsChoice | None,
        typer.Option(
            metavar="KEEP|REMOVE",
            help="Journals of runs and incidents, and records of drills; without a terminal they are kept.",
        ),
    ] = None,
    confirm: Annotated[str | None, typer.Option(metavar="PHRASE", help="Phrase that the command asks for.")] = None,
) -> None:
    """List what uscdr keeps on this machine. Say how the program is removed. Change nothing without --state.

    It never removes kits, copies of backups, the configuration, private keys or the team's shared state. It removes
    nothing while a run is unfinished, a command runs or a sandbox exists.
    """
    from uscdr.commands import uninstall as removal

    chosen = removal.UninstallOptions(state, journals.value if journals else None, confirm)
    removal.uninstall(options(context).output(), chosen)
