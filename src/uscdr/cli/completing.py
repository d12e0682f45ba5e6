"""What may stand at the end of an unfinished command line, for the shell's completion."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

from typer.core import TyperGroup

from uscdr.cli.help_pages import summary
from uscdr.cli.known_values import NamedPlace, values_for
from uscdr.lazily import imported

_Found = list[tuple[str, str]]


def completions(root: TyperGroup, words: Sequence[str]) -> _Found:
    """Each word that may take the place of the last one, with a description. Empty: the shell completes files.

    `words` are those behind the program's name, up to the cursor; the last one is unfinished and may be empty.
    """
    *before, last = words or [""]
    context: Any = root.context_class(root, info_name="uscdr", help_option_names=["-h", "--help"])
    command, option, arguments, given = _walked(context, root, before)
    named = NamedPlace(_given("--config", before), _given("--target", before))
    if option is not None:
        found = _values(option, command, arguments, named)
    elif last.startswith("-") and "--" not in before:
        name, joined, _ = last.partition("=")
        valued = _option(command, context, name)
        values = _values(valued, command, arguments, named) if joined and valued is not None else []
        found = [(f"{name}={one}", said) for one, said in values] if joined else _options(command, context, given)
    elif isinstance(command, TyperGroup):
        found = _commands(command, context)
    elif command.name == "help":
        found = _of_help(root, context, arguments)
    else:
        found = _of_arguments(command, arguments, named)
    return [(one, said) for one, said in found if one.startswith(last)]


def _given(name: str, typed: Sequence[str]) -> str | None:
    words = [word for word in typed if word != "="]  # bash takes `--target=sandbox` apart
    joined = (word.partition("=")[2] for word in words if word.startswith(f"{name}="))
    return next(joined, next((after for word, after in pairwise(words) if word == name), None))


def _commands(group: Any, context: Any) -> _Found:  # noqa: ANN401 - Click's types are private
    each = ((name, group.get_command(context, name)) for name in group.list_commands(context))
    return [(name, summary(one.help or "")) for name, one in each if one is not None and not one.hidden]


def _of_arguments(command: Any, arguments: Sequence[str], named: NamedPlace) -> _Found:  # noqa: ANN401
    places = [one for one in command.params if one.param_type_name == "argument"]
    if not places or (len(arguments) >= len(places) and places[-1].nargs != -1):
        return []
    return _values(places[min(len(arguments), len(places) - 1)], command, arguments, named)


def _walked(context: Any, root: Any, words: Iterable[str]) -> tuple[Any, Any, list[str], set[str]]:  # noqa: ANN401
    """The command that the words name, its option that waits for a value, its arguments, and its options so far."""
    command, arguments, given = root, list[str](), set[str]()
    waiting: Any = None
    for word in words:
        if waiting is not None:
            waiting = None if word != "=" else waiting
        elif word.startswith("-") and word != "--":
            given.add(word.partition("=")[0])
            found = _option(command, context, word)
            waiting = found if found is not None and not found.is_flag else None
        elif isinstance(command, TyperGroup):
            command = command.get_command(context, word) or command
        else:
            arguments.append(word)
    return command, waiting, arguments, given


def _option(command: Any, context: Any, name: str) -> Any:  # noqa: ANN401 - Click's types are private
    return next((one for one in command.get_params(context) if name in one.opts), None)


def _options(command: Any, context: Any, given: set[str]) -> _Found:  # noqa: ANN401 - Click's types are private
    """Long names; one that was given is left out unless it may be repeated."""
    found = [one for one in command.get_params(context) if one.param_type_name == "option" and not one.hidden]
    left = [one for one in found if not given & set(one.opts) or (one.multiple and one.expose_value)]
    return [(name, summary(one.help or "")) for one in left for name in one.opts if name.startswith("--")]


def _values(place: Any, command: Any, arguments: Sequence[str], named: NamedPlace) -> _Found:  # noqa: ANN401
    kind = str(place.metavar or "").strip("[]…").rstrip("]")
    if kind in ("KIND", "PART"):
        return [(str(one), "") for one in _parts(command.name, kind, "".join(arguments[:1])) if one]
    return values_for(kind, named)


def _parts(command: str, kind: str, part: str) -> Sequence[str]:
    """The kinds of damage, the parts to damage, the parts of a kit."""
    damages: Mapping[str, str] = imported("uscdr.cli.sandbox:DAMAGES")
    if command == "break":
        return tuple(damages) if kind == "PART" else damages.get(part, "").split(", ")
    if kind == "PART":
        return tuple(imported(f"uscdr.cli.kit:{'Omission' if command == 'build' else 'Exportable'}"))
    return tuple(imported("uscdr.cli.drill:KINDS").get(command, ()))


def _of_help(root: Any, context: Any, words: Sequence[str]) -> _Found:  # noqa: ANN401 - Click's types are private
    command, *_ = _walked(context, root, words)
    if not isinstance(command, TyperGroup):
        return []
    topics = [] if words else [(one, "a topic") for one in ("environment", "exit-codes", "dates")]
    return [*_commands(command, context), *topics]
