"""The whole program as one tree of commands. A command's module is imported when the command is asked for."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import Any

import typer
import typer.main
from typer.core import TyperOption
from typing_extensions import override

from uscdr.cli.command import Group, dressed
from uscdr.cli.global_options import ARGUMENTS

SECTIONS = {
    "Recover": ("recover", "runs", "dns"),
    "Check": ("verify", "watch", "doctor", "runbook"),
    "Back up": ("backup", "kit"),
    "Rehearse": ("drill",),
    "Incident": ("incident",),
    "Configure": ("config", "docs", "completion", "self", "help", "version"),
    "Sandbox": ("sandbox",),
}
"""The commands in the order in which help shows them, by heading."""
_FUNCTIONS = {
    "verify": ("verify", "verify"),
    "watch": ("verify", "watch"),
    "doctor": ("doctor", "doctor"),
    "runbook": ("runbook", "runbook"),
    "docs": ("docs", "docs"),
    "completion": ("completion", "completion"),
    "help": ("help", "show_help"),
    "version": ("version", "version"),
}
"""Commands that are one function: its module of this package, and its name there.

The others are groups: the Typer application `app` in the module of their name.
"""


class _Program(Group):
    """The root. It imports the module of a command on first use."""

    headings = SECTIONS

    @override
    def get_params(self, ctx: Any) -> Any:
        return [*super().get_params(ctx), _VERSION]

    @override
    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        ctx.meta[ARGUMENTS] = tuple(args)
        return super().parse_args(ctx, args)

    @override
    def list_commands(self, ctx: Any) -> list[str]:
        return [name for names in SECTIONS.values() for name in names]

    @override
    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in self.commands and cmd_name in self.list_commands(ctx):
            self.commands[cmd_name] = _made(cmd_name)
        return self.commands.get(cmd_name)


@cache
def program() -> Group:
    """The root command; it loads the others when they are asked for."""
    return _Program(
        name="uscdr",
        help="Recover USC-PIS: database, application, media, infrastructure and backups.",
        context_settings={"help_option_names": ["-h", "--help"]},
        rich_markup_mode=None,
    )


def _made(name: str) -> Any:  # noqa: ANN401 - Click's types are private
    """The command of that name, as Typer makes it of its module."""
    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    app.callback()(_nothing)
    place, function = _FUNCTIONS.get(name, (name, ""))
    module = import_module(f"uscdr.cli.{place}")
    if function:
        app.command(name)(getattr(module, function))
    else:
        app.add_typer(module.app, name=name)
    made: Any = typer.main.get_command(dressed(app))
    return made.commands[name]


def _nothing() -> None:
    """A callback, without which Typer merges a single command into its parent."""


def _print_version(context: Any, option: Any, wanted: Any) -> None:  # noqa: ANN401 - Click's types are private
    del option
    if wanted and not context.resilient_parsing:
        from uscdr.cli.version import version

        version(context)
        raise typer.Exit


_VERSION = TyperOption(
    param_decls=["global_version", "-V", "--version"], is_flag=True, default=False, expose_value=False,
    callback=_print_version, help="Print the version.",
)  # fmt: skip
"""Not eager: `--version --json` knows --json first."""
