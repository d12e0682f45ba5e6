"""What earlier runs recorded of a target: this machine's, and those of the team that it has copies of."""

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
"""Steps whose results say what ran before it was stopped."""


class _Told(BaseModel):
    """What is asked of a recorded result or baseline; the rest of it is for others."""

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
    """What stands there of it; nothing when it is of another shape."""
    try:
        return kind.model_validate(recorded)
    except ValidationError:
        return kind()


def remember(state: Path, key: str) -> PastRuns:
    """What earlier runs on this target recorded: the formation, and captures of damaged states.

    Of a journal that is damaged what stands before the damage is as true as ever.
    """
    formation: dict[str, int] = {}
    damaged: set[str] = set()
    own_media: list[tuple[float, float]] = []
    switched: tuple[tuple[RecordSet | None, RecordSet], ...] = ()
    undone: list[tuple[datetime, datetime]] = []
    unread: list[str] = []
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
    return PastRuns(formation, frozenset(damaged), switched, tuple(own_media), tuple(undone), tuple(unread))


def _undone(journal: Journal) -> Iterator[tuple[datetime, datetime]]:
    """From the moment that the restored backup stands for to the end of its restore."""
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
    """Those of this target, and those that do not tell theirs; without single writes, of which cron makes many."""
    for path in paths:
        if _is_single_write(path):
            continue
        found = Journal.salvage(path)
        of = found.request.get("key")
        if of == key or (of is None and runs.RunSummary.of(found).state not in runs.OVER):
            yield found


def _is_single_write(path: Path) -> bool:
    """Whether the run's id is that of a single write, whose journal no other run needs."""
    return any(f"-{scenario}-" in path.parent.name for scenario in OPERATIONS)


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


def _records(told: _Switched) -> tuple[tuple[RecordSet | None, RecordSet], ...]:
    return tuple(zip(told.old, told.new, strict=True)) if len(told.old) == len(told.new) else ()


def refuse_beside_unfinished(state: Path, key: str) -> None:
    """A run that changed something and did not end must be resumed, or set aside in words. Raises Declined."""
    if refusal := beside_unfinished(state, key):
        raise refusal


def beside_unfinished(state: Path, key: str) -> Declined | None:
    """Why no other run may begin on this target now; None when one may.

    One whose journal cannot be read is unfinished, also when it does not even tell of which target it was.
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
        f"The journal of run {summary.run}, {whose}, cannot be read to its end: what it changed is not known.",
        why=f"{damage.message} {damage.why}".strip(),
        next_action=f"What can be read of it: uscdr runs show {summary.run}. See at the provider what was done. "
        "Then, to leave it and begin anew: --new",
    )


def _unfinished(summary: runs.RunSummary, *, elsewhere: bool) -> Declined:
    how = f"{summary.run} --take-over (of {summary.user})" if elsewhere else ""
    return Declined(
        f"Run {summary.run} on this target changed something and is not finished ({summary.state}).",
        why=f"It was at step “{summary.step}”; it remembers what runs normally and what was restored.",
        next_action=f"Go on with it: {f'uscdr runs resume {how}'.strip()}. To leave it and begin anew: --new",
    )
