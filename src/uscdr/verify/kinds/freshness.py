"""The newest times in the data: they never go backwards, and they are never ahead of the clock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import ClassVar, Literal

from uscdr.models.duration import Duration, aged
from uscdr.models.table_names import ColumnText, column_text
from uscdr.verify.baseline import NO_BASELINE
from uscdr.verify.check import CheckSpec, Provider
from uscdr.verify.verdict import Finding, as_far_as_read
from uscdr.verify.world import World
from uscdr.words import duration, first_of


class FreshnessCheck(CheckSpec):
    """When somebody last wrote, told by the rows themselves."""

    kind: Literal["freshness"]
    columns: tuple[ColumnText, ...] = ()
    """`table.column` with a time. Without any: those of `freshness` in scenarios.yaml."""
    max_age: Duration | None = None
    """The newest time of each column must not be older than that."""

    provider: ClassVar[Provider] = "database"


def run(name: str, spec: FreshnessCheck, world: World) -> Finding:
    """Ask each column for its newest time."""
    columns = spec.columns or world.expected.freshness
    told = world.database().written(columns) if columns else {}
    newest = {column: one.newest for column, one in told.items() if one.newest}
    times = {column: datetime.fromisoformat(text) for column, text in newest.items()}
    then: Mapping[str, str] = world.before(name).get("newest", {})
    before = {column_text(column): at for column, text in then.items() if (at := _time(text, world.now()))}
    read = tuple(column for column in columns if told[column].unread is None)
    problems = [
        *filter(None, (one.problem(column) for column, one in told.items() if one.unread is None)),
        *_backwards(read, times, before),
        *_old(times, spec.max_age, world.now()),
    ]
    finding = _judged(problems, spec, [column for column in read if column not in times], times)
    if finding.verdict == "pass":
        finding = replace(finding, evidence=_good(times, finding.evidence, before, world.now()))
    return as_far_as_read(replace(finding, measures={"newest": newest}), (one.unread for one in told.values()), "read")


def _judged(problems: list[str], spec: FreshnessCheck, empty: list[str], times: Mapping[str, datetime]) -> Finding:
    """A pass has as its evidence what is to be said beside the newest time."""
    said = f"no time in {first_of(empty)}" if empty else ""
    if problems:
        return Finding("fail", "; ".join(problems))
    if not times or (empty and spec.max_age is not None):
        return Finding("inconclusive", said or "no column is named")
    return Finding("pass", said)


def _time(text: str, now: datetime) -> datetime | None:
    """None for a time that cannot be, as baselines of earlier versions may have one."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:  # a year beyond 9999
        return None
    return at if at <= now else None


def _backwards(columns: tuple[str, ...], times: Mapping[str, datetime], before: Mapping[str, datetime]) -> list[str]:
    known = [column for column in columns if column in before]
    lost = [column for column in known if column not in times]
    older = [
        f"{column} by {_span(before[column] - times[column])}"
        for column in known
        if column in times and times[column] < before[column]
    ]
    return [
        *([f"no time any more in {first_of(lost)}"] if lost else []),
        *([f"older than in the baseline: {first_of(older)}"] if older else []),
    ]


def _old(times: Mapping[str, datetime], max_age: float | None, now: datetime) -> list[str]:
    if max_age is None:
        return []
    allowed = timedelta(seconds=max_age)
    old = [f"{column} {aged(newest, now)}" for column, newest in times.items() if now - newest > allowed]
    return [f"older than {_span(allowed)}: {first_of(old)}"] if old else []


def _good(times: Mapping[str, datetime], said: str, before: Mapping[str, datetime], now: datetime) -> str:
    column = max(times, key=lambda one: times[one])
    words = f"the newest of {len(times)}: {column}, {aged(times[column], now)} ago"
    words += f"; {said}" if said else ""
    return words if any(one in before for one in times) else f"{words}; {NO_BASELINE}"


def _span(span: timedelta) -> str:
    return duration(span.total_seconds())
