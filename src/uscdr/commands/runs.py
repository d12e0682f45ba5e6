"""Lists runs and reports one, from their journals. The list imports little, so it works on an overloaded machine."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from uscdr.commands.housekeeping import state
from uscdr.errors import BadInput, JournalError
from uscdr.journal import runs
from uscdr.journal.reader import Journal
from uscdr.settings import Directories
from uscdr.ui.tables import show_table
from uscdr.words import plural

if TYPE_CHECKING:
    from pathlib import Path

    from uscdr.report.model import RunReport
    from uscdr.ui.console import Output


def show_runs(output: Output) -> None:
    """Print every run on stdout, oldest first."""
    rows = [asdict(summary) for summary in runs.LocalRuns(Directories(os.environ).state).summaries()]
    show_table(rows, output, plain=True, empty="No runs yet.")


def newest(wanted: str | None) -> Path:
    """The journal of run `wanted`, or of the newest run."""
    if wanted is not None:
        return runs.LocalRuns(state()).find(wanted)
    every = list(runs.LocalRuns(state()).journals())
    if not every:
        raise BadInput("This machine has no runs yet.", next_action="Start with: uscdr recover db --dry-run")
    return every[-1]


@dataclass(frozen=True)
class LoadedReport:
    """A journal as a report; with a `damage`, only the lines before it."""

    report: RunReport
    journal: Journal
    damage: JournalError | None


def load(path: Path, output: Output) -> LoadedReport:
    """Read the journal at `path`; warn when only its beginning is readable. Raises JournalError when none of it is."""
    from uscdr.report.objectives import build

    journal = Journal.salvage(path)
    if journal.damage is not None:
        if not journal.lines:
            raise journal.damage
        read = plural(len(journal.lines), "line")
        output.warn(f"The journal is damaged. This shows only what comes before the damage: {read}.")
    return LoadedReport(build(journal.stamped, last_hash=journal.last_hash), journal, journal.damage)
