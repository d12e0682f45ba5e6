"""Options that several commands share, and the global options."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from uscdr.ui.console import Output
    from uscdr.wiring.target import Target
    from uscdr.wiring.targets import Targets


@dataclass(frozen=True)
class GlobalOptions:
    """What the options that every command takes were given; see `cli/global_options.py`."""

    config: Path | None = None
    target: str | None = None
    json_lines: bool = False
    quiet: bool = False
    verbose: bool = False
    color: bool | None = None

    def output(self) -> Output:
        """The output of this call."""
        from uscdr.ui.console import Output

        return Output(json_lines=self.json_lines, quiet=self.quiet, verbose=self.verbose, color=self.color)

    def targets(self, output: Output, scratch: str | None = None) -> Targets:
        """Finds the configuration and the target; `scratch` is the command's own --scratch."""
        from uscdr.wiring.targets import Targets

        return Targets(
            output.warn_once, self.config, self.target, scratch, lambda found: _remind(found, output),
            say=lambda words: None if output.quiet else output.warn_once(words),
        )  # fmt: skip


def _remind(target: Target, output: Output) -> None:
    """One line on stderr while an incident is open on the target. Costs nothing if this machine knows no incident."""
    from uscdr.settings import Directories

    if (Directories(os.environ).state / "incidents").exists():
        from uscdr.lazily import imported

        if words := imported("uscdr.commands.incident_follow:reminder")(target):
            output.warn_once(words)


def options(context: typer.Context) -> GlobalOptions:
    """The global options of this call."""
    found = context.find_root().obj
    return found if isinstance(found, GlobalOptions) else GlobalOptions()


def targets_and_output(context: typer.Context, *, scratch: str | None = None) -> tuple[Targets, Output]:
    """What a command works on and where its words go; `scratch` is the command's own --scratch."""
    given = options(context)
    output = given.output()
    return given.targets(output, scratch), output


SendNotices = Annotated[
    bool, typer.Option("--send-notices", help="Send the notices of the incident that are due, without asking.")
]
Scratch = Annotated[
    str | None,
    typer.Option(
        "--scratch", metavar="URL",
        help="PostgreSQL server for the proof, if the packaged server lacks an extension; safer in $USCDR_SCRATCH.",
    ),
]  # fmt: skip
Command = Callable[..., None]


def with_options(
    run: Command, own: Iterable[inspect.Parameter], more: Iterable[tuple[str, object]]
) -> Command:  # fmt: skip
    """Let Typer read the parameters of a decorated command: its own, and keyword options with their annotations."""
    added = [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=kind)
             for name, kind in more]  # fmt: skip
    parameters = [*own, *added]
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {one.name: one.annotation for one in parameters}
    return run
