"""What earlier runs on a target recorded: this machine's runs, and the team's runs that it has copies of."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from uscdr.errors import Declined, JournalError
from uscdr.journal import runs
from uscdr.journal.reader import Journal, name_of
from uscdr.models.base import Count, Moment
from uscdr.models.dns import RecordSet
from uscdr.models.runs import OPERATIONS
from uscdr.scenarios.adapters import PastRuns

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

OWN_MEDIA = ("media.restore_backups", "media.upload")
STOPS = ("heroku.stop", "infra.stop_old")
"""Steps whose results record the formation before the stop."""


class _Told(BaseModel):
    """The fields that we read of a recorded result or baseline; ignores the others."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class _Stopped(_Told):
    formation: dict[str, Count] = {}


class _Captured(_Told):
    id: str = ""


class _Chosen(_Told):
    taken_at: Moment | None = None
    created_at: Moment | None = None


class _Switched(_Told):
    old: tuple[RecordSet | None, ...] = ()
    new: tuple[RecordSet, ...] = ()


T = TypeVar("T", bound=_Told)


def _told(kind: type[T], recorded: object) -> T:
    """The recorded fields; defaults when the record has another shape."""
    try:
        return kind.model_validate(recorded)
    except ValidationError:
        return kind()


def remember(state: Path, key: str) -> PastRuns:
    """What earlier runs on this target recorded: the formation, captures of damaged states, and more.

    Of a damaged journal it uses the lines before the damage.
    """
    formation: dict[str, int] = {}
    damaged: set[str] = set()
    own_media: list[tuple[float, float]] = []
    switched: tuple[tuple[RecordSet | None, RecordSet], ...] = ()
    undone: list[tuple[datetime, datetime]] = []
    unread: list[str] = []
    rebuilt = ""
    for found in _recoveries(runs.LocalRuns(state).journals(), key):
        for event in found.events():
            name = _name(event)
            recorded = event.get("result") or event.get("baseline") or {}
            if name == "backup.capture_safety":
                known = (_told(_Captured, recorded).id, event.get("provider_id"))
                damaged |= {str(one) for one in known if one}
            if name in STOPS and any((stopped := _told(_Stopped, recorded).formation).values()):
                formation = stopped
            if name == "dns.switch" and event["kind"] == "step.started":
                switched = _records(_told(_Switched, event["baseline"]))
        own_media += _own_media(found)
        undone += _undone(found)
        unread += [found.run] if found.damage is not None else []
        rebuilt = _rebuilt(found) or rebuilt
    return PastRuns(formation, frozenset(damaged), switched, tuple(own_media), tuple(undone), tuple(unread), rebuilt)


def _rebuilt(journal: Journal) -> str:
    """The new application of a finished rebuild; empty for any other run, and for a rebuild in place."""
    summary = runs.RunSummary.of(journal)
    over = summary.scenario == "infra" and summary.state in runs.OVER
    return str(journal.request.get("app") or "") if over else ""


def _undone(journal: Journal) -> Iterator[tuple[datetime, datetime]]:
    """From the time of the restored backup to the end of its restore."""
    chosen: datetime | None = None
    for record in journal.records:
        event = record["event"]
        if event["kind"] != "step.succeeded":
            continue
        if _name(event) == "backup.choose":
            told = _told(_Chosen, event["result"])
            chosen = told.taken_at or told.created_at
        elif _name(event) == "backup.restore" and chosen is not None:
            yield chosen, datetime.fromisoformat(str(record["at"]))


def _name(event: Mapping[str, Any]) -> str:
    return name_of(str(event.get("name", "")), str(event.get("step", "")))


def _recoveries(paths: Iterable[Path], key: str) -> Iterator[Journal]:
    """Journals of this target and journals without a target. Skips single writes, because cron makes many."""
    for path in paths:
        if _is_single_write(path):
            continue
        found = Journal.salvage(path)
        of = found.request.get("key")
        if of == key or (of is None and runs.RunSummary.of(found).state not in runs.OVER):
            yield found


def _is_single_write(path: Path) -> bool:
    """Whether the run is a single write; no other run needs its journal."""
    return any(f"-{scenario}-" in path.parent.name for scenario in OPERATIONS)


def _own_media(journal: Journal) -> Iterator[tuple[float, float]]:
    """When this run restored media files: begin and end, in seconds since 1970. A torn run ends with its last line."""
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


def _records(told: _Switched) -> tuple[tuple[RecordSet | None, RecordSet], ...]:
    return tuple(zip(told.old, told.new, strict=True)) if len(told.old) == len(told.new) else ()


def refuse_beside_unfinished(state: Path, key: str) -> None:
    """Raises Declined when an earlier run changed the target and did not finish: resume it, or pass --new."""
    if refusal := beside_unfinished(state, key):
        raise refusal


def beside_unfinished(state: Path, key: str) -> Declined | None:
    """Why no new run may begin on this target now; None when one may.

    A run with an unreadable journal counts as unfinished, even when the journal does not name its target.
    """
    for found in _recoveries(reversed(list(runs.LocalRuns(state).journals())), key):
        summary = runs.RunSummary.of(found)
        if not summary.touches_application:
            continue
        if summary.state in runs.OVER:
            return None
        if found.damage is not None and summary.wrote:
            return _unreadable(summary, found.damage)
        if summary.wrote and summary.resumable:
            return _unfinished(summary, elsewhere=found.is_copy)
    return None


def _unreadable(summary: runs.RunSummary, damage: JournalError) -> Declined:
    whose = "on this target" if summary.target != runs.UNKNOWN else "perhaps on this target"
    return Declined(
        f"The journal of run {summary.run} ({whose}) is damaged: uscdr does not know all that the run changed.",
        why=f"{damage.message} {damage.why}".strip(),
        next_action=f"See the readable part: uscdr runs show {summary.run}. Check at the provider what changed. "
        "Then, to start a new run instead: --new",
    )


def _unfinished(summary: runs.RunSummary, *, elsewhere: bool) -> Declined:
    command = f"uscdr runs resume {summary.run} --take-over" if elsewhere else "uscdr runs resume"
    owner = f"{summary.user} began it on another machine. " if elsewhere else ""
    return Declined(
        f"Run {summary.run} on this target changed something and is not finished ({summary.state}).",
        why=f"{owner}It stopped at step “{summary.step}”. Its journal records the formation and the restores.",
        next_action=f"Resume it: {command}. To start a new run instead: --new",
    )
