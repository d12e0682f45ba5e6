"""What earlier runs recorded of a target: this machine's, and those of the team that it has copies of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from uscdr.errors import Declined, JournalError
from uscdr.journal import runs
from uscdr.journal.names import name_of
from uscdr.journal.reader import Journal, read
from uscdr.models.dns import RecordSet
from uscdr.scenarios.deps import Memory

OWN_MEDIA = ("media.restore_backups", "media.upload")
STOPS = ("heroku.drain", "infra.stop_old")
"""Steps whose results say what ran before it was stopped."""


def remember(state: Path, key: str) -> Memory:
    """What earlier runs on this target recorded: the formation, and captures of damaged states."""
    formation: dict[str, int] = {}
    damaged: set[str] = set()
    own_media: list[tuple[float, float]] = []
    switched: tuple[tuple[RecordSet | None, RecordSet], ...] = ()
    undone: list[tuple[datetime, datetime]] = []
    for journal in _recoveries(runs.journals(state), key):
        for event in journal.events():
            name = _name(event)
            recorded = event.get("result") or event.get("baseline") or {}
            if name == "backup.capture_safety":
                damaged |= {str(found) for found in (recorded.get("id"), event.get("provider_id")) if found}
            if name in STOPS and any(recorded.get("formation", {}).values()):
                formation = recorded["formation"]
            if name == "dns.switch" and event["kind"] == "step.started":
                switched = _records(event["baseline"])
        own_media += _own_media(journal)
        undone += _undone(journal)
    return Memory(formation, frozenset(damaged), switched, tuple(own_media), tuple(undone))


def _undone(journal: Journal) -> Iterator[tuple[datetime, datetime]]:
    """From the moment that the restored backup stands for to the end of its restore."""
    chosen: datetime | None = None
    for record in journal.records:
        event = record["event"]
        if event["kind"] != "step.succeeded":
            continue
        result = event.get("result") or {}
        if _name(event) == "backup.choose":
            text = result.get("taken_at") or result.get("created_at")
            chosen = datetime.fromisoformat(str(text)) if text else None
        elif _name(event) == "backup.restore" and chosen is not None:
            yield chosen, datetime.fromisoformat(str(record["at"]))


def _name(event: Mapping[str, Any]) -> str:
    return name_of(str(event.get("name", "")), str(event.get("step", "")))


def _recoveries(paths: Iterable[Path], key: str) -> Iterator[Journal]:
    """Those of this target that can be read; without those of single writes, of which cron makes many."""
    for path in paths:
        journal = None if runs.of_operation(path) else read_quietly(path)
        if journal is not None and next(journal.events(), {}).get("request", {}).get("key") == key:
            yield journal


def _own_media(journal: Journal) -> Iterator[tuple[float, float]]:
    """From when to when this run put media files back, in seconds since 1970; a cut-off one counts to its last word."""
    begun: dict[str, float] = {}
    last = 0.0
    for record in journal.records:
        event, last = record["event"], datetime.fromisoformat(str(record["at"])).timestamp()
        step, kind = str(event.get("step", "")), event["kind"]
        if _name(event) in OWN_MEDIA and kind == "step.started":
            begun.setdefault(step, last)
        elif step in begun and kind in ("step.succeeded", "step.failed"):
            yield begun.pop(step), last
    yield from ((first, last) for first in begun.values())


def _records(baseline: Mapping[str, Any]) -> tuple[tuple[RecordSet | None, RecordSet], ...]:
    old = [RecordSet.model_validate(record) if record else None for record in baseline.get("old", ())]
    return tuple(zip(old, map(RecordSet.model_validate, baseline.get("new", ())), strict=True))


def read_quietly(path: Path) -> Journal | None:
    """A journal, or None when it is damaged: `runs list` names those."""
    try:
        return read(path)
    except JournalError:
        return None


def refuse_beside_unfinished(state: Path, key: str) -> None:
    """A run that changed something and did not end must be resumed, or set aside in words."""
    for journal in _recoveries(reversed(list(runs.journals(state))), key):
        summary = runs.summarize(journal)
        if not runs.touches_application(summary):
            continue
        if summary.state in runs.OVER:
            return
        if summary.wrote and runs.resumable(summary):
            how = f"{summary.run} --take-over (of {summary.user})" if runs.is_copy(journal.path) else ""
            raise Declined(
                f"Run {summary.run} on this target changed something and is not finished ({summary.state}).",
                why=f"It was at step “{summary.step}”; it remembers what runs normally and what was restored.",
                next_action=f"Go on with it: {f'uscdr runs resume {how}'.strip()}. To leave it and begin anew: --new",
            )
