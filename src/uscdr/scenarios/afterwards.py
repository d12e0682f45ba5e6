"""Commands that undo a recovery of the database, or end it before it overwrites anything. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from uscdr.engine.step import Intent
from uscdr.journal.reader import name_of
from uscdr.models.access import AccessBack
from uscdr.scenarios.results.db import Withdrawn

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

CAPTURE, RESTORE, DRAIN = "backup.capture_safety", "backup.restore", "heroku.stop"
PUTS_BACK = "`uscdr recover db --backup NAME` with the name of this capture restores it"


def undo_tasks(events: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    """What a person is told once the restore has started: the command that undoes it, or that there is none."""
    target, captured, begun = "", "", False
    for event in events:
        kind, step = event["kind"], name_of(event.get("name", ""), event.get("step", ""))
        if kind == "run.started":
            target = str(event["target"])
        elif kind == "step.succeeded" and step == CAPTURE:
            captured = str(event["result"].get("name", ""))
        elif kind == "step.started" and step == RESTORE:
            begun = True
    if not begun:
        return ()
    if not captured:
        return ("No way back: the state before this recovery was not captured.",)
    return (f"Way back to the state before this recovery: uscdr --target {target} recover db --backup {captured}",)


def reopen_command(events: Iterable[Mapping[str, Any]], stopped: Mapping[str, int]) -> str:
    """The command that opens the application again instead of going on; empty once the restore has started.

    Empty for other scenarios too. `stopped`: what was stopped before this run, started when the run stopped nothing.

    Raises BadInput for a journal that has something else where the formation belongs.
    """
    app, formation = "", stopped
    for event in events:
        kind, step = event["kind"], name_of(event.get("name", ""), event.get("step", ""))
        if kind == "run.started":
            app = str(event["app"]) if event["scenario"] == "db" else ""
        elif kind == "step.started" and step == RESTORE:
            return ""
        elif kind in ("step.started", "step.succeeded") and step == DRAIN:
            recorded = event.get("result") or event.get("baseline") or {}
            formation = Intent("", recorded, None).numbers("formation") or formation
    if not app:
        return ""
    scale = " ".join(f"{name}={number}" for name, number in sorted(formation.items()) if number)
    started = f"heroku ps:scale {scale} --app {app} && " if scale else ""
    return f"{started}heroku maintenance:off --app {app}"


# Who is blocked by a recovery although nobody blocked them, and who may have regained access unseen. Pure.


LOOK, _RESTORES, WITHDRAW = "access.look", "backup.restore", "access.withdraw"


def blocked_tasks(events: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    """The tasks of a run's events; after a restore also what is unknown about access, or looks like damage."""
    done = {event.get("name"): event["result"] for event in events if event["kind"] == "step.succeeded"}
    try:
        found = tuple(Withdrawn.model_validate(done[WITHDRAW]).tasks()) if WITHDRAW in done else ()
        doubts = AccessBack.model_validate(done[LOOK]).doubts if LOOK in done and _RESTORES in done else ()
    except ValidationError:
        return ("Check who can sign in now: uscdr cannot read what the journal says of it",)
    return (*found, *(f"Check who can sign in now: {doubt}" for doubt in doubts))
