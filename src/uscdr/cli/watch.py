"""`uscdr watch`: the checks again and again after a recovery, telling what changes."""

from __future__ import annotations

from typing import Annotated

import typer

from uscdr.cli.options import options
from uscdr.cli.verify import App, AsJson, Junit, Markdown, Names, Which, split


def watch(
    context: typer.Context,
    which: Which = "all",
    check: Names = None,
    *,
    lasting: Annotated[str, typer.Option("--for", help="How long: 24h.")] = "24h",
    every: Annotated[str, typer.Option(help="From one round to the next: 10m.")] = "10m",
    app: App = None,
    junit: Junit = None,
    markdown: Markdown = None,
    as_json: AsJson = False,
) -> None:
    """Repeat the checks that need no person; the exit code is the last round's. Ctrl-C ends it."""
    from uscdr.commands.verify import Verification, VerifyOptions, carry_out, duration
    from uscdr.scenarios.checks import CheckRequest

    wanted = Verification(
        CheckRequest(which, split(check), skip_manual=True),
        lasting=duration("--for", lasting),
        every=duration("--every", every),
    )
    asked = VerifyOptions(f"watch {which}", wanted, app, junit, markdown)
    raise typer.Exit(carry_out(options(context), asked, as_json=as_json))
