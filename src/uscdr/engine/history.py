"""What earlier processes of a run did, read from its journal."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from uscdr.engine.step import Intent

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass
class History:
    """The state of a run. Empty for a new one."""

    results: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Finished or skipped steps: id -> result (empty when skipped without one)."""
    intents: dict[str, Intent] = field(default_factory=dict)
    """Started, not finished."""
    confirmed: set[str] = field(default_factory=set)
    spent: bool = False
    """A confirmed write certainly failed, so its confirmation no longer counts."""
    attempts: dict[str, int] = field(default_factory=dict)
    tried: set[str] = field(default_factory=set)
    """Steps that began a change, whatever became of it."""
    touched: set[str] = field(default_factory=set)
    """Those of them that may have changed something."""
    order: list[str] = field(default_factory=list)
    """The step ids of the plan, in order."""
    approved: dict[str, dict[str, str]] = field(default_factory=dict)
    """By step of the plan, the facts that the operator approved."""

    phrase: str = ""
    """The phrase as it was last shown; its numbers may be out of date."""

    @property
    def wrote(self) -> bool:
        """Whether a step may have changed something."""
        return bool(self.touched)

    @property
    def begun(self) -> bool:
        """Whether a change was begun or confirmed; otherwise a resumed run plans again."""
        return bool(self.tried or self.confirmed)

    @classmethod
    def of(cls, records: Iterable[dict[str, Any]]) -> History:
        """Read the journal's records in order."""
        history = History()
        for record in records:
            _apply(history, record["event"], str(record["at"]))
        return history


def _apply(history: History, event: dict[str, Any], at: str) -> None:
    kind, step = event["kind"], str(event.get("step", ""))
    if kind == "plan.ready":
        history.order = [line["id"] for line in event["steps"]]
        history.approved = {line["id"]: line.get("approved", {}) for line in event["steps"]}
        history.phrase = event.get("phrase") or ""
    elif kind == "step.started":
        _started(history, event, at)
    elif kind == "step.accepted":
        intent = history.intents.get(step, Intent(at, {}, None))
        history.intents[step] = Intent(intent.at, intent.baseline, event["provider_id"])
    elif kind == "step.sending":
        history.intents[step] = replace(history.intents[step], sent=True)
    elif kind in ("step.succeeded", "step.skipped"):
        history.intents.pop(step, None)
        history.results[step] = event["result"]
    elif kind == "step.failed":
        _failed(history, event, step)
    elif kind == "gate.asked":
        history.phrase = event["phrase"]
    elif kind == "gate.answered" and event["confirmed"]:
        history.confirmed.add(step)


def _failed(history: History, event: dict[str, Any], step: str) -> None:
    """The intent stays if the write may be on its way, and also if not: the next process looks before it sends."""
    if not event.get("changed", True):
        history.touched.discard(step)
    if event["over"]:
        history.intents.pop(step, None)
        history.spent = history.spent or step in history.confirmed
        history.confirmed.discard(step)


def _started(history: History, event: dict[str, Any], at: str) -> None:
    step = event["step"]
    earlier = history.intents.get(step)
    baseline = earlier.baseline if earlier and earlier.baseline else event["baseline"]
    sent = not event.get("says_when_sent", False) or (earlier is not None and earlier.sent)
    history.intents[step] = Intent(earlier.at if earlier else at, baseline, None, sent)
    history.attempts[step] = event["attempt"]
    if event["effect"] != "read":
        history.tried.add(step)
        history.touched.add(step)
