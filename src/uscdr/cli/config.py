"""`uscdr config`: which configuration is in use and why, what it says, whether it is valid, its schema."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from typing_extensions import TypedDict

from uscdr.cli.manual import LOCAL, manual
from uscdr.cli.options import options
from uscdr.ui.schemas import Schema


class _SchemaObject(TypedDict):
    json_schema: str


app = typer.Typer(no_args_is_help=True, help="Show and check the configuration (scenarios.yaml).")


@app.command()
@manual(
    reads="Which files exist, and the environment.",
    changes="Nothing.",
    examples=("config path", "config path --config ./scenarios.yaml"),
    exits=LOCAL,
    see=("config check", "config show"),
)
def path(context: typer.Context) -> None:
    """Print the file in use and why, and the candidates that are not used. Reads no file."""
    from uscdr.commands.config import show_places

    given = options(context)
    show_places(given.config, given.output())


@app.command()
@manual(
    reads="The configuration that is packaged with uscdr.",
    changes="Creates scenarios.yaml in your configuration directory. Never overwrites one.",
    examples=("config init", "config init --json"),
    exits=LOCAL | {2: "the file exists"},
    see=("config path", "config check"),
)
def init(context: typer.Context) -> None:
    """Create your own scenarios.yaml from the packaged one, for editing."""
    from uscdr.commands.config import create

    create(options(context).output())


@app.command()
@manual(
    reads="The configuration file in use.",
    changes="Nothing.",
    examples=("config show", "config show --target production"),
    exits=LOCAL,
    see=("config path", "config check"),
)
def show(context: typer.Context) -> None:
    """Print the configuration as it is in effect, with every default. With --target: only that target.

    Secrets are never part of it: they come from the environment.
    """
    from uscdr.commands.config import show_effective

    given = options(context)
    output = given.output()
    show_effective(given.targets(output), output)


@app.command()
@manual(
    reads="The configuration file, whole.",
    changes="Nothing.",
    examples=("config check", "config check ./scenarios.yaml"),
    exits=LOCAL | {2: "the file has errors"},
    see=("config schema", "doctor"),
)
def check(
    context: typer.Context,
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="File to check; default: the one in use.")
    ] = None,
) -> None:
    """Check the whole file. Exit 2 with every error, a line each; exit 0 with what the file has."""
    from dataclasses import replace

    from uscdr.commands.config import check_file

    given = options(context)
    output = given.output()
    check_file(replace(given, config=file or given.config).targets(output), output)


@app.command()
@manual(
    reads="Nothing.",
    changes="Nothing.",
    examples=("config schema", "config schema --quiet"),
    exits=LOCAL,
    see=("config check",),
)
def schema(context: typer.Context) -> None:
    """Print the JSON Schema of scenarios.yaml, for editors. Reads no file."""
    from uscdr.scenarios.schema import as_text

    output = options(context).output()
    if output.json_lines:
        output.record(Schema.CONFIG_SCHEMA, _SchemaObject(json_schema=as_text()))
    else:
        output.result(as_text().removesuffix("\n"))
