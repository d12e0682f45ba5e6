"""What puts back what a recovery of the database overwrote, or leaves one that overwrote nothing yet. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from uscdr.engine.step import Intent

CAPTURE, RESTORE, DRAIN = "backup.capture_safety", "backup.restore", "heroku.drain"
PUTS_BACK = "`uscdr recover db --backup NAME` with the name of this capture puts it back"


def tasks(events: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    """What a person is told once the restore was begun: the command, or that there is none."""
    target, captured, begun = "", "", False
    for event in events:
        kind, step = event["kind"], event.get("name", "")
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


def leave(events: Iterable[Mapping[str, Any]], stopped: Mapping[str, int]) -> str:
    """What lets users in again instead of going on; empty once the restore was begun, and in other scenarios.

    `stopped` is started when this run itself stopped nothing: what is stopped now, and was before it.

    Raises BadInput for a journal that has something else where the formation belongs.
    """
    app, formation = "", stopped
    for event in events:
        kind, step = event["kind"], event.get("name", "")
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
