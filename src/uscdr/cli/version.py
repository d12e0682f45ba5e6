"""`uscdr version`: the version of this program."""

from __future__ import annotations

import typer
from typing_extensions import TypedDict

from uscdr.cli.manual import LOCAL, manual
from uscdr.cli.options import options
from uscdr.ui.schemas import Schema


class _VersionObject(TypedDict):
    version: str


@manual(reads="Nothing.", changes="Nothing.", examples=("version", "version --json"), exits=LOCAL, see=("help",))
def version(context: typer.Context) -> None:
    """Print the version. The same as --version."""
    from uscdr import __version__

    output = options(context).output()
    if output.json_lines:
        output.record(Schema.VERSION, _VersionObject(version=__version__))
    else:
        output.result(f"uscdr {__version__}")
