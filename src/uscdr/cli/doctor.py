"""`uscdr doctor`: is this machine ready for a recovery, and what to type where it is not."""

from __future__ import annotations

from typing import Annotated

import typer

from uscdr.cli import FILES
from uscdr.cli.manual import LOOKS, manual
from uscdr.cli.options import options


@manual(
    reads="This machine, the configuration, the credentials, and the providers' addresses.",
    changes="Nothing.",
    examples=("doctor", "doctor --offline", "doctor --json"),
    exits=LOOKS | {1: "there is a problem"},
    see=("config check", "verify", "recover db"),
)
def doctor(
    context: typer.Context,
    *,
    offline: Annotated[bool, typer.Option("--offline", help="Skip the looks that need the network.")] = False,
) -> None:
    """Check this machine, the configuration, the credentials and the way to the providers. Change nothing.

    Each line says what was found, and each problem what to type. With --json: one object for each check. Exit 1 if
    there is a problem; warnings alone are exit 0.
    """
    from uscdr.commands.doctor import DoctorRequest, examine

    given = options(context)
    asked = DoctorRequest(given.config, given.target, offline, FILES)
    raise typer.Exit(examine(asked, given.output()))
