"""The one command that puts back what a recovery of the database overwrote. Pure, over a run's events."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

CAPTURE, RESTORE = "backup.capture_safety", "backup.restore"
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
