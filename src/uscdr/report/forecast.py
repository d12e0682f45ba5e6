"""Forecast the steps of a plan and its end from earlier runs of the same scenario on the same target. No I/O.

A step: from ten earlier executions on, p50 and p90 by nearest rank. p50 has rank n/2, p90 has rank 0.9 (n + 1), both
rounded up, so that a new run of the same kind lies below p90 in nine of ten cases also when n is small. Before ten: the
least and the most.

The end: from ten whole earlier runs on, p50 and p90 of what those runs took from this step on. They show to what degree
the steps of one run are slow together; the sum of the steps' p90 is right only if they always are. For p90 the rank is
that of an upper limit: with a confidence of 90 % the true p90 of runs is not greater. Up to 37 runs this is the longest
one. It is at least what the steps' p90 give if each is slow by itself (the root of the sum of the squares of what p90
is above p50): few runs have not shown every step at its slowest. Before ten: each step's least and most, added.

Sizes: what a run took beyond `FLOOR` seconds is scaled by the ratio of both sizes. For a smaller size only half of the
gain counts, because a part of the work does not depend on the size. A step that handled less than a tenth is dropped.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from uscdr.models.forecast import ENOUGH, Estimate, RunForecast, Saving, StepForecast
from uscdr.report.durations import SIZED, EarlierRun, StepTime
from uscdr.report.objectives import brings_back

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from uscdr.models.events import PlannedStep

FLOOR = 5.0
"""Seconds of a step that do not depend on its size."""
MOST_GROWTH = 10.0
"""An earlier step that handled less than a tenth of the present size says nothing."""
CONFIDENCE = 0.9
P50, P90 = 0.5, 0.9
SAVINGS = {"backup.capture_safety": ("you leave out the capture of the damaged database", "--without-safety-capture")}
"""By name of a step: what the operator does to leave it out, and the option."""


@dataclass(frozen=True)
class Outset:
    """What is known when the plan stands."""

    steps: Sequence[PlannedStep]
    made_at: datetime
    rto_since: datetime
    """From when on the RTO counts."""
    rto_seconds: float
    sizes: Mapping[str, float] = field(default_factory=dict)
    """As `report.durations.sizes_in` returns them."""


def foresee(outset: Outset, past: Sequence[EarlierRun]) -> RunForecast:
    """The forecast of a plan from earlier runs, in any order. With `runs` 0 when they say nothing of its steps."""
    table = [_Column.of(step, past, outset.sizes) for step in outset.steps]
    telling = [column for column in table if column.needed and not column.unknown]
    known = sum(any(column.turns[run] is not None for column in telling) for run in range(len(past)))
    base = RunForecast(
        made_at=outset.made_at, rto_since=outset.rto_since, rto_seconds=outset.rto_seconds, runs=known
    )  # fmt: skip
    if not known:
        return base.model_copy(update={"runs": 0})
    last = max((index for index, step in enumerate(outset.steps) if brings_back(step)), default=len(table) - 1)
    whole = _totals(table)
    quantiles = len(whole) >= ENOUGH
    return base.model_copy(
        update={
            "runs": len(whole) if quantiles else known,
            "quantiles": quantiles,
            "steps": tuple(_step(table, index, last) for index in range(len(table))),
            "unknown": tuple(column.step.title for column in table if column.unknown),
            "saving": next(filter(None, map(_saving, table)), None),
        }
    )


def scaled(seconds: float, before: float | None, now: float | None) -> float | None:
    """A duration for another size; as it was if a size is not known, None if the sizes are too different."""
    if not before or not now or seconds <= FLOOR:
        return seconds
    ratio = now / before
    if ratio > MOST_GROWTH:
        return None
    return FLOOR + (seconds - FLOOR) * (ratio if ratio >= 1 else (1 + ratio) / 2)


def estimate(seconds: Iterable[float]) -> Estimate | None:
    """The forecast of one step from its durations: p50 and p90, or the least and the most; None without any."""
    ranked = sorted(seconds)
    if len(ranked) < ENOUGH:
        return Estimate(low=ranked[0], high=ranked[-1]) if ranked else None
    high = min(len(ranked), math.ceil(round(P90 * (len(ranked) + 1), 6)))
    return Estimate(low=_median(ranked), high=ranked[high - 1])


def _median(ranked: Sequence[float]) -> float:
    return ranked[math.ceil(P50 * len(ranked)) - 1]


@dataclass(frozen=True)
class _Column:
    """One step of the plan in every earlier run."""

    step: PlannedStep
    durations: tuple[float, ...]
    """Of its successful executions, scaled."""
    turns: tuple[float | None, ...]
    """By earlier run: the time that it takes of the run; None where that is not known."""
    scaled: bool
    unknown: bool
    """Whether it may take time, and no earlier run says how much."""
    skipped: bool = False
    """Whether an earlier run did not need it."""

    @property
    def needed(self) -> bool:
        """Whether the plan may need the step."""
        return self.step.action not in ("noop", "skip")

    @classmethod
    def of(cls, step: PlannedStep, past: Sequence[EarlierRun], sizes: Mapping[str, float]) -> _Column:
        if step.action in ("noop", "skip"):
            return cls(step, (), (0.0,) * len(past), scaled=False, unknown=False)
        size, key = SIZED.get(step.name, ""), (step.name, step.id)
        seen = [run.steps.get(key) for run in past]
        fitted = [_fitted(one, run.sizes.get(size), sizes.get(size)) for one, run in zip(seen, past, strict=True)]
        pairs = list(zip(seen, fitted, strict=True))
        durations = [now for one, now in pairs if one and now is not None and not one.skipped]
        usual = _median(sorted(durations)) if durations and step.action == "change" else None
        turns = tuple(usual if one and one.skipped and usual is not None else now for one, now in pairs)
        changed = any(one and now is not None and now != one.turn for one, now in pairs)
        # a step that this plan needs, and no earlier run did, takes more than finding that out
        silent = all(turn is None for turn in turns) or (step.action == "change" and not durations)
        return cls(
            step, tuple(durations), (0.0,) * len(past) if silent else turns, scaled=changed, unknown=silent,
            skipped=any(one is not None and one.skipped for one in seen),
        )  # fmt: skip


def _fitted(time: StepTime | None, before: float | None, now: float | None) -> float | None:
    if time is None or time.skipped:
        return time.turn if time else None
    return scaled(time.turn, before, now)


def _step(table: Sequence[_Column], index: int, last: int) -> StepForecast:
    column = table[index]
    return StepForecast(
        id=column.step.id,
        count=len(column.durations),
        skipped=column.skipped,
        seconds=estimate(column.durations),
        scaled=column.scaled,
        to_back=_end(table[index : last + 1]) if index <= last else None,
        to_end=_end(table[index:]),
    )


def _end(rest: Sequence[_Column]) -> Estimate:
    """The time that these steps take together."""
    known = [[turn for turn in column.turns if turn is not None] for column in rest]
    whole = sorted(_totals(rest))
    if len(whole) < ENOUGH:
        return Estimate(low=sum(map(min, known)), high=sum(map(max, known)))
    steps = [found for turns in known if (found := estimate(turns))]
    apart = sum(one.low for one in steps) + math.hypot(*(one.high - one.low for one in steps))
    return Estimate(low=_median(whole), high=max(whole[_upper_rank(len(whole)) - 1], apart))


def _totals(rest: Sequence[_Column]) -> list[float]:
    """What the earlier runs took for these steps, of the runs in which every one of them is known."""
    runs = zip(*(column.turns for column in rest), strict=True)
    return [sum(turn for turn in turns if turn is not None) for turns in runs if None not in turns]


def _upper_rank(count: int) -> int:
    """The rank of the value that is at least the true p90 with `CONFIDENCE`; the greatest if none is."""
    reached = 0.0
    for rank in range(1, count + 1):
        reached += math.comb(count, rank - 1) * P90 ** (rank - 1) * (1 - P90) ** (count - rank + 1)
        if reached >= CONFIDENCE:
            return rank
    return count


def _saving(column: _Column) -> Saving | None:
    if column.step.name not in SAVINGS or not column.durations:
        return None
    what, option = SAVINGS[column.step.name]
    usual = _median(sorted(column.durations))
    return Saving(step=column.step.id, what=what, option=option, seconds=usual)
