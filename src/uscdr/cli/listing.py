"""The list of all runs. Needs no argument parser, so that it answers at once even on a struggling machine."""

from __future__ import annotations

import os
from dataclasses import asdict

from uscdr.journal import runs
from uscdr.settings import state_directory
from uscdr.ui.console import Output
from uscdr.ui.tables import show_table


def show_runs(output: Output) -> None:
    """Every run, oldest first, on stdout."""
    rows = [asdict(summary) for summary in runs.summaries(state_directory(os.environ))]
    show_table(rows, output, plain=True, empty="No run yet.")
