"""The options that every command takes, before the command or after it, and how a raw command line gives them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from typer.core import TyperGroup, TyperOption

from uscdr.cli.options import GlobalOptions
from uscdr.errors import BadInput

ARGUMENTS = "uscdr.arguments"
"""The key of the whole command line among the values of a context."""


def _keep(context: Any, option: Any, given: Any) -> Any:  # noqa: ANN401 - Click's types are private
    """Add what was given here to what the command line gave before. Raises BadInput for two different values."""
    field = option.name.removeprefix("global_")
    values = given if isinstance(given, tuple) else (True,) if given else ()
    for text in values:
        root = context.find_root()
        held = root.obj if isinstance(root.obj, GlobalOptions) else GlobalOptions()
        value = Path(text) if field == "config" else field != "color" and text
        before = getattr(held, field)
        if option.multiple and before not in (None, value):
            name = option.opts[0]
            raise BadInput(f"{name} is given twice: {before} and {value}.", next_action=f"Give {name} once.")
        changed: dict[str, Any] = {field: value}
        root.obj = replace(held, **changed)
    return given


def _valued(field: str, name: str, metavar: str, words: str) -> TyperOption:
    return TyperOption(
        param_decls=[f"global_{field}", name], multiple=True, default=(), metavar=metavar, help=words,
        expose_value=False, is_eager=True, callback=_keep,
    )  # fmt: skip


def _flag(field: str, names: Sequence[str], words: str) -> TyperOption:
    return TyperOption(
        param_decls=[f"global_{field}", *names], is_flag=True, default=False, help=words, expose_value=False,
        is_eager=True, callback=_keep,
    )  # fmt: skip


GLOBAL_OPTIONS = (
    _valued("config", "--config", "FILE", "Path of scenarios.yaml."),
    _valued("target", "--target", "TARGET", "Target of scenarios.yaml, or `sandbox`."),
    _flag("json_lines", ("--json",), "Print results, events and errors as JSON lines on stdout."),
    _flag("quiet", ("-q", "--quiet"), "Print only results, warnings and errors."),
    _flag("verbose", ("-v", "--verbose"), "Print more details."),
    _flag("color", ("--no-color",), "Print without colour."),
)
"""Eager, so that help, errors and completion know them. Their values go to the root's `GlobalOptions`."""


def gives(arguments: Sequence[str], name: str, root: TyperGroup) -> bool:
    """Whether a command line gives the flag `name`: not as another option's value, and not after `--`.

    It may be one that the parser refuses: then unknown words are taken for arguments, unknown options for flags.
    """
    context: Any = root.context_class(root, info_name="uscdr")
    command: Any = root
    rest = iter(arguments)
    for word in rest:
        if word == "--":
            return False
        if word == name:
            return True
        if word.startswith("-"):
            if "=" not in word and _takes_value(command, context, word):
                next(rest, None)
        elif isinstance(command, TyperGroup):
            command = command.get_command(context, word) or command
    return False


def _takes_value(command: Any, context: Any, word: str) -> bool:  # noqa: ANN401 - Click's own types are private
    options = [one for one in command.get_params(context) if word in one.opts]
    return any(not one.is_flag for one in options)
