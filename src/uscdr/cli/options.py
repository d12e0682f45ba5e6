"""Options that several commands have."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

from uscdr.commands.invocation import Invocation


def options(context: typer.Context) -> Invocation:
    """The global options of this call."""
    found = context.find_root().obj
    return found if isinstance(found, Invocation) else Invocation()


Scratch = Annotated[
    str | None,
    typer.Option(
        "--scratch", metavar="URL",
        help="PostgreSQL server for the proof, when this machine's lacks something; better in $USCDR_SCRATCH.",
    ),
]  # fmt: skip
Command = Callable[..., None]
