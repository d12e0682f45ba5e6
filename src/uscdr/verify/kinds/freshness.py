"""The newest times in the data: they never go backwards, and they are never ahead of the clock."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, time, timedelta
from typing import ClassVar, Literal

from uscdr.models.duration import Duration
from uscdr.verify.baseline import NO_BASELINE
from uscdr.verify.check import CheckSpec, Provider
from uscdr.verify.verdict import Finding
from uscdr.verify.world import World
from uscdr.words import duration, first_of

AHEAD = timedelta(minutes=5)
"""Clocks differ by a little."""
DAY = timedelta(days=1)
BEYOND = datetime.max.replace(tzinfo=UTC)


class FreshnessCheck(CheckSpec):
    """When somebody last wrote, told by the rows themselves."""

    kind: Literal["freshness"]
    columns: tuple[str, ...] = ()
    """`table.column` with a time. Without any: those of `freshness` in scenarios.yaml."""
    max_age: Duration | None = None
    """The newest time of each column must not be older than that."""

    provider: ClassVar[Provider] = "database"


def run(name: str, spec: FreshnessCheck, world: World) -> Finding:
    """Ask each column for its newest time."""
    columns = spec.columns or world.expected.freshness
    newest = world.database().newest(columns) if columns else {}
    times = {column: _time(text) for column, text in newest.items() if text}
    before: Mapping[str, str] = world.before(name).get("newest", {})
    now = world.now()
    problems = [*_ahead(times, now), *_backwards(columns, times, before), *_old(times, spec.max_age, now)]
    measured = {"newest": {column: text for column, text in newest.items() if text}}
    if problems:
        return Finding("fail", "; ".join(problems), measured)
    empty = [column for column in columns if column not in times]
    if not times or (empty and spec.max_age is not None):
        return Finding("inconclusive", f"no time in {first_of(empty)}" if empty else "no column is named")
    return Finding("pass", _good(times, empty, before, now), measured)


def _time(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:  # a year beyond 9999
        return BEYOND


def _ahead(times: Mapping[str, datetime], now: datetime) -> list[str]:
    wrong = [column for column, newest in times.items() if newest - now > _allowed(newest)]
    return [f"in the future: {first_of(wrong)}"] if wrong else []


def _allowed(newest: datetime) -> timedelta:
    """A date is that of the place's own zone, and reads as midnight in UTC."""
    return DAY if newest.time() == time() else AHEAD


def _backwards(columns: tuple[str, ...], times: Mapping[str, datetime], before: Mapping[str, str]) -> list[str]:
    known = [column for column in columns if column in before]
    lost = [column for column in known if column not in times]
    older = [
        f"{column} by {_span(_time(before[column]) - times[column])}"
        for column in known
        if column in times and times[column] < _time(before[column])
    ]
    return [
        *([f"no time any more in {first_of(lost)}"] if lost else []),
        *([f"older than in the baseline: {first_of(older)}"] if older else []),
    ]


def _old(times: Mapping[str, datetime], max_age: float | None, now: datetime) -> list[str]:
    if max_age is None:
        return []
    allowed = timedelta(seconds=max_age)
    old = [f"{column} {_span(now - newest)}" for column, newest in times.items() if now - newest > allowed]
    return [f"older than {_span(allowed)}: {first_of(old)}"] if old else []


def _good(times: Mapping[str, datetime], empty: list[str], before: Mapping[str, str], now: datetime) -> str:
    column = max(times, key=lambda one: times[one])
    words = f"the newest of {len(times)}: {column}, {_span(now - times[column])} ago"
    words += f"; no time in {first_of(empty)}" if empty else ""
    return words if any(one in before for one in times) else f"{words}; {NO_BASELINE}"


def _span(span: timedelta) -> str:
    return duration(span.total_seconds())
