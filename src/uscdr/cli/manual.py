"""What a command's help says besides its options: what it reads and changes, examples, exit codes, related commands.

A command declares it with a decorator below `@app.command()`:

    @app.command()
    @manual(
        reads="The journals of this machine.",
        changes="Nothing.",
        examples=("runs list", "runs list --json"),
        exits=LOOKS,
        see=("runs show", "runs resume"),
    )
    def list_runs(context: typer.Context) -> None:
        \"\"\"List every run, oldest first.\"\"\"

Nothing is laid out before somebody asks for help.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

EXIT_CODES = {
    0: "done and verified",
    1: "a check failed or an objective was missed",
    2: "bad input: nothing was called",
    3: "a provider or this machine failed: resume the run",
    4: "not confirmed",
    5: "outcome unknown: the message says what to check",
    6: "another run holds the lock",
    130: "interrupted: resume the run",
}
"""What each exit code of the program means."""
LOOKS = {0: "done", 2: "bad input: nothing was called", 3: "a provider or this machine failed", 130: "interrupted"}
"""The exit codes of a command that only looks. Others are added: `LOOKS | {1: "the RPO is not met"}`."""
LOCAL = {0: "done", 2: "bad input", 3: "this machine failed", 130: "interrupted"}
"""Of a command that asks no provider."""
WRITES = LOOKS | {
    4: "not confirmed: nothing was changed",
    5: "outcome unknown: the message says what to check",
    6: "another run holds the lock",
}
"""Of a command that writes at a provider and is no run."""
RUNS = WRITES | {
    0: "done and verified",
    1: "a check failed or an objective was missed",
    3: "a provider or this machine failed: resume the run",
    130: "interrupted: resume the run",
}
"""Of a run."""


@dataclass(frozen=True)
class HelpTexts:
    """Sentences; command lines without the program's name; exit codes with their meaning here."""

    reads: str
    changes: str
    examples: Sequence[str]
    exits: Mapping[int, str]
    see: Sequence[str] = ()


_KEPT = "__manual__"
"""The attribute of a command's function that holds its manual. Decorators that use `wraps` keep it."""
_Function = TypeVar("_Function", bound=Callable[..., None])


def manual(
    *, reads: str, changes: str, examples: Sequence[str], exits: Mapping[int, str], see: Sequence[str] = ()
) -> Callable[[_Function], _Function]:
    """Declare what the help of this command says."""
    declared = HelpTexts(reads, changes, examples, exits, see)

    def keep(command: _Function) -> _Function:
        vars(command)[_KEPT] = declared
        return command

    return keep


def manual_of(command: object) -> HelpTexts | None:
    """The manual of a command, by the function that Typer calls."""
    found = getattr(command, _KEPT, None)
    return found if isinstance(found, HelpTexts) else None
