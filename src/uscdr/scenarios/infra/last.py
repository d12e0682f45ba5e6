"""The last state of an old place that lives: whether a run captures it, and what speaks against it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from uscdr.models.duration import elapsed
from uscdr.scenarios.deps import Deps, now
from uscdr.scenarios.walk import beside
from uscdr.vault.backups.loss import State
from uscdr.words import duration, moment

if TYPE_CHECKING:
    from uscdr.engine.step import Tell
    from uscdr.models.transfers import Transfer
    from uscdr.scenarios.results import ChosenBackup, Proof
    from uscdr.scenarios.results_infra import InfraSeen, OldStopped

CAPTURED = "what it writes until it is stopped is captured then, and comes along if it proves good"
OPEN_AGAIN = "Access that was withdrawn there since then is open again here."
LEFT_BEHIND = "later writes are LOST, and access that was withdrawn since then is open again"


def not_captured(deps: Deps, scope: InfraSeen, stopped: OldStopped | None = None) -> str:
    """Why the last state of the old place is not captured; empty when it is. `stopped`: what was seen since."""
    old = deps.old.place(scope.old_app)
    if not (stopped.answers if stopped else scope.old_answers):
        return f"{scope.old_app} does not answer"
    if scope.in_place:
        return f"{scope.old_app} is rebuilt in place"
    if deps.request.backup:
        return f"{deps.request.backup} was named"
    if old.answers and deps.target.heroku.database not in old.config:
        return f"{scope.old_app} has no database any more"
    return ""


def lost_since(deps: Deps, chosen: ChosenBackup) -> str:
    """What a place that lived until it was stopped wrote since the dump: its database has it, the new one will not."""
    since = f"since {moment(chosen.taken_at)}, {duration(elapsed(chosen.taken_at, now()))} ago"
    words = f"What {deps.old_app} wrote {since}, is not in {chosen.backup}"
    return f"{words}: LOST in the new place; its own database still has it. {OPEN_AGAIN}"


def wanting_in(
    deps: Deps, taken: Transfer, chosen: ChosenBackup, proof: Proof, tell: Tell
) -> tuple[str, tuple[str, ...]]:
    """Why the capture `taken` is left for what was chosen before it, empty when it is good; and what to know of it."""
    owner = deps.old_attachment().owner_app_name
    before = State(chosen.backup, chosen.taken_at, {one.name: one.rows for one in proof.tables}, proof.newest)
    return beside(deps, owner, taken, before, tell)
