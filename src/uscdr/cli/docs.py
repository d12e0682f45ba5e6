"""`uscdr docs`: the documentation, offline."""

from __future__ import annotations

from typing import Annotated

import typer

from uscdr.cli.manual import LOCAL, manual
from uscdr.cli.options import options


@manual(
    reads="The documentation that was installed with this version.",
    changes="Nothing.",
    examples=("docs", "docs recovery", "docs --search lease"),
    exits=LOCAL | {1: "nothing was found by --search"},
    see=("help", "runbook"),
)
def docs(
    context: typer.Context,
    topic: Annotated[
        str | None, typer.Argument(metavar="[TOPIC]", help="Topic to show; default: list the topics.")
    ] = None,
    *,
    search: Annotated[
        str | None, typer.Option("--search", metavar="WORD", help="Find the sections that mention a word.")
    ] = None,
) -> None:
    """Show the documentation of this version. It needs no network.

    Without TOPIC it lists the topics. On a terminal a topic is formatted and paged ($PAGER, else less); in a pipe it is
    Markdown. Exit 1 if --search finds nothing.
    """
    from uscdr.commands import docs as documentation
    from uscdr.errors import BadInput

    output = options(context).output()
    if search is not None and topic is not None:
        raise BadInput(
            "TOPIC and --search exclude each other.", next_action="Search all topics: uscdr docs --search WORD"
        )
    if search is not None:
        raise typer.Exit(documentation.search(search, output))
    if topic is None:
        documentation.list_topics(output)
    else:
        documentation.show_topic(topic, output)
