"""Carries out a single write, such as a capture, as a run of its own."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from uscdr.commands import run as runner
from uscdr.commands.housekeeping import state
from uscdr.journal import runs
from uscdr.journal.reader import NAME, Journal
from uscdr.models.runs import RunKind
from uscdr.shared.team import Team
from uscdr.wiring.session import process
from uscdr.words import plural

if TYPE_CHECKING:
    from uscdr.scenarios.adapters import Request
    from uscdr.ui.console import Output
    from uscdr.wiring.target import Target

STEP_ENDED = ("step.succeeded", "step.skipped")


def operate(target: Target, output: Output, request: Request, *, phrase: str | None = None) -> dict[str, Any]:
    """Carry out a single write as its own run; return its step's result from the journal.

    The command itself is the confirmation, unless the step asks for a phrase. Prints nothing on stdout. Raises the
    error that ended the run.
    """
    command = RunKind(request.scenario).command
    run, team = runs.new_run_id(request.scenario), Team.open(os.environ)
    with process(output, state(), os.environ, stdout=False) as this:
        ending = runner.begin(this.on(target, request, run, dry_run=False, confirm=phrase or command), team)
    warn_behind(team, output)
    if ending.error is not None:
        raise ending.error
    ended = [event for event in Journal.read(state() / "runs" / run / NAME).events() if event["kind"] in STEP_ENDED]
    return dict(ended[-1]["result"])


def warn_behind(team: Team | None, output: Output) -> None:
    """Say that the shared state lacks the end of the run's journal, if it does."""
    if team is not None and team.behind:
        lines = plural(team.behind, "line")
        words = f"uscdr could not write {team.place}: the shared state lacks the last {lines} of this journal."
        output.warn(f"{words} When it is available again: uscdr runs resume")
