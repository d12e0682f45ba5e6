"""A run's journal as a report."""

from __future__ import annotations

from pathlib import Path

from uscdr.cli.context import state
from uscdr.errors import BadInput
from uscdr.journal import runs
from uscdr.journal.reader import read
from uscdr.report.build import build
from uscdr.report.model import RunReport


def newest(wanted: str | None) -> Path:
    """The journal of run `wanted`, or of the newest run."""
    if wanted is not None:
        return runs.find(state(), wanted)
    every = list(runs.journals(state()))
    if not every:
        raise BadInput("There is no run on this machine yet.", next_action="Begin with: uscdr recover db --dry-run")
    return every[-1]


def load_report(path: Path) -> RunReport:
    """Fold the journal at `path`."""
    journal = read(path)
    return build(journal.records, last_hash=journal.last_hash)
