"""What every command and group of commands has: the global options, errors in our own words, one form of help."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup
from typing_extensions import override

from uscdr.cli.global_options import ARGUMENTS, GLOBAL_OPTIONS, gives
from uscdr.cli.options import options
from uscdr.errors import BadInput


@contextmanager
def _in_our_words(context: Any) -> Iterator[None]:  # noqa: ANN401 - Click's types are private
    """Raises BadInput, with a hint, for what the parser refuses."""
    try:
        yield
    except typer.TyperException as error:
        from uscdr.cli.usage_errors import in_our_words

        raise in_our_words(error, context) from None


def _help_of(context: Any) -> str:  # noqa: ANN401 - Click's types are private
    """The help of the context's command, as its output can show it: JSON, with colour at a terminal, else plain."""
    from uscdr.cli.help_pages import WIDEST, as_json, page_of, plain, width_of

    output = options(context).output()
    page = page_of(context)
    if output.json_lines or _behind(context.find_root(), "--json"):
        return as_json(page)
    if output.color_on(output.out) and not _behind(context.find_root(), "--no-color"):
        from uscdr.cli.help_colors import colored

        return colored(page, min(output.out.width, WIDEST))
    return plain(page, width_of(output.out.width, terminal=output.out.is_tty))


def _behind(root: Any, name: str) -> bool:  # noqa: ANN401 - Click's types are private
    """Whether a flag is given, perhaps behind --help, which is obeyed as soon as it is read."""
    return gives(root.meta.get(ARGUMENTS, ()), name, root.command)


def _once(command: Any, context: Any, words: list[str]) -> None:  # noqa: ANN401 - Click's types are private
    """Raises BadInput for an option of one value that is given twice: the parser would take the last one."""
    *_, order = command.make_parser(context).parse_args(args=list(words))
    for one in {id(param): param for param in order}.values():
        single = one.param_type_name == "option" and not one.is_flag and not one.multiple
        if single and sum(param is one for param in order) > 1:
            name = one.opts[-1]
            raise BadInput(f"{name} is given twice.", next_action=f"Give {name} once.")


class Command(TyperCommand):
    """One command. A wrong command line raises BadInput."""

    allow_extra_args = True  # looked at below

    @override
    def get_params(self, ctx: Any) -> Any:
        return [*super().get_params(ctx), *GLOBAL_OPTIONS]

    @override
    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        with _in_our_words(ctx):
            _once(self, ctx, args)
            more = super().parse_args(ctx, args)
        if more and not ctx.resilient_parsing:
            from uscdr.cli.usage_errors import extra_words

            raise extra_words(ctx, more)
        return more

    @override
    def get_help(self, ctx: Any) -> str:
        return _help_of(ctx)


class Group(TyperGroup):
    """A group of commands. Without a command it shows its help and ends with exit code 2."""

    @override
    def get_params(self, ctx: Any) -> Any:
        return [*super().get_params(ctx), *GLOBAL_OPTIONS]

    @override
    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        with _in_our_words(ctx):
            return super().parse_args(ctx, args)

    @override
    def invoke(self, ctx: Any) -> Any:
        with _in_our_words(ctx):
            return super().invoke(ctx)

    @override
    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        found = self.get_command(ctx, args[0])
        if found is None and not ctx.resilient_parsing:
            from uscdr.cli.usage_errors import unknown_command

            raise unknown_command(ctx, args)
        return (args[0] if found else None), found, args[1:]

    @override
    def get_help(self, ctx: Any) -> str:
        return _help_of(ctx)


def dressed(app: typer.Typer) -> typer.Typer:
    """The same application: its groups and commands are made of these classes, unless they name their own."""
    app.info.cls = Group
    for command in app.registered_commands:
        command.cls = command.cls if command.cls and issubclass(command.cls, Command) else Command
    for group in app.registered_groups:
        if group.typer_instance is not None:
            dressed(group.typer_instance)
    return app
