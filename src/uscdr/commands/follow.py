"""Follows a run that another process works on: its journal, or the copy of the team's, until the run ends."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from uscdr.commands.housekeeping import look_around, state
from uscdr.commands.runs import journal_of
from uscdr.errors import Interrupted, MachineError
from uscdr.journal.lock import at_work
from uscdr.journal.reader import COPY, Journal
from uscdr.models.events import RunFinished, Stamped
from uscdr.models.runs import RunKind
from uscdr.wiring.session import process

if TYPE_CHECKING:
    from pathlib import Path

    from uscdr.ui.console import Output
    from uscdr.wiring.context import Process

_EVERY, _EVERY_SHARED = 0.25, 5.0
"""Seconds between two looks at this machine's journal, and at the shared state."""


def follow_run(wanted: str | None, output: Output) -> int:
    """Show run `wanted`, or the newest, as it goes on; return its exit code.

    Raises Interrupted at Ctrl-C, which the run does not notice; MachineError when its process died.
    """
    look_around(output)
    path = journal_of(wanted)
    run = path.parent.name
    with process(output, state(), os.environ) as this:
        try:
            return _Following(path, output, this).to_the_end()
        except Interrupted as error:
            raise Interrupted(
                f"You stopped following run {run}. The run itself goes on.",
                next_action=f"Follow it again: uscdr runs show {run} --follow",
            ) from error


class _Following:
    """One journal, the number of its lines that were shown, and the viewers."""

    def __init__(self, path: Path, output: Output, this: Process) -> None:
        self._path = path
        self._output = output
        self._this = this
        self._shown = 0
        self._last: Stamped | None = None

    def to_the_end(self) -> int:
        """Show every line from now on; the exit code in the last one."""
        first = True
        while True:
            working = at_work(state(), self._path.parent.name)  # before the look: its last line may come in between
            journal = self._journal()
            new = [self._stamped(one) for one in list(journal.stamped)[self._shown :]]
            self._shown += len(new)
            if first and new:
                self._this.prime(new[:-1])  # what happened before is on the screen, not above it
                new, first = new[-1:], False
            for stamped in new:
                self._last = stamped
                for viewer in self._this.viewers:
                    viewer(stamped)
            if self._last and isinstance(self._last.event, RunFinished) and not working:
                return self._last.event.exit_code
            if not working and not new and not journal.is_copy and not self._goes_on_unlocked(journal):
                raise self._died(journal)
            self._this.stop.pause(_EVERY_SHARED if journal.is_copy else _EVERY)

    def _journal(self) -> Journal:
        """The journal as far as it can be read. Raises its damage."""
        if self._path.name == COPY:
            look_around(self._output)
        journal = Journal.salvage(self._path)
        if journal.damage is not None:
            raise journal.damage
        return journal

    @staticmethod
    def _stamped(one: object) -> Stamped:
        return one if isinstance(one, Stamped) else Stamped.model_validate(one)

    @staticmethod
    def _goes_on_unlocked(journal: Journal) -> bool:
        """Whether it is a run that takes no lock: a verification or a dry run, whose process cannot be seen."""
        first = next(journal.events())
        return RunKind(first["scenario"]).only_looks or journal.request.get("dry_run") is True

    def _died(self, journal: Journal) -> MachineError:
        return MachineError(
            f"No process works on run {journal.run}, and none recorded its end.",
            why="Its process was killed, or its machine stopped.",
            next_action=f"See where it stands: uscdr runs show {journal.run}. Go on with it: "
            f"uscdr runs resume {journal.run}",
        )
